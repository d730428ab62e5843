# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later


"""Where one cluster stands, put together from what was answered. What was not is told with its reason."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from ..channels import in_order
from ..cluster.facts import ClusterFacts
from ..findings import Finding
from ..plan.module_choice import DEFAULT_SOURCE
from ..plan.offer import Vendor
from ..rollout.states import SWITCHING
from ..version import Version
from .answers import Answer, Answers, failure, inventory_of, vendor_of
from .document import ClusterStatus, Noted, Part, Queue, Track
from .next_step import Situation, next_step
from .tracks import Place, module_tracks, platform_track


@dataclass(frozen=True)
class Asked:
    """One cluster. `facts`: None where it could not be read, for the `reason`. `progress`: the result of
    `rollout_info`. `source` and `registry`: which of the answers are about it, where there are several."""

    facts: ClusterFacts | None = None
    reason: str = ""
    progress: Mapping[str, Any] | None = None
    source: str | None = None
    registry: str | None = None


def cluster_status(asked: Asked, answers: Answers, *, module_source: str = DEFAULT_SOURCE) -> ClusterStatus:
    """Where the cluster stands, and what to do next. Raises nothing for what was not answered."""
    platform, modules = vendor_of(answers, asked.facts, asked.source)
    inventory = inventory_of(answers, asked.facts, asked.registry)
    progress = _progress(asked, answers)
    parts = {
        "cluster": Part(asked.facts is not None, "" if asked.facts is not None else asked.reason or "not asked"),
        "progress": Part(progress.value is not None, progress.reason),
        "vendor": _part(platform, _offered_channels(platform.value)),
        "vendor_modules": _part(modules, {}),
        "registry": _part(inventory, inventory.value.platform.channels if inventory.value is not None else {}),
    }
    status = ClusterStatus(parts=parts)
    if asked.facts is not None:
        place = Place(platform.value, modules.value, inventory.value, progress.value, module_source)
        status = _judged(status, asked.facts, place)
    return replace(status, next=next_step(Situation(status, inventory.value)))


def _judged(status: ClusterStatus, facts: ClusterFacts, place: Place) -> ClusterStatus:
    platform, of_platform = platform_track(facts, place)
    modules, of_modules = module_tracks(facts, place)
    observed = place.progress or {}
    told = [_noted(each) for each in observed.get("findings") or ()]
    told += [_as_noted(each) for each in (*of_platform, *of_modules)]
    updating = _updating(facts, observed)
    followed = [platform, *(track for track in modules.values() if track.followed)]
    return replace(
        status,
        up_to_date=False if updating is not None else _all_up_to_date(followed, facts),
        edition=facts.edition,
        update_mode=facts.update_mode,
        updating=updating,
        platform=platform,
        modules=modules,
        queue=_queue(observed),
        findings=tuple(told),
    )


def _progress(asked: Asked, answers: Answers) -> Answer:
    result = asked.progress
    if asked.facts is None:
        return Answer(reason=asked.reason or "not asked")
    if not result:
        return Answer(reason=answers.not_asked.get("progress") or "not asked")
    told = failure(result)
    return Answer(reason=told) if told else Answer(result)


def _noted(finding: Mapping[str, Any]) -> Noted:
    told = {key: str(finding.get(key) or "") for key in ("id", "severity", "subject", "message", "hint")}
    return replace(_as_noted(Finding(**told)), observed=True)


def _as_noted(finding: Finding) -> Noted:
    return Noted(finding.id, finding.severity, finding.subject, finding.message, finding.hint)


def _part(answer: Answer, channels: Mapping[str, Version]) -> Part:
    ordered = {name: channels[name] for name in in_order(channels)}
    return Part(answer.value is not None, answer.reason, answer.where, ordered)


def _offered_channels(vendor: Vendor | None) -> dict[str, Version]:
    offer = vendor.platform if vendor is not None else None
    return {name: state.version for name, state in offer.channels.items() if state is not None} if offer else {}


def _updating(facts: ClusterFacts, observed: Mapping[str, Any]) -> Version | None:
    """The version that the cluster is being switched to: by its Deployment, or as the release itself says."""
    if facts.switched_version not in (None, facts.version):
        return facts.switched_version
    is_switching = (observed.get("platform") or {}).get("state") == SWITCHING
    if is_switching or (observed.get("cluster") or {}).get("updating"):
        return facts.switched_version or facts.version
    return next((each.version for each in facts.releases or () if each.updating), None)


def _all_up_to_date(tracks: list[Track], facts: ClusterFacts) -> bool | None:
    if any(track.up_to_date is False for track in tracks):
        return False
    is_whole = facts.modules is not None and all(track.up_to_date for track in tracks)
    return True if is_whole else None


def _queue(observed: Mapping[str, Any]) -> Queue:
    told = observed.get("queue") or {}
    return Queue(bool(told.get("readable")), told.get("main"), told.get("total"))
