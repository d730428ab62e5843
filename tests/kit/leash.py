# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Programs in the background that end with whoever started them, even where that one is killed.

Run as a program, this file is the keeper: it starts the command of its arguments and kills it when its own standard
input ends. The kernel's own means (a signal at the parent's death) watches a thread, and tests start from threads.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

_PATIENCE = 10


class Leashed:
    """The `command`, running with its output added to the file `log`; `stop` ends it."""

    def __init__(self, command: Sequence[str], *, log: Path, environment: Mapping[str, str] | None = None) -> None:
        with open(log, "ab") as output:
            self._keeper = subprocess.Popen(
                [sys.executable, __file__, *command],
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=output,
                env={**os.environ, **(environment or {})},
                # Ctrl-C is for the tests, which then stop what they have started in their own order.
                start_new_session=True,
            )

    @property
    def running(self) -> bool:
        return self._keeper.poll() is None

    def stop(self) -> None:
        """End it politely, after some seconds by force; nothing happens when it has ended."""
        if self.running:
            self._keeper.terminate()
        assert self._keeper.stdin is not None
        try:
            self._keeper.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            self._keeper.stdin.close()
        self._keeper.wait()
        self._keeper.stdin.close()


def _keep(command: Sequence[str]) -> int:
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL)
    signal.signal(signal.SIGTERM, lambda *_unused: child.terminate())

    def watch() -> None:
        while os.read(0, 1):
            pass
        child.kill()

    threading.Thread(target=watch, daemon=True).start()
    return child.wait()


if __name__ == "__main__":
    sys.exit(_keep(sys.argv[1:]))
