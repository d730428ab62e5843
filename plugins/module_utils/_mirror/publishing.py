# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Pointers in the order in which a cluster may see them (design §4, idea 4): never one before what it needs."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from .._dkp import tree
from .._dkp.channels import KNOWN_CHANNELS, lowest_risk_first
from .._oci.reference import RepositoryAddress
from .freight import Group
from .pointers import Verdict
from .stages import Lane

_RISK = {name: rank for rank, name in enumerate(lowest_risk_first(KNOWN_CHANNELS))}


@dataclass(frozen=True)
class CatalogueName:
    """A tag that makes a module, package or plugin visible. `group` is what has to be there before."""

    group: str
    repository: str
    path: str
    tag: str


def catalogue_names(groups: Iterable[Group], root: RepositoryAddress, modules_path: str) -> list[CatalogueName]:
    """One for every module, package and plugin of which the bundle has more than pointers."""
    parents = {"module": modules_path, "package": tree.PACKAGES, "plugin": tree.PLUGINS}
    names = []
    for group in groups:
        first = next(iter((*group.versions, *group.content)), None)
        place = tree.place_of(first.layout.path) if first is not None else None
        if place is not None and place.area in parents:
            parent = parents[place.area]
            names.append(CatalogueName(group.name, root.child(parent), parent, place.name))
    return names


def phases(
    ready: Iterable[Verdict],
    names: Iterable[CatalogueName],
    put_pointer: Callable[[Verdict], None],
    put_name: Callable[[CatalogueName], None],
) -> Iterator[list[Lane]]:
    """What is written one after another: modules' channels, new names, databases, the platform's channels.

    Lanes are named like the groups: what refuses holds back its own later phases, and nothing else.
    """
    verdicts = list(ready)
    platform = [verdict for verdict in verdicts if verdict.group == "platform"]
    late = [
        verdict for verdict in verdicts if tree.place_of(verdict.item.layout.path).area in ("security", "installer")
    ]
    early = [verdict for verdict in verdicts if verdict not in platform and verdict not in late]
    platform.sort(key=lambda verdict: (_RISK[verdict.item.tag], verdict.item.path))
    yield _lanes((verdict.group, partial(put_pointer, verdict)) for verdict in early)
    yield _lanes((name.group, partial(put_name, name)) for name in names)
    yield _lanes((verdict.group, partial(put_pointer, verdict)) for verdict in late)
    if platform:
        yield [Lane("platform", deque([[partial(put_pointer, verdict)] for verdict in platform]))]


def _lanes(steps: Iterable[tuple[str, Callable[[], None]]]) -> list[Lane]:
    grouped: dict[str, list[Callable[[], None]]] = {}
    for group, step in steps:
        grouped.setdefault(group, []).append(step)
    return [Lane(group, _one_stage(own)) for group, own in grouped.items()]


def _one_stage(steps: Sequence[Callable[[], None]]) -> deque[Sequence[Callable[[], None]]]:
    return deque([steps])
