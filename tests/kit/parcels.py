# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Bundles for tests of their transfer: right files with a right `delivery.json`, whatever is in them.

>>> write_parcel(tmp_path / "bundle", {"platform.tar": [400_000, 100_000], "security.tar": [90_000]})
"""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Mapping, Sequence
from pathlib import Path

from ...plugins.module_utils._bundle.parts import part_name


def write_parcel(directory: Path, sizes: Mapping[str, Sequence[int]], *, salt: str = "") -> None:
    """Make `directory` a bundle of archives with parts of `sizes`; other files of an earlier parcel go.

    A part's bytes follow from its name, its size and `salt`.
    """
    directory.mkdir(parents=True, exist_ok=True)
    for path in directory.iterdir():
        if path.suffix in (".tar", ".chunk", ".json"):
            path.unlink()
    archives = []
    for archive, parts in sizes.items():
        rows = []
        for number, size in enumerate(parts):
            name = part_name(archive, number, len(parts) - 1)
            data = random.Random(f"{name} {size} {salt}").randbytes(size)
            (directory / name).write_bytes(data)
            rows.append({"name": name, "bytes": size, "sha256": hashlib.sha256(data).hexdigest()})
        archives.append({"name": archive, "bytes": sum(parts), "images": 0, "blobs": 0, "parts": rows})
    document = {"kind": "Delivery", "version": 1, "source": {}, "content": {}, "plan": None, "images": []}
    document |= {"archives": archives, "releases": {}, "requires": []}
    (directory / "delivery.json").write_text(json.dumps(document))


def contents(directory: Path) -> dict[str, bytes]:
    """All files below `directory` by their path, but for what the transfer notes for itself."""
    return {
        str(path.relative_to(directory)): path.read_bytes()
        for path in sorted(directory.rglob("*"))
        if path.is_file() and path.name not in ("received.json", "medium.json")
    }
