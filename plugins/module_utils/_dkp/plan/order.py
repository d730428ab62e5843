# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The order of platform and module steps in which every requirement holds (dkp-cluster.md §4.1, §4.4, M10).

The platform goes first; a module goes before a platform step only where it has to: because what runs of it does not
accept the step, or because its own next step would not be accepted any more afterwards.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..cluster.facts import ClusterFacts
from ..findings import Finding
from ..subject import MODULE, PLATFORM
from ..version import Version
from .catalogue import judge
from .route import Route
from .verdict import ASK, FINE, MET, NOT_MET, UNKNOWN, Situation, Verdict, admits, release_of

OPTIONAL = "!optional"


@dataclass
class Stage:
    """What may be done together: one platform step, or steps of modules."""

    platform: Version | None = None
    modules: dict[str, list[Version]] = field(default_factory=dict)


@dataclass
class Journey:
    """A cluster on its way through the plan: where it is, what it passed, and what was found."""

    facts: ClusterFacts
    routes: Mapping[str, Route]
    deckhouse: Version
    reached: dict[str, Version] = field(default_factory=dict)
    stated: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    automatic: str | None = None
    migrated: frozenset[str] = frozenset()
    stages: list[Stage] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=lambda: dict.fromkeys((MET, NOT_MET, UNKNOWN), 0))
    _told: set[tuple[str, str]] = field(default_factory=set)
    _taken: dict[str, int] = field(default_factory=dict)

    def situation(self) -> Situation:
        return Situation(self.facts, self.deckhouse, self.reached, self.stated, self.automatic, self.migrated)

    @functools.cached_property
    def dependents(self) -> dict[str, set[str]]:
        """By module those that require, or will require, something of it."""
        found: dict[str, set[str]] = {}
        for name, module in (self.facts.modules or {}).items():
            for other in module.requirements.modules:
                found.setdefault(other, set()).add(name)
        for name, route in self.routes.items():
            for other in route.dependencies:
                found.setdefault(other, set()).add(name)
        return found

    def next_step(self, name: str) -> Version | None:
        """The module's next step; None when it has none left."""
        steps = self.routes[name].steps
        taken = self._taken.get(name, 0)
        return steps[taken] if taken < len(steps) else None

    def take(self, name: str, step: Version) -> None:
        """The module has reached `step`."""
        self._taken[name] = self._taken.get(name, 0) + 1
        self.reached[name] = step
        release = self.routes[name].release(step)
        self.stated[name] = release.requirements if release is not None else {}
        if not self.stages or self.stages[-1].platform is not None:
            self.stages.append(Stage())
        self.stages[-1].modules.setdefault(name, []).append(step)

    def tell(self, check: str, subject: str, requirement: str, verdict: Verdict, *, key: str) -> None:
        """Count a verdict, and turn one that is not met or unknown into a finding, once for the same reason."""
        self.counts[verdict.state] += 1
        if verdict.state == MET or (key, verdict.message) in self._told:
            return
        self._told.add((key, verdict.message))
        severity, word = ("error", "is not met") if verdict.state == NOT_MET else ("unknown", "cannot be judged")
        message = f"{subject} requires {requirement}, which {word}: {verdict.message}"
        self.findings.append(Finding(check, severity, subject, message, verdict.hint))

    def tell_unread(self, check: str, subject: str) -> None:
        """A step whose requirements nobody read."""
        self.counts[UNKNOWN] += 1
        message = f"what {subject} requires was not read"
        hint = "Read the releases with the option updates, as update_needs tells"
        self.findings.append(Finding(check, "unknown", subject, message, hint))


def find_order(
    facts: ClusterFacts, platform: Route, routes: Mapping[str, Route], *, migrated: frozenset[str] = frozenset()
) -> Journey:
    """Walk the cluster along `platform` and the modules' `routes`; the journey tells the order and what stands in it.

    `migrated`: modules that the plan brings because they leave the platform.
    """
    start = platform.question.start or facts.version
    journey = Journey(facts, routes, start, migrated=migrated)
    bound = _with_dependencies(facts, routes, set(_concerned(facts, platform, routes)))
    for step in platform.steps:
        _clear_the_way(journey, bound, step)
        _take_platform(journey, platform, step)
    _finish(journey, bound)
    _add_the_rest(journey, bound)
    return journey


