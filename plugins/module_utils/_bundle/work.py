# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One archive while it is written: planned places, complete entries, hashes of its parts."""

from __future__ import annotations

import hashlib
import heapq
import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from . import tar
from .delivery import Part
from .errors import BundleError
from .journal import Journal, SpaceRecord
from .parts import PartSpace, part_name, part_sizes
from .plan import Placement, TailEntry
from .reserve import allocate, write_failure

_HASH_STEP = 4 * 1024 * 1024
_LONGEST_STEP = 64 * 1024 * 1024
_READ_SIZE = 1024 * 1024


class WorkSpace(PartSpace):
    """The parts of an archive whose size is not known yet, under a name that nobody takes for a finished one."""

    def __init__(self, directory: Path, record: SpaceRecord, *, writable: bool = True) -> None:
        """What is not `writable` is never made: a part that is not there raises FileNotFoundError."""
        super().__init__([], writable=writable)
        self._flags |= os.O_CREAT if writable else 0
        self._directory = directory
        self.record = record
        self._unsynced: set[int] = set()
        self.planned = 0
        """Bytes that the plan has placed so far."""

    @property
    def size(self) -> int:
        return self.planned

    def pieces(self, offset: int, size: int) -> Iterator[tuple[int, int, int]]:
        chunk_size = self.record.chunk_size
        while size > 0:
            number, inside = divmod(offset, chunk_size) if chunk_size else (0, offset)
            length = min(size, chunk_size - inside) if chunk_size else size
            yield number, inside, length
            offset, size = offset + length, size - length

    def path(self, number: int) -> Path:
        """The file of part `number`; a run killed while it finished may have given it its final name already."""
        final = self.final_path(number)
        working = final.with_name(final.name + self.record.suffix)
        return final if self.record.final and final.exists() and not working.exists() else working

    def final_path(self, number: int) -> Path:
        """What part `number` is called in a finished bundle."""
        return self._directory / part_name(self.record.archive, number, self.record.chunk_size)

    def reopen(self) -> None:
        """Take final names away again from parts of this unfinished archive."""
        with self._lock:
            number = 0
            while (path := self.path(number)).exists():
                final = self.final_path(number)
                if path == final:
                    os.replace(final, final.with_name(final.name + self.record.suffix))
                number += 1
                if not self.record.chunk_size:
                    break
            self.paths.clear()

    def descriptor(self, number: int) -> int:
        with self._lock:
            descriptor = self._descriptors.get(number)
            if descriptor is None:
                while len(self.paths) <= number:
                    self.paths.append(self.path(len(self.paths)))
                flags = self._flags | getattr(os, "O_CLOEXEC", 0)
                descriptor = self._descriptors[number] = os.open(self.paths[number], flags, 0o644)
            return descriptor

    def write_at(self, offset: int, data: memoryview) -> None:
        """As any space; raises NoSpace or BundleError where the file system refuses."""
        try:
            super().write_at(offset, data)
        except OSError as error:
            raise write_failure(self._directory, self.record.archive, error) from error
        self.touch(offset, len(data))

    def touch(self, offset: int, size: int) -> None:
        """What lies there may not have reached the disk; `sync` sees to it."""
        numbers = {number for number, _inside, _length in self.pieces(offset, size)}
        with self._lock:
            self._unsynced |= numbers

    def sync(self) -> None:
        """Bring what was written to the disk."""
        with self._lock:
            numbers, self._unsynced = self._unsynced, set()
        for number in sorted(numbers):
            os.fdatasync(self.descriptor(number))


@dataclass
class _Flight:
    """An entry that is being written from its start on: up to `end` so far, of `stop`."""

    end: int
    stop: int


