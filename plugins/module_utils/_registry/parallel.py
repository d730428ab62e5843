# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How many requests run at once: permits whose number follows the line and the server's health.

Grows by one per success until the first trouble, by one per round after it; halves on 429, 503 and resets
(registry-quirks §12). What is needed to plan (manifests, lists) goes before blobs when both wait.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable

from .stopping import Stopping

CEILING = 32
START = 8
SHORT_LINE = 0.003
LONG_LINE = 0.010
"""Seconds to the first byte of an answer, the least ever seen: below and above, more requests do not and do help."""
_CALM = 1.0
"""Seconds in which many troubles count as one: they have one cause."""
_LOOK = 0.5


class Permits:
    """Permits to have a request in flight. Thread-safe."""

    def __init__(self, most: int, stopping: Stopping, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.ceiling = most
        self._stopping = stopping
        self._clock = clock
        self._lock = threading.Lock()
        self._limit = min(START, most)
        self._credit = 0.0
        self._used = 0
        self._troubled_at: float | None = None
        self._least_latency: float | None = None
        self._first: deque[threading.Lock] = deque()
        self._others: deque[threading.Lock] = deque()

    @property
    def limit(self) -> int:
        """How many requests may run in parallel right now."""
        return self._limit

    def acquire(self, *, first: bool) -> None:
        """Take a permit, waiting for one; `first` goes before those that are not. Raises Stopped."""
        with self._lock:
            if self._used < self._limit and not self._first and (first or not self._others):
                self._used += 1
                return
            gate = threading.Lock()
            gate.acquire()
            queue = self._first if first else self._others
            queue.append(gate)
        while not gate.acquire(timeout=_LOOK):
            if self._stopping.is_set():
                self._leave(queue, gate)
                self._stopping.check()

    def _leave(self, queue: deque[threading.Lock], gate: threading.Lock) -> None:
        with self._lock:
            if gate in queue:
                queue.remove(gate)
                return
        self.release()  # the permit came while we were leaving

    def release(self) -> None:
        """Give a permit back."""
        with self._lock:
            self._used -= 1
            self._hand_out()

    def _hand_out(self) -> None:
        while self._used < self._limit and (self._first or self._others):
            self._used += 1
            (self._first or self._others).popleft().release()

    def note_latency(self, seconds: float) -> None:
        """A request without a body was answered after `seconds`."""
        if self._least_latency is None or seconds < self._least_latency:
            self._least_latency = seconds

    def succeeded(self) -> None:
        """A request was answered in health: grow towards what the line rewards."""
        useful = self._useful()
        if self._limit == useful:
            return
        with self._lock:
            if self._limit > useful:
                self._limit = useful  # the first answers were slow for another reason than the line
            else:
                self._credit += 1.0 if self._troubled_at is None else 1.0 / self._limit
                if self._credit >= 1.0:
                    self._credit = 0.0
                    self._limit += 1
                    self._hand_out()

    def troubled(self) -> None:
        """The server is overloaded (429, 503) or broke a connection: halve, once for one wave."""
        with self._lock:
            now = self._clock()
            if self._troubled_at is None or now - self._troubled_at >= _CALM:
                self._limit = max(1, self._limit // 2)
                self._credit = 0.0
            self._troubled_at = now

    def _useful(self) -> int:
        least = self._least_latency
        if least is None or least <= SHORT_LINE:
            return min(START, self.ceiling)
        if least >= LONG_LINE:
            return self.ceiling
        return min(2 * START, self.ceiling)
