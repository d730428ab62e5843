# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Blobs and manifests on their way out: shapes that registries take, sessions that get lost, answers that do."""

from __future__ import annotations

import hashlib
import json
import threading
import time
from collections.abc import Callable, Iterator

import pytest
from ansible_collections.dkp.airgap.plugins.module_utils._oci import manifest as manifests
from ansible_collections.dkp.airgap.plugins.module_utils._oci.digest import digest_of
from ansible_collections.dkp.airgap.plugins.module_utils._oci.errors import InvalidContent, Stopped
from ansible_collections.dkp.airgap.plugins.module_utils._registry import upload
from ansible_collections.dkp.airgap.plugins.module_utils._registry.client import Registry
from ansible_collections.dkp.airgap.plugins.module_utils._registry.errors import (
    AccessDenied,
    BlobUnknown,
    DigestMismatch,
    NotFound,
    ReadOnly,
    RegistryError,
    TransportFailure,
    Unavailable,
)
from ansible_collections.dkp.airgap.plugins.module_utils._registry.stopping import Stopping
from ansible_collections.dkp.airgap.plugins.module_utils._registry.upload_body import BytesBody
from ansible_collections.dkp.airgap.tests.kit import behaviour as quirks
from ansible_collections.dkp.airgap.tests.kit.behaviour import Basic, Behaviour
from ansible_collections.dkp.airgap.tests.kit.faults import (
    Action,
    EarlyStatus,
    Headers,
    Redirect,
    Reset,
    ResetWhileReading,
    Silence,
    Stall,
    Status,
    StatusAfter,
)
from ansible_collections.dkp.airgap.tests.kit.faulty import FaultyRegistry
from ansible_collections.dkp.airgap.tests.kit.stops import stopped

Connect = Callable[..., Registry]
REPOSITORY = "dkp/ee"
DATA = b"".join(hashlib.sha256(str(number).encode()).digest() for number in range(100_000))
SIZE = len(DATA)
DIGEST = f"sha256:{hashlib.sha256(DATA).hexdigest()}"
UPLOADS = "/blobs/uploads/"
SESSION = "/blobs/uploads/session"


class PiecewiseBody:
    """A body in pieces of 256 KiB, which can be made to end or to break early."""

    def __init__(self, data: bytes = DATA, *, size: int | None = None, breaks_at: int | None = None) -> None:
        self.size = len(data) if size is None else size
        self.data = data
        self.breaks_at = breaks_at
        self.passes = 0

    def chunks(self, start: int, stop: int) -> Iterator[memoryview]:
        self.passes += 1
        view = memoryview(self.data)
        for offset in range(start, min(stop, len(view)), 256 * 1024):
            if self.breaks_at is not None and offset >= self.breaks_at:
                raise OSError("the disk is gone")
            yield view[offset : min(stop, offset + 256 * 1024)]


@pytest.fixture
def server() -> Iterator[FaultyRegistry]:
    with FaultyRegistry() as running:
        yield running


def stored(server: FaultyRegistry, digest: str = DIGEST) -> bool:
    return digest in server.store.repository(REPOSITORY).blobs


def send(registry: Registry, body: PiecewiseBody | BytesBody | None = None) -> None:
    registry.upload_blob(REPOSITORY, DIGEST, body or PiecewiseBody())


def test_the_usual_upload_is_two_requests(connect: Connect, server: FaultyRegistry) -> None:
    registry = connect(server.host)
    send(registry)
    assert stored(server)
    assert [one.method for one in server.requests()] == ["POST", "PUT"]
    assert registry.counters.bytes_sent == SIZE
    assert registry.counters.blobs_sent == 1


@pytest.mark.parametrize("data", [b"", b"{}"])
def test_tiny_blobs_are_uploaded(connect: Connect, server: FaultyRegistry, data: bytes) -> None:
    digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
    connect(server.host).upload_blob(REPOSITORY, digest, BytesBody(data))
    assert stored(server, digest)


@pytest.mark.parametrize("location", [quirks.ABSOLUTE, quirks.RELATIVE, quirks.OTHER_SCHEME, quirks.FOREIGN])
@pytest.mark.parametrize("state", [True, False])
@pytest.mark.parametrize("piece", [None, 700_000])
def test_an_upload_follows_its_location(connect: Connect, location: str, state: bool, piece: int | None) -> None:
    with FaultyRegistry(behaviour=Behaviour(location=location, upload_state=state), auth=Basic()) as server:
        registry = connect(server.host, credentials=_credentials())
        registry._habits.piece = piece
        send(registry)
        assert stored(server)
        assert server.count(UPLOADS, host="storage") == 0


