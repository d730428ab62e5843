# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A bundle directory in every state that a kill can leave: recognised for what it is, and finished by the next run."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.dkp.airgap.plugins.module_utils._bundle import workspace as module
from ansible_collections.dkp.airgap.plugins.module_utils._bundle.delivery import ArchiveSummary, Delivery, parse, render
from ansible_collections.dkp.airgap.plugins.module_utils._bundle.directory import archives_in
from ansible_collections.dkp.airgap.plugins.module_utils._bundle.errors import BundleBusy, BundleError
from ansible_collections.dkp.airgap.plugins.module_utils._bundle.index import scan
from ansible_collections.dkp.airgap.plugins.module_utils._bundle.layout import TaggedImage
from ansible_collections.dkp.airgap.plugins.module_utils._bundle.plan import ArchivePlan, Placement
from ansible_collections.dkp.airgap.plugins.module_utils._bundle.tar import header
from ansible_collections.dkp.airgap.plugins.module_utils._bundle.workspace import Workspace
from ansible_collections.dkp.airgap.plugins.module_utils._oci.errors import InvalidInput

OCI = "application/vnd.oci.image.manifest.v1+json"
Content = Mapping[str, "list[bytes]"]


def blob(name: str, size: int = 1500) -> bytes:
    return (name.encode() * size)[:size]


A, B, C, D = (blob(name) for name in "abcd")
LARGE = blob("large", 9000)
OLD: Content = {"platform.tar": [A, LARGE, B], "security.tar": [C], "old.tar": [D]}
NEW: Content = {"platform.tar": [A, D, LARGE], "security.tar": [C], "new.tar": [B, C]}


def planned(name: str, blobs: list[bytes]) -> tuple[ArchivePlan, list[tuple[Placement, bytes]]]:
    plan = ArchivePlan(name, {"": "registry.example/dkp/ee"})
    places = []
    for number, data in enumerate(blobs):
        key = hashlib.sha256(data).digest()
        place = plan.place_manifest("", key, len(data))
        assert place is not None
        plan.tag("", TaggedImage(f"v{number}", key, len(data), OCI))
        places.append((place, data))
    return plan, places


class Run:
    """A pull without a registry: what no file of the directory holds is `fetched`."""

    def __init__(self, path: Path, *, chunk_size: int = 0, force: bool = False, **options: Any) -> None:
        self.fetched: list[bytes] = []
        self.chunk_size = chunk_size
        self.workspace = Workspace(path, force=force, **options)

    def carry_out(self, content: Content, *, forget: bool = False) -> None:
        self.workspace.lock()
        if forget:
            self.workspace.forget_interrupted()
        work, kept, summaries = [], [], []
        for name, blobs in content.items():
            existing = self._existing(name, blobs)
            if existing is not None:
                kept.append(existing)
                summaries.append(existing)
                continue
            work.append(self._write(name, blobs))
            work[-1].space.sync()
            size = work[-1].space.planned
            summaries.append(ArchiveSummary(name, size, len(blobs), 0, work[-1].parts()))
        if work or not self.workspace.is_finished:
            delivery = Delivery(source={}, content={}, archives=tuple(summaries), images=())
            self.workspace.finish(work, kept, render(delivery))
        else:
            self.workspace.clean()

    def _existing(self, name: str, blobs: list[bytes]) -> ArchiveSummary | None:
        found = self.workspace.existing.get(name)
        if found is None or (len(found.summary.parts) == 1) == bool(self.chunk_size):
            return None
        keys = {hashlib.sha256(data).digest() for data in blobs}
        return found.summary if set(found.index.layouts[""].blobs) == keys else None

    def _write(self, name: str, blobs: list[bytes]) -> Any:
        plan, places = planned(name, blobs)
        record = self.workspace.resumable(name, self.chunk_size)
        work = self.workspace.work_file(name, self.chunk_size, record)
        resumed = dict(record.blobs) if record else {}
        for place, data in places:
            work.expect(place)
            if resumed.get(place.offset) == (place.key, place.size):
                work.accept(place)
                continue
            if resumed and record is not None:
                self.workspace.salvage(record, place.start, check=lambda: None)
                resumed = {}
            found = self.workspace.donors.read(place.key)
            if found is None:
                self.fetched.append(data)
            work.write(place.start, memoryview(header(place.name, place.size) + data))
            work.pad(place)
            work.complete(place)
        work.write_tail(plan.close(), plan.size)
        return work


def pull(path: Path, content: Content, *, forget: bool = False, **options: Any) -> list[bytes]:
    run = Run(path, **options)
    try:
        run.carry_out(content, forget=forget)
    finally:
        run.workspace.close()
    return run.fetched


