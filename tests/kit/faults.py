# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later


"""What can go wrong with one request: actions that a `FaultyRegistry` applies when a rule says so.

An action sees the request before it is handled (and may answer in the registry's place) and the answer before it is
sent.
"""

from __future__ import annotations

import email.utils
import gzip
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from .content import Joined, Literal, Recipe, Slice

RESET, CLOSE, STALL = "reset", "close", "stall"


@dataclass(frozen=True)
class Request:
    """One request as it came; header names are lower-case, `target` is path and query."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes = field(default=b"", repr=False)

    @property
    def path(self) -> str:
        return self.target.partition("?")[0]


@dataclass(frozen=True)
class Cut:
    """How a body ends early: after `after` bytes, by `how` (RESET, CLOSE, or STALL for `seconds`, then close)."""

    after: int
    how: str
    seconds: float = 0


@dataclass(frozen=True)
class Answer:
    """What goes out. `length` replaces the right Content-Length, `chunked` leaves it out; `pace` is bytes a second."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Recipe = Literal(b"")
    length: int | None = None
    chunked: bool = False
    cut: Cut | None = None
    closes: bool = False
    pace: float = 0

    def with_headers(self, **changes: str | None) -> Answer:
        """With headers set, or taken away where the value is None; ``_`` stands for ``-``."""
        named = {name.replace("_", "-").lower(): value for name, value in changes.items()}
        kept = {name: value for name, value in self.headers.items() if name.lower() not in named}
        return replace(self, headers={**kept, **{name: value for name, value in named.items() if value is not None}})


def error_answer(status: int, code: str, message: str = "", *, detail: object = None) -> Answer:
    """An error in the distribution specification's JSON shape."""
    entry = {"code": code, "message": message or code.lower().replace("_", " "), "detail": detail}
    return Answer(status, {"Content-Type": "application/json"}, Literal(json.dumps({"errors": [entry]}).encode()))


class Action:
    """The base of all actions: changes nothing."""

    reads_body_until: int | None = None
    """How much of the request's body is read before the connection is reset; None: all of it."""
    answers_early = False
    """Answer without reading the request's body, then close, as proxies with limits do."""
    silent_for: float = 0
    """Seconds in which neither the request's body is read nor anything answered, then close."""

    def on_request(self, request: Request) -> Request | Answer:
        return request

    def on_answer(self, answer: Answer) -> Answer:
        return answer


@dataclass(frozen=True)
class Status(Action):
    """Answer `status` and touch nothing: with an OCI `code`, else with `text` (HTML, XML, plain) as `content_type`."""

    status: int
    code: str = ""
    text: str = ""
    content_type: str = "text/html"
    retry_after: int | None = None
    """Seconds, as a number."""
    retry_date: int | None = None
    """Seconds from now, sent as an HTTP date."""
    headers: Mapping[str, str] = field(default_factory=dict)
    detail: object = None

    def on_request(self, request: Request) -> Request | Answer:
        return self.answer()

    def answer(self) -> Answer:
        if self.code:
            answer = error_answer(self.status, self.code, self.text, detail=self.detail)
        else:
            answer = Answer(self.status, {"Content-Type": self.content_type}, Literal(self.text.encode()))
        more = dict(self.headers)
        if self.retry_after is not None:
            more["Retry-After"] = str(self.retry_after)
        if self.retry_date is not None:
            more["Retry-After"] = email.utils.formatdate(time.time() + self.retry_date, usegmt=True)
        return replace(answer, headers={**answer.headers, **more})


@dataclass(frozen=True)
class EarlyStatus(Status):
    """As `Status`, sent before the request's body is read; the connection is closed behind it."""

    answers_early = True


@dataclass(frozen=True)
class StatusAfter(Status):
    """Do what was asked for, then answer `status` all the same (500 after storing)."""

    def on_request(self, request: Request) -> Request | Answer:
        return request

    def on_answer(self, answer: Answer) -> Answer:
        return self.answer()


@dataclass(frozen=True)
class Reset(Action):
    """Send `after` bytes of the body, then reset the connection."""

    after: int = 0

    def on_answer(self, answer: Answer) -> Answer:
        return replace(answer, cut=Cut(self.after, RESET))


@dataclass(frozen=True)
class Truncate(Action):
    """Send `after` bytes of the body under the full Content-Length, then close cleanly."""

    after: int = 0

    def on_answer(self, answer: Answer) -> Answer:
        return replace(answer, cut=Cut(self.after, CLOSE))


