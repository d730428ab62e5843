# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A clean copy of the checkout at a path that Ansible's tools accept, without what .gitignore names.

ansible-test wants the physical path ``…/ansible_collections/dkp/airgap``, and linters read whatever lies around.
"""

from __future__ import annotations

import atexit
import shutil
import subprocess
import tempfile
from pathlib import Path

from .machine import CHECKOUT, environment

COLLECTION = Path("ansible_collections/dkp/airgap")
# For a checkout without git (an unpacked archive of the sources).
_NOT_SOURCE = shutil.ignore_patterns(
    *(".git", "__pycache__", "*.pyc", "*.tar", "*.tar.gz"),
    *(".*_cache", ".venv", "venv", "output", ".hypothesis", ".ansible"),
)


def make_copy(name: str) -> Path:
    """Copy the sources into a directory of their own and return the root that holds ``ansible_collections``."""
    root = Path(tempfile.mkdtemp(prefix=f"dkp-airgap-{name}-")).resolve()
    atexit.register(shutil.rmtree, root, ignore_errors=True)
    target = root / COLLECTION
    sources = _source_files()
    if sources is None:
        shutil.copytree(CHECKOUT, target, ignore=_NOT_SOURCE, symlinks=True)
        return root
    for path in sources:
        (target / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(CHECKOUT / path, target / path, follow_symlinks=False)
    return root


def _source_files() -> list[Path] | None:
    if not (CHECKOUT / ".git").exists() or not shutil.which("git"):
        return None
    # An owner other than the user (containers, sudo) makes git refuse to look without this.
    git = ["git", "-c", f"safe.directory={CHECKOUT}"]
    command = [*git, "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listing = subprocess.run(command, cwd=CHECKOUT, env=environment(), capture_output=True, check=True).stdout
    paths = {Path(name) for name in listing.decode().split("\0") if name}
    return sorted(path for path in paths if (CHECKOUT / path).is_file())
