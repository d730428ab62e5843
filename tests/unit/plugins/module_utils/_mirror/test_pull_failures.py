# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Pulls that cannot end well: the first error is told at once, nobody waits for ever, and the next run goes on."""

from __future__ import annotations

import os
import re
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.dkp.airgap.plugins.module_utils._bundle import reserve, work
from ansible_collections.dkp.airgap.plugins.module_utils._bundle.errors import BundleBusy, BundleError, NoSpace
from ansible_collections.dkp.airgap.plugins.module_utils._bundle.lock import DirectoryLock
from ansible_collections.dkp.airgap.plugins.module_utils._mirror import downloads, keeping, proofs
from ansible_collections.dkp.airgap.plugins.module_utils._mirror.memory import HostMemory
from ansible_collections.dkp.airgap.plugins.module_utils._oci.errors import AirgapError, InvalidContent, Stopped
from ansible_collections.dkp.airgap.plugins.module_utils._registry import backoff
from ansible_collections.dkp.airgap.plugins.module_utils._registry.errors import (
    AccessDenied,
    DigestMismatch,
    RegistryError,
)
from ansible_collections.dkp.airgap.plugins.module_utils._registry.stopping import Stopping
from ansible_collections.dkp.airgap.tests.kit.faults import FlipBit, Reset, Stall, Status
from ansible_collections.dkp.airgap.tests.kit.faulty import FaultyRegistry
from ansible_collections.dkp.airgap.tests.kit.pulling import files_of, held, pull_bundle
from ansible_collections.dkp.airgap.tests.kit.shape import SMALL
from ansible_collections.dkp.airgap.tests.kit.tree import Tree, build

SHAPE = replace(SMALL, vex_share=0.0, components=12)
NEWEST = {"platform_versions": "=v1.72.10", "modules": [], "security_db": False, "installer_tag": None}


@pytest.fixture(scope="module")
def tree() -> Tree:
    return build(SHAPE)


