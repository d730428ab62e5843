# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The tarball: what is in it, that it installs without any network, and that Ansible can show every plugin."""

from __future__ import annotations

import fnmatch
import json
import tarfile
from pathlib import Path

from .dependencies import collections_path
from .environments import VirtualEnvironment, any_core, provide
from .machine import environment, execute
from .source import COLLECTION, make_copy
from .steps import Failed, Step

# All that may be in the tarball; a file that no pattern admits fails the step.
_WANTED = (
    "CHANGELOG.md",
    "COPYING",
    "FILES.json",
    "LICENSES/GPL-3.0-or-later.txt",
    "MANIFEST.json",
    "README.md",
    "REUSE.toml",
    "SECURITY.md",
    "changelogs/changelog.yaml",
    "changelogs/config.yaml",
    "docs/*.md",
    "docs/examples/*.yml",
    "meta/ee-requirements.txt",
    "meta/*.yml",
    "playbooks/*.yml",
    "plugins/*.py",
    "roles/*.md",
    "roles/*.yml",
    "roles/*.j2",
    "tests/config.yml",
)
_REQUIRED = ("COPYING", "README.md", "meta/runtime.yml", "plugins/modules/*.py", "plugins/doc_fragments/registry.py")
# What a developer's checkout gathers, none of which may be shipped.
_CLUTTER = (".ruff_cache/0/x", ".venv/bin/x", "venv/bin/x", "tests/output/x", "plugins/__pycache__/x.pyc", "old.tar.gz")


def package_steps(root: Path) -> list[Step]:
    built = root / "dist"
    return [
        Step("package", "build, list of files", lambda: _check_build(built)),
        Step("package", "install without network, ansible-doc of every plugin", lambda: _check_install(root, built)),
    ]


def build(destination: Path, *, root: Path | None = None) -> Path:
    """Build the collection into `destination` and return the tarball."""
    core = provide(any_core())
    source = (root or make_copy("build")) / COLLECTION
    command = [core / "ansible-galaxy", "collection", "build", "--force", "--output-path", destination, source]
    execute(command, cwd=source, env=environment(core.bin))
    return max(destination.glob("dkp-airgap-*.tar.gz"), key=lambda path: path.stat().st_mtime)


def _check_build(destination: Path) -> None:
    littered = make_copy("littered")
    for name in _CLUTTER:
        path = littered / COLLECTION / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("clutter\n")
    with tarfile.open(build(destination, root=littered)) as tarball:
        names = sorted(member.name for member in tarball if member.isfile())
    unwanted = [name for name in names if not any(fnmatch.fnmatch(name, pattern) for pattern in _WANTED)]
    missing = [pattern for pattern in _REQUIRED if not fnmatch.filter(names, pattern)]
    if unwanted or missing:
        raise Failed(f"in the tarball but not wanted: {unwanted}\nwanted but not in the tarball: {missing}")


def _check_install(root: Path, built: Path) -> None:
    core = provide(any_core())
    tarballs = sorted(built.glob("*.tar.gz"))
    if not tarballs:
        raise Failed("there is no tarball to install: the build failed")
    place = root / "installed"
    variables = environment(core.bin, ANSIBLE_COLLECTIONS_PATH=collections_path(place), HOME=str(root / "home"))
    galaxy = core / "ansible-galaxy"
    execute([galaxy, "collection", "install", "--offline", "-p", place, tarballs[-1]], cwd=root, env=variables)
    execute([galaxy, "collection", "verify", "dkp.airgap", "--offline", "-p", place], cwd=root, env=variables)
    _show_plugins(core, place / COLLECTION, variables)


def _show_plugins(core: VirtualEnvironment, installed: Path, variables: dict[str, str]) -> None:
    for kind, folder in {"module": "modules", "filter": "filter"}.items():
        expected = {f"dkp.airgap.{path.stem}" for path in (installed / "plugins" / folder).glob("*.py")}
        if not expected:
            continue
        command = [core / "ansible-doc", "--type", kind, "--json", *sorted(expected)]
        answer = execute(command, cwd=installed, env=variables)
        shown = json.loads(answer[answer.index("{") :])
        incomplete = sorted(name for name in expected if not shown.get(name, {}).get("examples"))
        if incomplete:
            raise Failed(f"ansible-doc shows no documentation with examples for {', '.join(incomplete)}")
