# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What has to be in the private registry: by a plan or a bundle, and by what clusters run (dkp-cluster.md §5.5)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from .. import fields
from ..channels import LTS
from ..cluster.facts import ClusterFacts
from ..content import Content, Releases
from ..plan.cluster_plan import running_version
from ..plan.document import PlanDocument
from ..plan.module_choice import DEFAULT_SOURCE, Asked, ModuleChoice, modules_to_plan
from ..plan.steps import Chain, direct_chain, module_chain, platform_chain
from ..tree import SECURITY_TAGS
from ..version import Version
from .observed import Line

PREFLIGHT, CONTENT, PUBLISHED = "preflight", "content", "published"


@dataclass(frozen=True)
class Walk:
    """The way of one cluster. `start` is what runs, `end` what is planned (None: what the channel says), `planned` its
    steps. `here`: whether the cluster says that it takes its images from the registry that is looked at."""

    cluster: str
    start: Version | None
    end: Version | None
    channel: str | None
    planned: tuple[Version, ...] = ()
    here: bool = False

    @property
    def ahead(self) -> tuple[Version, ...]:
        """The end, if something leads there: nobody goes back."""
        return (self.end,) if self.end is not None and (self.start is None or self.start < self.end) else ()


@dataclass
class WantedLine:
    """What has to be there of the platform (`name` is None) or of one module.

    `versions`, `tags`, `channels`: what the plan or the bundle carries. `overrides`: the clusters by the tag that a
    ModulePullOverride holds the module at. `carried`: whether plan or bundle have to do with it at all; otherwise a
    cluster runs it, and perhaps from elsewhere.
    """

    name: str | None
    versions: set[Version] = field(default_factory=set)
    tags: set[str] = field(default_factory=set)
    channels: dict[str, Version] = field(default_factory=dict)
    walks: list[Walk] = field(default_factory=list)
    overrides: dict[str, list[str]] = field(default_factory=dict)
    carried: bool = False

    def end(self, walk: Walk, line: Line) -> Version | None:
        """Where `walk` leads: what its channel will say, what was planned, or what its channel says in the registry."""
        published = self.channels.get(walk.channel or "")
        if published is not None or walk.end is not None:
            return published or walk.end
        pointer = line.channels.get(walk.channel or "")
        return pointer.version if pointer is not None else None

    def expected(self) -> set[Version]:
        """The versions that were meant to be there."""
        planned = {version for walk in self.walks for version in (*walk.planned, *walk.ahead)}
        return self.versions | planned | set(self.channels.values())

    def running(self) -> set[Version]:
        """The versions that clusters run."""
        return {walk.start for walk in self.walks if walk.start is not None}

    def targets(self, line: Line) -> set[Version]:
        """The versions that ways end at."""
        found = set(self.channels.values())
        for walk in self.walks:
            end = self.end(walk, line)
            if end is not None and (walk.start is None or walk.start < end):
                found.add(end)
        return found


def chain_of(walk: Walk, end: Version, line: Line) -> Chain:
    """The releases that Deckhouse would walk, by the tags of the registry (the stricter rules, §11)."""
    if walk.channel == LTS or walk.start is None:
        return direct_chain(walk.start, end)
    available = line.listed or ()
    if line.name is None:
        return platform_chain(walk.start, end, available)
    return module_chain(walk.start, end, available, line.jumps())


def chosen(wanted: WantedLine, line: Line) -> set[Version]:
    """The versions that the clusters would be led over by what the registry lists."""
    found: set[Version] = set()
    for walk in wanted.walks:
        end = wanted.end(walk, line)
        if end is not None:
            found.update(chain_of(walk, end, line).steps)
    return found


@dataclass
class Wanted:
    """Everything that has to be there. `verdicts`: what the plan says itself, by cluster."""

    lines: dict[str | None, WantedLine] = field(default_factory=dict)
    databases: dict[str, tuple[str, ...]] = field(default_factory=dict)
    installer: tuple[str, ...] = ()
    clusters: dict[str, ClusterFacts] = field(default_factory=dict)
    other_sources: dict[str, set[str]] = field(default_factory=dict)
    """Modules by the ModuleSource that they come from, where it is not the one in this registry."""
    others: tuple[str, ...] = ()
    """What is carried besides and cannot be judged."""

    def line(self, name: str | None) -> WantedLine:
        """The line, made when it is not there."""
        return self.lines.setdefault(name, WantedLine(name))


