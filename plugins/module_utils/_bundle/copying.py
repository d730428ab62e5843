# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Parts from one directory of a host to another: hashed on the way, and continued where a run has stopped."""

from __future__ import annotations

import errno
import hashlib
import os
from collections.abc import Callable
from io import FileIO
from pathlib import Path

from .delivery import Part
from .errors import BundleError, NoSpace
from .reserve import free_bytes

_BLOCK = 4 * 1024 * 1024
_KEPT = "What was copied already is kept and used by the next run"


def copy_part(source: Path, target: Path, part: Part, *, start: int, check: Callable[[], None]) -> bool:
    """Copy `part`, of which `target` holds the first `start` bytes; whether it has its hash then.

    What is there is read again, so that a piece that was never synced is found out; then all of it is copied anew.
    A part whose source is damaged is not left there. Raises NoSpace, BundleError naming what cannot be read or
    written; what `check` raises leaves a part that can be continued.
    """
    for offset in sorted({start, 0}, reverse=True):
        if _copied(source, target, part, offset, check) == part.sha256:
            return True
    target.unlink()
    return False


def _copied(source: Path, target: Path, part: Part, start: int, check: Callable[[], None]) -> str:
    """Copy from `start` on, and return the hash of the whole."""
    found = hashlib.sha256()
    buffer = memoryview(bytearray(_BLOCK))
    flags = os.O_RDWR | os.O_CREAT | (0 if start else os.O_TRUNC)
    with _reading(source) as reader, FileIO(_opened(target, flags), "r+") as writer:
        position = 0
        while position < part.bytes:
            check()
            known = position < start
            view = buffer[: min(_BLOCK, (start if known else part.bytes) - position)]
            count = _filled(writer, target, view) if known else _filled(reader, source, view)
            if not count:
                break  # shorter than it has to be: the hash tells
            found.update(view[:count])
            if not known:
                _write(writer.fileno(), view[:count], target)
            position += count
            if position == start:
                reader.seek(start)
        _synced(writer.fileno(), position, target)
    return found.hexdigest()


def _reading(source: Path) -> FileIO:
    try:
        return FileIO(source, "r")
    except OSError as error:
        raise _unreadable(source, error) from error


def _opened(target: Path, flags: int) -> int:
    try:
        return os.open(target, flags | getattr(os, "O_CLOEXEC", 0), 0o644)
    except OSError as error:
        raise write_failure(target, error) from error


def _filled(file: FileIO, path: Path, view: memoryview) -> int:
    try:
        return file.readinto(view) or 0
    except OSError as error:
        raise _unreadable(path, error) from error


def _write(descriptor: int, view: memoryview, target: Path) -> None:
    try:
        while view:
            view = view[os.write(descriptor, view) :]
    except OSError as error:
        raise write_failure(target, error) from error


def _synced(descriptor: int, size: int, target: Path) -> None:
    try:
        os.ftruncate(descriptor, size)
        os.fsync(descriptor)
    except OSError as error:
        raise write_failure(target, error) from error


def _unreadable(path: Path, error: OSError) -> BundleError:
    return BundleError(f"{path} cannot be read: {error.strerror or error}; check the medium and its rights. {_KEPT}")


def write_failure(target: Path, error: OSError) -> BundleError:
    """What the system said to a write, as an error that says what to do."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        free = free_bytes(target.parent)
        return NoSpace(
            f"{target}: {error.strerror}, {free} bytes are free there; free space (or raise the quota). {_KEPT}",
            free=free,
        )
    if error.errno == errno.EFBIG:
        return BundleError(f"{target}: the file system holds no file as large; pull with chunk_size, 4GB for FAT32")
    return BundleError(f"{target} cannot be written: {error.strerror or error}; check the disk and its rights. {_KEPT}")
