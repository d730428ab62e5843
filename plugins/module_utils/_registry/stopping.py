# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every wait of this layer ends at once when the run is asked to stop."""

from __future__ import annotations

import threading

from .._oci.errors import Stopped


class Stopping:
    """The caller's event, or one that nobody sets. `check` is cheap enough for every piece of a stream."""

    def __init__(self, event: threading.Event | None) -> None:
        self._event = event or threading.Event()
        self.is_set = self._event.is_set

    def check(self) -> None:
        """Raise Stopped when the run was asked to stop."""
        if self.is_set():
            raise Stopped("The run was asked to stop; it can be repeated and goes on where it stopped")

    def sleep(self, seconds: float) -> None:
        """Wait `seconds`; raise Stopped as soon as the run is asked to stop."""
        if seconds > 0:
            self._event.wait(seconds)
        self.check()
