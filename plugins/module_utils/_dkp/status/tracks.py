# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later


"""Where the platform and each module stand: what runs, what the private registry and the vendor have, what waits."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from ..cluster.facts import ClusterFacts, ReleaseFacts
from ..cluster.releases import PENDING
from ..findings import Finding
from ..plan.cluster_plan import running_version
from ..plan.inventory import Held, Inventory
from ..plan.module_choice import Asked, ModuleChoice, modules_to_plan
from ..plan.offer import Offer, Vendor
from ..plan.route import Question, find_route
from ..rollout import states
from ..rollout.observation import SUSPENDED
from ..version import Version
from .document import Track, Waiting

_UNDER_WAY = (states.SWITCHING, states.CONVERGING, states.IMAGE_PULL, states.MODULE_ERROR)


@dataclass(frozen=True)
class Place:
    """What is known around a cluster; None where it is not known. `progress`: the result of `rollout_info`."""

    platform: Vendor | None = None
    modules: Vendor | None = None
    inventory: Inventory | None = None
    progress: Mapping[str, Any] | None = None
    module_source: str = "deckhouse"


def platform_track(facts: ClusterFacts, place: Place) -> tuple[Track, list[Finding]]:
    """The platform, and what stands in its way to the vendor's version."""
    held = place.inventory.platform if place.inventory is not None else None
    offer = place.platform.platform if place.platform is not None else None
    told = (place.progress or {}).get("platform") or {}
    waiting = tuple(_waiting(facts.releases or (), told))
    question = Question(None, running_version(facts), facts.channel, held=held)
    track, findings = _track(question, offer, waiting)
    note = "; ".join(each for each in (_under_way(told), track.note) if each)
    return replace(track, runs=facts.version, note=note), findings


def module_tracks(facts: ClusterFacts, place: Place) -> tuple[dict[str, Track], list[Finding]]:
    """Every enabled module that does not come with the platform, and what stands in its way."""
    tracks: dict[str, Track] = {}
    findings: list[Finding] = []
    observed = (place.progress or {}).get("modules") or {}
    known = facts.modules or {}
    for each in modules_to_plan(facts, ModuleChoice(source=place.module_source)):
        name = each.name if isinstance(each, Asked) else each.subject
        module, told = known[name], observed.get(name) or {}
        phase = told.get("phase") or module.phase
        if isinstance(each, Finding):
            tracks[name] = Track(module.version, module.channel, followed=False, phase=phase, note=each.message)
            continue
        held = place.inventory.module(name) if place.inventory is not None else None
        offer = place.modules.modules.get(name) if place.modules is not None else None
        missing = place.modules is not None and (offer is None or not offer.exists)
        question = Question(name, each.start, each.channel, held=held)
        waiting = tuple(_waiting(module.releases, told, prefix=f"{name}-"))
        track, found = _track(question, Offer() if missing else offer, waiting, phase=phase, is_missing=missing)
        tracks[name] = track
        findings += found
    return dict(sorted(tracks.items())), findings


def _track(
    question: Question,
    offer: Offer | None,
    waiting: tuple[Waiting, ...],
    *,
    phase: str | None = None,
    is_missing: bool = False,
) -> tuple[Track, list[Finding]]:
    start, channel, held = question.start, question.channel, question.held
    was_read = offer is not None and channel in offer.channels
    pointer = held.channels.get(channel) if held is not None and channel is not None else None
    vendor: Version | None = None
    steps: tuple[Version, ...] = ()
    findings: list[Finding] = []
    suspended = False
    if offer is not None and channel is not None and was_read:
        route = find_route(question, offer)
        vendor, steps = route.end, route.steps
        findings = [each for each in route.findings if each.severity == "error"]
        state = offer.channels.get(channel)
        suspended = state is not None and state.suspended
    takes = [each for each in (pointer, None if suspended else vendor) if each is not None]
    takes += [each.version for each in waiting if each.state != states.IS_SUSPENDED]
    track = Track(
        runs=start,
        channel=channel,
        registry=pointer,
        vendor=vendor,
        steps=steps,
        waiting=waiting,
        incomplete=tuple(_incomplete(held, start, pointer)),
        up_to_date=_up_to_date(start, takes, vendor),
        phase=phase,
        note=_note(question, offer, is_missing=is_missing, is_suspended=suspended and vendor != start),
    )
    return track, findings


def _up_to_date(start: Version | None, takes: Iterable[Version], vendor: Version | None) -> bool | None:
    """False as soon as anybody has something newer; true only where the vendor has it, and nothing newer."""
    if any(start is None or version > start for version in takes):
        return False
    return True if None not in (start, vendor) else None


def _incomplete(held: Held | None, start: Version | None, pointer: Version | None) -> Iterator[Version]:
    """What runs, and what lies between that and the pointer, as far as the private registry lacks some of it."""
    if held is None:
        return
    wanted = {each for each in (start, pointer) if each is not None}
    if start is not None and pointer is not None:
        wanted |= {each for each in held.versions if start < each < pointer}
    yield from sorted(each for each in wanted if not held.is_complete(each))


def _note(question: Question, offer: Offer | None, *, is_missing: bool, is_suspended: bool) -> str:
    channel = question.channel
    if channel is None:
        return "follows no release channel"
    if is_missing:
        return "the vendor does not have it"
    if is_suspended:
        return f"the vendor has suspended the channel {channel}"
    if offer is not None and offer.channels.get(channel) is None:
        return f"the vendor has no channel {channel} of it" if channel in offer.channels else f"{channel} was not read"
    return ""


def _under_way(told: Mapping[str, Any]) -> str:
    """What is deployed and has not come to rest."""
    return f"{told['state']}: {told.get('message') or 'under way'}" if told.get("state") in _UNDER_WAY else ""


def _waiting(releases: Iterable[ReleaseFacts], told: Mapping[str, Any], *, prefix: str = "") -> Iterator[Waiting]:
    """The releases that wait, ascending. What was observed of one comes later than its facts, and knows more.

    `prefix`: what names of objects have before the version.
    """
    for release in sorted(releases, key=lambda each: each.version):
        if release.phase not in (PENDING, SUSPENDED):
            continue
        seen = told if str(told.get("release") or "") in (str(release.version), f"{prefix}{release.version}") else {}
        message = str(seen.get("message") or release.message)
        state = str(seen.get("state") or _state(release, message))
        yield Waiting(
            version=release.version,
            state=state,
            message=message,
            until=seen.get("until") or (release.apply_after if state in states.SCHEDULED else None),
            approved=release.approved or bool(seen.get("approved")),
        )


def _state(release: ReleaseFacts, message: str) -> str:
    if release.phase == SUSPENDED:
        return states.IS_SUSPENDED
    return states.saying(message, approved=release.approved)