@pytest.mark.parametrize(("patch_status", "put_status"), [(202, 201), (201, 204), (204, 200)])
def test_answers_of_other_registries_are_as_good(connect: Connect, patch_status: int, put_status: int) -> None:
    with FaultyRegistry(behaviour=Behaviour(patch_status=patch_status, put_status=put_status)) as server:
        registry = connect(server.host)
        registry._habits.piece = 1_000_000
        send(registry)
        assert stored(server)
        assert [one.method for one in server.requests()] == ["POST", "PATCH", "PATCH", "PATCH", "PATCH", "PUT"]
        assert server.requests("PATCH")[1].headers["content-range"] == "1000000-1999999"


def test_where_put_takes_no_content_patch_does(connect: Connect) -> None:
    with FaultyRegistry(behaviour=Behaviour(monolithic_put=False)) as server:
        registry = connect(server.host)
        send(registry)
        assert stored(server)
        before = server.count("PUT")
        send(registry)
        assert server.count("PUT") == before + 1, "what was learned is used for the next blob"


@pytest.mark.parametrize("limit", [1_048_576, 600_000])
def test_a_proxy_with_a_limit_gets_smaller_requests(connect: Connect, limit: int) -> None:
    with FaultyRegistry(behaviour=Behaviour(largest_body=limit)) as server:
        registry = connect(server.host)
        send(registry)
        assert stored(server)
        before = len(server.requests("", UPLOADS))
        send(registry)
        again = server.requests("", UPLOADS)[before:]
        assert all(one.status < 400 for one in again), "the limit is remembered"


def test_a_limit_that_is_too_small_is_an_error_with_advice(connect: Connect) -> None:
    advice = "413.*client_max_body_size"
    with FaultyRegistry(behaviour=Behaviour(largest_body=1000)) as server, pytest.raises(RegistryError, match=advice):
        send(connect(server.host))


def test_a_least_size_of_pieces_is_kept(connect: Connect) -> None:
    with FaultyRegistry(behaviour=Behaviour(chunk_minimum=1_500_000)) as server:
        registry = connect(server.host)
        registry._habits.piece = 600_000
        send(registry)
        assert stored(server)
        assert [one.received for one in server.requests("PATCH")] == [1_500_000, 1_500_000, 200_000]


LOST = [
    Status(404, "BLOB_UPLOAD_UNKNOWN"),
    Status(400, "BLOB_UPLOAD_INVALID"),
    Status(416, "RANGE_INVALID"),
    Status(500, text="<Error><Message>Path not found _uploads</Message></Error>"),
    Status(502, text="<html>Bad gateway</html>"),
    Status(504),
    EarlyStatus(503, text="<html>busy</html>"),
    Reset(0),
    ResetWhileReading(1_000_000),
    ResetWhileReading(0),
]


@pytest.mark.parametrize("action", LOST, ids=lambda action: repr(action)[:40])
@pytest.mark.parametrize("times", [1, 2])
def test_a_lost_session_is_begun_anew(connect: Connect, server: FaultyRegistry, action: Action, times: int) -> None:
    server.fail(action, method="PUT", path=SESSION, times=times)
    send(connect(server.host))
    assert stored(server)


def test_an_empty_registry_behind_a_long_line_gets_many_uploads_at_once(connect: Connect) -> None:
    with FaultyRegistry(behaviour=Behaviour(latency=0.03)) as server:
        registry = connect(server.host)
        with pytest.raises(NotFound):
            registry.tags(REPOSITORY)
        for number in range(10):
            data = f"blob {number}".encode()
            registry.upload_blob(REPOSITORY, digest_of(data), BytesBody(data))
        assert registry.parallel > 8


@pytest.mark.parametrize("action", LOST, ids=lambda action: repr(action)[:40])
@pytest.mark.parametrize("status", [True, False])
@pytest.mark.parametrize("skip", [0, 1])
def test_an_interrupted_upload_in_pieces_goes_on(connect: Connect, action: Action, status: bool, skip: int) -> None:
    with FaultyRegistry(behaviour=Behaviour(upload_status=status, upload_state=True)) as server:
        server.fail(action, method="PATCH", path=SESSION, skip=skip)
        registry = connect(server.host)
        registry._habits.piece = 1_000_000
        send(registry)
        assert stored(server)


