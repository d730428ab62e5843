# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Virtual environments, made once and kept in the cache under the hash of what went into them."""

from __future__ import annotations

import fcntl
import hashlib
import shutil
from dataclasses import dataclass
from pathlib import Path

from .machine import (
    CHECKOUT,
    cache_directory,
    can_install_packages,
    choose_interpreter,
    environment,
    execute,
    install_packages,
    interpreters,
)
from .steps import Failed

_REQUIREMENTS = CHECKOUT / "tests/requirements"


@dataclass(frozen=True)
class EnvironmentSpec:
    """What an environment is made of: the interpreters that will do, best first, and a requirements file."""

    name: str
    pythons: tuple[str, ...]
    requirements: Path

    @property
    def python(self) -> str:
        """The version that is taken on this machine, for headings."""
        return next((version for version in self.pythons if version in interpreters()), self.pythons[0])


TOOLS = EnvironmentSpec("tools", ("3.13", "3.12", "3.14", "3.11"), _REQUIREMENTS / "tools.txt")
# Modules run on these; no Ansible is installed there. A machine without 3.13 tests its own newest instead.
TARGETS = {
    "oldest": EnvironmentSpec("target", ("3.9",), CHECKOUT / "tests/unit/requirements.txt"),
    "newest": EnvironmentSpec(
        "target", ("3.13", "3.14", "3.12", "3.11", "3.10"), CHECKOUT / "tests/unit/requirements.txt"
    ),
}
CORES = {
    version: EnvironmentSpec(f"core-{version}", pythons, _REQUIREMENTS / f"core-{version}.txt")
    for version, pythons in {
        "2.16": ("3.11", "3.12", "3.10"),
        "2.18": ("3.12", "3.13", "3.11"),
        "2.20": ("3.13", "3.12", "3.14"),
        "2.21": ("3.13", "3.12", "3.14"),
    }.items()
}


def any_core() -> EnvironmentSpec:
    """The newest ansible-core that an interpreter of this machine can run."""
    choices = list(reversed(CORES.values()))
    every_python = tuple(python for spec in choices for python in spec.pythons)
    version = choose_interpreter(every_python, purpose="ansible-core")[0]
    return next(spec for spec in choices if version in spec.pythons)


@dataclass(frozen=True)
class VirtualEnvironment:
    directory: Path

    @property
    def bin(self) -> Path:
        return self.directory / "bin"

    @property
    def python(self) -> Path:
        return self.bin / "python"

    def __truediv__(self, program: str) -> Path:
        return self.bin / program


def provide(spec: EnvironmentSpec) -> VirtualEnvironment:
    """The environment of `spec`, made now if the cache does not hold it; Unavailable without an interpreter."""
    version, interpreter = choose_interpreter(spec.pythons, purpose=spec.name)
    content = spec.requirements.read_bytes() + str(interpreter.resolve()).encode()
    key = hashlib.sha256(content).hexdigest()[:12]
    directory = cache_directory() / "venv" / f"{spec.name}-py{version}-{key}"
    directory.parent.mkdir(parents=True, exist_ok=True)
    finished = directory / ".finished"
    with open(directory.parent / f".{directory.name}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not finished.exists():
            shutil.rmtree(directory, ignore_errors=True)
            _make(directory, interpreter, spec.requirements)
            finished.touch()
    return VirtualEnvironment(directory)


def _make(directory: Path, interpreter: Path, requirements: Path) -> None:
    install = ["install", "--quiet", "--disable-pip-version-check", "-r", requirements]
    if _has_ensurepip(interpreter):
        execute([interpreter, "-m", "venv", directory], cwd=CHECKOUT)
        execute([directory / "bin/python", "-m", "pip", *install], cwd=CHECKOUT)
        return
    pip = shutil.which("pip3", path=environment()["PATH"])
    if not pip:
        raise Failed(
            f"{interpreter} cannot make virtual environments: it lacks the module ensurepip, and there is no pip3.\n"
            "On Debian and Ubuntu install the package python3-venv (as root this happens by itself)."
        )
    execute([interpreter, "-m", "venv", "--without-pip", directory], cwd=CHECKOUT)
    execute([pip, "--python", directory / "bin/python", *install], cwd=CHECKOUT)


def _has_ensurepip(interpreter: Path) -> bool:
    if _imports(interpreter, "ensurepip"):
        return True
    # Debian cuts ensurepip out of its own interpreter and has it in a package.
    if not can_install_packages() or interpreter.parent != Path("/usr/bin"):
        return False
    install_packages([f"{interpreter.name}-venv"])
    return _imports(interpreter, "ensurepip")


def _imports(interpreter: Path, module: str) -> bool:
    try:
        execute([interpreter, "-c", f"import {module}"], cwd=CHECKOUT)
    except Failed:
        return False
    return True
