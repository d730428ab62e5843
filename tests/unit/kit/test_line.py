# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What stands between a client and a registry: a long line, a proxy with limits. Of times only lower bounds hold."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from ansible_collections.dkp.airgap.tests.kit.content import Noise, layer_of
from ansible_collections.dkp.airgap.tests.kit.faults import Reset
from ansible_collections.dkp.airgap.tests.kit.faulty import FaultyRegistry
from ansible_collections.dkp.airgap.tests.kit.images import image_of
from ansible_collections.dkp.airgap.tests.kit.line import Line
from ansible_collections.dkp.airgap.tests.kit.nginx import Nginx
from ansible_collections.dkp.airgap.tests.kit.programs import MissingProgram, ensure_longline, find
from ansible_collections.dkp.airgap.tests.kit.servers import Server
from ansible_collections.dkp.airgap.tests.kit.store import Store

LAYER = layer_of({"noise": Noise("line", 500_000)})
BLOB = f"/v2/dkp/blobs/{LAYER.digest}"


@pytest.fixture(scope="module")
def registry() -> Iterator[FaultyRegistry]:
    store = Store()
    store.add_image("dkp", image_of([LAYER]), "v1")
    with FaultyRegistry(store) as running:
        yield running


@pytest.fixture(scope="module")
def line_program() -> Path:
    try:
        return ensure_longline()
    except MissingProgram as missing:
        pytest.skip(str(missing))


def test_a_request_takes_a_round_trip_and_a_new_connection_one_more(
    registry: FaultyRegistry, line_program: Path
) -> None:
    with Line(registry.host, round_trip=0.2) as line, requests.Session() as session:
        times = []
        for _unused in range(2):
            started = time.monotonic()
            assert session.get(f"http://{line.host}/v2/").status_code == 200
            times.append(time.monotonic() - started)
        assert times[0] > 0.4
        assert times[1] > 0.2
        assert (line.statistics().connections, line.statistics().peak) == (1, 1)


@pytest.mark.parametrize("limits", [{"connection_rate": 1e6}, {"total_rate": 1e6}], ids=str)
def test_rates_are_kept_in_both_directions(
    registry: FaultyRegistry, line_program: Path, limits: dict[str, float]
) -> None:
    with Line(registry.host, **limits) as line:
        started = time.monotonic()
        assert requests.get(f"http://{line.host}{BLOB}").content == LAYER.read()
        assert time.monotonic() - started > 0.4
        assert line.statistics().down > LAYER.size
        opened = requests.post(f"http://{registry.host}/v2/up/blobs/uploads/").headers["Location"]
        started = time.monotonic()
        put = requests.put(opened.replace(registry.host, line.host), params={"digest": LAYER.digest}, data=LAYER.read())
        assert put.status_code == 201
        assert time.monotonic() - started > 0.4


def test_a_reset_stays_a_reset(registry: FaultyRegistry, line_program: Path) -> None:
    registry.fail(Reset(after=1000), path="/blobs/")
    with (
        Line(registry.host, round_trip=0.02) as line,
        pytest.raises(requests.exceptions.RequestException, match="reset"),
    ):
        requests.get(f"http://{line.host}{BLOB}")


def test_nginx_refuses_what_is_larger_than_its_limit(tmp_path: Path) -> None:
    try:
        find("nginx", package="nginx-light")
        server = Server(tmp_path / "target", version=2)
    except MissingProgram as missing:
        pytest.skip(str(missing))
    with server, Nginx(server.host, largest_body="100k") as front:
        opened = requests.post(f"{front.url}/v2/new/blobs/uploads/").headers["Location"]
        assert opened.startswith(front.url)
        assert requests.put(f"{opened}&digest={LAYER.digest}", data=LAYER.read()).status_code == 413
        location = opened
        for start in range(0, LAYER.size, 100_000):
            piece = LAYER.read()[start : start + 100_000]
            location = requests.patch(location, data=piece).headers["Location"]
        assert requests.put(f"{location}&digest={LAYER.digest}").status_code == 201
        assert requests.get(f"{front.url}/v2/new/blobs/{LAYER.digest}").content == LAYER.read()
