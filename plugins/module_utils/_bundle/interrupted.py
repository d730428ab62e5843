# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What interrupted runs leave in a bundle directory: how it is called, and what of it can be used."""

from __future__ import annotations

import re
from collections.abc import Collection
from pathlib import Path

from .blobmap import BlobMap
from .directory import DELIVERY_NAME, JOURNAL_NAME
from .donors import is_intact
from .journal import SpaceRecord
from .parts import parse_part_name
from .work import WorkSpace

PREVIOUS = ".previous"
DRAFT_NAME = DELIVERY_NAME + ".partial"
_WORK_FILE = re.compile(r".+\.(?:tar|chunk)\.(?:partial|salvage)-[0-9]+")


def is_work_file(name: str) -> bool:
    """Whether a run makes, and may remove, files of this `name`."""
    return _WORK_FILE.fullmatch(name) is not None


def is_previous(name: str, names: Collection[str]) -> bool:
    """Whether `name` is a part that a run has set aside: while its journal is there, only runs make such names."""
    return JOURNAL_NAME in names and name.endswith(PREVIOUS) and parse_part_name(name[: -len(PREVIOUS)]) is not None


def open_interrupted(directory: Path, record: SpaceRecord) -> tuple[WorkSpace, BlobMap]:
    """The work file of `record` for reading, and the blobs in it; `record` keeps only what really lies there.

    What no barrier vouches for is hashed, and marked to be synced before the next one does.
    """
    space = WorkSpace(directory, record, writable=False)
    lengths = _lengths(space)
    for offset, (key, size) in record.unsynced.items():
        if _lies_there(space, lengths, offset, size) and is_intact(space, offset, size, key):
            record.blobs[offset] = (key, size)
            space.touch(offset, size)
    record.unsynced.clear()
    blobs = BlobMap()
    for offset, (key, size) in list(record.blobs.items()):
        if _lies_there(space, lengths, offset, size):
            blobs.put(key, offset, size)
        else:
            del record.blobs[offset]
    return space, blobs


def _lengths(space: WorkSpace) -> list[int]:
    """Bytes of the parts of `space`, up to the first one that is not there."""
    lengths: list[int] = []
    while (path := space.path(len(lengths))).exists():
        lengths.append(path.stat().st_size)
        if not space.record.chunk_size:
            break
    return lengths


def _lies_there(space: WorkSpace, lengths: list[int], offset: int, size: int) -> bool:
    """Whether the parts of `space` are long enough to hold the blob."""
    return all(
        number < len(lengths) and lengths[number] >= inside + length
        for number, inside, length in space.pieces(offset, size)
    )
