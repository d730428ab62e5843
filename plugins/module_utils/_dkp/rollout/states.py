# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The states of a rollout (dkp-cluster.md §10.4), each a pure function of one observation.

Deckhouse says in words why a release waits. Words are matched by parts of them, for they change with its versions, and
kept as they are.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from ..version import Version, parse_version
from .observation import SUSPENDED, ModuleLook, Observation, Release, highest_deployed, next_release

DISCOVERY = "waiting-for-discovery"
REQUIREMENTS = "blocked-requirements"
DISRUPTION = "blocked-disruption"
POLICY = "blocked-policy"
APPROVAL = "waiting-approval"
APPROVED = "approved"
WINDOW, CANARY, NOTIFICATION = "waiting-window", "canary", "notification"
POD, ORDER = "waiting-pod", "waiting-order"
IS_SUSPENDED, GAP, FROZEN, BEYOND = "suspended", "gap", "frozen-chain", "beyond-plan"
PENDING = "pending"
SWITCHING, CONVERGING, DONE = "switching", "converging", "done"
IMAGE_PULL, MODULE_ERROR = "image-pull", "module-error"
OVERRIDDEN, DISABLED = "overridden", "disabled"

AT_REST = frozenset({DONE, OVERRIDDEN, DISABLED})
SCHEDULED = frozenset({WINDOW, CANARY, NOTIFICATION})
"""What the cluster waits for on purpose, and apply-now ends."""
MODULE_ERRORS = frozenset({"Error", "DownloadingError", "Conflict"})
_READY = "Ready"
_UNTIL = re.compile(r"\buntil ([^,;]+)")
_ORDER = re.compile(r"awaiting for (\S+) release to be deployed", re.IGNORECASE)
_SAYINGS: tuple[tuple[str, str], ...] = (
    (NOTIFICATION, r"send release notification"),
    (GAP, r"(minor|major) version is greater than deployed|channel accepts|exceeds .*channel"),
    (DISRUPTION, r"disruption approval"),
    (REQUIREMENTS, r"requirement|not met"),
    (ORDER, r"awaiting for \S+ release to be deployed"),
    (POD, r"awaiting for .*to be ready"),
    (APPROVAL, r"/approved\b"),
    (POLICY, r"update policy .*not (found|set)"),
    (NOTIFICATION, r"by notification"),
    (WINDOW, r"update window"),
    (CANARY, r"postponed"),
    (IS_SUSPENDED, r"is suspended"),
)
_PATTERNS = tuple((state, re.compile(pattern, re.IGNORECASE | re.DOTALL)) for state, pattern in _SAYINGS)
_TRANSIENT = re.compile(r"is not set|checking", re.IGNORECASE)


@dataclass(frozen=True)
class State:
    """What a release or the platform is at: `release` names the object, `message` is what the cluster says of it.

    `until` is when the cluster means to go on, as it writes that. `reasons` are what has to be mended or is still open.
    """

    name: str
    release: str = ""
    version: Version | None = None
    message: str = ""
    until: str | None = None
    reasons: tuple[str, ...] = ()

    @property
    def may_pass(self) -> bool:
        """Whether requirements fail for facts that Deckhouse has not collected yet (§4.1)."""
        return self.name == REQUIREMENTS and may_pass(self.message)


def may_pass(message: str) -> bool:
    """Whether the cluster says that it does not know yet (§4.1: facts that are not set, or are being computed)."""
    return _TRANSIENT.search(message) is not None


def saying(message: str, *, approved: bool) -> str:
    """The state of a release in phase Pending by its message; an approval that was given is none to wait for."""
    for state, pattern in _PATTERNS:
        if pattern.search(message) and not (approved and state == APPROVAL):
            return state
    return APPROVED if approved else PENDING


def awaited(message: str) -> Version | None:
    """The release that has to be deployed first, where the message says so."""
    found = _ORDER.search(message)
    return parse_version(found[1]) if found else None


def waiting_state(release: Release, at: Version | None) -> State:
    """The state of the release that comes next, while `at` is deployed."""
    facts = release.facts
    name = IS_SUSPENDED if facts.phase == SUSPENDED else saying(facts.message, approved=facts.approved)
    found = _UNTIL.search(facts.message)
    until = found[1].strip() if found else facts.apply_after if name in SCHEDULED else None
    reasons: tuple[str, ...] = ()
    if name == GAP and at is not None:
        reasons = missing_minors(at, release.version)
    elif name == REQUIREMENTS:
        reasons = tuple(part.strip() for part in facts.message.split(";") if part.strip())
    return State(name, release.name, release.version, facts.message, until, reasons)


def missing_minors(at: Version, target: Version) -> tuple[str, ...]:
    """The minors between two versions of one major, ``v1.69``."""
    if at.major != target.major:
        return ()
    return tuple(f"v{at.major}.{minor}" for minor in range(at.minor + 1, target.minor))


def platform_rest(observation: Observation, accepted: Collection[str] = ()) -> State:
    """Whether what is deployed of the platform is done by §10.3, or what is open.

    `accepted` are states that the user takes for granted: image-pull, module-error.
    """
    deployed, at = observation.deployed, observation.at
    open_first = tuple(_not_switched(observation, deployed, at))
    errors = () if MODULE_ERROR in accepted else tuple(_module_errors(observation))
    open_then = (*_not_converged(observation, at), *errors)
    pulls = () if IMAGE_PULL in accepted else tuple(map(str, observation.pull_failures))
    label = deployed.name if deployed is not None else ""
    message = deployed.facts.message if deployed is not None else ""
    if pulls:
        return State(IMAGE_PULL, label, at, message, reasons=pulls)
    if open_first:
        return State(SWITCHING, label, at, message, reasons=open_first)
    if errors and errors == open_then:
        return State(MODULE_ERROR, label, at, message, reasons=errors)
    return State(CONVERGING if open_then else DONE, label, at, message, reasons=open_then)