def _concerned(facts: ClusterFacts, platform: Route, routes: Mapping[str, Route]) -> Iterator[str]:
    """Modules whose requirements may matter for the order; the others go last, whatever comes before."""
    path = (platform.question.start or facts.version, *platform.steps)
    for name, module in (facts.modules or {}).items():
        own = module.requirements.deckhouse if module.enabled else None
        if own and not _fits_everywhere(own, path):
            yield name
    yield from (name for name, route in routes.items() if not _fits_anywhere(route, path))


def _fits_anywhere(route: Route, path: tuple[Version, ...]) -> bool:
    """Whether the steps can be taken at any point of the platform's `path`; remembered, for clusters share routes."""
    known = route.fits_by_path
    if path not in known:
        known[path] = (
            route.is_read and not route.dependencies and all(_fits_everywhere(each, path) for each in route.bounds)
        )
    return known[path]


@functools.lru_cache(maxsize=65536)
def _fits_everywhere(constraint: str, path: tuple[Version, ...]) -> bool:
    return all(admits(constraint, version) for version in path)


def _with_dependencies(facts: ClusterFacts, routes: Mapping[str, Route], bound: set[str]) -> list[str]:
    """`bound`, and the modules that move and that these or the enabled ones require something of."""
    needed = {name for module in (facts.modules or {}).values() for name in module.requirements.modules}
    needed |= {name for each in bound if each in routes for name in routes[each].dependencies}
    return sorted(bound | (needed & routes.keys()))


def _clear_the_way(journey: Journey, bound: Iterable[str], step: Version) -> None:
    """Take the module steps that have to come before the platform's `step`, and those that they depend on."""
    moved = True
    while moved:
        moved = False
        for name in bound:
            following = _due(journey, name, step)
            if following is None:
                continue
            for each in (name, *sorted(journey.routes[name].dependencies)):
                ahead = journey.next_step(each) if each in journey.routes else None
                if ahead is not None and _is_possible(journey, each, ahead):
                    _take_module(journey, each, ahead)
                    moved = True
                    break


def _due(journey: Journey, name: str, step: Version) -> Version | None:
    """The module's next step, if it has to be taken before the platform's `step`."""
    if name not in journey.routes:
        return None
    following = journey.next_step(name)
    if following is None:
        return None
    constraint = journey.situation().requirement_of(name, "deckhouse")
    if constraint and admits(constraint, step) is False:
        return following
    release = journey.routes[name].release(following)
    wanted = release.requirements.get("deckhouse") if release is not None else None
    closes = wanted and admits(wanted, journey.deckhouse) and admits(wanted, step) is False
    return following if closes else None


def _take_platform(journey: Journey, platform: Route, step: Version) -> None:
    situation = journey.situation()
    subject = str(step)
    for name, module in (journey.facts.modules or {}).items():
        constraint = situation.requirement_of(name, "deckhouse") if module.enabled else None
        if constraint and admits(constraint, step) is False:
            running = journey.reached.get(name) or module.version or "as it is"
            reason = f"{name} {running} runs, which requires deckhouse {constraint}, and no release of it lifts that"
            verdict = Verdict(NOT_MET, reason, f"Update {name} from elsewhere, disable it, or name a lower target")
            journey.tell(
                MODULE.requirement, f"{name} {running}", f"deckhouse {constraint}", verdict, key=f"bound {name}"
            )
    release = platform.release(step)
    if release is None:
        journey.tell_unread(PLATFORM.requirement, subject)
    for key, value in sorted((release.requirements if release is not None else {}).items()):
        requirement = f"{key} {value}"
        check = "P11" if key == "migratedModules" else PLATFORM.requirement
        journey.tell(check, subject, requirement, judge(key, str(value), situation), key=requirement)
        if key == "autoK8sVersion" and situation.is_automatic is not False:
            journey.automatic = max(
                str(value), journey.automatic or str(value), key=lambda each: release_of(each) or ()
            )
    journey.deckhouse = step
    journey.stages.append(Stage(platform=step))


