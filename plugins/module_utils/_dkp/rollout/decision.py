# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What to do after one more look: approve, wait, end, or stop with the reason (dkp-cluster.md §10.4, §10.5)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from ..findings import Finding
from . import states
from .goal import Goal
from .memory import Memory, done_key, rest_key, state_key, was_long_ago
from .observation import Observation
from .reasons import described, is_explained, refusal_of, stop_of, timed_out
from .situation import PLATFORM, Situation, Wanted
from .states import DONE, IMAGE_PULL, MODULE_ERROR, SCHEDULED, State

WAIT, APPROVE, END, STOP = "wait", "approve", "end", "stop"
STOPPED = "stopped"
_PATIENT = 4
"""How many times `settle` errors of pods and modules have to last: one look may see what mends itself."""
_ERRORS = frozenset({IMAGE_PULL, MODULE_ERROR})


@dataclass(frozen=True)
class Patience:
    """For how many seconds what is waited for. `settle` lies between the two looks that make a step done.

    `timeout` is for each step, without what the cluster waits for on purpose; `grace` for requirements that fail for
    want of facts.
    """

    timeout: float = 3600.0
    poll: float = 15.0
    settle: float = 30.0
    discovery: float = 600.0
    grace: float = 600.0


@dataclass(frozen=True)
class Choice:
    """What the user wants: `approved` are pairs of kind and object that may be approved, `windows` wait or stop."""

    approved: frozenset[tuple[str, str]] = frozenset()
    windows: str = "wait"


@dataclass(frozen=True)
class Decision:
    """What to do. `state` is what the run returns when it ends with this, `pause` the seconds until the next look."""

    do: str
    state: str
    message: str
    approve: tuple[Wanted, ...] = ()
    wants: tuple[Wanted, ...] = ()
    findings: tuple[Finding, ...] = ()
    pause: float = 0.0


def decide(
    observation: Observation,
    situation: Situation,
    memory: Memory,
    *,
    goal: Goal,
    choice: Choice,
    patience: Patience,
    now: float,
    today: datetime,
) -> Decision:
    """The decision at `now`, of the clock of `memory`; `today` is the time of day, for what the cluster dates."""
    if not goal.stages and situation.rest.name in _ERRORS:
        return _nothing_to_do(observation, situation)
    if situation.is_done:
        return _done(observation, situation, memory, goal, patience, now, today)
    refused = refusal_of(observation)
    if refused is not None:
        return Decision(STOP, STOPPED, refused.message, findings=(refused,))
    stopped = _stopped(observation, situation, memory, patience, now)
    if stopped is not None:
        return stopped
    if situation.wants and not _is_settled(observation, situation, memory, goal, patience, now, today):
        return _wait(situation, pause=_until_settled(memory.lasting(rest_key(situation), now), patience))
    allowed = tuple(each for each in situation.wants if (each.kind, each.release) in choice.approved)
    if allowed:
        # One at a time, also of modules that could go side by side: what fails is then known by name.
        return Decision(APPROVE, states.APPROVAL, f"approving {allowed[0].release}", approve=allowed[:1])
    if situation.wants and not _progresses(situation):
        return Decision(END, states.APPROVAL, _asks(situation), wants=situation.wants)
    if choice.windows == "stop" and all(each.name in SCHEDULED for each in situation.holding.values()):
        first = next(iter(situation.holding.values()))
        return Decision(END, first.name, _sums_up(situation.holding))
    if memory.counted >= patience.timeout:
        late = timed_out(situation.holding, memory.counted)
        return Decision(STOP, STOPPED, late.message, findings=(late,))
    return _wait(situation, pause=patience.poll)


def _nothing_to_do(observation: Observation, situation: Situation) -> Decision:
    """The plan asks for nothing; what is wrong with the cluster is told, and stops nobody."""
    told = stop_of(PLATFORM, situation.rest, observation)
    warning = Finding(told.id, "warning", told.subject, told.message, told.hint)
    return Decision(END, DONE, _at(observation), findings=(warning,))


