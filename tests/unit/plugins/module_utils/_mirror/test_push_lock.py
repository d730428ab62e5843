# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One run at a time writes from one host; runs of different hosts do no harm to what clusters see."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from ansible_collections.dkp.airgap.plugins.module_utils._mirror.memory import HostMemory
from ansible_collections.dkp.airgap.plugins.module_utils._mirror.push_lock import PushBusy, push_lock
from ansible_collections.dkp.airgap.plugins.module_utils._oci.errors import Stopped
from ansible_collections.dkp.airgap.plugins.module_utils._oci.reference import RepositoryAddress, parse_address
from ansible_collections.dkp.airgap.plugins.module_utils._registry.stopping import Stopping
from ansible_collections.dkp.airgap.tests.kit import pushing
from ansible_collections.dkp.airgap.tests.kit.bundles import TINY, archives_of, write_bundle
from ansible_collections.dkp.airgap.tests.kit.faulty import FaultyRegistry
from ansible_collections.dkp.airgap.tests.kit.pushing import ROOT, held, push_bundle
from ansible_collections.dkp.airgap.tests.kit.servers import Server
from ansible_collections.dkp.airgap.tests.kit.tree import build

TREE = build(TINY)
TARGET = RepositoryAddress("registry.example", "dkp/ee")


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("bundle")
    write_bundle(TREE, path)
    return path


@pytest.mark.parametrize("publish", ["all", "content", "pointers"])
def test_a_second_run_stops_at_once_and_says_for_whom(
    registry: FaultyRegistry, bundle: Path, tmp_path: Path, publish: str
) -> None:
    target = parse_address(f"{registry.host}/{ROOT}")
    with push_lock(HostMemory(tmp_path), target, Stopping(), wait=0, dry=False) as findings:
        assert findings == ()
        with pytest.raises(PushBusy, match=rf"{target} .*process {os.getpid()} on .*, since 20.*set lock_wait"):
            push_bundle(registry.host, bundle, state=tmp_path, publish=publish)
        assert not registry.exchanges, "before anything was asked"
        push_bundle(registry.host, bundle, state=tmp_path, check_mode=True)
        push_bundle(registry.host, bundle, state=tmp_path / "another host")
    assert not push_bundle(registry.host, bundle, state=tmp_path).changed


def test_a_second_run_waits_as_long_as_it_is_told(registry: FaultyRegistry, bundle: Path, tmp_path: Path) -> None:
    target = parse_address(f"{registry.host}/{ROOT}")
    entered, leave = threading.Event(), threading.Event()

    def hold() -> None:
        with push_lock(HostMemory(tmp_path), target, Stopping(), wait=0, dry=False):
            entered.set()
            leave.wait(20)

    holder = threading.Thread(target=hold)
    holder.start()
    assert entered.wait(5)
    try:
        with pytest.raises(PushBusy, match="did not end within 1 seconds"):
            push_bundle(registry.host, bundle, state=tmp_path, lock_wait=1)
        threading.Timer(0.7, leave.set).start()
        assert push_bundle(registry.host, bundle, state=tmp_path, lock_wait=20).changed
    finally:
        leave.set()
        holder.join()


def test_who_waits_can_be_stopped(tmp_path: Path) -> None:
    stopping = Stopping()
    with push_lock(HostMemory(tmp_path), TARGET, Stopping(), wait=0, dry=False):
        threading.Timer(0.2, stopping.set).start()
        began = time.monotonic()
        with pytest.raises(Stopped), push_lock(HostMemory(tmp_path), TARGET, stopping, wait=60, dry=False):
            pytest.fail("the lock is held")
        assert time.monotonic() - began < 10


@pytest.mark.parametrize("other", [RepositoryAddress("registry.example", "dkp/fe"), RepositoryAddress("x", "dkp/ee")])
def test_other_targets_are_free(tmp_path: Path, other: RepositoryAddress) -> None:
    memory = HostMemory(tmp_path)
    held_lock = push_lock(memory, TARGET, Stopping(), wait=0, dry=False)
    with held_lock, push_lock(memory, other, Stopping(), wait=0, dry=False) as findings:
        assert not findings


@pytest.mark.parametrize("place", [None, "file"])
def test_without_a_place_for_the_lock_the_run_goes_on_and_says_so(tmp_path: Path, place: str | None) -> None:
    (tmp_path / "file").write_text("no directory")
    memory = HostMemory(tmp_path / place if place else None)
    with push_lock(memory, TARGET, Stopping(), wait=0, dry=False) as findings:
        assert [(finding.id, finding.severity) for finding in findings] == [("unlocked", "warning")]


def test_two_hosts_may_push_the_same_at_once(bundle: Path, tmp_path: Path) -> None:
    root = Path(pushing.__file__).resolve().parents[2]
    paths = [path for path in sys.path if (Path(path) / "ansible_collections/dkp/airgap").exists()]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
    with Server(tmp_path / "storage", version=3) as server:
        command = [sys.executable, "-m", pushing.__name__, server.host]
        hosts = [
            subprocess.Popen([*command, str(tmp_path / name), str(bundle)], env=environment, cwd=root)
            for name in ("one", "two")
        ]
        try:
            assert [host.wait(60) for host in hosts] == [0, 0]
        finally:
            for host in hosts:
                host.kill()
                host.wait()
        for layouts in archives_of(TREE).values():
            for layout, images in layouts.items():
                assert held(server.url, layout) == {tag: image.digest for tag, image in images}
        again = push_bundle(server.host, bundle, state=tmp_path / "three", repair=True)
        assert not again.changed, "not even a blob is missing"
