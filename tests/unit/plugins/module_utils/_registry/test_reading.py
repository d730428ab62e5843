# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Manifests and tag lists: raw bytes, digests, pages in every shape."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace

import pytest
from ansible_collections.dkp.airgap.plugins.module_utils._oci.errors import InvalidContent
from ansible_collections.dkp.airgap.plugins.module_utils._oci.manifest import (
    DOCKER_LIST,
    DOCKER_MANIFEST,
    OCI_INDEX,
    OCI_MANIFEST,
)
from ansible_collections.dkp.airgap.plugins.module_utils._registry import tags as tag_lists
from ansible_collections.dkp.airgap.plugins.module_utils._registry.client import Registry
from ansible_collections.dkp.airgap.plugins.module_utils._registry.errors import (
    DigestMismatch,
    NotFound,
    RegistryError,
)
from ansible_collections.dkp.airgap.tests.kit import behaviour as quirks
from ansible_collections.dkp.airgap.tests.kit.behaviour import Behaviour
from ansible_collections.dkp.airgap.tests.kit.faults import (
    Action,
    Extended,
    FlipBit,
    Gzipped,
    Headers,
    Reset,
    Status,
    Truncate,
    Unsized,
)
from ansible_collections.dkp.airgap.tests.kit.faulty import FaultyRegistry
from ansible_collections.dkp.airgap.tests.kit.store import Store, StoredManifest

Connect = Callable[..., Registry]
REPOSITORY = "dkp/ee"
TAGS = [f"v1.{minor}.0" for minor in range(25)]


def document(media_type: str, **more: object) -> bytes:
    descriptor = {"mediaType": "application/x", "digest": f"sha256:{'0' * 64}", "size": 2}
    parts: dict[str, object] = {"config": descriptor, "layers": []}
    if "index" in media_type or "list" in media_type:
        parts = {"manifests": [descriptor]}
    return json.dumps({"schemaVersion": 2, "mediaType": media_type, **parts, **more}, indent=3).encode() + b"\n"


def stored(media_type: str = OCI_MANIFEST, raw: bytes | None = None) -> tuple[Store, str]:
    store = Store()
    digest = store.put_manifest(REPOSITORY, StoredManifest(raw or document(media_type), media_type), TAGS)
    return store, digest


@pytest.mark.parametrize("media_type", [OCI_MANIFEST, OCI_INDEX, DOCKER_MANIFEST, DOCKER_LIST])
@pytest.mark.parametrize("by_digest", [True, False])
def test_manifests_pass_through_byte_for_byte(connect: Connect, media_type: str, by_digest: bool) -> None:
    store, digest = stored(media_type)
    with FaultyRegistry(store) as server:
        found = connect(server.host).manifest(REPOSITORY, digest if by_digest else "v1.0.0")
        assert found.raw == document(media_type)
        assert (found.digest, found.media_type) == (digest, media_type)
        asked = server.requests("GET", "/manifests/")[0].headers
        assert all(kind in asked["accept"] for kind in (OCI_MANIFEST, OCI_INDEX, DOCKER_MANIFEST, DOCKER_LIST))
        assert asked["accept-encoding"] == "identity"


def test_a_media_type_is_found_out_where_the_header_is_missing(connect: Connect) -> None:
    store, digest = stored(DOCKER_MANIFEST)
    with FaultyRegistry(store) as server:
        server.fail(Headers({"Content_Type": None}), times=None)
        assert connect(server.host).manifest(REPOSITORY, digest).media_type == DOCKER_MANIFEST


@pytest.mark.parametrize(
    "action", [Gzipped(), Unsized(), Reset(20), Truncate(20)], ids=lambda action: type(action).__name__
)
def test_a_manifest_survives_the_line(connect: Connect, action: Action) -> None:
    store, digest = stored()
    with FaultyRegistry(store) as server:
        server.fail(action, path="/manifests/")
        assert connect(server.host).manifest(REPOSITORY, digest).digest == digest


@pytest.mark.parametrize("action", [FlipBit(30), Extended(b" ")], ids=lambda action: type(action).__name__)
def test_a_manifest_by_digest_is_verified(connect: Connect, action: Action) -> None:
    store, digest = stored()
    with FaultyRegistry(store) as server:
        server.fail(action, path="/manifests/")
        assert connect(server.host).manifest(REPOSITORY, digest).digest == digest
        assert server.requests("GET", "/manifests/")[-1].headers["cache-control"] == "no-cache"
        server.fail(action, path="/manifests/", times=None)
        with pytest.raises(DigestMismatch, match="sha256:"):
            connect(server.host).manifest(REPOSITORY, digest)