def _done(
    observation: Observation,
    situation: Situation,
    memory: Memory,
    goal: Goal,
    patience: Patience,
    now: float,
    today: datetime,
) -> Decision:
    """Done for good when it was so twice; once is enough for what nothing has moved for long."""
    lasted = memory.lasting(done_key(situation), now)
    is_quiet = not memory.moved and (not goal.stages or was_long_ago(observation, goal, today))
    if lasted < patience.settle and not is_quiet:
        return Decision(WAIT, DONE, _at(observation), pause=_until_settled(lasted, patience))
    return Decision(END, DONE, _at(observation))


def _at(observation: Observation) -> str:
    return f"done: the platform is at {observation.at}"


def _is_settled(
    observation: Observation,
    situation: Situation,
    memory: Memory,
    goal: Goal,
    patience: Patience,
    now: float,
    today: datetime,
) -> bool:
    """Whether the step before is done, so that the next may be approved."""
    lasted = memory.lasting(rest_key(situation), now)
    return lasted >= patience.settle or (not memory.moved and was_long_ago(observation, goal, today))


def _until_settled(lasted: float, patience: Patience) -> float:
    return min(patience.poll, max(patience.settle - lasted, 0.0))


def _stopped(
    observation: Observation, situation: Situation, memory: Memory, patience: Patience, now: float
) -> Decision | None:
    """A stop when nothing that holds things up can move any more, and at least one of it has lasted long enough."""
    over = []
    for name, state in situation.holding.items():
        limit = _limit(state, observation, patience)
        if limit is not None and memory.lasting(state_key(name, situation), now) >= limit:
            over.append((name, state))
    if not over or len(over) < len(situation.holding):
        return None
    findings = tuple(stop_of(name, state, observation) for name, state in over)
    return Decision(STOP, STOPPED, "; ".join(each.message for each in findings), findings=findings)


def _limit(state: State, observation: Observation, patience: Patience) -> float | None:
    """How long the state may last; None where it may go on."""
    if not is_explained(state):
        return None
    if state.name == states.DISCOVERY:
        return patience.discovery
    if state.may_pass:
        return patience.grace
    if state.name == MODULE_ERROR and observation.queue is not None and observation.queue.main > 0:
        return None
    return patience.settle * (_PATIENT if state.name in _ERRORS else 1)


def _progresses(situation: Situation) -> bool:
    """Whether something that holds things up moves by itself, while other things want approval."""
    wanted = {each.name for each in situation.wants}
    return any(
        name not in wanted and not is_explained(state) and state.name not in SCHEDULED
        for name, state in situation.holding.items()
    )


def _wait(situation: Situation, *, pause: float) -> Decision:
    name = next((each.name for each in situation.holding.values()), DONE)
    return Decision(WAIT, name, _sums_up(situation.holding), pause=pause)


def _sums_up(holding: Mapping[str, State]) -> str:
    return "; ".join(_lines(holding))


def _lines(holding: Mapping[str, State]) -> Iterator[str]:
    for name, state in holding.items():
        yield described(state) if name == PLATFORM else f"module {name}: {described(state)}"


def _asks(situation: Situation) -> str:
    commands = [approval_command(each) for each in situation.wants]
    releases = ", ".join(each.release for each in situation.wants)
    return f"waiting for the approval of {releases}; approve with: {' && '.join(commands)}"


def approval_command(wanted: Wanted) -> str:
    """What a user types to approve."""
    if wanted.kind == PLATFORM:
        return f"kubectl patch deckhouserelease {wanted.release} --type=merge --patch='{{\"approved\": true}}'"
    return f"kubectl annotate modulerelease {wanted.release} modules.deckhouse.io/approved=true"


def approval_patch(wanted: Wanted, *, apply_now: bool) -> dict[str, object]:
    """The merge patch of an approval (§1.8, §2.1); `apply_now` also ends what the cluster waits for on purpose."""
    if wanted.kind == PLATFORM:
        now: Mapping[str, object] = {"metadata": {"annotations": {"release.deckhouse.io/apply-now": "true"}}}
        return {"approved": True, **(now if apply_now else {})}
    annotations = {"modules.deckhouse.io/approved": "true"}
    if apply_now:
        annotations["modules.deckhouse.io/apply-now"] = "true"
    return {"metadata": {"annotations": annotations}}
