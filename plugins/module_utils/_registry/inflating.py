# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Undoing a gzip that a proxy put around an answer although it was asked not to (registry-quirks §6)."""

from __future__ import annotations

import zlib
from typing import Protocol

from .errors import TransportFailure

_COMPRESSED_PIECE = 64 * 1024
_GZIP = 16 + zlib.MAX_WBITS


class _Source(Protocol):
    def readinto(self, buffer: memoryview) -> int:
        """Fill `buffer`; returns how many bytes there were, 0 at the end."""


class Inflating:
    """The decompressed bytes of `source`, never more than `limit` + 1 of them."""

    def __init__(self, source: _Source, *, limit: int) -> None:
        self._source = source
        self._left = limit + 1
        self._inflate = zlib.decompressobj(_GZIP)
        self._buffer = memoryview(bytearray(_COMPRESSED_PIECE))

    def readinto(self, buffer: memoryview) -> int:
        """Fill the front of `buffer`; 0 at the end. Raises TransportFailure for damaged data."""
        wanted = min(len(buffer), self._left)
        piece = b""
        while wanted and not piece and not self._inflate.eof:
            packed = self._inflate.unconsumed_tail
            if not packed:
                packed = bytes(self._buffer[: self._source.readinto(self._buffer)])
                if not packed:
                    raise TransportFailure("read a compressed answer", text="it ended too early", dropped=True)
            try:
                piece = self._inflate.decompress(packed, wanted)
            except zlib.error as error:
                raise TransportFailure("read a compressed answer", text="its compression is damaged") from error
        buffer[: len(piece)] = piece
        self._left -= len(piece)
        return len(piece)


def inflate(data: bytes, *, limit: int) -> bytes | None:
    """The content of gzip `data`, None if it is damaged or has more than `limit` bytes."""
    decompress = zlib.decompressobj(_GZIP)
    try:
        content = decompress.decompress(data, limit + 1)
    except zlib.error:
        return None
    return content if decompress.eof and len(content) <= limit else None
