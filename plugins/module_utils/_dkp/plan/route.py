# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The way of the platform, or of one module, from what runs to what its channel offers (dkp-cluster.md §5.5)."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ..channels import LTS
from ..findings import Finding
from ..nearest import listed
from ..subject import Subject
from ..version import Version
from .inventory import Held
from .offer import NO_RELEASE, ChannelOffer, Offer, ReleaseOffer
from .steps import MOST_LTS_MINORS, Chain, direct_chain, module_chain, platform_chain, series_name
from .target import Target


@dataclass(frozen=True)
class Question(Subject):
    """What is to be found out. `name` is null for the platform. `channel`: the one that is followed and published.

    `target` overrides what that channel offers. `held`: the private registry's, null when it was not looked at.
    """

    start: Version | None
    channel: str | None
    target: Target | None = None
    held: Held | None = None
    include_running: str = "auto"
    ignore_suspend: bool = False


@dataclass(frozen=True)
class Route:
    """The answer. `end`: the version that is wanted, null when it is not known. `carried`: what a bundle has to hold.

    `published`: whether the bundle moves the channel. `running`: what is known of the images of `start` in the private
    registry: ``complete``, ``incomplete``, ``unknown``, or ``""`` where nothing runs.
    """

    question: Question
    end: Version | None = None
    steps: tuple[Version, ...] = ()
    carried: tuple[Version, ...] = ()
    published: bool = False
    running: str = ""
    releases: Mapping[Version, ReleaseOffer] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()

    def release(self, version: Version) -> ReleaseOffer | None:
        """Metadata of a step; None when it was not read."""
        return self.releases.get(version)

    @functools.cached_property
    def stated(self) -> tuple[tuple[Version, Mapping[str, Any]], ...]:
        """What the steps require, in their order, as far as it was read."""
        return tuple((step, self.releases[step].requirements) for step in self.steps if step in self.releases)

    @functools.cached_property
    def fits_by_path(self) -> dict[tuple[Version, ...], bool]:
        """What was found out about the platform's paths: whether the steps can be taken at any point of them."""
        return {}

    @functools.cached_property
    def is_read(self) -> bool:
        """Whether the metadata of all steps was read."""
        return len(self.stated) == len(self.steps)

    @functools.cached_property
    def bounds(self) -> frozenset[str]:
        """What the steps require of DKP."""
        return frozenset(each["deckhouse"] for _step, each in self.stated if "deckhouse" in each)

    @functools.cached_property
    def dependencies(self) -> frozenset[str]:
        """The modules that the steps require something of."""
        return frozenset(name for _step, each in self.stated for name in each.get("modules", ()))

    @functools.cached_property
    def elsewhere(self) -> dict[tuple[str, str], Version]:
        """What the steps require of other than DKP and modules, such as Kubernetes: the first step by key and value."""
        found: dict[tuple[str, str], Version] = {}
        for step, each in self.stated:
            for key, value in each.items():
                if key not in ("deckhouse", "modules"):
                    found.setdefault((key, value), step)
        return found


def find_route(question: Question, offer: Offer) -> Route:
    """Answer `question` from what the vendor offers; what stands in the way are findings of the result."""
    end, findings = _destination(question, offer)
    if end is None:
        return _with_running(Route(question, findings=tuple(findings)), offer)
    start = question.start
    if start is not None and end < start:
        findings.append(_backwards(question, end, start))
        return _with_running(Route(question, end, findings=tuple(findings)), offer)
    available = offer.available
    held = question.held.versions if question.held is not None else ()
    there = sorted(available.union(held)) if held else offer.ascending
    chain = _chain(question, offer, end, there)
    if start is None or start < end:
        findings += _judge_end(question, offer, chain, end, end in available or end in held)
    findings += _judge_chain(question, chain, end)
    findings += _judge_steps(question, offer, chain, end, available)
    carried = tuple(step for step in chain.steps if step in available)
    published = question.channel is not None and end in carried
    route = Route(question, end, chain.steps, carried, published, "", offer.releases, tuple(findings))
    return _with_running(route, offer)


