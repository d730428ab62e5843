# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later


"""Bytes from recipes: content of any size that is made when it is read, always the same, never all in memory.

A recipe knows its size and yields its bytes from any position, so that a 200 MiB layer costs a few hundred bytes until
somebody reads it, and a Range request into the middle of it does not make what lies before.
"""

from __future__ import annotations

import functools
import hashlib
import random
import struct
import tarfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol, Union

Bytes = Union[bytes, memoryview]

_POOL_SIZE = 8 * 1024 * 1024
_BLOCK = 256 * 1024
_STORED = 65535
"""Most bytes that one stored deflate block holds (RFC 1951 §3.2.4)."""
_STORED_FRAMED = _STORED + 5
_GZIP_HEAD = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"


class Recipe(Protocol):
    """What can make `size` bytes, whole or in part."""

    @property
    def size(self) -> int:
        """Bytes of the whole."""

    def chunks(self, start: int, stop: int) -> Iterator[Bytes]:
        """The bytes from `start` up to `stop`, which may not exceed `size`."""


@dataclass(frozen=True)
class Literal:
    """Bytes that are there already."""

    data: bytes = field(repr=False)

    @property
    def size(self) -> int:
        return len(self.data)

    def chunks(self, start: int, stop: int) -> Iterator[Bytes]:
        if start < stop:
            yield memoryview(self.data)[start:stop]


@dataclass(frozen=True)
class Noise:
    """Bytes that do not compress, different for every `seed`.

    Every block of 256 KiB starts with a hash of its own and goes on with a piece of one common pool chosen by it: as
    fast as copying, and a block written to a wrong offset still shows.
    """

    seed: str
    size: int

    def chunks(self, start: int, stop: int) -> Iterator[Bytes]:
        while start < stop:
            number, skipped = divmod(start, _BLOCK)
            end = min(stop, (number + 1) * _BLOCK)
            yield from _piece(self.seed, number, skipped, end - number * _BLOCK)
            start = end


@functools.lru_cache(maxsize=1)
def _pool() -> memoryview:
    return memoryview(random.Random("dkp.airgap noise").randbytes(_POOL_SIZE))


def _piece(seed: str, number: int, start: int, stop: int) -> Iterator[Bytes]:
    head = hashlib.sha256(f"{seed}:{number}".encode()).digest()
    if start < len(head):
        yield head[start:stop]
        start = len(head)
    if start < stop:
        base = int.from_bytes(head[:4], "big") % (_POOL_SIZE - _BLOCK)
        yield _pool()[base + start : base + stop]


@dataclass(frozen=True)
class Joined:
    """Several recipes, one after another."""

    parts: tuple[Recipe, ...]

    @functools.cached_property
    def size(self) -> int:
        return sum(part.size for part in self.parts)

    def chunks(self, start: int, stop: int) -> Iterator[Bytes]:
        position = 0
        for part in self.parts:
            first, last = max(start - position, 0), min(stop - position, part.size)
            if first < last:
                yield from part.chunks(first, last)
            position += part.size


@dataclass(frozen=True)
class StoredGzip:
    """A valid gzip file around `plain`, of stored blocks only: the same bytes whatever zlib is at hand."""

    plain: Recipe

    @property
    def size(self) -> int:
        blocks = max(1, (self.plain.size + _STORED - 1) // _STORED)
        return len(_GZIP_HEAD) + self.plain.size + 5 * blocks + 8

    @functools.cached_property
    def _tail(self) -> bytes:
        checksum = 0
        for chunk in self.plain.chunks(0, self.plain.size):
            checksum = zlib.crc32(chunk, checksum)
        return struct.pack("<LL", checksum, self.plain.size & 0xFFFFFFFF)

    def chunks(self, start: int, stop: int) -> Iterator[Bytes]:
        yield from Literal(_GZIP_HEAD).chunks(start, min(stop, len(_GZIP_HEAD)))
        body_end = self.size - 8
        position = max(start, len(_GZIP_HEAD))
        while position < min(stop, body_end):
            number, skipped = divmod(position - len(_GZIP_HEAD), _STORED_FRAMED)
            block = self._block(number)
            end = min(stop, position - skipped + block.size)
            yield from block.chunks(skipped, skipped + end - position)
            position = end
        if stop > body_end:
            yield from Literal(self._tail).chunks(max(0, start - body_end), stop - body_end)

    def _block(self, number: int) -> Recipe:
        first = number * _STORED
        length = min(_STORED, self.plain.size - first)
        last = first + length == self.plain.size
        return Joined(
            (Literal(struct.pack("<BHH", last, length, length ^ 0xFFFF)), Slice(self.plain, first, first + length))
        )


@dataclass(frozen=True)
class Slice:
    """A recipe's bytes from `first` up to `last`."""

    whole: Recipe
    first: int
    last: int

    @property
    def size(self) -> int:
        return self.last - self.first

    def chunks(self, start: int, stop: int) -> Iterator[Bytes]:
        return self.whole.chunks(self.first + start, self.first + stop)


def tar_of(files: Mapping[str, Recipe]) -> Recipe:
    """A tar archive (GNU format, no clock, root's files) of `files` in their given order."""
    parts: list[Recipe] = []
    for name, content in files.items():
        member = tarfile.TarInfo(name)
        member.size, member.mode = content.size, 0o644
        parts += [Literal(member.tobuf(tarfile.GNU_FORMAT)), content, Literal(bytes(-content.size % 512))]
    return Joined((*parts, Literal(bytes(1024))))


@dataclass(frozen=True)
class Blob:
    """Content with its digest, as a registry holds it."""

    digest: str
    recipe: Recipe = field(repr=False)

    @property
    def size(self) -> int:
        return self.recipe.size

    def chunks(self, start: int = 0, stop: int | None = None) -> Iterator[Bytes]:
        return self.recipe.chunks(start, self.size if stop is None else min(stop, self.size))

    def read(self) -> bytes:
        """All of it; for content that is known to be small."""
        return b"".join(self.chunks())


def blob_of(recipe: Recipe | bytes) -> Blob:
    """The blob that `recipe` makes; its bytes are made once, to learn the digest."""
    made: Recipe = Literal(recipe) if isinstance(recipe, bytes) else recipe
    state = hashlib.sha256()
    for chunk in made.chunks(0, made.size):
        state.update(chunk)
    return Blob(f"sha256:{state.hexdigest()}", made)


def layer_of(files: Mapping[str, Recipe | bytes]) -> Blob:
    """A layer (gzip'ed tar) that holds `files`."""
    return blob_of(StoredGzip(tar_of({name: _recipe(content) for name, content in files.items()})))


def _recipe(content: Recipe | bytes) -> Recipe:
    return Literal(content) if isinstance(content, bytes) else content
