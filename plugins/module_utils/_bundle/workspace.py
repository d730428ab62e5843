# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A bundle directory through a pull: what lies there, and when it counts as finished (design §4, idea 6).

While work goes on, new parts are called ``<part>.partial-<n>``, those of the bundle before ``<part>.previous``, and
 `delivery.json` is ``delivery.json.previous``: neither we nor d8 take any of these for a bundle. The end is: data
synced, parts renamed (highest first), directory synced, `delivery.json` last.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable
from pathlib import Path

from .blobmap import BlobMap
from .delivery import ArchiveSummary, Part
from .directory import DELIVERY_NAME, JOURNAL_NAME, LOCK_NAME
from .errors import BundleBusy, BundleError
from .interrupted import DRAFT_NAME, PREVIOUS, is_previous, is_work_file
from .journal import Journal, Journaled, SpaceRecord, set_final
from .lock import DirectoryLock
from .present import ExistingArchive, Present, names_in, snapshot
from .work import WorkFile, WorkSpace


class Workspace:
    """The directory `path`. Reading it changes nothing; `lock`, `begin` and `finish` do."""

    def __init__(self, path: Path, *, force: bool = False, ignored: Iterable[str] = ()) -> None:
        """Look at what is there. Raises InvalidInput when `path` is a file, or holds something that is not ours and
        `force` is off. `ignored` are file names that the caller put there."""
        self.path = path
        self._present = Present(path, force=force, ignored=ignored)
        self.donors = self._present.donors
        self.existing = self._present.existing
        self._journal: Journal | None = None
        self._lock: DirectoryLock | None = None
        self._changing = threading.RLock()
        """Archives are planned in parallel; what they change together is this object."""
        self._work: list[WorkFile] = []
        self._made = False
        self._begun = False

    @property
    def is_finished(self) -> bool:
        """Whether the directory holds a finished bundle of ours, undamaged as far as sizes and structure tell."""
        return self._present.has_delivery and not self._present.damaged and not self._begun

    @property
    def _leftovers(self) -> list[Path]:
        """Files of earlier runs that no finished bundle needs."""
        names = names_in(self.path)
        drafts = (DRAFT_NAME, DELIVERY_NAME + PREVIOUS)
        stale = [name for name in names if is_work_file(name) or name in drafts or is_previous(name, names)]
        stale = [name for name in stale if name not in self._present.foreign]
        journal = [JOURNAL_NAME] if JOURNAL_NAME in names else []  # last: it tells whose the others are
        return [self.path / name for name in sorted(stale) + journal]

    def lock(self) -> None:
        """Make the directory if need be and hold its lock until `close`; raises BundleBusy, BundleError."""
        try:
            self._made = not self.path.is_dir()
            self.path.mkdir(parents=True, exist_ok=True)
            lock = DirectoryLock(self.path / LOCK_NAME)
            lock.acquire()
        except OSError as error:
            raise BundleError(
                f"dest: cannot work in {self.path} ({error.strerror}); check the path and its permissions"
            ) from error
        self._lock = lock
        if snapshot(self.path) != self._present.seen:
            raise BundleBusy(f"{self.path}: another run changed this directory in the meantime; run this one again")

    def begin(self) -> Journal:
        """Take the mark of a finished bundle away; from here on the directory is work in progress."""
        with self._changing:
            return self._journal or self._begin()

    def _begin(self) -> Journal:
        if self._present.has_delivery:
            self._sweep()  # what a late kill left beside it would be taken for what this run makes
        journal = Journal(self.path / JOURNAL_NAME, records=self._present.journaled.records)
        sync_directory(self.path)
        if self._present.has_delivery:
            os.replace(self.path / DELIVERY_NAME, self.path / (DELIVERY_NAME + PREVIOUS))
        else:
            (self.path / DELIVERY_NAME).unlink(missing_ok=True)  # a damaged one
        for space in self._present.interrupted.values():
            space.reopen()
            space.sync()  # what was hashed again may still be in memory only; the next barrier vouches for it
        for archive in self._present.archives:
            existing = self.existing.get(archive.name)
            for number, part in enumerate(archive.parts):
                self._set_aside(part, number, existing)
        sync_directory(self.path)
        self._journal, self._begun = journal, True
        return journal

    def _set_aside(self, part: Part, number: int, existing: ExistingArchive | None) -> None:
        current, previous = self.path / part.name, self.path / (part.name + PREVIOUS)
        if not current.exists() or previous.exists():
            return
        if existing is not None:
            existing.index.space.move(number, previous)
        else:
            os.replace(current, previous)

    def forget_interrupted(self) -> None:
        """Throw away what an interrupted run left, for a user who wants to begin anew; call before anything begins."""
        for space in self._present.interrupted.values():
            self.donors.drop(space)
        self._present.interrupted.clear()
        if self._present.has_delivery:
            return
        for record in self._present.journaled.spaces.values():
            WorkSpace(self.path, record).reopen()
        self._present.journaled = Journaled()
        if JOURNAL_NAME in names_in(self.path):
            os.truncate(self.path / JOURNAL_NAME, 0)  # it stays: the directory is still unfinished
        for name in names_in(self.path):
            if is_work_file(name):
                (self.path / name).unlink()

    def work_bytes(self) -> int:
        """Bytes on disk of work files."""
        if not self.path.is_dir():
            return 0
        return sum(path.stat().st_blocks * 512 for path in self.path.iterdir() if is_work_file(path.name))

    def resumable(self, archive: str, chunk_size: int) -> SpaceRecord | None:
        """The fullest work file of `archive` that an interrupted run left and that can be continued in place."""
        fitting = [
            self._present.journaled.spaces[number]
            for number, space in self._present.interrupted.items()
            if space.record.archive == archive
            and space.record.suffix.startswith(".partial")
            and space.record.chunk_size == chunk_size
            and space.record.blobs
        ]
        return max(fitting, key=lambda record: sum(size for _key, size in record.blobs.values()), default=None)

    def work_file(self, archive: str, chunk_size: int, record: SpaceRecord | None = None) -> WorkFile:
        """Open the work file of `record`, or a new one. Raises BundleError where a foreign file would hide it."""
        with self._changing:
            if chunk_size and archive not in self._present.listed and (self.path / archive).exists():
                raise BundleError(
                    f"{self.path / archive}: this file is not of this collection and would hide the chunks of the same "
                    "name from every reader; move it away"
                )
            journal = self.begin()
            if record is None:
                record = self._new_record(archive, chunk_size, "partial")
                journal.space(record)
            work = WorkFile(self.path, record, journal)
            self._work.append(work)
        return work

    def salvage(self, record: SpaceRecord, start: int, *, check: Callable[[], None]) -> None:
        """Copy what lies in the work file of `record` from `start` on out of the way: its place is needed.

        Afterwards no run takes what lies there for a blob, whatever becomes of this one. `check` is called now and
        then and ends it by raising: nothing is lost then either.
        """
        doomed = {offset: blob for offset, blob in record.blobs.items() if offset >= start}
        if not doomed:
            return
        with self._changing:
            journal = self.begin()
            rescue = self._new_record(record.archive, 0, "salvage")
            journal.space(rescue)
        source, target = WorkSpace(self.path, record, writable=False), WorkSpace(self.path, rescue)
        blobs = BlobMap()
        buffer = memoryview(bytearray(1024 * 1024))
        for offset, (key, size) in sorted(doomed.items()):
            for view in source.chunks(offset, size, buffer):
                check()
                target.write_at(target.planned, view)
                target.planned += len(view)
            blobs.put(key, target.planned - size, size)
            journal.blob(rescue.number, target.planned - size, size, key)
        source.close()
        target.sync()
        self.give_up(record, start)
        self.donors.add(target, blobs)

    def give_up(self, record: SpaceRecord, start: int) -> None:
        """What lies in the work file of `record` from `start` on is about to be written over."""
        record.cut(start)
        self.begin().cut(record.number, start)

    def _new_record(self, archive: str, chunk_size: int, kind: str) -> SpaceRecord:
        number = max([*self._present.journaled.spaces, *self._taken_numbers()], default=0) + 1
        record = SpaceRecord(number, archive, f".{kind}-{number}", chunk_size)
        self._present.journaled.spaces[number] = record
        return record

    def finish(self, work: Iterable[WorkFile], kept: Iterable[ArchiveSummary], delivery: Iterable[bytes]) -> None:
        """Make the bundle visible: `work` files and `kept` archives under their names, `delivery` last of all."""
        journal, work = self.begin(), list(work)
        with open(self.path / DRAFT_NAME, "wb") as draft:
            draft.writelines(delivery)
            draft.flush()
            os.fsync(draft.fileno())
        for archive in kept:
            for part in reversed(archive.parts):
                os.replace(self.path / (part.name + PREVIOUS), self.path / part.name)
        for file in work:
            set_final(self._present.journaled, file.space.record)
            journal.final(file.space.record.number)
            for number in reversed(range(len(file.space.paths))):
                os.replace(file.space.paths[number], file.space.final_path(number))
        sync_directory(self.path)
        os.replace(self.path / DRAFT_NAME, self.path / DELIVERY_NAME)
        sync_directory(self.path)
        self.clean()

    def clean(self) -> None:
        """Remove what earlier runs left beside the finished bundle; only files that this collection made."""
        if self._journal is not None:
            self._journal.close()
            self._journal = None
        self._sweep()

    def _sweep(self) -> None:
        for path in self._leftovers:
            path.unlink()

    def _taken_numbers(self) -> list[int]:
        return [int(name.rpartition("-")[2]) for name in names_in(self.path) if is_work_file(name)]

    def close(self) -> None:
        """Let go of files and lock; what was written stays, resumable."""
        self.donors.close()
        for file in self._work:
            file.space.close()
        self._work.clear()
        if self._journal is not None:
            self._journal.close()
            self._journal = None
        if self._lock is not None:
            self._lock.release()
            self._lock = None
            if self._made and not any(self.path.iterdir()):
                self.path.rmdir()


def sync_directory(path: Path) -> None:
    """Make renames below `path` survive a power cut."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
