# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is asked again, when, and how often; how many requests run at once."""

from __future__ import annotations

import email.utils
import threading
import time
from collections.abc import Callable, Iterator

import pytest
from ansible_collections.dkp.airgap.plugins.module_utils._oci.errors import Stopped
from ansible_collections.dkp.airgap.plugins.module_utils._registry import backoff
from ansible_collections.dkp.airgap.plugins.module_utils._registry.backoff import Backoff, retry_after
from ansible_collections.dkp.airgap.plugins.module_utils._registry.bandwidth import Bandwidth
from ansible_collections.dkp.airgap.plugins.module_utils._registry.client import Registry
from ansible_collections.dkp.airgap.plugins.module_utils._registry.errors import (
    RegistryError,
    Throttled,
    TransportFailure,
    Unavailable,
)
from ansible_collections.dkp.airgap.plugins.module_utils._registry.parallel import Permits
from ansible_collections.dkp.airgap.plugins.module_utils._registry.stopping import Stopping
from ansible_collections.dkp.airgap.tests.kit.behaviour import Behaviour
from ansible_collections.dkp.airgap.tests.kit.faults import (
    Action,
    Headers,
    Redirect,
    Reset,
    Silence,
    Stall,
    Status,
    Truncate,
)
from ansible_collections.dkp.airgap.tests.kit.faulty import FaultyRegistry
from ansible_collections.dkp.airgap.tests.kit.stops import stopped
from ansible_collections.dkp.airgap.tests.kit.store import Store, StoredManifest

Connect = Callable[..., Registry]
REPOSITORY = "dkp/ee"
DATA = b"x" * 100_000


@pytest.fixture
def server() -> Iterator[FaultyRegistry]:
    store = Store()
    store.put_manifest(REPOSITORY, StoredManifest(b"{}", "application/x"), ["v1"])
    with FaultyRegistry(store) as running:
        yield running


@pytest.mark.parametrize(
    "action",
    [*(Status(status) for status in (408, 425, 429, 499, 500, 502, 503, 504, 520, 524)), Reset(0), Reset(5),
     Truncate(3), Status(403, "TOOMANYREQUESTS"), Status(502, text="<html><title>Bad Gateway</title></html>")],
    ids=str,
)  # fmt: skip
def test_what_may_pass_is_asked_again(connect: Connect, server: FaultyRegistry, action: Action) -> None:
    server.fail(action, times=3)
    registry = connect(server.host)
    assert registry.tags(REPOSITORY) == ["v1"]
    assert server.count() == 4
    assert registry.counters.retries == 3


@pytest.mark.parametrize("status", [400, 403, 404, 405, 410, 412, 413, 415, 418, 451, 501, 505, 507])
def test_what_cannot_pass_is_not(connect: Connect, server: FaultyRegistry, status: int) -> None:
    server.fail(Status(status), times=None)
    with pytest.raises(RegistryError, match=str(status)):
        connect(server.host).tags(REPOSITORY)
    assert server.count() == 1


@pytest.mark.parametrize(
    ("action", "error", "tries"),
    [(Status(500), Unavailable, 7), (Reset(0), TransportFailure, 7), (Status(429), Throttled, 12)],
    ids=str,
)
def test_tries_are_used_up(
    connect: Connect,
    server: FaultyRegistry,
    monkeypatch: pytest.MonkeyPatch,
    action: Action,
    error: type[RegistryError],
    tries: int,
) -> None:
    monkeypatch.setattr(backoff, "LONGEST_PAUSE", 0.02)
    server.fail(action, times=None)
    with pytest.raises(error, match="list the tags"):
        connect(server.host).tags(REPOSITORY)
    assert server.count() == tries


def test_a_connection_that_the_server_closed_meanwhile_costs_no_pause(
    connect: Connect, server: FaultyRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backoff, "FIRST_PAUSE", 10.0)
    registry = connect(server.host)
    registry.tags(REPOSITORY)
    server.fail(Reset(0), times=1)
    started = time.monotonic()
    registry.tags(REPOSITORY)
    assert time.monotonic() - started < 2


def test_a_server_that_stands_still_is_left(connect: Connect, server: FaultyRegistry) -> None:
    server.fail(Stall(0, 30), times=1)
    started = time.monotonic()
    assert connect(server.host, timeout=1).tags(REPOSITORY) == ["v1"]
    assert 0.9 < time.monotonic() - started < 5


