# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a rollout tells: results for tasks, lines for people."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ..cluster.releases import PENDING
from ..version import Version
from .goal import Goal
from .memory import Memory, StepTimes
from .observation import SUSPENDED, ModuleLook, Observation, Release, highest_deployed, next_release
from .queue import Queue
from .reasons import described
from .situation import PLATFORM, Situation
from .states import CONVERGING, DONE, IMAGE_PULL, SWITCHING, State, module_rest, waiting_state

_MOST_LINES = 40
_SKIPPED = "Skipped"


def cluster_result(observation: Observation) -> dict[str, Any]:
    """The cluster as results name it. `updating`: whether the platform is on its way to another version right now."""
    deployed = observation.deployed
    is_switched = (
        None not in (observation.switched, observation.version) and observation.switched != observation.version
    )
    return {
        "name": observation.name,
        "uuid": observation.uuid,
        "resource_version": observation.resource_version,
        "version": _text(observation.version),
        "switched_version": _text(observation.switched),
        "channel": observation.channel,
        "update_mode": observation.update_mode,
        "updating": bool(is_switched or (deployed is not None and deployed.facts.updating)),
    }


def platform_result(observation: Observation, state: State) -> dict[str, Any]:
    """What the platform is at. `approved`: whether an operator has approved the release that comes next."""
    upcoming = next_release(observation.releases, observation.at)
    return {
        **_state_result(state),
        "pending": _pending(observation.releases, observation.at),
        "approved": upcoming.facts.approved if upcoming is not None else None,
    }


def module_results(observation: Observation, states: Mapping[str, State]) -> dict[str, Any]:
    """What modules are at, by name: `states` where there is one, else what the cluster says without any plan."""
    found = {}
    for name, state in states.items():
        look = observation.modules.get(name)
        deployed = highest_deployed(look.releases) if look is not None else None
        at = deployed.version if deployed is not None else look.facts.version if look is not None else None
        found[name] = {
            "version": _text(at),
            "phase": look.facts.phase if look is not None else None,
            **_state_result(state),
            "pending": _pending(look.releases, at) if look is not None else [],
        }
    return found


def unplanned_states(observation: Observation) -> dict[str, State]:
    """The states of all modules that updates come for, where no plan says which matter."""
    return {
        name: _unplanned(look)
        for name, look in observation.modules.items()
        if look.facts.enabled and not look.facts.embedded
    }


def unplanned_platform(observation: Observation, rest: State) -> State:
    """The state of the platform without a plan: what comes next, if anything does."""
    upcoming = next_release(observation.releases, observation.at)
    return waiting_state(upcoming, observation.at) if rest.name == DONE and upcoming is not None else rest


def _unplanned(look: ModuleLook) -> State:
    deployed = highest_deployed(look.releases)
    at = deployed.version if deployed is not None else look.facts.version
    upcoming = next_release(look.releases, at)
    if upcoming is not None:
        return waiting_state(upcoming, at)
    return module_rest(look, deployed, at) if deployed is not None else State(DONE)


def queue_result(queue: Queue | None) -> dict[str, Any]:
    """The queue; numbers are null where it could not be read."""
    if queue is None:
        return {"readable": False, "main": None, "total": None}
    return {"readable": True, "main": queue.main, "total": queue.total}


def step_results(observation: Observation, situation: Situation, goal: Goal, memory: Memory) -> list[dict[str, Any]]:
    """The steps of the platform: those of the plan, and those that this run saw besides."""
    known = {each.version: each for each in observation.releases}
    versions = sorted({*goal.steps, *memory.steps})
    return [_step(version, known.get(version), observation, situation, memory) for version in versions]


def _step(
    version: Version, release: Release | None, observation: Observation, situation: Situation, memory: Memory
) -> dict[str, Any]:
    times, at = memory.steps.get(version), observation.at
    if at is not None and version == at:
        state = DONE if situation.rest.name == DONE else "under-way"
    elif at is not None and version < at:
        state = "overtaken" if release is None or release.phase in (_SKIPPED, PENDING, SUSPENDED) else DONE
    else:
        state = "pending"
    return {
        "version": str(version),
        "state": state,
        "approved": times is not None and times.approved,
        "seconds": _seconds(times, memory),
    }


def _seconds(times: StepTimes | None, memory: Memory) -> float | None:
    if times is None:
        return None
    end = times.ended if times.ended is not None else memory.last
    return round(max((end or times.began) - times.began, 0.0), 1)


def progress_line(observation: Observation, situation: Situation, goal: Goal, memory: Memory) -> str:
    """One line for people: how far the chain is, what holds things up, and the queue."""
    parts = []
    if goal.steps and observation.at is not None:
        reached = sum(step <= observation.at for step in goal.steps)
        parts.append(f"[{reached}/{len(goal.steps)}]")
    parts.append(f"platform {observation.at}")
    holding = [
        described(state) if name == PLATFORM else f"module {name} {described(state)}"
        for name, state in situation.holding.items()
    ]
    parts.append("; ".join(holding[:5]) or DONE)
    return " ".join(parts) + _queue_part(observation.queue, memory)


def _queue_part(queue: Queue | None, memory: Memory) -> str:
    if queue is None or not queue.main:
        return ""
    share = 100 - round(100 * queue.main / max(memory.most_tasks, queue.main))
    return f" (queue {queue.main} of {memory.most_tasks} left, {share} %)" if share else f" (queue {queue.main})"


def text_lines(
    observation: Observation, platform: State, modules: Mapping[str, State], steps: Iterable[Mapping[str, Any]] = ()
) -> list[str]:
    """The cluster in a few lines."""
    channel = f"channel {observation.channel}" if observation.channel else "no release channel"
    lines = [
        f"{observation.name}: DKP {observation.version or 'unknown'}, {channel}, updates {observation.update_mode}"
    ]
    lines.append(f"  platform  {described(platform)}")
    lines += [f"    {each['version']}  {each['state']}" for each in steps]
    busy = {name: state for name, state in modules.items() if state.name != DONE}
    width = max(map(len, busy), default=0)
    lines += [f"  {name:<{width}}  {described(state)}" for name, state in list(busy.items())[:_MOST_LINES]]
    if len(busy) > _MOST_LINES:
        lines.append(f"  and {len(busy) - _MOST_LINES} more modules")
    if observation.queue is not None:
        lines.append(f"  queue     {observation.queue.main} tasks in main, {observation.queue.total} in all")
    return lines


def summary(observation: Observation, platform: State) -> str:
    """The cluster in one sentence."""
    on = f"on {observation.channel}" if observation.channel else "without a release channel"
    return f"{observation.name}: DKP {observation.version or 'unknown'} {on}, {described(platform)}"


def wants_queue(observation: Observation) -> bool:
    """Whether the queue tells something now: the new Deckhouse runs, and may still be at work."""
    return observation.rollout.is_complete


def _state_result(state: State) -> dict[str, Any]:
    is_open = state.name in (SWITCHING, CONVERGING, IMAGE_PULL)
    return {
        "state": state.name,
        "release": state.release or None,
        "message": state.message or ("; ".join(state.reasons) if is_open or state.reasons else ""),
        "until": state.until,
    }


def _pending(releases: Iterable[Release], at: Version | None) -> list[str]:
    return [str(each.version) for each in releases if each.phase == PENDING and (at is None or each.version > at)]


def _text(version: Version | None) -> str | None:
    return str(version) if version is not None else None
