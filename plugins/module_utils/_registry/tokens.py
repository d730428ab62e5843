# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Bearer tokens: asked for once per set of rights, renewed before they end (registry-quirks §4)."""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

from .errors import AccessDenied

LARGEST_TOKEN_ANSWER = 256 * 1024
_DEFAULT_LIFE = 60.0
_LONGEST_LIFE = 24 * 3600.0
_RESERVE = 10.0
_REFUSAL_MEMORY = 2.0
"""Seconds for which a refusal answers the other workers that wait for the same token."""
_TOKEN = re.compile(r"[\x21-\x7e]+")


class TokenKey(NamedTuple):
    """What a token is good for: it must never be used for anything else."""

    realm: str
    service: str
    scopes: tuple[str, ...]
    username: str


@dataclass(frozen=True)
class Token:
    """A bearer token and how many seconds it lives, counted from when it was asked for."""

    text: str = field(repr=False)
    life: float


def read_token(body: bytes) -> Token | None:
    """Read a token endpoint's answer: `token` or `access_token`, `expires_in` if any. None if it holds no token.

    `issued_at` is not used: clocks differ, and the own one is enough when it starts before the request.
    """
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return None
    if not isinstance(document, dict):
        return None
    for name in ("token", "access_token"):
        text = document.get(name)
        if isinstance(text, str) and _TOKEN.fullmatch(text):
            return Token(text, _life(document.get("expires_in")))
    return None


def _life(value: object) -> float:
    try:
        seconds = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        return _DEFAULT_LIFE
    return min(seconds, _LONGEST_LIFE) if seconds > 0 else _DEFAULT_LIFE


class _Slot:
    """The newest token for one key; `lock` lets one worker fetch while the others wait for the result."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.header: str | None = None
        self.renew_at = 0.0
        self.refusal: AccessDenied | None = None
        self.refused_at = 0.0


class TokenCache:
    """Authorization headers by TokenKey. Thread-safe; one fetch at a time for one key."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._slots: dict[TokenKey, _Slot] = {}

    def header(self, key: TokenKey, fetch: Callable[[], Token]) -> str:
        """The Authorization header for `key`; calls `fetch` where there is none that lives long enough."""
        slot = self._slots.get(key)
        if slot is None:
            with self._lock:
                slot = self._slots.setdefault(key, _Slot())
        header = slot.header
        if header is not None and self._clock() < slot.renew_at:
            return header
        with slot.lock:
            now = self._clock()
            if slot.header is not None and now < slot.renew_at:
                return slot.header
            if slot.refusal is not None and now - slot.refused_at < _REFUSAL_MEMORY:
                raise slot.refusal
            try:
                token = fetch()
            except AccessDenied as error:
                slot.refusal, slot.refused_at = error, self._clock()
                raise
            slot.renew_at = now + token.life - min(_RESERVE, token.life / 4)
            slot.header = f"Bearer {token.text}"
            return slot.header

    def discard(self, key: TokenKey, header: str) -> None:
        """Forget the token of `key` if it is still the one that was refused."""
        slot = self._slots.get(key)
        if slot is not None and slot.header == header:
            slot.header = None
