# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later


"""Hosts of the kit are hosts: one gets there by SSH, they cannot reach each other, and nothing of them is left."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from ansible_collections.dkp.airgap.tests.kit.hosts import Network
from ansible_collections.dkp.airgap.tests.kit.programs import MissingProgram
from ansible_collections.dkp.airgap.tests.kit.vendor import any_server

SSH = 22


@pytest.fixture
def network() -> Iterator[Network]:
    try:
        network = Network()
    except MissingProgram as missing:
        pytest.skip(str(missing))
    with network:
        yield network


def test_hosts_reach_only_what_they_are_connected_to(network: Network, tmp_path: Path) -> None:
    outside, inside = network.host("outside"), network.host("inside")
    for host in (outside, inside):
        assert network.controller.reaches(host.address, SSH)
    assert not outside.reaches(inside.address, SSH) and not inside.reaches(outside.address, SSH)
    with any_server(tmp_path / "registry", address=outside.address, namespace=outside.namespace) as server:
        port = int(server.host.partition(":")[2])
        assert outside.reaches(outside.address, port) and not inside.reaches(outside.address, port)
        assert requests.get(f"{server.url}/v2/", timeout=5).status_code == 200, "the tests reach everything"
        network.connect("outside", "inside")
        assert inside.reaches(outside.address, port)
        inside.link_down()
        assert not inside.reaches(outside.address, port) and not network.controller.reaches(inside.address, SSH)
        inside.link_up()
        assert inside.reaches(outside.address, port) and network.controller.reaches(inside.address, SSH)
    with any_server(tmp_path / "here") as server:
        port = int(server.host.partition(":")[2])
        assert not inside.reaches("127.0.0.1", port)
        inside.sees(port)
        assert inside.reaches("127.0.0.1", port) and not outside.reaches("127.0.0.1", port)


def test_a_host_has_a_home_a_disk_and_programs_of_its_own(network: Network) -> None:
    outside, inside = network.host("outside"), network.host("inside")
    (outside.home / "told").write_text("outside\n")
    login = ["ssh", "-i", str(network.key), *outside.variables["ansible_ssh_common_args"].split()]
    said = network.controller.run([*login, f"root@{outside.address}", "cat ~/told; command -v rsync"])
    assert said.split() == ["outside", "/usr/bin/rsync"]
    outside.hide("rsync")
    assert "rsync" not in network.controller.run([*login, f"root@{outside.address}", "command -v rsync"], check=False)
    assert inside.run(["rsync", "--version"])
    assert not inside.seen(outside.home).exists(), "others' directories are out of sight"
    disk = outside.small_disk(outside.directory / "medium", "1m")
    with pytest.raises(subprocess.CalledProcessError, match="exit status 1"):
        outside.run(["sh", "-c", f"head -c 2000000 /dev/zero > {disk}/part"])
    assert (outside.seen(disk) / "part").stat().st_size == 1 << 20 and not any(disk.iterdir())


def test_nothing_is_left_of_a_test_that_was_killed(network: Network) -> None:
    script = f"""\
from {Network.__module__} import Network
import time
with Network() as network:
    print(network.host("outside").namespace, network.directory, flush=True)
    time.sleep(60)
"""
    started = subprocess.Popen([sys.executable, "-c", script], env=_importing(), stdout=subprocess.PIPE, text=True)
    assert started.stdout is not None
    namespace, directory = started.stdout.readline().split()
    assert not namespace.startswith(network.block.prefix), "two at once get out of each other's way"
    assert Path("/run/netns", namespace).exists()
    os.kill(started.pid, signal.SIGKILL)
    started.communicate()
    until = time.monotonic() + 10
    while Path("/run/netns", namespace).exists() or Path(directory).exists():
        assert time.monotonic() < until
        time.sleep(0.02)


def _importing() -> dict[str, str]:
    """The environment of a child that imports what these tests do."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
