# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Uploads of blobs (distribution spec "Pushing blobs"; registry-quirks §10 for what registries make of it).

POST opens a session, PUT sends all of it. Where a proxy or registry cannot take that, pieces are PATCHed, and every
host is remembered by what it takes. An attempt that fails is asked for (HEAD) before anything is sent again.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from .authorization import Scope
from .bandwidth import Bandwidth
from .errors import (
    AccessDenied,
    DigestMismatch,
    ReadOnly,
    RegistryError,
    Throttled,
    TransportFailure,
    Unavailable,
)
from .exchange import Answer, Call, Exchange
from .locations import BadLocation, Target, upload_location, with_query
from .problems import LARGEST_ERROR_BODY
from .upload_body import Body, Piece

_OPENED = frozenset({201, 202})
_TAKEN = frozenset({200, 201, 202, 204})
_DONE = frozenset({200, 201, 204})
MOST_SESSIONS = 6
"""Attempts without a byte more taken than before."""
LARGEST_PIECE = 90 * 1024 * 1024
SMALLEST_PIECE = 512 * 1024
_LONG_REQUEST = 32 * 1024 * 1024
_LARGEST_DEMAND = 512 * 1024 * 1024
_BYTES_PER_SECOND_OF_PATIENCE = 16_000_000
"""A registry on slow storage copies or hashes the whole blob before it answers the closing PUT."""
_RANGE = re.compile(r"(?:bytes[= ])?0-(\d{1,18})")
_SESSION_LOST = frozenset({404, 409, 410, 416})
_SESSION_LOST_CODES = frozenset({"BLOB_UPLOAD_UNKNOWN", "BLOB_UPLOAD_INVALID", "RANGE_INVALID"})


