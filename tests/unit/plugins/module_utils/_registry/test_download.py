# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Blobs on their way in: every way to break them, and what it costs."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable, Iterator

import pytest
from ansible_collections.dkp.airgap.plugins.module_utils._registry.client import Registry
from ansible_collections.dkp.airgap.plugins.module_utils._registry.download import EMPTY
from ansible_collections.dkp.airgap.plugins.module_utils._registry.errors import (
    DigestMismatch,
    NotFound,
    StorageRefused,
    TransportFailure,
)
from ansible_collections.dkp.airgap.tests.kit.behaviour import Behaviour
from ansible_collections.dkp.airgap.tests.kit.faults import (
    Action,
    ClaimLength,
    Extended,
    FlipBit,
    Gzipped,
    Headers,
    IgnoreRange,
    Reset,
    ShiftRange,
    Slow,
    Stall,
    Status,
    Together,
    Truncate,
    Unsized,
)
from ansible_collections.dkp.airgap.tests.kit.faulty import FaultyRegistry
from ansible_collections.dkp.airgap.tests.kit.stops import stopped
from ansible_collections.dkp.airgap.tests.kit.store import Store

Connect = Callable[..., Registry]
REPOSITORY = "dkp/ee"
DATA = b"".join(hashlib.sha256(str(number).encode()).digest() for number in range(10_000))
SIZE = len(DATA)
DIGEST = f"sha256:{hashlib.sha256(DATA).hexdigest()}"


@pytest.fixture
def server() -> Iterator[FaultyRegistry]:
    store = Store()
    store.put_blob(REPOSITORY, DATA)
    with FaultyRegistry(store) as running:
        yield running


def read(registry: Registry, *, piece: int = 50_000, size: int = SIZE, digest: str = DIGEST) -> bytes:
    buffer, content = memoryview(bytearray(piece)), b""
    with registry.open_blob(REPOSITORY, digest, size) as blob:
        while True:
            count = blob.readinto(buffer)
            if not count:
                return content
            content += buffer[:count]


@pytest.mark.parametrize("piece", [1000, 50_000, 1_000_000])
def test_a_blob_is_read_whole_over_one_connection(connect: Connect, server: FaultyRegistry, piece: int) -> None:
    registry = connect(server.host)
    assert read(registry, piece=piece) == DATA
    assert read(registry, piece=piece) == DATA
    assert registry.counters.bytes_received == 2 * SIZE
    assert registry.counters.blobs_received == 2
    assert registry.counters.requests == 2


@pytest.mark.parametrize(
    "action",
    [Reset(0), Reset(70_001), Truncate(0), Truncate(70_001), ClaimLength(-100_000),
     Together((Unsized(), Reset(70_001))), Together((Unsized(), Truncate(70_001))),
     Together((Headers({"Accept_Ranges": None}), Truncate(SIZE - 1)))],
    ids=lambda action: repr(action)[:40],
)  # fmt: skip
def test_a_broken_transfer_goes_on_where_it_broke(connect: Connect, server: FaultyRegistry, action: Action) -> None:
    server.fail(action, path="/blobs/")
    registry = connect(server.host)
    assert read(registry) == DATA
    assert server.count("GET", "/blobs/") == 2
    assert registry.counters.bytes_received <= SIZE * 1.25


def test_a_transfer_that_breaks_all_the_time_ends_as_long_as_it_moves(connect: Connect, server: FaultyRegistry) -> None:
    server.fail(Reset(20_000), path="/blobs/", times=None)
    registry = connect(server.host)
    assert read(registry) == DATA
    assert registry.counters.bytes_received == SIZE
    ranges = [one.headers.get("range") for one in server.requests("GET", "/blobs/")]
    assert ranges[0] is None
    assert ranges[1] == f"bytes=20000-{SIZE - 1}"
    assert len(ranges) == SIZE // 20_000


def test_a_transfer_that_never_moves_ends_in_an_error(connect: Connect, server: FaultyRegistry) -> None:
    server.fail(Reset(0), path="/blobs/", times=None)
    with pytest.raises(TransportFailure, match="read sha256"):
        read(connect(server.host))
    assert server.count("GET", "/blobs/") == 7


@pytest.mark.parametrize(
    "second",
    [IgnoreRange(), ShiftRange(1), ShiftRange(-5), Status(416), Headers({"Content_Range": None}),
     Headers({"Content_Range": f"bytes 0-{SIZE - 1}/{SIZE}"}), Headers({"Content_Range": "garbage"})],
    ids=lambda action: repr(action)[:50],
)  # fmt: skip
def test_ranges_that_are_missing_or_wrong_are_done_without(
    connect: Connect, server: FaultyRegistry, second: Action
) -> None:
    server.fail(second, path="/blobs/", skip=1)
    server.fail(Truncate(100_000), path="/blobs/")
    assert read(connect(server.host)) == DATA


def test_a_registry_without_ranges_is_read_anew(connect: Connect) -> None:
    store = Store()
    store.put_blob(REPOSITORY, DATA)
    with FaultyRegistry(store, behaviour=Behaviour(ranges=False)) as server:
        server.fail(Reset(200_000), path="/blobs/", times=2)
        assert read(connect(server.host)) == DATA


@pytest.mark.parametrize("action", [Unsized(), Gzipped(), Together((Gzipped(), Unsized()))], ids=str)
def test_a_blob_in_another_wrapping_is_the_same(connect: Connect, server: FaultyRegistry, action: Action) -> None:
    server.fail(action, path="/blobs/", times=None)
    assert read(connect(server.host)) == DATA


