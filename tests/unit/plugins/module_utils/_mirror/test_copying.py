# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A bundle from directory to directory: whole, in volumes, interrupted, damaged, without room."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.dkp.airgap.plugins.module_utils._bundle import medium, reserve
from ansible_collections.dkp.airgap.plugins.module_utils._bundle.arrival import Arrival, hash_of, shipment_of
from ansible_collections.dkp.airgap.plugins.module_utils._bundle.errors import BundleError, BundleUnfinished, NoSpace
from ansible_collections.dkp.airgap.plugins.module_utils._bundle.ownership import Ownership
from ansible_collections.dkp.airgap.plugins.module_utils._mirror import arriving, volumes
from ansible_collections.dkp.airgap.plugins.module_utils._mirror.bundle import open_bundle
from ansible_collections.dkp.airgap.plugins.module_utils._mirror.copying import Copied, CopyRequest, copy_bundle
from ansible_collections.dkp.airgap.plugins.module_utils._mirror.memory import HostMemory
from ansible_collections.dkp.airgap.plugins.module_utils._mirror.proofs import is_proven
from ansible_collections.dkp.airgap.plugins.module_utils._oci.errors import Stopped
from ansible_collections.dkp.airgap.plugins.module_utils._registry.stopping import Stopping
from ansible_collections.dkp.airgap.tests.kit.parcels import contents, write_parcel

SIZES = {"platform.tar": [400_000, 400_000, 100_000], "module-console.tar": [150_000], "security.tar": [90_000]}
NAMES = {f"platform.tar.{number:04d}.chunk" for number in range(3)} | {"module-console.tar", "security.tar"}


class Site:
    """Two hosts, each with its own memory, and what lies between."""

    def __init__(self, directory: Path) -> None:
        self.source, self.dest, self.stick = directory / "source", directory / "dest", directory / "stick"
        self.outside, self.inside = HostMemory(directory / "outside"), HostMemory(directory / "inside")
        write_parcel(self.source, SIZES)

    def copy(self, memory: HostMemory | None = None, stopping: Stopping | None = None, **options: Any) -> Copied:
        request = CopyRequest(**{"source": self.source, "destination": self.dest, **options})
        return copy_bundle(request, memory or self.inside, stopping or Stopping())

    def fill(self, stick: Path | None = None, **options: Any) -> Copied:
        return self.copy(self.outside, destination=stick or self.stick, volumes=True, **options)

    def take(self, stick: Path | None = None, **options: Any) -> Copied:
        return self.copy(self.inside, source=stick or self.stick, acknowledge=True, **options)


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


