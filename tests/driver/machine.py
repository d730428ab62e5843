# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What this machine has: interpreters, programs, a cache directory; and how commands are run on it."""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from .steps import Failed, Unavailable

CHECKOUT = Path(__file__).resolve().parent.parent.parent
PYTHONS = tuple(f"3.{minor}" for minor in range(9, 16))
PROCESSORS = os.cpu_count() or 1

# program: the Debian package that brings it
_DEBIAN_PACKAGES = {
    "docker-registry": "docker-registry",
    "etcd": "etcd-server",
    "htpasswd": "apache2-utils",
    "ip": "iproute2",
    "nginx": "nginx",
    "openssl": "openssl",
    "rsync": "rsync",
    "skopeo": "skopeo",
    "ssh": "openssh-client",
    "sshd": "openssh-server",
    "umoci": "umoci",
}
# Variables that would lead our programs to somebody else's configuration or libraries.
_FOREIGN = ("ANSIBLE_", "PYTHON", "VIRTUAL_ENV", "MYPY", "RUFF_", "PYENV_VERSION", "DKP_SOURCE_", "DKP_REGISTRY_")


def cache_directory() -> Path:
    """Where virtual environments and built programs are kept, outside the checkout."""
    wanted = os.environ.get("DKP_AIRGAP_TEST_CACHE")
    if wanted:
        return Path(wanted).expanduser().absolute()
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache").absolute() / "dkp-airgap-tests"


def environment(*first_on_path: Path | str, **extra: str) -> dict[str, str]:
    """The environment of a child: ours without foreign settings, `first_on_path` before PATH, `extra` on top."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(_FOREIGN)}
    # A program in sbin is not on the PATH of an ordinary user, though every user may start it.
    path = [*map(str, first_on_path), *_path_without_shims(), "/usr/sbin", "/sbin"]
    return {
        **kept,
        "PATH": os.pathsep.join(path),
        "LC_ALL": "C.UTF-8",
        "NO_COLOR": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        "DKP_AIRGAP_TEST_CACHE": str(cache_directory()),
        **extra,
    }


def _path_without_shims() -> list[str]:
    # Without a version set, a shim of pyenv answers with exit code 127 instead of being absent.
    entries = os.environ.get("PATH", os.defpath).split(os.pathsep)
    return [entry for entry in entries if entry and Path(entry).name != "shims"]


@functools.cache
def interpreters() -> Mapping[str, Path]:
    """The Python interpreters of this machine by version (``3.13``), from PATH, pyenv and uv."""
    found: dict[str, Path] = {}
    for folder in _interpreter_folders():
        for version in PYTHONS:
            program = folder / f"python{version}"
            if version not in found and _is_python(program, version):
                found[version] = program
    ours = f"{sys.version_info.major}.{sys.version_info.minor}"
    found.setdefault(ours, Path(sys.executable))
    return dict(sorted(found.items(), key=lambda item: PYTHONS.index(item[0])))


def _interpreter_folders() -> list[Path]:
    shims = [Path(entry) for entry in os.environ.get("PATH", "").split(os.pathsep) if Path(entry).name == "shims"]
    pyenv = [Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv"), *(shim.parent for shim in shims)]
    managed = [*(root / "versions" for root in pyenv), Path.home() / ".local/share/uv/python"]
    # what another user has is not ours to look at; a shell started by su may still name it
    readable = [root for root in managed if os.access(root, os.R_OK | os.X_OK) and root.is_dir()]
    versions = [folder for root in readable for folder in sorted(root.iterdir(), reverse=True)]
    return [*map(Path, _path_without_shims()), *(version / "bin" for version in versions)]


def _is_python(program: Path, version: str) -> bool:
    if not os.access(program, os.X_OK):
        return False
    script = "import ssl, sys; print('%d.%d' % sys.version_info[:2])"
    answer = subprocess.run([program, "-c", script], capture_output=True, text=True, check=False)
    return answer.stdout.strip() == version


def choose_interpreter(wanted: Sequence[str], *, purpose: str) -> tuple[str, Path]:
    """The first of the `wanted` versions that is here; Unavailable, naming `purpose`, when none is."""
    here = interpreters()
    for version in wanted:
        if version in here:
            return version, here[version]
    raise Unavailable(f"needs Python {' or '.join(wanted)} for {purpose}; found {', '.join(here)}")


def execute(
    command: Sequence[object], *, cwd: Path, env: Mapping[str, str] | None = None, timeout: float = 1200
) -> str:
    """Run `command` and return what it printed; Failed with command and output when it does not end well."""
    line = " ".join(map(str, command))
    try:
        done = subprocess.run(
            list(map(str, command)),
            cwd=cwd,
            env=dict(env) if env is not None else environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=timeout,
            check=False,
        )
    except subprocess.TimeoutExpired as late:
        output = late.stdout.decode(errors="replace") if isinstance(late.stdout, bytes) else late.stdout or ""
        raise Failed(f"{line}\nno end after {timeout:.0f} seconds; output so far:\n{output}") from late
    except OSError as error:
        raise Failed(f"{line}\ncannot be started: {error}") from error
    if done.returncode != 0:
        raise Failed(f"{line}\n{done.stdout}\nexit code {done.returncode}")
    return done.stdout


def provide_debian_programs() -> None:
    """As root on Debian and its kin: install the programs that the tests use and that are not here yet."""
    searched = environment()["PATH"]
    missing = sorted({package for name, package in _DEBIAN_PACKAGES.items() if not shutil.which(name, path=searched)})
    if missing and not can_install_packages():
        raise Unavailable(f"needs root on Debian or Ubuntu to install {', '.join(missing)}")
    if missing:
        install_packages(missing)


def can_install_packages() -> bool:
    return os.geteuid() == 0 and shutil.which("apt-get") is not None


def install_packages(packages: Sequence[str]) -> None:
    """Install Debian packages; waits while another step does the same."""
    quiet = environment(DEBIAN_FRONTEND="noninteractive")
    install = ["apt-get", "install", "-q", "-y", "--no-install-recommends", "-o", "DPkg::Lock::Timeout=300", *packages]
    execute(["apt-get", "update", "-q", "-o", "DPkg::Lock::Timeout=300"], cwd=CHECKOUT, env=quiet)
    execute(install, cwd=CHECKOUT, env=quiet)
