# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later


"""The faults of the in-process registry, seen by a client that knows nothing of them."""

from __future__ import annotations

import hashlib
import http.client
import json
import socket
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import requests
from ansible_collections.dkp.airgap.tests.kit import behaviour as quirks
from ansible_collections.dkp.airgap.tests.kit.behaviour import Basic, Bearer, Behaviour
from ansible_collections.dkp.airgap.tests.kit.certificates import Authority
from ansible_collections.dkp.airgap.tests.kit.content import Noise, layer_of
from ansible_collections.dkp.airgap.tests.kit.faults import (
    ClaimLength,
    EarlyStatus,
    FlipBit,
    Gzipped,
    Headers,
    IgnoreRange,
    Redirect,
    Reset,
    ResetWhileReading,
    ShiftRange,
    Slow,
    Stall,
    Status,
    StatusAfter,
    Together,
    Truncate,
    Unsized,
)
from ansible_collections.dkp.airgap.tests.kit.faulty import FaultyRegistry
from ansible_collections.dkp.airgap.tests.kit.images import Image, image_of
from ansible_collections.dkp.airgap.tests.kit.store import Store

LAYER = layer_of({"noise": Noise("faulty", 300_000)})
IMAGE: Image = image_of([LAYER])
BLOB = f"/v2/dkp/ee/blobs/{LAYER.digest}"
MANIFEST = "/v2/dkp/ee/manifests/v1.70.0"
TAGS = "/v2/dkp/ee/tags/list"
UPLOADS = "/v2/new/blobs/uploads/"


def filled() -> Store:
    store = Store()
    store.add_image("dkp/ee", IMAGE, "v1.70.0", "v1.70.1", "v1.71.0", "v1.72.0", "v1.73.0")
    return store


@pytest.fixture
def registry() -> Iterator[FaultyRegistry]:
    with FaultyRegistry(filled()) as running:
        yield running


def received(registry: FaultyRegistry, target: str) -> tuple[int, int, str]:
    """Content-Length, bytes that came, and the name of what ended the reading."""
    connection = http.client.HTTPConnection(registry.host, timeout=5)
    connection.request("GET", target)
    answer = connection.getresponse()
    stated = int(answer.headers.get("Content-Length", "-1"))
    count, ending = 0, "end"
    answer.length = None if answer.chunked else 10**9
    try:
        while True:
            piece = answer.read1(65536)
            count += len(piece)
            if not piece or count == stated:
                break
    except (OSError, http.client.HTTPException) as error:
        ending = type(error).__name__
    connection.close()
    return stated, count, ending


def put_blob(registry: FaultyRegistry, data: bytes, **more: str) -> requests.Response:
    opened = requests.post(registry.url + UPLOADS)
    location = requests.compat.urljoin(registry.url, opened.headers["Location"])
    return requests.put(location, params={"digest": digest_of(data)}, data=data, headers=more)


