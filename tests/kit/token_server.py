# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later


"""A token server as docker's authentication specification describes it; real registries check what it signs."""

from __future__ import annotations

import base64
import json
import subprocess
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import parse_qs, urlsplit

from .certificates import Authority

_SERVICE = "tests-registry"
_ISSUER = "tests-issuer"
_LEEWAY = 60
"""Seconds for which Distribution goes on accepting a token that has expired; taken off, so that `life` is exact."""


@dataclass(frozen=True)
class TokenRequest:
    """One request for a token: the `scopes` asked for, the `user` it named, and whether it was granted."""

    scopes: tuple[str, ...]
    user: str
    granted: bool


class TokenServer:
    """Issues tokens to `users` (name to password; none: to everyone) that a registry takes for `life` seconds.

    `told_life` is what ``expires_in`` says where it differs (a token that dies before the client expects it); 0 leaves
    the field out.
    `field` is the name of the token in the answer (``token`` or ``access_token``).
    `read_only_users` are granted no more than ``pull``.
    """

    def __init__(
        self,
        directory: Path,
        *,
        users: Mapping[str, str] | None = None,
        read_only_users: tuple[str, ...] = (),
        life: float = 300,
        told_life: int | None = None,
        field: str = "token",
    ) -> None:
        self._authority = Authority(directory / "token-authority")
        self._certificate = self._authority.issue("token-signer")
        self._users, self._read_only_users = dict(users or {}), read_only_users
        self.life = life
        self.told_life = told_life
        self._field = field
        self._lock = threading.Lock()
        self.requests: list[TokenRequest] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler_of(self))
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    @property
    def realm(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}/token"

    def registry_settings(self) -> Mapping[str, Any]:
        """What a registry has below ``auth: token``."""
        bundle = str(self._authority.path)
        return {"realm": self.realm, "service": _SERVICE, "issuer": _ISSUER, "rootcertbundle": bundle}

    def __enter__(self) -> TokenServer:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def answer(self, query: Mapping[str, list[str]], authorization: str) -> tuple[int, dict[str, Any]]:
        """Status and document for one request; it is remembered in `requests`."""
        user, password = _basic(authorization)
        granted = not self._users or self._users.get(user) == password
        scopes = tuple(scope for value in query.get("scope", []) for scope in value.split())
        with self._lock:
            self.requests.append(TokenRequest(scopes, user, granted))
        if not granted:
            return 401, {"errors": [{"code": "UNAUTHORIZED", "message": "incorrect username or password"}]}
        document: dict[str, Any] = {self._field: self._token(user, scopes)}
        told = round(self.life) if self.told_life is None else self.told_life
        if told:
            document["expires_in"] = told
        return 200, document

    def _token(self, user: str, scopes: tuple[str, ...]) -> str:
        now = time.time()
        access = [_access(scope, pull_only=user in self._read_only_users) for scope in scopes]
        claims = {
            "iss": _ISSUER,
            "sub": user,
            "aud": _SERVICE,
            "iat": int(now),
            "nbf": int(now) - 3600,
            "exp": int(now + self.life) - _LEEWAY,
            "jti": f"{now}",
            "access": access,
        }
        lines = self._certificate.path.read_text().splitlines()
        header = {"typ": "JWT", "alg": "RS256", "x5c": ["".join(line for line in lines if "-----" not in line)]}
        signed = f"{_encoded(json.dumps(header).encode())}.{_encoded(json.dumps(claims).encode())}"
        command = ["openssl", "dgst", "-sha256", "-sign", str(self._certificate.key)]
        signature = subprocess.run(command, input=signed.encode(), check=True, capture_output=True).stdout
        return f"{signed}.{_encoded(signature)}"


def _handler_of(tokens: TokenServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            query = parse_qs(urlsplit(self.path).query)
            status, document = tokens.answer(query, self.headers.get("Authorization", ""))
            body = json.dumps(document).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
            """Silence: `TokenServer.requests` is the log."""

    return Handler


def _access(scope: str, *, pull_only: bool) -> dict[str, Any]:
    """``repository:<name>:<actions>`` as a claim; the name may hold a host with a port."""
    kind, rest = scope.split(":", 1)
    name, _unused, actions = rest.rpartition(":")
    granted = [action for action in actions.split(",") if action == "pull" or not pull_only]
    return {"type": kind, "name": name, "actions": granted}


def _basic(authorization: str) -> tuple[str, str]:
    kind, _unused, value = authorization.partition(" ")
    if kind.lower() != "basic":
        return "", ""
    user, _unused, password = base64.b64decode(value).decode().partition(":")
    return user, password


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
