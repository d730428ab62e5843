# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One limit for the bytes of all connections together."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from .stopping import Stopping

_BURST = 0.1
"""Seconds of the rate that may be sent at once after a pause."""


class Bandwidth:
    """A token bucket that hands out time slots in order, so that no connection starves. Thread-safe."""

    def __init__(
        self, bytes_per_second: int | None, stopping: Stopping, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._rate = bytes_per_second
        self._stopping = stopping
        self._clock = clock
        self._lock = threading.Lock()
        self._free_at = clock()

    @property
    def piece(self) -> int:
        """The most bytes to move at one go, so that the line stays even: a tenth of a second, 16 KiB to 1 MiB."""
        return 1 << 20 if self._rate is None else max(16 * 1024, min(1 << 20, self._rate // 10))

    def take(self, count: int) -> None:
        """Wait until `count` bytes may be moved. Raises Stopped."""
        if self._rate is None:
            return
        with self._lock:
            now = self._clock()
            start = max(self._free_at, now - _BURST)
            self._free_at = start + count / self._rate
            wait = self._free_at - now
        self._stopping.sleep(wait)
