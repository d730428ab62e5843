# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The plan for one or many clusters, and the one bundle that serves them all (contract `update_plan`)."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ..._oci.errors import InvalidInput
from ..cluster.facts import ClusterFacts
from ..content import Content, PinnedTag, Releases
from ..findings import Finding
from ..nearest import listed
from ..tree import RELEASE_CHANNEL, SECURITY_TAGS, module_release_repository
from ..version import Version
from .cluster_plan import ClusterPlan, Planner, Wish
from .cluster_verdict import ClusterVerdict
from .document import KIND, VERSION
from .inventory import Inventory
from .module_choice import DEFAULT_SOURCE, ModuleChoice
from .offer import Vendor
from .route import Route

OTHER_EDITION = "F2"
_WITHOUT_DATABASES = frozenset({"CE", "BE", "SE"})
"""Editions that have no vulnerability databases (§8)."""


@dataclass(frozen=True)
class Member:
    """One cluster of the fleet: what is wanted of it, what its private registry holds, where that is known, and what it
    said itself of its next steps, where it was asked."""

    facts: ClusterFacts
    wish: Wish = Wish()
    inventory: Inventory | None = None
    verdicts: tuple[ClusterVerdict, ...] = ()
    preflight: tuple[Finding, ...] = ()
    """What was found when its private registry was asked whether it can take releases."""