@pytest.mark.parametrize("raw", [b"no json", b'{"schemaVersion": 1}', b"[]", b"{}"])
def test_what_is_no_manifest_is_refused(connect: Connect, raw: bytes) -> None:
    store, _unused = stored(OCI_MANIFEST, raw)
    with FaultyRegistry(store) as server, pytest.raises(InvalidContent, match=rf"{server.host}/{REPOSITORY}:v1.0.0"):
        connect(server.host).manifest(REPOSITORY, "v1.0.0")


def test_an_absurd_manifest_is_refused(connect: Connect) -> None:
    store, digest = stored(raw=b" " * (20 * 1024 * 1024))
    with FaultyRegistry(store) as server, pytest.raises(RegistryError, match="more than 4194304 bytes"):
        connect(server.host).manifest(REPOSITORY, digest)


@pytest.mark.parametrize("reference", ["v9.9.9", f"sha256:{'9' * 64}"])
def test_what_is_not_there_is_not_found(connect: Connect, reference: str) -> None:
    store, _unused = stored()
    with FaultyRegistry(store) as server:
        with pytest.raises(NotFound, match="MANIFEST_UNKNOWN"):
            connect(server.host).manifest(REPOSITORY, reference)
        assert connect(server.host).manifest_digest(REPOSITORY, reference) is None
        assert connect(server.host).manifest_digest("no/such", reference) is None


def test_a_digest_costs_one_head(connect: Connect) -> None:
    store, digest = stored()
    with FaultyRegistry(store) as server:
        assert connect(server.host).manifest_digest(REPOSITORY, "v1.0.0") == digest
        assert [one.method for one in server.requests()] == ["HEAD"]


@pytest.mark.parametrize("status", [400, 401, 403, 405, 500, 501])
def test_where_head_is_refused_get_answers_from_then_on(connect: Connect, status: int) -> None:
    store, digest = stored()
    with FaultyRegistry(store) as server:
        server.fail(Status(status), method="HEAD", times=None)
        registry = connect(server.host)
        assert registry.manifest_digest(REPOSITORY, "v1.0.0") == digest
        heads = server.count("HEAD")
        assert registry.manifest_digest(REPOSITORY, "v1.1.0") == digest
        assert server.count("HEAD") == heads


@pytest.mark.parametrize("header", [None, "garbage", "sha512:00"])
def test_a_head_without_a_digest_is_not_enough(connect: Connect, header: str | None) -> None:
    store, digest = stored()
    with FaultyRegistry(store) as server:
        server.fail(Headers({"Docker_Content_Digest": header}), times=None)
        assert connect(server.host).manifest_digest(REPOSITORY, "v1.0.0") == digest


@pytest.mark.parametrize(
    "next_page",
    [quirks.RELATIVE, quirks.ABSOLUTE, quirks.FOREIGN, quirks.OTHER_SCHEME, quirks.OPAQUE],
)
@pytest.mark.parametrize("page_size", [1, 10, 25, 1000])
def test_all_pages_of_tags_are_read(connect: Connect, next_page: str, page_size: int) -> None:
    store, _unused = stored()
    with FaultyRegistry(store, behaviour=Behaviour(page_size=page_size, next_page=next_page)) as server:
        assert sorted(connect(server.host).tags(REPOSITORY)) == sorted(TAGS)
        assert server.count(host="storage") == 0


@pytest.mark.parametrize("page_size", [5, 24])
def test_pages_that_never_end_are_an_error(connect: Connect, page_size: int) -> None:
    store, _unused = stored()
    with FaultyRegistry(store, behaviour=Behaviour(page_size=page_size, next_page=quirks.LOOP)) as server:
        with pytest.raises(RegistryError, match=r"list the tags of dkp/ee.*repeat"):
            connect(server.host).tags(REPOSITORY)
        assert server.count() <= 3


@pytest.mark.parametrize("empty", ["list", "null", "missing"])
def test_no_tags_are_an_empty_list(connect: Connect, empty: str) -> None:
    store = Store()
    store.repository(REPOSITORY)
    with FaultyRegistry(store, behaviour=Behaviour(empty_tags=empty)) as server:
        assert connect(server.host).tags(REPOSITORY) == []


def test_an_unknown_repository_has_no_list(connect: Connect) -> None:
    with FaultyRegistry(Store()) as server, pytest.raises(NotFound, match="NAME_UNKNOWN"):
        connect(server.host).tags(REPOSITORY)


