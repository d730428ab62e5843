# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Blobs on their way in: straight into the caller's buffer, resumed where they broke, verified at the end."""

from __future__ import annotations

import hashlib
import re
from dataclasses import replace
from types import TracebackType

from .bandwidth import Bandwidth
from .errors import DigestMismatch, TransportFailure
from .exchange import Call, Exchange
from .inflating import Inflating
from .reply import Reply

_CONTENT_RANGE = re.compile(r"bytes (\d{1,18})-(\d{1,18})/(\d{1,18}|\*)", re.IGNORECASE)
_ANSWERS = frozenset({200, 206, 416})
_SCRATCH = 256 * 1024
_MOST_WRONG_LENGTHS = 3
EMPTY = "sha256:" + hashlib.sha256(b"").hexdigest()


class BlobReader:
    """A blob of known size and digest as a stream. Not thread-safe; close it, best by ``with``.

    Holds one of the registry's permits while it is open: ask that registry for nothing else meanwhile (with one
    permit left that would wait for itself). When the last byte
    is read, size and digest are proven; DigestMismatch is raised instead of returning that byte. Closing early is
    allowed. A broken transfer is resumed by a fresh request to the registry, as often as bytes keep coming.
    """

    def __init__(self, exchange: Exchange, call: Call, digest: str, size: int, *, bandwidth: Bandwidth) -> None:
        self.size = size
        self.digest = digest
        self.position = 0
        self._exchange = exchange
        self._call = call
        self._bandwidth = bandwidth
        self._hash = hashlib.sha256()
        self._source: Reply | Inflating | None = None
        self._reply: Reply | None = None
        self._tries = 0
        self._ignores_ranges = False
        self._wrong_lengths = 0
        if size == 0 and digest == EMPTY:
            return  # some registries cannot serve it (registry-quirks §6)
        self._reopen()
        if size == 0:
            self._finish()

    def readinto(self, buffer: memoryview) -> int:
        """Fill the front of `buffer`; return the number of bytes, 0 at the end. Raises RegistryError, Stopped."""
        wanted = min(len(buffer), self.size - self.position, self._bandwidth.piece)
        if wanted <= 0:
            return 0
        count = 0
        while not count:
            self._exchange.stopping.check()
            count = self._read_once(buffer[:wanted])
        self._hash.update(buffer[:count])
        self.position += count
        self._tries = 0
        self._exchange.counters.count(received=count)
        self._bandwidth.take(count)
        if self.position == self.size:
            self._finish()
        return count

    def read(self, count: int = -1) -> bytes:
        """The next `count` bytes, fewer only at the end; all that is left without `count`."""
        left = self.size - self.position
        buffer = bytearray(left if count is None or count < 0 else min(count, left))
        view, filled = memoryview(buffer), 0
        while filled < len(buffer):
            filled += self.readinto(view[filled:])
        return bytes(buffer)

    def close(self) -> None:
        """Give the connection and the permit back; what was not read is dropped with the connection."""
        reply, self._reply, self._source = self._reply, None, None
        if reply is not None:
            reply.close()

    def __enter__(self) -> BlobReader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _read_once(self, buffer: memoryview) -> int:
        """The next bytes; 0 after a failure that left tries."""
        if self._source is None:
            self._reopen()
            return 0
        try:
            count = self._source.readinto(buffer)
            if count == 0:
                raise self._failure(f"the answer ended after {self.position} of {self.size} bytes")
            return count
        except TransportFailure as failure:
            self._note(failure)
            return 0

    def _reopen(self) -> None:
        """Ask for what is missing until the stream stands at the next byte."""
        while self._source is None:
            headers = {}
            if self.position and not self._ignores_ranges:
                headers["Range"] = f"bytes={self.position}-{self.size - 1}"
            self._reply = self._exchange.send(replace(self._call, answers=_ANSWERS, headers=headers))
            try:
                self._source = self._take(self._reply, ranged=bool(headers))
            except TransportFailure as failure:
                self._note(failure)

    def _note(self, failure: TransportFailure) -> None:
        self.close()
        self._tries = self._exchange.again(self._call, failure, self._tries)

    def _take(self, reply: Reply, *, ranged: bool) -> Reply | Inflating | None:
        """The stream in `reply`, brought to the next byte; None if the server cannot begin where it was asked to."""
        if reply.status == 206 and ranged and self._is_range(reply):
            return reply
        if reply.status == 200:
            source = self._plain(reply)
            self._skip(source, self.position)
            return source
        self.close()
        if not ranged:
            raise self._failure(f"the registry answered {reply.status} to a request for the whole blob")
        self._ignores_ranges = True  # start over, and skip what is here already
        return None

    def _is_range(self, reply: Reply) -> bool:
        match = _CONTENT_RANGE.fullmatch((reply.headers.get("Content-Range") or "").strip())
        if not match:
            return False
        first, last, total = match.groups()
        return int(first) == self.position and int(last) == self.size - 1 and total in ("*", str(self.size))

    def _plain(self, reply: Reply) -> Reply | Inflating:
        """The blob's own bytes: a proxy may have compressed them, though it was asked not to."""
        length = reply.headers.get("Content-Length") or str(self.size)
        encoding = (reply.headers.get("Content-Encoding") or "").strip().lower()
        if encoding in ("gzip", "x-gzip") and reply.headers.get("Content-Length") != str(self.size):
            return Inflating(reply, limit=self.size)
        if length != str(self.size):
            self._wrong_lengths += 1
            text = f"the registry says it has {length[:20]} bytes, the manifest says {self.size}"
            if self._wrong_lengths >= _MOST_WRONG_LENGTHS:
                raise DigestMismatch(self._call.purpose, method="GET", url=reply.target.shown, text=text)
            raise self._failure(text)
        return reply

    def _skip(self, source: Reply | Inflating, count: int) -> None:
        scratch = memoryview(bytearray(min(count, _SCRATCH)))
        while count:
            self._exchange.stopping.check()
            read = source.readinto(scratch[: min(count, len(scratch))])
            if not read:
                raise self._failure("the answer ended before the point to go on from")
            self._bandwidth.take(read)
            self._exchange.counters.count(received=read)
            count -= read

    def _finish(self) -> None:
        """Prove size and digest. Raises DigestMismatch."""
        found = f"sha256:{self._hash.hexdigest()}"
        if found == self.digest and self._has_more():
            found = "more bytes than that"
        self.close()
        if found != self.digest:
            raise DigestMismatch(
                self._call.purpose,
                method="GET",
                url=self._call.target.shown,
                text=f"received {self.size} bytes that are {found}, expected {self.digest}",
            )
        self._exchange.counters.count(blobs_received=1)

    def _has_more(self) -> bool:
        """Whether an answer without a length goes on after the last byte."""
        if self._source is None:
            return False
        try:
            return self._source.readinto(memoryview(bytearray(1))) > 0
        except TransportFailure:
            return False  # the blob is whole; how its connection ends does not matter

    def _failure(self, text: str) -> TransportFailure:
        return TransportFailure(
            self._call.purpose,
            method="GET",
            url=self._call.target.shown,
            text=text,
            hint="The run can be repeated",
            dropped=True,
        )
