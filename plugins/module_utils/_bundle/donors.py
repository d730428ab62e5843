# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Blobs that lie on this disk already: in finished archives, and in what an interrupted run left (design §4, idea 5)."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from .blobmap import BlobMap
from .parts import PartSpace

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

    def find(self, key: bytes) -> Found | None:
        """Where the blob lies; what is found first wins."""
        for space, blobs in self._maps:
            place = blobs.get(key)
            if place is not None:
                return Found(space, *place)
        return None

    def read(self, key: bytes) -> bytes | None:
        """A small blob's content if it lies here undamaged."""
        found = self.find(key)
        if found is None:
            return None
        data = found.space.read_at(found.offset, found.size)
        return data if hashlib.sha256(data).digest() == key else None

    def close(self) -> None:
        for space, _blobs in self._maps:
            space.close()
        self._maps.clear()


def is_intact(space: PartSpace, offset: int, size: int, key: bytes) -> bool:
    """Whether the `size` bytes at `offset` have the digest `key`."""
    digest = hashlib.sha256()
    for view in space.chunks(offset, size, memoryview(bytearray(min(_READ_SIZE, max(size, 1))))):
        digest.update(view)
    return digest.digest() == key
