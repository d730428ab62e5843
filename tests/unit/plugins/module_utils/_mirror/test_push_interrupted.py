# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Pushes that are killed, stopped or fail half-way: the next one finishes, and sends next to nothing twice."""

from __future__ import annotations

import os
import random
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from ansible_collections.dkp.airgap.plugins.module_utils._bundle.parts import PartSpace
from ansible_collections.dkp.airgap.plugins.module_utils._mirror.memory import HostMemory
from ansible_collections.dkp.airgap.plugins.module_utils._mirror.unfinished import UnfinishedPushes
from ansible_collections.dkp.airgap.plugins.module_utils._oci.errors import AirgapError, Stopped
from ansible_collections.dkp.airgap.plugins.module_utils._oci.reference import parse_address
from ansible_collections.dkp.airgap.plugins.module_utils._registry.stopping import Stopping
from ansible_collections.dkp.airgap.tests.kit import pushing
from ansible_collections.dkp.airgap.tests.kit.behaviour import Behaviour
from ansible_collections.dkp.airgap.tests.kit.bundles import TINY, archives_of, write_bundle
from ansible_collections.dkp.airgap.tests.kit.faults import Action, Status
from ansible_collections.dkp.airgap.tests.kit.faulty import FaultyRegistry
from ansible_collections.dkp.airgap.tests.kit.pushing import ROOT, push_bundle
from ansible_collections.dkp.airgap.tests.kit.tree import Tree, build

SHAPE = replace(TINY, components=12, base_layer=16 * 1024, component_layer=8 * 1024, security_layer=64 * 1024)
CEILING = 32


@pytest.fixture(scope="module")
def tree() -> Tree:
    return build(SHAPE)


@pytest.fixture(scope="module")
def bundle(tree: Tree, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("bundle")
    write_bundle(tree, path)
    return path


def is_complete(registry: FaultyRegistry, tree: Tree) -> bool:
    layouts = {layout: images for archive in archives_of(tree).values() for layout, images in archive.items()}
    return all(
        registry.store.repository(f"{ROOT}/{layout}".rstrip("/")).tags == {tag: image.digest for tag, image in images}
        for layout, images in layouts.items()
    )


def stored_twice(registry: FaultyRegistry) -> int:
    """How many blobs were uploaded more often than once into one repository."""
    sent: Counter[str] = Counter()
    for one in registry.requests("PUT", "/blobs/uploads/"):
        digest = re.search(r"digest=(sha256:[0-9a-f]{64})", one.target)
        if digest and one.status == 201:
            sent[digest[1]] += 1
    return sum(count - 1 for count in sent.values())


def push_until_killed(registry: FaultyRegistry, bundle: Path, state: Path, number: int) -> None:
    """Push in a process of its own, and kill it once the registry has seen `number` more writes."""
    root = Path(pushing.__file__).resolve().parents[2]
    paths = [path for path in sys.path if (Path(path) / "ansible_collections/dkp/airgap").exists()]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
    command = [sys.executable, "-m", pushing.__name__, registry.host, str(state), str(bundle)]
    until = registry.count("PUT|POST") + number
    with subprocess.Popen(command, env=environment, cwd=root, stderr=subprocess.PIPE) as process:
        deadline = time.monotonic() + 30
        while registry.count("PUT|POST") < until and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.002)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        assert process.returncode in (-signal.SIGKILL, 0), process.stderr.read().decode()  # type: ignore[union-attr]


def test_a_push_killed_at_random_moments_is_finished_by_the_next(
    registry: FaultyRegistry, bundle: Path, tree: Tree, tmp_path: Path
) -> None:
    chance = random.Random(3)
    registry.behaviour = Behaviour(latency=0.002)
    for kills in range(1, 5):
        push_until_killed(registry, bundle, tmp_path / "state", chance.randrange(1, 60))
        assert stored_twice(registry) <= kills * CEILING
        channel = registry.store.repository(f"{ROOT}/release-channel").tags
        versions = registry.store.repository(ROOT).tags
        assert "stable" not in channel or "v1.69.0" in versions
    push_bundle(registry.host, bundle, state=tmp_path / "state")
    assert is_complete(registry, tree)
    assert stored_twice(registry) <= 6, "what had arrived is not sent again"
    assert not push_bundle(registry.host, bundle, state=tmp_path / "state").changed