@dataclass(frozen=True)
class FleetPlan:
    """Everything that was planned. `findings`: those that concern no single cluster."""

    vendor: Vendor
    clusters: Mapping[str, ClusterPlan]
    content: Content
    findings: tuple[Finding, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether nothing stands in the way."""
        own = [finding for plan in self.clusters.values() for finding in plan.findings]
        return not any(finding.severity == "error" for finding in (*self.findings, *own))


def plan_fleet(
    members: Sequence[Member],
    vendor: Vendor,
    *,
    choice: ModuleChoice = ModuleChoice(),  # noqa: B008 - a value
    security_db: bool = True,
    installer: bool = False,
) -> FleetPlan:
    """Plan all `members` against one vendor. Raises InvalidInput for two clusters of one name."""
    names = [member.facts.name for member in members]
    repeated = sorted({name for name in names if names.count(name) > 1}) if len(set(names)) < len(names) else []
    if repeated:
        raise InvalidInput(f"clusters: the name {listed(repeated)} occurs more than once; give each cluster its own")
    planner = Planner(vendor, choice)
    plans = {
        member.facts.name: _with(planner.plan(member.facts, member.wish, member.inventory, member.verdicts), member)
        for member in sorted(members, key=lambda member: member.facts.name)
    }
    strangers = _strangers(plans.values(), vendor)
    findings = [_other_edition(plan, vendor) for plan in strangers]
    left_out = {plan.facts.name for plan in strangers}
    fitting = [plan for name, plan in plans.items() if name not in left_out]
    conflicts = _conflicts(fitting)
    findings += conflicts.values()
    content = _union(fitting, vendor, frozenset(conflicts), security_db=security_db, installer=installer)
    return FleetPlan(vendor, plans, content, tuple(findings))


def _with(plan: ClusterPlan, member: Member) -> ClusterPlan:
    """`plan` with what stands against it at its private registry; what needs nobody's hand stays in the request."""
    told = tuple(finding for finding in member.preflight if finding.severity in ("error", "warning"))
    return replace(plan, findings=(*plan.findings, *told)) if told else plan


def refused_clusters(plan: FleetPlan, accepted: Collection[str]) -> dict[str, tuple[Finding, ...]]:
    """The clusters that errors of their own, not `accepted` by id, stand against; by name, with these findings."""
    told = {name: list(each.findings) for name, each in plan.clusters.items()}
    for finding in plan.findings:
        if finding.id == OTHER_EDITION:
            told[finding.subject].append(finding)
    refused = {
        name: tuple(finding for finding in findings if finding.severity == "error" and finding.id not in accepted)
        for name, findings in told.items()
    }
    return {name: findings for name, findings in refused.items() if findings}


def _strangers(plans: Iterable[ClusterPlan], vendor: Vendor) -> list[ClusterPlan]:
    """Clusters of an edition that the source is not."""
    if vendor.edition is None:
        return []
    return [plan for plan in plans if plan.facts.edition not in (None, vendor.edition)]


def _other_edition(plan: ClusterPlan, vendor: Vendor) -> Finding:
    message = f"{plan.facts.name} has edition {plan.facts.edition}, and the source is {vendor.edition}"
    hint = "Make a plan of its own for it, from the source of its edition"
    return Finding(OTHER_EDITION, "error", plan.facts.name, f"{message}; nothing is carried for it", hint)


def _conflicts(plans: Iterable[ClusterPlan]) -> dict[str, Finding]:
    """Channels that would have to point at two versions, by name (F1). One bundle holds one pointer of each name."""
    needs: dict[str, dict[Version, list[ClusterPlan]]] = {}
    for plan in plans:
        channel, end = plan.facts.channel, plan.platform.end
        if channel is not None and end is not None:
            needs.setdefault(channel, {}).setdefault(end, []).append(plan)
    return {channel: _conflict(channel, versions) for channel, versions in needs.items() if len(versions) > 1}


def _conflict(channel: str, versions: Mapping[Version, list[ClusterPlan]]) -> Finding:
    wanted = "; ".join(
        f"{version} for {listed([plan.facts.name for plan in plans])}" for version, plans in sorted(versions.items())
    )
    registries = {_registry(plan) for plans in versions.values() for plan in plans}
    where = f" in {registries.pop()}" if len(registries) == 1 else ""
    hint = "Give these clusters one target, channels of their own, or a private registry and a plan each"
    message = f"the channel {channel}{where} would have to point at two versions: {wanted}"
    return Finding("F1", "error", channel, message, hint)


def _registry(plan: ClusterPlan) -> str:
    registry = plan.facts.registry
    return (registry.images_repo if registry is not None else None) or "the private registry"


def _union(
    plans: Sequence[ClusterPlan], vendor: Vendor, conflicts: frozenset[str], *, security_db: bool, installer: bool
) -> Content:
    platform = _joined([plan.platform for plan in plans], conflicts)
    by_module: dict[str, dict[int, Route]] = {}
    for plan in plans:
        for name, route in plan.modules.items():
            if route.carried:
                by_module.setdefault(name, {})[id(route)] = route  # clusters that ask the same share a route
    modules = {name: _joined(list(routes.values()), frozenset()) for name, routes in sorted(by_module.items())}
    something = bool(platform.versions or modules)
    databases = something and security_db and vendor.edition not in _WITHOUT_DATABASES
    return Content(
        platform=platform,
        modules=modules,
        security_db={name: (tag,) for name, tag in SECURITY_TAGS.items()} if databases else {},
        installer=("latest",) if something and installer else (),
        pins=tuple(_pins(vendor, platform, modules)),
    )


def _joined(routes: Sequence[Route], conflicts: frozenset[str]) -> Releases:
    versions = sorted({version for route in routes for version in route.carried})
    channels = {
        route.question.channel: route.end
        for route in routes
        if route.published and route.end is not None and route.question.channel not in (None, *conflicts)
    }
    return Releases(tuple(versions), {str(name): version for name, version in channels.items()})


def _pins(vendor: Vendor, platform: Releases, modules: Mapping[str, Releases]) -> Iterable[PinnedTag]:
    """What was seen of everything that is carried, where its digest was seen."""
    parts = [(RELEASE_CHANNEL, vendor.platform, platform)]
    parts += [(module_release_repository(name), vendor.modules.get(name), each) for name, each in modules.items()]
    for repository, offer, releases in parts:
        if offer is None:
            continue
        for channel, version in releases.as_dict()["channels"].items():
            state = offer.channels.get(channel)
            # a pointer of its own making (another version, a suspended channel) is the image of the version
            if state is not None and state.digest and str(state.version) == version and not state.suspended:
                yield PinnedTag(repository, channel, state.digest)
        for each in releases.versions:
            release = offer.releases.get(each)
            if release is not None and release.digest is not None:
                yield PinnedTag(repository, str(each), release.digest)


def plan_document(plan: FleetPlan) -> dict[str, Any]:
    """The plan in the contract's shape."""
    return {
        "kind": KIND,
        "version": VERSION,
        "source": {"images_repo": plan.vendor.images_repo, "edition": plan.vendor.edition},
        "ok": plan.ok,
        "clusters": {name: _cluster(each) for name, each in plan.clusters.items()},
        "findings": [finding.as_dict() for finding in plan.findings],
        "content": plan.content.as_dict(),
    }


def _cluster(plan: ClusterPlan) -> dict[str, Any]:
    facts, registry = plan.facts, plan.facts.registry
    return {
        "uuid": facts.uuid,
        "resource_version": facts.resource_version,
        "edition": facts.edition,
        "registry": registry.images_repo if registry is not None else None,
        "platform": _route(plan.platform),
        "modules": {
            name: {**_route(route), "source": _source(plan, name)}
            for name, route in sorted(plan.modules.items())
            if route.steps
        },
        "order": [
            {"platform": str(stage.platform)}
            if stage.platform is not None
            else {"modules": {name: list(map(str, steps)) for name, steps in stage.modules.items()}}
            for stage in plan.journey.stages
        ],
        "requirements": dict(plan.journey.counts),
        "findings": [finding.as_dict() for finding in plan.findings],
    }


def _route(route: Route) -> dict[str, Any]:
    start, end = route.question.start, route.end
    return {
        "from": str(start) if start is not None else None,
        "to": str(end) if end is not None else None,
        "channel": route.question.channel,
        "steps": [str(step) for step in route.steps],
    }


def _source(plan: ClusterPlan, name: str) -> str | None:
    module = (plan.facts.modules or {}).get(name)
    return (module.source if module is not None else None) or DEFAULT_SOURCE
