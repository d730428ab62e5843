# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What every source file and every module of the action group has to hold to."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
MODULES = sorted((ROOT / "plugins/modules").glob("*.py"))
REGISTRY_FRAGMENT = "dkp.airgap.registry"
GROUP_FRAGMENT = "dkp.airgap._attributes.actiongroup_registry"

_SKIPPED = {".git", ".ruff_cache", ".mypy_cache", ".pytest_cache", ".hypothesis", "__pycache__", "output", "dist"}
# Homes and mounts of one machine, and hosts of package indexes: the clients know those themselves.
_PRIVATE = re.compile(r"(?<![\w.])/(?:root|work|Users)/\w|(?<![\w.])/home/\w|pypi\.org|pythonhosted|proxy\.golang")


def source_files() -> Iterator[Path]:
    for path in sorted(ROOT.rglob("*")):
        if path.is_file() and not _SKIPPED.intersection(path.relative_to(ROOT).parts):
            yield path


def documentation(path: Path) -> dict[str, Any]:
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "DOCUMENTATION":
            return yaml.safe_load(ast.literal_eval(node.value))
    raise AssertionError(f"{path.name} has no DOCUMENTATION")


def group_members() -> set[str]:
    return set(yaml.safe_load((ROOT / "meta/runtime.yml").read_text())["action_groups"]["registry"])


def test_no_file_names_a_place_on_somebodys_machine() -> None:
    found = []
    for path in source_files():
        if path == Path(__file__).resolve():
            continue
        text = path.read_bytes().decode(errors="replace")
        found += [f"{path.relative_to(ROOT)}: {match.group()}" for match in _PRIVATE.finditer(text)]
    assert not found


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_modules_with_registry_options_are_in_the_action_group(path: Path) -> None:
    fragments = documentation(path).get("extends_documentation_fragment", [])
    has_options = REGISTRY_FRAGMENT in fragments
    assert (path.stem in group_members()) == has_options, "meta/runtime.yml and the documentation disagree"
    assert (GROUP_FRAGMENT in fragments) == has_options, f"{GROUP_FRAGMENT} is for modules of the group"


def test_the_action_group_names_modules_that_are_there() -> None:
    assert group_members() <= {path.stem for path in MODULES}
