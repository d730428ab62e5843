# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The word that a run is to end, and whoever has to hear it at once."""

from __future__ import annotations

import threading
from collections.abc import Callable

from .._oci.errors import Stopped


class Stopping:
    """Whether the run is to stop. Thread-safe. `check` is cheap enough for every piece of a stream."""

    def __init__(self) -> None:
        self._event = threading.Event()
        self._actions: list[Callable[[], None]] = []
        self.is_set = self._event.is_set
        self.clear = self._event.clear

    def set(self) -> None:
        """Ask the run to stop: waits and requests in flight end now. May be called again."""
        self._event.set()
        for action in list(self._actions):
            action()

    def on_set(self, action: Callable[[], None]) -> None:
        """Let `set` call `action`, in the thread of its caller: it must not wait."""
        self._actions.append(action)

    def check(self) -> None:
        """Raise Stopped when the run was asked to stop."""
        if self.is_set():
            raise Stopped("The run was asked to stop; it can be repeated and goes on where it stopped")

    def sleep(self, seconds: float) -> None:
        """Wait `seconds`; raise Stopped as soon as the run is asked to stop."""
        if seconds > 0:
            self._event.wait(seconds)
        self.check()
