# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a run remembers from look to look: since when something has been so, and what it has done itself.

Times are seconds of a clock that only goes forward; the moment of an observation is given, never asked for.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from ..version import Version
from .goal import Goal
from .observation import Observation, Release, highest_deployed
from .situation import Situation
from .states import DONE, SCHEDULED

Key = tuple[str, str, str]
LONG_AGO = timedelta(hours=1)
"""What was deployed longer ago than this, and is found done at the first look, need not be looked at twice."""


@dataclass(frozen=True)
class StepTimes:
    """When a step of the platform was first seen under way, and when done; whether this run approved it."""

    began: float
    ended: float | None = None
    approved: bool = False


@dataclass(frozen=True)
class Memory:
    """`since` tells when each state began that still lasts; `counted` are the seconds that count against the timeout.

    `moved` is whether anything was under way in this run, or done by it.
    """

    since: Mapping[Key, float] = field(default_factory=dict)
    last: float | None = None
    counted: float = 0.0
    mark: tuple[str, ...] = ()
    moved: bool = False
    approved: tuple[str, ...] = ()
    steps: Mapping[Version, StepTimes] = field(default_factory=dict)
    most_tasks: int = 0

    def lasting(self, key: Key, now: float) -> float:
        """For how many seconds the state of `key` has lasted."""
        return now - self.since.get(key, now)


def rest_key(situation: Situation) -> Key:
    """The key for how long what is deployed of the platform has been as it is."""
    return ("rest", situation.rest.name, situation.rest.release)


def done_key(situation: Situation) -> Key:
    """The key for how long all has been done."""
    return ("all", DONE if situation.is_done else "", "")


def state_key(name: str, situation: Situation) -> Key:
    """The key for how long what holds things up has done so."""
    state = situation.holding[name]
    return (name, state.name, state.release)


def remember(memory: Memory, observation: Observation, situation: Situation, now: float) -> Memory:
    """The memory after one more look."""
    keys = [rest_key(situation), done_key(situation), *(state_key(name, situation) for name in situation.holding)]
    mark = _mark(observation)
    passed = now - memory.last if memory.last is not None else 0.0
    is_scheduled = bool(situation.holding) and all(each.name in SCHEDULED for each in situation.holding.values())
    counted = 0.0 if mark != memory.mark else memory.counted + (0.0 if is_scheduled else passed)
    return replace(
        memory,
        since={key: memory.since.get(key, now) for key in keys},
        last=now,
        counted=counted,
        mark=mark,
        moved=memory.moved or situation.rest.name != DONE or (memory.mark not in ((), mark)),
        steps=_steps(memory, observation, situation, now),
        most_tasks=max(memory.most_tasks, observation.queue.main) if observation.queue is not None else 0,
    )


def missed(memory: Memory, now: float) -> Memory:
    """The memory after a look that failed: nothing lasts any longer, for nobody saw it, and the time counts."""
    passed = now - memory.last if memory.last is not None else 0.0
    return replace(memory, since={}, last=now, counted=memory.counted + passed, moved=True)


def approved(memory: Memory, release: str, version: Version | None, now: float) -> Memory:
    """The memory after an approval; `version` is that of a release of the platform, None for one of a module."""
    steps = dict(memory.steps)
    if version is not None:
        steps[version] = StepTimes(now, approved=True)
    return replace(memory, approved=(*memory.approved, release), moved=True, counted=0.0, steps=steps)


def was_long_ago(observation: Observation, goal: Goal, today: datetime) -> bool:
    """Whether all that the goal is about was deployed `LONG_AGO`."""
    looks = [observation.modules[name] for name in goal.module_steps if name in observation.modules]
    deployed = [observation.deployed, *(highest_deployed(each.releases) for each in looks)]
    return all(_changed_before(each, today - LONG_AGO) for each in deployed)


def _changed_before(release: Release | None, moment: datetime) -> bool:
    if release is None:
        return True
    try:
        changed = datetime.fromisoformat((release.changed_at or "").replace("Z", "+00:00"))
    except ValueError:
        return False
    return changed.tzinfo is not None and changed < moment


def _mark(observation: Observation) -> tuple[str, ...]:
    """What is deployed: when that changes, time starts anew."""
    deployed = [highest_deployed(each.releases) for each in observation.modules.values()]
    return (str(observation.at), *(each.name for each in deployed if each is not None))


def _steps(memory: Memory, observation: Observation, situation: Situation, now: float) -> dict[Version, StepTimes]:
    steps, at = dict(memory.steps), observation.at
    for version, times in steps.items():
        if times.ended is None and at is not None and at > version:
            steps[version] = replace(times, ended=now)
    if at is not None and situation.rest.name != DONE:
        steps.setdefault(at, StepTimes(now))
    elif at in steps and steps[at].ended is None:
        steps[at] = replace(steps[at], ended=now)
    return steps