@pytest.mark.parametrize("state", ["remembered", "nothing can be remembered"])
def test_blobs_without_a_manifest_are_found_again(
    registry: FaultyRegistry, bundle: Path, tree: Tree, tmp_path: Path, state: str
) -> None:
    """The hardest moment: every blob is there, not one tag."""
    memory = tmp_path / "state" if state == "remembered" else None
    rule = registry.fail(Status(403, code="DENIED"), method="PUT", path="/manifests/", times=None)
    with pytest.raises(AirgapError, match="parts of the bundle"):
        push_bundle(registry.host, bundle, state=memory)
    assert rule.hits > 5
    before = {path: set(one.blobs) for path, one in registry.store.repositories.items()}
    registry.heal()
    first = registry.count("PUT", "/blobs/uploads/")
    push_bundle(registry.host, bundle, state=memory)
    assert is_complete(registry, tree)
    again = [one.target.partition("digest=")[2] for one in registry.requests("PUT", "/blobs/uploads/")[first:]]
    there = {digest for blobs in before.values() for digest in blobs}
    assert not there.intersection(again)


def test_a_first_push_does_not_ask_for_blobs(registry: FaultyRegistry, bundle: Path, tmp_path: Path) -> None:
    push_bundle(registry.host, bundle, state=tmp_path / "state")
    assert registry.count("HEAD", "/blobs/") == 0
    assert not list((tmp_path / "state" / "pushes").iterdir()), "it has ended: nothing is left to be remembered"


def test_only_what_failed_is_remembered(registry: FaultyRegistry, bundle: Path, tmp_path: Path) -> None:
    registry.fail(Status(403, code="DENIED"), method="PUT", path=r"modules/sdn/manifests", times=None)
    with pytest.raises(AirgapError, match="module sdn"):
        push_bundle(registry.host, bundle, state=tmp_path / "state")
    address = parse_address(f"{registry.host}/{ROOT}")
    noted = UnfinishedPushes(HostMemory(tmp_path / "state"), address, dry=True)
    assert noted.may_have_left(f"{ROOT}/modules/sdn") and not noted.may_have_left(f"{ROOT}/modules/console")


def test_the_mark_of_one_bundle_survives_the_push_of_another(tmp_path: Path) -> None:
    memory, address = HostMemory(tmp_path), parse_address("registry.example/dkp")
    UnfinishedPushes(memory, address, dry=False).begin({"a", "b"})  # killed
    other = UnfinishedPushes(memory, address, dry=False)
    other.begin({"b", "c"})
    other.end(set())
    left = UnfinishedPushes(memory, address, dry=False)
    assert [name for name in "abc" if left.may_have_left(name)] == ["a"]


class Stop(Action):
    """Ask the run to stop while a request is answered, as a signal does."""

    def __init__(self, stopping: Stopping) -> None:
        self._stopping = stopping

    def on_answer(self, answer):  # type: ignore[no-untyped-def]
        self._stopping.set()
        return answer


@pytest.mark.parametrize(
    "method,path,skip", [("GET", "tags/list", 3), ("PUT", "/blobs/", 20), ("PUT", "/manifests/", 9)]
)
def test_a_push_that_is_stopped_ends_soon_and_can_be_repeated(
    registry: FaultyRegistry, bundle: Path, tree: Tree, tmp_path: Path, method: str, path: str, skip: int
) -> None:
    stopping = Stopping()
    registry.fail(Stop(stopping), method=method, path=path, skip=skip)
    with pytest.raises(Stopped):
        push_bundle(registry.host, bundle, state=tmp_path / "state", stopping=stopping)
    registry.heal()
    push_bundle(registry.host, bundle, state=tmp_path / "state")
    assert is_complete(registry, tree) and stored_twice(registry) == 0


def test_a_bundle_is_not_read_on_when_the_run_is_stopped(registry: FaultyRegistry, bundle: Path) -> None:
    stopping = Stopping()
    stopping.set()
    with pytest.raises(Stopped):
        push_bundle(registry.host, bundle, state=None, stopping=stopping)
    assert not registry.exchanges


def test_a_medium_that_fails_in_the_middle_is_the_error_that_is_told(
    registry: FaultyRegistry, bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    push_bundle(registry.host, bundle, state=tmp_path / "state", check_mode=True)

    def fails(space: PartSpace, offset: int, size: int, buffer: memoryview) -> Iterator[memoryview]:
        if size >= 0:
            raise OSError(5, "Input/output error")
        yield buffer

    monkeypatch.setattr(PartSpace, "chunks", fails)
    started = time.monotonic()
    with pytest.raises(AirgapError, match=r"\.tar cannot be read: Input/output error"):
        push_bundle(registry.host, bundle, state=tmp_path / "state")
    assert time.monotonic() - started < 10
