# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One request with everything that belongs to it: permit, credentials, retries, pauses, errors in words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from . import backoff as pauses
from .authorization import Authorizer, Scopes
from .backoff import Backoff, moment_of, retry_after
from .challenge import parse_challenges
from .counters import Counters
from .credentials import Keyring
from .errors import AccessDenied, RegistryError, StorageRefused, Throttled, TransportFailure, Unavailable
from .inflating import inflate
from .locations import Origin, Target
from .parallel import Permits
from .problems import LARGEST_ERROR_BODY, Problem, error_of, read_problem
from .redaction import Secrets
from .reply import Reply
from .stopping import Stopping
from .tokens import LARGEST_TOKEN_ANSWER
from .transport import BodySource, Transport

OK = frozenset({200})
_MOST_REFUSALS = 2
"""401 answers to one request that are met with another header; the next one is final."""
_FIRST_CONTACT_TRIES = 3
"""Of a host that never answered: it is more likely misspelt or down than busy."""
_STORAGE_TRIES = 3
"""Of a request whose redirect target refuses: a signed address may just have expired."""
_BASE_HEADERS = {"User-Agent": "dkp.airgap", "Accept-Encoding": "identity"}
_NO_CREDENTIALS_HINT = (
    "The registry wants credentials and none were given: set license_token, username and password, or auth_file"
)


@dataclass(frozen=True)
class Call:
    """What to ask. `purpose` completes "Cannot ..." in an error; `answers` are the statuses that are results.

    `first` lets it go before waiting transfers. `tries` bounds the repeats without progress (0: the usual number),
    `tried` counts earlier ones of the same work. `patience` is seconds beyond the time-out for the answer's first
    byte. `authorization` is sent where there are no `scopes`.
    """

    purpose: str
    method: str
    target: Target
    scopes: Scopes = ()
    answers: frozenset[int] = OK
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | BodySource | None = None
    first: bool = False
    tries: int = 0
    tried: int = 0
    patience: float = 0.0
    authorization: str | None = None

    @property
    def writes(self) -> bool:
        return self.method not in ("GET", "HEAD") and bool(self.scopes)


@dataclass(frozen=True)
class Answer:
    """A reply whose body was read whole."""

    status: int
    headers: Any
    body: bytes
    target: Target
    foreign: bool

    def all_links(self) -> list[str]:
        return list(self.headers.getlist("Link"))

    def content(self, limit: int) -> bytes:
        """The body as the registry meant it: without a gzip that a proxy put around it, unless that is damaged."""
        if (self.headers.get("Content-Encoding") or "").strip().lower() in ("gzip", "x-gzip"):
            plain = inflate(self.body, limit=limit)
            return self.body if plain is None else plain
        return self.body