def test_pieces_that_arrived_are_not_sent_again(connect: Connect, server: FaultyRegistry) -> None:
    server.fail(Reset(0), method="PATCH", path=SESSION, skip=1)
    registry = connect(server.host)
    registry._habits.piece = 1_000_000
    send(registry)
    assert server.count("POST") == 1
    assert registry.counters.bytes_sent == SIZE


@pytest.mark.parametrize("action", [StatusAfter(500), StatusAfter(504), Reset(0), Stall(0, 30)], ids=str)
def test_an_upload_whose_answer_is_lost_is_not_sent_again(
    connect: Connect, server: FaultyRegistry, action: Action
) -> None:
    server.fail(action, method="PUT", path=SESSION)
    registry = connect(server.host, timeout=1)
    send(registry)
    assert stored(server)
    assert registry.counters.bytes_sent == SIZE


def test_an_upload_that_never_works_ends(connect: Connect, server: FaultyRegistry) -> None:
    server.fail(Status(404, "BLOB_UPLOAD_UNKNOWN"), path=SESSION, times=None)
    with pytest.raises(RegistryError, match=rf"upload {DIGEST} to {REPOSITORY}"):
        send(connect(server.host))
    assert server.count("POST") == upload.MOST_SESSIONS


def test_a_request_that_is_wrong_is_not_sent_for_ever(connect: Connect, server: FaultyRegistry) -> None:
    server.fail(Status(400, "SIZE_INVALID", "too wide"), method="PUT", times=None)
    with pytest.raises(RegistryError, match="SIZE_INVALID: too wide"):
        send(connect(server.host))
    assert server.count("PUT") == 2


def test_a_registry_that_is_down_is_unavailable(connect: Connect, server: FaultyRegistry) -> None:
    server.fail(Status(503), times=None)
    with pytest.raises(Unavailable, match="503"):
        send(connect(server.host))


def test_another_run_was_faster(connect: Connect, server: FaultyRegistry) -> None:
    faster = Status(400, "BLOB_UPLOAD_INVALID", "blob cannot be updated")
    server.fail(faster, method="PUT", path=SESSION, also=lambda: server.store.put_blob(REPOSITORY, DATA))
    registry = connect(server.host)
    send(registry)
    assert registry.counters.bytes_sent == SIZE


def test_content_that_is_damaged_on_its_way_is_sent_once_more(connect: Connect, server: FaultyRegistry) -> None:
    server.fail(Status(400, "DIGEST_INVALID"), method="PUT")
    send(connect(server.host))
    assert stored(server)


def test_content_that_is_damaged_at_its_source_is_an_error(connect: Connect, server: FaultyRegistry) -> None:
    body = PiecewiseBody(DATA[:-1] + b"x")
    with pytest.raises(DigestMismatch, match="DIGEST_INVALID"):
        send(connect(server.host), body)
    assert body.passes == 2


