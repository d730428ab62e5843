# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The blobs of a pull on their way to their places: one flight per digest, many at a time (design §4)."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from .._bundle.donors import DonorReader, Donors
from .._bundle.parts import SpaceReader
from .._bundle.plan import Placement
from .._bundle.work import WorkFile
from .._oci import digest as digests
from .._oci.compression import ByteSource
from .._oci.errors import Stopped
from .._registry.client import Registry
from .._registry.errors import DigestMismatch
from .._registry.stopping import Stopping

BUFFER_SIZE = 256 * 1024
_LONGEST_QUEUE = 2000
"""Jobs that may wait; whoever plans waits when there are more, so that memory does not grow with the bundle."""
_ATTEMPTS = 2
_NUMBER_BITS = 32
_WINDOW = 64 * 1024 * 1024
_LOOK_UP_SECONDS = 0.2
"""Whoever sets `stopping` from outside wakes nobody up."""


@dataclass(frozen=True)
class Job:
    """A blob that has to come to `placement` in `work`; `repository` is where the registry has it."""

    work: WorkFile
    placement: Placement
    repository: str


class Downloads:
    """Brings blobs: from where they lie already, else from the registry, each digest once."""

    def __init__(self, registry: Registry, donors: Donors, stopping: Stopping) -> None:
        self._registry = registry
        self._donors = donors
        self._stopping = stopping
        self._changed = threading.Condition()
        self._queue: deque[Job] = deque()
        self._landed = _Landed()
        self._flying: dict[bytes, list[Job]] = {}
        self._unfinished = 0
        self._closed = False
        self._pool = ThreadPoolExecutor(registry.ceiling, thread_name_prefix="download")
        self._workers = 0
        self._failure: BaseException | None = None
        self.blobs = 0
        """Blobs that came from the registry."""

    def request(self, job: Job) -> None:
        """Queue `job`; waits while the queue is full. Raises what made the run fail, or Stopped."""
        with self._changed:
            self._unfinished += 1
            self._queue.append(job)
            self._changed.notify()
            if self._workers < self._registry.parallel and not self._stopping.is_set():
                self._workers += 1
                self._pool.submit(self._serve)
            self._wait_until(lambda: len(self._queue) < _LONGEST_QUEUE)
        self.check()

    def landed(self, work: WorkFile, placement: Placement) -> None:
        """The blob lies at `placement` already; other places that want it copy it from there."""
        with self._changed:
            if self._landed.find(placement.key) is None:
                self._landed.put(placement.key, work, placement.offset)

    def scan(self, job: Job, reader: Callable[[ByteSource], None]) -> None:
        """Let `reader` read the blob as a stream while it comes to its place (or from here, if it lies here already).

        What `reader` leaves unread is still downloaded; nobody else may have asked for this placement.
        """
        try:
            self._scan(job, reader)
        except BaseException as error:
            self.fail(error)
            raise

    def _scan(self, job: Job, reader: Callable[[ByteSource], None]) -> None:
        key = job.placement.key
        with self._changed:
            self._wait_until(lambda: key not in self._flying)
            self.check()
            here = self._landed.find(key)
            if here is None:
                self._unfinished += 1
                self._flying[key] = []
        if here is None:
            self._fly(job, memoryview(bytearray(BUFFER_SIZE)), reader)
            return
        reader(SpaceReader(here[0].space, here[1], job.placement.size))
        if here != (job.work, job.placement.offset):
            self.request(job)

    def wait(self) -> None:
        """Until every job is done. Raises the error that ended the run, if there is one."""
        with self._changed:
            self._wait_until(lambda: not self._unfinished)
            done = not self._unfinished
            self._closed = True
            self._changed.notify_all()
        if not done:
            self.check()

    def close(self) -> None:
        """End the threads; a transfer in flight is given up."""
        with self._changed:
            self._closed = True
            if self._unfinished:
                self._stopping.set()
            self._changed.notify_all()
        self._pool.shutdown(wait=True)

    def fail(self, error: BaseException) -> None:
        """End the run because of `error`: everybody stops, and the first one who failed is the one that is told."""
        with self._changed:
            if self._failure is None and not isinstance(error, Stopped):
                self._failure = error
            self._stopping.set()
            self._changed.notify_all()

    def raise_failure(self) -> None:
        """Raise the error of the first transfer that failed for a reason of its own."""
        if self._failure is not None:
            raise self._failure

    def _wait_until(self, reached: Callable[[], bool]) -> None:
        """Wait (holding the condition) until `reached()`, or until the run is to stop."""
        while not reached() and not self._stopping.is_set():
            self._changed.wait(_LOOK_UP_SECONDS)

    def check(self) -> None:
        """Raise what made the run fail, or Stopped, when it is to end."""
        if self._stopping.is_set():
            self.raise_failure()
            raise Stopped("the pull was stopped; run it again to continue where it ended")

    def _serve(self) -> None:
        buffer = memoryview(bytearray(BUFFER_SIZE))
        try:
            while (job := self._next()) is not None:
                self._carry_out(job, buffer)
        except BaseException as error:
            self.fail(error)
            raise

    def _next(self) -> Job | None:
        with self._changed:
            while True:
                if self._stopping.is_set() or (self._closed and not self._queue):
                    return None
                for position, job in enumerate(self._queue):
                    if self._may_start(job):
                        del self._queue[position]
                        if len(self._queue) == _LONGEST_QUEUE - 1:
                            self._changed.notify_all()
                        return job
                self._changed.wait(_LOOK_UP_SECONDS)

    def _may_start(self, job: Job) -> bool:
        """Where space cannot be reserved, a write far ahead would make the file system fill the gap with zeros."""
        work = job.work
        return work.reservable or job.placement.start < work.lowest_open() + max(work.space.record.chunk_size, _WINDOW)

    def _carry_out(self, job: Job, buffer: memoryview) -> None:
        key = job.placement.key
        with self._changed:
            if key in self._flying:
                self._flying[key].append(job)
                return
            here = self._landed.find(key)
            if here is None:
                self._flying[key] = []
        if here is None:
            self._fly(job, buffer, None)
        else:
            _copy(here[0], here[1], job, buffer)
            self._finished(1)

    def _fly(self, job: Job, buffer: memoryview, reader: Callable[[ByteSource], None] | None) -> None:
        if self._copy_from_donor(job, buffer):
            if reader is not None:
                reader(SpaceReader(job.work.space, job.placement.offset, job.placement.size))
        else:
            self._download(job, buffer, reader)
        key = job.placement.key
        with self._changed:
            self._landed.put(key, job.work, job.placement.offset)
            waiting = self._flying.pop(key)
            self._changed.notify_all()
        for other in waiting:
            _copy(job.work, job.placement.offset, other, buffer)
        self._finished(1 + len(waiting))

    def _finished(self, count: int) -> None:
        with self._changed:
            self._unfinished -= count
            if not self._unfinished:
                self._changed.notify_all()

    def _copy_from_donor(self, job: Job, buffer: memoryview) -> bool:
        """Take the blob from what lies here; False when it is not there, or not what it should be."""
        for found in self._donors.find(job.placement.key):
            if found.size != job.placement.size:
                continue
            reader = DonorReader(found)
            _write(job, reader.readinto, buffer)
            if reader.key() == job.placement.key:
                job.work.complete(job.placement)
                return True
        return False

    def _download(self, job: Job, buffer: memoryview, reader: Callable[[ByteSource], None] | None) -> None:
        placement = job.placement
        digest = digests.from_key(placement.key)
        for attempt in range(_ATTEMPTS):
            try:
                with self._registry.open_blob(job.repository, digest, placement.size) as blob:
                    if reader is None:
                        _write(job, blob.readinto, buffer)
                    else:
                        tee = _Tee(job, blob.readinto)
                        reader(tee)
                        tee.drain(buffer)
                break
            except DigestMismatch:
                if attempt + 1 == _ATTEMPTS or reader is not None:  # what was read from it may be used already
                    raise
        job.work.complete(placement)
        with self._changed:
            self.blobs += 1


