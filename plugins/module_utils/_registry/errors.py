# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What can go wrong between us and a registry. ``str(error)`` is the whole sentence, with what to do about it."""

from __future__ import annotations

from typing import Any

from .._oci.errors import AirgapError


class RegistryError(AirgapError):
    """A request that did not succeed.

    `method` and `url` (without query and secrets) say what was asked; `status` is None when no answer came;
    `code` is the registry's own (distribution spec, "Error Codes") or empty; `text` what it said, shortened.
    """

    hint = ""

    def __init__(
        self,
        purpose: str,
        *,
        method: str = "",
        url: str = "",
        status: int | None = None,
        code: str = "",
        text: str = "",
        hint: str | None = None,
        **details: Any,
    ) -> None:
        self.purpose = purpose
        self.method = method
        self.url = url
        self.status = status
        self.code = code
        self.text = text
        answer = " ".join(part for part in (f"HTTP {status}" if status else "", code) if part)
        said = ": ".join(part for part in (answer, text) if part)
        request = f" ({method} {url})" if method else ""
        advice = self.hint if hint is None else hint
        sentence = f"Cannot {purpose}{request}: {said or 'no reason given'}"
        super().__init__(f"{sentence}. {advice}" if advice else sentence, **details)


class NotFound(RegistryError):
    """404, or one of the codes MANIFEST_UNKNOWN, NAME_UNKNOWN, BLOB_UNKNOWN."""


class AccessDenied(RegistryError):
    """The credentials were refused (401), or they give no right to this (403)."""

    hint = (
        "Check them and what they cover; the vendor's registry answers so for missing things too, "
        "and for everything outside the licence"
    )


class ReadOnly(RegistryError):
    """Writing is refused for a while: read-only mode, maintenance, garbage collection."""

    hint = "The registry is read-only at the moment; the run can be repeated and goes on where it stopped"


class Throttled(RegistryError):
    """429 until the tries were used up."""

    hint = "The registry limits the rate of requests; repeat the run later or set a lower number of connections"


class Unavailable(RegistryError):
    """Server errors until the tries were used up."""

    hint = "The registry, or a proxy before it, does not work properly; the run can be repeated"


class StorageRefused(Unavailable):
    """The registry redirected to another place, and that one refuses; its signed addresses live for minutes only."""

    hint = "The registry's storage refuses what the registry promised; check its configuration and its clock"


class BlobUnknown(RegistryError):
    """A manifest was refused because blobs are missing; `digests` are those the registry named (may be empty)."""

    hint = "The registry does not have blobs that it said it had; repeat with repair: true"

    def __init__(self, purpose: str, *, digests: tuple[str, ...] = (), **rest: Any) -> None:
        super().__init__(purpose, **rest)
        self.digests = digests


class DigestMismatch(RegistryError):
    """What was received, or what the registry got, has not the digest or the size that was asked for."""

    hint = "The content was damaged on its way or at its source, or something between changes it"


class TransportFailure(RegistryError):
    """No usable answer: name resolution, connection, TLS, proxy, or a transfer that broke.

    `passing` is False where trying again cannot help; `unsent` is True where the other side was never reached;
    `dropped` where it ended a connection, as servers do with idle ones.
    """

    def __init__(
        self, purpose: str, *, passing: bool = True, unsent: bool = False, dropped: bool = False, **rest: Any
    ) -> None:
        super().__init__(purpose, **rest)
        self.passing = passing
        self.unsent = unsent
        self.dropped = dropped
