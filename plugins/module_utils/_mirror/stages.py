# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Groups side by side, the stages of a group one after another; a group that fails does not stop the others."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from .._oci.errors import AirgapError, Stopped
from .._registry.client import Registry
from .._registry.stopping import Stopping

Step = Callable[[], None]


@dataclass
class Lane:
    """The stages of one group: steps of a stage run in any order, all before the next stage. `failure` ends it."""

    name: str
    stages: deque[Sequence[Step]] = field(default_factory=deque)
    outstanding: int = 0
    failure: AirgapError | None = None


class Stages:
    """Runs lanes on as many workers as the registry takes requests in parallel."""

    def __init__(self, registry: Registry, stopping: Stopping) -> None:
        self._registry = registry
        self._stopping = stopping
        self._changed = threading.Condition()
        self._ready: deque[tuple[Lane, Step]] = deque()
        self._open = 0

    def run(self, lanes: Sequence[Lane]) -> dict[str, AirgapError]:
        """Run everything; returns the failures by lane. Raises Stopped, and errors that no lane can be blamed for."""
        with self._changed:
            for lane in lanes:
                self._open += 1
                self._advance(lane)
        with ThreadPoolExecutor(self._registry.ceiling, thread_name_prefix="push") as pool:
            workers = [pool.submit(self._work, number) for number in range(self._registry.ceiling)]
            try:
                for worker in workers:
                    worker.result()
            except BaseException:
                self._stopping.set()  # a signal, or a defect: the pool waits for all workers before it lets go
                raise
        if self._stopping.is_set():
            raise Stopped("the push was stopped; run it again, what was uploaded is found and not sent again")
        return {lane.name: lane.failure for lane in lanes if lane.failure is not None}

    def _work(self, number: int) -> None:
        while True:
            with self._changed:
                while not (self._ready and number < max(self._registry.parallel, 1)):
                    if not self._open or self._stopping.is_set():
                        return
                    self._changed.wait(0.5)
                lane, step = self._ready.popleft()
            self._carry_out(lane, step)

    def _carry_out(self, lane: Lane, step: Step) -> None:
        failure: AirgapError | None = None
        finished = False
        try:
            if lane.failure is None and not self._stopping.is_set():
                step()
            finished = True
        except Stopped:
            self._stopping.set()
            finished = True
        except AirgapError as error:
            failure = error
            finished = True
        finally:
            if not finished:
                self._stopping.set()  # a defect of ours or of the machine: nobody goes on, the error is raised by `run`
            with self._changed:
                lane.failure = lane.failure or failure
                lane.outstanding -= 1
                if not lane.outstanding:
                    self._advance(lane)
                self._changed.notify_all()

    def _advance(self, lane: Lane) -> None:
        """Open the next stage that has steps; without one, or after a failure, the lane has ended."""
        while lane.stages and lane.failure is None:
            steps = lane.stages.popleft()
            if steps:
                lane.outstanding = len(steps)
                self._ready.extend((lane, step) for step in steps)
                return
        self._open -= 1
