# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One module as a process of its own, for tests that send it signals or measure it. Needs a Python with ansible-core.

>>> process = start("oci_bundle_pull", {"dest": str(dest), ...}, home=tmp_path)
>>> process.send_signal(signal.SIGTERM)
>>> result = finish(process)
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_ROOT = Path(__file__).parents[5]
_PROGRAM = """
import runpy, sys
from ansible.module_utils import basic
basic._ANSIBLE_ARGS = sys.stdin.buffer.read()
basic._ANSIBLE_PROFILE = "legacy"
runpy.run_module("ansible_collections.dkp.airgap.plugins.modules." + sys.argv[1], run_name="__main__", alter_sys=True)
"""


def start(
    module: str, options: Mapping[str, Any], *, home: Path, check: bool = False, python: str = sys.executable
) -> subprocess.Popen[str]:
    """Start `module` with `options`; what the host remembers is kept below `home`."""
    arguments = {**options, "_ansible_check_mode": check, "_ansible_remote_tmp": str(home), "_ansible_diff": True}
    environment = {"PATH": os.environ["PATH"], "HOME": str(home), "PYTHONPATH": str(_ROOT), "LC_ALL": "C.UTF-8"}
    process = subprocess.Popen(
        [python, "-c", _PROGRAM, module],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=environment,
        text=True,
        preexec_fn=_heed_signals,
    )
    if process.stdin is None:
        raise RuntimeError("the process has no standard input")
    process.stdin.write(json.dumps({"ANSIBLE_MODULE_ARGS": arguments}))
    process.stdin.close()
    process.stdin = None
    return process


def _heed_signals() -> None:
    """Tests may run where signals are ignored (nohup, a background job of CI), which a child would inherit."""
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(number, signal.SIG_DFL)


def finish(process: subprocess.Popen[str], *, timeout: float = 60) -> dict[str, Any]:
    """What the module returned, once it has ended."""
    output = process.communicate(timeout=timeout)[0]
    line = next((line for line in reversed(output.splitlines()) if line.startswith("{")), None)
    if line is None:
        raise AssertionError(f"the module ended with {process.returncode} and returned nothing:\n{output}")
    result: dict[str, Any] = json.loads(line)
    return result


def call(module: str, options: Mapping[str, Any], *, home: Path, check: bool = False) -> dict[str, Any]:
    """Run `module` to its end."""
    return finish(start(module, options, home=home, check=check))
