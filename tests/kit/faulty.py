# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later


"""A registry in this process that does what real ones do not do on demand.

>>> with FaultyRegistry(build(SMALL)) as registry:
...     registry.fail(Reset(after=1000), method="GET", path=r"/blobs/")
...     ...                                        # pull from registry.host over plain HTTP
...     assert registry.count("GET", r"/blobs/") == 2
"""

from __future__ import annotations

import re
import ssl
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType

from .behaviour import Basic, Bearer, Behaviour
from .certificates import Certificate
from .faults import Action, Answer, EarlyStatus, Request, Status
from .gatekeeper import Gatekeeper
from .routes import Routes
from .store import Store
from .tree import Tree
from .wire import Exchange, Listener

_NOTHING = Action()


@dataclass
class Rule:
    """When an action applies: to matching requests after the first `skip`, `times` times, within `seconds`."""

    action: Action
    method: re.Pattern[str]
    path: re.Pattern[str]
    times: int | None
    skip: int
    seconds: float | None
    also: Callable[[], object] | None
    matches: int = 0
    hits: int = 0
    """How often the action was applied."""
    until: float | None = None

    def applies(self, request: Request) -> bool:
        """Whether the action is to be applied to `request`; counts."""
        if not self.method.fullmatch(request.method) or not self.path.search(request.target):
            return False
        self.matches += 1
        if self.matches <= self.skip or (self.times is not None and self.hits >= self.times):
            return False
        if self.seconds is not None:
            self.until = self.until or time.monotonic() + self.seconds
            if time.monotonic() > self.until:
                return False
        self.hits += 1
        return True


