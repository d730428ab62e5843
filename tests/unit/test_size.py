# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Nothing grows past what one can read: limits for files, functions and classes of the plugins.

Lines of code: without blank lines, comments, docstrings and the documentation blocks of modules.
"""

from __future__ import annotations

import ast
import io
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FILES = sorted((ROOT / "plugins").rglob("*.py"))

LONGEST_MODULE = 150
LONGEST_FILE = 320
LONGEST_FUNCTION = 55
MOST_PUBLIC_METHODS = 12

_SILENT_TOKENS = {
    tokenize.COMMENT,
    tokenize.NL,
    tokenize.NEWLINE,
    tokenize.INDENT,
    tokenize.DEDENT,
    tokenize.ENCODING,
    tokenize.ENDMARKER,
}


def label(path: Path) -> str:
    return str(path.relative_to(ROOT))


def code_lines(source: str) -> set[int]:
    """Numbers of the lines that hold code."""
    lines: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type not in _SILENT_TOKENS:
            lines.update(range(token.start[0], token.end[0] + 1))
    for node in ast.walk(ast.parse(source)):
        if is_documentation(node):
            lines.difference_update(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    return lines


def is_documentation(node: ast.AST) -> bool:
    if isinstance(node, ast.Assign):
        names = {target.id for target in node.targets if isinstance(target, ast.Name)}
        return isinstance(node.value, ast.Constant) and bool(names & {"DOCUMENTATION", "EXAMPLES", "RETURN"})
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


def functions(source: str) -> Iterator[tuple[str, int]]:
    """Name and length of every function, methods included."""
    lines = code_lines(source)
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield node.name, len(lines.intersection(range(node.lineno, (node.end_lineno or node.lineno) + 1)))


def classes(source: str) -> Iterator[tuple[str, int]]:
    """Name and number of public methods of every class."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ClassDef):
            methods = [item for item in node.body if isinstance(item, (ast.FunctionDef, ast.AsyncFunctionDef))]
            yield node.name, sum(1 for method in methods if not method.name.startswith("_"))


@pytest.mark.parametrize("path", FILES, ids=label)
def test_files_functions_and_classes_stay_small(path: Path) -> None:
    source = path.read_text()
    limit = LONGEST_MODULE if path.parent.name == "modules" else LONGEST_FILE
    length = len(code_lines(source))
    assert length <= limit, f"{label(path)} has {length} lines of code, {limit} are allowed"
    long = {name: size for name, size in functions(source) if size > LONGEST_FUNCTION}
    assert not long, f"{label(path)}: functions of more than {LONGEST_FUNCTION} lines: {long}"
    wide = {name: count for name, count in classes(source) if count > MOST_PUBLIC_METHODS}
    assert not wide, f"{label(path)}: classes with more than {MOST_PUBLIC_METHODS} public methods: {wide}"


def test_the_count_leaves_out_what_is_not_code() -> None:
    documentation = '"""Text."""\n\n# why\nDOCUMENTATION = r"""\na: 1\n"""\n\n\n'
    source = documentation + 'def f() -> int:\n    """One.\n\n    Two."""\n    return 1\n'
    assert len(code_lines(source)) == 2
    assert dict(functions(source)) == {"f": 2}
