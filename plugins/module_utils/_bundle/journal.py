# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The journal of a pull: which blobs lie complete in which work file (design §4, idea 5).

Lines of text, appended: ``space <id> <chunk size> <archive> <suffix>``, ``blob <id> <offset> <size> <hex>``,
``barrier <n>``: the first n blobs of the file were synced to the disk, ``cut <id> <offset>``: what lay there and behind
is being written over, ``final <id>``: the parts get their final names. Blobs behind the last barrier are only trusted
once they have been hashed again. A torn line, or one that a power cut filled with other bytes, is ignored.
"""

from __future__ import annotations

import os
import re
import threading
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path

from .reserve import write_failure

_NUMBER = "([0-9]{1,18})"
_SPACE = re.compile(rf"space {_NUMBER} {_NUMBER} ([^/ ]+\.tar) (\.(?:partial|salvage)-[0-9]+)\n")
_BLOB = re.compile(rf"blob {_NUMBER} {_NUMBER} {_NUMBER} ([0-9a-f]{{64}})\n")
_BARRIER = re.compile(rf"barrier {_NUMBER}\n")
_CUT = re.compile(rf"cut {_NUMBER} {_NUMBER}\n")
_FINAL = re.compile(rf"final {_NUMBER}\n")


@dataclass
class SpaceRecord:
    """One work file (with its parts) and the blobs that the journal says are complete in it."""

    number: int
    archive: str
    suffix: str
    chunk_size: int
    blobs: dict[int, tuple[bytes, int]] = field(default_factory=dict)
    """Offset -> raw digest and size; synced."""
    unsynced: dict[int, tuple[bytes, int]] = field(default_factory=dict)
    """The same for what was written after the last barrier."""
    final: bool = False
    """Parts may have their final names already: this is the last work file of its archive that was to get them."""

    def cut(self, start: int) -> None:
        """Forget what lies at `start` and behind."""
        for blobs in (self.blobs, self.unsynced):
            for offset in [offset for offset in blobs if offset >= start]:
                del blobs[offset]


@dataclass
class Journaled:
    """What a journal says: `spaces` by number, and how many blob records it has."""

    spaces: dict[int, SpaceRecord] = field(default_factory=dict)
    records: int = 0


def load(path: Path) -> Journaled:
    """Read the journal at `path`; nothing when there is none."""
    journaled = Journaled()
    if path.exists():
        reader = _Reader(journaled)
        with path.open("r", encoding="utf-8", errors="replace", newline="\n") as lines:
            for line in lines:
                reader.take(line)
    return journaled


class _Reader:
    """Takes line after line into `journaled`."""

    def __init__(self, journaled: Journaled) -> None:
        self._journaled = journaled
        self._pending: deque[tuple[int, SpaceRecord, int, tuple[bytes, int]]] = deque()

    def take(self, line: str) -> None:
        spaces = self._journaled.spaces
        if match := _BLOB.fullmatch(line):
            self._blob(spaces.get(int(match[1])), int(match[2]), (bytes.fromhex(match[4]), int(match[3])))
        elif match := _BARRIER.fullmatch(line):
            self._barrier(int(match[1]))
        elif match := _SPACE.fullmatch(line):
            spaces[int(match[1])] = SpaceRecord(int(match[1]), match[3], match[4], int(match[2]))
        elif (match := _CUT.fullmatch(line)) and int(match[1]) in spaces:
            spaces[int(match[1])].cut(int(match[2]))
        elif (match := _FINAL.fullmatch(line)) and int(match[1]) in spaces:
            set_final(self._journaled, spaces[int(match[1])])

    def _blob(self, space: SpaceRecord | None, offset: int, blob: tuple[bytes, int]) -> None:
        self._journaled.records += 1
        if space is not None:
            space.blobs.pop(offset, None)
            space.unsynced[offset] = blob
            self._pending.append((self._journaled.records, space, offset, blob))

    def _barrier(self, records: int) -> None:
        while self._pending and self._pending[0][0] <= records:
            _ordinal, space, offset, blob = self._pending.popleft()
            if space.unsynced.get(offset) is blob:  # neither cut nor written anew since
                space.blobs[offset] = space.unsynced.pop(offset)


def set_final(journaled: Journaled, record: SpaceRecord) -> None:
    """From now on files under the final names of the archive are those of `record` and of no other."""
    for other in journaled.spaces.values():
        if other.archive == record.archive:
            other.final = other is record


class Journal:
    """Appends records, one `write` each, so that a killed run leaves at most one torn line."""

    def __init__(self, path: Path, *, records: int = 0) -> None:
        """`records` is how many blob records the file at `path` has already.

        What is written to it may raise NoSpace or BundleError, which say what to do.
        """
        self._path = path
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | getattr(os, "O_CLOEXEC", 0), 0o644)
        self._lock = threading.Lock()
        self.records = records
        if os.fstat(self._file).st_size:
            os.write(self._file, b"\n")  # ends a line that a killed run left torn

    def space(self, record: SpaceRecord) -> None:
        """Announce a work file; its blobs follow."""
        self._append(f"space {record.number} {record.chunk_size} {record.archive} {record.suffix}\n", records=0)

    def blob(self, space: int, offset: int, size: int, key: bytes) -> None:
        """The blob's entry was written in full."""
        self._append(f"blob {space} {offset} {size} {key.hex()}\n", records=1)

    def barrier(self, records: int) -> None:
        """The data of the first `records` blobs was synced by the caller."""
        self._append(f"barrier {records}\n", records=0)
        os.fsync(self._file)

    def cut(self, space: int, start: int) -> None:
        """What lies in the work file at `start` and behind is about to be written over."""
        self._append(f"cut {space} {start}\n", records=0)
        os.fsync(self._file)

    def final(self, space: int) -> None:
        """The parts of the work file are about to get their final names."""
        self._append(f"final {space}\n", records=0)
        os.fsync(self._file)

    def _append(self, text: str, *, records: int) -> None:
        with self._lock:
            try:
                os.write(self._file, text.encode())
            except OSError as error:
                raise write_failure(self._path.parent, self._path.name, error) from error
            self.records += records

    def close(self) -> None:
        os.close(self._file)
