# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later


"""How a `FaultyRegistry` behaves all the time, in the ways in which registries differ (registry-quirks.md)."""

from __future__ import annotations

from dataclasses import dataclass

RELATIVE, ABSOLUTE, FOREIGN, OTHER_SCHEME, LOOP, OPAQUE, NONE = (
    *("relative", "absolute", "foreign", "other-scheme", "loop", "opaque", "none"),
)
MOUNTED, SESSION, REFUSED = "mounted", "session", "refused"


@dataclass(frozen=True)
class Behaviour:
    """The defaults are those of a registry without quirks."""

    page_size: int = 0
    """Tags per page; 0 for all at once. A smaller ``n`` of the client's wins."""
    next_page: str = RELATIVE
    """The ``Link`` to the next page: RELATIVE, ABSOLUTE, FOREIGN (of a host that does not serve it), OTHER_SCHEME
    (https where http is spoken), LOOP (always the first page), OPAQUE (a ``next_page`` token), NONE (no link)."""
    empty_tags: str = "list"
    """An empty tag list: ``list``, ``null``, ``missing`` (no such key), ``unknown`` (404 NAME_UNKNOWN)."""
    digest_header: bool = True
    """Docker-Content-Digest is sent."""
    ranges: bool = True
    mounts: str = MOUNTED
    """MOUNTED, SESSION (202, an ordinary upload), REFUSED (403)."""
    location: str = ABSOLUTE
    """Where uploads go on: ABSOLUTE, RELATIVE, FOREIGN (the storage host), OTHER_SCHEME."""
    upload_state: bool = False
    """Each answer changes ``_state`` in the Location, and an old one is refused with BLOB_UPLOAD_INVALID."""
    monolithic_put: bool = True
    """False: a PUT that carries the content is answered 404, PATCH is demanded."""
    chunked_patch: bool = True
    """False: one PATCH per upload, the next one is answered 416."""
    post_with_digest: bool = False
    """POST with ``digest=`` and the content stores it at once; else the digest is not looked at."""
    upload_status: bool = True
    """GET of the upload's Location tells how much has arrived; else 404."""
    patch_status: int = 202
    put_status: int = 201
    chunk_minimum: int = 0
    """OCI-Chunk-Min-Length."""
    largest_body: int = 0
    """Bytes; larger request bodies are answered 413 before they are read, as HTML, and the connection is closed."""
    immutable_tags: str = ""
    """A regular expression; a tag that matches cannot be put again, not even with the same digest."""
    refused_types: frozenset[str] = frozenset()
    """Manifests of these media types (or whose config has one) are answered 400 MANIFEST_INVALID."""
    checks_manifests: bool = True
    """MANIFEST_BLOB_UNKNOWN when something a manifest names is not there."""
    cookie_trap: bool = False
    """Every answer sets a cookie; a request that brings it back is answered 403."""
    redirects_blobs: bool = False
    """Blobs are served by the storage host under signed addresses; it refuses requests that carry Authorization."""
    redirect_status: int = 307
    latency: float = 0
    """Seconds before every answer."""


@dataclass(frozen=True)
class Basic:
    """HTTP Basic for `username` and `password`."""

    username: str = "puller"
    password: str = "correct-horse-puller"


@dataclass(frozen=True)
class Bearer:
    """Tokens from the registry's own ``/token``, for `username` and `password` (anonymous when `username` is empty)."""

    username: str = "puller"
    password: str = "correct-horse-puller"
    life: float = 300
    told_life: int | None = None
    """``expires_in`` where it is not `life`; 0 leaves it out."""
    field: str = "token"
    """``token`` or ``access_token``."""
    realm: str = ABSOLUTE
    """ABSOLUTE, RELATIVE (``/token``), or ``null`` (``null://host/token``, as Nexus wrote it)."""
    with_basic: bool = False
    """The challenge comes with a second one for Basic, in a header of its own."""
    checks_root: bool = True
    """False: ``/v2/`` itself is open."""
    checks_scope: bool = True
    """A token serves only the repositories and actions of its scopes."""
    first_scope_only: bool = False
    """Of several scopes only the first is granted."""
    pull_only: bool = False
    """``push`` is never granted."""
