# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which Authorization header a request gets: none, Basic, or a Bearer token of the realm the registry names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol
from urllib.parse import urlencode

from .challenge import Challenge
from .credentials import Credentials, Keyring
from .errors import AccessDenied, RegistryError
from .locations import BadLocation, Origin, Target, is_forbidden_address, resolve, with_query
from .redaction import Secrets
from .tokens import Token, TokenCache, TokenKey, read_token

_CLIENT = "dkp.airgap"
_NO_REFRESH = frozenset({400, 401, 404, 405})
"""Answers to a refresh-token POST after which the token endpoint is asked by GET (registry-quirks §4)."""


class Scope(NamedTuple):
    """A right on a repository: `actions` is ``pull`` or ``pull,push``."""

    repository: str
    actions: str

    def __str__(self) -> str:
        return f"repository:{self.repository}:{self.actions}"


Scopes = tuple[Scope, ...]


class AskRealm(Protocol):
    """Sends one request to a token endpoint, with all the retries, and returns status and (bounded) body."""

    def __call__(
        self, method: str, target: Target, *, authorization: str | None, form: bytes | None, answers: frozenset[int]
    ) -> tuple[int, bytes]:
        """Ask the realm of `target`."""


@dataclass(frozen=True)
class Realm:
    """A token endpoint as a challenge named it."""

    target: Target
    service: str


class Authorizer:
    """Learns from challenges how one registry wants to be asked. Thread-safe: its state only moves forward."""

    def __init__(self, origin: Origin, keyring: Keyring, *, secrets: Secrets, ask: AskRealm) -> None:
        self._origin = origin
        self._keyring = keyring
        self._secrets = secrets
        self._ask = ask
        self._cache = TokenCache()
        self._realm: Realm | None = None
        self._basic = False
        self._wider: dict[Scopes, tuple[str, ...]] = {}
        self.token_life: float | None = None
        """Seconds that the shortest-lived token lives that was given out so far."""

    def header(self, scopes: Scopes) -> str | None:
        """The header for a request that needs `scopes`; None where nothing was asked for yet."""
        realm = self._realm
        if realm is not None:
            key = self._key(realm, scopes)
            return self._cache.header(key, lambda: self._fetch(realm, key))
        if self._basic:
            credentials = self._keyring.find(scopes[0].repository)
            return credentials.basic if credentials else None
        return None

    def learn(self, challenges: Sequence[Challenge], scopes: Scopes, *, used: str | None) -> bool:
        """Take in the challenges of a 401; whether asking again with another header makes sense.

        `used` is the header that was refused. Raises AccessDenied for a realm that must not be asked.
        """
        bearer = next((one for one in challenges if one.scheme == "bearer" and one.parameters.get("realm")), None)
        if bearer is not None:
            self._learn_bearer(bearer, scopes, used)
            return True
        if any(one.scheme == "basic" for one in challenges):
            credentials = self._keyring.find(scopes[0].repository)
            self._realm, self._basic = None, True
            return credentials is not None and credentials.basic != used
        return False

    def has_credentials(self, scopes: Scopes) -> bool:
        return self._keyring.find(scopes[0].repository) is not None

    def _learn_bearer(self, challenge: Challenge, scopes: Scopes, used: str | None) -> None:
        target = self._realm_target(challenge.parameters["realm"])
        realm = Realm(target, challenge.parameters.get("service", ""))
        self._realm = realm
        if used is None or not used.startswith("Bearer "):
            return
        # a token was refused: it is old, or it lacks what the challenge names
        self._cache.discard(self._key(realm, scopes), used)
        named = challenge.parameters.get("scope", "").split()
        missing = tuple(scope for scope in named[:4] if scope not in {str(own) for own in scopes})
        if missing:
            self._wider[scopes] = missing

    def _key(self, realm: Realm, scopes: Scopes) -> TokenKey:
        credentials = self._keyring.find(scopes[0].repository)
        named = (*map(str, scopes), *self._wider.get(scopes, ()))
        return TokenKey(realm.target.url, realm.service, named, credentials.username if credentials else "")

    def _realm_target(self, text: str) -> Target:
        """Where tokens are asked for. A relative realm, or one like ``null://``, belongs to the registry itself."""
        base = Target(self._origin, "/v2/")
        scheme, mark, rest = text.partition("://")
        if mark and scheme.lower() not in ("http", "https"):
            text = "/" + rest.partition("/")[2]
        try:
            target = resolve(base, text)
        except BadLocation as error:
            raise AccessDenied(
                "ask for a token", text=str(error), hint="The registry names a realm of no use"
            ) from error
        if target.origin.scheme == "http" and self._origin.scheme == "https":
            if target.origin.host == self._origin.host:
                return Target(self._origin, target.path)
            raise AccessDenied(
                "ask for a token",
                text=f"the registry names the realm {target.shown}, which would get the credentials unencrypted",
                hint="The registry's token realm must be an https address",
            )
        if target.origin.host != self._origin.host and is_forbidden_address(target.origin.host):
            raise AccessDenied("ask for a token", text=f"the registry names the realm {target.shown}")
        return target

    def _fetch(self, realm: Realm, key: TokenKey) -> Token:
        repository = key.scopes[0].split(":")[1]
        credentials = self._keyring.find(repository)
        token = None
        if credentials is not None and credentials.identity_token:
            token = self._refresh(realm, key, credentials)
        if token is None:
            token = self._get(realm, key, credentials)
        self._secrets.add_token(token.text)
        self.token_life = token.life if self.token_life is None else min(self.token_life, token.life)
        return token

    def _refresh(self, realm: Realm, key: TokenKey, credentials: Credentials) -> Token | None:
        form = urlencode(
            {
                "grant_type": "refresh_token",
                "service": realm.service,
                "client_id": _CLIENT,
                "scope": " ".join(key.scopes),
                "refresh_token": credentials.identity_token,
            }
        )
        answers = frozenset({200}) | _NO_REFRESH
        status, body = self._ask("POST", realm.target, authorization=None, form=form.encode(), answers=answers)
        return read_token(body) if status == 200 else None

    def _get(self, realm: Realm, key: TokenKey, credentials: Credentials | None) -> Token:
        query = [("service", realm.service)] if realm.service else []
        query += [("scope", scope) for scope in key.scopes]
        if credentials is not None and credentials.username:
            query.append(("account", credentials.username))
        target = with_query(realm.target, urlencode(query))
        authorization = credentials.basic if credentials else None
        status, body = self._ask("GET", target, authorization=authorization, form=None, answers=frozenset({200}))
        token = read_token(body)
        if token is None:
            raise RegistryError(
                "ask for a token",
                method="GET",
                url=realm.target.shown,
                status=status,
                text="the answer holds no token",
                hint="The registry's token endpoint does not work as the distribution spec says",
            )
        return token
