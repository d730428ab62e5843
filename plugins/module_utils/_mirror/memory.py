# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What this host remembers between runs: small files of images by digest, and which bundles it has proven.

Everything here can be lost without harm. Nothing of it lies beside a bundle: media are read once after arrival.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_LARGEST_ENTRY = 16 * 1024 * 1024


class HostMemory:
    """A directory of small JSON files. Without a writable place it remembers nothing and works all the same."""

    def __init__(self, directory: Path | None, *, read_only: bool = False) -> None:
        """`read_only` is for check mode: what is there is used, nothing is added."""
        self._directory = directory
        self._read_only = read_only

    @property
    def keeps(self) -> bool:
        """Whether there is a place for memories at all."""
        return self._directory is not None

    def get(self, kind: str, name: str) -> Any:
        """What was put under `kind` and `name`; None if nothing, or if it cannot be read."""
        if self._directory is None:
            return None
        try:
            path = self._path(kind, name)
            return json.loads(path.read_bytes()) if path.stat().st_size <= _LARGEST_ENTRY else None
        except (OSError, ValueError):
            return None  # lost memory costs time, never correctness

    def put(self, kind: str, name: str, value: Any) -> bool:
        """Remember `value`; False where nothing can be kept (read-only home of an execution environment)."""
        if self._directory is None or self._read_only:
            return False
        path = self._path(kind, name)
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            descriptor, draft = tempfile.mkstemp(dir=path.parent)
            with os.fdopen(descriptor, "wb") as file:
                file.write(json.dumps(value, sort_keys=True).encode())
            os.replace(draft, path)
        except OSError:
            return False
        return True

    def forget(self, kind: str, name: str) -> None:
        """Forget what was put under `kind` and `name`."""
        if self._directory is not None and not self._read_only:
            self._path(kind, name).unlink(missing_ok=True)

    def lock_file(self, name: str) -> Path | None:
        """A file that whoever does `name` on this host can lock; None where nothing can be kept."""
        if self._directory is None or self._read_only:
            return None
        path = self._path("locks", name).with_suffix(".lock")
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError:
            return None
        return path if os.access(path.parent, os.W_OK) else None

    def _path(self, kind: str, name: str) -> Path:
        return Path(self._directory or "") / kind / (hashlib.sha256(name.encode()).hexdigest() + ".json")


def default_directory(environment: Mapping[str, str]) -> Path | None:
    """`$DKP_AIRGAP_STATE_DIR`, else `$XDG_STATE_HOME/dkp-airgap`, else `~/.local/state/dkp-airgap`."""
    own = environment.get("DKP_AIRGAP_STATE_DIR")
    if own:
        return Path(own)
    base = environment.get("XDG_STATE_HOME")
    if base:
        return Path(base) / "dkp-airgap"
    home = environment.get("HOME")
    return Path(home) / ".local" / "state" / "dkp-airgap" if home else None
