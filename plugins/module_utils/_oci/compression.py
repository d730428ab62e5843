# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Layer streams without their compression, in bounded memory however well they compress."""

from __future__ import annotations

import io
import zlib
from typing import Protocol

from .errors import InvalidContent

_READ_SIZE = 64 * 1024
_GZIP_MAGIC = b"\x1f\x8b"
_REFUSED = {b"\x28\xb5\x2f\xfd": "zstd", b"\xfd7zX": "xz", b"BZh": "bzip2"}
_MAGIC_SIZE = 4
_GZIP_WINDOW = 16 + zlib.MAX_WBITS
"""zlib's way to ask for gzip with its checksum."""


class ByteSource(Protocol):
    """A stream that gives up to `size` bytes, fewer when it likes, and nothing only at its end."""

    def read(self, size: int, /) -> bytes:
        """Up to `size` bytes."""


def uncompressed(layer: ByteSource, *, where: str) -> io.RawIOBase | None:
    """The content of `layer`, a stream as served: gzip (of any number of members, as eStargz has) or plain.

    None when there is nothing in it at all.

    Raises InvalidContent naming `where` for the compressions that are not read here; reading the result raises
    zlib.error for damaged gzip and EOFError for one that ends early.
    """
    head = _first_bytes(layer)
    for magic, name in _REFUSED.items():
        if head.startswith(magic):
            raise InvalidContent(
                f"{where}: the layer is compressed with {name}, which cannot be read here; ask the vendor for gzip"
            )
    if not head:
        return None
    whole = _Rejoined(head, layer)
    return _Inflated(whole) if head.startswith(_GZIP_MAGIC) else whole


def _first_bytes(stream: ByteSource) -> bytes:
    """The first bytes, of a stream that may give them one by one."""
    head = b""
    while len(head) < _MAGIC_SIZE:
        data = stream.read(_MAGIC_SIZE - len(head))
        if not data:
            break
        head += data
    return head


class _Rejoined(io.RawIOBase):
    """A stream whose first bytes were already taken off to look at them."""

    def __init__(self, head: bytes, rest: ByteSource) -> None:
        super().__init__()
        self._head = head
        self._rest = rest

    def read(self, size: int = -1) -> bytes:
        if self._head:
            head, self._head = self._head, b""
            return head
        return self._rest.read(size)


class _Inflated(io.RawIOBase):
    """The content of a gzip stream. Each read gives at most what was asked for, and holds no more than that."""

    def __init__(self, source: io.RawIOBase) -> None:
        super().__init__()
        self._source = source
        self._pending = b""
        self._member = zlib.decompressobj(_GZIP_WINDOW)

    def read(self, size: int = -1) -> bytes:
        limit = size if size > 0 else _READ_SIZE
        while True:
            if self._member.eof and not self._next_member():
                return b""
            data = self._pending or self._source.read(_READ_SIZE)
            if not data:
                raise EOFError("the gzip stream ends early")
            content = self._member.decompress(data, limit)
            self._pending = self._member.unconsumed_tail
            if content:
                return content

    def _next_member(self) -> bool:
        """Go on behind the end of a member; False at the end of the stream, zeros that pad it included."""
        rest = self._member.unused_data.lstrip(b"\0")
        while not rest:
            data = self._source.read(_READ_SIZE)
            if not data:
                return False
            rest = data.lstrip(b"\0")
        self._member = zlib.decompressobj(_GZIP_WINDOW)
        self._pending = rest
        return True
