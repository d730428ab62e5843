# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The files of an archive as one space of bytes: ``X.tar``, or ``X.tar.NNNN.chunk`` parts (d8-mirror.md §5.7)."""

from __future__ import annotations

import os
import re
import threading
from bisect import bisect_right
from collections.abc import Iterator
from pathlib import Path

from .._oci.errors import InvalidInput
from .errors import BundleDamaged

SMALLEST_CHUNK = 1_000_000
_CHUNK = re.compile(r"(?P<archive>.+\.tar)\.(?P<number>[0-9]{4,})\.chunk")
_SIZE = re.compile(r"([0-9]+)\s*([KMGT]i?B|B)?", re.IGNORECASE)
_UNITS = {"b": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "tb": 10**12,
          "kib": 2**10, "mib": 2**20, "gib": 2**30, "tib": 2**40}  # fmt: skip


def parse_chunk_size(text: str) -> int:
    """Bytes of a chunk from ``4GB`` (decimal) or ``4GiB`` (binary); 0 for the empty text. Raises InvalidInput."""
    if not text.strip():
        return 0
    match = _SIZE.fullmatch(text.strip())
    if not match:
        raise InvalidInput(f"chunk_size: {text!r} is not a size; write for example 4GB or 3900MiB")
    size = int(match[1]) * _UNITS[(match[2] or "B").lower()]
    if size < SMALLEST_CHUNK:
        raise InvalidInput(f"chunk_size: {text!r} is below 1 MB, the least that makes sense; write for example 4GB")
    return size


def part_name(archive: str, number: int, chunk_size: int) -> str:
    """The file name of part `number` of `archive`; with `chunk_size` 0 there is one part, the archive itself."""
    return f"{archive}.{number:04d}.chunk" if chunk_size else archive


def part_sizes(size: int, chunk_size: int) -> list[int]:
    """How many bytes each part has; only the last may be shorter, none is empty."""
    if not chunk_size:
        return [size]
    return [min(chunk_size, size - start) for start in range(0, size, chunk_size)]


def parse_part_name(name: str) -> tuple[str, int | None] | None:
    """``("X.tar", 3)`` for chunk 3, ``("X.tar", None)`` for a plain archive, None for any other file name."""
    match = _CHUNK.fullmatch(name)
    if match:
        return match["archive"], int(match["number"])
    return (name, None) if name.endswith(".tar") else None


class PartSpace:
    """Reads (and writes) across the parts of one archive by offset; safe to use from many threads.

    Parts are opened when first needed. Sizes are those on disk unless `sizes` says what they will be.
    """

    def __init__(self, paths: list[Path], sizes: list[int] | None = None, *, writable: bool = False) -> None:
        self.paths = paths
        self.sizes = [path.stat().st_size for path in paths] if sizes is None else sizes
        self._starts = [sum(self.sizes[:number]) for number in range(len(paths))]
        self._flags = os.O_RDWR if writable else os.O_RDONLY
        self._descriptors: dict[int, int] = {}
        self._lock = threading.Lock()

    @property
    def size(self) -> int:
        """Bytes of all parts together."""
        return self._starts[-1] + self.sizes[-1] if self.sizes else 0

    def descriptor(self, number: int) -> int:
        """The open file descriptor of part `number`."""
        with self._lock:
            descriptor = self._descriptors.get(number)
            if descriptor is None:
                descriptor = os.open(self.paths[number], self._flags | getattr(os, "O_CLOEXEC", 0))
                self._descriptors[number] = descriptor
            return descriptor

    def move(self, number: int, target: Path) -> None:
        """Give part `number` another name; whoever reads it meanwhile goes on reading it."""
        with self._lock:
            os.replace(self.paths[number], target)
            self.paths[number] = target

    def pieces(self, offset: int, size: int) -> Iterator[tuple[int, int, int]]:
        """``(part, offset in the part, size)`` of what lies at `offset`, cut at the boundaries of parts."""
        number = max(bisect_right(self._starts, offset) - 1, 0)
        while size > 0 and number < len(self.paths):
            inside = offset - self._starts[number]
            length = min(size, self.sizes[number] - inside)
            if length > 0:
                yield number, inside, length
                offset += length
                size -= length
            number += 1

    def read_at(self, offset: int, size: int) -> bytes:
        """Up to `size` bytes at `offset`; fewer only at the end."""
        data = [self._read_piece(*piece) for piece in self.pieces(offset, size)]
        return data[0] if len(data) == 1 else b"".join(data)

    def _read_piece(self, number: int, inside: int, length: int) -> bytes:
        data = os.pread(self.descriptor(number), length, inside)
        while len(data) < length:
            more = os.pread(self.descriptor(number), length - len(data), inside + len(data))
            if not more:
                raise BundleDamaged(
                    self.paths[number].name, f"became shorter while it was read (at byte {inside + len(data)})"
                )
            data += more
        return data

    def read_into(self, buffer: memoryview, offset: int) -> int:
        """Fill `buffer` from `offset`; returns how many bytes there were."""
        done = 0
        for number, inside, length in self.pieces(offset, len(buffer)):
            while length:
                count = os.preadv(self.descriptor(number), [buffer[done : done + length]], inside)
                if not count:
                    raise BundleDamaged(self.paths[number].name, f"became shorter while it was read (at byte {inside})")
                done, inside, length = done + count, inside + count, length - count
        return done

    def write_at(self, offset: int, data: memoryview) -> None:
        """Write `data` at `offset`; OSError (ENOSPC, EIO) is the caller's."""
        done = 0
        for number, inside, length in self.pieces(offset, len(data)):
            while length:
                count = os.pwrite(self.descriptor(number), data[done : done + length], inside)
                done, inside, length = done + count, inside + count, length - count

    def chunks(self, offset: int, size: int, buffer: memoryview) -> Iterator[memoryview]:
        """The bytes from `offset` on, through `buffer`: a piece is valid until the next one is asked for."""
        stop = offset + size
        while offset < stop:
            view = buffer[: min(len(buffer), stop - offset)]
            self.read_into(view, offset)
            yield view
            offset += len(view)

    def close(self) -> None:
        with self._lock:
            for descriptor in self._descriptors.values():
                os.close(descriptor)
            self._descriptors.clear()


class SpaceReader:
    """A stretch of a space as a stream."""

    def __init__(self, space: PartSpace, offset: int, size: int) -> None:
        self._space = space
        self._offset = offset
        self._stop = offset + size

    def read(self, size: int = -1) -> bytes:
        """Up to `size` bytes; all that is left when it is negative."""
        left = self._stop - self._offset
        data = self._space.read_at(self._offset, left if size < 0 else min(size, left))
        self._offset += len(data)
        return data

    def readinto(self, buffer: memoryview) -> int:
        """Fill `buffer`; returns how many bytes there were, 0 at the end."""
        count = self._space.read_into(buffer[: min(len(buffer), self._stop - self._offset)], self._offset)
        self._offset += count
        return count
