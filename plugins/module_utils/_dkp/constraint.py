# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Constraints on versions and filter expressions ``name[@constraint]`` in d8's dialect (d8-mirror.md §4.1-§4.3).

The first character decides what a constraint is: ``=`` pins a tag, ``> < ~ ^`` begin a range, and anything else has
to be one version X that means "from X to below the next major".
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NoReturn

from .._oci.errors import InvalidInput
from .._oci.reference import is_tag
from .channels import check_channel
from .comparison import OPERATOR, Comparison, group_admits, parse_comparison
from .version import PRERELEASE, Version, newest_per_series, parse_version, version_of_tag

_EXAMPLE = 'for example ">=1.68.0 <1.71.0", "~1.70.0" or "=v1.70.3+stable"'
_FILTER_EXAMPLE = 'for example "console", "console@>=1.34.0 <1.37.0" or "console@=v1.37.0+stable"'
_PART = r"(?:[0-9]+|[xX*])"
_VERSION = rf"v?{_PART}(?:\.{_PART}){{0,2}}(?:-{PRERELEASE})?(?:\+{PRERELEASE})?"
_OPERATOR_TEXT = re.compile(OPERATOR)
_VERSION_TEXT = re.compile(_VERSION)
_SEPARATOR = re.compile(r"\s*,\s*|\s+")
_BLANK = re.compile(r"\s*")
_NAME = re.compile(r"[a-z0-9]+(?:[._-]+[a-z0-9]+)*")
_INCLUSIVE = frozenset({">=", "=>", "<=", "=<"})
_LONGEST = 4096


@dataclass(frozen=True)
class Pin:
    """One tag asked for by its name, and the channel that it is to be published to (None: not said)."""

    tag: str
    channel: str | None = None

    @property
    def version(self) -> Version | None:
        """The version that the tag names literally; None for a custom tag (``pr123``, but also ``1.70.0``)."""
        return version_of_tag(self.tag)


@dataclass(frozen=True)
class Range:
    """One range: any of `groups` has to hold. `anchors` are the bounds that are kept beside each minor's newest."""

    text: str
    groups: tuple[tuple[Comparison, ...], ...]
    anchors: tuple[Version, ...]

    def admits(self, version: Version) -> bool:
        """Whether `version` lies in the range; a pre-release only in a group that names one."""
        return any(group_admits(group, version) for group in self.groups)

    def anchored(self, matched: Iterable[Version]) -> set[Version]:
        """Those of `matched` that the range names as an inclusive bound."""
        return set(self.anchors).intersection(matched)


@dataclass(frozen=True)
class Constraint:
    """Pins and ranges that were asked for together: any of them may admit a version."""

    pins: tuple[Pin, ...] = ()
    ranges: tuple[Range, ...] = ()

    @property
    def exact(self) -> bool:
        """Whether it consists of pins only: then no tag list is needed."""
        return not self.ranges

    @property
    def text(self) -> str:
        """The constraint as messages show it."""
        pins = [f"={pin.tag}" + (f"+{pin.channel}" if pin.channel else "") for pin in self.pins]
        return " or ".join([*pins, *(each.text for each in self.ranges)])

    def admits(self, version: Version) -> bool:
        """Whether a pin names `version` or a range holds it."""
        return any(pin.version == version for pin in self.pins) or self.in_range(version)

    def in_range(self, version: Version) -> bool:
        """Whether one of the ranges holds `version`."""
        return any(each.admits(version) for each in self.ranges)

    def select(self, available: Iterable[Version]) -> set[Version]:
        """Of `available`, what the ranges take: for each range the newest of every minor, and its inclusive bounds.

        Pins are not among them: whoever asks for one by name has to see that it is missing.
        """
        candidates = tuple(available)
        selected: set[Version] = set()
        for each in self.ranges:
            matched = [version for version in candidates if each.admits(version)]
            selected |= newest_per_series(matched) | each.anchored(matched)
        return selected

    def joined(self, other: Constraint) -> Constraint:
        """Both, combined with OR; what is said twice counts once."""
        return Constraint(
            tuple(dict.fromkeys((*self.pins, *other.pins))), tuple(dict.fromkeys((*self.ranges, *other.ranges)))
        )


@dataclass(frozen=True)
class NameFilter:
    """A name, and what of it is wanted (None: no constraint was given)."""

    name: str
    constraint: Constraint | None


def parse_constraint(text: str, *, where: str) -> Constraint:
    """Read one constraint; raise InvalidInput naming the option `where`, the position and an example."""
    return _Reader(text, where).constraint(0)


def parse_filter(text: str, *, where: str) -> NameFilter:
    """Read ``name[@constraint]``, split at the first ``@``; raises InvalidInput as parse_constraint does."""
    reader = _Reader(text, where, _FILTER_EXAMPLE)
    name, at, _rest = text.partition("@")
    if not name.strip():
        reader.refuse(0, "the name is missing; write name or name@constraint")
    start = len(name) - len(name.lstrip())
    if not _NAME.fullmatch(name.strip()):
        match = _NAME.match(name, start)
        hint = "; between a name and its constraint belongs @" if _looks_constrained(name) else ""
        reader.refuse(match.end() if match else start, f"{name.strip()!r} is not a name{hint}")
    return NameFilter(name.strip(), reader.constraint(len(name) + 1) if at else None)