def wanted_of(content: Content, plan: PlanDocument | None, clusters: Iterable[ClusterFacts], *, address: str) -> Wanted:
    """What `content` and the clusters need. Raises InvalidInput with the path of a field of the plan that is wrong."""
    others = (*content.packages, *content.plugins)
    wanted = Wanted(databases=dict(content.security_db), installer=tuple(content.installer), others=others)
    if content.platform.versions or content.platform.tags:
        _carry(wanted.line(None), content.platform)
    for name, releases in content.modules.items():
        _carry(wanted.line(name), releases)
    wanted.clusters = {facts.name: facts for facts in clusters}
    planned = plan.clusters if plan is not None else {}
    for name, told in fields.mapping(planned, "plan.clusters").items():
        routes = fields.mapping(told, f"plan.clusters.{name}")
        _add_planned(wanted, name, routes, f"plan.clusters.{name}", address)
    for name, facts in wanted.clusters.items():
        _add_running(wanted, name, facts, address)
    return wanted


def likely_content(clusters: Iterable[ClusterFacts]) -> Content:
    """What clusters may be brought one day, where nothing is planned yet: all that they run, in other versions."""
    platform = Releases()
    modules: dict[str, Releases] = {}
    for facts in clusters:
        platform = _pointing(platform, running_version(facts), facts.channel)
        for asked in modules_to_plan(facts, ModuleChoice()):
            if isinstance(asked, Asked) and asked.start is not None:
                modules[asked.name] = _pointing(modules.get(asked.name, Releases()), asked.start, asked.channel)
    return Content(platform, modules, security_db={name: (tag,) for name, tag in SECURITY_TAGS.items()})


def _pointing(releases: Releases, version: Version, channel: str | None) -> Releases:
    channels = {**releases.channels, channel: version} if channel is not None else releases.channels
    return Releases((*releases.versions, version), channels)


def same_address(one: str | None, other: str) -> bool:
    """Whether two addresses of registries are one, whatever of the usual ports is written."""
    return one is not None and _bare(one) == _bare(other)


def _bare(address: str) -> str:
    host, slash, path = address.strip().rstrip("/").lower().partition("/")
    for port in (":443", ":80"):
        host = host[: -len(port)] if host.endswith(port) else host
    return f"{host}{slash}{path}"


def _carry(line: WantedLine, releases: Releases) -> None:
    line.carried = True
    line.versions.update(releases.versions)
    line.tags.update(releases.tags)
    line.channels.update(releases.channels)


def _add_planned(wanted: Wanted, cluster: str, routes: Mapping[str, Any], where: str, address: str) -> None:
    here = same_address(routes.get("registry"), address)
    modules = fields.mapping(routes.get("modules"), f"{where}.modules")
    parts: list[tuple[str | None, Any, str]] = [(None, routes.get("platform"), f"{where}.platform")]
    parts += [(name, route, f"{where}.modules.{name}") for name, route in modules.items()]
    for name, route, place in parts:
        told = fields.mapping(route, place)
        steps = fields.versions(told.get("steps"), f"{place}.steps")
        if not told or (name is None and not steps and None not in wanted.lines):
            continue  # nothing is done with the platform
        line = wanted.line(name)
        line.carried = line.carried or bool(steps)
        line.walks.append(
            Walk(
                cluster,
                _version(told, "from", place),
                _version(told, "to", place),
                _channel(told, place),
                steps,
                here,
            )
        )


def _version(told: Mapping[str, Any], key: str, where: str) -> Version | None:
    value = told.get(key)
    return fields.version(value, f"{where}.{key}") if value is not None else None


def _channel(told: Mapping[str, Any], where: str) -> str | None:
    value = told.get("channel")
    return fields.channel(value, f"{where}.channel") if value is not None else None


def _add_running(wanted: Wanted, cluster: str, facts: ClusterFacts, address: str) -> None:
    """What the facts tell takes the place of what was known when the plan was made."""
    here = facts.registry is not None and same_address(facts.registry.images_repo, address)
    _replace(wanted.line(None), cluster, Asked("", running_version(facts), facts.channel), here=here)
    for asked in modules_to_plan(facts, ModuleChoice()):
        if isinstance(asked, Asked):
            _replace(wanted.line(asked.name), cluster, asked, here=here)
    for name, module in (facts.modules or {}).items():
        if module.enabled and not module.embedded and module.source not in (None, DEFAULT_SOURCE):
            wanted.other_sources.setdefault(str(module.source), set()).add(name)
        elif module.enabled and module.override is not None:
            wanted.line(name).overrides.setdefault(module.override, []).append(cluster)


def _replace(line: WantedLine, cluster: str, asked: Asked, *, here: bool) -> None:
    """The cluster's walk, from what runs now, to where the plan leads it."""
    before = next((walk for walk in line.walks if walk.cluster == cluster), None)
    if before is not None:
        line.walks.remove(before)
    known = before or Walk(cluster, None, None, None)
    steps = tuple(step for step in known.planned if asked.start is None or step > asked.start)
    line.walks.append(Walk(cluster, asked.start, known.end, asked.channel or known.channel, steps, here))
