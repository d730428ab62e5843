# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Blobs that lie on this disk already: in finished archives, and in what an interrupted run left."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

from .blobmap import BlobMap
from .errors import BundleDamaged
from .parts import PartSpace, SpaceReader

_READ_SIZE = 1024 * 1024


@dataclass(frozen=True)
class Found:
    """A blob's content: `size` bytes at `offset` of `space`."""

    space: PartSpace
    offset: int
    size: int


class Donors:
    """Looks a blob up by its raw digest in everything that lies here."""

    def __init__(self) -> None:
        self._maps: list[tuple[PartSpace, BlobMap]] = []

    def add(self, space: PartSpace, blobs: BlobMap) -> None:
        self._maps.append((space, blobs))

    def drop(self, space: PartSpace) -> None:
        """Forget what lies in `space`."""
        self._maps = [entry for entry in self._maps if entry[0] is not space]
        space.close()

    def find(self, key: bytes) -> Iterator[Found]:
        """Every place where the blob should lie; the bytes there may have been damaged or written over."""
        for space, blobs in self._maps:
            place = blobs.get(key)
            if place is not None:
                yield Found(space, *place)

    def read(self, key: bytes) -> bytes | None:
        """A small blob's content if it lies here undamaged."""
        for found in self.find(key):
            reader = DonorReader(found)
            data = reader.read(found.size)
            if reader.key() == key:
                return data
        return None

    def close(self) -> None:
        for space, _blobs in self._maps:
            space.close()
        self._maps.clear()


class HashingReader(SpaceReader):
    """A stretch of a space that is hashed while it is read."""

    def __init__(self, space: PartSpace, offset: int, size: int) -> None:
        super().__init__(space, offset, size)
        self._digest = hashlib.sha256()

    def readinto(self, buffer: memoryview) -> int:
        count = super().readinto(buffer)
        self._digest.update(buffer[:count])
        return count

    def key(self) -> bytes:
        """The raw digest of what was read."""
        return self._digest.digest()


class DonorReader(HashingReader):
    """As its base; a copy that cannot be read ends early, so that its digest is wrong and the next one is tried."""

    def __init__(self, found: Found) -> None:
        super().__init__(found.space, found.offset, found.size)

    def readinto(self, buffer: memoryview) -> int:
        try:
            return super().readinto(buffer)
        except (OSError, BundleDamaged):
            return 0  # a donor is a chance, the registry has the blob

    def read(self, size: int = -1) -> bytes:
        data = memoryview(bytearray(size))
        return bytes(data[: self.readinto(data)])


def is_intact(space: PartSpace, offset: int, size: int, key: bytes) -> bool:
    """Whether the `size` bytes at `offset` have the digest `key`."""
    reader = DonorReader(Found(space, offset, size))
    buffer = memoryview(bytearray(min(_READ_SIZE, max(size, 1))))
    while reader.readinto(buffer):
        pass
    return reader.key() == key
