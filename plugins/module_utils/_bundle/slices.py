# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Slices of parts, for transfers through the controller: cut at the one end, joined at the other."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable
from pathlib import Path

from .._oci.errors import InvalidInput
from .arrival import hash_of
from .errors import BundleDamaged

_BUFFER = 1024 * 1024


def cut_slice(part: Path, target: Path, *, offset: int, size: int, check: Callable[[], None]) -> str:
    """Write `size` bytes of `part` from `offset` on to the file `target`; returns their SHA-256.

    Raises InvalidInput where the part does not have them, OSError.
    """
    there = part.stat().st_size
    if offset + size > there:
        raise InvalidInput(f"{part}: has {there} bytes, and {size} from {offset} on were asked for; look at it anew")
    found = hashlib.sha256()
    with open(part, "rb") as source, open(target, "wb") as slice_file:
        source.seek(offset)
        left = size
        while left:
            check()
            data = source.read(min(_BUFFER, left))
            found.update(data)
            slice_file.write(data)
            left -= len(data)
    return found.hexdigest()


def join_slice(slice_file: Path, part: Path, *, offset: int, sha256: str) -> bool:
    """Put a slice to its place in `part`, which is made if it is not there; returns whether anything changed.

    The part has to end at `offset`, or after the slice, when an earlier run has joined it. Raises BundleDamaged for a
    slice with other bytes than were cut, InvalidInput for a part that ends elsewhere, OSError.
    """
    size = slice_file.stat().st_size
    if hash_of(slice_file) != sha256:
        raise BundleDamaged(part.name, f"{slice_file}: came with other bytes than were sent; run the transfer again")
    there = part.stat().st_size if part.is_file() else 0
    if there >= offset + size:
        return False
    if there < offset:
        raise InvalidInput(f"{part}: ends at {there}, and the slice begins at {offset}; run the transfer again")
    with open(slice_file, "rb") as source, open(part, "r+b" if part.is_file() else "wb") as target:
        target.seek(offset)
        shutil.copyfileobj(source, target, _BUFFER)
        target.truncate()
        target.flush()
        os.fsync(target.fileno())
    return True
