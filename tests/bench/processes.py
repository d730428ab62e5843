# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is run side by side: modules as processes of their own, and curl and skopeo as their references."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible_collections.dkp.airgap.tests.kit.programs import find
from ansible_collections.dkp.airgap.tests.kit.tree import Tree

_CHILD = Path(__file__).with_name("child.py")
_ROOT = Path(sys.modules[Tree.__module__].__file__ or "").parents[5]
_LONGEST = 900


class BenchFailed(Exception):
    """Something that is measured did not do its work; the text says what it said."""


@dataclass(frozen=True)
class ModuleRun:
    """What a module cost from its start to its result, and what it returned. Sizes are bytes."""

    seconds: float
    peak: int
    written: int
    result: Mapping[str, Any]

    @property
    def transferred(self) -> Mapping[str, int]:
        values: Mapping[str, int] = self.result["transferred"]
        return values


def run_module(name: str, options: Mapping[str, Any], *, home: Path) -> ModuleRun:
    """Run the module `name`; what the host remembers lies below `home`. Raises BenchFailed."""
    arguments = {**options, "_ansible_remote_tmp": str(home), "_ansible_diff": False}
    home.mkdir(exist_ok=True)
    environment = {"PATH": os.environ["PATH"], "HOME": str(home), "PYTHONPATH": str(_ROOT), "LC_ALL": "C.UTF-8"}
    with tempfile.NamedTemporaryFile(dir=home) as report:
        command = [sys.executable, str(_CHILD), name, report.name]
        seconds, output = _timed(command, json.dumps({"ANSIBLE_MODULE_ARGS": arguments}), environment)
        costs = json.loads(report.read() or "{}")
    result = json.loads(output.splitlines()[-1]) if output.strip() else {"failed": True}
    if result.get("failed"):
        raise BenchFailed(f"{name}: {result.get('msg', output)}")
    return ModuleRun(seconds, costs["peak"], costs["written"] - len(output.encode()), result)


def time_curl(tree: Tree, host: str, directory: Path, *, parallel: int) -> float:
    """Seconds that curl takes for every blob of `tree`, each once, into files in `directory`, which is removed."""
    directory.mkdir()
    configuration = directory.with_suffix(".curl")
    with configuration.open("w") as file:
        for repository, digest in blobs_of(tree):
            url = f"http://{host}/v2/{repository}/blobs/{digest}"
            file.write(f'url = "{url}"\noutput = "{directory}/{digest.removeprefix("sha256:")}"\n')
    curl = str(find("curl", package="curl"))
    options = ["--silent", "--show-error", "--fail", "--parallel", "--parallel-max", str(parallel)]
    seconds, _output = _timed([curl, *options, "--config", str(configuration)])
    shutil.rmtree(directory)
    return seconds


def blobs_of(tree: Tree) -> Iterable[tuple[str, str]]:
    """Repository and digest of every blob, each digest once."""
    seen: set[str] = set()
    for repository in tree.repositories.values():
        for image in repository.manifests.values():
            for blob in image.blobs:
                if blob.digest not in seen:
                    seen.add(blob.digest)
                    yield repository.path, blob.digest


@dataclass(frozen=True)
class Copy:
    """One image for skopeo: from where, to where."""

    source: str
    destination: str


def time_skopeo(copies: Sequence[Copy]) -> float:
    """Seconds of a loop of ``skopeo copy``, one image after another."""
    skopeo = str(find("skopeo", package="skopeo"))
    options = ["copy", "--quiet", "--preserve-digests", "--src-tls-verify=false", "--dest-tls-verify=false"]
    return sum(_timed([skopeo, *options, copy.source, copy.destination])[0] for copy in copies)


def _timed(command: Sequence[str], stdin: str = "", environment: Mapping[str, str] | None = None) -> tuple[float, str]:
    started = time.monotonic()
    done = subprocess.run(
        command, input=stdin, capture_output=True, text=True, env=environment, timeout=_LONGEST, check=False
    )
    seconds = time.monotonic() - started
    if done.returncode and not done.stdout:
        raise BenchFailed(f"{' '.join(command[:2])} ended with {done.returncode}: {done.stderr[-2000:]}")
    return seconds, done.stdout
