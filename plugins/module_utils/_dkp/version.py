# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Versions of releases: SemVer, read leniently where d8 does, written ``vX.Y.Z[-pre]`` (d8-mirror.md §4.2)."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable
from dataclasses import dataclass

from .._oci.errors import InvalidInput

PRERELEASE = r"(?:[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*)"
_LENIENT = re.compile(
    rf"v?([0-9]{{1,18}})(?:\.([0-9]{{1,18}}))?(?:\.([0-9]{{1,18}}))?(?:-({PRERELEASE}))?(?:\+{PRERELEASE})?"
)
_LONGEST = 200
"""Characters. A tag has at most 128; anything longer is no version of anything."""


@functools.total_ordering
@dataclass(frozen=True)
class Version:
    """One version. Ordered by SemVer 2 precedence; build metadata is dropped, as no tag can hold it."""

    major: int
    minor: int
    patch: int
    prerelease: tuple[str, ...] = ()

    def __str__(self) -> str:
        suffix = "-" + ".".join(self.prerelease) if self.prerelease else ""
        return f"v{self.major}.{self.minor}.{self.patch}{suffix}"

    def __hash__(self) -> int:
        return self._hash

    def __lt__(self, other: object) -> bool:
        if not isinstance(other, Version):
            return NotImplemented
        return self._precedence < other._precedence

    @property
    def release(self) -> tuple[int, int, int]:
        """Major, minor and patch."""
        return (self.major, self.minor, self.patch)

    @property
    def series(self) -> tuple[int, int]:
        """Major and minor: what Deckhouse updates one by one."""
        return (self.major, self.minor)

    @functools.cached_property
    def _hash(self) -> int:
        return hash((self.release, self.prerelease))

    @functools.cached_property
    def _precedence(self) -> tuple[tuple[int, int, int], bool, tuple[tuple[bool, int, str], ...]]:
        identifiers = tuple((False, int(part), "") if part.isdigit() else (True, 0, part) for part in self.prerelease)
        return (self.release, not self.prerelease, identifiers)


def parse_version(text: str) -> Version | None:
    """Read `text` as d8 reads tags: ``v`` optional, missing parts are 0, leading zeros accepted; None if it is none.

    A numeric identifier with a leading zero makes a pre-release invalid (SemVer 2 §9).
    """
    match = _LENIENT.fullmatch(text) if len(text) <= _LONGEST else None
    if match is None:
        return None
    major, minor, patch, suffix = match.groups()
    prerelease = tuple(suffix.split(".")) if suffix else ()
    if any(part.isdigit() and len(part) > 1 and part[0] == "0" for part in prerelease):
        return None
    return Version(int(major), int(minor or 0), int(patch or 0), prerelease)


def version_of_tag(tag: str) -> Version | None:
    """The version that `tag` names literally: ``v1.2.3``, not ``1.2.3`` and not ``v1.2``.

    A selected version is fetched under ``str(version)``, so any other spelling would name a tag that is not there.
    """
    version = parse_version(tag)
    return version if version is not None and str(version) == tag else None


def versions_of_tags(tags: Iterable[str]) -> tuple[Version, ...]:
    """The versions among `tags`, ascending; every other tag (channels, custom tags, attestations) is ignored."""
    return tuple(sorted({version for version in map(version_of_tag, tags) if version is not None}))


def require_version(text: str, *, where: str) -> Version:
    """Read `text` leniently; raise InvalidInput naming `where`, with an example."""
    version = parse_version(text.strip())
    if version is None:
        raise InvalidInput(f"{where}: {text!r} is not a version; write it like v1.69.4")
    return version


def newest_per_series(versions: Iterable[Version]) -> set[Version]:
    """The highest version of each minor, pre-releases below their release."""
    newest: dict[tuple[int, int], Version] = {}
    for version in versions:
        known = newest.get(version.series)
        if known is None or version > known:
            newest[version.series] = version
    return set(newest.values())
