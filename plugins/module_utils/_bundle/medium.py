# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A medium that is carried: what fits on it, and what the far side has written on it about what it holds by now."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .arrival import INCOMING_NAME
from .delivery import Part
from .errors import BundleError, NoSpace
from .workspace import sync_directory

RECEIVED_NAME = "received.json"
MEDIUM_NAME = "medium.json"
_KIND = "Received"
_VERSION = 1
_FAT_LIMIT = 2**32 - 1
_FAT_TYPES = frozenset({"vfat", "msdos", "fat"})
_SLACK_BLOCKS = 16
"""For directories and our own small files."""


@dataclass(frozen=True)
class Room:
    """What a file system can hold: bytes free now, bytes in all, its unit, and the largest file (None: no limit)."""

    free: int
    capacity: int
    block: int
    largest_file: int | None

    def taken(self, size: int) -> int:
        """What a file of `size` takes away."""
        return -(-size // self.block) * self.block


def room_at(path: Path) -> Room:
    """The room of the file system that `path` is, or will be, on."""
    while not path.exists():
        path = path.parent
    stats = os.statvfs(path)
    limit = _FAT_LIMIT if _type_of(path) in _FAT_TYPES else None
    return Room(stats.f_bavail * stats.f_frsize, stats.f_blocks * stats.f_frsize, stats.f_frsize, limit)


def _type_of(path: Path) -> str:
    """The type of the file system at `path`, from what the kernel tells (Linux); empty where it does not."""
    try:
        lines = Path("/proc/self/mountinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    found = path.resolve()
    places = {fields[4]: fields[fields.index("-") + 1] for fields in map(str.split, lines) if "-" in fields}
    return next((places[str(place)] for place in (found, *found.parents) if str(place) in places), "")


def check_largest(parts: Iterable[Part], room: Room, path: Path, *, reserve: int) -> None:
    """Raise BundleError for a part that the medium cannot hold, however empty it is."""
    for part in parts:
        if room.largest_file is not None and part.bytes > room.largest_file:
            raise BundleError(
                f"{path}: {part.name} has {part.bytes} bytes, and FAT32 holds files of up to {room.largest_file}; pull "
                "again with chunk_size 4GB or less, or format the medium with exFAT or ext4"
            )
        most = room.capacity - reserve - _SLACK_BLOCKS * room.block
        if part.bytes > most:
            raise NoSpace(
                f"{path}: {part.name} has {part.bytes} bytes, and the medium holds {max(most, 0)} even when it is "
                "empty; pull again with a chunk_size that fits on it, or take a larger medium",
                needed=part.bytes,
                free=most,
            )


def fitting(parts: Sequence[Part], room: Room, *, gained: int, reserve: int) -> list[Part]:
    """Those of `parts`, in their order, that fit together; `gained` is what will be removed before."""
    left = room.free + gained - reserve - _SLACK_BLOCKS * room.block
    chosen = []
    for part in parts:
        if room.taken(part.bytes) <= left:
            chosen.append(part)
            left -= room.taken(part.bytes)
    return chosen


@dataclass(frozen=True)
class Received:
    """What the far side has of a delivery, and what had come to it damaged: names of parts."""

    parts: frozenset[str] = frozenset()
    damaged: frozenset[str] = frozenset()


def read_received(medium: Path, document: str) -> Received:
    """What the far side has noted on `medium` about the delivery with hash `document`."""
    note = _read(medium / INCOMING_NAME / RECEIVED_NAME)
    if note.get("kind") != _KIND or note.get("version") != _VERSION or note.get("document") != document:
        return Received()
    parts, damaged = note.get("parts"), note.get("damaged")
    if not isinstance(parts, list) or not isinstance(damaged, list):
        return Received()
    return Received(frozenset(map(str, parts)), frozenset(map(str, damaged)))


def write_received(medium: Path, document: str, received: Received) -> None:
    """Note on `medium` what this side has, unless it says so already. Raises OSError (a medium that is read-only)."""
    if read_received(medium, document) == received:
        return
    note = {"kind": _KIND, "version": _VERSION, "document": document, "parts": sorted(received.parts)}
    _write(medium / INCOMING_NAME / RECEIVED_NAME, {**note, "damaged": sorted(received.damaged)})


def medium_name(medium: Path, *, make: bool) -> str:
    """What tells this medium from others; given to it when it is first written to (`make`)."""
    path = medium / INCOMING_NAME / MEDIUM_NAME
    name = str(_read(path).get("name", ""))
    if not name and make:
        name = secrets.token_hex(8)
        _write(path, {"name": name})
    return name


def _read(path: Path) -> dict[str, Any]:
    """A small document of ours; empty when it is not there or damaged, which costs a turn at most."""
    try:
        document = json.loads(path.read_bytes()[: 16 * 1024 * 1024])
    except (OSError, ValueError):
        return {}
    return document if isinstance(document, dict) else {}


def _write(path: Path, document: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(path.name + ".draft")
    with open(draft, "wb") as file:
        file.write(json.dumps(document, indent=1).encode() + b"\n")
        file.flush()
        os.fsync(file.fileno())
    os.replace(draft, path)
    sync_directory(path.parent)