@pytest.fixture
def source(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> Iterator[FaultyRegistry]:
    monkeypatch.setattr(backoff, "FIRST_PAUSE", 0.005)
    with FaultyRegistry(tree) as registry:
        yield registry


def address(registry: FaultyRegistry) -> str:
    return f"{registry.host}/{SHAPE.edition_root}"


def install_layer(tree: Tree, version: str, number: int = -1) -> str:
    """The digest of a layer of an install image; the last one holds the list of components."""
    return tree.repository("install").tags[version].blobs[number].digest


def promptly(function: Callable[[], Any], *, seconds: float = 8) -> Any:
    """The result of `function` (or its error), which has to be there in `seconds`."""
    outcome: list[Any] = []

    def run() -> None:
        try:
            outcome.append((function(), None))
        except BaseException as error:
            outcome.append((None, error))

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(seconds)
    assert outcome, "nothing ended"
    if outcome[0][1] is not None:
        raise outcome[0][1]
    return outcome[0][0]


def test_a_layer_that_breaks_after_its_list_was_read_ends_the_run(
    source: FaultyRegistry, tree: Tree, tmp_path: Path
) -> None:
    layer = tree.repository("install").tags["v1.72.10"].blobs[-1]
    source.fail(FlipBit(layer.size - 100), path=layer.digest, times=None)
    with pytest.raises(DigestMismatch):
        promptly(lambda: pull_bundle(address(source), tmp_path / "dest", **NEWEST))
    source.heal()
    assert pull_bundle(address(source), tmp_path / "dest", **NEWEST).changed
    held(tmp_path / "dest")


def test_a_layer_that_breaks_long_after_its_list_ends_the_run(tmp_path: Path) -> None:
    tree = build(replace(SHAPE, install_layer=4 * 1024 * 1024))
    layer = tree.repository("install").tags["v1.72.10"].blobs[-1]
    with FaultyRegistry(tree) as source:
        source.fail(FlipBit(layer.size - 100), path=layer.digest, times=None)
        with pytest.raises(DigestMismatch):
            promptly(lambda: pull_bundle(address(source), tmp_path / "dest", **NEWEST))
        source.heal()
        assert pull_bundle(address(source), tmp_path / "dest", **NEWEST).changed
    held(tmp_path / "dest")


def test_a_layer_that_cannot_be_read_ends_every_archive(source: FaultyRegistry, tree: Tree, tmp_path: Path) -> None:
    """Several archives wait for the same layer; none waits for ever."""
    source.fail(Status(403, code="DENIED"), path=install_layer(tree, "v1.72.10", 1), times=None)
    with pytest.raises(AccessDenied):
        promptly(lambda: pull_bundle(address(source), tmp_path / "dest"))


def test_an_error_is_told_while_other_archives_are_busy(source: FaultyRegistry, tree: Tree, tmp_path: Path) -> None:
    runtime = next(iter(tree.modules["sdn"].runtime["v0.5.0"].values()))
    source.fail(Stall(after=10, seconds=30), path=install_layer(tree, "v1.72.10"), times=None)
    source.fail(Status(404, code="MANIFEST_UNKNOWN"), path=f"/manifests/{runtime}", times=None)
    with pytest.raises(InvalidContent, match=f"lacks .*/sdn@{runtime}") as caught:
        promptly(lambda: pull_bundle(address(source), tmp_path / "dest", timeout=2))
    assert caught.value.details["missing"]


def test_a_missing_component_is_named(source: FaultyRegistry, tree: Tree, tmp_path: Path) -> None:
    component = sorted(tree.component_digests("v1.72.10"))[3]
    source.fail(Status(404, code="MANIFEST_UNKNOWN"), path=f"/manifests/{component}", times=None)
    with pytest.raises(InvalidContent, match=rf"lacks deckhouse/ee@{component}, which .*install:v1.72.10 lists"):
        promptly(lambda: pull_bundle(address(source), tmp_path / "dest", **NEWEST))
    assert not (tmp_path / "dest" / "delivery.json").exists()
    with pytest.raises(InvalidContent, match=component):
        pull_bundle(address(source), tmp_path / "checked", check_mode=True, **NEWEST)
    assert not (tmp_path / "checked").exists()


def test_a_blob_that_is_refused_ends_the_run_and_the_rest_is_kept(
    source: FaultyRegistry, tree: Tree, tmp_path: Path
) -> None:
    refused = tree.repository().tags["v1.72.10"].blobs[-1].digest
    source.fail(Status(403, code="DENIED"), path=refused, times=None)
    with pytest.raises(AccessDenied, match=refused):
        promptly(lambda: pull_bundle(address(source), tmp_path / "dest", **NEWEST))
    source.heal()
    pull_bundle(address(source), tmp_path / "dest", **NEWEST)
    held(tmp_path / "dest")


def test_broken_transfers_are_resumed(source: FaultyRegistry, tmp_path: Path) -> None:
    source.fail(Reset(after=700), method="GET", path="/blobs/", times=40)
    pull_bundle(address(source), tmp_path / "dest", **NEWEST)
    held(tmp_path / "dest")


def test_a_blob_with_a_flipped_bit_is_fetched_again(source: FaultyRegistry, tree: Tree, tmp_path: Path) -> None:
    layer = tree.repository().tags["v1.72.10"].blobs[-1].digest
    source.fail(FlipBit(100), path=layer)
    pull_bundle(address(source), tmp_path / "dest", **NEWEST)
    assert source.count("GET", layer) == 2
    held(tmp_path / "dest")


def test_metadata_is_verified_before_it_is_used(source: FaultyRegistry, tree: Tree, tmp_path: Path) -> None:
    layer = tree.repository("release-channel").tags["stable"].blobs[-1]
    source.fail(FlipBit(layer.read().index(b"requirements")), path=layer.digest, times=None)
    with pytest.raises(DigestMismatch):
        promptly(lambda: pull_bundle(address(source), tmp_path / "dest", check_mode=True))


@pytest.mark.parametrize("stage", ["resolving", "listing", "downloading"])
def test_a_run_that_is_told_to_stop_stops(source: FaultyRegistry, tree: Tree, tmp_path: Path, stage: str) -> None:
    paths = {
        "resolving": "release-channel/manifests",
        "listing": install_layer(tree, "v1.72.10"),
        "downloading": tree.repository().tags["v1.72.10"].blobs[-1].digest,
    }
    stopping = Stopping()
    timer = threading.Timer(0.6, stopping.set)
    source.fail(Stall(after=5, seconds=20), path=paths[stage], times=None)
    timer.start()
    begun = time.monotonic()
    with pytest.raises(Stopped):
        promptly(lambda: pull_bundle(address(source), tmp_path / "dest", timeout=60, stopping=stopping, **NEWEST))
    assert time.monotonic() - begun < 4  # not the time-out
    source.heal()
    pull_bundle(address(source), tmp_path / "dest", **NEWEST)
    held(tmp_path / "dest")


def test_a_full_queue_does_not_hold_up_the_end(
    source: FaultyRegistry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(downloads, "_LONGEST_QUEUE", 1)
    source.fail(Stall(after=5, seconds=20), path="/blobs/", skip=12, times=None)
    stopping = Stopping()
    threading.Timer(0.6, stopping.set).start()
    with pytest.raises(Stopped):
        promptly(lambda: pull_bundle(address(source), tmp_path / "dest", timeout=60, stopping=stopping, **NEWEST))


def test_a_disk_that_fails_while_hashing_ends_the_run_with_its_error(
    source: FaultyRegistry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_arguments: Any, **_options: Any) -> int:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(work.WorkFile, "follow", broken)
    with pytest.raises(OSError, match="Input/output error"):
        promptly(lambda: pull_bundle(address(source), tmp_path / "dest", **NEWEST))


def test_barriers_are_set(source: FaultyRegistry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeping, "_BARRIER_BYTES", 1)
    monkeypatch.setattr(keeping, "_PAUSE_SECONDS", 0.001)
    source.fail(Status(403, code="DENIED"), path="/blobs/", skip=40, times=None)
    with pytest.raises(AccessDenied):
        promptly(lambda: pull_bundle(address(source), tmp_path / "dest", **NEWEST))
    assert "barrier" in (tmp_path / "dest" / "pull.journal").read_text()


@pytest.mark.parametrize("chunk_size", [0, 1_000_000])
def test_where_no_space_can_be_reserved_nobody_waits_for_those_behind(
    source: FaultyRegistry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, chunk_size: int
) -> None:
    monkeypatch.setattr(work, "allocate", lambda *_arguments: False)
    monkeypatch.setattr(downloads, "_WINDOW", 4096)
    promptly(lambda: pull_bundle(address(source), tmp_path / "dest", chunk_size=chunk_size), seconds=20)
    held(tmp_path / "dest")


def test_lists_that_are_known_already_do_not_leave_their_layers_out(source: FaultyRegistry, tmp_path: Path) -> None:
    options = {**NEWEST, "state": tmp_path / "state"}
    pull_bundle(address(source), tmp_path / "first", **options)
    pull_bundle(address(source), tmp_path / "second", **options)
    assert files_of(tmp_path / "first") == files_of(tmp_path / "second")


def test_two_layouts_with_the_same_image_that_lists(tmp_path: Path) -> None:
    """The layers of an image that is read while it comes are wanted in both."""
    tree = build(SHAPE)
    version = "v1.72.10"
    image = tree.repository("install").tags[version]
    tree.repository("install-standalone").add(image, version)
    with FaultyRegistry(tree) as source:
        promptly(lambda: pull_bundle(address(source), tmp_path / "dest", **NEWEST))
    found = held(tmp_path / "dest")
    assert found.tags["install"] == found.tags["install-standalone"]


@pytest.mark.parametrize("changed", ["header", "manifest"])
def test_a_manifest_that_was_damaged_on_disk_is_written_anew(
    source: FaultyRegistry, tree: Tree, tmp_path: Path, changed: str
) -> None:
    dest = tmp_path / "dest"
    pull_bundle(address(source), dest, **NEWEST)
    right = files_of(dest)
    raw = tree.repository("release-channel").tags["v1.72.10"].raw
    data = (dest / "platform.tar").read_bytes()
    position = data.index(raw) + (20 if changed == "manifest" else -512)
    with (dest / "platform.tar").open("r+b") as file:
        file.seek(position)
        file.write(b"#")
    assert pull_bundle(address(source), dest, **NEWEST).changed
    assert files_of(dest) == right


def test_a_second_run_is_told_who_works_there(source: FaultyRegistry, tmp_path: Path) -> None:
    dest = tmp_path / "dest"
    dest.mkdir()
    lock = DirectoryLock(dest / "pull.lock")
    lock.acquire()
    with pytest.raises(BundleBusy, match=f"process {os.getpid()}"):
        pull_bundle(address(source), dest, **NEWEST)
    lock.release()


def test_a_bundle_from_elsewhere_is_not_proven_by_being_complete(source: FaultyRegistry, tmp_path: Path) -> None:
    here, elsewhere, dest = HostMemory(tmp_path / "here"), tmp_path / "elsewhere", tmp_path / "dest"
    pull_bundle(address(source), dest, state=elsewhere, **NEWEST)
    assert proofs.is_proven(HostMemory(elsewhere), [dest / "platform.tar"])
    assert not pull_bundle(address(source), dest, state=tmp_path / "here", **NEWEST).changed
    assert not proofs.is_proven(here, [dest / "platform.tar"])


def test_what_was_proven_stays_so_when_another_archive_changes(source: FaultyRegistry, tmp_path: Path) -> None:
    dest, state = tmp_path / "dest", tmp_path / "state"
    pull_bundle(address(source), dest, state=state, **NEWEST)
    pull_bundle(address(source), dest, state=state, **{**NEWEST, "modules": ["sdn"]})
    for name in ("platform.tar", "module-sdn.tar"):
        assert proofs.is_proven(HostMemory(state), [dest / name])


def test_an_error_of_the_disk_says_what_to_do(tmp_path: Path) -> None:
    for number, text in ((28, "choose another dest"), (27, "set chunk_size"), (5, "check the disk")):
        error = reserve.write_failure(tmp_path, "platform.tar", OSError(number, os.strerror(number)))
        assert isinstance(error, BundleError) and text in str(error)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Callable[[int], Path]]:
    """A file system of so many bytes."""
    mounted: list[Path] = []

    def mount(size: int) -> Path:
        if os.geteuid():
            pytest.skip("mounting a small file system needs root")
        path = tmp_path / "disk"
        path.mkdir()
        done = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={size}", "none", str(path)],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            pytest.skip(f"mounting a small file system is refused here: {done.stderr.strip()}")
        mounted.append(path)
        return path

    yield mount
    for path in mounted:
        subprocess.run(["umount", str(path)], check=True)


@pytest.mark.parametrize("late", [False, True], ids=["planned", "in mid-run"])
def test_too_little_space_is_told_exactly_and_what_is_there_is_kept(
    source: FaultyRegistry,
    tmp_path: Path,
    small_disk: Callable[[int], Path],
    monkeypatch: pytest.MonkeyPatch,
    late: bool,
) -> None:
    disk = small_disk(256 * 1024)
    planned = pull_bundle(address(source), tmp_path / "none", check_mode=True)
    need = sum(archive.bytes for archive in planned.archives)
    with monkeypatch.context() as patch:
        if late:
            patch.setattr(work, "allocate", lambda *_arguments: False)
            patch.setattr(
                "ansible_collections.dkp.airgap.plugins.module_utils._mirror.writing.check_space",
                lambda *_arguments: None,
            )
        with pytest.raises(NoSpace, match=rf"needs {need} bytes and \d+ are free") as caught:
            promptly(lambda: pull_bundle(address(source), disk / "dest"))
    assert caught.value.details["needed"] == need
    free = int(re.findall(r"and (\d+) are free", str(caught.value))[0])
    assert f"{need - free} are missing" in str(caught.value)
    assert not (disk / "dest" / "delivery.json").exists()
    subprocess.run(["mount", "-o", "remount,size=64m", str(disk)], check=True)
    pull_bundle(address(source), disk / "dest")
    held(disk / "dest")


def test_every_error_has_a_text(source: FaultyRegistry, tmp_path: Path) -> None:
    source.fail(Status(401, code="UNAUTHORIZED"), times=None)
    with pytest.raises(AirgapError) as caught:
        pull_bundle(address(source), tmp_path / "dest", **NEWEST)
    assert isinstance(caught.value, RegistryError) and not (tmp_path / "dest").exists()
