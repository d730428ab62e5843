# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One run at a time writes to a registry from one host; the second waits, or stops and says for whom."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from .._bundle.errors import BundleBusy
from .._bundle.lock import DirectoryLock
from .._dkp.findings import Finding
from .._oci.errors import AirgapError
from .._oci.reference import RepositoryAddress
from .._registry.stopping import Stopping
from .memory import HostMemory

UNLOCKED = "unlocked"
_PAUSE = 0.5
"""Seconds between two looks at a lock that another run holds."""


class PushBusy(AirgapError):
    """Another run of this host writes to the registry."""


@contextmanager
def push_lock(
    memory: HostMemory, target: RepositoryAddress, stopping: Stopping, *, wait: int, dry: bool
) -> Iterator[tuple[Finding, ...]]:
    """Hold the lock of `target` while it lasts; yields what is to be told of it. A `dry` run takes none.

    Raises PushBusy when another run holds it for longer than `wait` seconds; Stopped.
    """
    path = None if dry else memory.lock_file(f"push {target}")
    if path is None:
        yield () if dry else (_unlocked(target),)
        return
    lock = DirectoryLock(path)
    findings = () if _acquire(lock, target, stopping, wait=wait) else (_unlocked(target),)
    try:
        yield findings
    finally:
        lock.release()


def _acquire(lock: DirectoryLock, target: RepositoryAddress, stopping: Stopping, *, wait: int) -> bool:
    """Whether the lock is ours; False on a file system that has none. Raises PushBusy, Stopped."""
    deadline = time.monotonic() + wait
    while True:
        try:
            lock.acquire()
            return True
        except OSError:
            return False
        except BundleBusy as busy:
            left = deadline - time.monotonic()
            if left <= 0:
                waited = f"it did not end within {wait} seconds" if wait else "set lock_wait to wait for it"
                raise PushBusy(
                    f"another run writes to {target} from this host ({busy.holder}); {waited}", holder=busy.holder
                ) from busy
        stopping.sleep(min(_PAUSE, left))


def _unlocked(target: RepositoryAddress) -> Finding:
    return Finding(
        UNLOCKED,
        "warning",
        str(target),
        "This host has no writable place for state, so another run that writes to the same registry goes unnoticed",
        "Set DKP_AIRGAP_STATE_DIR to a directory that is kept between runs",
    )
