# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What clusters require of the steps that the registry leads them over (P10, P11, M10), and what their registry
settings mean for the check (R1)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from .. import fields
from ..cluster.facts import ClusterFacts
from ..findings import SEVERITIES, Finding
from ..nearest import listed
from ..plan.catalogue import migrated_names
from ..plan.cluster_plan import Planner, Wish
from ..plan.module_choice import ModuleChoice, migrating
from ..plan.offer import ChannelOffer, Offer, ReleaseOffer, Vendor
from ..version import Version
from .gathered import Findings
from .observed import Line, Observed
from .wanted import Walk, Wanted, WantedLine, chain_of, same_address

_REQUIREMENTS = frozenset({"P10", "M10"})
_OF_PLANS = frozenset({"P10", "P11", "M10", "cluster_verdict"})


def judge_requirements(wanted: Wanted, lines: Mapping[str | None, Line], planned: Mapping[str, Any]) -> Findings:
    """Requirements, judged anew where the facts of a cluster are known; of the others the plan's own verdicts.

    `planned`: the plan's clusters.
    """
    found = Findings()
    offers = {name: _offer(wanted.lines[name], line) for name, line in lines.items() if name in wanted.lines}
    modules = {name: offer for name, offer in offers.items() if name is not None}
    planner = Planner(Vendor(platform=offers.get(None), modules=modules))  # clusters that ask the same share an answer
    for name, facts in wanted.clusters.items():
        for finding in _anew(facts, wanted, planner):
            found.add(finding, name)
        for finding in _leaving(facts, wanted, lines):
            found.add(finding, name)
    for name, told in planned.items():
        if name not in wanted.clusters:
            for finding in _told(told):
                found.add(finding, name)
    return found


def _offer(wanted: WantedLine, line: Line) -> Offer:
    """What the registry offers of the line, as the vendor would."""
    pointed = {name: pointer.version for name, pointer in line.channels.items()}
    channels: dict[str, ChannelOffer | None] = {
        name: ChannelOffer(version) for name, version in {**pointed, **wanted.channels}.items() if version is not None
    }
    releases = {}
    for release in line.releases.values():
        metadata = release.metadata
        if metadata is not None and metadata.version is not None:
            releases[metadata.version] = ReleaseOffer(
                metadata.image.digest, metadata.version, metadata.requirements, metadata.jumps
            )
    return Offer(channels, line.listed or tuple(sorted(releases)), releases)


def _anew(facts: ClusterFacts, wanted: Wanted, planner: Planner) -> Iterator[Finding]:
    """The requirements of the steps that the registry leads the cluster over, as things are now."""
    target = None
    for walk in wanted.lines[None].walks if None in wanted.lines else ():
        if walk.cluster == facts.name:
            target = wanted.lines[None].channels.get(walk.channel or "") or walk.end
    plan = planner.plan(facts, Wish(target, "never", True), None)
    yield from (finding for finding in plan.findings if finding.id in _REQUIREMENTS)


def _leaving(facts: ClusterFacts, wanted: Wanted, lines: Mapping[str | None, Line]) -> Iterator[Finding]:
    """Modules that leave the platform on the way (P11): the registry, or another source, has to have them."""
    for step, name in sorted(leaving(facts, wanted, lines)):
        line, known = lines.get(name), wanted.lines.get(name)
        if facts.lists_module(name) or (line is not None and line.indexed) or (known is not None and known.carried):
            continue
        message = (
            f"module {name} leaves the platform with {step}, the cluster uses it, and the registry does not have it"
        )
        hint = f"Pull {name} and push it with its channel, or disable it before this step"
        yield Finding("P11", "error", name, f"{message}: Deckhouse would not take that step", hint)


def leaving(facts: ClusterFacts, wanted: Wanted, lines: Mapping[str | None, Line]) -> set[tuple[Version, str]]:
    """Modules that the cluster uses and that leave the platform, with the step that they leave it with."""
    found = set()
    for step, names in _migrated(facts.name, wanted, lines):
        found |= {(step, asked.name) for asked in migrating(facts, names, ModuleChoice())}
    return found