class Exchange:
    """Sends calls to one registry. Thread-safe."""

    def __init__(
        self,
        transport: Transport,
        keyring: Keyring,
        *,
        permits: Permits,
        secrets: Secrets,
        counters: Counters,
        stopping: Stopping,
    ) -> None:
        self.own: Origin = transport.own
        self.permits = permits
        self.secrets = secrets
        self.counters = counters
        self.stopping = stopping
        self._transport = transport
        self._backoff = Backoff(stopping)
        self._authorizer = Authorizer(transport.own, keyring, secrets=secrets, ask=self._ask_realm)
        self._reached: set[str] = set()

    @property
    def token_life(self) -> float | None:
        """As Authorizer has it."""
        return self._authorizer.token_life

    def fetch(self, call: Call, *, limit: int) -> Answer:
        """Send `call` and read the whole body, which may have at most `limit` bytes. Raises RegistryError."""
        tries = 0
        while True:
            reply = self.send(call)
            try:
                body = reply.read(limit)
            except TransportFailure as failure:
                tries = self.again(call, failure, tries)
                continue
            finally:
                reply.close()
            if len(body) > limit:
                raise RegistryError(
                    call.purpose,
                    method=call.method,
                    url=call.target.shown,
                    text=f"the answer has more than {limit} bytes",
                    hint="No sound registry answers so; check what is at this address",
                )
            return Answer(reply.status, reply.headers, body, reply.target, reply.foreign)

    def send(self, call: Call) -> Reply:
        """Send `call` until it is answered by one of `call.answers`; the caller closes the reply.

        A permit is held until then. Raises RegistryError, and Stopped.
        """
        tries = refusals = 0
        while True:
            self._backoff.wait(call.target.origin.host)
            header = self._authorizer.header(call.scopes) if call.scopes else call.authorization
            try:
                reply = self._send_once(call, header)
            except TransportFailure as failure:
                tries = self.again(call, failure, tries)
                continue
            if reply.status in call.answers:
                self._note_success(call, reply)
                return reply
            problem = self._problem(reply)
            if problem.status == 401 and call.scopes and not reply.foreign and refusals < _MOST_REFUSALS:
                refusals += 1
                challenges = parse_challenges(reply.all("WWW-Authenticate"))
                if self._authorizer.learn(challenges, call.scopes, used=header):
                    continue
            error = self._error(call, problem, reply)
            tries = self.again(call, error, tries, asked=_asked_pause(reply))

    def again(self, call: Call, error: RegistryError, tries: int, *, asked: float | None = None) -> int:
        """Count one more failed try of `call` and set the host's pause; raise `error` where that was the last one."""
        self.stopping.check()  # it may have broken because of that
        most = _tries_for(call, error, reached=call.target.origin.host in self._reached)
        if most == 0:
            raise error
        tries += 1
        at_once = isinstance(error, TransportFailure) and error.dropped and call.tried + tries == 1
        if not at_once:
            # the first dropped connection is most likely an idle one that the server had closed
            self._backoff.failed(call.target.origin.host, tries=call.tried + tries, asked=asked)
            if isinstance(error, (Throttled, TransportFailure)) or error.status == 503:
                self.permits.troubled()
        if tries >= most:
            raise error
        self.counters.count_retry()
        return tries

    def pause(self, host: str, *, tries: int) -> None:
        """Set the pause for work on `host` that failed for the `tries`-th time for a reason beyond one request."""
        self._backoff.failed(host, tries=tries)
        self.permits.troubled()

    def _send_once(self, call: Call, header: str | None) -> Reply:
        headers = {**_BASE_HEADERS, **call.headers}
        if header is not None:
            headers["Authorization"] = header
        held = bool(call.scopes)
        if held:
            self.permits.acquire(first=call.first)
        try:
            reply = self._transport.send(
                call.method, call.target, headers, body=call.body, patience=call.patience, purpose=call.purpose
            )
        except BaseException:
            if held:
                self.permits.release()
            raise
        if held:
            reply.on_close = self.permits.release
            if call.body is None and not reply.foreign:  # whatever the answer: an empty registry says 404 to all lists
                self.permits.note_latency(reply.seconds)
        self.counters.count(requests=1)
        return reply

    def _note_success(self, call: Call, reply: Reply) -> None:
        self._reached.add(call.target.origin.host)
        if call.scopes:
            self.permits.succeeded()

    def _problem(self, reply: Reply) -> Problem:
        """Read what an answer says that is no result, and close it."""
        self._reached.add(reply.target.origin.host)
        try:
            body = reply.read(LARGEST_ERROR_BODY)
        except TransportFailure:
            body = b""  # the status alone says enough
        finally:
            reply.close()
        return read_problem(reply.status, body, secrets=self.secrets)

    def _error(self, call: Call, problem: Problem, reply: Reply) -> RegistryError:
        if reply.foreign and 400 <= problem.status < 500 and not problem.is_throttled:
            storage = reply.target.origin.authority
            return StorageRefused(
                call.purpose,
                method=call.method,
                url=reply.target.shown,
                status=problem.status,
                text=f"{problem.text} (answered by {storage}, where the registry sent us)".strip(),
            )
        error = error_of(problem, purpose=call.purpose, method=call.method, url=reply.target.shown, writes=call.writes)
        if problem.status == 401 and not self._has_credentials(call):
            return AccessDenied(
                call.purpose,
                method=call.method,
                url=reply.target.shown,
                status=401,
                code=problem.code,
                text=problem.text,
                hint=_NO_CREDENTIALS_HINT,
            )
        return error

    def _has_credentials(self, call: Call) -> bool:
        if call.scopes:
            return self._authorizer.has_credentials(call.scopes)
        return call.authorization is not None or call.body is not None

    def _ask_realm(
        self, method: str, target: Target, *, authorization: str | None, form: bytes | None, answers: frozenset[int]
    ) -> tuple[int, bytes]:
        headers = {"Content-Type": "application/x-www-form-urlencoded"} if form is not None else {}
        call = Call(
            "get a token", method, target, answers=answers, headers=headers, body=form, authorization=authorization
        )
        answer = self.fetch(call, limit=LARGEST_TOKEN_ANSWER)
        return answer.status, answer.body


def _asked_pause(reply: Reply) -> float | None:
    """Retry-After in seconds; a date is measured by the server's own clock."""
    return retry_after(reply.headers.get("Retry-After"), now=moment_of(reply.headers.get("Date")))


def _tries_for(call: Call, error: RegistryError, *, reached: bool) -> int:
    """How often `call` may be sent in all when it fails with `error`; 0 where repeating cannot help."""
    usual = call.tries or pauses.TRIES
    if isinstance(error, Throttled):
        return pauses.THROTTLED_TRIES
    if isinstance(error, StorageRefused):
        return min(usual, _STORAGE_TRIES)
    if isinstance(error, Unavailable):
        return usual
    if isinstance(error, TransportFailure) and error.passing:
        return min(usual, _FIRST_CONTACT_TRIES) if error.unsent and not reached else usual
    return 0
