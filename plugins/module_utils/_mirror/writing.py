# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The writing side of an archive: planned entries are ordered, taken over in place, or written at once."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from .._bundle import tar
from .._bundle.parts import part_sizes
from .._bundle.plan import Placement, TailEntry
from .._bundle.reserve import check_space
from .._bundle.work import WorkFile
from .._bundle.workspace import Workspace
from .downloads import Downloads, Job

_BLOCK = 512


@dataclass(frozen=True)
class Entry:
    """A placed blob: `raw` is its content where that is known, `withhold` leaves it to whoever reads it first."""

    placement: Placement
    raw: bytes | None = None
    withhold: bool = False


class ArchiveWriter:
    """Brings the entries of one archive to their places, continuing what an interrupted run left where it fits."""

    def __init__(
        self, name: str, workspace: Workspace, downloads: Downloads, *, repositories: dict[str, str], chunk_size: int
    ) -> None:
        """Opens the work file. `repositories` maps layout paths to where the registry has their blobs."""
        self._workspace = workspace
        self._downloads = downloads
        self._repositories = repositories
        self._chunk_size = chunk_size
        self._record = workspace.resumable(name, chunk_size)
        self.work: WorkFile = workspace.work_file(name, chunk_size, self._record)
        self._resumed: list[tuple[int, bytes]] = []
        """What lies in the work file already, last offset first."""
        if self._record is not None:
            self._resumed = sorted(((offset, key) for offset, (key, _size) in self._record.blobs.items()), reverse=True)
        self._reserved = 0
        self._withheld: dict[bytes, Placement] = {}

    def order(self, entries: Iterable[Entry], planned: int) -> None:
        """Take the space up to byte `planned` of the archive and see to `entries`. Raises NoSpace."""
        waiting = list(entries)
        for entry in waiting:
            self.work.expect(entry.placement)
        self._reserve(planned)
        for entry in waiting:
            self._order(entry)

    def take_withheld(self, key: bytes) -> Job | None:
        """The job of a withheld layer, for the one who asks first."""
        placement = self._withheld.pop(key, None)
        return None if placement is None else self._job(placement)

    def release_withheld(self) -> None:
        """Download the withheld layers that nobody wanted to read."""
        for key in list(self._withheld):
            job = self.take_withheld(key)
            if job is not None:
                self._downloads.request(job)

    def write_tail(self, tail: list[TailEntry], size: int) -> None:
        """Write what is known last; `size` is that of the whole archive."""
        self._reserve(size)
        if self._resumed and self._record is not None:
            self._workspace.give_up(self._record, tail[0].start if tail else size)
        self.work.write_tail(tail, size)

    def _job(self, placement: Placement) -> Job:
        return Job(self.work, placement, self._repositories[placement.layout])

    def _order(self, entry: Entry) -> None:
        placement = entry.placement
        if self._lies_in_place(placement):
            # the content is the same, but it may have been another layout's then
            self.work.write(placement.start, memoryview(tar.header(placement.name, placement.size)))
            self.work.accept(placement)
            self._downloads.landed(self.work, placement)
        elif entry.raw is not None:
            self.work.write(placement.start, memoryview(tar.header(placement.name, placement.size) + entry.raw))
            self.work.pad(placement)
            self.work.complete(placement)
            self._downloads.landed(self.work, placement)
        elif entry.withhold and placement.key not in self._withheld:
            self._withheld[placement.key] = placement
        else:
            self._downloads.request(self._job(placement))

    def _lies_in_place(self, placement: Placement) -> bool:
        """Whether an interrupted run has written just this entry; what it wrote across its place is rescued first."""
        while self._resumed and self._record is not None and self._resumed[-1][0] < placement.stop:
            if self._resumed[-1] == (placement.offset, placement.key):
                self._resumed.pop()
                return True
            start = min(self._resumed[-1][0], placement.start)
            self._workspace.salvage(self._record, start, check=self._downloads.check)
            self._resumed.clear()
        return False

    def _reserve(self, stop: int) -> None:
        """Take the space of what was placed since the last time; what a resumed file has already counts as there."""
        present = sum(self._allocated(number) for number in range(len(part_sizes(stop, self._chunk_size))))
        check_space(self._workspace.path, max(0, stop - present))
        self.work.reserve(self._reserved, stop)
        self._reserved = stop

    def _allocated(self, number: int) -> int:
        path = self.work.space.path(number)
        return path.stat().st_blocks * _BLOCK if path.exists() else 0