def _migrated(cluster: str, wanted: Wanted, lines: Mapping[str | None, Line]) -> Iterator[tuple[Version, set[str]]]:
    line, known = lines.get(None), wanted.lines.get(None)
    if line is None or known is None:
        return
    for walk in known.walks:
        end = known.end(walk, line)
        if walk.cluster != cluster or end is None:
            continue
        for step in chain_of(walk, end, line).steps:
            release = line.releases.get(str(step))
            if release is not None and release.metadata is not None:
                yield step, set(migrated_names(str(release.metadata.requirements.get("migratedModules", ""))))


def walks_of_leaving(facts: ClusterFacts, wanted: Wanted, lines: Mapping[str | None, Line]) -> dict[str, Walk]:
    """How these modules come: their channel's version, at once."""
    names = {name for _step, name in leaving(facts, wanted, lines)}
    return {
        asked.name: Walk(facts.name, None, None, asked.channel) for asked in migrating(facts, names, ModuleChoice())
    }


def _told(told: Any) -> Iterator[Finding]:
    for item in fields.mapping(told, "plan.clusters").get("findings") or ():
        if isinstance(item, Mapping) and item.get("id") in _OF_PLANS and item.get("severity") in SEVERITIES:
            texts = [str(item.get(key) or "") for key in ("id", "severity", "subject", "message", "hint")]
            yield Finding(*texts)


def judge_addresses(observed: Observed, clusters: Iterable[ClusterFacts]) -> Findings:
    """Whether what was looked at is what the clusters see (R1)."""
    found = Findings()
    account = (
        "the check used the cluster's own account"
        if observed.as_cluster
        else "the check used this task's account; whether the cluster's own account may read all of it is not known"
    )
    for facts in clusters:
        registry = facts.registry
        if registry is None:
            message = f"where the cluster takes its images from is not known; {observed.address} was looked at"
            found.tell("R1", "unknown", observed.address, message, "Read the facts of the cluster again", facts.name)
        elif registry.images_repo is None:
            message = (
                f"the cluster has registry mode {registry.mode}, without a registry outside of it; {observed.address} "
                "was looked at, and its nodes take images only from the cluster's own registry"
            )
            hint = "Push into the cluster's own registry, and check there"
            found.tell("R1", "unknown", observed.address, message, hint, facts.name)
        elif not same_address(registry.images_repo, observed.address):
            message = f"the cluster takes its images from {registry.images_repo}; {observed.address} was looked at"
            hint = "Nothing to do if both names lead to one registry; otherwise check the one that the cluster uses"
            found.tell("R1", "unknown", registry.images_repo, message, hint, facts.name)
        elif registry.scheme != observed.scheme:
            message = f"the cluster speaks {registry.scheme} with {registry.images_repo}, the check {observed.scheme}"
            hint = f"Set scheme: {registry.scheme}, so that the check sees what the cluster sees"
            found.tell("R1", "warning", observed.address, message, hint, facts.name)
        else:
            hint = "" if observed.as_cluster else "Check once more with the cluster's credentials"
            cached = "; its mode Proxy keeps pointers for its cache time" if registry.mode == "Proxy" else ""
            found.tell("R1", "info", observed.address, f"{account}{cached}", hint, facts.name)
    return found


def not_looked_at(wanted: Wanted) -> Findings:
    """Modules of other sources, whose registries are others, and packages."""
    found = Findings()
    if wanted.others:
        message = f"packages and plugins were not looked at: {listed(wanted.others)}"
        found.tell("packages", "unknown", "packages", message, "The push has proven that they were sent")
    for source, names in wanted.other_sources.items():
        message = f"modules of the ModuleSource {source} were not looked at: {listed(sorted(names))}"
        found.tell("M8", "unknown", source, message, "Check the registry of that source too")
    return found
