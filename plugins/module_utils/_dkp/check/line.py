# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The platform, or one module: pointers, ways, and every release on them (dkp-cluster.md §5.5: P1–P9, P12, M1–M9, M11).

The stricter rules of newer Deckhouse are used; what they accept, older ones accept too (§11).
"""

from __future__ import annotations

from collections.abc import Iterable

from ..channels import LTS
from ..nearest import listed
from ..plan.steps import MOST_LTS_MINORS, series_name
from ..version import Version
from .faults import ASK_ADMINISTRATOR, PUSH_AGAIN, faults_of, image_fault, told
from .gathered import Findings
from .observed import ABSENT, THERE, UNKNOWN, Line, Metadata
from .wanted import PUBLISHED, Walk, WantedLine, chain_of, chosen
from .words import Words

_UNSEEN = "Its images were not looked at"


def judge_line(wanted: WantedLine, line: Line, *, stage: str) -> Findings:
    """Everything that is to be said of a line. `stage`: ``content`` or ``published``."""
    words, found = Words(line.name, line.repository), Findings()
    _judge_index(wanted, line, words, found, stage)
    _judge_pointers(wanted, line, words, found, stage)
    for walk in wanted.walks:
        _judge_walk(walk, wanted, line, words, found)
    _judge_releases(wanted, line, words, found)
    _judge_lists(line, words, found)
    for tag, clusters in wanted.overrides.items():
        _judge_override(tag, clusters, line, words, found)
    return found


def _judge_index(wanted: WantedLine, line: Line, words: Words, found: Findings, stage: str) -> None:
    if line.name is None or line.indexed or (stage != PUBLISHED and wanted.carried):
        return  # entries of the catalogue are written with the pointers
    subject, where = str(line.name), f"{line.repository.rpartition('/')[0]}:{line.name}"
    if line.indexed is None:
        message = f"whether the catalogue names module {line.name} ({where}) is not known"
        found.tell("M1", "unknown", subject, message, ASK_ADMINISTRATOR)
    else:
        message = f"the catalogue does not name module {line.name} ({where} is not there): Deckhouse would not see it"
        found.tell("M1", "error", subject, message, "Push the bundle with publish: pointers, or all")


def _judge_pointers(wanted: WantedLine, line: Line, words: Words, found: Findings, stage: str) -> None:
    for channel, version in wanted.channels.items():
        if version.prerelease:
            message = f"the channel {channel} of {words.what} is to point at the pre-release {version}"
            hint = "Deckhouse takes no pre-releases from channels; plan another version"
            found.tell(words.checks.channel, "error", words.subject(channel), message, hint)
        if stage == PUBLISHED:
            _judge_pointer(channel, version, line, words, found)
    for walk in wanted.walks:
        if walk.channel is None or walk.channel in wanted.channels or walk.channel not in line.channels:
            continue
        pointer = line.channels[walk.channel]
        if pointer.image.state == ABSENT and (walk.end is None or stage == PUBLISHED):
            message = f"{words.what} follows {walk.channel}, and {words.release_image(walk.channel)} is not there"
            severity = "error" if wanted.carried and walk.end is not None else "unknown"
            hint = "Push a bundle with that channel"
            found.tell(words.checks.channel, severity, words.subject(walk.channel), message, hint, walk.cluster)
        elif pointer.image.state != ABSENT:
            _judge_content(walk.channel, pointer, words, found, walk.cluster)


def _judge_pointer(channel: str, version: Version, line: Line, words: Words, found: Findings) -> None:
    pointer = line.channels.get(channel)
    if pointer is None:
        return
    check, subject = words.checks.channel, words.subject(channel)
    if pointer.image.state == ABSENT:
        message = f"{words.release_image(channel)} is not there: clusters that follow {channel} get no updates"
        found.tell(check, "error", subject, message, "Publish it: push with publish: pointers")
    elif _judge_content(channel, pointer, words, found) and pointer.version != version:
        message = f"the channel {channel} of {words.what} points at {pointer.version}, and {version} is planned"
        if pointer.version is not None and pointer.version > version:
            hint = "Somebody published a newer one: make the plan anew, or push with allow_downgrade: true"
        else:
            hint = "Publish it: push with publish: pointers"
        found.tell(check, "error", subject, message, hint)


def _judge_content(channel: str, pointer: Metadata, words: Words, found: Findings, *clusters: str) -> bool:
    """Whether a pointer says where it leads and may be followed."""
    check, subject, name = words.checks.channel, words.subject(channel), words.release_image(channel)
    consequence = f"clusters that follow {channel} get no updates"
    faults = list(image_fault(check, pointer.image, name, consequence))
    for fault in faults:
        found.tell(fault.check, fault.severity, subject, fault.message, fault.hint, *clusters)
    if faults:
        return False
    if pointer.version is None:
        message = f"{name} says no version: {consequence}"
        found.tell(check, "error", subject, message, PUSH_AGAIN, *clusters)
        return False
    if pointer.suspended:
        message = f"{name} says that {pointer.version} is suspended: Deckhouse does not take it"
        hint = "Pull and push again when the vendor has withdrawn that, or with ignore_suspend"
        found.tell(check, "error", subject, message, hint, *clusters)
    return True


def _judge_walk(walk: Walk, wanted: WantedLine, line: Line, words: Words, found: Findings) -> None:
    end = wanted.end(walk, line)
    if end is None or (walk.start is not None and walk.start >= end):
        return
    checks, start = words.checks, walk.start
    if line.listed is None:
        message = f"the way of {words.what} to {end} is not known: {words.repository} does not list its tags"
        found.tell(checks.gap, "unknown", words.subject(end), message, ASK_ADMINISTRATOR, walk.cluster)
        return
    chain = chain_of(walk, end, line)
    for series in chain.missing:
        minor = series_name(series)
        message = (
            f"the registry lists no release {minor}.x of {words.what}, which lies between {start} and {end}: "
            "Deckhouse skips no minor and would stop before it"
        )
        hint = "Pull that minor too (a plan from the cluster's facts names it) and push it before the channel"
        found.tell(checks.gap, "error", words.subject(minor), message, hint, walk.cluster)
    if chain.majors:
        message = f"from {start} to {end} the major version of {words.what} changes; Deckhouse crosses only 0 to 1"
        hint = "Plan a target of the same major version"
        found.tell(checks.gap, "error", words.subject(end), message, hint, walk.cluster)
    if not chain.reaches and not chain.missing:
        last = chain.steps[-1] if chain.steps else start
        message = f"the registry does not list {end} of {words.what}: the update would end at {last}"
        found.tell(checks.reach, "error", words.subject(end), message, PUSH_AGAIN, walk.cluster)
    if walk.channel == LTS and line.name is None and start is not None:
        _judge_distance(start, end, words, found, walk.cluster)


def _judge_distance(start: Version, end: Version, words: Words, found: Findings, cluster: str) -> None:
    minors = end.minor - start.minor
    if end.major == start.major and minors > MOST_LTS_MINORS:
        message = f"{end} lies {minors} minors above {start}; the channel lts crosses {MOST_LTS_MINORS} at most"
        hint = f"Go by way of a version up to v{start.major}.{start.minor + MOST_LTS_MINORS} first (target)"
        found.tell("P12", "error", words.subject(end), message, hint, cluster)


def _judge_releases(wanted: WantedLine, line: Line, words: Words, found: Findings) -> None:
    """Each release that was meant to be there, each that Deckhouse would take all the same, and what runs."""
    expected, targets, taken = wanted.expected(), wanted.targets(line), chosen(wanted, line)
    if not wanted.carried:
        expected = expected | taken  # where nothing was planned, nothing can be astray
    for version in sorted(expected):
        _judge_release(str(version), line, words, found, is_target=version in targets)
    for tag in sorted(wanted.tags):
        _judge_release(tag, line, words, found)
    for version in sorted(taken - expected):
        _judge_stray(version, line, words, found, [walk.cluster for walk in wanted.walks])
    for version in sorted(wanted.running()):
        _judge_running(version, wanted, line, words, found)


def _judge_release(tag: str, line: Line, words: Words, found: Findings, *, is_target: bool = False) -> None:
    release = line.releases.get(tag)
    if release is None:
        found.tell(words.checks.image, "unknown", words.subject(tag), f"{words.image(tag)}: {_UNSEEN.lower()}", "")
        return
    for fault in faults_of(words, tag, release, is_target=is_target):
        found.tell(fault.check, fault.severity, words.subject(tag), fault.message, fault.hint)


def _judge_stray(version: Version, line: Line, words: Words, found: Findings, clusters: Iterable[str]) -> None:
    release, subject, check = line.releases.get(str(version)), words.subject(version), words.checks.stray
    faults = list(faults_of(words, str(version), release)) if release is not None else []
    errors = [fault for fault in faults if fault.severity == "error"]
    unknown = [fault for fault in faults if fault.severity == "unknown"]
    if errors:
        message = f"{version} of {words.what} was not planned, and Deckhouse would take it as a step: {told(errors)}"
        hint = (
            f"Delete the tag {words.image(version) if line.name else words.release_image(version)}, or push its images"
        )
        found.tell(check, "error", subject, message, hint, *clusters)
    elif unknown or release is None:
        message = f"{version} of {words.what} was not planned, and Deckhouse would take it as a step; {told(unknown)}"
        found.tell(check, "unknown", subject, message, ASK_ADMINISTRATOR, *clusters)
    else:
        message = f"{version} of {words.what} was not planned, is there in full, and Deckhouse will take it as a step"
        found.tell(check, "info", subject, message, "Nothing to do", *clusters)


def _judge_running(version: Version, wanted: WantedLine, line: Line, words: Words, found: Findings) -> None:
    """What runs has to stay there for as long as pods of it may start anew."""
    walks = [walk for walk in wanted.walks if walk.start == version]
    clusters = [walk.cluster for walk in walks]
    subject, check = words.subject(version), words.checks.running
    release = line.releases.get(str(version))
    if release is None:
        message = f"whether the running {version} of {words.what} is there in full is not known"
        found.tell(check, "unknown", subject, message, ASK_ADMINISTRATOR, *clusters)
        return
    faults = list(faults_of(words, str(version), release))
    errors = [fault for fault in faults if fault.severity == "error"]
    unknown = [fault for fault in faults if fault.severity == "unknown"]
    if errors and any(walk.here for walk in walks):
        message = (
            f"the running {version} of {words.what} is incomplete: {told(errors)}. Pods that move to another node, or "
            "start on a new one, would end in ImagePullBackOff"
        )
        hint = f"Pull {version} too (include_running: always) and push it"
        found.tell(check, "error", subject, message, hint, *clusters)
    elif errors:
        message = (
            f"the running {version} of {words.what} is not there in full ({told(errors)}). Whether that matters is not "
            "known: the cluster does not say that it takes its images from here"
        )
        hint = f"Pull {version} too (include_running: always) if the cluster takes, or will take, its images from here"
        found.tell(check, "unknown", subject, message, hint, *clusters)
    elif unknown:
        message = f"whether the running {version} of {words.what} is there in full is not known: {told(unknown)}"
        found.tell(check, "unknown", subject, message, ASK_ADMINISTRATOR, *clusters)


def _judge_lists(line: Line, words: Words, found: Findings) -> None:
    """A list that lacks what is there is one that ends too early, and Deckhouse reads the same."""
    if line.listed is None:
        return
    listed_versions = {str(version) for version in line.listed}
    there = []
    for tag, release in line.releases.items():
        shown = release.metadata.image if line.name is None and release.metadata is not None else release.image
        if release.metadata is not None and shown.state == THERE and tag not in listed_versions:
            there.append(tag)
    if there:
        where = words.releases if line.name is None else words.repository
        message = f"{where} does not list {listed(there)}, which it has: Deckhouse finds releases in that list"
        hint = "The registry, or a proxy before it, cuts tag lists; let it serve them in full, with their pages"
        found.tell("R2", "error", where, message, hint)


def _judge_override(tag: str, clusters: list[str], line: Line, words: Words, found: Findings) -> None:
    image, name = line.overrides.get(tag), words.image(tag)
    subject = words.subject(tag)
    if image is None or image.state == UNKNOWN:
        message = f"whether {name} is there, at which a ModulePullOverride holds module {line.name}, is not known"
        found.tell("M11", "unknown", subject, message, ASK_ADMINISTRATOR, *clusters)
    elif image.state != THERE:
        message = f"{name}, at which a ModulePullOverride holds module {line.name}, is not there in full"
        found.tell("M11", "error", subject, message, "Push that image, or remove the ModulePullOverride", *clusters)
