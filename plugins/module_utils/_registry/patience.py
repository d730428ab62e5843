# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Waiting for a registry that refuses writing for a while, as during its garbage collection (contract, issue 3 §3)."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TypeVar

from .errors import ReadOnly
from .stopping import Stopping

_Result = TypeVar("_Result")
_LONGEST_PAUSE = 15.0
SHORTEST_PAUSE = 0.5


class Patience:
    """How long one host has been refusing writes, seen by all workers together. Thread-safe."""

    def __init__(self, seconds: float, stopping: Stopping, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._seconds = seconds
        self._stopping = stopping
        self._clock = clock
        self._lock = threading.Lock()
        self._since: float | None = None

    def write(self, action: Callable[[], _Result]) -> _Result:
        """Do `action`, again after growing pauses while it raises ReadOnly.

        The last ReadOnly is raised when no write has succeeded for the whole time.
        """
        while True:
            try:
                result = action()
            except ReadOnly as error:
                self._refused(error)
            else:
                self._since = None
                return result

    def _refused(self, error: ReadOnly) -> None:
        with self._lock:
            now = self._clock()
            if self._since is None:
                self._since = now
            waited = now - self._since
        if waited >= self._seconds:
            raise ReadOnly(
                error.purpose,
                method=error.method,
                url=error.url,
                status=error.status,
                code=error.code,
                text=error.text,
                hint=f"The registry has refused writing for {waited:.0f} s; {_REPEAT}",
            )
        pause = max(SHORTEST_PAUSE, min(waited, _LONGEST_PAUSE))
        self._stopping.sleep(min(pause, self._seconds - waited))


_REPEAT = "when it takes writes again, repeat the run: it goes on where it stopped"
