# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What this host remembers of pushes that did not end: repositories that may hold blobs without a single tag.

A repository without tags is taken for empty, and its blobs are not asked for one by one; unless it is listed here.
"""

from __future__ import annotations

from .._oci.reference import RepositoryAddress
from .memory import HostMemory

_KIND = "pushes"


class UnfinishedPushes:
    """The repositories of one target. `dry` notes nothing."""

    def __init__(self, memory: HostMemory, target: RepositoryAddress, *, dry: bool) -> None:
        self._memory = memory
        self._name = str(target)
        self._dry = dry
        noted = memory.get(_KIND, self._name)
        self._earlier = {name for name in noted if isinstance(name, str)} if isinstance(noted, list) else set()
        self._ours: set[str] = set()
        self._forgetful = not memory.keeps

    def may_have_left(self, repository: str) -> bool:
        """Whether an earlier push may have left blobs there; where nothing can be remembered, everywhere."""
        return self._forgetful or repository in self._earlier

    def begin(self, repositories: set[str]) -> None:
        """Note, before the first upload, what will hold blobs if this push does not end."""
        self._ours = repositories
        self._keep(self._earlier | repositories)

    def end(self, incomplete: set[str]) -> None:
        """This push is over; only the `incomplete` of its repositories may hold blobs without tags."""
        self._keep((self._earlier - self._ours) | incomplete)

    def _keep(self, repositories: set[str]) -> None:
        if self._dry:
            return
        if not repositories:
            self._memory.forget(_KIND, self._name)
        elif not self._memory.put(_KIND, self._name, sorted(repositories)):
            self._forgetful = True
