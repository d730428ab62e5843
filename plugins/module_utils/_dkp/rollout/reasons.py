# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Why a rollout stops, with what to do about it (dkp-cluster.md §9)."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ..findings import Finding
from ..nearest import listed
from ..version import Version
from . import states
from .observation import Observation
from .situation import PLATFORM
from .states import State, told

_LATE = Version(1, 76, 0)
"""Every version from here on creates intermediate module releases that were mirrored late (§5.3)."""
_NO_PLATFORM_RELEASE = (
    "Check the registry that the cluster reads: that its channel points to the target (P1), that release-channel "
    "has the tag "
    "of the target itself, without which newer versions of Deckhouse stay silent (P2), and that no minor between "
    "is missing "
    "(P3). The alert DeckhouseUpdatingFailed and the log of Deckhouse tell more"
)
_NO_MODULE_RELEASE = (
    "Check the registry that its ModuleSource reads: that modules has a tag with the name of the module (M1), that the "
    "channel of the module points to the target (M2), that no minor between is missing (M3), and that every "
    "release has "
    "its tag below release (M4)"
)


def stop_of(name: str, state: State, observation: Observation) -> Finding:
    """The finding for `state`, in which `name` (the platform, or a module) does not get on by waiting."""
    identity, explain = _EXPLAINED[state.name]
    message, hint = explain(name, state, observation)
    return Finding(identity, "error", state.release or name, message, hint)


def is_explained(state: State) -> bool:
    """Whether `stop_of` knows the state."""
    return state.name in _EXPLAINED


def refusal_of(observation: Observation) -> Finding | None:
    """Why a rollout cannot even begin: the release machinery of the cluster is idle, or it has no registry outside."""
    if observation.channel is None:
        return Finding(
            "no_channel",
            "error",
            observation.name,
            f"{observation.name} has no release channel, so that Deckhouse creates no releases and nothing can be "
            "rolled out",
            "Set spec.settings.releaseChannel in ModuleConfig deckhouse to the channel that the plan is for",
        )
    if observation.registry_mode == "Local":
        return Finding(
            "local_registry",
            "error",
            observation.name,
            f"{observation.name} has its registry in mode Local: its images lie inside of the cluster, and it never "
            "looks "
            "into a registry outside",
            "Load releases into it with d8 mirror, or set ModuleConfig deckhouse to mode Direct, Proxy or Unmanaged",
        )
    return None


def timed_out(holding: Mapping[str, State], seconds: float) -> Finding:
    """The finding for a wait that took longer than the user allows."""
    at = "; ".join(f"{name} is at {described(state)}" for name, state in holding.items())
    return Finding(
        "timeout",
        "error",
        listed(list(holding)),
        f"nothing has come to an end for {seconds:.0f} seconds: {at}",
        "Look into the log of Deckhouse. Run the rollout again, which goes on where the cluster is, or allow more time "
        "(timeout)",
    )


def described(state: State) -> str:
    """A state in words: name, object, what the cluster says, and until when."""
    release = f" {state.release}" if state.release else ""
    until = f" (until {state.until})" if state.until and state.until not in state.message else ""
    said = state.message or "; ".join(state.reasons)
    if state.name in (states.SWITCHING, states.CONVERGING, states.IMAGE_PULL, states.MODULE_ERROR):
        said = "; ".join(state.reasons[:5]) or state.message
    return f"{state.name}{release}{told(said)}{until}"


def _requirements(name: str, state: State, observation: Observation) -> tuple[str, str]:
    reasons = "; ".join(state.reasons) or state.message
    return (
        f"{_of(name)}{state.release} cannot be deployed, for requirements are not met: {reasons}",
        "Meet them in the cluster, then run the rollout again",
    )


def _disruption(name: str, state: State, observation: Observation) -> tuple[str, str]:
    return (
        f"{state.release} would disrupt what runs, and the cluster wants that confirmed: {state.message}",
        f"Confirm it with: kubectl annotate deckhouserelease {state.release} "
        "release.deckhouse.io/disruption-approved=true",
    )


def _policy(name: str, state: State, observation: Observation) -> tuple[str, str]:
    return (
        f"{_of(name)}{state.release} waits for a ModuleUpdatePolicy: {state.message}",
        "Name one that exists in spec.updatePolicy of the module's ModuleConfig, or none",
    )


