# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The plan for one cluster: routes of platform and modules, the order of their steps, and what was found."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from ..cluster.facts import LOCAL, PROXY, ClusterFacts
from ..findings import Finding
from ..nearest import did_you_mean, listed
from ..version import Version
from .catalogue import migrated_names
from .cluster_verdict import ClusterVerdict, join_verdicts
from .inventory import Inventory
from .module_choice import Asked, ModuleChoice, migrating, modules_to_plan
from .offer import Offer, ReleaseOffer, Vendor
from .order import Journey, find_order
from .route import Question, Route, find_route
from .target import Target

_MAY_BE_FROZEN, _NEVER_FROZEN = Version(1, 75, 0), Version(1, 76, 0)
"""Some 1.75.x and all of 1.76 create intermediate module releases that were mirrored late (§5.3)."""


@dataclass(frozen=True)
class Wish:
    """What is wanted of one cluster (contract: `target`, `include_running`, `ignore_suspend`)."""

    target: Target | None = None
    include_running: str = "auto"
    ignore_suspend: bool = False


@dataclass(frozen=True)
class ClusterPlan:
    """One cluster's plan. `modules`: every module that was looked at, also where nothing is to be done."""

    facts: ClusterFacts
    wish: Wish
    platform: Route
    modules: Mapping[str, Route]
    journey: Journey
    findings: tuple[Finding, ...] = ()


@dataclass
class Planner:
    """Plans clusters against one vendor. Routes of modules are found once for all clusters that ask the same."""

    vendor: Vendor
    choice: ModuleChoice = ModuleChoice()
    _routes: dict[tuple[object, ...], Route] = field(default_factory=dict)

    def plan(
        self,
        facts: ClusterFacts,
        wish: Wish,
        inventory: Inventory | None,
        verdicts: Iterable[ClusterVerdict] = (),
    ) -> ClusterPlan:
        """The plan for one cluster. `verdicts`: what it said itself of the platform's steps."""
        platform = self._platform(facts, wish, inventory)
        findings = [*_situation(facts), *_registry(facts), *platform.findings]
        routes, told = self._modules(facts, wish, inventory)
        findings += told
        migrated, told = self._migrated(facts, wish, inventory, platform, routes)
        findings += told
        routes.update(migrated)
        busy = {name: route for name, route in sorted(routes.items()) if route.steps}
        journey = find_order(facts, platform, busy, migrated=frozenset(migrated))
        findings += [finding for route in routes.values() for finding in route.findings]
        findings += [*journey.findings, *_unproven(platform, routes)]
        for name, route in busy.items():
            findings += _frozen(facts, name, route)
        return ClusterPlan(facts, wish, platform, routes, journey, join_verdicts(findings, platform.steps, verdicts))

    def _platform(self, facts: ClusterFacts, wish: Wish, inventory: Inventory | None) -> Route:
        question = Question(
            None,
            running_version(facts),
            facts.channel,
            wish.target,
            inventory.platform if inventory is not None else None,
            wish.include_running,
            wish.ignore_suspend,
        )
        if self.vendor.platform is None:
            message = "the releases of the platform were not read: only modules are planned"
            hint = "Give platform_releases, unless modules of another source are planned"
            return Route(question, findings=(Finding("P1", "unknown", question.subject(), message, hint),))
        return find_route(question, self.vendor.platform)

    def _modules(
        self, facts: ClusterFacts, wish: Wish, inventory: Inventory | None
    ) -> tuple[dict[str, Route], list[Finding]]:
        routes: dict[str, Route] = {}
        findings: list[Finding] = []
        unread: list[str] = []
        for asked in modules_to_plan(facts, self.choice):
            if isinstance(asked, Finding):
                findings.append(asked)
                continue
            offer = self.vendor.modules.get(asked.name)
            if offer is None:
                unread.append(asked.name)
            elif not offer.exists:
                findings.append(self._not_offered(facts, asked))
            else:
                routes[asked.name] = self._route(asked, wish, inventory, offer)
        if unread:
            message = f"the releases of {listed(unread)} were not read"
            findings.append(
                Finding("M2", "unknown", listed(unread), message, "Read them with module_releases_info too")
            )
        return routes, findings

    def _route(self, asked: Asked, wish: Wish, inventory: Inventory | None, offer: Offer) -> Route:
        key = (asked, wish.include_running, wish.ignore_suspend, id(inventory))
        known = self._routes.get(key)
        if known is None:
            held = inventory.module(asked.name) if inventory is not None else None
            question = Question(
                asked.name, asked.start, asked.channel, None, held, wish.include_running, wish.ignore_suspend
            )
            known = self._routes[key] = find_route(question, offer)
        return known

    def _not_offered(self, facts: ClusterFacts, asked: Asked) -> Finding:
        name = asked.name
        near = did_you_mean(name, (other for other, each in self.vendor.modules.items() if each.exists))
        stays = f"; it stays at {asked.start}" if asked.start is not None else ""
        message = f"the source has no module {name}{near}{stays}"
        if asked.start is not None or any(name in each.modules for each in (facts.sources or {}).values()):
            return Finding("M1", "warning", name, message, "Ask the vendor where it went")
        return Finding("M1", "error", name, message, "Disable it, or ask the vendor where it went")

    def _migrated(
        self,
        facts: ClusterFacts,
        wish: Wish,
        inventory: Inventory | None,
        platform: Route,
        routes: Mapping[str, Route],
    ) -> tuple[dict[str, Route], list[Finding]]:
        """Modules that leave the platform on the way and that the cluster uses (P11)."""
        found: dict[str, Route] = {}
        findings: list[Finding] = []
        steps = (platform.release(step) for step in platform.steps)
        leaving = leaving_modules(release for release in steps if release is not None)
        for asked in migrating(facts, leaving - routes.keys(), self.choice):
            offer = self.vendor.modules.get(asked.name)
            if offer is None:
                message = f"module {asked.name} leaves the platform on the way, and its releases were not read"
                hint = f"Ask module_releases_info for {asked.name} too"
                findings.append(Finding("P11", "unknown", asked.name, message, hint))
            elif offer.exists:
                found[asked.name] = self._route(asked, wish, inventory, offer)
        return found, findings