def _not_switched(observation: Observation, deployed: Release | None, at: Version | None) -> Iterable[str]:
    """§10.3, 2 and 3."""
    if deployed is not None and deployed.facts.updating:
        yield "it is being updated (isUpdating)"
    if None not in (observation.switched, at) and observation.switched != at:
        yield f"the image of Deckhouse is that of {observation.switched}"
    if not observation.rollout.is_complete:
        yield observation.rollout.told


def _not_converged(observation: Observation, at: Version | None) -> Iterable[str]:
    """§10.3, 4 to 6, without modules in error."""
    if observation.version is None or (at is not None and observation.version != at):
        yield f"what is reconciled is {observation.version or 'unknown'}"
    if observation.queue is not None and observation.queue.main > 0:
        yield f"{observation.queue.main} tasks in the main queue"
    for name, module in observation.modules.items():
        phase = module.facts.phase
        if module.facts.enabled and module.is_critical and phase not in (None, _READY, *MODULE_ERRORS):
            yield f"module {name} is {phase}"


def _module_errors(observation: Observation) -> Iterable[str]:
    for name, module in observation.modules.items():
        if module.facts.enabled and module.facts.phase in MODULE_ERRORS:
            yield f"module {name} is in phase {module.facts.phase}{told(module.message)}"


def told(message: str) -> str:
    """A message behind something, or nothing."""
    return f": {message}" if message else ""


def platform_next(observation: Observation, last: Version | None) -> State:
    """What the release of the platform that comes next is at; `last` is the highest that the plan leads to."""
    release = next_release(observation.releases, observation.at)
    if release is None:
        return State(DISCOVERY)
    found = waiting_state(release, observation.at)
    if found.name == ORDER:
        # The one it waits for has no object of its own that could come first.
        return State(ORDER, release.name, awaited(found.message), found.message)
    return _within(found, last)


def _within(found: State, last: Version | None) -> State:
    """Nobody checked what lies beyond the plan. Of its last minor a higher patch is welcome: it overtakes."""
    is_beyond = last is not None and found.version is not None and found.version.series > last.series
    if is_beyond and found.name in (APPROVAL, *SCHEDULED):
        return State(BEYOND, found.release, found.version, found.message, found.until)
    return found


def module_state(observation: Observation, name: str, target: Version, planned: Collection[Version] = ()) -> State:
    """What a module is at on its way to `target`; `planned` are its steps, for telling a frozen chain from a gap."""
    module = observation.modules.get(name)
    if module is None:
        return State(DISCOVERY, message=_source_trouble(observation, name, None))
    if module.facts.override is not None:
        return State(OVERRIDDEN, message=f"pinned to {module.facts.override} by its ModulePullOverride")
    if not module.facts.enabled:
        return State(DISABLED)
    deployed = highest_deployed(module.releases)
    at = deployed.version if deployed is not None else module.facts.version
    if deployed is not None and (at is None or at >= target):
        return module_rest(module, deployed, at)
    release = next_release(module.releases, at)
    if release is None:
        resting = module_rest(module, deployed, at) if deployed is not None else State(DONE)
        trouble = _source_trouble(observation, name, module)
        return State(DISCOVERY, message=trouble) if resting.name == DONE or trouble else resting
    found = _within(waiting_state(release, at), max((target, *planned)))
    if found.name == GAP and _is_frozen(observation, found, at, name, planned):
        return State(FROZEN, found.release, found.version, found.message, reasons=found.reasons)
    return found


def module_rest(module: ModuleLook, deployed: Release, at: Version | None) -> State:
    """Whether the module runs what is deployed of it (§10.3), or what is open."""
    phase, label = module.facts.phase, deployed.name
    if phase in MODULE_ERRORS:
        reason = f"phase {phase}{told(module.message)}"
        return State(MODULE_ERROR, label, at, deployed.facts.message, reasons=(reason,))
    open_yet = []
    if deployed.facts.updating:
        open_yet.append("it is being updated (isUpdating)")
    if phase not in (None, _READY):
        open_yet.append(f"phase {phase}{told(module.message)}")
    if None not in (module.shown, at) and module.shown != at:
        open_yet.append(f"the module shows {module.shown}")
    return State(CONVERGING if open_yet else DONE, label, at, deployed.facts.message, reasons=tuple(open_yet))


def _is_frozen(
    observation: Observation, found: State, at: Version | None, name: str, planned: Collection[Version]
) -> bool:
    """Whether the minors between are in the registry and the cluster looks no more (§5.3).

    The source complains of what is missing; where it does not, and the plan has releases between, they came too late.
    """
    between = [
        step for step in planned if found.version is not None and (at is None or at < step) and step < found.version
    ]
    return bool(between) and not any(source.errors.get(name) for source in observation.sources.values())


def _source_trouble(observation: Observation, name: str, module: ModuleLook | None) -> str:
    """What the sources say of the module, or of themselves where they name no module at all."""
    wanted = module.facts.source if module is not None else None
    sources = [each for key, each in observation.sources.items() if wanted in (None, key)]
    for source in sources:
        if name in source.errors:
            return source.errors[name]
    return next((source.message for source in sources if source.message and not source.errors), "")