def parse_range(text: str, *, where: str) -> Range:
    """Read a range as metadata of releases states it: a bare version is that version. Raises InvalidInput."""
    reader = _Reader(text, where, 'for example ">= 1.68" or "~1.70"')
    if not text.strip():
        reader.refuse(0, "the constraint is empty")
    if len(text) > _LONGEST:
        reader.refuse(_LONGEST, f"longer than {_LONGEST} characters")
    return reader.range(0, len(text))


def _looks_constrained(text: str) -> bool:
    return any(character in text for character in "=<>~^")


@dataclass(frozen=True)
class _Reader:
    """The text of one option value; every position is one in this text."""

    text: str
    where: str
    example: str = _EXAMPLE

    def refuse(self, position: int, problem: str) -> NoReturn:
        shown = self.text if len(self.text) <= 200 else self.text[:200] + "..."
        raise InvalidInput(f"{self.where}: {shown!r}, character {position + 1}: {problem}; {self.example}")

    def constraint(self, start: int) -> Constraint:
        if len(self.text) > _LONGEST:
            self.refuse(_LONGEST, f"longer than {_LONGEST} characters")
        start = self._skip_blank(start)
        stop = len(self.text.rstrip())
        if start >= stop:
            self.refuse(start, "the constraint is empty; quote it where a shell could take < or > for itself")
        first = self.text[start]
        if first == "=":
            return Constraint(pins=(self._pin(start, stop),))
        if first in "><~^":
            return Constraint(ranges=(self.range(start, stop),))
        return Constraint(ranges=(self._bare_version(start, stop),))

    def _skip_blank(self, position: int) -> int:
        match = _BLANK.match(self.text, position)
        return match.end() if match else position

    def _pin(self, start: int, stop: int) -> Pin:
        tag_start = self._skip_blank(start + 1)
        tag, plus, channel = self.text[tag_start:stop].partition("+")
        if not tag:
            self.refuse(tag_start, "no tag follows the =")
        if tag[0] in "<>=":
            self.refuse(start, f"=, then {tag!r}: an exact pin is =v1.2.3, an inclusive bound >= or <=")
        if not is_tag(tag):
            self.refuse(tag_start, f"{tag!r} cannot be a tag")
        if not plus:
            return Pin(tag)
        if version_of_tag(tag) is None:
            version = parse_version(tag)
            hint = f"; write {version}" if version else ""
            self.refuse(tag_start, f"a channel can only point at a version vX.Y.Z, and {tag!r} is none{hint}")
        place = f"{self.where}: {self.text!r}, character {stop - len(channel) + 1}"
        return Pin(tag, check_channel(channel, where=place))

    def _bare_version(self, start: int, stop: int) -> Range:
        text = self.text[start:stop]
        version = parse_version(text)
        if version is None:
            match = _VERSION_TEXT.match(self.text, start, stop)
            end = match.end() if match and parse_version(match.group()) else start
            self.refuse(end, "what begins with none of = > < ~ ^ has to be one version and nothing else")
        lower = Comparison(">=", version.release, version)
        upper = Comparison("<", (version.major + 1, 0, 0), Version(version.major + 1, 0, 0))
        return Range(text, ((lower, upper),), ())

    def range(self, start: int, stop: int) -> Range:
        groups: list[tuple[Comparison, ...]] = []
        anchors: list[Version] = []
        position = start
        for part in self.text[start:stop].split("||"):
            groups.append(self._group(position, position + len(part), anchors))
            position += len(part) + 2
        return Range(self.text[start:stop], tuple(groups), tuple(dict.fromkeys(anchors)))

    def _group(self, start: int, stop: int, anchors: list[Version]) -> tuple[Comparison, ...]:
        position = self._skip_blank(start)
        stop = start + len(self.text[start:stop].rstrip())
        if position >= stop:
            self.refuse(start, "nothing stands beside ||")
        comparisons: list[Comparison] = []
        while True:
            comparison, position = self._comparison(position, stop, anchors)
            comparisons.append(comparison)
            if position == stop:
                return tuple(comparisons)
            separator = _SEPARATOR.match(self.text, position, stop)
            if separator is None:
                self.refuse(position, "expected a blank, a comma or || before what follows")
            position = separator.end()

    def _comparison(self, start: int, stop: int, anchors: list[Version]) -> tuple[Comparison, int]:
        """The comparison at `start`, and where it ends."""
        found = _OPERATOR_TEXT.match(self.text, start, stop)
        operator = found.group() if found else ""
        position = min(self._skip_blank(start + len(operator)), stop)
        match = _VERSION_TEXT.match(self.text, position, stop)
        if match is None:
            self.refuse(position, f"expected {'a version' if operator else 'an operator and a version'}")
        text = match.group()
        comparison = parse_comparison(operator, text)
        if comparison is None:
            self.refuse(position, f"{text!r} is not a version")
        if operator in _INCLUSIVE:
            if any(character in text.partition("-")[0] for character in "xX*"):
                self.refuse(position, f"{operator} needs a version without x and *")
            anchors.append(comparison.floor)
        return comparison, match.end()
