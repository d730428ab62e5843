# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""ansible-test sanity for every supported ansible-core, with no ignore file, and without its own download host.

Each sanity test runs in a virtual environment that ansible-test makes without pip; it fetches a script that
installs pip, unless its cache holds one. Ours does, and runs pip out of a wheel from the package index.
"""

from __future__ import annotations

import functools
import shutil
from pathlib import Path

from .environments import CORES, TARGETS, TOOLS, VirtualEnvironment, provide
from .machine import CHECKOUT, cache_directory, environment, execute, interpreters
from .source import COLLECTION, make_copy
from .steps import Failed, Step

# The version of pip that each ansible-core asks for.
_PIP = {"2.16": "23.1.2", "2.18": "24.2", "2.20": "25.2", "2.21": "25.2"}
_LESS = ("--exclude", "tests/")
_STANDIN = CHECKOUT / "tests/utils/get_pip_standin.py"


def sanity_steps() -> list[Step]:
    """Everything with the newest, on every Python there is. What is no part of the package, which are the tests, and
    Pythons between the oldest and the newest say nothing more with the others."""
    newest = list(CORES)[-1]
    return [
        Step("sanity", f"ansible-core {core}", functools.partial(_run_sanity, core, *([] if core == newest else _LESS)))
        for core in CORES
    ]


def _run_sanity(core: str, *options: str) -> None:
    controller = provide(CORES[core])
    tools = provide(TOOLS)
    root = make_copy(f"sanity-{core}")
    ignored = sorted((root / COLLECTION / "tests/sanity").glob("ignore*"))
    if ignored:
        raise Failed(f"{ignored[0].name}: this collection passes without ignore files")
    home = cache_directory() / "sanity" / controller.directory.name
    _prepare_pip(home, controller, _PIP[core])
    wanted = [*TARGETS.values(), CORES[core]]
    pythons = {each.python for each in wanted} if options else interpreters().keys()
    folders = dict.fromkeys(program.parent for version, program in interpreters().items() if version in pythons)
    # The tools come last: they bring shellcheck, and a Python that must not hide the interpreters themselves.
    variables = environment(controller.bin, *folders, tools.bin, HOME=str(home))
    command = [controller / "ansible-test", "sanity", "--local", "--color", "no", *options]
    try:
        execute(command, cwd=root / COLLECTION, env=variables)
    except Failed as failure:
        raise Failed(_errors_only(str(failure))) from failure


def _errors_only(output: str) -> str:
    # Most of the output is about the environments that ansible-test makes.
    errors = [line for line in output.splitlines() if line.startswith(("ERROR:", "FATAL:"))]
    return "\n".join(errors) if errors else output


def _prepare_pip(home: Path, controller: VirtualEnvironment, version: str) -> None:
    cache = home / ".ansible/test/cache"
    script = cache / f"get_pip_{version.replace('.', '_')}.py"
    if not (cache / f"pip-{version}-py3-none-any.whl").exists():
        download = [controller.python, "-m", "pip", "download", "-q", "--no-deps", "-d", cache, f"pip=={version}"]
        cache.mkdir(parents=True, exist_ok=True)
        execute(download, cwd=CHECKOUT)
    shutil.copyfile(_STANDIN, script)