def test_a_registry_that_stores_something_else_is_an_error(connect: Connect, server: FaultyRegistry) -> None:
    server.fail(Headers({"Docker_Content_Digest": f"sha256:{'0' * 64}"}), method="PUT", times=None)
    server.fail(Status(404), method="HEAD", times=None)
    with pytest.raises(DigestMismatch, match="stored sha256:000"):
        send(connect(server.host))


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (PiecewiseBody(breaks_at=500_000), OSError),
        (PiecewiseBody(size=SIZE + 1), InvalidContent),
        (PiecewiseBody(DATA[: SIZE // 2], size=SIZE), InvalidContent),
    ],
    ids=["unreadable", "one byte short", "half"],
)
def test_a_source_that_fails_is_not_the_registry_s_fault(
    connect: Connect, server: FaultyRegistry, body: PiecewiseBody, error: type[Exception]
) -> None:
    registry = connect(server.host, connections=1)
    with pytest.raises(error):
        send(registry, body)
    assert body.passes == 1
    send(registry)
    assert stored(server), "the permit and the connection pool survived"


def test_an_upload_is_redirected_without_credentials(connect: Connect) -> None:
    with FaultyRegistry(auth=Basic()) as server, FaultyRegistry() as other:
        server.fail(Redirect(f"{other.url}/v2/x/blobs/uploads/"), method="POST")
        send(connect(server.host, credentials=_credentials()))
        assert DIGEST in other.store.repository("x").blobs
        assert [one.method for one in other.requests()] == ["POST", "PUT"]
        assert not any("authorization" in one.headers for one in other.requests())


def test_a_refused_upload_is_not_repeated(connect: Connect, server: FaultyRegistry) -> None:
    server.fail(Status(403, "DENIED", "requested access to the resource is denied"), method="POST", times=None)
    with pytest.raises(AccessDenied, match="give no right"):
        send(connect(server.host))
    assert server.count() == 1


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH"])
@pytest.mark.parametrize(
    "refusal",
    [Status(405, "UNSUPPORTED"), Status(503, text="read-only mode"), Status(403, "DENIED", "in maintenance")],
    ids=lambda status: str(status.status),
)
def test_a_registry_that_is_read_only_for_a_while_is_waited_for(
    connect: Connect, server: FaultyRegistry, method: str, refusal: Status
) -> None:
    server.fail(refusal, method=method, times=3)
    registry = connect(server.host)
    registry._habits.piece = 1_000_000 if method == "PATCH" else None
    send(registry)
    assert stored(server)


def test_a_registry_that_takes_no_content_by_put_is_not_read_only(connect: Connect, server: FaultyRegistry) -> None:
    server.fail(Status(405, "UNSUPPORTED"), method="PUT", times=2)
    registry = connect(server.host)
    send(registry)
    assert stored(server)
    assert server.count("PATCH") == 1
    assert registry._habits.whole_patch


def test_a_registry_that_stays_read_only_ends_the_run_resumably(connect: Connect, server: FaultyRegistry) -> None:
    server.fail(Status(405, "UNSUPPORTED"), method="POST", times=None)
    with pytest.raises(ReadOnly, match="repeat the run"):
        send(connect(server.host, read_only_wait=1))
    with pytest.raises(ReadOnly):
        send(connect(server.host, read_only_wait=0))


def test_waiting_for_a_read_only_registry_can_be_stopped(connect: Connect, server: FaultyRegistry) -> None:
    server.fail(Status(405, "UNSUPPORTED"), method="POST", times=None)
    stopping = Stopping()
    threading.Timer(0.3, stopping.set).start()
    with pytest.raises(Stopped):
        send(connect(server.host, stopping=stopping))


def test_a_stop_in_the_middle_of_a_body_is_quick(connect: Connect, server: FaultyRegistry) -> None:
    with stopped(within=3) as stopping:
        send(connect(server.host, stopping=stopping, bandwidth_limit=200_000))


@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_a_stop_does_not_wait_for_a_silent_registry(connect: Connect, server: FaultyRegistry, method: str) -> None:
    server.fail(Silence(), method=method, times=None)
    with stopped(within=3) as stopping:
        send(connect(server.host, stopping=stopping, timeout=60))


def test_an_upload_keeps_to_the_rate(connect: Connect, server: FaultyRegistry) -> None:
    started = time.monotonic()
    send(connect(server.host, bandwidth_limit=4_000_000))
    assert SIZE / (time.monotonic() - started) < 4_600_000


@pytest.mark.parametrize(
    ("mounts", "mounted", "posts"), [(quirks.MOUNTED, True, 5), (quirks.SESSION, False, 3), (quirks.REFUSED, False, 3)]
)
def test_mounts_are_given_up_where_they_never_work(connect: Connect, mounts: str, mounted: bool, posts: int) -> None:
    with FaultyRegistry(behaviour=Behaviour(mounts=mounts)) as server:
        server.store.put_blob("dkp/source", DATA)
        registry = connect(server.host)
        worked = [registry.mount_blob(f"dkp/target{number}", DIGEST, source="dkp/source") for number in range(5)]
        assert worked == [mounted] * 5
        assert server.count("POST") == posts


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 500, 502])
def test_a_mount_that_fails_is_no_error(connect: Connect, server: FaultyRegistry, status: int) -> None:
    server.fail(Status(status), method="POST")
    registry = connect(server.host)
    assert registry.mount_blob(REPOSITORY, DIGEST, source="dkp/source") is False
    send(registry)
    assert stored(server)


def test_the_session_that_a_mount_opened_is_used(connect: Connect) -> None:
    with FaultyRegistry(behaviour=Behaviour(mounts=quirks.SESSION)) as server:
        registry = connect(server.host)
        assert not registry.mount_blob(REPOSITORY, DIGEST, source="dkp/source")
        send(registry)
        assert stored(server)
        assert server.count("POST") == 1


