# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where blobs lie, in little memory: tens of thousands of them are held at once (issue: 96 MiB for 20,000 images)."""

from __future__ import annotations

from collections.abc import Iterator

_SIZE_BITS = 50


class BlobMap:
    """Raw digest (32 bytes) -> offset and size, packed into one integer each."""

    def __init__(self) -> None:
        self._places: dict[bytes, int] = {}

    def __len__(self) -> int:
        return len(self._places)

    def __contains__(self, key: object) -> bool:
        return key in self._places

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._places)

    def put(self, key: bytes, offset: int, size: int) -> None:
        self._places[key] = offset << _SIZE_BITS | size

    def get(self, key: bytes) -> tuple[int, int] | None:
        """``(offset, size)`` of the blob's content, or None."""
        place = self._places.get(key)
        return None if place is None else (place >> _SIZE_BITS, place & ((1 << _SIZE_BITS) - 1))
