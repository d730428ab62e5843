# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later


"""Watches a registry for pointers that lead to what is not there: the moments at which a cluster would go wrong.

A pointer is a channel of the platform or of a module, or the name of a module in the catalogue. What a cluster would
need to follow it: releases, images and components of its version and of all steps to it (dkp-cluster.md §5.5).
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import TracebackType

from ansible_collections.dkp.airgap.plugins.module_utils._dkp.channels import KNOWN_CHANNELS
from ansible_collections.dkp.airgap.plugins.module_utils._dkp.version import (
    Version,
    newest_per_series,
    versions_of_tags,
)

from .deckhouse_pods import module_images, platform_images
from .deckhouse_view import version_in
from .registry_content import Content, RegistryTrouble

_VERSION = "version.json"
Deployed = Mapping[str, Version]
"""What runs, by module; the platform is ``""``."""


@dataclass(frozen=True)
class Exposure:
    """At `moment` (of time.time) the `pointer` said `version`, and `missing` were not there."""

    moment: float
    pointer: str
    version: str
    missing: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.pointer} says {self.version}, not there: {', '.join(self.missing)}"


class Watch:
    """Looks at `content` below the edition's `root`, as a context manager every `interval` seconds.

    Pointers are followed when one of them, or the tags around them, have changed, and at every `thoroughly`-th look.
    """

    def __init__(
        self,
        content: Content,
        root: str,
        *,
        deployed: Callable[[], Deployed] = dict,
        modules_path: str = "modules",
        interval: float = 0.05,
        thoroughly: int = 40,
    ) -> None:
        self._content, self._root, self._deployed = content, root, deployed
        self._modules_root = f"{root}/{modules_path}" if modules_path else root
        self._interval, self._thoroughly = interval, thoroughly
        self._seen: object = None
        self.looks = 0
        self.found: list[Exposure] = []
        self.failure: Exception | None = None
        """What ended the watching, which is an error of the tests."""
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="watch of a registry", daemon=True)

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()
        if error is None and self.failure:
            raise self.failure

    def look(self) -> list[Exposure]:
        """What is exposed now; also added to `found`. Raises RegistryTrouble."""
        self.looks += 1
        now_there = self._tags()
        if now_there == self._seen and self.looks % self._thoroughly:
            return []
        self._seen = now_there
        moment = time.time()
        found = [
            Exposure(moment, pointer, version, tuple(dict.fromkeys(missing)))
            for pointer, version, missing in self._pointers(now_there)
            if missing
        ]
        known = {(one.pointer, one.version, one.missing) for one in self.found}
        self.found += [one for one in found if (one.pointer, one.version, one.missing) not in known]
        return found

    def _watch(self) -> None:
        while not self._stop.wait(self._interval):
            try:
                self.look()
            except RegistryTrouble:
                # A registry that does not answer exposes nothing.
                continue
            except Exception as error:
                self.failure = error
                return

    def _tags(self) -> dict[str, dict[str, str | None]]:
        """Tags of all repositories with pointers; channels with their digest."""
        modules = self._content.tags(self._modules_root)
        repositories = ["release-channel", *(f"{name}/release" for name in modules)]
        found: dict[str, dict[str, str | None]] = {"": dict.fromkeys(sorted(modules))}
        for short in repositories:
            path = f"{self._root}/{short}" if short == "release-channel" else f"{self._modules_root}/{short}"
            tags = sorted(self._content.tags(path))
            found[short] = {tag: self._content.digest(path, tag) if tag in KNOWN_CHANNELS else None for tag in tags}
        return found

    def _pointers(self, tags: Mapping[str, Mapping[str, str | None]]) -> Iterator[tuple[str, str, list[str]]]:
        """Every pointer, the version it says, and what is missing behind it."""
        deployed = self._deployed()
        for channel in KNOWN_CHANNELS:
            if channel in tags["release-channel"]:
                path = f"{self._root}/release-channel"
                version, missing = self._said(path, channel)
                if version:
                    steps = _steps(tags["release-channel"], deployed.get(""), version)
                    missing += _gaps(steps, deployed.get(""), version)
                    for step in steps:
                        missing += self._platform_lacks(step)
                yield f"release-channel:{channel}", str(version), missing
        for name in tags[""]:
            releases = tags[f"{name}/release"]
            if not versions_of_tags(releases):
                yield f"modules:{name}", "", [f"any version in modules/{name}/release"]
            for channel in KNOWN_CHANNELS:
                if channel in releases:
                    yield self._module_pointer(name, channel, deployed.get(name))

    def _module_pointer(self, name: str, channel: str, start: Version | None) -> tuple[str, str, list[str]]:
        path = f"{self._modules_root}/{name}"
        version, missing = self._said(f"{path}/release", channel)
        if version:
            # Steps of modules are what their images' repository lists.
            for step in _steps(self._content.tags(path), start, version):
                missing += self._module_lacks(name, step)
        return f"modules/{name}/release:{channel}", str(version), missing

    def _said(self, repository: str, channel: str) -> tuple[Version | None, list[str]]:
        files = self._content.files(repository, channel, (_VERSION,))
        if not files or _VERSION not in files:
            return None, [f"{repository}:{channel} with {_VERSION}"]
        return version_in(json.loads(files[_VERSION])["version"]), []

    def _platform_lacks(self, version: Version) -> list[str]:
        images = platform_images(self._content, self._root, str(version)) or []
        needed = [(self._root, str(version)), (f"{self._root}/release-channel", str(version)), *images]
        return self._lacking(needed)

    def _module_lacks(self, name: str, version: Version) -> list[str]:
        path = f"{self._modules_root}/{name}"
        images = module_images(self._content, self._modules_root, name, str(version)) or []
        return self._lacking([(path, str(version)), (f"{path}/release", str(version)), *images])

    def _lacking(self, needed: list[tuple[str, str]]) -> list[str]:
        return [
            f"{repository}{'@' if ':' in reference else ':'}{reference}"
            for repository, reference in needed
            if self._content.digest(repository, reference) is None
        ]


def _steps(tags: Iterable[str], start: Version | None, target: Version) -> list[Version]:
    """The releases that a cluster at `start` takes to `target`: of each minor the highest that is there."""
    if start is None or start >= target:
        return [target]
    between = {version for version in versions_of_tags(tags) if start < version and version.series < target.series}
    return sorted({*newest_per_series(between), target})


def _gaps(steps: list[Version], start: Version | None, target: Version) -> list[str]:
    if start is None or start >= target:
        return []
    minors = {start.minor, *(step.minor for step in steps)}
    return [f"any v{target.major}.{minor}" for minor in range(start.minor, target.minor) if minor not in minors]
