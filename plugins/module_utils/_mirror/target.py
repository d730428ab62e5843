# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the private registry holds: tag lists first, one request each, and digests only where a list cannot tell."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

from .._registry.client import Registry
from .._registry.errors import AccessDenied, NotFound, RegistryError, Throttled


class Target:
    """Tags and digests of the repositories of one push. Safe to use from many threads after `load`."""

    def __init__(self, registry: Registry, pool: ThreadPoolExecutor) -> None:
        self.registry = registry
        self._pool = pool
        self._tags: dict[str, frozenset[str] | None] = {}
        self._digests: dict[tuple[str, str], str | None] = {}
        self._lock = threading.Lock()

    def load(self, repositories: Iterable[str]) -> None:
        """List the tags of each repository. Raises AccessDenied when every one is refused, and failures of the host.

        One that does not list its tags is asked for each of them; what it refuses to tell counts as not there, and its
        answer to the upload decides.
        """
        names = sorted(set(repositories))
        denied: list[AccessDenied] = []
        for name, future in [(name, self._pool.submit(self._list, name, denied)) for name in names]:
            self._tags[name] = future.result()
        if names and len(denied) == len(names):
            raise denied[0]

    def _list(self, repository: str, denied: list[AccessDenied]) -> frozenset[str] | None:
        try:
            return frozenset(self.registry.tags(repository))
        except NotFound:
            return frozenset()
        except RegistryError as error:
            if isinstance(error, AccessDenied):
                denied.append(error)
            if not is_refusal(error):
                raise
            return None

    def is_empty(self, repository: str) -> bool:
        """Whether the repository is known to have no tag at all."""
        tags = self._tags.get(repository)
        return tags is not None and not tags

    def lists(self, repository: str, tag: str) -> bool | None:
        """Whether the repository lists `tag`; None when it does not list tags."""
        tags = self._tags.get(repository)
        return None if tags is None else tag in tags

    def digest(self, repository: str, tag: str) -> str | None:
        """What `tag` points to, None where it does not exist; asked once, and not at all when the list lacks it."""
        if self.lists(repository, tag) is False:
            return None
        key = (repository, tag)
        with self._lock:
            if key in self._digests:
                return self._digests[key]
        try:
            digest = self.registry.manifest_digest(repository, tag)
        except RegistryError as error:
            if self.lists(repository, tag) is not None or not is_refusal(error):
                raise
            digest = None
        with self._lock:
            self._digests[key] = digest
        return digest

    def digests(self, wanted: Iterable[tuple[str, str]]) -> list[str | None]:
        """`digest` of many, in parallel."""
        futures = [self._pool.submit(self.digest, repository, tag) for repository, tag in wanted]
        return [future.result() for future in futures]

    def fresh_digest(self, repository: str, tag: str) -> str | None:
        """What `tag` points to at this moment. Raises also what `digest` takes for "not there"."""
        digest = self.registry.manifest_digest(repository, tag)
        with self._lock:
            self._digests[repository, tag] = digest
        return digest


def is_refusal(error: RegistryError) -> bool:
    """Whether the answer concerns this one repository or right, and not the state of the registry or the way to it."""
    return error.status is not None and 400 <= error.status < 500 and not isinstance(error, Throttled)