class Habits:
    """What one host has taught us about uploads. Thread-safe: single assignments."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.piece: int | None = None
        """Bytes per PATCH; None: one PUT for all."""
        self.whole_patch = False
        """The PUT with a body is refused: one PATCH for all, then an empty PUT."""

        self._refused_puts = 0

    def note_refused_put(self) -> None:
        """A PUT with content was answered 405, in a session that had been opened just before.

        Once, the registry may have become read-only in between; twice, it means the content.
        """
        with self._lock:
            self._refused_puts += 1
            self.whole_patch = self.whole_patch or self._refused_puts > 1

    def note_taken_put(self) -> None:
        self._refused_puts = 0

    def shrink(self, size: int) -> bool:
        """A request of `size` bytes was too large or took too long; whether smaller ones can be tried."""
        with self._lock:
            if self.piece is not None and self.piece < size:
                return True  # another worker has learned it meanwhile
            self.piece = max(SMALLEST_PIECE, min(LARGEST_PIECE, size // 2))
            return size > SMALLEST_PIECE

    def demand(self, least: int) -> None:
        """The registry takes no pieces smaller than `least`, except the last."""
        with self._lock:
            if self.piece is not None:
                self.piece = max(self.piece, min(least, _LARGEST_DEMAND))


@dataclass
class _Session:
    """An open upload: where it goes on, and how many bytes the registry has taken."""

    location: Target
    taken: int = 0


class Upload:
    """One blob on its way to one repository. Used by one thread, once."""

    def __init__(
        self,
        exchange: Exchange,
        repository: str,
        digest: str,
        body: Body,
        *,
        habits: Habits,
        bandwidth: Bandwidth,
        is_there: Callable[[], bool],
    ) -> None:
        self._exchange = exchange
        self._repository = repository
        self._digest = digest
        self._body = body
        self._habits = habits
        self._bandwidth = bandwidth
        self._is_there = is_there
        self._purpose = f"upload {digest} to {repository}"
        self._scopes = (Scope(repository, "pull,push"),)
        self._tried = 0
        self._most_taken = 0
        self._broken = 0
        self._mismatches = 0
        self._request: Piece | None = None
        self._method = ""

    def run(self, location: Target | None = None) -> None:
        """Upload it, in the session at `location` if there is one already. Raises RegistryError, Stopped."""
        session = _Session(location) if location is not None else None
        while True:
            try:
                session = session or self._start()
                if session is not None:
                    self._send(session)
                return
            except ReadOnly as error:
                if error.status == 405 and self._method == "PUT" and self._request:
                    self._habits.note_refused_put()
                raise
            except (AccessDenied, Throttled):
                raise
            except RegistryError as error:
                if session is None:
                    raise  # opening a session has its own retries
                if self._method == "PUT" and error.status != 413 and self._is_there():
                    return  # only the answer was lost, or another run was faster
                session = self._recover(error, session)

    def _start(self) -> _Session | None:
        """Open a session; None if the registry says that it has the blob already."""
        target = Target(self._exchange.own, f"/v2/{self._repository}/blobs/uploads/")
        answer = self._ask("POST", target, answers=_OPENED, headers={"Content-Length": "0"}, tries=0)
        if answer.status == 201:
            return None
        least = answer.headers.get("OCI-Chunk-Min-Length") or ""
        if least.isascii() and least.isdigit():
            self._habits.demand(int(least[:18]))
        return _Session(self._next(answer))

    def _send(self, session: _Session) -> None:
        size, habits = self._body.size, self._habits
        piece = habits.piece if habits.piece is not None and habits.piece < size else None
        if piece is None and not habits.whole_patch and not session.taken:
            self._finish(session, self._piece(0, size))
            return
        while session.taken < size:
            stop = min(size, session.taken + (piece or size))
            self._patch(session, stop)
        self._finish(session, None)

    def _patch(self, session: _Session, stop: int) -> None:
        start, target = session.taken, session.location
        headers = {"Content-Type": "application/octet-stream", "Content-Length": str(stop - start)}
        if start or stop < self._body.size:
            headers["Content-Range"] = f"{start}-{stop - 1}"
        patience = (stop - start) / _BYTES_PER_SECOND_OF_PATIENCE
        body = self._piece(start, stop)
        answer = self._ask("PATCH", target, answers=_TAKEN, headers=headers, body=body, patience=patience)
        session.location = self._next(answer)
        session.taken = stop
        if stop > self._most_taken:
            self._most_taken = stop
            self._tried = 0

    def _finish(self, session: _Session, body: Piece | None) -> None:
        target = with_query(session.location, f"digest={self._digest}")
        headers = {"Content-Length": str(len(body) if body else 0)}
        if body:
            headers["Content-Type"] = "application/octet-stream"
        patience = self._body.size / _BYTES_PER_SECOND_OF_PATIENCE
        answer = self._ask("PUT", target, answers=_DONE, headers=headers, body=body, patience=patience)
        if body:
            self._habits.note_taken_put()
        stored = answer.headers.get("Docker-Content-Digest")
        if stored and stored != self._digest:
            raise DigestMismatch(
                self._purpose, method="PUT", url=target.shown, text=f"the registry stored {stored[:100]}"
            )

    def _recover(self, error: RegistryError, session: _Session) -> _Session | None:
        """Decide how to go on after `error`: in a session that is there, or in a new one (None); or raise it."""
        size = len(self._request) if self._request else 0
        if error.status == 413:
            if not self._habits.shrink(size):
                raise error
            return None
        self._tried += 1
        if self._tried >= MOST_SESSIONS or not self._may_pass(error):
            raise error
        if isinstance(error, (TransportFailure, Unavailable)):
            self._broken += 1
            if self._broken >= 2 and size > _LONG_REQUEST:
                self._habits.shrink(size)  # something between may end long requests: shorter ones pass
            return self._where_it_stands(session) if self._method == "PATCH" or session.taken else None
        self._exchange.pause(session.location.origin.host, tries=self._tried)
        return None

    def _may_pass(self, error: RegistryError) -> bool:
        if isinstance(error, TransportFailure):
            return error.passing
        if isinstance(error, DigestMismatch):
            # damaged on its way, or a session with something else in it; the source is read anew
            self._mismatches += 1
            return self._mismatches == 1
        if self._method == "PUT" and self._request and not self._habits.whole_patch:
            lost = error.code == "BLOB_UPLOAD_UNKNOWN" and self._tried < 2
            refused = error.status == 501 or (error.status == 404 and not lost)
            if refused:
                self._habits.whole_patch = True
                return True
        if isinstance(error, Unavailable) or error.status in _SESSION_LOST or error.code in _SESSION_LOST_CODES:
            return True
        return error.status == 400 and self._tried == 1  # some call a lost session so, others mean the request

    def _where_it_stands(self, session: _Session) -> _Session | None:
        """Ask an interrupted session how far it got; None if it is lost or will not tell."""
        try:
            answer = self._ask("GET", session.location, answers=frozenset({200, 202, 204}), tries=2)
            match = _RANGE.fullmatch((answer.headers.get("Range") or "").strip())
            last = int(match.group(1)) if match else 0
            if not 0 < last < self._body.size:
                return None  # 0-0 may mean one byte or none
            location = session.location
            if answer.headers.get("Location"):
                location = self._next(answer)
            return _Session(location, last + 1)
        except RegistryError as lost:
            if isinstance(lost, AccessDenied):
                raise
            return None

    def _next(self, answer: Answer) -> Target:
        location = answer.headers.get("Location")
        try:
            if not location:
                raise BadLocation("the answer has no Location")
            return upload_location(answer.target, location)
        except BadLocation as error:
            raise RegistryError(
                self._purpose, method="POST", url=answer.target.shown, status=answer.status, text=str(error)
            ) from error

    def _piece(self, start: int, stop: int) -> Piece | None:
        if stop == start:
            return None
        exchange = self._exchange
        return Piece(
            self._body,
            start,
            stop,
            bandwidth=self._bandwidth,
            counters=exchange.counters,
            stopping=exchange.stopping,
        )

    def _ask(self, method: str, target: Target, *, tries: int = 1, **rest: Any) -> Answer:
        """One request of this upload; without credentials if the registry sent us to another host."""
        self._method, self._request = method, rest.get("body")
        scopes = self._scopes if target.origin == self._exchange.own else ()
        call = Call(self._purpose, method, target, scopes=scopes, tries=tries, tried=self._tried, **rest)
        return self._exchange.fetch(call, limit=LARGEST_ERROR_BODY)
