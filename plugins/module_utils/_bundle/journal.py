# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The journal of a pull: which blobs lie complete in which work file (design §4, idea 5).

Lines of text, appended: ``space <id> <chunk size> <archive> <suffix>``, ``blob <id> <offset> <size> <hex>``,
``barrier <n>``: the first n blobs of the file were synced to the disk. The others are only trusted once they have been
hashed again. A torn line is ignored.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path


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


@dataclass
class Journaled:
    """What a journal says: `spaces` by number, and how many blob records it has."""

    spaces: dict[int, SpaceRecord] = field(default_factory=dict)
    records: int = 0


def load(path: Path) -> Journaled:
    """Read the journal at `path`; nothing when there is none."""
    journaled = Journaled()
    pending: deque[tuple[int, SpaceRecord, int]] = deque()
    if not path.exists():
        return journaled
    with path.open("r", encoding="utf-8", errors="replace") as lines:
        for line in lines:
            words = line.split()
            if not line.endswith("\n") or not words or not all(word.isdigit() for word in words[1:3]):
                continue
            if words[0] == "barrier" and len(words) == 2:
                while pending and pending[0][0] <= int(words[1]):
                    _ordinal, space, offset = pending.popleft()
                    if offset in space.unsynced:
                        space.blobs[offset] = space.unsynced.pop(offset)
            elif words[0] == "space" and len(words) == 5:
                journaled.spaces[int(words[1])] = SpaceRecord(int(words[1]), words[3], words[4], int(words[2]))
            elif words[0] == "blob" and len(words) == 5 and int(words[1]) in journaled.spaces and len(words[4]) == 64:
                journaled.records += 1
                space, offset = journaled.spaces[int(words[1])], int(words[2])
                space.unsynced[offset] = (bytes.fromhex(words[4]), int(words[3]))
                pending.append((journaled.records, space, offset))
    return journaled


class Journal:
    """Appends records, one `write` each, so that a killed run leaves at most one torn line."""

    def __init__(self, path: Path, *, records: int = 0) -> None:
        """`records` is how many blob records the file at `path` has already."""
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

    def _append(self, text: str, *, records: int) -> None:
        with self._lock:
            os.write(self._file, text.encode())
            self.records += records

    def close(self) -> None:
        os.close(self._file)
