#!/usr/bin/env python
# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Everything that is run around the code: ``tests/run.py test`` and its parts. Needs Python 3.10 and nothing else."""

from __future__ import annotations

import argparse
import functools
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from driver import environments, machine, package
from driver.dependencies import collections_path, provide_collections
from driver.layers import module_steps, role_steps, server_steps, unit_steps
from driver.lint import lint_steps
from driver.sanity import sanity_steps
from driver.source import make_copy
from driver.steps import Failed, Outcome, Step, Unavailable, print_summary, run_steps, say


def set_up() -> list[Outcome]:
    """Install programs and make virtual environments; whatever needs one of them later finds it in the cache."""
    packages = Step("setup", "Debian packages", machine.provide_debian_programs)
    return run_steps([packages]) + run_steps(_cached_steps(), side_by_side=machine.PROCESSORS)


def _cached_steps() -> list[Step]:
    specs = [environments.TOOLS, *environments.TARGETS.values(), *environments.CORES.values()]
    providers = [
        Step("setup", f"{spec.name}, Python {spec.python}", functools.partial(_provide, spec)) for spec in specs
    ]
    collections = Step("setup", "collections that ours depends on", _provide_collections)
    return [Step("setup", "programs built from source", _build_programs), *providers, collections]


def _provide(spec: environments.EnvironmentSpec) -> None:
    environments.provide(spec)


def _provide_collections() -> None:
    provide_collections()


def _build_programs() -> None:
    target = environments.provide(environments.TARGETS["newest"])
    try:
        # Linking an API server takes minutes, and a slow line adds its own.
        build = [target.python, machine.CHECKOUT / "tests/kit/programs.py"]
        machine.execute(build, cwd=machine.CHECKOUT, timeout=3600)
    except Failed as failure:
        if "MissingProgram: " not in str(failure):
            raise
        raise Unavailable(str(failure).rpartition("MissingProgram: ")[2].splitlines()[0]) from failure


def _demo_step() -> Step:
    return Step("demo", "make demo", _demo_output)


def _demo_output() -> None:
    command = [sys.executable, machine.CHECKOUT / "tests/run.py", "demo"]
    machine.execute(command, cwd=machine.CHECKOUT, timeout=600)


def all_tests(root: Path) -> Iterator[list[Outcome]]:
    """The whole of ``make test``: lint first, which answers quickly, then the longest first, so that no processor waits
    for another."""
    both = machine.PROCESSORS
    yield set_up()
    yield run_steps(lint_steps(root), side_by_side=both)
    units = [*unit_steps(root), *server_steps(root), *module_steps(root)]
    yield run_steps([*role_steps(root), _demo_step(), *units, *sanity_steps()], side_by_side=both)
    yield run_steps(package.package_steps(root))


def _tests(steps_of: Callable[[Path], list[Step]], *, side_by_side: int = 1) -> int:
    root = make_copy("test")
    return 0 if print_summary(run_steps(steps_of(root), side_by_side=side_by_side)) else 1


def _test() -> int:
    outcomes = [outcome for group in all_tests(make_copy("test")) for outcome in group]
    return 0 if print_summary(outcomes) else 1


def _setup() -> int:
    return 0 if print_summary(set_up()) else 1


def _integration_steps(root: Path) -> list[Step]:
    return [*server_steps(root), *role_steps(root), *module_steps(root)]


def _build() -> int:
    destination = machine.CHECKOUT / "dist"
    destination.mkdir(exist_ok=True)
    say(f"built {package.build(destination).relative_to(machine.CHECKOUT)}")
    return 0


def _play(script: str) -> int:
    """Run a script of ours that needs ansible-core, with its output on the screen."""
    core = environments.provide(environments.any_core())
    path = machine.CHECKOUT / "tests" / script
    if not path.exists():
        raise Failed(f"{path.relative_to(machine.CHECKOUT)} is not there")
    root = make_copy(path.parent.name)
    variables = {"PYTHONPATH": str(root), "ANSIBLE_COLLECTIONS_PATH": collections_path(root), "PYTHONUNBUFFERED": "1"}
    environment = machine.environment(core.bin, **variables)
    with subprocess.Popen([core.python, path], cwd=machine.CHECKOUT, env=environment) as child:
        # Ctrl-C reaches the child by itself; it cleans up, and we wait for that.
        signal.signal(signal.SIGINT, lambda *_unused: None)
        signal.signal(signal.SIGTERM, lambda *_unused: child.terminate())
        return child.wait()


TARGETS: dict[str, Callable[[], int]] = {
    "setup": _setup,
    "test": _test,
    "lint": lambda: _tests(lint_steps, side_by_side=machine.PROCESSORS),
    "unit": lambda: _tests(unit_steps, side_by_side=machine.PROCESSORS),
    "integration": lambda: _tests(_integration_steps, side_by_side=machine.PROCESSORS),
    "sanity": lambda: _tests(lambda root: sanity_steps(), side_by_side=machine.PROCESSORS),
    "package": lambda: _tests(package.package_steps),
    "build": _build,
    "demo": lambda: _play("demo/run.py"),
    "bench": lambda: _play("bench/run.py"),
    "kills": lambda: _play("soak/kills.py"),
}


def main() -> int:
    # Ctrl-C and a cancelled job end in the same clean-up.
    signal.signal(signal.SIGTERM, lambda *_unused: sys.exit(143))
    parser = argparse.ArgumentParser(description=__doc__, epilog="The Makefile says what each of them does.")
    parser.add_argument("target", choices=TARGETS)
    target = parser.parse_args().target
    try:
        return TARGETS[target]()
    except Failed as failure:
        say(str(failure))
    except KeyboardInterrupt:
        say("stopped")
    return 1


if __name__ == "__main__":
    sys.exit(main())
