# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whose the files of a bundle are, and who may read them."""

from __future__ import annotations

import grp
import os
import pwd
import stat
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from .._oci.errors import InvalidInput


@dataclass(frozen=True)
class Ownership:
    """Ids of owner and group, and permissions; None leaves each as it is."""

    owner: int | None = None
    group: int | None = None
    mode: int | None = None

    def differing(self, paths: Iterable[Path]) -> list[Path]:
        """Those of `paths` that `apply` would change."""
        return [path for path in paths if self._differs(path)]

    def apply(self, paths: Iterable[Path]) -> None:
        """Give `paths` owner, group and permissions. Raises OSError."""
        for path in self.differing(paths):
            os.chown(path, -1 if self.owner is None else self.owner, -1 if self.group is None else self.group)
            if self.mode is not None:
                os.chmod(path, self.mode)

    def _differs(self, path: Path) -> bool:
        found = path.stat()
        wanted = (self.owner, self.group, self.mode)
        there = (found.st_uid, found.st_gid, stat.S_IMODE(found.st_mode))
        return any(value is not None and value != has for value, has in zip(wanted, there))


def parse_ownership(owner: str | None, group: str | None, mode: str | None) -> Ownership:
    """From names or numbers, and permissions in octal. Raises InvalidInput."""
    try:
        found = (
            None if not owner else int(owner) if owner.isdigit() else pwd.getpwnam(owner).pw_uid,
            None if not group else int(group) if group.isdigit() else grp.getgrnam(group).gr_gid,
        )
    except KeyError as error:
        raise InvalidInput(f"owner, group: {error.args[0]}; name one that the host has, or a number") from error
    if mode and not (len(mode) <= 4 and not mode.strip("01234567")):
        raise InvalidInput(f"mode: {mode[:40]!r} is no mode of a file; write it in quotes, such as '0640'")
    return Ownership(*found, int(mode, 8) if mode else None)