def _situation(facts: ClusterFacts) -> Iterator[Finding]:
    switched = facts.switched_version
    updating = [str(release.version) for release in facts.releases or () if release.updating]
    if (switched is not None and switched != facts.version) or updating:
        to = updating[0] if updating else switched
        message = f"the cluster is being updated from {facts.version} to {to}; the plan starts from there"
        yield Finding("updating", "info", str(to), message, "Publish nothing before that update is through")


def _registry(facts: ClusterFacts) -> Iterator[Finding]:
    """What the way in which the cluster takes its images means for the update (dkp-cluster.md §7.1)."""
    registry = facts.registry
    if registry is None:
        return
    if registry.mode == LOCAL:
        message = "the cluster has its registry inside (mode Local): no private registry that is filled would be read"
        hint = "Load releases into it with d8 mirror, or set ModuleConfig deckhouse to mode Direct, Proxy or Unmanaged"
        yield Finding("registry_mode", "error", LOCAL, message, hint)
    elif registry.mode == PROXY:
        told = f"{registry.cache_seconds} seconds" if registry.cache_seconds is not None else "the time of its cache"
        message = f"the cluster reads through a cache of its own (mode Proxy), and may see a channel move {told} late"
        yield Finding("registry_mode", "info", PROXY, message, "Wait that long before you look for a mistake")


def _unproven(platform: Route, routes: Mapping[str, Route]) -> Iterator[Finding]:
    """What runs, and nobody looked whether the private registry still holds it (P8, M8)."""
    hint = "Read an inventory of the private registry, or set include_running: always"
    if platform.running == "unknown":
        start = platform.question.start
        message = f"whether the private registry still holds all images of the running {start} is not known"
        yield Finding("P8", "unknown", str(start), message, hint)
    unknown = [name for name, route in routes.items() if route.running == "unknown"]
    if unknown:
        message = f"whether the private registry still holds the running versions of {listed(unknown)} is not known"
        yield Finding("M8", "unknown", "modules", message, hint)


def _frozen(facts: ClusterFacts, name: str, route: Route) -> Iterator[Finding]:
    """A pending release that keeps older Deckhouse from creating those before it, once they are mirrored (§5.3)."""
    module = (facts.modules or {}).get(name)
    if module is None or facts.version >= _NEVER_FROZEN:
        return
    known = {release.version for release in module.releases} | set(module.pending)
    for pending in module.pending:
        absent = [str(step) for step in route.steps if step < pending and step not in known]
        if absent:
            message = (
                f"the release {pending} of module {name} is pending already; DKP {facts.version} "
                f"{'may not' if facts.version >= _MAY_BE_FROZEN else 'does not'} create {listed(absent)} afterwards"
            )
            hint = f"After the push delete the ModuleRelease {name}-{pending}; Deckhouse makes it and those before anew"
            yield Finding("frozen_chain", "warning", f"{name} {pending}", message, hint)
            return


def running_version(facts: ClusterFacts) -> Version:
    """What an update starts from: in the middle of one, the version that the cluster was switched to."""
    return max(facts.version, facts.switched_version or facts.version)


def leaving_modules(releases: Iterable[ReleaseOffer]) -> set[str]:
    """The modules that ``migratedModules`` of these releases name."""
    return {
        name for release in releases for name in migrated_names(str(release.requirements.get("migratedModules", "")))
    }