def is_finished(path: Path) -> bool:
    """Whether one may take the directory for a bundle; if so it is one, byte for byte."""
    if not (path / "delivery.json").exists():
        assert (path / "pull.journal").exists(), "neither finished nor known as unfinished"
        return False
    delivery = parse((path / "delivery.json").read_bytes(), "delivery.json")
    for archive in delivery.archives:
        for part in archive.parts:
            data = (path / part.name).read_bytes()
            assert (len(data), hashlib.sha256(data).hexdigest()) == (part.bytes, part.sha256)
    return True


def check(path: Path, content: Content) -> None:
    """The directory holds the finished bundle of `content` and nothing else."""
    assert is_finished(path)
    archives = {one.name: one for one in archives_in(path)}
    assert set(archives) == set(content)
    for name, files in archives.items():
        index = scan(name, files.open())
        for key in index.layouts[""].blobs:
            offset, size = index.layouts[""].blobs.get(key) or (0, 0)
            assert hashlib.sha256(index.space.read_at(offset, size)).digest() == key
        assert [image.digest[7:] for image in index.layouts[""].images] == [
            hashlib.sha256(data).hexdigest() for data in content[name]
        ]
        index.space.close()
    names = {path.name for one in archives.values() for path in one.paths}
    assert {entry.name for entry in path.iterdir()} == {*names, "delivery.json"}