def _is_possible(journey: Journey, name: str, step: Version) -> bool:
    return not any(verdict.state == NOT_MET for _what, verdict in _judge_module(journey, name, step))


def _take_module(journey: Journey, name: str, step: Version) -> None:
    subject = f"{name} {step}"
    if journey.routes[name].release(step) is None:
        journey.tell_unread(MODULE.requirement, subject)
    for requirement, verdict in _judge_module(journey, name, step):
        journey.tell(MODULE.requirement, subject, requirement, verdict, key=f"{name} {requirement}")
    journey.take(name, step)


def _judge_module(journey: Journey, name: str, step: Version) -> Iterator[tuple[str, Verdict]]:
    """The verdict on each requirement of a module's release, as things are by then."""
    release = journey.routes[name].release(step)
    stated: Mapping[str, Any] = release.requirements if release is not None else {}
    situation = journey.situation()
    for key, value in sorted(stated.items()):
        if key != "modules":
            yield f"{key} {value}", judge(key, value, situation)
    for other, constraint in sorted((stated.get("modules") or {}).items()):
        yield f"module {other} {constraint}", _judge_dependency(other, constraint, situation)
    for other in sorted(journey.dependents.get(name, ())):
        constraint = situation.dependencies_of(other).get(name)
        if constraint and situation.is_enabled(other) and admits(_bare(constraint), step) is False:
            hint = f"Update {other} to a release that accepts it, or leave {name} where it is (exclude_modules)"
            yield f"{other} to accept it", Verdict(NOT_MET, f"{other} requires {name} {constraint}", hint)


def _judge_dependency(name: str, text: str, situation: Situation) -> Verdict:
    constraint, optional = _bare(text), OPTIONAL in text
    enabled = situation.is_enabled(name)
    if enabled is None:
        return Verdict(UNKNOWN, "modules were not observed", ASK)
    if not enabled:
        if optional:
            return FINE
        return Verdict(NOT_MET, f"{name} is not enabled", f"Enable {name} (ModuleConfig, enabled: true) first")
    version = situation.version_of(name)
    if version is None:
        return Verdict(UNKNOWN, f"the version of {name} is not known", ASK)
    fits = admits(constraint, version)
    if fits is None:
        return Verdict(UNKNOWN, f"{constraint[:100]!r} cannot be read as a constraint", ASK)
    if fits:
        return FINE
    return Verdict(NOT_MET, f"{name} is {version} by then", f"Bring {name} to {constraint} first")


def _bare(text: str) -> str:
    """A constraint on another module without the mark that it holds only where that is enabled."""
    return text.replace(OPTIONAL, "").strip()


def _finish(journey: Journey, bound: Iterable[str]) -> None:
    """Take what is left of the `bound` modules as far as it goes, then name what keeps the others."""
    names = [name for name in bound if name in journey.routes]
    moved = True
    while moved:
        moved = False
        for name in names:
            step = journey.next_step(name)
            while step is not None and _is_possible(journey, name, step):
                _take_module(journey, name, step)
                moved = True
                step = journey.next_step(name)
    for name in names:
        step = journey.next_step(name)
        while step is not None:
            _take_module(journey, name, step)
            step = journey.next_step(name)


def _add_the_rest(journey: Journey, bound: Iterable[str]) -> None:
    """Steps that nothing stands in the way of, whatever comes before."""
    others = set(bound)
    free = {name: list(route.steps) for name, route in journey.routes.items() if name not in others}
    if not free:
        return
    if not journey.stages or journey.stages[-1].platform is not None:
        journey.stages.append(Stage())
    journey.stages[-1].modules.update(free)
    situation = journey.situation()
    known: dict[tuple[str, str], Verdict] = {}
    for name in free:
        route = journey.routes[name]
        journey.counts[MET] += len(route.bounds)
        for item in route.elsewhere:
            if item not in known:
                known[item] = judge(*item, situation)
            if known[item] is FINE:
                journey.counts[MET] += 1
            else:
                requirement, subject = " ".join(item), f"{name} {route.elsewhere[item]}"
                journey.tell(MODULE.requirement, subject, requirement, known[item], key=f"{name} {requirement}")
