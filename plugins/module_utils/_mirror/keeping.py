# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What goes on beside the downloads: parts are hashed behind the writers, barriers keep what a power cut would take."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from .._bundle.work import WorkFile
from .._registry.stopping import Stopping
from .planning import ArchivePlanner

_BARRIER_BYTES = 256 * 1024 * 1024
_BARRIER_SECONDS = 10.0
_PAUSE_SECONDS = 0.02
_BUFFER_SIZE = 1024 * 1024


class Keeper:
    """Two threads over the work files of a pull (design §4, idea 5)."""

    def __init__(self, planners: Sequence[ArchivePlanner], stopping: Stopping) -> None:
        self._planners = planners
        self._stopping = stopping
        self._ended = threading.Event()
        self._pool = ThreadPoolExecutor(2, thread_name_prefix="keep")
        self._failure: BaseException | None = None
        self._tasks = [self._pool.submit(self._guarded, work) for work in (self._follow, self._set_barriers)]

    def finish(self) -> None:
        """End after everything was written; raises what went wrong on the way."""
        self._ended.set()
        for task in self._tasks:
            task.result()
        self._pool.shutdown()

    def close(self) -> None:
        """End at once; the journal keeps its last barrier."""
        self._ended.set()
        self._pool.shutdown(wait=True)

    def raise_failure(self) -> None:
        """Raise what made one of the threads end."""
        if self._failure is not None:
            raise self._failure

    def _guarded(self, work: Callable[[], None]) -> None:
        try:
            work()
        except BaseException as error:
            self._failure = self._failure or error
            self._stopping.set()  # a disk that cannot be read or synced is no reason to download on
            raise

    def _work(self) -> list[WorkFile]:
        return [planner.builder.writer.work for planner in self._planners if planner.builder.writer is not None]

    def _follow(self) -> None:
        buffer = memoryview(bytearray(_BUFFER_SIZE))
        while not self._ended.is_set():
            hashed = sum(file.follow(buffer) for file in self._work())
            if not hashed:
                self._ended.wait(_PAUSE_SECONDS)

    def _set_barriers(self) -> None:
        last = time.monotonic()
        while not self._ended.wait(_PAUSE_SECONDS * 5):
            work = self._work()
            dirty = sum(file.dirty for file in work)
            if dirty >= _BARRIER_BYTES or (dirty and time.monotonic() - last >= _BARRIER_SECONDS):
                barrier(work)
                last = time.monotonic()


def barrier(work: Sequence[WorkFile]) -> None:
    """Data first, then the journal's word for it."""
    if not work:
        return
    records = work[0].journal.records
    for file in work:
        if file.dirty:
            file.dirty = 0
            file.space.sync()
    work[0].journal.barrier(records)
