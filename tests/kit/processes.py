# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later


"""Ends processes that have gone their own ways: by a mark in the environment that they were started with."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

_VARIABLE = "DKP_TEST_MARK"
_PATIENCE = 10


def end_marked(mark: str) -> None:
    """Kill every process with `mark` as DKP_TEST_MARK in its environment, and what those start meanwhile."""
    until = time.monotonic() + _PATIENCE
    while time.monotonic() < until:
        left = list(_marked(mark))
        if not left:
            return
        for process in left:
            try:
                os.kill(process, signal.SIGKILL)
            except ProcessLookupError:
                continue
        time.sleep(0.01)
    raise RuntimeError(f"processes that do not end: {left}")


def _marked(mark: str) -> Iterator[int]:
    wanted = f"{_VARIABLE}={mark}".encode()
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                environment = (entry / "environ").read_bytes()
            except OSError:
                # It has ended meanwhile, or is somebody else's.
                continue
            if wanted in environment.split(b"\0"):
                yield int(entry.name)
