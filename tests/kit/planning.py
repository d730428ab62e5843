# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Short ways to say what a vendor offers and what a cluster is, in the shapes that users have them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any

from ansible_collections.dkp.airgap.plugins.module_utils._dkp.cluster.facts import ClusterFacts
from ansible_collections.dkp.airgap.plugins.module_utils._dkp.fields import parse_record
from ansible_collections.dkp.airgap.plugins.module_utils._dkp.findings import Finding
from ansible_collections.dkp.airgap.plugins.module_utils._dkp.plan.fleet import FleetPlan, plan_document, plan_fleet
from ansible_collections.dkp.airgap.plugins.module_utils._dkp.plan.members import Defaults, members_of
from ansible_collections.dkp.airgap.plugins.module_utils._dkp.plan.offer import parse_vendor


def digest(what: str) -> str:
    return "sha256:" + hashlib.sha256(what.encode()).hexdigest()


def channels(**versions: str | Mapping[str, Any] | None) -> dict[str, Any]:
    """``stable="v1.70.17"``; None is a channel that does not exist; a mapping says more."""
    said: dict[str, Any] = {}
    for key, version in versions.items():
        name = key.replace("_", "-")
        if version is None:
            said[name] = {"exists": False}
        else:
            more = dict(version) if isinstance(version, Mapping) else {"version": version}
            said[name] = {"exists": True, "digest": digest(f"channel {name} {more['version']}"), **more}
    return said


def releases(requirements: Mapping[str, Mapping[str, Any]], versions: Iterable[str]) -> dict[str, Any]:
    return {
        version: {"digest": digest(version), "requirements": dict(requirements.get(version, {}))}
        for version in versions
    }


def platform(
    versions: str, offered: Mapping[str, Any], requirements: Mapping[str, Mapping[str, Any]] | None = None, **more: Any
) -> dict[str, Any]:
    """The result of release_channel_info."""
    tags = versions.split()
    return {
        "edition": "EE",
        "images_repo": "registry.example/deckhouse/ee",
        "channels": dict(offered),
        "versions": tags,
        "releases": releases(requirements or {}, tags),
        **more,
    }


def module(
    versions: str,
    offered: Mapping[str, Any],
    requirements: Mapping[str, Mapping[str, Any]] | None = None,
    jumps: Mapping[str, tuple[str, str]] | None = None,
    **more: Any,
) -> dict[str, Any]:
    """One module of the result of module_releases_info."""
    tags = versions.split()
    told = releases(requirements or {}, tags)
    for version, (start, end) in (jumps or {}).items():
        told[version]["jumps"] = [{"from": start, "to": end}]
    return {"exists": True, "channels": dict(offered), "versions": tags, "releases": told, **more}


def modules(**offers: dict[str, Any]) -> dict[str, Any]:
    """The result of module_releases_info; ``operator_trivy`` is operator-trivy."""
    return {
        "edition": "EE",
        "images_repo": "registry.example/deckhouse/ee",
        "modules": {name.replace("_", "-"): offer for name, offer in offers.items()},
    }


VENDOR = platform(
    "v1.67.4 v1.68.0 v1.68.11 v1.68.13 v1.69.2 v1.69.7 v1.70.3 v1.70.17 v1.71.0 v1.71.3",
    channels(
        alpha="v1.71.3", beta="v1.71.3", early_access="v1.71.0", stable="v1.70.17", rock_solid="v1.69.7", lts=None
    ),
)


def cluster(name: str = "prod", version: str = "v1.68.11", **more: Any) -> dict[str, Any]:
    return {"name": name, "version": version, "edition": "EE", "channel": "stable", **more}


def facts(**more: Any) -> ClusterFacts:
    return parse_record(ClusterFacts, cluster(**more), "cluster")


def plan_of(
    *clusters: Mapping[str, Any],
    vendor: Mapping[str, Any] | None = VENDOR,
    vendor_modules: Mapping[str, Any] | None = None,
    target: object = None,
    include_running: str = "auto",
    ignore_suspend: bool = False,
    inventory: object = None,
    **more: Any,
) -> FleetPlan:
    members = members_of(
        [parse_record(ClusterFacts, each, "clusters") for each in clusters],
        [],
        Defaults(target, include_running, ignore_suspend, inventory),
    )
    return plan_fleet(members, parse_vendor(vendor, vendor_modules), **more)


def document_of(*clusters: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    return plan_document(plan_of(*clusters, **more))


def found(plan: FleetPlan, identity: str, name: str = "prod") -> list[Finding]:
    """The findings `identity` about a cluster and about the fleet."""
    everything = (*plan.findings, *plan.clusters[name].findings)
    return [finding for finding in everything if finding.id == identity]


def only(plan: FleetPlan, identity: str, name: str = "prod") -> Finding:
    told = found(plan, identity, name)
    if len(told) != 1:
        everything = "\n".join(map(str, (*plan.findings, *plan.clusters[name].findings)))
        raise AssertionError(f"{identity}: {len(told)} findings\n{everything}")
    return told[0]


def steps(plan: FleetPlan, name: str = "prod") -> str:
    return " ".join(map(str, plan.clusters[name].platform.steps))


def module_steps(plan: FleetPlan, module_name: str, name: str = "prod") -> str:
    return " ".join(map(str, plan.clusters[name].modules[module_name].steps))