def test_whether_a_blob_is_there(connect: Connect, server: FaultyRegistry) -> None:
    registry = connect(server.host)
    assert not registry.blob_exists(REPOSITORY, DIGEST)
    send(registry)
    assert registry.blob_exists(REPOSITORY, DIGEST)
    assert not registry.blob_exists("dkp/other", DIGEST)
    server.fail(Status(405), method="HEAD")
    assert not registry.blob_exists(REPOSITORY, DIGEST), "what cannot be asked is uploaded"


def image(config: str = DIGEST) -> manifests.Manifest:
    document = {
        "schemaVersion": 2,
        "mediaType": manifests.OCI_MANIFEST,
        "config": {"mediaType": "application/x", "digest": config, "size": SIZE},
        "layers": [],
    }
    return manifests.parse(json.dumps(document, indent=1).encode())


@pytest.mark.parametrize("action", [None, Status(502), Reset(0), StatusAfter(500)], ids=str)
def test_a_manifest_is_written_byte_for_byte(connect: Connect, server: FaultyRegistry, action: Action | None) -> None:
    registry = connect(server.host)
    send(registry)
    if action:
        server.fail(action, method="PUT", path="/manifests/")
    registry.put_manifest(REPOSITORY, "v1.0.0", image())
    digest, found = server.store.repository(REPOSITORY).find("v1.0.0") or ("", None)
    assert digest == image().digest
    assert found is not None
    assert (found.raw, found.media_type) == (image().raw, manifests.OCI_MANIFEST)


def test_a_manifest_whose_blobs_are_missing_names_them(connect: Connect, server: FaultyRegistry) -> None:
    with pytest.raises(BlobUnknown) as raised:
        connect(server.host).put_manifest(REPOSITORY, "v1.0.0", image())
    assert raised.value.digests == (DIGEST,)


def test_an_immutable_tag_with_the_same_image_is_fine(connect: Connect) -> None:
    with FaultyRegistry(behaviour=Behaviour(immutable_tags="v1.*")) as server:
        other = f"sha256:{hashlib.sha256(b'other').hexdigest()}"
        registry = connect(server.host)
        send(registry)
        registry.upload_blob(REPOSITORY, other, BytesBody(b"other"))
        registry.put_manifest(REPOSITORY, "v1.0.0", image())
        registry.put_manifest(REPOSITORY, "v1.0.0", image())
        with pytest.raises(RegistryError, match="immutable"):
            registry.put_manifest(REPOSITORY, "v1.0.0", image(other))


def test_a_registry_that_rewrites_manifests_is_refused(connect: Connect, server: FaultyRegistry) -> None:
    registry = connect(server.host)
    send(registry)
    server.fail(Headers({"Docker_Content_Digest": f"sha256:{'0' * 64}"}), method="PUT")
    with pytest.raises(DigestMismatch, match="rewrites manifests"):
        registry.put_manifest(REPOSITORY, "v1.0.0", image())


def test_a_manifest_waits_for_a_read_only_registry(connect: Connect, server: FaultyRegistry) -> None:
    registry = connect(server.host)
    send(registry)
    server.fail(Status(405, "UNSUPPORTED"), method="PUT", path="/manifests/", times=2)
    registry.put_manifest(REPOSITORY, "v1.0.0", image())
    assert server.store.repository(REPOSITORY).find("v1.0.0")


def test_many_uploads_at_once(connect: Connect, server: FaultyRegistry) -> None:
    registry = connect(server.host)
    failures: list[BaseException] = []

    def work(number: int) -> None:
        data = DATA[number : number + 500_000]
        try:
            registry.upload_blob(REPOSITORY, f"sha256:{hashlib.sha256(data).hexdigest()}", BytesBody(data))
        except (TransportFailure, RegistryError) as error:
            failures.append(error)

    server.fail(ResetWhileReading(100_000), method="PUT", times=4)
    workers = [threading.Thread(target=work, args=(number,)) for number in range(24)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert not failures
    assert len(server.store.repository(REPOSITORY).blobs) == 24


def _credentials() -> object:
    from ansible_collections.dkp.airgap.plugins.module_utils._registry.credentials import Credentials

    return Credentials(Basic().username, Basic().password)
