# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a registry said when it refused: the documented JSON, other JSON, HTML, XML or text, always bounded.

Source: distribution spec "Error Codes"; registry-quirks §12 for what else comes.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from .errors import (
    AccessDenied,
    BlobUnknown,
    DigestMismatch,
    NotFound,
    ReadOnly,
    RegistryError,
    Throttled,
    Unavailable,
)
from .redaction import Secrets, one_line

LARGEST_ERROR_BODY = 64 * 1024
"""Bytes read of an error's body."""
_LONGEST_TEXT = 200
_MOST_DIGESTS = 1000
TRANSIENT = frozenset({408, 425, 429, 499, 500, 502, 503, 504, 520, 521, 522, 523, 524})
"""Statuses after which the same request may succeed (registry-quirks §12)."""
_NOT_FOUND_CODES = frozenset({"MANIFEST_UNKNOWN", "NAME_UNKNOWN", "BLOB_UNKNOWN"})
_READ_ONLY = re.compile(r"read[-_ ]?only|maintenance|garbage[-_ ]?collect", re.IGNORECASE)
_READ_ONLY_STATUSES = frozenset({403, 423, 503})
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}(?![0-9a-f])")
_CODE = re.compile(r"[A-Za-z][A-Za-z0-9_ -]{0,63}")
_TAG = re.compile(r"<(?:script|style)\b.*?</(?:script|style)>|<[^>]*>", re.IGNORECASE | re.DOTALL)
_TITLE = re.compile(r"<title>(.*?)</title>", re.IGNORECASE | re.DOTALL)


@dataclass(frozen=True)
class Problem:
    """An error answer. `code` of the first error or empty, `text` one short line, `digests` named in details."""

    status: int
    code: str
    text: str
    digests: tuple[str, ...] = ()

    @property
    def is_read_only(self) -> bool:
        """Whether this refuses writing for a while (to be asked of writing requests only).

        Distribution in read-only mode knows no writing methods at all: 405, in plain text or as UNSUPPORTED.
        """
        if self.status == 405:
            return True
        return self.status in _READ_ONLY_STATUSES and _READ_ONLY.search(self.text) is not None

    @property
    def is_throttled(self) -> bool:
        return self.status == 429 or self.code == "TOOMANYREQUESTS"

    @property
    def is_transient(self) -> bool:
        return self.status in TRANSIENT or self.is_throttled


def read_problem(status: int, body: bytes, *, secrets: Secrets) -> Problem:
    """Understand the (already bounded) `body` of an error answer. Never raises."""
    text = body[:LARGEST_ERROR_BODY].decode("utf-8", "replace")
    document: Any = None
    if text.lstrip()[:1] in ("{", "["):
        try:
            document = json.loads(text)
        except (ValueError, RecursionError):
            document = None
    code, message, digests = "", "", ()
    if isinstance(document, dict):
        code, message = _code_and_message(document)
        digests = tuple(dict.fromkeys(_DIGEST.findall(text)))[:_MOST_DIGESTS]
    if not message and not code:
        message = _plain(text)
    return Problem(status, code, one_line(secrets.redact(message), longest=_LONGEST_TEXT), digests)


def _code_and_message(document: dict[str, Any]) -> tuple[str, str]:
    errors = document.get("errors")
    for error in errors if isinstance(errors, list) else []:
        if isinstance(error, dict):
            code = error.get("code")
            name = code if isinstance(code, str) and _CODE.fullmatch(code) else ""
            return name.upper(), ": ".join(_texts(error, "message", "detail"))
    return "", ": ".join(_texts(document, "message", "details", "error", "error_description"))


def _texts(document: dict[str, Any], *names: str) -> Iterator[str]:
    for name in names:
        value = document.get(name)
        if isinstance(value, str) and value:
            yield value
        elif isinstance(value, (dict, list)) and value:
            yield json.dumps(value)[: 2 * _LONGEST_TEXT]


def _plain(text: str) -> str:
    if "<" not in text:
        return text
    title = _TITLE.search(text)
    return html.unescape(title.group(1) if title and title.group(1).strip() else _TAG.sub(" ", text))


def error_of(problem: Problem, *, purpose: str, method: str, url: str, writes: bool) -> RegistryError:
    """The exception for `problem`; `writes` tells whether the request would have changed the registry."""
    facts: dict[str, Any] = {
        "method": method,
        "url": url,
        "status": problem.status,
        "code": problem.code,
        "text": problem.text,
    }
    if writes and problem.is_read_only:
        return ReadOnly(purpose, **facts)
    if problem.is_throttled:
        return Throttled(purpose, **facts)
    if problem.code == "MANIFEST_BLOB_UNKNOWN":
        return BlobUnknown(purpose, digests=problem.digests, **facts)
    if problem.code == "DIGEST_INVALID":
        return DigestMismatch(purpose, **facts)
    if problem.code in _NOT_FOUND_CODES or problem.status == 404:
        return NotFound(purpose, **facts)
    if problem.status in (401, 403):
        return _denied(purpose, facts)
    if problem.is_transient:
        return Unavailable(purpose, **facts)
    return RegistryError(purpose, hint=_hint(problem), **facts)


def _denied(purpose: str, facts: dict[str, Any]) -> AccessDenied:
    if "quota" in facts["text"].lower():
        return AccessDenied(purpose, hint="The registry's quota is used up; raise it or make room", **facts)
    meaning = "The credentials were refused" if facts["status"] == 401 else "The credentials give no right to this"
    return AccessDenied(purpose, hint=f"{meaning}. {AccessDenied.hint}", **facts)


def _hint(problem: Problem) -> str:
    if problem.status == 400 and re.search("HTTPS (server|port)", problem.text):
        return "The other side speaks TLS: leave scheme at https"
    if problem.status == 507:
        return "The registry has no room left; make room and repeat the run"
    if problem.status == 413:
        return "A proxy before the registry limits the size of requests; raise its limit (nginx: client_max_body_size)"
    if problem.status == 412:
        return "A policy of the registry forbids this (immutable tag, signature or vulnerability rule)"
    if problem.status == 407:
        return "The proxy wants credentials: put them into the proxy's address in the environment"
    return ""
