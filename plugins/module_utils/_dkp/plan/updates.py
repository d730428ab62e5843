# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The ways of which a plan needs the metadata: from a version to a channel or version (option `updates` of the info
modules). Which releases lie on them is what `steps` says."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ..._oci.errors import InvalidInput
from ..channels import KNOWN_CHANNELS, LTS, in_order
from ..constraint import parse_filter
from ..release import Jump
from ..version import Version
from .steps import direct_chain, module_chain
from .target import parse_start, parse_target


@dataclass(frozen=True)
class Update:
    """A way as it was asked for: one of `channel` and `version` is its end; `start` is None where nothing runs yet."""

    start: Version | None
    channel: str | None = None
    version: Version | None = None

    def way(self, target: Version) -> Way:
        """The way, now that the version of its end is known."""
        return Way(self.start, target, direct=self.start is None or self.channel == LTS)


@dataclass(frozen=True)
class Way:
    """A way to a version. `direct`: the target alone is taken. `jumps`: those that the target states."""

    start: Version | None
    target: Version
    direct: bool
    jumps: tuple[Jump, ...] = ()

    @property
    def asks_for_jumps(self) -> bool:
        """Whether jumps can make a difference."""
        return not self.direct and self.start is not None and self.start < self.target

    def steps(self, available: Iterable[Version], *, stray: Collection[Version] = ()) -> tuple[Version, ...]:
        """The releases on the way; `stray` ones are left out, as if they were not among the `available`."""
        if self.direct or self.start is None:
            chain = direct_chain(self.start, self.target)
            return tuple(step for step in chain.steps if step not in stray)
        rest = [version for version in available if version not in stray]
        return module_chain(self.start, self.target, rest, {self.target: self.jumps}).steps


def parse_update(given: Mapping[str, Any], *, where: str) -> Update:
    """Read one item ``{from, to}``; a blank `from` counts as absent. Raises InvalidInput naming the field."""
    start = parse_start(str(given.get("from") or ""), f"{where}.from")
    end = parse_target(str(given.get("to") or ""), f"{where}.to")
    return Update(start, version=end) if isinstance(end, Version) else Update(start, channel=end)


def parse_updates(given: Iterable[Mapping[str, Any]], *, where: str) -> tuple[Update, ...]:
    """Read a list of ``{from, to}``; what is said twice counts once."""
    return tuple(dict.fromkeys(parse_update(item, where=f"{where}[{place}]") for place, item in enumerate(given)))


def parse_module_updates(given: Iterable[Mapping[str, Any]], *, where: str) -> dict[str, tuple[Update, ...]]:
    """Read a list of ``{module, from, to}``: updates by module. Raises InvalidInput naming the field."""
    found: dict[str, dict[Update, None]] = {}
    for place, item in enumerate(given):
        name = parse_filter(str(item.get("module") or ""), where=f"{where}[{place}].module")
        if name.constraint is not None:
            raise InvalidInput(f"{where}[{place}].module: {item['module']!r} has a constraint; write {name.name!r}")
        found.setdefault(name.name, {})[parse_update(item, where=f"{where}[{place}]")] = None
    return {name: tuple(updates) for name, updates in found.items()}


def channels_to_read(asked: Collection[str] | None, updates: Iterable[Update] | None) -> tuple[str, ...]:
    """The channels that were `asked` for, and those that `updates` lead to. Where nothing was said (both None), all."""
    if asked is None and updates is None:
        return KNOWN_CHANNELS
    return in_order([*(asked or ()), *(each.channel for each in updates or () if each.channel is not None)])


def ways_of(updates: Iterable[Update], pointed: Mapping[str, Version]) -> list[Way]:
    """The ways of `updates`; to a channel that is not there leads none. `pointed`: what the channels point to."""
    targets = ((update, update.version or pointed.get(update.channel or "")) for update in updates)
    return [update.way(target) for update, target in targets if target is not None]


def span_of(updates: Iterable[Update], ways: Iterable[Way], available: Iterable[Version]) -> tuple[Version, ...]:
    """Of `available`, those from the lowest to the highest end of the ways, both included: what a plan may look at."""
    ends = [version for update in updates for version in (update.start, update.version) if version is not None]
    ends += [way.target for way in ways]
    return tuple(version for version in available if ends and min(ends) <= version <= max(ends))
