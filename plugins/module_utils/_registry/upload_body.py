# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Blobs on their way out: pieces of a body as urllib3 wants them, sent again from the start when need be."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from .._oci.errors import InvalidContent
from .bandwidth import Bandwidth
from .counters import Counters
from .stopping import Stopping
from .transport import BodyFailed


class Body(Protocol):
    """Content that can be read again from any point. `size` is in bytes."""

    size: int

    def chunks(self, start: int, stop: int) -> Iterator[memoryview]:
        """The bytes from `start` up to `stop`, best in pieces of 256 KiB or more."""


class BytesBody:
    """A small body held in memory."""

    def __init__(self, data: bytes) -> None:
        self.size = len(data)
        self._data = memoryview(data)

    def chunks(self, start: int, stop: int) -> Iterator[memoryview]:
        if stop > start:
            yield self._data[start:stop]


class Piece:
    """The bytes `start` to `stop` of a body as the body of one request. Every iteration sends them anew."""

    def __init__(
        self, body: Body, start: int, stop: int, *, bandwidth: Bandwidth, counters: Counters, stopping: Stopping
    ) -> None:
        self._body = body
        self.start = start
        self.stop = stop
        self._bandwidth = bandwidth
        self._counters = counters
        self._stopping = stopping
        self.sent = 0
        """Bytes handed to the connection in the newest iteration."""

    @property
    def is_sent(self) -> bool:
        return self.sent == len(self)

    def __len__(self) -> int:
        return self.stop - self.start

    def __iter__(self) -> Iterator[memoryview]:
        self.sent = 0
        piece = self._bandwidth.piece
        try:
            for chunk in self._body.chunks(self.start, self.stop):
                for offset in range(0, len(chunk), piece):
                    part = chunk[offset : offset + piece]
                    self._stopping.check()
                    self._check_size(self.sent + len(part) <= len(self))
                    self._bandwidth.take(len(part))
                    yield part
                    self.sent += len(part)
                    self._counters.count(sent=len(part))
        except OSError as error:
            raise BodyFailed(error) from error
        self._check_size(self.sent == len(self))

    def _check_size(self, fits: bool) -> None:
        if not fits:
            raise InvalidContent(f"The source of an upload has not the {len(self)} bytes that were announced")