class Camera:
    """Copies a directory before and after everything that changes names in it, as kills would find it."""

    def __init__(self, directory: Path, album: Path) -> None:
        self._directory, self._album = directory, album
        self.pictures: list[Path] = []

    def take(self) -> None:
        picture = self._album / f"{len(self.pictures):03d}"
        shutil.copytree(self._directory, picture)
        self.pictures.append(picture)

    def around(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def photographed(*arguments: Any, **options: Any) -> Any:
            self.take()
            try:
                return function(*arguments, **options)
            finally:
                self.take()

        return photographed

    def watch(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for name in ("replace", "truncate", "ftruncate", "fdatasync"):
            monkeypatch.setattr(os, name, self.around(getattr(os, name)))
        monkeypatch.setattr(Path, "unlink", self.around(Path.unlink))
        monkeypatch.setattr(module, "sync_directory", self.around(module.sync_directory))


def pictures_of(directory: Path, content: Content, monkeypatch: pytest.MonkeyPatch, **options: Any) -> list[Path]:
    album = directory.with_name(directory.name + "-album")
    album.mkdir()
    camera = Camera(directory, album)
    with monkeypatch.context() as patch:
        camera.watch(patch)
        pull(directory, content, **options)
    unlike, seen = [], set()
    for picture in camera.pictures:
        state = tuple(sorted((one.name, one.stat().st_size) for one in picture.iterdir() if one.name != "pull.lock"))
        if state not in seen:
            seen.add(state)
            unlike.append(picture)
    assert len(unlike) > 8
    return unlike if len(unlike) < 30 else unlike[: -12 : len(unlike) // 12] + unlike[-12:]


CHUNKS = pytest.mark.parametrize("chunk_size", [0, 2048], ids=["plain", "chunks"])


@CHUNKS
def test_a_first_pull_killed_anywhere_is_finished_by_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, chunk_size: int
) -> None:
    (tmp_path / "dest").mkdir()
    for picture in pictures_of(tmp_path / "dest", NEW, monkeypatch, chunk_size=chunk_size):
        names = {entry.name for entry in picture.iterdir()} - {"pull.lock"}
        finished = bool(names) and is_finished(picture)
        journal = (picture / "pull.journal").read_text() if "pull.journal" in names else ""
        fetched = pull(picture, NEW, chunk_size=chunk_size)
        assert not finished or not fetched
        assert not [data for data in fetched if hashlib.sha256(data).hexdigest() in journal]
        check(picture, NEW)


@CHUNKS
def test_an_update_killed_anywhere_is_finished_by_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, chunk_size: int
) -> None:
    assert len(pull(tmp_path / "dest", OLD, chunk_size=chunk_size)) == 5
    check(tmp_path / "dest", OLD)
    for picture in pictures_of(tmp_path / "dest", NEW, monkeypatch, chunk_size=chunk_size):
        is_finished(picture)
        back = picture.with_name(picture.name + "-back")
        shutil.copytree(picture, back)
        assert pull(picture, NEW, chunk_size=chunk_size) == []
        check(picture, NEW)
        assert pull(back, OLD, chunk_size=chunk_size) == []
        check(back, OLD)


def test_other_chunks_killed_anywhere_are_finished_by_the_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pull(tmp_path / "dest", OLD)
    for picture in pictures_of(tmp_path / "dest", OLD, monkeypatch, chunk_size=3000):
        is_finished(picture)
        assert pull(picture, OLD, chunk_size=3000) == []
        check(picture, OLD)


def test_a_kill_of_the_run_after_a_kill(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pull(tmp_path / "dest", OLD)
    first = pictures_of(tmp_path / "dest", NEW, monkeypatch)
    for number, picture in enumerate(first[:: max(len(first) // 6, 1)]):
        copy = tmp_path / f"again-{number}"
        shutil.copytree(picture, copy)
        for second in pictures_of(copy, OLD, monkeypatch)[::3] if not is_finished(picture) else []:
            is_finished(second)
            assert pull(second, NEW) == []
            check(second, NEW)


def test_leftovers_of_a_late_kill_do_not_return(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What lies beside a finished bundle as ``.previous`` is older than the bundle."""
    pull(tmp_path / "dest", OLD)
    newest: Content = {**NEW, "security.tar": [C, D]}
    for picture in pictures_of(tmp_path / "dest", NEW, monkeypatch):
        if is_finished(picture):
            pull(picture, newest)
            check(picture, newest)


def test_what_was_written_over_is_not_taken_for_what_lay_there(tmp_path: Path) -> None:
    """Interrupted, then interrupted with another selection while it wrote over the first, then the first again."""
    path = tmp_path / "dest"
    first: Content = {"platform.tar": [A, B, C]}
    half(path, first, stop=3)
    half(path, {"platform.tar": [A, LARGE, D]}, stop=2, torn=True)
    assert LARGE not in pull(path, first)
    check(path, first)


def half(path: Path, content: Content, *, stop: int, torn: bool = False) -> None:
    """As `pull`, killed after `stop` blobs of the first archive, the last one written but not journaled if `torn`."""
    run = Run(path)
    run.workspace.lock()
    name, blobs = next(iter(content.items()))
    _plan, places = planned(name, blobs)
    record = run.workspace.resumable(name, 0)
    work = run.workspace.work_file(name, 0, record)
    resumed = dict(record.blobs) if record else {}
    for number, (place, data) in enumerate(places[:stop], 1):
        work.expect(place)
        if resumed.get(place.offset) == (place.key, place.size):
            continue
        if resumed and record is not None:
            run.workspace.salvage(record, place.start, check=lambda: None)
            resumed = {}
        work.write(place.start, memoryview(header(place.name, place.size) + data))
        if number < stop or not torn:
            work.complete(place)
    work.space.sync()
    work.journal.barrier(work.journal.records)
    run.workspace.close()


def test_an_empty_work_file_does_not_claim_the_parts_of_another(tmp_path: Path) -> None:
    path, content = tmp_path / "dest", {"platform.tar": [A, B]}
    pull(path, content)
    os.replace(path / "delivery.json", path / "saved")
    offsets = scan("platform.tar", archives_in(path)[0].open()).layouts[""].blobs
    lines = ["space 1 0 platform.tar .partial-1", "space 2 0 platform.tar .partial-2"]
    for key in offsets:
        lines.append(f"blob 2 {' '.join(map(str, offsets.get(key) or ()))} {key.hex()}")
    (path / "pull.journal").write_text("\n".join([*lines, "barrier 2", "final 2", ""]))
    (path / "saved").unlink()
    assert pull(path, content) == []
    check(path, content)


@pytest.mark.parametrize("update", [False, True])
def test_nothing_of_an_interrupted_run_is_used_when_it_is_to_be_forgotten(tmp_path: Path, update: bool) -> None:
    path, content = tmp_path / "dest", {"platform.tar": [LARGE, B, D]}
    if update:
        pull(path, {"platform.tar": [A]})
    half(path, content, stop=2)
    assert len(pull(path, content, forget=True)) == 3
    check(path, content)


def test_a_changed_byte_behind_the_last_barrier_is_fetched_again(tmp_path: Path) -> None:
    path, content = tmp_path / "dest", {"platform.tar": [A, B, C]}
    half(path, content, stop=3)
    journal = path / "pull.journal"
    journal.write_text("".join(line for line in journal.read_text().splitlines(True) if "barrier" not in line))
    with (path / "platform.tar.partial-1").open("r+b") as file:
        file.seek(600)
        file.write(b"!")
    assert pull(path, content) == [A]
    check(path, content)


@pytest.mark.parametrize("name", ["platform.tar", "notes.txt", "platform.tar.previous", "x.gostsum"])
def test_what_no_pull_made_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("mine")
    with pytest.raises(InvalidInput, match=f"holds '{name}'.*force: true"):
        Workspace(tmp_path)
    Workspace(tmp_path, ignored=[name]).close()
    run = Run(tmp_path, force=True)
    run.carry_out({"security.tar": [A]})
    run.workspace.close()
    assert (tmp_path / name).read_text() == "mine"


def test_a_file_is_no_directory(tmp_path: Path) -> None:
    (tmp_path / "dest").write_text("")
    with pytest.raises(InvalidInput, match="dest: .* is a file"):
        Workspace(tmp_path / "dest")


def test_looking_writes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "dest"
    half(path, {"platform.tar": [A, LARGE]}, stop=1)
    before = {one.name: (one.stat().st_mtime_ns, one.stat().st_size) for one in path.iterdir()}
    stamp = path.stat().st_mtime_ns
    workspace = Workspace(path)
    assert workspace.donors.read(hashlib.sha256(A).digest()) == A
    assert workspace.donors.read(hashlib.sha256(LARGE).digest()) is None
    workspace.close()
    assert {one.name: (one.stat().st_mtime_ns, one.stat().st_size) for one in path.iterdir()} == before
    assert path.stat().st_mtime_ns == stamp
    absent = Workspace(tmp_path / "absent")
    absent.close()
    assert not absent.path.exists()


def test_donors_are_read_on_after_they_were_set_aside(tmp_path: Path) -> None:
    """Chunks in the middle of a large blob are opened late: by then they may have another name."""
    path = tmp_path / "dest"
    pull(path, {"platform.tar": [LARGE]}, chunk_size=1024)
    workspace = Workspace(path)
    workspace.lock()
    workspace.begin()
    assert workspace.donors.read(hashlib.sha256(LARGE).digest()) == LARGE
    workspace.close()


def test_a_donor_that_is_damaged_is_none(tmp_path: Path) -> None:
    path = tmp_path / "dest"
    pull(path, {"platform.tar": [A], "security.tar": [A]})
    with (path / "platform.tar").open("r+b") as file:
        file.seek(600)
        file.write(b"!")
    workspace = Workspace(path)
    assert workspace.donors.read(hashlib.sha256(A).digest()) == A
    workspace.close()


@pytest.mark.parametrize("damage", ["shorter", "missing", "header"])
def test_a_damaged_archive_is_made_anew(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "dest"
    pull(path, OLD)
    if damage == "missing":
        (path / "platform.tar").unlink()
    elif damage == "shorter":
        os.truncate(path / "platform.tar", 2048)
    else:
        with (path / "platform.tar").open("r+b") as file:
            file.write(b"!")
    fetched = pull(path, OLD)
    assert set(fetched) == {A, LARGE, B}
    check(path, OLD)


def test_two_runs_at_once(tmp_path: Path) -> None:
    path = tmp_path / "dest"
    first, second = Workspace(path), Workspace(path)
    first.lock()
    with pytest.raises(BundleBusy, match=rf"{path}: another run works .*process {os.getpid()} on .*, since 20"):
        second.lock()
    second.close()
    first.close()
    assert not path.exists()


def test_a_run_that_another_one_overtook_begins_anew(tmp_path: Path) -> None:
    path = tmp_path / "dest"
    late = Workspace(path)
    pull(path, OLD)
    with pytest.raises(BundleBusy, match="run this one again"):
        late.lock()
    late.close()
    check(path, OLD)


def test_a_lock_of_the_dead_holds_nobody_up(tmp_path: Path) -> None:
    tmp_path.joinpath("pull.lock").write_text(json.dumps({"pid": 1, "host": "h", "since": "s"}))
    assert len(pull(tmp_path, OLD)) == 5
    check(tmp_path, OLD)


def test_what_was_planned_and_has_not_landed_is_an_error(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path / "dest")
    workspace.lock()
    plan, places = planned("platform.tar", [A, B])
    work = workspace.work_file("platform.tar", 0)
    for place, _data in places:
        work.expect(place)
    place, data = places[0]
    work.write(place.start, memoryview(header(place.name, place.size) + data))
    work.complete(place)
    work.write_tail(plan.close(), plan.size)
    with pytest.raises(
        BundleError, match=f"platform.tar: what was planned at byte {places[1][0].start} has not landed"
    ):
        work.parts()
    workspace.close()


def test_a_foreign_plain_archive_that_would_hide_chunks_is_refused_before_anything_changes(tmp_path: Path) -> None:
    (tmp_path / "platform.tar").write_bytes(b"somebody else's")
    workspace = Workspace(tmp_path, force=True)
    with pytest.raises(BundleError, match="platform.tar.*hide the chunks.*move it away"):
        workspace.work_file("platform.tar", 1_000_000)
    workspace.close()
    assert [path.name for path in tmp_path.iterdir()] == ["platform.tar"]
