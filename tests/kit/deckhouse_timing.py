# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later


"""When Deckhouse deploys a release whose turn it is: approval, windows, delays, requirements, with its own texts
(dkp-cluster.md §1.6, §1.7, §4).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import Any

from ansible_collections.dkp.airgap.plugins.module_utils._dkp.version import Version, parse_version

from .kube_client import KubeObject

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_TIME = "%Y-%m-%dT%H:%M:%SZ"
_UNTIL = "%d %b %y %H:%M UTC"


@dataclass(frozen=True)
class Policy:
    """What a release follows: the channel as its tag is spelt, the mode, and windows as settings have them."""

    name: str
    channel: str
    mode: str
    windows: Sequence[Mapping[str, Any]] = ()


def now() -> datetime:
    return datetime.now(timezone.utc)


def stamp(moment: datetime | None = None) -> str:
    """A time as the API has it."""
    return (moment or now()).strftime(_TIME)


def channel_tag(name: str) -> str:
    """``EarlyAccess`` -> ``early-access``; ``LTS`` -> ``lts``."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "-", name).lower()


def policy_of_settings(settings: Mapping[str, Any]) -> Policy:
    """That of ModuleConfig ``deckhouse``, which platform and modules follow where nothing else is said."""
    update = settings.get("update") or {}
    channel = channel_tag(settings.get("releaseChannel", ""))
    return Policy("", channel, update.get("mode") or "AutoPatch", tuple(update.get("windows") or ()))


def policy_of_object(policy: KubeObject) -> Policy:
    """That of a ModuleUpdatePolicy."""
    spec = policy["spec"]
    update = spec.get("update") or {}
    channel = channel_tag(spec.get("releaseChannel") or "Stable")
    mode, windows = update.get("mode") or "Auto", tuple(update.get("windows") or ())
    return Policy(policy["metadata"]["name"], channel, mode, windows)


def waits_for(
    policy: Policy, *, is_patch: bool, approved: bool, annotation: str, apply_after: str = "", moment: datetime
) -> str:
    """Why a release waits, as its message says it; ``""``: for nothing."""
    by_hand = policy.mode == "Manual" or (policy.mode == "AutoPatch" and not is_patch)
    reasons, until = [], None
    if not by_hand:
        after = datetime.strptime(apply_after, _TIME).replace(tzinfo=timezone.utc) if apply_after else moment
        opens = next_opening(policy.windows, max(after, moment))
        if after > moment:
            reasons.append("postponed")
            until = after
        if opens > max(after, moment):
            reasons.append("waiting for the update window")
            until = opens
    if by_hand and not approved:
        reasons.append(f"waiting for the '{annotation}: \"true\"' annotation")
    if not reasons:
        return ""
    return f"Release is {', '.join(reasons)}" + (f" until {until.strftime(_UNTIL)}" if until else "")


def next_opening(windows: Sequence[Mapping[str, Any]], moment: datetime) -> datetime:
    """`moment` itself in a window or without any, else when the next one opens."""
    if not windows:
        return moment
    openings = []
    for ahead in range(8):
        day = moment + timedelta(days=ahead)
        for window in windows:
            if window.get("days") and _DAYS[day.weekday()] not in window["days"]:
                continue
            start, end = (_at(day, window[edge]) for edge in ("from", "to"))
            if end > moment:
                openings.append(max(start, moment))
    return min(openings, default=moment)


def _at(day: datetime, time: str) -> datetime:
    hour, minute = map(int, time.split(":"))
    return day.replace(hour=hour, minute=minute, second=0, microsecond=0)


@dataclass(frozen=True)
class State:
    """What requirements are compared with."""

    deckhouse: Version
    kubernetes: Version
    enabled: frozenset[str] = frozenset()
    sourced: frozenset[str] = frozenset()
    """Modules that some source lists without an error."""
    versions: Mapping[str, Version] = field(default_factory=dict)
    """Of modules that are enabled."""


def unmet_by_platform(version: str, requirements: Mapping[str, str], state: State) -> str:
    """What a platform release lacks, all of it in one text; keys nobody knows are met."""
    reasons = []
    for key, value in requirements.items():
        reason = _reason_against(key, value, state)
        if reason:
            reasons.append(f'"{key}" requirement for DeckhouseRelease "{version}" not met: {reason}')
    return ";".join(reasons)


def _reason_against(key: str, value: str, state: State) -> str:
    names = [name.strip() for name in value.split(",") if name.strip()]
    if key == "k8s":
        lowest = parse_version(value)
        return "current kubernetes version is lower than required" if lowest and state.kubernetes < lowest else ""
    if key == "disabledModules":
        enabled = ",".join(name for name in names if name in state.enabled)
        return f"{enabled} module(s) have to be disabled" if enabled else ""
    if key == "migratedModules":
        for name in names:
            if name in state.enabled and name not in state.sourced:
                return f"migrated module '{name}' not found in any ModuleSource registry"
    return ""


def unmet_by_module(requirements: Mapping[str, Any], state: State) -> str:
    """What a module release lacks."""
    for name, constraint in requirements.items():
        if name == "modules":
            for module, wanted in constraint.items():
                needed = state.versions.get(module)
                if needed is None and "!optional" not in wanted:
                    return f"requirements are not satisfied: module {module} is not enabled"
                if needed is not None and not satisfies(needed, wanted.partition("!")[0]):
                    return f"requirements are not satisfied: current {module} version is not suitable: {needed}"
        elif name in ("deckhouse", "kubernetes"):
            held = state.deckhouse if name == "deckhouse" else state.kubernetes
            if not satisfies(held, constraint):
                return f"requirements are not satisfied: current {name} version is not suitable: {held}, {constraint}"
    return ""


def satisfies(version: Version, constraint: str) -> bool:
    """Whether all comparisons of `constraint` hold (``>= 1.67, < 1.80``)."""
    for comparison in filter(None, map(str.strip, constraint.split(","))):
        found = re.fullmatch(r"(>=|<=|>|<|=)?\s*(v?[\d.]+)", comparison)
        bound = parse_version(found[2]) if found else None
        if found is None or bound is None:
            raise ValueError(f"the tests' Deckhouse does not know the constraint {constraint!r}")
        holds = {
            ">=": version >= bound,
            "<=": version <= bound,
            ">": version > bound,
            "<": version < bound,
            "=": version == bound,
        }
        if not holds[found[1] or "="]:
            return False
    return True
