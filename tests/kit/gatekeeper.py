# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later


"""Who may do what on a `FaultyRegistry`: Basic, and Bearer with a token endpoint of its own."""

from __future__ import annotations

import base64
import json
import re
import threading
import time
from dataclasses import dataclass
from urllib.parse import parse_qs

from .behaviour import ABSOLUTE, RELATIVE, Basic, Bearer
from .content import Literal
from .faults import Answer, Request, error_answer

_NAME = re.compile(r"/v2/(.+)/(?:manifests|blobs|tags)/")


@dataclass(frozen=True)
class _Token:
    expires: float
    scopes: frozenset[tuple[str, str]]
    """Repository and action."""


class Gatekeeper:
    """Checks requests against `rules`; `base_url` is where clients reach the registry."""

    def __init__(self, rules: Basic | Bearer | None, *, base_url: str) -> None:
        self.rules = rules
        self._base_url = base_url
        self._lock = threading.Lock()
        self._tokens: dict[str, _Token] = {}
        self._issued = 0

    def expire_tokens(self) -> None:
        """No token issued so far is accepted any more."""
        with self._lock:
            self._tokens.clear()

    def refusal(self, request: Request) -> Answer | None:
        """The 401 for a request that may not pass, else None."""
        given = request.headers.get("authorization", "")
        if self.rules is None:
            return None
        if isinstance(self.rules, Basic):
            if given == _basic(self.rules.username, self.rules.password):
                return None
            return _unauthorized('Basic realm="tests"')
        if request.path == "/v2/" and not self.rules.checks_root:
            return None
        needed = _needed(request)
        with self._lock:
            token = self._tokens.get(given.partition(" ")[2]) if given.startswith("Bearer ") else None
        if token is None or token.expires < time.monotonic():
            return self._challenge(needed)
        if self.rules.checks_scope and not needed <= token.scopes:
            return self._challenge(needed, error="insufficient_scope")
        return None

    def token_answer(self, request: Request) -> Answer:
        """The answer of the token endpoint: GET with scopes in the query."""
        rules = self.rules
        if not isinstance(rules, Bearer) or request.method != "GET":
            return error_answer(404, "NOT_FOUND")
        if rules.username and request.headers.get("authorization") != _basic(rules.username, rules.password):
            return error_answer(401, "UNAUTHORIZED", "incorrect username or password")
        asked = [
            scope for value in parse_qs(request.target.partition("?")[2]).get("scope", []) for scope in value.split()
        ]
        granted = {
            pair for scope in (asked[:1] if rules.first_scope_only else asked) for pair in _pairs(scope)
            if not (rules.pull_only and pair[1] != "pull")
        }  # fmt: skip
        with self._lock:
            self._issued += 1
            name = f"token-{self._issued}-of-the-tests-registry"
            self._tokens[name] = _Token(time.monotonic() + rules.life, frozenset(granted))
        document: dict[str, object] = {rules.field: name}
        told = round(rules.life) if rules.told_life is None else rules.told_life
        if told:
            document["expires_in"] = told
        return Answer(200, {"Content-Type": "application/json"}, Literal(json.dumps(document).encode()))

    def _challenge(self, needed: set[tuple[str, str]], *, error: str = "") -> Answer:
        assert isinstance(self.rules, Bearer)
        host = self._base_url.partition("://")[2]
        realms = {ABSOLUTE: f"{self._base_url}/token", RELATIVE: "/token", "null": f"null://{host}/token"}
        text = f'Bearer realm="{realms[self.rules.realm]}",service="tests-registry"'
        names = sorted({name for name, _unused in needed})
        scopes = (
            f"repository:{name}:{','.join(sorted(action for n, action in needed if n == name))}" for name in names
        )
        text += f',scope="{" ".join(scopes)}"' if names else ""
        text += f',error="{error}"' if error else ""
        return _unauthorized(*(['Basic realm="tests"'] if self.rules.with_basic else []), text)


def _unauthorized(*challenges: str) -> Answer:
    answer = error_answer(401, "UNAUTHORIZED", "authentication required")
    return answer.with_headers(WWW_Authenticate="\n".join(challenges))


def _needed(request: Request) -> set[tuple[str, str]]:
    match = _NAME.match(request.path)
    if not match:
        return set()
    actions = ("pull",) if request.method in ("GET", "HEAD") else ("pull", "push")
    needed = {(match[1], action) for action in actions}
    mounted_from = parse_qs(request.target.partition("?")[2]).get("from")
    return needed | ({(mounted_from[0], "pull")} if mounted_from else set())


def _pairs(scope: str) -> set[tuple[str, str]]:
    name, _unused, actions = scope.partition(":")[2].rpartition(":")
    return {(name, action) for action in actions.split(",")}


def _basic(username: str, password: str) -> str:
    return f"Basic {base64.b64encode(f'{username}:{password}'.encode()).decode()}"
