# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where a rollout leads: what a plan says of one cluster, in stages in which every requirement holds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..._oci.errors import InvalidInput
from ..fields import items, mapping, mapping_of, text, versions
from ..nearest import did_you_mean, listed
from ..plan.document import parse_plan
from ..version import Version, require_version


@dataclass(frozen=True)
class Stage:
    """One release of the platform, or versions that modules reach next, side by side."""

    platform: Version | None = None
    modules: Mapping[str, Version] = field(default_factory=dict)


@dataclass(frozen=True)
class Goal:
    """What one cluster is led to. `steps` are those of the platform, `module_steps` those of modules, both ascending.

    `until` is where the user wants it to stop.
    """

    stages: tuple[Stage, ...] = ()
    steps: tuple[Version, ...] = ()
    module_steps: Mapping[str, tuple[Version, ...]] = field(default_factory=dict)
    until: Version | None = None

    @property
    def target(self) -> Version | None:
        """The last release of the platform."""
        return self.steps[-1] if self.steps else None


def parse_goal(
    document: object, cluster: str, *, until: str | None = None, modules: bool = True, where: str = "plan"
) -> Goal:
    """The goal of `cluster` in the plan `document`.

    `until` leaves out what comes after that version of the platform, `modules` whether modules are looked after.
    Raises InvalidInput with the field's path, and for a cluster that the plan does not know.
    """
    plan = parse_plan(document, where)
    if cluster not in plan.clusters:
        near = did_you_mean(cluster, plan.clusters)
        raise InvalidInput(f"{where}: knows no cluster {cluster!r}{near}; it has {listed(sorted(plan.clusters))}")
    place = f"{where}.clusters.{cluster}"
    fields = mapping(plan.clusters[cluster], place)
    steps = _steps(fields.get("platform"), f"{place}.platform")
    by_module = mapping_of(_steps)(fields.get("modules") or {}, f"{place}.modules") if modules else {}
    by_module = {name: found for name, found in by_module.items() if found}
    stages = _stages(fields.get("order"), f"{place}.order") or _plain_order(steps, by_module)
    last = require_version(until, where="until") if until else None
    kept = _cut(stages, last) if modules else _cut(tuple(each for each in stages if each.platform is not None), last)
    named = {name for stage in kept for name in stage.modules}
    return Goal(
        kept,
        tuple(step for step in steps if any(step == stage.platform for stage in kept)),
        {name: found for name, found in by_module.items() if name in named},
        last,
    )


def _steps(value: Any, where: str) -> tuple[Version, ...]:
    found: tuple[Version, ...] = versions(mapping(value or {}, where).get("steps") or [], f"{where}.steps")
    return tuple(sorted(found))


def _stages(value: Any, where: str) -> tuple[Stage, ...]:
    """The plan's own order, in which every requirement holds."""
    found = []
    for item, place in items(value or [], where):
        stage = mapping(item, place)
        if stage.get("platform") is not None:
            step = require_version(text(stage["platform"], f"{place}.platform"), where=f"{place}.platform")
            found.append(Stage(platform=step))
        else:
            reached = mapping_of(versions)(stage.get("modules") or {}, f"{place}.modules")
            found.append(Stage(modules={name: max(each) for name, each in reached.items() if each}))
    return tuple(found)


def _plain_order(steps: tuple[Version, ...], modules: Mapping[str, tuple[Version, ...]]) -> tuple[Stage, ...]:
    """Where the plan has no order: the platform first, as most modules ask for a version of it at least."""
    last = (Stage(modules={name: found[-1] for name, found in modules.items()}),) if modules else ()
    return (*(Stage(platform=step) for step in steps), *last)


def _cut(stages: tuple[Stage, ...], until: Version | None) -> tuple[Stage, ...]:
    """The stages before the first release of the platform that lies after `until`."""
    for position, stage in enumerate(stages):
        if until is not None and stage.platform is not None and stage.platform > until:
            return stages[:position]
    return stages
