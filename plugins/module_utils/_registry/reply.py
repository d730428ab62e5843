# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Answers: their bodies go straight into the reader's buffer, and their connections back to the pool."""

from __future__ import annotations

import http.client
from collections.abc import Callable
from typing import Any

from . import failures
from .errors import TransportFailure
from .locations import Target

Errors = tuple[type[BaseException], ...]
_COPIED_PIECE = 64 * 1024
_ENDLESS = 1 << 62


class Reply:
    """One answer whose body may be still on its way. Close it, in every case, to give its connection back.

    `raw` is urllib3's response, read through http.client underneath, which can fill a buffer without copies.
    `errors` are the exceptions that mean a broken connection.
    """

    __slots__ = (
        "_body",
        "_errors",
        "_file",
        "_left",
        "_raw",
        "foreign",
        "headers",
        "method",
        "on_close",
        "purpose",
        "seconds",
        "sent_whole",
        "status",
        "target",
    )

    def __init__(
        self,
        raw: Any,
        target: Target,
        *,
        method: str,
        purpose: str,
        seconds: float,
        sent_whole: bool,
        errors: Errors,
    ) -> None:
        self._raw = raw
        self._errors = errors
        self.method = method
        self.purpose = purpose
        body = getattr(raw, "_fp", None)
        self._body: Any = body if isinstance(body, http.client.HTTPResponse) else None
        self._file: Any = None
        self._left = _ENDLESS
        if self._body is not None and not self._body.chunked and self._body.fp is not None:
            self._file = self._body.fp
            self._left = _ENDLESS if self._body.length is None else self._body.length
        self.status: int = raw.status
        self.headers: Any = raw.headers
        self.target = target
        self.foreign = False
        """Whether the answer came from another place than the one that was asked (after a redirect)."""
        self.seconds = seconds
        """From sending to the first byte of the answer."""
        self.sent_whole = sent_whole
        """False when the answer came before the whole body was sent: the connection cannot be used again."""
        self.on_close: Callable[[], None] | None = None
        """Called once, when the reply is closed."""

    def all(self, name: str) -> list[str]:
        """Every value of a header."""
        return list(self.headers.getlist(name))

    def readinto(self, buffer: memoryview) -> int:
        """Read the next bytes straight into `buffer`; 0 at the end of the body. Raises TransportFailure.

        Bytes that came before a connection broke are returned first; the next call meets the failure.
        """
        filled = 0
        try:
            if self._file is None:
                piece = self._read1(min(len(buffer), _COPIED_PIECE))
                filled = len(piece)
                buffer[:filled] = piece
                return filled
            wanted = min(len(buffer), self._left)
            while filled < wanted:
                count = self._file.readinto1(buffer[filled:wanted])
                if not count:
                    break
                filled += count
        except self._errors as error:
            if not filled:
                raise self._broken(error) from error
        self._left -= filled
        if not self._left:
            self._body.close()  # the socket stays with its connection
        return filled

    def _read1(self, count: int) -> bytes:
        """Of a chunked body, or of one that urllib3 hands out in another way than usual."""
        if self._body is not None:
            return bytes(self._body.read1(count))
        return bytes(self._raw.read(count, decode_content=False))

    def read(self, limit: int) -> bytes:
        """The rest of the body, but at most `limit` + 1 bytes: a longer result means that there is more."""
        try:
            source = self._body if self._body is not None else self._raw
            if self._body is not None and self._body.length is not None and self._body.length <= limit:
                expected = self._body.length
                data: bytes = source.read()
                if len(data) < expected:
                    raise http.client.IncompleteRead(data, expected - len(data))
                return data
            pieces, missing = [], limit + 1
            while missing:
                piece = source.read(missing)
                if not piece:
                    break
                pieces.append(piece)
                missing -= len(piece)
            return b"".join(pieces)
        except self._errors as error:
            raise self._broken(error) from error

    def _broken(self, error: BaseException) -> TransportFailure:
        return failures.describe(error, self.purpose, method=self.method, target=self.target, proxied=False)

    def close(self) -> None:
        """Give the connection back if the body was read to its end, else end it. May be called again."""
        raw, self._raw = self._raw, None
        if raw is None:
            return
        try:
            if not self.sent_whole or not self._is_drained():
                raw.close()
        except self._errors:
            raw.close()
        finally:
            raw.release_conn()
            if self.on_close is not None:
                self.on_close()

    def _is_drained(self) -> bool:
        body = self._body
        if body is None:
            return False
        if body.length == 0 and not body.isclosed():
            body.read()  # nothing, but http.client wants to be asked
        return bool(body.isclosed())
