# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Static checks of the sources: style, types, licences, documentation, changelog, shell."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from .dependencies import collections_path
from .environments import TOOLS, VirtualEnvironment, provide
from .machine import environment, execute
from .source import COLLECTION
from .steps import Step

_LAYER = "lint"
_TYPED = ("plugins", "tests/kit", "tests/driver", "tests/demo", "tests/modules")


def lint_steps(root: Path) -> list[Step]:
    """One step per tool, on the clean copy below `root`."""
    collection = root / COLLECTION
    shell = sorted(path for pattern in (".ci/*", "**/*.sh") for path in collection.glob(pattern) if path.is_file())
    typed = [COLLECTION / path for path in _TYPED if any((collection / path).rglob("*.py"))]
    commands: dict[str, Sequence[object]] = {
        "ruff check": ("ruff", "check", "--no-cache", "."),
        "ruff format": ("ruff", "format", "--no-cache", "--check", "."),
        "yamllint": ("yamllint", "--strict", "."),
        "reuse": ("reuse", "lint"),
        "antsibull-changelog": ("antsibull-changelog", "lint"),
        "antsibull-docs": (
            *("antsibull-docs", "lint-collection-docs", "--plugin-docs", "--skip-rstcheck"),
            *("--validate-collection-refs", "self", "."),
        ),
        "shellcheck": ("shellcheck", *shell),
        "ansible-lint, production profile": ("ansible-lint", "--offline", "--strict", "--profile", "production"),
    }
    steps = [Step(_LAYER, name, _runner(command, root, collection)) for name, command in commands.items()]
    # mypy names modules by their path from here, which is how they import each other.
    mypy = ("mypy", "--config-file", collection / "mypy.ini", "--cache-dir", root / "mypy-cache", *typed)
    return [*steps, Step(_LAYER, "mypy", _runner(mypy, root, root))]


def _runner(command: Sequence[object], root: Path, cwd: Path) -> Callable[[], None]:
    def run() -> None:
        tools: VirtualEnvironment = provide(TOOLS)
        variables = environment(tools.bin, ANSIBLE_COLLECTIONS_PATH=collections_path(root), MYPYPATH=str(root))
        execute([tools / str(command[0]), *command[1:]], cwd=cwd, env=variables)

    return run
