# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The layers that pytest runs: pure code without Ansible, and modules through every supported ansible-core."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

from .dependencies import collections_path
from .environments import CORES, TARGETS, EnvironmentSpec, VirtualEnvironment, provide
from .machine import environment, execute
from .source import COLLECTION
from .steps import Failed, Step, Tally

# Code below these imports Ansible; everything else under tests/unit must do without.
_NEEDS_ANSIBLE = ("tests/unit/plugins/action", "tests/unit/plugins/filter", "tests/unit/plugins/modules")
# What says the same on every Python: tests of files, and of what only tests use, which the others use on every Python.
_ON_NEWEST = ("tests/unit/kit", *(f"tests/unit/test_{name}.py" for name in ("driver", "layers", "size", "sources")))
_ROLES = "tests/modules/roles"
_JOURNEYS = "tests/modules/journeys"
_MODULES = ("tests/modules", *_NEEDS_ANSIBLE)
# With any ansible-core that lies between the oldest and the newest: every module and action plugin by its examples, and
# how options, results and facts pass between Ansible and them.
_BETWEEN = ("tests/modules/test_examples.py", "tests/modules/test_options.py", "tests/modules/test_cluster_facts.py")
_WHOLE_WAY = "test_cluster_to_bundle.py"


def unit_steps(root: Path) -> list[Step]:
    """Pure layers, on the oldest and the newest Python, where no Ansible may be importable."""
    return [
        Step("unit", f"Python {spec.python}", functools.partial(_run_unit, root, spec)) for spec in TARGETS.values()
    ]


def _run_unit(root: Path, spec: EnvironmentSpec) -> Tally:
    target = provide(spec)
    script = "import importlib.util, sys; sys.exit(importlib.util.find_spec('ansible') is not None)"
    execute([target.python, "-c", script], cwd=root, env=environment(target.bin))
    left_out = _NEEDS_ANSIBLE if spec == TARGETS["newest"] else (*_NEEDS_ANSIBLE, *_ON_NEWEST)
    ignored = [f"--ignore={path}" for path in left_out]
    return run_pytest(target, root, ["tests/unit", *ignored], name=f"unit-{spec.python}")


def module_steps(root: Path) -> list[Step]:
    """Modules as a playbook runs them: every ansible-core, with the modules on the oldest and the newest Python by
    turns; all tests with the outermost two. The code below them runs on both Pythons without Ansible."""
    outermost = (next(iter(CORES)), list(CORES)[-1])
    return [
        Step(
            "modules",
            f"ansible-core {core}, modules on Python {target.python}",
            functools.partial(_run_modules, root, core, target, _MODULES if core in outermost else _BETWEEN),
        )
        for core, target in zip(CORES, itertools.cycle(TARGETS.values()))
    ]


def _run_modules(root: Path, core: str, target: EnvironmentSpec, wanted: Sequence[str]) -> Tally:
    collection = root / COLLECTION
    paths = [path for path in wanted if (collection / path).is_file() or any((collection / path).rglob("test_*.py"))]
    return _run_through_ansible(
        root, core, target, [*paths, f"--ignore={_ROLES}", f"--ignore={_JOURNEYS}"], layer="modules"
    )


def role_steps(root: Path) -> list[Step]:
    """Roles and playbooks, whose runs are long, and whole journeys between hosts: all of them with the newest
    ansible-core and Python, and with the oldest the way from the API server to the bundle."""
    oldest, newest = (next(iter(CORES)), TARGETS["oldest"]), (list(CORES)[-1], TARGETS["newest"])
    return [
        Step(
            layer,
            f"ansible-core {core}, modules on Python {target.python}",
            functools.partial(_run_through_ansible, root, core, target, [path], layer=layer),
        )
        for layer, (core, target), path in (
            ("roles", newest, _ROLES),
            ("journeys", newest, _JOURNEYS),
            ("roles", oldest, f"{_ROLES}/{_WHOLE_WAY}"),
        )
    ]


def _run_through_ansible(
    root: Path, core: str, target: EnvironmentSpec, arguments: Sequence[str], *, layer: str
) -> Tally:
    controller, remote = provide(CORES[core]), provide(target)
    return run_pytest(
        controller,
        root,
        arguments,
        name=f"{layer}-{core}-{target.python}",
        DKP_TEST_TARGET_PYTHON=str(remote.python),
        ANSIBLE_COLLECTIONS_PATH=collections_path(root),
    )


def server_steps(root: Path) -> list[Step]:
    """Tests against real servers that need no Ansible, where there are any."""
    if not any((root / COLLECTION / "tests/integration").rglob("test_*.py")):
        return []
    return [Step("servers", f"Python {TARGETS['newest'].python}", functools.partial(_run_servers, root))]


def _run_servers(root: Path) -> Tally:
    return run_pytest(provide(TARGETS["newest"]), root, ["tests/integration"], name="servers")


def run_pytest(
    interpreter: VirtualEnvironment, root: Path, arguments: Sequence[str], *, name: str, **variables: str
) -> Tally:
    """Run pytest in the copy and count from its report; a run that counts nothing is a failure."""
    report = root / f"{name}.xml"
    command = [interpreter.python, "-m", "pytest", "-q", "-ra", f"--junitxml={report}", *arguments]
    problem = ""
    try:
        # The plugins are found as ansible_collections.dkp.airgap through this root, by Python itself.
        execute(command, cwd=root / COLLECTION, env=environment(interpreter.bin, PYTHONPATH=str(root), **variables))
    except Failed as failure:
        if not report.exists():
            raise
        problem = str(failure)
    tally = replace(count_report(report), failures=problem)
    if problem and not tally.failed:
        raise Failed(problem)
    return tally


def count_report(report: Path) -> Tally:
    """The counts of a JUnit report."""
    cases = list(ElementTree.parse(report).iter("testcase"))
    skipped = [skip.get("message") or "no reason given" for case in cases for skip in case.iter("skipped")]
    failed = sum(1 for case in cases if case.find("failure") is not None or case.find("error") is not None)
    return Tally(len(cases) - failed - len(skipped), failed, tuple(skipped))