def _destination(question: Question, offer: Offer) -> tuple[Version | None, list[Finding]]:
    checks, target = question.checks, question.target
    if isinstance(target, Version):
        return target, []
    name = target or question.channel
    if name is None:
        message = f"{question.what} follows no release channel, so Deckhouse looks for no updates of it"
        hint = "Set releaseChannel in the ModuleConfig deckhouse, or name a target"
        return None, [Finding("no_channel", "warning", question.subject(), message, hint)]
    if name not in offer.channels:
        message = f"the channel {name} of {question.what} was not read"
        return None, [Finding(checks.channel, "error", question.subject(name), message, f"Read the channel {name} too")]
    state = offer.channels[name]
    if state is None:
        # what is installed stays as it is; what is not there at all was expected to come
        severity = "error" if question.name is None or question.start is None else "warning"
        message = f"the source has no channel {name} of {question.what}; it has {listed(offer.existing)}"
        hint = "Let it follow one that exists, or ask the vendor"
        return None, [Finding(checks.channel, severity, question.subject(name), message, hint)]
    return _offered(question, name, state)


def _offered(question: Question, name: str, state: ChannelOffer) -> tuple[Version | None, list[Finding]]:
    """What the channel `name` points at, unless Deckhouse would refuse it."""
    subject = question.subject(name)
    if state.version.prerelease:
        message = f"the channel {name} of {question.what} points at the pre-release {state.version}"
        hint = "Deckhouse takes no pre-releases from channels; follow another channel"
        return None, [Finding(question.checks.channel, "error", subject, message, hint)]
    if not state.suspended:
        return state.version, []
    message = f"the vendor has suspended {state.version} in the channel {name} of {question.what}"
    if question.start == state.version:
        return state.version, []
    if question.ignore_suspend:
        hint = "It is taken all the same, because ignore_suspend says so"
        return state.version, [Finding(question.checks.channel, "warning", subject, message, hint)]
    hint = "Wait until that is withdrawn, name another target, or set ignore_suspend"
    return state.version, [Finding(question.checks.channel, "error", subject, message, hint)]


def _backwards(question: Question, end: Version, start: Version) -> Finding:
    subject = question.subject(end)
    if question.target is not None:
        message = f"{question.what} runs {start}, and Deckhouse never goes back to {end}"
        return Finding("downgrade", "error", subject, message, f"Name a target of {start} or above")
    message = f"the channel {question.channel} of {question.what} points back at {end}, and {start} runs"
    hint = "Nothing to do: Deckhouse withdraws pending releases above the channel and never goes back"
    return Finding("channel_back", "info", subject, message, hint)


def _chain(question: Question, offer: Offer, end: Version, available: Sequence[Version]) -> Chain:
    if question.start is None or question.channel == LTS:
        return direct_chain(question.start, end)
    if question.name is None:
        return platform_chain(question.start, end, available)
    return module_chain(question.start, end, available, offer.jumps)


def _judge_end(question: Question, offer: Offer, chain: Chain, end: Version, is_there: bool) -> Iterator[Finding]:
    checks, subject = question.checks, question.subject(end)
    if not is_there:
        message = f"the source has no release {end} of {question.what}"
        hint = f"It has {listed(tuple(map(str, reversed(offer.versions))))}; name one of them, or ask the vendor"
        yield Finding(checks.target, "error", subject, message, hint)
    if chain.steps and not chain.reaches and not chain.missing:
        message = f"without {end} of {question.what} the update would end at {chain.steps[-1]}"
        yield Finding(checks.reach, "error", subject, message, f"If that is meant, name {chain.steps[-1]} as target")