@pytest.fixture
def room(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Say how much a directory can hold."""

    def limit(directory: Path, capacity: int, *, largest_file: int | None = None) -> None:
        def room_at(path: Path) -> medium.Room:
            held = sum(file.stat().st_size for file in directory.rglob("*") if file.is_file())
            return medium.Room(capacity - held, capacity, 512, largest_file)

        monkeypatch.setattr(volumes, "room_at", room_at)

    return limit


def names(copied: Copied) -> set[str]:
    return {part.name for part in copied.copied} - {"delivery.json"}


def test_a_copy_is_the_same_bundle_and_the_second_finds_nothing_to_do(site: Site) -> None:
    first = site.copy()
    assert first.changed and first.complete and names(first) == NAMES
    assert contents(site.dest) == contents(site.source)
    second = site.copy()
    assert not second.changed and second.complete and not second.copied
    assert is_proven(site.inside, [site.dest / "security.tar"]), "a push need not read it again"


def test_a_dry_run_tells_the_same_and_makes_nothing(site: Site) -> None:
    told = site.copy(dry=True)
    assert told.changed and not site.dest.exists()
    assert told.as_dict()["copied"] == site.copy().as_dict()["copied"]


def test_a_new_bundle_replaces_only_what_is_ours_and_after_all_is_proven(site: Site) -> None:
    site.copy()
    (site.dest / "notes.txt").write_text("mine")
    kept = (site.dest / "security.tar").stat().st_ino
    write_parcel(site.source, {"platform.tar": [300_000], "security.tar": [90_000]})
    done = site.copy()
    assert names(done) == {"platform.tar"} and done.complete
    assert contents(site.dest) == {**contents(site.source), "notes.txt": (site.dest / "notes.txt").read_bytes()}
    assert (site.dest / "security.tar").stat().st_ino == kept, "what has not changed is not copied"


@pytest.mark.parametrize("blocks", range(0, 6, 2))
def test_a_copy_stopped_anywhere_leaves_the_old_bundle_and_goes_on_from_there(
    site: Site, blocks: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ansible_collections.dkp.airgap.plugins.module_utils._bundle.copying._BLOCK", 100_000)
    site.copy()
    old = contents(site.dest)
    write_parcel(site.source, {"platform.tar": [500_000, 400_000], "security.tar": [80_000]})
    stopping = Stopping()
    checks = iter(range(1000))
    hashed = sum(1 for name in ("platform.tar.0000.chunk", "platform.tar.0001.chunk") if name in old)
    monkeypatch.setattr(
        stopping, "check", lambda: stopping.set() or _stop() if next(checks) >= blocks + hashed else None
    )
    with pytest.raises(Stopped):
        site.copy(stopping=stopping)
    assert {name: data for name, data in contents(site.dest).items() if "/" not in name} == old
    assert site.copy().complete
    assert contents(site.dest) == contents(site.source)


def _stop() -> None:
    raise Stopped("now")


def test_a_stop_at_each_step_of_the_end_is_mended_and_nobody_takes_it_for_a_bundle(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_parcel(
        site.dest, {"platform.tar": [400_000] * 2, "module-old.tar": [5000], "security.tar": [90_000]}, salt="x"
    )
    steps = 0
    while True:
        budget = iter(range(steps))
        replace = os.replace

        def dying(old: Any, new: Any, budget: Any = budget, replace: Any = replace) -> None:
            if site.dest in Path(new).parents and next(budget, None) is None:
                raise KeyboardInterrupt
            replace(old, new)

        with monkeypatch.context() as patch:
            patch.setattr(os, "replace", dying)
            try:
                assert site.copy().complete
            except KeyboardInterrupt:
                steps += 1
            else:
                break
        if not (site.dest / "delivery.json").exists():
            with pytest.raises(BundleUnfinished, match="has not arrived in full"):
                open_bundle([site.dest])
    assert steps > 0 and contents(site.dest) == contents(site.source)


def test_a_part_that_was_damaged_is_copied_again_and_no_other(site: Site) -> None:
    site.copy()
    path = site.dest / "platform.tar.0001.chunk"
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    done = site.copy()
    assert names(done) == {"platform.tar.0001.chunk"} and done.complete
    assert contents(site.dest) == contents(site.source)


def test_a_partial_part_with_wrong_bytes_is_found_out(site: Site) -> None:
    (site.dest / ".incoming").mkdir(parents=True)
    (site.dest / ".incoming/security.tar").write_bytes(b"\0" * 1000)
    assert site.copy().complete
    assert contents(site.dest) == contents(site.source)


def test_a_damaged_source_is_named_and_not_finished(site: Site) -> None:
    path = site.source / "security.tar"
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    done = site.copy()
    assert not done.complete and [(f.id, f.subject) for f in done.findings] == [("damaged", "security.tar")]
    assert not (site.dest / "delivery.json").exists() and not (site.dest / ".incoming/security.tar").exists()
    write_parcel(site.source, SIZES)
    assert names(site.copy()) == {"security.tar"}


def test_foreign_files_in_the_way_are_named_and_kept(site: Site) -> None:
    for name in ("security.tar", "platform.tar", "platform.tar.0007.chunk"):
        site.dest.mkdir(exist_ok=True)
        (site.dest / name).write_text("foreign")
        with pytest.raises(BundleError, match=f"{name}: this file is of no bundle of ours"):
            site.copy()
        assert (site.dest / name).read_text() == "foreign"
        (site.dest / name).unlink()
    assert site.copy().complete


def test_space_is_checked_before_anything_is_written(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arriving, "free_bytes", lambda _path: 1_000_000)
    with pytest.raises(NoSpace, match=r"1\d{6} bytes are needed and 1000000 are free") as error:
        site.copy()
    assert error.value.details["free"] == 1_000_000 and not site.dest.exists()
    assert reserve.free_bytes(site.dest) > 0


def test_a_medium_carries_the_bundle_in_turns(site: Site, room: Callable[..., None]) -> None:
    room(site.stick, 520_000)
    turns = 0
    while True:
        filled = site.fill()
        assert not (site.stick / "delivery.json").exists()
        assert filled.complete == (not filled.remaining)
        with pytest.raises(BundleUnfinished):
            open_bundle([site.stick])
        taken = site.take()
        turns += 1
        assert names(taken) == names(filled), "each part travels once"
        if taken.complete:
            break
        assert not site.take().changed
    assert turns == 3
    assert contents(site.dest) == contents(site.source)
    last = site.fill()
    assert last.complete and not last.copied
    assert not any(path.name.endswith((".tar", ".chunk")) for path in site.stick.rglob("*")), "room for the next one"
    assert not site.fill().changed


def test_a_medium_that_holds_all_becomes_a_bundle_by_itself(site: Site) -> None:
    assert site.fill().complete
    assert contents(site.stick) == contents(site.source)
    assert not site.fill().changed
    assert site.take().complete and not site.take().changed
    write_parcel(site.source, {"security.tar": [90_000, 20]}, salt="next month")
    assert site.fill().complete
    assert contents(site.stick) == contents(site.source)


def test_several_media_carry_different_parts(site: Site, room: Callable[..., None], tmp_path: Path) -> None:
    sticks = [tmp_path / f"stick-{number}" for number in range(3)]
    carried: list[str] = []
    for stick in sticks:
        room(stick, 520_000)
        filled = site.fill(stick)
        carried += names(filled)
        assert not site.fill(stick).changed
    assert sorted(carried) == sorted(NAMES) and filled.complete
    lost = sticks.pop(0)
    for stick in sticks:
        assert not site.take(stick).complete
    room(lost, 520_000)
    blank = tmp_path / "blank"
    room(blank, 520_000)
    site.fill(sticks[-1])  # it brings word of what has arrived
    assert names(site.fill(blank)) <= NAMES and site.take(blank).complete


def test_a_part_damaged_on_the_way_is_carried_again(site: Site, room: Callable[..., None]) -> None:
    room(site.stick, 520_000)
    site.fill()
    path = site.stick / ".incoming/platform.tar.0000.chunk"
    stats = path.stat()
    path.write_bytes(b"?" + path.read_bytes()[1:])
    os.utime(path, ns=(stats.st_atime_ns, stats.st_mtime_ns))
    taken = site.take()
    assert [finding.id for finding in taken.findings] == ["damaged"] and not taken.complete
    assert "platform.tar.0000.chunk" in names(site.fill())
    assert "platform.tar.0000.chunk" in names(site.take())


def test_a_medium_that_cannot_be_written_is_said(site: Site, room: Callable[..., None], monkeypatch: Any) -> None:
    room(site.stick, 520_000)
    site.fill()
    module = "ansible_collections.dkp.airgap.plugins.module_utils._mirror.copying.write_received"

    def refuse(*_arguments: Any) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(module, refuse)
    taken = site.take()
    assert [(finding.id, finding.severity) for finding in taken.findings] == [("not_acknowledged", "warning")]


@pytest.mark.parametrize(
    ("capacity", "largest", "text"),
    [
        (350_000, None, r"platform.tar.0000.chunk has 400000 bytes, and the medium holds \d+ even when it is empty"),
        (10_000_000, 390_000, r"platform.tar.0000.chunk has 400000 bytes, and FAT32 holds files of up to 390000"),
    ],
)
def test_a_part_that_no_medium_can_hold_is_an_error_that_says_chunk_size(
    site: Site, room: Callable[..., None], capacity: int, largest: int | None, text: str
) -> None:
    room(site.stick, capacity, largest_file=largest)
    with pytest.raises(BundleError, match=text + ".*chunk_size"):
        site.fill()


def test_a_medium_full_of_other_things_is_named_with_its_numbers(site: Site, room: Callable[..., None]) -> None:
    site.stick.mkdir()
    (site.stick / "film.mkv").write_bytes(b"\0" * 450_000)
    room(site.stick, 500_000)
    with pytest.raises(NoSpace, match=r"security.tar, needs 90000 bytes, and 50000 are free"):
        site.fill()
    assert (site.stick / "film.mkv").exists()


def test_a_dry_run_onto_a_medium_tells_what_goes_on_it(site: Site, room: Callable[..., None]) -> None:
    room(site.stick, 520_000)
    told = site.fill(dry=True)
    assert not site.stick.exists()
    assert names(told) == names(site.fill())


def test_the_notes_on_a_medium_may_be_anything(site: Site, room: Callable[..., None]) -> None:
    room(site.stick, 520_000)
    site.fill()
    for text in ("", "[]", '{"kind": "Received", "version": 1, "parts": 3}', json.dumps({"kind": "Received"})):
        (site.stick / ".incoming/received.json").write_text(text)
        assert not site.fill().changed
    assert hash_of(site.source / "security.tar") == hash_of(site.source / "security.tar")


def test_a_receiver_forgets_what_came_damaged_and_a_slice_that_was_left(site: Site) -> None:
    shipment = shipment_of(site.source / "delivery.json")
    stopping = Stopping()

    def arrival() -> Arrival:
        return Arrival(site.dest, shipment)

    def receiving() -> arriving.Arrived:
        return arriving.receive(arrival(), site.inside, stopping, ownership=Ownership(mode=0o640), reserve=0, dry=False)

    assert len(receiving().missing) == len(NAMES) + 1
    for path in site.source.iterdir():
        (site.dest / ".incoming" / path.name).write_bytes(path.read_bytes())
    (site.dest / ".incoming/security.tar").write_bytes(b"\0" * 90_000)
    (site.dest / ".incoming/slice").write_bytes(b"left by a killed run")
    came = arriving.received(arrival(), site.inside, stopping, ownership=Ownership(mode=0o640))
    assert not came.complete and [finding.subject for finding in came.findings] == ["security.tar"]
    assert [(state.part.name, state.missing_bytes) for state in receiving().missing] == [("security.tar", 90_000)]
    assert not (site.dest / ".incoming/security.tar").exists(), "slices are joined to what is right"
    (site.dest / ".incoming/security.tar").write_bytes((site.source / "security.tar").read_bytes())
    assert arriving.received(arrival(), site.inside, stopping, ownership=Ownership(mode=0o640)).complete
    assert contents(site.dest) == contents(site.source) and not (site.dest / ".incoming").exists()
    assert {path.stat().st_mode & 0o777 for path in site.dest.iterdir()} == {0o640}
    assert not receiving().changed