@pytest.mark.parametrize("body", ["", "no json", "[]", '{"tags": 5}', '{"tags": {}}', "[" * 100_000])
def test_what_is_no_tag_list_is_an_error(connect: Connect, body: str) -> None:
    with FaultyRegistry(Store()) as server:
        server.fail(Status(200, text=body), times=None)
        with pytest.raises(RegistryError, match="list the tags of dkp/ee"):
            connect(server.host).tags(REPOSITORY)


def test_what_can_be_no_tag_is_left_out(connect: Connect) -> None:
    body = json.dumps({"tags": ["v1", "sha256:abc", "", None, 5, "a b", "v1", "../x", "v2"]})
    with FaultyRegistry(Store()) as server:
        server.fail(Status(200, text=body), times=None)
        assert connect(server.host).tags(REPOSITORY) == ["v1", "v2"]


@pytest.mark.parametrize(
    ("link", "expected"),
    [
        ("", None),
        ("</v2/dkp/ee/tags/list?last=b>; rel=next", "last=b"),
        ("</v2/dkp/ee/tags/list?last=b>;rel='next'", "last=b"),
        ('<?last=b>; title="x, y"; REL="NEXT"', "last=b"),
        ('<list?last=b>; rel="prev next"', "last=b"),
        ('</other>; rel="prev", </v2/dkp/ee/tags/list?last=b>; rel="next"', "last=b"),
        ('<https://other:1/repository/x/v2/dkp/ee/tags/list?last=b>; rel="next"', "last=b"),
        ('<https://r.example/v2/dkp/ee/tags/list?next_page=a,b>; rel="next"', "next_page=a,b"),
        ("</v2/dkp/ee/tags/list?last=b>; rel=previous", None),
        ("</v2/dkp/ee/tags/list?last=b>", None),
        ('<>; rel="next"', None),
        ('<ftp://x>; rel="next"', None),
        ("garbage", None),
    ],
)
def test_links_in_any_shape(link: str, expected: str | None) -> None:
    from ansible_collections.dkp.airgap.plugins.module_utils._registry.locations import Target, origin_of

    first = Target(origin_of("https", "r.example"), "/v2/dkp/ee/tags/list")
    found = tag_lists.next_page([link], first, first=first)
    assert (found.path if found else None) == (f"/v2/dkp/ee/tags/list?{expected}" if expected else None)
    assert found is None or found.origin == first.origin


def test_endless_new_pages_are_stopped(connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tag_lists, "MOST_PAGES", 8)
    store, _unused = stored()
    with FaultyRegistry(store, behaviour=Behaviour(page_size=1)) as server:
        with pytest.raises(RegistryError, match="more than 8 pages"):
            connect(server.host).tags(REPOSITORY)
        assert server.count() == 8


def test_too_many_tags_are_stopped(connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tag_lists, "MOST_TAGS", 12)
    store, _unused = stored()
    behaviour = Behaviour(page_size=10)
    with FaultyRegistry(store, behaviour=behaviour) as server, pytest.raises(RegistryError, match="12 tags"):
        connect(server.host).tags(REPOSITORY)


def test_cookies_are_never_sent_back(connect: Connect) -> None:
    store, digest = stored()
    with FaultyRegistry(store, behaviour=Behaviour(cookie_trap=True)) as server:
        registry = connect(server.host)
        assert [registry.manifest(REPOSITORY, digest).digest for _unused in range(3)] == [digest] * 3


def test_what_was_not_there_may_come(connect: Connect) -> None:
    store, _unused = stored()
    with FaultyRegistry(store) as server:
        registry = connect(server.host)
        assert registry.manifest_digest(REPOSITORY, "late") is None
        raw = document(OCI_MANIFEST, annotations={"late": "yes"})
        store.put_manifest(REPOSITORY, StoredManifest(raw, OCI_MANIFEST), ["late"])
        assert registry.manifest_digest(REPOSITORY, "late") == f"sha256:{hashlib.sha256(raw).hexdigest()}"


def test_counters_count(connect: Connect) -> None:
    store, digest = stored()
    with FaultyRegistry(store, behaviour=replace(Behaviour(), page_size=10)) as server:
        registry = connect(server.host)
        registry.tags(REPOSITORY)
        registry.manifest(REPOSITORY, digest)
        assert registry.counters.requests == 4
        assert registry.counters.bytes_received == len(document(OCI_MANIFEST))