@pytest.mark.parametrize("header", [{"retry_after": 1}, {"retry_date": 2}], ids=str)
def test_retry_after_is_kept_by_all_requests_to_the_host(
    connect: Connect, server: FaultyRegistry, header: dict[str, int]
) -> None:
    server.fail(Status(429, **header), times=1)  # type: ignore[arg-type]
    registry = connect(server.host)
    started = time.monotonic()
    first = threading.Thread(target=registry.tags, args=(REPOSITORY,))
    first.start()
    time.sleep(0.2)
    registry.manifest_digest(REPOSITORY, "v1")
    first.join()
    assert time.monotonic() - started > 0.9
    starts = sorted(one.started for one in server.requests())
    assert starts[1] - starts[0] > 0.9, "the second request waited for the first one's pause"


@pytest.mark.parametrize(
    "fault", [Status(429, retry_after=60), Silence(), Stall(after=5)], ids=["pause", "silence", "stall"]
)
def test_a_wait_ends_when_the_run_is_stopped(connect: Connect, server: FaultyRegistry, fault: Action) -> None:
    server.fail(fault, times=None)
    with stopped(within=2, after=0.2, match="can be repeated") as stopping:
        registry = connect(server.host, stopping=stopping, timeout=60)
        registry.tags(REPOSITORY)
    with pytest.raises(Stopped):
        registry.manifest_digest(REPOSITORY, "v1")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, None),
        ("", None),
        ("0", 0),
        (" 7 ", 7),
        ("99999999999999999999", 300),
        ("-1", None),
        ("soon", None),
        ("1.5", None),
        (email.utils.formatdate(1030, usegmt=True), 30),
        (email.utils.formatdate(1000, usegmt=True), 0),
        (email.utils.formatdate(10, usegmt=True), 0),
        (email.utils.formatdate(1_000_000, usegmt=True), 300),
        ("Wed, 99 Foo 2026 99:99:99 GMT", None),
    ],
)
def test_retry_after_in_both_forms(value: str | None, expected: float | None) -> None:
    assert retry_after(value, now=1000.0) == expected


def test_a_date_is_measured_by_the_clock_of_the_server(connect: Connect, server: FaultyRegistry) -> None:
    skewed = {
        "Date": email.utils.formatdate(1000, usegmt=True),
        "Retry-After": email.utils.formatdate(1001, usegmt=True),
    }
    server.fail(Status(503, headers=skewed), times=1)
    started = time.monotonic()
    connect(server.host).tags(REPOSITORY)
    assert 0.9 < time.monotonic() - started < 5


def test_pauses_grow_and_are_jittered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backoff, "FIRST_PAUSE", 0.5)
    shortest = Backoff(Stopping(), chance=lambda: 0.0)
    longest = Backoff(Stopping(), chance=lambda: 1.0)
    assert [shortest.failed("h", tries=tries) for tries in (1, 2, 3, 10)] == [0.25, 0.5, 1.0, 15.0]
    assert [longest.failed("h", tries=tries) for tries in (1, 2, 3, 10)] == [0.5, 1.0, 2.0, 30.0]
    assert 60 <= longest.failed("h", tries=1, asked=60.0) <= 63


def test_hosts_are_paused_apart() -> None:
    pauses = Backoff(Stopping())
    pauses.failed("slow", tries=1, asked=60.0)
    started = time.monotonic()
    pauses.wait("other")
    assert time.monotonic() - started < 0.1


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_followed(connect: Connect, server: FaultyRegistry, status: int) -> None:
    server.fail(Redirect(f"/v2/{REPOSITORY}/tags/list?moved", status), path="list$")
    assert connect(server.host).tags(REPOSITORY) == ["v1"]


def test_endless_redirects_end(connect: Connect, server: FaultyRegistry) -> None:
    server.fail(Redirect(f"/v2/{REPOSITORY}/tags/list"), times=None)
    with pytest.raises(TransportFailure, match="more than 10 redirects"):
        connect(server.host).tags(REPOSITORY)
    assert server.count() == 11


@pytest.mark.parametrize(
    "location", ["http://169.254.169.254/latest/meta-data", "ftp://elsewhere/", "http://[fe80::1]/", "http://a b/"]
)
def test_redirects_that_lead_nowhere_good_are_refused(connect: Connect, server: FaultyRegistry, location: str) -> None:
    server.fail(Redirect(location), times=None)
    with pytest.raises(TransportFailure, match="list the tags"):
        connect(server.host).tags(REPOSITORY)
    assert server.count() == 1


def test_a_redirect_without_a_location_is_an_error(connect: Connect, server: FaultyRegistry) -> None:
    server.fail(Status(302), times=None)
    with pytest.raises(RegistryError, match="302"):
        connect(server.host).tags(REPOSITORY)


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def permits(*, most: int = 32, latency: float | None = None) -> tuple[Permits, Clock]:
    clock = Clock()
    made = Permits(most, Stopping(), clock=clock)
    if latency is not None:
        made.note_latency(latency)
    return made, clock


