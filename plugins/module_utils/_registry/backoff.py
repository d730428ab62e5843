# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""When to ask again: jittered, growing pauses shared by all requests to one host (registry-quirks §12)."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from email.utils import parsedate_to_datetime

from .stopping import Stopping

FIRST_PAUSE = 0.5
"""Seconds before the second try; every further pause is twice as long."""
LONGEST_PAUSE = 30.0
LONGEST_RETRY_AFTER = 300.0
"""Seconds; a server that asks for more is asked again after that time."""
TRIES = 7
"""Of one request without any progress."""
THROTTLED_TRIES = 12
"""Of one request that is told to come later: others may have had their turn meanwhile."""


def retry_after(value: str | None, *, now: float | None = None) -> float | None:
    """Seconds that a Retry-After header (seconds or HTTP date) asks for, within the limit; None if it is unusable."""
    text = (value or "").strip()
    if not text:
        return None
    if text.isascii() and text.isdigit():
        return min(float(text[:9]), LONGEST_RETRY_AFTER)
    moment = moment_of(text)
    if moment is None:
        return None
    return min(max(0.0, moment - (time.time() if now is None else now)), LONGEST_RETRY_AFTER)


def moment_of(date: str | None) -> float | None:
    """Seconds since the epoch of an HTTP date, None if it is none."""
    try:
        return parsedate_to_datetime(date or "").timestamp()
    except (TypeError, ValueError, IndexError, OverflowError):
        return None


class Backoff:
    """Pauses per host. A pause that one request earned is kept by all of them. Thread-safe."""

    def __init__(
        self,
        stopping: Stopping,
        *,
        clock: Callable[[], float] = time.monotonic,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._stopping = stopping
        self._clock = clock
        self._chance = chance
        self._lock = threading.Lock()
        self._until: dict[str, float] = {}

    def wait(self, host: str) -> None:
        """Return when `host` may be asked again. Raises Stopped."""
        self._stopping.check()
        while host in self._until:
            with self._lock:
                left = self._until.get(host, 0.0) - self._clock()
                if left <= 0:
                    self._until.pop(host, None)
                    return
            self._stopping.sleep(left)

    def failed(self, host: str, *, tries: int, asked: float | None = None) -> float:
        """Note that a request to `host` failed for the `tries`-th time; return the pause in seconds.

        `asked` is what the server wants (Retry-After); the jitter is then added, never subtracted.
        """
        pause = min(FIRST_PAUSE * 2 ** (tries - 1), LONGEST_PAUSE) * (0.5 + self._chance() / 2)
        if asked is not None:
            pause = max(asked * (1 + self._chance() / 20), pause if asked == 0 else 0.0)
        with self._lock:
            self._until[host] = max(self._until.get(host, 0.0), self._clock() + pause)
        return pause
