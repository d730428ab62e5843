# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Looks at what a registry is and lets us do, and leaves nothing behind (registry-quirks §19).

What is asked here is not repeated for minutes like the real work: the answer itself is what is wanted.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from .._oci.digest import digest_of
from .._oci.manifest import Manifest
from .authorization import Scope
from .backoff import moment_of
from .challenge import parse_challenges
from .credentials import Keyring
from .errors import AccessDenied, RegistryError
from .exchange import Call, Exchange
from .kinds import ZOT, kind_of
from .locations import BadLocation, Target, upload_location
from .problems import LARGEST_ERROR_BODY
from .redaction import one_line

_ANYTHING = frozenset({200, 202, 204, 301, 302, 303, 307, 400, 401, 403, 404, 405, 410, 501})
_TRIES = 2
NO_MANIFEST = digest_of(b"dkp.airgap asks whether manifests may be deleted; there is none of this digest")
_LONGEST_PATTERN, _MOST_PATTERNS = 100, 20
ALLOWED, DENIED, UNSUPPORTED = "allowed", "denied", "unsupported"


@dataclass(frozen=True)
class Greeting:
    """The answer to ``/v2/``. `headers` have lower-case names; `schemes` are the ways to authenticate; `skew`: seconds
    that the server's clock is ahead."""

    status: int
    schemes: tuple[str, ...]
    headers: Mapping[str, str]
    kind: str
    skew: float | None


@dataclass(frozen=True)
class Quota:
    """Bytes that a project may have (None: as many as there is room for) and has."""

    limit: int | None
    used: int


@dataclass(frozen=True)
class HarborProject:
    """What Harbor tells of a project; None is what it did not tell. `fixed`: patterns of tags that cannot move."""

    quota: Quota | None
    fixed: tuple[str, ...] | None
    retention: bool | None