class _Landed:
    """Where every blob lies that this run has brought, as one integer each: there may be a hundred thousand."""

    def __init__(self) -> None:
        self._places: dict[bytes, int] = {}
        self._works: dict[int, WorkFile] = {}

    def put(self, key: bytes, work: WorkFile, offset: int) -> None:
        number = work.space.record.number
        self._works[number] = work
        self._places[key] = offset << _NUMBER_BITS | number

    def find(self, key: bytes) -> tuple[WorkFile, int] | None:
        """The work file and the offset of the content in it."""
        place = self._places.get(key)
        if place is None:
            return None
        return self._works[place & ((1 << _NUMBER_BITS) - 1)], place >> _NUMBER_BITS


def _write(job: Job, readinto: Callable[[memoryview], int], buffer: memoryview) -> None:
    """Write the whole entry, header first, in pieces as large as `buffer`."""
    position = job.placement.start
    filled = job.work.begin(job.placement, buffer)
    while True:
        count = readinto(buffer[filled:])
        filled += count
        if filled == len(buffer) or not count:
            job.work.write(position, buffer[:filled])
            position += filled
            filled = 0
        if not count:
            break
    job.work.pad(job.placement)


def _copy(source: WorkFile, offset: int, job: Job, buffer: memoryview) -> None:
    """A blob that d8's format wants in several layouts is copied from where it lies in this bundle."""
    _write(job, SpaceReader(source.space, offset, job.placement.size).readinto, buffer)
    job.work.complete(job.placement)


class _Tee:
    """A stream for a reader of tar archives that writes everything it passes on to the blob's place."""

    def __init__(self, job: Job, readinto: Callable[[memoryview], int]) -> None:
        self._job = job
        self._readinto = readinto
        header = bytearray(BUFFER_SIZE)
        length = job.work.begin(job.placement, memoryview(header))
        job.work.write(job.placement.start, memoryview(header)[:length])
        self._position = job.placement.start + length

    def read(self, size: int = -1) -> bytes:
        data = bytearray(size if size > 0 else BUFFER_SIZE)
        count = self._pass(memoryview(data))
        return bytes(data[:count])

    def drain(self, buffer: memoryview) -> None:
        """Write what the reader did not want to see, too."""
        while self._pass(buffer):
            pass
        self._job.work.pad(self._job.placement)

    def _pass(self, view: memoryview) -> int:
        filled = 0
        while filled < len(view):
            count = self._readinto(view[filled:])
            if not count:
                break
            filled += count
        if filled:
            self._job.work.write(self._position, view[:filled])
            self._position += filled
        return filled
