# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The offset index of an archive: one scan of the headers tells where every blob lies (design §4, idea 2)."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from .blobmap import BlobMap
from .errors import BundleDamaged
from .layout import INDEX_NAME, MARKER_NAME, TaggedImage, parse_index
from .parts import PartSpace
from .tar import members

_BLOB = re.compile(r"(?:(?P<layout>.*)/)?blobs/sha256/(?P<hex>[0-9a-f]{64})")
_LARGEST_INDEX = 256 * 1024 * 1024


@dataclass
class LayoutIndex:
    """One layout of an archive: its blobs (manifests among them) and, unless it is empty, its tagged images."""

    blobs: BlobMap = field(default_factory=BlobMap)
    images: list[TaggedImage] = field(default_factory=list)


@dataclass
class ArchiveIndex:
    """What an archive holds. `name` is its file name without chunk suffix, `layouts` go by their paths in it."""

    name: str
    space: PartSpace
    layouts: dict[str, LayoutIndex] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    stop: int = 0
    """Where the last entry ends; the end-of-archive marker follows."""


def scan(name: str, space: PartSpace) -> ArchiveIndex:
    """Read the headers of the archive `name` and the index of each layout; contents are not hashed here.

    Raises BundleDamaged with what is wrong with the archive's structure; `space` is closed then.
    """
    try:
        return _scan(name, space)
    except BaseException:
        space.close()
        raise


def _scan(name: str, space: PartSpace) -> ArchiveIndex:
    archive = ArchiveIndex(name, space)
    index_files: dict[str, tuple[int, int]] = {}
    for member in members(space, name):
        archive.stop = member.stop
        blob = _BLOB.fullmatch(member.name)
        if blob:
            layout = archive.layouts.setdefault(blob["layout"] or "", LayoutIndex())
            layout.blobs.put(bytes.fromhex(blob["hex"]), member.offset, member.size)
            continue
        path, _slash, base = member.name.rpartition("/")
        if base == INDEX_NAME:
            index_files[path] = (member.offset, member.size)
            archive.layouts.setdefault(path, LayoutIndex())
        elif base == MARKER_NAME:
            archive.layouts.setdefault(path, LayoutIndex())
    for path, layout in archive.layouts.items():
        _read_index(archive, path, layout, index_files.get(path))
    return archive


def _read_index(archive: ArchiveIndex, path: str, layout: LayoutIndex, place: tuple[int, int] | None) -> None:
    if place is None:
        raise BundleDamaged(archive.name, f"layout {path or 'at the root'} has no {INDEX_NAME}")
    offset, size = place
    if size > _LARGEST_INDEX:
        raise BundleDamaged(
            archive.name, f"{INDEX_NAME} of layout {path!r} has {size} bytes, more than the {_LARGEST_INDEX} accepted"
        )
    layout.images, warnings = parse_index(archive.space.read_at(offset, size), archive.name, path)
    archive.warnings += warnings
