# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Free space: how much there is, and taking it without writing zeros (design §4, idea 5)."""

from __future__ import annotations

import ctypes
import errno
import os
from pathlib import Path

from .errors import BundleError, NoSpace

_EXTENDING = 0
_UNSUPPORTED = (errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL, errno.ENODEV)


def free_bytes(path: Path) -> int:
    """What an ordinary user may still write below `path` (or its nearest parent that exists)."""
    while not path.exists():
        path = path.parent
    stats = os.statvfs(path)
    return stats.f_bavail * stats.f_frsize


def check_space(path: Path, need: int) -> None:
    """Raise NoSpace with the exact numbers when less than `need` bytes are free below `path`."""
    free = free_bytes(path)
    if need > free:
        raise NoSpace(
            f"{path}: {need} bytes are needed and {free} are free, {need - free} are missing. Free that much or choose "
            "another dest; what was downloaded already is kept and used by the next run",
            needed=need,
            free=free,
        )


def write_failure(directory: Path, archive: str, error: OSError) -> BundleError:
    """What the system said to a write in `directory`, as an error that says what to do."""
    kept = "what was downloaded already is kept and used by the next run"
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return NoSpace(
            f"{directory}: {error.strerror} while {archive} was written, {free_bytes(directory)} bytes are free there. "
            f"Free space (or raise the quota) or choose another dest; {kept}",
            free=free_bytes(directory),
        )
    if error.errno == errno.EFBIG:
        return BundleError(
            f"{directory}: the file system cannot hold a file as large as {archive}; set chunk_size, to 4GB for FAT32"
        )
    return BundleError(f"{directory}: {archive} cannot be written ({error.strerror}); check the disk; {kept}")


def allocate(descriptor: int, offset: int, size: int) -> bool:
    """Reserve `size` bytes at `offset`; False where the file system cannot do it without writing zeros.

    The C library's posix_fallocate would write them (FAT, NFS before 4.2), so the system call itself is asked.
    Raises OSError when the space is not there (ENOSPC, EDQUOT).
    """
    call = getattr(ctypes.CDLL(None, use_errno=True), "fallocate64", None) if size > 0 else None
    if call is None:
        return False
    call.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64]
    if call(descriptor, _EXTENDING, offset, size) == 0:
        return True
    number = ctypes.get_errno()
    if number in _UNSUPPORTED:
        return False
    raise OSError(number, os.strerror(number))
