# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a version lacks: the single faults of a release (dkp-cluster.md §5.5: P2, P5–P7, P13; M4–M7)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from ..counting import counted
from ..nearest import listed
from ..version import version_of_tag
from .observed import ABSENT, BROKEN, THERE, UNKNOWN, Image, Metadata, Parts, Release
from .words import Words

_MOST_NAMED = 5
PUSH_AGAIN = "Push the bundle again; what is there is not sent twice"
ASK_ADMINISTRATOR = "Let the account read that repository; see the finding R3"


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong with a release. `brief` is how a finding about all of the release tells it."""

    check: str
    severity: str
    brief: str
    consequence: str
    hint: str = PUSH_AGAIN

    @property
    def message(self) -> str:
        return f"{self.brief}: {self.consequence}" if self.consequence else self.brief


def faults_of(words: Words, tag: str, release: Release, *, is_target: bool = False) -> Iterator[Fault]:
    """The faults of the release under `tag`, the gravest first. `is_target`: whether a way ends at it."""
    checks = words.checks
    yield from image_fault(checks.image, release.image, words.image(tag), words.without_image)
    if release.metadata is not None:
        check = checks.target if is_target else checks.metadata
        yield from _metadata_fault(check, words, tag, release.metadata, is_target=is_target)
    if release.image.state in (THERE, UNKNOWN) or not release.parts.problem:
        yield from _parts_faults(checks.parts, release.parts, words.subject(tag), words.without_parts)
    yield from _parts_faults(checks.extras, release.extras, words.subject(tag), words.without_parts, "extra ")
    if release.install is not None:
        yield from _install_fault(words, tag, release.install, promised=release.installs)


def image_fault(check: str, image: Image, name: str, consequence: str) -> Iterator[Fault]:
    if image.state == ABSENT:
        yield Fault(check, "error", f"{name} is not there", consequence)
    elif image.state == BROKEN:
        yield Fault(check, "error", f"{name} is not whole ({image.note})", consequence, _REPAIR)
    elif image.state == UNKNOWN:
        brief = f"whether {name} is there is not known: {image.note}"
        yield Fault(check, "unknown", brief, "", ASK_ADMINISTRATOR)


_REPAIR = "Push the bundle again with repair: true"


def _metadata_fault(check: str, words: Words, tag: str, metadata: Metadata, *, is_target: bool) -> Iterator[Fault]:
    name, consequence = words.release_image(tag), words.without_metadata(is_target=is_target)
    if metadata.image.state != THERE:
        yield from image_fault(check, metadata.image, name, consequence)
    elif metadata.version != version_of_tag(tag):
        brief = f"{name} says that it is {metadata.version or 'no version'}"
        hint = "Two builds were mixed; pull that version again from the vendor and push it"
        yield Fault(check, "error", brief, "Deckhouse would make a release of another name", hint)


def _parts_faults(check: str, parts: Parts, subject: str, consequence: str, kind: str = "") -> Iterator[Fault]:
    if parts.missing:
        brief = (
            f"{subject} lacks {len(parts.missing)} of {counted(parts.total, f'{kind}image')}: {named(parts.missing)}"
        )
        yield Fault(check, "error", brief, consequence)
    if parts.unknown:
        few = f"{len(parts.unknown)} of {counted(parts.total, f'{kind}image')} of {subject}"
        brief = f"whether {few} are there is not known: {named(parts.unknown)}"
        yield Fault(check, "unknown", brief, "", ASK_ADMINISTRATOR)
    if parts.problem:
        brief = f"which {kind}images {subject} consists of is not known: {parts.problem}"
        severity = "unknown" if parts.refused else "error"
        yield Fault(check, severity, brief, "", "Push the images of that version again, or name the bundle (src)")


def _install_fault(words: Words, tag: str, install: Image, *, promised: bool) -> Iterator[Fault]:
    """Clusters get along without it, but what the bundle brings has to land."""
    name = f"{words.repository}/install:{tag}"
    consequence = "updates do not need it; installing and converging with dhctl do"
    for fault in image_fault("P13", install, name, consequence):
        yield fault if promised else replace(fault, severity="info")


def named(names: tuple[str, ...]) -> str:
    """The first few of `names`, and how many more there are."""
    return listed(names[:_MOST_NAMED]) + (f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else "")


def told(faults: list[Fault]) -> str:
    """What a release lacks, in one sentence part."""
    return "; ".join(fault.brief for fault in faults)
