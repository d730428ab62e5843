# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later


"""Which releases Deckhouse makes objects of when it has read a channel (dkp-cluster.md §5.2, §5.3), and in which order
it deploys them (§1.5). Functions only; `deckhouse` is the controller that follows them.

Generation ``A`` are clusters up to about 1.74 (of modules: until April 2026), ``B`` those after it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from ansible_collections.dkp.airgap.plugins.module_utils._dkp.version import Version, parse_version

LTS = "lts"
LTS_STRIDE = 10
"""How many minors a platform of the channel LTS may skip at once, and reach the next."""
STEP_BY_STEP = "check release (step-by-step)"
Jumps = Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Chain:
    """`versions` to make objects of, ascending, and what is wrong with the registry, ``""`` if nothing."""

    versions: tuple[Version, ...]
    cause: str = STEP_BY_STEP
    error: str = ""


@dataclass(frozen=True)
class Offer:
    """What a channel offers to a cluster that is at `start` (None: no release of it there yet)."""

    channel: str
    version: Version
    start: Version | None
    jumps: Jumps = ()


def platform_chain(generation: str, offer: Offer, tags: Callable[[], Collection[Version]]) -> Chain:
    """The releases of the platform; `tags` lists what ``release-channel`` has."""
    direct = _direct(generation, offer)
    if direct is not None:
        return direct
    assert offer.start is not None
    steps = _steps(offer, tags(), with_current=generation == "B")
    if not steps:
        return Chain((), error="no matched tags in registry")
    last = offer.start
    for number, step in enumerate(steps):
        if not follows(step, last):
            if generation == "B":
                text = f"{last} -> {step}: missing intermediate minor version in registry"
                return Chain(tuple(steps[:number]), error=text)
            text = "" if number else f"versions is not in sequence: '{last}' and '{step}'"
            return Chain(tuple(steps[:number]), error=text)
        last = step
    return Chain(tuple(steps))


def module_chain(generation: str, offer: Offer, tags: Callable[[], Collection[Version]]) -> Chain:
    """The releases of a module; `tags` lists what the repository of its images has."""
    direct = _direct(generation, offer)
    if direct is not None:
        return direct
    assert offer.start is not None
    if jump_reaches(offer.jumps, offer.version, offer.start):
        return Chain((offer.version,))
    steps = _steps(offer, tags(), with_current=generation == "B")
    if not steps:
        return Chain((), error="no matched tags in registry")
    last = offer.start
    for number, step in enumerate(steps):
        if not follows(step, last):
            # The one after the gap is made all the same, and waits for ever.
            text = f"step by step update failed: not sequential version: prev '{last}' next '{step}'"
            return Chain(tuple(steps[: number + 1]), error=text)
        last = step
    return Chain(tuple(steps))


def _direct(generation: str, offer: Offer) -> Chain | None:
    """The cases without a look at the tags; None: look at them."""
    if offer.version.prerelease:
        return Chain((), error=f"pre-release version {offer.version} in the channel {offer.channel}")
    if offer.start is None:
        return Chain((offer.version,), "check release (no releases in cluster)")
    if offer.version <= offer.start:
        return Chain(())
    if offer.channel == LTS:
        return Chain((offer.version,), "check release (lts channel)")
    if generation == "A" and follows(offer.version, offer.start):
        return Chain((offer.version,), "check release (from deployed)")
    return None


def _steps(offer: Offer, tags: Collection[Version], *, with_current: bool) -> list[Version]:
    """The highest patch of each minor on the way, in the last one not above what the channel offers."""
    assert offer.start is not None
    first = offer.start.series if with_current else (offer.start.major, offer.start.minor + 1)
    best: dict[tuple[int, int], Version] = {}
    for tag in sorted(tags):
        if tag > offer.start and first <= tag.series <= offer.version.series and not tag.prerelease:
            best[tag.series] = min(tag, offer.version)
    return [best[series] for series in sorted(best)]


def follows(version: Version, deployed: Version) -> bool:
    """Whether no minor lies between: a patch, the next minor, or the first major."""
    if version.major != deployed.major:
        return (deployed.major, version.major) == (0, 1)
    return version.minor - deployed.minor <= 1


def jump_reaches(jumps: Jumps, version: Version, deployed: Version) -> bool:
    """Whether `version` may be deployed right after `deployed`, past what lies between (dkp-cluster.md §2.1)."""
    for start, end in jumps:
        first, last = parse_version(start), parse_version(end)
        if first and last and first <= deployed < last and last.series == version.series:
            return True
    return False


@dataclass(frozen=True)
class Turn:
    """Whether a pending release may be deployed: `verdict` is ``process``, ``skip`` or ``await`` with a `message`."""

    verdict: str
    message: str = ""
    is_patch: bool = False


@dataclass(frozen=True)
class Waiting:
    """One pending release as the order sees it."""

    version: Version
    jumps: Jumps = ()


def turn_of(
    release: Waiting, pending: Sequence[Waiting], deployed: Version | None, *, channel: str, is_module: bool = False
) -> Turn:
    """The task calculator; `pending` are all that wait, `release` among them."""
    version, others = release.version, [one.version for one in pending if one.version != release.version]
    if deployed is None:
        lower = [one for one in others if one < version]
        return _awaiting(max(lower)) if lower else Turn("process")
    if version <= deployed or any(one > version and one.series == version.series for one in others):
        return Turn("skip")
    if any(one.version > version and jump_reaches(one.jumps, one.version, deployed) for one in pending):
        return Turn("skip")
    if version.series == deployed.series:
        return Turn("process", is_patch=True)
    if jump_reaches(release.jumps, version, deployed):
        return Turn("process")
    lower = [one for one in others if deployed < one < version]
    if lower:
        return _awaiting(max(lower))
    if version.major != deployed.major and not follows(version, deployed):
        return Turn("await", f"major version is greater than deployed {deployed}")
    return _turn_of_minor(version, deployed, channel=channel, is_module=is_module)


def _turn_of_minor(version: Version, deployed: Version, *, channel: str, is_module: bool) -> Turn:
    if channel == LTS and not is_module and version.minor - deployed.minor > LTS_STRIDE:
        return Turn("await", f"minor version is greater than deployed {deployed} by more than the LTS channel accepts")
    if channel != LTS and not follows(version, deployed):
        return Turn("await", f"minor version is greater than deployed {deployed} by one")
    return Turn("process")


def _awaiting(version: Version) -> Turn:
    return Turn("await", f"awaiting for {version} release to be deployed")
