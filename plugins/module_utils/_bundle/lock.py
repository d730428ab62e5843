# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One run at a time on a bundle directory; the second is told who holds it."""

from __future__ import annotations

import fcntl
import json
import os
import platform
import time
from pathlib import Path

from .errors import BundleBusy


class DirectoryLock:
    """Holds an advisory lock on a file in the directory; the kernel lets go of it when the process dies."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: int | None = None

    def acquire(self) -> None:
        """Raise BundleBusy naming process, host and start of the run that holds the lock."""
        while True:
            file = os.open(self._path, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o644)
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                holder = _describe(os.read(file, 1000))
                os.close(file)
                raise BundleBusy(
                    f"{self._path.parent}: another run works on this directory ({holder}); wait until it ends", holder
                ) from None
            if self._is_current(file):
                break
            os.close(file)  # its holder has just finished and removed it
        holder_text = {
            "pid": os.getpid(),
            "host": platform.node(),
            "since": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        }
        os.ftruncate(file, 0)
        os.pwrite(file, json.dumps(holder_text).encode(), 0)
        self._file = file

    def release(self) -> None:
        """Remove the file while the lock is still held, then let go."""
        if self._file is not None:
            self._path.unlink(missing_ok=True)
            os.close(self._file)
            self._file = None

    def _is_current(self, file: int) -> bool:
        try:
            return os.path.samestat(os.fstat(file), os.stat(self._path))
        except FileNotFoundError:
            return False


def _describe(data: bytes) -> str:
    try:
        holder = json.loads(data)
        return f"process {holder['pid']} on {holder['host']}, since {holder['since']}"
    except (ValueError, KeyError, TypeError):
        return "it has not said yet who it is"