class FaultyRegistry:
    """A registry at ``127.0.0.1:<port>`` that holds `content` (a tree, a store, or nothing), as a context manager.

    `behaviour` is how it is all the time (it may be replaced while it runs), `fail` says what goes wrong now and then,
    `auth` asks for credentials, with `certificate` it speaks HTTPS. Redirected blobs are served by a second
    host (another port), the storage host.
    """

    def __init__(
        self,
        content: Tree | Store | None = None,
        *,
        behaviour: Behaviour | None = None,
        auth: Basic | Bearer | None = None,
        certificate: Certificate | None = None,
    ) -> None:
        self.store = content if isinstance(content, Store) else Store()
        if isinstance(content, Tree):
            self.store.add_tree(content)
        self.exchanges: list[Exchange] = []
        """Every request so far, those to the storage host among them, in the order in which they came."""
        self._rules: list[Rule] = []
        self._lock = threading.Lock()
        context = None
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate.path, certificate.key)
        self._listener = Listener("registry", _Front(self), context=context)
        self._storage = Listener("storage", _Storage(self), context=context)
        self._gatekeeper = Gatekeeper(auth, base_url=self.url)
        self.routes = Routes(self.store, behaviour or Behaviour(), base_url=self.url, storage_url=self._storage.url)

    @property
    def host(self) -> str:
        """``127.0.0.1:<port>``, what stands before the first slash of ``images_repo``."""
        return self._listener.host

    @property
    def url(self) -> str:
        return self._listener.url

    @property
    def storage_host(self) -> str:
        return self._storage.host

    @property
    def behaviour(self) -> Behaviour:
        return self.routes.behaviour

    @behaviour.setter
    def behaviour(self, behaviour: Behaviour) -> None:
        self.routes.behaviour = behaviour

    def __enter__(self) -> FaultyRegistry:
        self._listener.start()
        self._storage.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._listener.stop()
        self._storage.stop()

    def fail(
        self,
        action: Action,
        *,
        method: str = "",
        path: str = "",
        times: int | None = 1,
        skip: int = 0,
        seconds: float | None = None,
        also: Callable[[], object] | None = None,
    ) -> Rule:
        """Apply `action` to requests with `method` (a regular expression for all of it, ``""`` is any) in whose path
        and query the expression `path` is found: after the first `skip` of them, `times` times (None: always),
        within `seconds` of the first.

        Of several rules the one made last wins. `also` is called before the answer goes out. Rules see only requests
        that passed authentication, and those of the token endpoint.
        """
        rule = Rule(action, re.compile(method or ".*"), re.compile(path), times, skip, seconds, also)
        with self._lock:
            self._rules.insert(0, rule)
        return rule

    def heal(self) -> None:
        """Drop all rules."""
        with self._lock:
            self._rules.clear()

    def expire_tokens(self) -> None:
        """No token issued so far is accepted any more."""
        self._gatekeeper.expire_tokens()

    def requests(self, method: str = "", path: str = "", *, host: str = "registry") -> list[Exchange]:
        """The exchanges with `method` and `path` as for `fail`, with the registry or with ``storage``."""
        with self._lock:
            exchanges = list(self.exchanges)
        return [
            one
            for one in exchanges
            if one.host == host and re.fullmatch(method or ".*", one.method) and re.search(path, one.target)
        ]

    def count(self, method: str = "", path: str = "", *, host: str = "registry") -> int:
        """How many `requests` there were."""
        return len(self.requests(method, path, host=host))

    def peak(self, path: str = "") -> int:
        """The most requests (with `path`) that were under way at one time."""
        found = self.requests(path=path)
        ends = [(one.ended, -1) for one in found if one.ended is not None]
        events = sorted([(one.started, 1) for one in found] + ends)
        most = under_way = 0
        for _unused, change in events:
            under_way += change
            most = max(most, under_way)
        return most

    def _action_for(self, head: Request) -> Action:
        if head.path != "/token" and self._gatekeeper.refusal(head):
            return _NOTHING
        with self._lock:
            rule = next((rule for rule in self._rules if rule.applies(head)), None)
        if rule:
            return _Noticed(rule.action, rule.also) if rule.also else rule.action
        limit = self.behaviour.largest_body
        if limit and int(head.headers.get("content-length", "0")) > limit:
            return EarlyStatus(413, text="<html><h1>413 Request Entity Too Large</h1></html>")
        return _NOTHING

    def _respond(self, request: Request) -> Answer:
        time.sleep(self.behaviour.latency)
        answer = self._answered(request)
        return answer.with_headers(Set_Cookie="session=trap; Path=/") if self.behaviour.cookie_trap else answer

    def _answered(self, request: Request) -> Answer:
        if self.behaviour.cookie_trap and "cookie" in request.headers:
            return Status(403, code="FORBIDDEN", text="CSRF token invalid").answer()
        if request.path == "/token":
            return self._gatekeeper.token_answer(request)
        return self._gatekeeper.refusal(request) or self.routes.answer(request)

    def _record(self, exchange: Exchange) -> None:
        with self._lock:
            self.exchanges.append(exchange)


class _Noticed(Action):
    """An action that calls something before its answer goes out."""

    def __init__(self, action: Action, also: Callable[[], object]) -> None:
        self._action, self._also = action, also
        self.reads_body_until, self.answers_early = action.reads_body_until, action.answers_early

    def on_request(self, request: Request) -> Request | Answer:
        return self._action.on_request(request)

    def on_answer(self, answer: Answer) -> Answer:
        self._also()
        return self._action.on_answer(answer)


class _Front:
    """The registry's own host."""

    def __init__(self, registry: FaultyRegistry) -> None:
        self._registry = registry

    def action_for(self, head: Request) -> Action:
        return self._registry._action_for(head)

    def respond(self, request: Request) -> Answer:
        return self._registry._respond(request)

    def record(self, exchange: Exchange) -> None:
        self._registry._record(exchange)


class _Storage(_Front):
    """The storage host; nothing goes wrong there by rule."""

    def action_for(self, head: Request) -> Action:
        return _NOTHING

    def respond(self, request: Request) -> Answer:
        return self._registry.routes.storage_answer(request)