def _suspended(name: str, state: State, observation: Observation) -> tuple[str, str]:
    return (
        f"{_of(name)}{state.release} is suspended: the vendor has withdrawn it for now",
        "Wait for a newer release, or for the vendor to withdraw the suspension; then plan, pull and push again",
    )


def _gap(name: str, state: State, observation: Observation) -> tuple[str, str]:
    missing = f": missing {listed(state.reasons)}" if state.reasons else ""
    where = "release-channel (P3)" if name == PLATFORM else f"modules/{name} and modules/{name}/release (M3, M4)"
    complaint = _complaint(name, observation)
    return (
        f"{_of(name)}{state.release} is too far from what is deployed{missing}. The cluster says: "
        f"{state.message}{complaint}",
        f"Bring the releases between into the private registry, into {where}: plan with what the cluster runs now, "
        "pull, push",
    )


def _frozen(name: str, state: State, observation: Observation) -> tuple[str, str]:
    newer = observation.version is not None and observation.version >= _LATE
    known = "" if newer else " Versions of Deckhouse before 1.76 do so"
    return (
        f"{_of(name)}{state.release} waits for {listed(state.reasons)}, which came into the registry after it: its "
        "chain is frozen, "
        f"and the cluster creates no releases between any more.{known}",
        f"Delete it, so that the cluster looks again: kubectl delete modulerelease {state.release}",
    )


def _beyond(name: str, state: State, observation: Observation) -> tuple[str, str]:
    return (
        f"{_of(name)}{state.release} is what the cluster wants to deploy next, and lies beyond the plan: nobody has "
        "checked it",
        "Make the plan anew, with what the cluster runs now",
    )


def _pulls(name: str, state: State, observation: Observation) -> tuple[str, str]:
    return (
        f"images cannot be pulled: {listed(state.reasons)}",
        "Check these images in the private registry (P5, P7, M6, M7) and that the nodes reach it; push again what "
        "is missing. "
        "The pods recover by themselves. What has nothing to do with this may be accepted (accept_findings: "
        "[image_pull])",
    )


def _modules(name: str, state: State, observation: Observation) -> tuple[str, str]:
    return (
        f"{_of(name) if name != PLATFORM else ''}{listed(state.reasons)}",
        "Look at the Module and into the log of Deckhouse. For Conflict choose a source in ModuleConfig "
        "(spec.source). What was so "
        "before may be accepted (accept_findings: [module_error])",
    )


def _discovery(name: str, state: State, observation: Observation) -> tuple[str, str]:
    if name == PLATFORM:
        return (
            f"the cluster has not created any release after {observation.at}, though the plan has one",
            _NO_PLATFORM_RELEASE,
        )
    source = f". Its source says: {state.message}" if state.message else ""
    return (
        f"the cluster has not created the next release of module {name}{source}{_synced(observation)}",
        _NO_MODULE_RELEASE,
    )


def _synced(observation: Observation) -> str:
    times = [
        f"{name} was read at {source.sync_time}" for name, source in observation.sources.items() if source.sync_time
    ]
    return f". ModuleSource {', '.join(times)}" if times else ""


def _complaint(name: str, observation: Observation) -> str:
    said = [source.errors[name] for source in observation.sources.values() if name in source.errors]
    return f". Its ModuleSource says: {said[0]}" if said else ""


def _of(name: str) -> str:
    return "" if name == PLATFORM else f"module {name}: "


_Explain = Callable[[str, State, Observation], tuple[str, str]]
_EXPLAINED: Mapping[str, tuple[str, _Explain]] = {
    states.REQUIREMENTS: ("requirements", _requirements),
    states.DISRUPTION: ("disruption", _disruption),
    states.POLICY: ("policy", _policy),
    states.IS_SUSPENDED: ("suspended", _suspended),
    states.GAP: ("gap", _gap),
    states.FROZEN: ("frozen_chain", _frozen),
    states.BEYOND: ("beyond_plan", _beyond),
    states.IMAGE_PULL: ("image_pull", _pulls),
    states.MODULE_ERROR: ("module_error", _modules),
    states.DISCOVERY: ("no_release", _discovery),
}
STATE_OF_FINDING = {identity: state for state, (identity, _explain) in _EXPLAINED.items()}
"""The states that findings are about, for those that may be accepted by their ids."""
