# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The collections that ours depends on, without a Galaxy server: out of the PyPI package that carries many of them."""

from __future__ import annotations

import fcntl
import json
import os
import tempfile
import zipfile
from pathlib import Path

from .environments import TOOLS, provide
from .machine import CHECKOUT, cache_directory, execute
from .steps import Failed

ANSIBLE_PACKAGE = "14.5.0"
_WANTED = ("ansible.posix", "kubernetes.core")
# The wheel holds nothing but files, so any Python's wheel will do; without this, pip asks for the package's own Python.
_ANY_PYTHON = ("--only-binary=:all:", "--python-version=3.13")


def provide_collections() -> Path:
    """The directory with ``ansible_collections``, fetched now (51 MB) if the cache does not hold it."""
    directory = cache_directory() / f"collections-{ANSIBLE_PACKAGE}"
    directory.parent.mkdir(parents=True, exist_ok=True)
    with open(directory.parent / f".{directory.name}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not directory.exists():
            with tempfile.TemporaryDirectory(dir=directory.parent) as scratch:
                _unpack(_download(Path(scratch)), Path(scratch) / "wanted")
                os.replace(Path(scratch) / "wanted", directory)
    return directory


def collections_path(*roots: Path) -> str:
    """ANSIBLE_COLLECTIONS_PATH for what is below `roots` and for what ours depends on."""
    return os.pathsep.join(map(str, (*roots, provide_collections())))


def _download(directory: Path) -> Path:
    pip = [provide(TOOLS).python, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
    execute([*pip, *_ANY_PYTHON, "-d", directory, f"ansible=={ANSIBLE_PACKAGE}"], cwd=CHECKOUT)
    return next(directory.glob("ansible-*.whl"))


def _unpack(wheel: Path, directory: Path) -> None:
    """Unpack the wanted collections and, where they name some, their own dependencies."""
    wanted, done = list(_WANTED), set[str]()
    with zipfile.ZipFile(wheel) as archive:
        while wanted:
            name = wanted.pop()
            folder = f"ansible_collections/{name.replace('.', '/')}/"
            members = [member for member in archive.namelist() if member.startswith(folder)]
            if not members:
                raise Failed(f"{wheel.name} does not hold the collection {name}")
            archive.extractall(directory, members)
            done.add(name)
            manifest = json.loads(archive.read(f"{folder}MANIFEST.json"))
            wanted += [one for one in manifest["collection_info"]["dependencies"] if one not in done]