@pytest.mark.parametrize(
    ("latency", "most", "expected"),
    [(None, 32, 8), (0.0005, 32, 8), (0.005, 32, 16), (0.05, 32, 32), (0.05, 4, 4), (0.05, 1, 1), (0.0005, 2, 2)],
)
def test_the_number_of_requests_follows_the_line(latency: float | None, most: int, expected: int) -> None:
    made, _unused = permits(most=most, latency=latency)
    assert made.limit == min(8, most)
    for _unused in range(100):
        made.succeeded()
    assert made.limit == expected


def test_a_slow_first_answer_does_not_make_a_line_long() -> None:
    made, _unused = permits(latency=0.2)
    for _unused in range(5):
        made.succeeded()
    assert made.limit == 13
    made.note_latency(0.0005)
    made.succeeded()
    assert made.limit == 8


def test_trouble_halves_and_health_comes_back_step_by_step() -> None:
    made, clock = permits(latency=0.05)
    for _unused in range(100):
        made.succeeded()
    for _unused in range(5):
        made.troubled()
    assert made.limit == 16, "one wave counts once"
    clock.now += 2
    made.troubled()
    assert made.limit == 8
    for _unused in range(9):
        made.succeeded()
    assert made.limit == 9
    for _unused in range(2000):
        made.succeeded()
    assert made.limit == 32
    for _unused in range(20):
        clock.now += 2
        made.troubled()
    assert made.limit == 1


def test_what_is_needed_to_plan_goes_first() -> None:
    made, _unused = permits(most=1)
    made.acquire(first=False)
    order: list[str] = []

    def work(name: str, first: bool) -> None:
        made.acquire(first=first)
        order.append(name)
        made.release()

    workers = []
    for name, first in (("blob 1", False), ("blob 2", False), ("manifest", True)):
        workers.append(threading.Thread(target=work, args=(name, first)))
        workers[-1].start()
        time.sleep(0.05)
    made.release()
    for worker in workers:
        worker.join()
    assert order == ["manifest", "blob 1", "blob 2"]


def test_waiting_for_a_permit_can_be_stopped() -> None:
    event = Stopping()
    made = Permits(1, event)
    made.acquire(first=False)
    event.set()
    with pytest.raises(Stopped):
        made.acquire(first=True)
    made.release()
    made.acquire(first=False)


@pytest.mark.parametrize(("connections", "latency", "peak"), [(3, 0.0, 3), (0, 0.0, 8), (0, 0.03, 20)])
def test_no_more_requests_than_permits(connect: Connect, connections: int, latency: float, peak: int) -> None:
    store = Store()
    store.put_manifest(REPOSITORY, StoredManifest(b"{}", "application/x"), ["v1"])
    with FaultyRegistry(store, behaviour=Behaviour(latency=latency)) as server:
        registry = connect(server.host, connections=connections)
        work = [threading.Thread(target=_ask_often, args=(registry,)) for _unused in range(20)]
        for worker in work:
            worker.start()
        for worker in work:
            worker.join()
        assert server.peak() <= peak
        assert registry.parallel <= registry.ceiling == (connections or 32)
        if latency:
            assert registry.parallel > 8


def _ask_often(registry: Registry) -> None:
    for _unused in range(6):
        registry.manifest_digest(REPOSITORY, "v1")


def test_overload_lowers_the_number_of_requests(connect: Connect, server: FaultyRegistry) -> None:
    server.fail(Status(503), times=2)
    registry = connect(server.host)
    registry.tags(REPOSITORY)
    assert registry.parallel == 4


def test_connections_are_used_again(connect: Connect, server: FaultyRegistry) -> None:
    registry = connect(server.host)
    _ask_often(registry)
    pools = [pool for pool, _unused in registry._transport._pools.values()]
    assert [pool.num_connections for pool in pools] == [1]


def test_a_closing_server_is_no_trouble(connect: Connect, server: FaultyRegistry) -> None:
    server.fail(Headers({"Connection": "close"}), times=None)
    _ask_often(connect(server.host))


def test_a_rate_is_kept_over_time() -> None:
    slept: list[float] = []

    class Sleeper(Stopping):
        def sleep(self, seconds: float) -> None:
            slept.append(seconds)

    clock = Clock()
    bandwidth = Bandwidth(1000, Sleeper(), clock=clock)
    for _unused in range(3):
        bandwidth.take(500)
    assert slept == [0.5, 1.0, 1.5]
    clock.now += 100
    bandwidth.take(500)
    assert slept[-1] == pytest.approx(0.4), "an idle line earns no more than a tenth of a second"
    assert Bandwidth(None, Sleeper()).piece == 1 << 20
