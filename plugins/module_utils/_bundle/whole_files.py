# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Small files that are complete or not there, whatever happens."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path


def replace_file(target: Path, content: bytes, mode: int) -> bool:
    """Make `target` hold `content` under `mode`; returns whether anything had to be written. Raises OSError."""
    if _holds(target, content, mode):
        return False
    descriptor, draft = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(draft).chmod(mode)
        Path(draft).replace(target)
    except BaseException:
        Path(draft).unlink(missing_ok=True)
        raise
    return True


def _holds(target: Path, content: bytes, mode: int) -> bool:
    try:
        return target.read_bytes() == content and target.stat().st_mode & 0o777 == mode
    except FileNotFoundError:
        return False
