# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later


"""What to do next about a cluster: the first rule that has something to say."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ..nearest import listed
from ..plan.inventory import Inventory
from ..rollout import states
from ..version import Version
from .document import ClusterStatus, Next, Track, Waiting

_BLOCKED = (
    states.REQUIREMENTS,
    states.DISRUPTION,
    states.POLICY,
    states.GAP,
    states.FROZEN,
    states.IS_SUSPENDED,
)
_MOST_NAMED = 12


@dataclass(frozen=True)
class Situation:
    """A status without its `next`, and what the private registry holds, None where that is not known."""

    status: ClusterStatus
    inventory: Inventory | None = None


def next_step(situation: Situation) -> Next:
    """What to do next. What runs comes first, then what only waits for a word, then what has to be carried."""
    for rule in _RULES:
        found = rule(situation)
        if found is not None:
            return found
    return _nothing(situation)


def _unreadable(situation: Situation) -> Next | None:
    part = situation.status.part("cluster")
    return None if part.known else Next("connect", "make the cluster readable, and ask again")


def _troubled(situation: Situation) -> Next | None:
    """What is broken in what runs; of releases that are blocked those of the platform come first, by other rules."""
    waiting = {
        f"{name}-{each.version}" if name != "platform" else str(each.version)
        for name, track in situation.status.tracks
        for each in track.waiting
    }
    for finding in situation.status.findings:
        if finding.observed and finding.severity == "error" and finding.subject not in waiting:
            hint = f". {finding.hint}" if finding.hint else ""
            return Next("repair", f"{finding.message}{hint}", _subjects(finding.subject))
    return None


def _updating(situation: Situation) -> Next | None:
    version = situation.status.updating
    if version is None:
        return None
    return Next("wait", f"wait until the cluster has finished its update to {version}", (str(version),))


def _blocked_platform(situation: Situation) -> Next | None:
    return _blocked("platform", situation.status.platform)


def _incomplete_way(situation: Situation) -> Next | None:
    """The cluster must not go on to what lacks images."""
    lacking = [
        _named(name, version)
        for name, track in situation.status.tracks
        for version in track.incomplete
        if _is_ahead(version, track.runs)
    ]
    return _push(lacking)


def _incomplete(situation: Situation) -> Next | None:
    """What runs cannot be started on another node."""
    return _push([_named(name, version) for name, track in situation.status.tracks for version in track.incomplete])


def _push(lacking: list[str]) -> Next | None:
    if not lacking:
        return None
    message = f"the private registry lacks images of {listed(lacking)}; carry them again (dkp.airgap.update)"
    return Next("push", message, _subjects(*lacking))


def _approval(situation: Situation) -> Next | None:
    """The lowest release of each that waits for a word; the platform's alone, which modules may depend on."""
    waiting = [(name, each) for name, each in _first_waiting(situation.status) if each.state == states.APPROVAL]
    names = [_named(name, each.version) for name, each in waiting]
    if waiting and waiting[0][0] == "platform":
        names = names[:1]
    if not names:
        return None
    return Next("approve", f"approve {listed(names)} (dkp.airgap.rollout with dkp_approve: always)", _subjects(*names))


def _platform_waits(situation: Situation) -> Next | None:
    return _waits("platform", situation.status.platform)


def _publish(situation: Situation) -> Next | None:
    """What the vendor's channels point at lies in the private registry already, and nobody can see it yet."""
    inventory = situation.inventory
    if inventory is None:
        return None
    ready = []
    for name, track in situation.status.tracks:
        held = inventory.platform if name == "platform" else inventory.module(name)
        if _is_ahead(track.vendor, track.runs, track.registry) and held.is_complete(track.vendor):  # type: ignore[arg-type]
            ready.append(_named(name, track.vendor))
    if not ready:
        return None
    return Next("publish", f"check and publish {listed(ready)} (dkp.airgap.publish)", _subjects(*ready))


def _carry(situation: Situation) -> Next | None:
    wanted = [
        _named(name, track.vendor)
        for name, track in situation.status.tracks
        if track.up_to_date is False and _is_ahead(track.vendor, track.runs, track.registry, *_known(track))
    ]
    if not wanted:
        return None
    return Next("update", f"carry {listed(wanted)} to the private registry (dkp.airgap.update)", _subjects(*wanted))


def _discovery(situation: Situation) -> Next | None:
    """The private registry points at what the cluster has not seen yet; it looks every few minutes."""
    seen = [
        _named(name, track.registry)
        for name, track in situation.status.tracks
        if not track.waiting and _is_ahead(track.registry, track.runs)
    ]
    return Next("wait", f"wait until Deckhouse finds {listed(seen)}", _subjects(*seen)) if seen else None


def _modules(situation: Situation) -> Next | None:
    for name, track in situation.status.tracks:
        if name != "platform":
            found = _blocked(name, track) or _waits(name, track)
            if found is not None:
                return found
    return None


def _no_channel(situation: Situation) -> Next | None:
    if situation.status.platform.channel is not None:
        return None
    return Next("configure", "set releaseChannel in the ModuleConfig deckhouse: the cluster follows no release channel")


def _nothing(situation: Situation) -> Next:
    if situation.status.up_to_date:
        return Next("none", "nothing to do")
    unknown = [name for name in ("vendor", "vendor_modules", "registry") if not situation.status.part(name).known]
    if unknown == ["registry"] or not unknown:
        return Next("none", "nothing to do that is known of")
    return Next("none", "nothing to do here; whether the vendor has more has to be asked where it can be reached")


_RULES = (
    _unreadable,
    _troubled,
    _updating,
    _blocked_platform,
    _incomplete_way,
    _approval,
    _platform_waits,
    _publish,
    _carry,
    _discovery,
    _incomplete,
    _modules,
    _no_channel,
)


def _blocked(name: str, track: Track) -> Next | None:
    """Waiting cures none of these."""
    if not track.waiting or track.waiting[0].state not in _BLOCKED:
        return None
    first = track.waiting[0]
    named = _named(name, first.version)
    return Next(
        "repair", f"{named} does not get on ({first.state}): {first.message or 'no reason given'}", _subjects(named)
    )


def _waits(name: str, track: Track) -> Next | None:
    if not track.waiting:
        return None
    first = track.waiting[0]
    named = _named(name, first.version)
    until = f" until {first.until}" if first.until else ""
    reason = f": {first.message}" if first.message else ""
    return Next("wait", f"wait{until} for {named}{reason}", _subjects(named))


def _first_waiting(status: ClusterStatus) -> Iterator[tuple[str, Waiting]]:
    return ((name, track.waiting[0]) for name, track in status.tracks if track.waiting)


def _known(track: Track) -> Iterator[Version]:
    """The releases that the cluster knows already; it has seen them in the private registry."""
    return (each.version for each in track.waiting)


def _is_ahead(version: Version | None, *others: Version | None) -> bool:
    return version is not None and all(other is None or version > other for other in others)


def _named(name: str, version: Version | None) -> str:
    return f"{version}" if name == "platform" else f"{name} {version}"


def _subjects(*names: str) -> tuple[str, ...]:
    return tuple(name for name in names[:_MOST_NAMED] if name)