def digest_of(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def test_without_faults_it_is_a_registry(registry: FaultyRegistry) -> None:
    assert requests.get(f"{registry.url}/v2/").status_code == 200
    answer = requests.get(registry.url + MANIFEST)
    assert (answer.content, answer.headers["Content-Type"]) == (IMAGE.raw, IMAGE.media_type)
    head = requests.head(registry.url + BLOB)
    assert int(head.headers["Content-Length"]) == LAYER.size
    assert requests.get(registry.url + BLOB).content == LAYER.read()
    part = requests.get(registry.url + BLOB, headers={"Range": "bytes=1000-1999"})
    assert (part.status_code, part.content) == (206, LAYER.read()[1000:2000])
    assert part.headers["Content-Range"] == f"bytes 1000-1999/{LAYER.size}"
    assert requests.get(registry.url + BLOB, headers={"Range": f"bytes={LAYER.size}-"}).status_code == 416
    assert requests.get(registry.url + "/v2/dkp/ee/manifests/v9").json()["errors"][0]["code"] == "MANIFEST_UNKNOWN"
    assert requests.get(registry.url + "/v2/none/tags/list").json()["errors"][0]["code"] == "NAME_UNKNOWN"


def test_what_is_pushed_can_be_pulled(registry: FaultyRegistry) -> None:
    assert put_blob(registry, b"data").status_code == 201
    assert requests.get(f"{registry.url}/v2/new/blobs/{digest_of(b'data')}").content == b"data"
    unknown = requests.put(
        registry.url + "/v2/new/manifests/v1", data=IMAGE.raw, headers={"Content-Type": IMAGE.media_type}
    )
    assert (unknown.status_code, len(unknown.json()["errors"])) == (404, 2)
    for blob in IMAGE.blobs:
        mount = {"mount": blob.digest, "from": "dkp/ee"}
        assert requests.post(registry.url + UPLOADS, params=mount).status_code == 201
    done = requests.put(
        registry.url + "/v2/new/manifests/v1", data=IMAGE.raw, headers={"Content-Type": IMAGE.media_type}
    )
    assert (done.status_code, done.headers["Docker-Content-Digest"]) == (201, IMAGE.digest)
    assert requests.get(registry.url + "/v2/new/tags/list").json()["tags"] == ["v1"]


BROKEN_BODIES = {
    "reset": (Reset(after=1000), (LAYER.size, 1000, "ConnectionResetError")),
    "reset late": (Reset(after=299_000), (LAYER.size, 299_000, "ConnectionResetError")),
    "truncated": (Truncate(after=1000), (LAYER.size, 1000, "end")),
    "stalled": (Stall(after=1000, seconds=0.3), (LAYER.size, 1000, "end")),
    "length too large": (ClaimLength(by=5), (LAYER.size + 5, LAYER.size, "end")),
    "length too small": (ClaimLength(by=-5), (LAYER.size - 5, LAYER.size, "end")),
    "no length": (Unsized(), (-1, LAYER.size, "end")),
    "chunks, then reset": (Together((Unsized(), Reset(after=1000))), (-1, 1000, "ConnectionResetError")),
}


@pytest.mark.parametrize(("action", "expected"), BROKEN_BODIES.values(), ids=BROKEN_BODIES)
def test_broken_bodies(registry: FaultyRegistry, action: Reset, expected: tuple[int, int, str]) -> None:
    rule = registry.fail(action, method="GET", path="/blobs/")
    stated, count, ending = received(registry, BLOB)
    # The client may have seen the end of what was promised before what lies beyond it.
    assert (stated, min(count, expected[1]), ending) == expected or isinstance(action, ClaimLength)
    assert rule.hits == 1
    assert received(registry, BLOB) == (LAYER.size, LAYER.size, "end")


def test_wrong_content(registry: FaultyRegistry) -> None:
    registry.fail(FlipBit(at=77), path="/blobs/")
    broken = requests.get(registry.url + BLOB).content
    whole = LAYER.read()
    assert [place for place in range(len(whole)) if broken[place] != whole[place]] == [77]
    registry.fail(Gzipped(), path="/manifests/")
    assert requests.get(registry.url + MANIFEST).headers["Content-Encoding"] == "gzip"
    registry.fail(Headers({"Docker-Content-Digest": None, "Content-Type": "text/plain"}), path="/manifests/")
    bare = requests.get(registry.url + MANIFEST).headers
    assert ("Docker-Content-Digest" in bare, bare["Content-Type"]) == (False, "text/plain")


def test_ranges_gone_wrong(registry: FaultyRegistry) -> None:
    asked = {"Range": "bytes=10-19"}
    registry.fail(IgnoreRange(), path="/blobs/")
    assert len(requests.get(registry.url + BLOB, headers=asked).content) == LAYER.size
    registry.fail(ShiftRange(by=1), path="/blobs/")
    assert requests.get(registry.url + BLOB, headers=asked).headers["Content-Range"] == f"bytes 11-20/{LAYER.size}"
    registry.behaviour = Behaviour(ranges=False)
    assert requests.get(registry.url + BLOB, headers=asked).status_code == 200


def test_rules_count_and_end(registry: FaultyRegistry) -> None:
    registry.fail(Status(404, code="MANIFEST_UNKNOWN"), method="HEAD|GET", path="/manifests/", times=2, skip=1)
    assert [requests.get(registry.url + MANIFEST).status_code for _unused in range(4)] == [200, 404, 404, 200]
    registry.fail(Status(405), method="HEAD", times=None)
    assert [requests.head(registry.url + MANIFEST).status_code for _unused in range(3)] == [405] * 3
    registry.heal()
    registry.fail(Status(503, text="<html>maintenance</html>"), times=None, seconds=0.2)
    assert requests.get(registry.url + TAGS).text == "<html>maintenance</html>"
    time.sleep(0.3)
    assert requests.get(registry.url + TAGS).status_code == 200


def test_throttling_in_both_forms(registry: FaultyRegistry) -> None:
    registry.fail(Status(429, code="TOOMANYREQUESTS", retry_date=60))
    registry.fail(Status(429, code="TOOMANYREQUESTS", retry_after=1))
    assert requests.get(registry.url + TAGS).headers["Retry-After"] == "1"
    assert requests.get(registry.url + TAGS).headers["Retry-After"].endswith(" GMT")


def test_slow_bodies_and_parallel_requests_are_seen(registry: FaultyRegistry) -> None:
    registry.fail(Slow(pace=1_000_000), path="/blobs/")
    started = time.monotonic()
    assert requests.get(registry.url + BLOB).content == LAYER.read()
    assert time.monotonic() - started > 0.25
    assert registry.peak() == 1


@pytest.mark.parametrize("link", [quirks.RELATIVE, quirks.ABSOLUTE, quirks.OPAQUE])
def test_pages_lead_to_each_other(registry: FaultyRegistry, link: str) -> None:
    registry.behaviour = Behaviour(page_size=2, next_page=link)
    found, address = [], registry.url + TAGS
    while address:
        answer = requests.get(address)
        found += answer.json()["tags"]
        following = answer.links.get("next", {}).get("url", "")
        address = requests.compat.urljoin(address, following) if following else ""
    assert found == ["v1.70.0", "v1.70.1", "v1.71.0", "v1.72.0", "v1.73.0"]


def test_pages_that_lead_nowhere(registry: FaultyRegistry) -> None:
    links = {}
    for link in (quirks.FOREIGN, quirks.OTHER_SCHEME, quirks.LOOP, quirks.NONE):
        registry.behaviour = Behaviour(page_size=2, next_page=link)
        links[link] = requests.get(registry.url + TAGS).headers.get("Link", "")
    assert links[quirks.FOREIGN].startswith(f"<http://{registry.storage_host}/")
    assert links[quirks.OTHER_SCHEME].startswith(f"<https://{registry.host}/")
    assert "last=" not in links[quirks.LOOP]
    assert links[quirks.NONE] == ""


@pytest.mark.parametrize(("shape", "expected"), [("list", []), ("null", None), ("missing", "no key")])
def test_empty_tag_lists(shape: str, expected: object) -> None:
    store = Store()
    store.repository("empty")
    with FaultyRegistry(store, behaviour=Behaviour(empty_tags=shape)) as registry:
        assert requests.get(registry.url + "/v2/empty/tags/list").json().get("tags", "no key") == expected


def test_blobs_behind_a_redirect_that_dislikes_credentials() -> None:
    with FaultyRegistry(filled(), behaviour=Behaviour(redirects_blobs=True), auth=Basic()) as registry:
        credentials = (Basic.username, Basic.password)
        first = requests.get(registry.url + BLOB, auth=credentials, allow_redirects=False)
        assert first.headers["Location"].startswith(f"http://{registry.storage_host}/")
        assert requests.get(first.headers["Location"]).content == LAYER.read()
        assert requests.get(first.headers["Location"], auth=credentials).status_code == 400
        assert requests.get(first.headers["Location"].partition("?")[0]).status_code == 403
        assert registry.count(host="storage") == 3
        registry.fail(Redirect("http://127.0.0.1:1/gone"), path="/blobs/")
        assert requests.get(registry.url + BLOB, auth=credentials, allow_redirects=False).status_code == 307


def token_for(registry: FaultyRegistry, scope: str) -> dict[str, str]:
    document = requests.get(f"{registry.url}/token", params={"scope": scope}, auth=(Bearer.username, Bearer.password))
    return {"Authorization": f"Bearer {document.json()['token']}"}


def test_tokens_with_scopes_that_expire_in_the_middle() -> None:
    with FaultyRegistry(filled(), auth=Bearer()) as registry:
        challenge = requests.get(registry.url + TAGS)
        assert challenge.status_code == 401
        assert challenge.headers["WWW-Authenticate"] == (
            f'Bearer realm="{registry.url}/token",service="tests-registry",scope="repository:dkp/ee:pull"'
        )
        assert requests.get(f"{registry.url}/token", auth=("puller", "wrong")).status_code == 401
        headers = token_for(registry, "repository:dkp/ee:pull")
        assert requests.get(registry.url + TAGS, headers=headers).status_code == 200
        push = requests.post(f"{registry.url}/v2/dkp/ee/blobs/uploads/", headers=headers)
        assert 'error="insufficient_scope"' in push.headers["WWW-Authenticate"]
        rule = registry.fail(Reset(after=10), path="/blobs/", also=registry.expire_tokens)
        assert requests.get(registry.url + BLOB).status_code == 401
        assert rule.hits == 0, "rules see only requests that passed"
        with pytest.raises(requests.exceptions.RequestException):
            requests.get(registry.url + BLOB, headers=headers).content  # noqa: B018
        assert requests.get(registry.url + BLOB, headers=headers).status_code == 401
        log = [value for one in registry.exchanges for name, value in one.headers.items() if name == "authorization"]
        assert set(log) == {"Basic", "Bearer"}


def test_uploads_in_the_shapes_servers_demand(registry: FaultyRegistry) -> None:
    registry.behaviour = Behaviour(monolithic_put=False, upload_state=True, location=quirks.RELATIVE, chunk_minimum=5)
    assert put_blob(registry, b"data").status_code == 404
    opened = requests.post(registry.url + UPLOADS)
    assert opened.headers["OCI-Chunk-Min-Length"] == "5"
    first = opened.headers["Location"]
    assert first.startswith("/v2/")
    patched = requests.patch(registry.url + first, data=b"hello ", headers={"Content-Range": "0-5"})
    assert (patched.status_code, patched.headers["Range"]) == (202, "0-5")
    second = patched.headers["Location"]
    wrong = requests.patch(registry.url + second, data=b"world", headers={"Content-Range": "7-11"})
    assert wrong.status_code == 416
    status = requests.get(registry.url + wrong.headers["Location"])
    assert (status.status_code, status.headers["Range"]) == (204, "0-5")
    last = requests.patch(registry.url + status.headers["Location"], data=b"world", headers={"Content-Range": "6-10"})
    closed = requests.put(f"{registry.url}{last.headers['Location']}&digest={digest_of(b'hello world')}")
    assert closed.status_code == 201
    again = requests.post(registry.url + UPLOADS).headers["Location"]
    assert requests.patch(registry.url + again, data=b"x").status_code == 202
    assert requests.patch(registry.url + again, data=b"y").json()["errors"][0]["code"] == "BLOB_UPLOAD_INVALID"


def test_uploads_that_fail(registry: FaultyRegistry) -> None:
    registry.fail(StatusAfter(500), method="PUT", path="/uploads/")
    assert put_blob(registry, b"stored all the same").status_code == 500
    assert requests.head(f"{registry.url}/v2/new/blobs/{digest_of(b'stored all the same')}").status_code == 200
    registry.fail(ResetWhileReading(after=10), method="PUT")
    with pytest.raises(requests.exceptions.ConnectionError):
        put_blob(registry, b"x" * 5_000_000)
    location = requests.post(registry.url + UPLOADS).headers["Location"]
    registry.routes.lose_sessions()
    assert requests.patch(location, data=b"x").json()["errors"][0]["code"] == "BLOB_UPLOAD_UNKNOWN"
    assert (
        requests.put(
            f"{requests.post(registry.url + UPLOADS).headers['Location']}?digest={digest_of(b'a')}", data=b"b"
        ).json()["errors"][0]["code"]
        == "DIGEST_INVALID"
    )


def test_a_limit_for_bodies_answers_before_reading(registry: FaultyRegistry) -> None:
    registry.behaviour = Behaviour(largest_body=1000)
    answer = put_blob(registry, b"x" * 5_000_000)
    assert (answer.status_code, answer.headers["Connection"]) == (413, "close")
    assert put_blob(registry, b"x" * 1000).status_code == 201
    registry.fail(EarlyStatus(403, code="DENIED"), method="PUT")
    assert put_blob(registry, b"x").status_code == 403


def test_registries_that_refuse(registry: FaultyRegistry) -> None:
    digest = IMAGE.blobs[0].digest
    for mounts, expected in ((quirks.SESSION, 202), (quirks.REFUSED, 403)):
        registry.behaviour = Behaviour(mounts=mounts)
        answer = requests.post(registry.url + UPLOADS, params={"mount": digest, "from": "dkp/ee"})
        assert answer.status_code == expected
    registry.behaviour = Behaviour(immutable_tags=r"v1\.7.*")
    again = requests.put(registry.url + MANIFEST, data=IMAGE.raw, headers={"Content-Type": IMAGE.media_type})
    assert again.status_code == 409
    registry.behaviour = Behaviour(refused_types=frozenset({IMAGE.media_type}))
    refused = requests.put(registry.url + MANIFEST, data=IMAGE.raw, headers={"Content-Type": IMAGE.media_type})
    assert refused.json()["errors"][0]["code"] == "MANIFEST_INVALID"


def test_a_blob_that_is_said_to_be_there_until_a_manifest_needs_it(registry: FaultyRegistry) -> None:
    phantom = IMAGE.blobs[0].digest
    registry.routes.phantoms.add(phantom)
    assert requests.head(f"{registry.url}/v2/new/blobs/{phantom}").status_code == 200
    requests.post(registry.url + UPLOADS, params={"mount": LAYER.digest, "from": "dkp/ee"})
    refused = requests.put(
        registry.url + "/v2/new/manifests/a", data=IMAGE.raw, headers={"Content-Type": IMAGE.media_type}
    )
    errors = refused.json()["errors"]
    assert [(one["code"], one["detail"]["digest"]) for one in errors] == [("MANIFEST_BLOB_UNKNOWN", phantom)]
    assert requests.head(f"{registry.url}/v2/new/blobs/{phantom}").status_code == 404


def test_a_cookie_must_not_come_back(registry: FaultyRegistry) -> None:
    registry.behaviour = replace(registry.behaviour, cookie_trap=True)
    with requests.Session() as session:
        assert session.get(registry.url + TAGS).status_code == 200
        assert session.get(registry.url + TAGS).status_code == 403
    assert requests.get(registry.url + TAGS).status_code == 200


def test_it_speaks_tls(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    with FaultyRegistry(filled(), certificate=authority.issue("server")) as registry:
        assert requests.get(registry.url + BLOB, verify=str(authority.path)).content == LAYER.read()
        # A client that never begins the handshake holds up nobody.
        with socket.create_connection(("127.0.0.1", int(registry.host.rpartition(":")[2]))):
            assert requests.get(registry.url + TAGS, verify=str(authority.path)).status_code == 200
        registry.fail(Reset(after=1000), path="/blobs/")
        with pytest.raises(requests.exceptions.RequestException):
            requests.get(registry.url + BLOB, verify=str(authority.path))


def test_errors_have_the_documented_shape(registry: FaultyRegistry) -> None:
    registry.fail(Status(403, code="DENIED", text="quota exceeded", detail={"left": 0}))
    assert json.loads(requests.get(registry.url + TAGS).content) == {
        "errors": [{"code": "DENIED", "message": "quota exceeded", "detail": {"left": 0}}]
    }
