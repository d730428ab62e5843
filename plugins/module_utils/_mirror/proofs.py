# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What this host has proven: archives that it wrote or read in full, while their files are the same (`verify`)."""

from __future__ import annotations

import platform
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from .._bundle.delivery import ArchiveSummary
from .memory import HostMemory

_KIND = "proofs"


def remember_proof(memory: HostMemory, directory: Path, archives: Iterable[ArchiveSummary]) -> None:
    """This host has written or read every byte of the `archives` in `directory`, and they are right."""
    for archive in archives:
        put_proof(memory, [directory / part.name for part in archive.parts])


def put_proof(memory: HostMemory, paths: Sequence[Path], identity: list[Any] | None = None) -> None:
    """Remember that the archive consisting of `paths` is proven, as it was when its `identity` was taken (now)."""
    memory.put(_KIND, _name(paths), identity_of(paths) if identity is None else identity)


def forget_proof(memory: HostMemory, paths: Sequence[Path]) -> None:
    """The archive has turned out to be damaged."""
    memory.forget(_KIND, _name(paths))


def is_proven(memory: HostMemory, paths: Sequence[Path]) -> bool:
    """Whether this host has proven just these files, unchanged since."""
    return bool(paths) and memory.get(_KIND, _name(paths)) == identity_of(paths)


def _name(paths: Sequence[Path]) -> str:
    return "\n".join(str(path.resolve()) for path in paths)


def identity_of(paths: Sequence[Path]) -> list[Any]:
    """Machine, and of each file device, inode, size, mtime and ctime: what changes when the bytes might have."""
    identity: list[Any] = [machine()]
    for path in paths:
        stats = path.stat()
        identity.append([stats.st_dev, stats.st_ino, stats.st_size, stats.st_mtime_ns, stats.st_ctime_ns])
    return identity


def machine() -> str:
    """What tells this machine from another that shares the home directory."""
    for name in ("/etc/machine-id", "/var/lib/dbus/machine-id"):
        path = Path(name)
        if path.is_file():
            text = path.read_text(encoding="ascii", errors="replace").strip()
            if text:
                return text
    return platform.node()
