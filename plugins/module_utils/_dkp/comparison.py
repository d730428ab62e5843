# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Single comparisons of a version range, with partial versions and wildcards (d8-mirror.md §4.2)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from .version import Version, parse_version

OPERATOR = r"!=|>=|=>|<=|=<|~>|[=<>~^]|"
"""Regular expression of the operators; none at all means ``=``."""
_CANONICAL = {"": "=", "=>": ">=", "=<": "<=", "~>": "~"}
_PARTS = re.compile(r"v?([^-+]*)(?:-([^+]*))?(?:\+.*)?")
_WILDCARDS = frozenset("xX*")


@dataclass(frozen=True)
class Comparison:
    """`operator` against a version of which `given` are the parts before the first wildcard or missing one (0 to 3).

    `floor` is that version with zeros for the rest.
    """

    operator: str
    given: tuple[int, ...]
    floor: Version

    def admits(self, version: Version) -> bool:
        """Whether `version` stands in this relation; pre-releases are judged by precedence alone."""
        return _RELATIONS[self.operator](self, version)

    @property
    def complete(self) -> bool:
        """Whether all three parts were given."""
        return len(self.given) == 3

    def covers(self, version: Version) -> bool:
        """Whether the parts of `version` begin with those given (1.3 covers 1.3.7)."""
        return version.release[: len(self.given)] == self.given


def parse_comparison(operator: str, text: str) -> Comparison | None:
    """Read a version with ``x``, ``X``, ``*`` or nothing in place of parts; None when it is no version.

    What follows a wildcard counts as wildcard too: ``1.x.3`` is ``1.x``.
    """
    match = _PARTS.fullmatch(text)
    if match is None:
        return None
    given: list[str] = []
    for part in match[1].split("."):
        if part in _WILDCARDS:
            break
        given.append(part)
    suffix = f"-{match[2]}" if match[2] else ""
    floor = parse_version(".".join([*given, "0", "0", "0"][:3]) + suffix)
    if floor is None:
        return None
    return Comparison(_CANONICAL.get(operator, operator), tuple(int(part) for part in given), floor)


def group_admits(group: Iterable[Comparison], version: Version) -> bool:
    """Whether all comparisons hold; a pre-release needs one in the group that names a pre-release itself."""
    comparisons = tuple(group)
    if version.prerelease and not any(comparison.floor.prerelease for comparison in comparisons):
        return False
    return all(comparison.admits(version) for comparison in comparisons)


def _equal(comparison: Comparison, version: Version) -> bool:
    return version == comparison.floor if comparison.complete else _tilde(comparison, version)


def _different(comparison: Comparison, version: Version) -> bool:
    return version != comparison.floor if comparison.complete else not comparison.covers(version)


def _above(comparison: Comparison, version: Version) -> bool:
    if comparison.complete:
        return version > comparison.floor
    return version.release[: len(comparison.given)] > comparison.given


def _at_least(comparison: Comparison, version: Version) -> bool:
    return version >= comparison.floor


def _below(comparison: Comparison, version: Version) -> bool:
    return version < comparison.floor


def _at_most(comparison: Comparison, version: Version) -> bool:
    if comparison.complete:
        return version <= comparison.floor
    return version.release[: len(comparison.given)] <= comparison.given


def _tilde(comparison: Comparison, version: Version) -> bool:
    kept = min(len(comparison.given), 2)
    return version >= comparison.floor and version.release[:kept] == comparison.given[:kept]


def _caret(comparison: Comparison, version: Version) -> bool:
    """Nothing left of the first part that is not zero may change; all parts given as zero stay."""
    given = comparison.given
    leading = next((index for index, part in enumerate(given) if part), len(given) - 1)
    return version >= comparison.floor and version.release[: leading + 1] == given[: leading + 1]


_RELATIONS: dict[str, Callable[[Comparison, Version], bool]] = {
    "=": _equal,
    "!=": _different,
    ">": _above,
    ">=": _at_least,
    "<": _below,
    "<=": _at_most,
    "~": _tilde,
    "^": _caret,
}
