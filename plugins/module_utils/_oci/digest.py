# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Digests: ``sha256:<64 lower-case hex>``, and their 32 raw bytes where tens of thousands are held."""

from __future__ import annotations

import hashlib
import re

from .errors import InvalidContent

ALGORITHM = "sha256"
_PATTERN = re.compile(r"sha256:[0-9a-f]{64}")
_ANY_ALGORITHM = re.compile(r"[a-z0-9]+(?:[+._-][a-z0-9]+)*:[0-9a-zA-Z=_-]+")


def is_digest(text: str) -> bool:
    """Whether `text` is a digest of the one algorithm that registries and bundles of DKP use."""
    return _PATTERN.fullmatch(text) is not None


def checked(text: object, *, where: str) -> str:
    """Return `text` if it is a sha256 digest, else raise InvalidContent naming `where` it stood."""
    if isinstance(text, str):
        if is_digest(text):
            return text
        if _ANY_ALGORITHM.fullmatch(text) and not text.startswith(ALGORITHM + ":"):
            raise InvalidContent(
                f"{where}: digest {text[:100]!r} is not sha256, the only algorithm a d8 bundle can hold"
            )
    raise InvalidContent(f"{where}: {str(text)[:100]!r} is not a digest (sha256:<64 lower-case hex digits>)")


def digest_of(data: bytes) -> str:
    """The sha256 digest of `data`."""
    return f"{ALGORITHM}:{hashlib.sha256(data).hexdigest()}"


def to_key(digest: str) -> bytes:
    """The 32 raw bytes of a digest: a third of the memory of its text."""
    return bytes.fromhex(digest[len(ALGORITHM) + 1 :])


def from_key(key: bytes) -> str:
    """The digest whose raw bytes are `key`."""
    return f"{ALGORITHM}:{key.hex()}"


def hex_of(digest: str) -> str:
    """The 64 hex digits of a digest: d8's short tag of an image that is known by digest only."""
    return digest[len(ALGORITHM) + 1 :]
