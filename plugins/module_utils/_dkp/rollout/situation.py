# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where a cluster is on its way: the stage of the plan it is at, what holds it up there, and what wants approval."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..version import Version
from .goal import Goal, Stage
from .observation import Observation, next_release
from .states import APPROVAL, AT_REST, DONE, SCHEDULED, State, module_state, platform_next, platform_rest

PLATFORM = "platform"
MODULE = "module"


@dataclass(frozen=True)
class Wanted:
    """A release that waits for an approval. `name` is the module's, or `PLATFORM`; `release` that of the object."""

    kind: str
    name: str
    version: Version
    release: str

    def as_dict(self) -> dict[str, str]:
        """As results name it, and as the option `approved` takes it back."""
        return {"kind": self.kind, "name": self.release, "version": str(self.version)}


@dataclass(frozen=True)
class Situation:
    """What one observation means for a goal.

    `rest` is what is deployed of the platform, `platform` what the platform is at on the whole, `modules` the states of
    the modules of the goal. `holding` is what the way forward depends on now, by `PLATFORM` or the module's name;
    nothing when all is done. `wants` would move it.
    """

    rest: State
    platform: State
    modules: Mapping[str, State] = field(default_factory=dict)
    holding: Mapping[str, State] = field(default_factory=dict)
    wants: tuple[Wanted, ...] = ()
    stage: Stage | None = None

    @property
    def is_done(self) -> bool:
        return not self.holding


def situate(
    observation: Observation, goal: Goal, *, accepted: Collection[str] = (), apply_now: bool = False
) -> Situation:
    """The situation of a cluster. `accepted` as for `platform_rest`; with `apply_now`, what is scheduled wants it too.

    Before the platform is at rest nothing else is looked at (§10.4: one step at a time).
    """
    rest = platform_rest(observation, accepted)
    states = {
        name: module_state(observation, name, steps[-1], steps) for name, steps in sorted(goal.module_steps.items())
    }
    if goal.until is not None and observation.at is not None and observation.at.series > goal.until.series:
        # The cluster went on by itself, so that the version to stop after is behind it.
        return Situation(rest, rest, states)
    stage = next((each for each in goal.stages if _is_open(each, observation, goal)), None)
    upcoming = rest
    if rest.name == DONE and stage is not None and stage.platform is not None:
        upcoming = platform_next(observation, goal.target)
    if rest.name != DONE:
        return Situation(rest, rest, states, {PLATFORM: rest}, stage=stage)
    holding = _holding(observation, goal, stage, upcoming)
    wants = tuple(
        wanted for name, state in holding.items() for wanted in _wanted(observation, name, state, apply_now=apply_now)
    )
    return Situation(rest, upcoming, states, holding, wants, stage)


def _is_open(stage: Stage, observation: Observation, goal: Goal) -> bool:
    """Whether the stage is still to be reached; a step that a later one overtakes is not."""
    if stage.platform is None:
        return bool(_open_modules(stage, observation, goal))
    at = observation.at
    if at is not None and at >= stage.platform:
        return False
    upcoming = next_release(observation.releases, at)
    if upcoming is None or upcoming.version.series <= stage.platform.series:
        return True
    # What lies beyond the whole plan overtakes nothing: either a gap is before it, or nobody has planned it.
    return goal.target is not None and upcoming.version.series > goal.target.series


def _open_modules(stage: Stage, observation: Observation, goal: Goal) -> dict[str, State]:
    found = {}
    for name, version in stage.modules.items():
        state = module_state(observation, name, version, goal.module_steps.get(name, ()))
        overtakes = state.version is not None and state.version.series > version.series
        is_last = version == max((version, *goal.module_steps.get(name, ())))
        if state.name not in AT_REST and not (overtakes and not is_last):
            found[name] = state
    return found


def _holding(observation: Observation, goal: Goal, stage: Stage | None, upcoming: State) -> dict[str, State]:
    if stage is None:
        return {}
    return _open_modules(stage, observation, goal) if stage.platform is None else {PLATFORM: upcoming}


def _wanted(observation: Observation, name: str, state: State, *, apply_now: bool) -> tuple[Wanted, ...]:
    is_asked = state.name == APPROVAL or (
        apply_now and state.name in SCHEDULED and not _applies_now(observation, state)
    )
    if not is_asked or state.version is None:
        return ()
    return (Wanted(PLATFORM if name == PLATFORM else MODULE, name, state.version, state.release),)


def _applies_now(observation: Observation, state: State) -> bool:
    every: list[Any] = [*observation.releases, *(one for each in observation.modules.values() for one in each.releases)]
    return any(each.name == state.release and each.apply_now for each in every)