class Probing:
    """Questions to one registry. Safe to use from many threads."""

    def __init__(self, exchange: Exchange, keyring: Keyring, *, clock: Callable[[], float] = time.time) -> None:
        self._exchange = exchange
        self._keyring = keyring
        self._clock = clock

    @property
    def token_life(self) -> float | None:
        """Seconds that the shortest-lived token lives that was given out so far; None without tokens."""
        return self._exchange.token_life

    def is_anonymous(self, repository: str) -> bool:
        """Whether there are no credentials for `repository`."""
        return self._keyring.find(repository) is None

    def greet(self) -> Greeting:
        """Ask ``/v2/`` without credentials. Raises RegistryError where no registry can be reached."""
        answer = self._exchange.fetch(self._plain("greet the registry", "/v2/"), limit=LARGEST_ERROR_BODY)
        headers = {name.lower(): value for name, value in answer.headers.items()}
        challenges = parse_challenges(answer.headers.getlist("WWW-Authenticate"))
        kind = kind_of(self._exchange.own.host, headers, challenges)
        if not kind and "_zot" in json.dumps(self._json("/v2/_oci/ext/discover", None)):
            kind = ZOT
        moment = moment_of(headers.get("date"))
        schemes = tuple(challenge.scheme for challenge in challenges)
        return Greeting(answer.status, schemes, headers, kind, None if moment is None else moment - self._clock())

    def open_upload(self, repository: str) -> bool:
        """Open an upload and cancel it; whether it could be cancelled. Raises RegistryError where it is refused."""
        purpose = f"open an upload to {repository}"
        target = Target(self._exchange.own, f"/v2/{repository}/blobs/uploads/")
        answer = self._exchange.fetch(
            Call(
                purpose,
                "POST",
                target,
                scopes=(Scope(repository, "pull,push"),),
                answers=frozenset({201, 202}),
                headers={"Content-Length": "0"},
                tries=_TRIES,
            ),
            limit=LARGEST_ERROR_BODY,
        )
        try:
            location = upload_location(answer.target, answer.headers.get("Location") or "")
        except BadLocation as error:
            raise RegistryError(purpose, method="POST", url=target.shown, status=202, text=str(error)) from error
        return self._cancel(repository, location)

    def _cancel(self, repository: str, location: Target) -> bool:
        scopes = (Scope(repository, "delete,pull,push"),) if location.origin == self._exchange.own else ()
        call = Call(
            f"cancel an upload to {repository}", "DELETE", location, scopes=scopes, answers=_ANYTHING, tries=_TRIES
        )
        try:
            return self._exchange.fetch(call, limit=LARGEST_ERROR_BODY).status in (200, 202, 204)
        except RegistryError:
            return False  # registries clear abandoned sessions away by themselves (registry-quirks §10)

    def deletion(self, repository: str) -> str:
        """Whether manifests could be deleted, by asking for one that is not there. Raises RegistryError."""
        call = Call(
            f"ask whether {repository} allows deletion",
            "DELETE",
            Target(self._exchange.own, f"/v2/{repository}/manifests/{NO_MANIFEST}"),
            scopes=(Scope(repository, "delete,pull,push"),),
            answers=frozenset({200, 202, 204, 400, 403, 404, 405, 501}),
            tries=_TRIES,
        )
        try:
            status = self._exchange.fetch(call, limit=LARGEST_ERROR_BODY).status
        except AccessDenied:
            return DENIED
        return {400: UNSUPPORTED, 405: UNSUPPORTED, 501: UNSUPPORTED, 403: DENIED}.get(status, ALLOWED)

    def put_again(self, repository: str, tag: str, manifest: Manifest) -> None:
        """Write to a tag what it points at already. Raises RegistryError where that is refused."""
        call = Call(
            f"write {repository}:{tag} again",
            "PUT",
            Target(self._exchange.own, f"/v2/{repository}/manifests/{tag}"),
            scopes=(Scope(repository, "pull,push"),),
            answers=frozenset({200, 201, 202, 204}),
            headers={"Content-Type": manifest.media_type, "Content-Length": str(len(manifest.raw))},
            body=manifest.raw,
            tries=_TRIES,
        )
        self._exchange.fetch(call, limit=LARGEST_ERROR_BODY)

    def harbor_project(self, project: str) -> HarborProject:
        """What Harbor's own API tells these credentials of a project; it may be nothing."""
        path = f"/api/v2.0/projects/{quote(project, safe='')}"
        rules = self._json(f"{path}/immutabletagrules", project)
        settings = self._json(path, project)
        metadata = settings.get("metadata") if isinstance(settings, dict) else None
        return HarborProject(
            quota=_quota(self._json(f"{path}/summary", project)),
            fixed=_patterns(rules) if isinstance(rules, list) else None,
            retention=bool(metadata.get("retention_id")) if isinstance(metadata, dict) else None,
        )

    def _json(self, path: str, repository: str | None) -> Any:
        """What lies beside the distribution API; None where it says nothing of use."""
        credentials = self._keyring.find(repository) if repository is not None else None
        call = self._plain("ask the registry about itself", path, credentials.basic if credentials else None)
        try:
            answer = self._exchange.fetch(call, limit=LARGEST_ERROR_BODY)
            return json.loads(answer.body) if answer.status == 200 and not answer.foreign else None
        except (RegistryError, ValueError, RecursionError):
            return None  # what a registry does not tell stays unknown

    def _plain(self, purpose: str, path: str, authorization: str | None = None) -> Call:
        target = Target(self._exchange.own, path)
        return Call(purpose, "GET", target, answers=_ANYTHING, tries=_TRIES, authorization=authorization)


def _quota(summary: object) -> Quota | None:
    quota = summary.get("quota") if isinstance(summary, dict) else None
    hard, used = (_storage(quota, name) for name in ("hard", "used"))
    if used is None or hard is None:
        return None
    return Quota(hard if hard >= 0 else None, used)


def _patterns(rules: list[object]) -> tuple[str, ...]:
    """The tags that enabled rules of immutability are about."""
    found = []
    for rule in rules:
        if isinstance(rule, dict) and not rule.get("disabled"):
            selectors = rule.get("tag_selectors")
            for selector in selectors if isinstance(selectors, list) else []:
                if isinstance(selector, dict):
                    excluded = "all but " if selector.get("decoration") == "excludes" else ""
                    found.append(f"{excluded}{one_line(str(selector.get('pattern')), longest=_LONGEST_PATTERN)}")
    return tuple(found[:_MOST_PATTERNS])


def _storage(quota: object, name: str) -> int | None:
    part = quota.get(name) if isinstance(quota, dict) else None
    number = part.get("storage") if isinstance(part, dict) else None
    return number if isinstance(number, int) and not isinstance(number, bool) else None
