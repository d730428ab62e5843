# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Secrets, and text from outside made fit to be shown."""

from __future__ import annotations

import base64
import re
import threading
from urllib.parse import quote

MASK = "********"
_SHORTEST = 3
"""Characters; masking shorter ones would tell more than it hides."""
_MOST_TOKENS = 256
_SIGNED_QUERY = re.compile(r"(https?://[^\s\"'<>?]+)\?[^\s\"'<>]+")
_AUTHORIZATION = re.compile(r"\b(Basic|Bearer)\s+[A-Za-z0-9._~+/=-]{8,}", re.IGNORECASE)
_PARAMETER = re.compile(
    r"((?:X-Amz-[A-Za-z-]+|AWSAccessKeyId|Signature|sig|access_token|refresh_token|token)=)[^&\s\"'<>]+", re.IGNORECASE
)
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069]+")


class Secrets:
    """All that must never be shown: kept from every text that leaves the registry layer. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._values: set[str] = set()
        self._hidden: tuple[str, ...] = ()
        self._tokens: list[str] = []

    def add(self, secret: str, *, username: str = "") -> None:
        """Remember `secret` in its raw form, and as base64 of ``username:secret``."""
        pair = f"{username}:{secret}"
        encoded = base64.b64encode(pair.encode()).decode()
        with self._lock:
            self._values |= {secret, encoded} - {""}
            self._refresh()

    def add_token(self, token: str) -> None:
        """Remember a short-lived bearer token; only the newest are kept."""
        with self._lock:
            self._tokens = [*self._tokens[-(_MOST_TOKENS - 1) :], token]
            self._refresh()

    def _refresh(self) -> None:
        shapes = set(self._tokens)
        for value in self._values:
            shapes |= {value, quote(value, safe="")}
        self._hidden = tuple(sorted((shape for shape in shapes if len(shape) >= _SHORTEST), key=len, reverse=True))

    def values(self) -> set[str]:
        """The secrets that were configured, raw and as base64: for Ansible's `no_log`."""
        with self._lock:
            return set(self._values)

    def redact(self, text: str) -> str:
        """`text` without any secret, authorization header or query of a signed address."""
        for hidden in self._hidden:
            text = text.replace(hidden, MASK)
        text = _SIGNED_QUERY.sub(rf"\1?{MASK}", text)
        text = _AUTHORIZATION.sub(rf"\1 {MASK}", text)
        return _PARAMETER.sub(rf"\1{MASK}", text)

    def __repr__(self) -> str:
        return f"Secrets({len(self._values)} values)"


def one_line(text: str, *, longest: int) -> str:
    """`text` on one line, without control characters (terminal escapes, bidirectional tricks), cut to `longest`."""
    line = " ".join(_CONTROL.sub(" ", text).split())
    return line if len(line) <= longest else f"{line[: longest - 3]}..."