@dataclass(frozen=True)
class Stall(Action):
    """Send `after` bytes of the body, then nothing for `seconds` (or until the registry ends), then close."""

    after: int = 0
    seconds: float = 60

    def on_answer(self, answer: Answer) -> Answer:
        return replace(answer, cut=Cut(self.after, STALL, self.seconds))


@dataclass(frozen=True)
class Silence(Action):
    """Read no body and answer nothing for `silent_for` seconds (or until the registry ends), then close."""

    silent_for: float = 60


@dataclass(frozen=True)
class ResetWhileReading(Action):
    """Read `after` bytes of the request's body, then reset the connection."""

    after: int = 0

    @property
    def reads_body_until(self) -> int:  # type: ignore[override]
        return self.after


@dataclass(frozen=True)
class Slow(Action):
    """Send the body at `pace` bytes per second."""

    pace: float

    def on_answer(self, answer: Answer) -> Answer:
        return replace(answer, pace=self.pace)


@dataclass(frozen=True)
class ClaimLength(Action):
    """Say a Content-Length that is wrong by `by` bytes; the connection is closed after the body."""

    by: int

    def on_answer(self, answer: Answer) -> Answer:
        return replace(answer, length=answer.body.size + self.by, closes=True)


@dataclass(frozen=True)
class Unsized(Action):
    """Send the body in chunks, without a Content-Length."""

    def on_answer(self, answer: Answer) -> Answer:
        return replace(answer, chunked=True)


@dataclass(frozen=True)
class Gzipped(Action):
    """Compress the body and say so, as proxies do that should not."""

    def on_answer(self, answer: Answer) -> Answer:
        body = gzip.compress(b"".join(answer.body.chunks(0, answer.body.size)))
        return replace(answer, body=Literal(body)).with_headers(Content_Encoding="gzip")


@dataclass(frozen=True)
class FlipBit(Action):
    """Flip one bit of the byte `at` of the body."""

    at: int = 0

    def on_answer(self, answer: Answer) -> Answer:
        whole = answer.body
        at = min(self.at, whole.size - 1)
        flipped = b"".join(whole.chunks(at, at + 1))[0] ^ 1
        parts = (Slice(whole, 0, at), Literal(bytes([flipped])), Slice(whole, at + 1, whole.size))
        return replace(answer, body=Joined(parts))


@dataclass(frozen=True)
class Extended(Action):
    """Append `data` to the body, Content-Length included."""

    data: bytes

    def on_answer(self, answer: Answer) -> Answer:
        return replace(answer, body=Joined((answer.body, Literal(self.data))))


@dataclass(frozen=True)
class Headers(Action):
    """Set headers of the answer, or take those away whose value is None."""

    changes: Mapping[str, str | None]

    def on_answer(self, answer: Answer) -> Answer:
        return answer.with_headers(**dict(self.changes))


@dataclass(frozen=True)
class Redirect(Action):
    """Answer with a redirect to `location`."""

    location: str
    status: int = 307

    def on_request(self, request: Request) -> Request | Answer:
        return Answer(self.status, {"Location": self.location})


@dataclass(frozen=True)
class IgnoreRange(Action):
    """Handle the request as if it had no Range header: 200 with everything."""

    def on_request(self, request: Request) -> Request | Answer:
        return replace(request, headers={name: value for name, value in request.headers.items() if name != "range"})


@dataclass(frozen=True)
class ShiftRange(Action):
    """Say a Content-Range that is `by` bytes off; the body is that of the range asked for."""

    by: int = 1

    def on_answer(self, answer: Answer) -> Answer:
        stated = answer.headers.get("Content-Range", "")
        if not stated:
            return answer
        span, _unused, total = stated[len("bytes ") :].partition("/")
        first, last = (int(part) + self.by for part in span.split("-"))
        return answer.with_headers(Content_Range=f"bytes {first}-{last}/{total}")


@dataclass(frozen=True)
class Together(Action):
    """Several actions on one request; the first that answers in the registry's place ends the handling."""

    actions: tuple[Action, ...]

    def on_request(self, request: Request) -> Request | Answer:
        for action in self.actions:
            changed = action.on_request(request)
            if isinstance(changed, Answer):
                return changed
            request = changed
        return request

    def on_answer(self, answer: Answer) -> Answer:
        for action in self.actions:
            answer = action.on_answer(answer)
        return answer