class WorkFile:
    """Writes the entries of one archive to their places, from many threads, and tells the journal.

    The parts are hashed behind the writers: what is written without a gap from the start of the archive is read once
    more from the page cache by whoever calls `follow` (one thread at a time).
    """

    def __init__(self, directory: Path, record: SpaceRecord, journal: Journal) -> None:
        self.space = WorkSpace(directory, record)
        self.reservable = True
        self.dirty = 0
        """Bytes written since the last sync."""
        self.journal = journal
        self._lock = threading.Lock()
        self._open: list[int] = []
        self._complete: set[int] = set()
        self._flights: dict[int, _Flight] = {}
        """Entries that are being written, by start."""
        self._tips: dict[int, _Flight] = {}
        """The same by where their next write begins."""
        self._hashes: list[hashlib._Hash] = []
        self._hashed = 0
        self._frontier = 0
        """Bytes before this offset are written, so hashing may have read them."""

    @property
    def name(self) -> str:
        return self.space.record.archive

    def expect(self, placement: Placement | TailEntry) -> None:
        """An entry was placed; until it is complete, hashing stops before it."""
        with self._lock:
            heapq.heappush(self._open, placement.start)
            self.space.planned = max(self.space.planned, placement.offset + tar.padded(placement.size))

    def reserve(self, start: int, stop: int) -> None:
        """Take the space of what was placed between `start` and `stop`."""
        try:
            for number, inside, length in self.space.pieces(start, stop - start):
                self.reservable = self.reservable and allocate(self.space.descriptor(number), inside, length)
        except OSError as error:
            raise write_failure(self.space.final_path(0).parent, self.name, error) from error

    def begin(self, placement: Placement, buffer: memoryview) -> int:
        """Put the entry's header into `buffer`; returns its length. The first write of the entry starts with it."""
        header = tar.header(placement.name, placement.size)
        buffer[: len(header)] = header
        start = placement.start
        with self._lock:
            earlier = self._flights.get(start)
            if earlier is not None and earlier.end < earlier.stop:
                del self._tips[earlier.end]
            self._flights[start] = self._tips[start] = _Flight(start, placement.stop)
            if start < self._frontier:
                self._frontier = -1  # written anew (the first content was not what it should be): hashed anew
        return len(header)

    def write(self, offset: int, data: memoryview) -> None:
        """Write a piece of an entry."""
        self.space.write_at(offset, data)
        with self._lock:
            self.dirty += len(data)
            flight = self._tips.pop(offset, None)
            if flight is not None:
                flight.end = offset + len(data)
                if flight.end < flight.stop:
                    self._tips[flight.end] = flight

    def pad(self, placement: Placement | TailEntry) -> None:
        """Write the zeros that fill the entry's last block."""
        rest = tar.padded(placement.size) - placement.size
        if rest:
            self.write(placement.offset + placement.size, memoryview(bytes(rest)))

    def complete(self, placement: Placement) -> None:
        """The entry, padding included, lies where it belongs; the journal says so from now on."""
        self.journal.blob(self.space.record.number, placement.offset, placement.size, placement.key)
        self.accept(placement)

    def accept(self, placement: Placement | TailEntry) -> None:
        """The entry is complete and needs no journal line (it has one, or it is made anew each time)."""
        with self._lock:
            self._complete.add(placement.start)
            self._flights.pop(placement.start, None)

    def write_tail(self, tail: list[TailEntry], size: int) -> None:
        """Write markers, indexes and the end of the archive, whose final `size` is known now."""
        for entry in tail:
            self.expect(entry)
            offset, gathered = entry.start, bytearray(tar.header(entry.name, entry.size))
            for piece in entry.pieces():  # one by one: together they are as large as all else that is held
                gathered += piece
                if len(gathered) >= _READ_SIZE:
                    self.write(offset, memoryview(gathered))
                    offset, gathered = offset + len(gathered), bytearray()
            self.write(offset, memoryview(gathered))
            self.pad(entry)
            self.accept(entry)
        self.write(size - len(tar.END), memoryview(tar.END))
        for number, length in enumerate(part_sizes(size, self.space.record.chunk_size)):
            os.ftruncate(self.space.descriptor(number), length)
        self.space.touch(0, size)
        self.space.planned = size  # not before the end is written: hashing follows

    def lowest_open(self) -> int:
        """Everything before this offset is complete."""
        with self._lock:
            return self._lowest_open()

    def _lowest_open(self) -> int:
        while self._open and self._open[0] in self._complete:
            self._complete.discard(heapq.heappop(self._open))
        return self._open[0] if self._open else self.space.planned

    def _advance(self) -> int:
        """How far hashing may go: into the lowest open entry as far as it is written, for that may be a large one."""
        with self._lock:
            if self._frontier < 0:
                self._hashes.clear()
                self._hashed = 0
            lowest = self._lowest_open()
            flight = self._flights.get(lowest)
            self._frontier = lowest if flight is None else flight.end
            return self._frontier

    def follow(self, buffer: memoryview, *, closing: bool = False) -> int:
        """Hash what is written and not hashed yet, in large steps unless `closing`; returns how many bytes it was."""
        frontier = self._advance()
        begin = self._hashed
        if not closing:
            if frontier - begin < _HASH_STEP:
                return 0
            frontier = min(frontier, begin + _LONGEST_STEP)  # whoever follows may have been asked to end
        while self._hashed < frontier:
            for number, _inside, length in self.space.pieces(self._hashed, min(frontier - self._hashed, len(buffer))):
                while len(self._hashes) <= number:
                    self._hashes.append(hashlib.sha256())
                view = buffer[:length]
                self.space.read_into(view, self._hashed)
                self._hashes[number].update(view)
                self._hashed += length
        return self._hashed - begin

    def parts(self) -> tuple[Part, ...]:
        """The parts with their hashes, after everything was written; names are those of the finished files."""
        self.follow(memoryview(bytearray(_READ_SIZE)), closing=True)
        if self._hashed != self.space.planned:
            raise BundleError(
                f"{self.name}: what was planned at byte {self.lowest_open()} has not landed; nothing was finished. "
                "This is a fault of the collection, please report it; another run starts where this one ended"
            )
        chunk_size = self.space.record.chunk_size
        return tuple(
            Part(part_name(self.name, number, chunk_size), size, self._hashes[number].hexdigest())
            for number, size in enumerate(part_sizes(self.space.planned, chunk_size))
        )