def _judge_chain(question: Question, chain: Chain, end: Version) -> Iterator[Finding]:
    checks, start = question.checks, question.start
    for series in chain.missing:
        minor = series_name(series)
        message = f"the source has no release {minor}.x of {question.what}, which lies between {start} and {end}"
        hint = "Deckhouse skips no minor: ask the vendor, or name a target below"
        yield Finding(checks.gap, "error", question.subject(minor), message, hint)
    if chain.majors:
        message = f"from {start} to {end} the major version changes, and Deckhouse crosses only from 0 to 1"
        yield Finding(checks.gap, "error", question.subject(end), message, "Name a target of the same major version")
    if question.name is None and start is not None and question.channel == LTS and chain.steps:
        minors = end.minor - start.minor
        if end.major == start.major and minors > MOST_LTS_MINORS:
            message = f"{end} lies {minors} minors above {start}; the channel lts crosses {MOST_LTS_MINORS} at most"
            hint = f"Go by way of a version up to v{start.major}.{start.minor + MOST_LTS_MINORS} first (target)"
            yield Finding("P12", "error", question.subject(end), message, hint)


def _judge_steps(
    question: Question, offer: Offer, chain: Chain, end: Version, available: frozenset[Version]
) -> Iterator[Finding]:
    checks, held = question.checks, question.held
    for step in chain.steps:
        release = offer.releases.get(step, NO_RELEASE)
        if release.version is not None and release.version != step:
            message = f"the release image {step} of {question.what} says that it is {release.version}"
            hint = "The vendor's tree is broken there; name another target"
            yield Finding(checks.metadata, "error", question.subject(step), message, hint)
        if step in available:
            continue
        if held is None or step not in held.versions:
            continue  # the end itself, whose absence is told already
        if not held.is_complete(step):
            message = (
                f"the private registry lists {step} of {question.what}, which Deckhouse would take as a step; it lacks "
                f"{listed(held.lacks(step))}, and the source does not have that release"
            )
            hint = f"Delete the tag {step} there, or push its images"
            yield Finding(checks.stray, "error", question.subject(step), message, hint)
        else:
            message = f"the private registry has {step} of {question.what}, which the source does not list any more"
            hint = "It is a step, and nothing of it is carried"
            yield Finding("held_step", "info", question.subject(step), message, hint)
    for stray in sorted(offer.stray - {end}):
        if chain.steps and (question.start is None or question.start < stray) and stray <= chain.steps[-1]:
            message = f"the source lists {stray} of {question.what} without a release image; it is passed over"
            hint = "Nothing to do, unless the private registry lists it too: then delete it there"
            yield Finding(checks.stray, "warning", question.subject(stray), message, hint)


def _with_running(route: Route, offer: Offer) -> Route:
    """Add the running version where it has to be carried (contract: `include_running`)."""
    question, start = route.question, route.question.start
    if start is None:
        return route
    held = question.held
    state = "unknown" if held is None else "complete" if held.is_complete(start) else "incomplete"
    wanted = question.include_running == "always" or (question.include_running == "auto" and state == "incomplete")
    missing = f"; the private registry lacks {listed(held.lacks(start))}" if held is not None else ""
    subject, checks = question.subject(start), question.checks
    if wanted and (start in offer.versions or not offer.listed):
        carried = tuple(sorted({start, *route.carried}))
        published = question.channel is not None and route.end in carried
        return replace(route, carried=carried, published=published, running="complete")
    if wanted:
        message = f"the source does not have the running {start} of {question.what} any more{missing}"
        hint = "Keep its images in the private registry until the update is through"
        finding = Finding(checks.running, "warning", subject, message, hint)
        return replace(route, running="incomplete", findings=(*route.findings, finding))
    if state == "incomplete":
        message = f"the running {start} of {question.what} is incomplete in the private registry{missing}"
        finding = Finding(checks.running, "warning", subject, message, "Set include_running: auto to carry it")
        return replace(route, running=state, findings=(*route.findings, finding))
    return replace(route, running=state if question.include_running == "auto" else "complete")