@pytest.mark.parametrize("at", [0, SIZE // 2, SIZE - 1])
def test_a_flipped_bit_is_found_before_the_last_byte_is_given(
    connect: Connect, server: FaultyRegistry, at: int
) -> None:
    server.fail(FlipBit(at), path="/blobs/", times=None)
    given = 0
    buffer = memoryview(bytearray(100_000))
    with connect(server.host).open_blob(REPOSITORY, DIGEST, SIZE) as blob:
        with pytest.raises(DigestMismatch, match=DIGEST):
            while True:
                given += blob.readinto(buffer)
        assert given < SIZE


@pytest.mark.parametrize(
    "action",
    [Extended(b"more"), Together((Extended(b"m"), Unsized())), ClaimLength(5)],
    ids=lambda action: repr(action)[:40],
)
def test_a_body_that_is_too_long_is_refused(connect: Connect, server: FaultyRegistry, action: Action) -> None:
    server.fail(action, path="/blobs/", times=None)
    with pytest.raises(DigestMismatch):
        read(connect(server.host))


@pytest.mark.parametrize("size", [SIZE - 1, SIZE + 1, 1])
def test_a_size_that_the_manifest_made_up_is_refused(connect: Connect, server: FaultyRegistry, size: int) -> None:
    with pytest.raises(DigestMismatch, match=f"{SIZE} bytes, the manifest says {size}"):
        read(connect(server.host), size=size)


def test_a_stalled_transfer_is_noticed_and_goes_on(connect: Connect, server: FaultyRegistry) -> None:
    server.fail(Stall(120_000, 30), path="/blobs/")
    started = time.monotonic()
    registry = connect(server.host, timeout=1)
    assert read(registry) == DATA
    assert time.monotonic() - started < 10
    assert registry.counters.bytes_received == SIZE


def test_a_slow_transfer_is_no_stalled_one(connect: Connect, server: FaultyRegistry) -> None:
    server.fail(Slow(160_000), path="/blobs/")
    assert read(connect(server.host, timeout=1)) == DATA
    assert server.count() == 1


def test_an_empty_blob_is_not_even_asked_for(connect: Connect, server: FaultyRegistry) -> None:
    with connect(server.host).open_blob(REPOSITORY, EMPTY, 0) as blob:
        assert blob.readinto(memoryview(bytearray(10))) == 0
    assert server.count() == 0


def test_a_missing_blob_is_not_found(connect: Connect, server: FaultyRegistry) -> None:
    with pytest.raises(NotFound, match="BLOB_UNKNOWN"):
        read(connect(server.host), digest=f"sha256:{'1' * 64}")


def test_the_beginning_can_be_read_alone(connect: Connect, server: FaultyRegistry) -> None:
    registry = connect(server.host, connections=1)
    for _unused in range(3):
        with registry.open_blob(REPOSITORY, DIGEST, SIZE) as blob:
            assert blob.read(10) + blob.read(10) == DATA[:20]
    with registry.open_blob(REPOSITORY, DIGEST, SIZE) as blob:
        assert blob.read() == DATA
        assert blob.read() == b""
        assert blob.read(5) == b""


def test_a_blob_at_another_host_is_read_without_credentials(connect: Connect) -> None:
    store = Store()
    store.put_blob(REPOSITORY, DATA)
    with FaultyRegistry(store, behaviour=Behaviour(redirects_blobs=True)) as server:
        registry = connect(server.host)
        assert read(registry) == DATA
        assert server.count(host="storage") == 1


def test_a_storage_that_refuses_is_named(connect: Connect, server: FaultyRegistry) -> None:
    with FaultyRegistry(Store()) as storage:
        server.fail(_to(f"{storage.url}/v2/expired?X-Amz-Signature=hidden"), path="/blobs/", times=None)
        with pytest.raises(StorageRefused, match=rf"answered by {storage.host}") as raised:
            read(connect(server.host))
        assert "hidden" not in str(raised.value)
        assert server.count("GET", "/blobs/") == 3


def test_an_expired_signed_address_is_asked_for_again(connect: Connect, server: FaultyRegistry) -> None:
    with FaultyRegistry(Store()) as storage:
        server.fail(_to(f"{storage.url}/v2/expired"), path="/blobs/")
        assert read(connect(server.host)) == DATA


def test_a_storage_that_cannot_be_reached_is_named(connect: Connect, server: FaultyRegistry) -> None:
    with FaultyRegistry(Store()) as storage:
        gone = storage.host
    server.fail(_to(f"http://{gone}/x?X-Amz-Signature=hidden"), path="/blobs/", times=None)
    with pytest.raises(TransportFailure, match=rf"sent us to {gone}.*Open the way to {gone}") as raised:
        read(connect(server.host))
    assert "hidden" not in str(raised.value)


@pytest.mark.parametrize("fault", [Slow(100_000), Stall(after=50_000)], ids=["slow", "silent"])
def test_a_run_that_is_stopped_stops_in_the_middle_of_a_blob(
    connect: Connect, server: FaultyRegistry, fault: Action
) -> None:
    server.fail(fault, path="/blobs/")
    with stopped(within=2) as stopping:
        read(connect(server.host, stopping=stopping, timeout=60), piece=10_000)


def test_all_connections_keep_to_one_rate(connect: Connect, server: FaultyRegistry) -> None:
    registry = connect(server.host, bandwidth_limit=1_000_000)
    started = time.monotonic()
    readers = [threading.Thread(target=read, args=(registry,)) for _unused in range(4)]
    for reader in readers:
        reader.start()
    for reader in readers:
        reader.join()
    rate = 4 * SIZE / (time.monotonic() - started)
    assert 500_000 < rate < 1_150_000


def _to(location: str) -> Action:
    from ansible_collections.dkp.airgap.tests.kit.faults import Redirect

    return Redirect(location)
