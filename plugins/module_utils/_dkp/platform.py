# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which platform releases a selector takes (d8-mirror.md §3, corrected by contract.md under oci_bundle_pull)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from .._oci.errors import InvalidInput
from .._oci.reference import is_tag
from .channels import DEFAULT_CHANNELS, KNOWN_CHANNELS, LTS, channel_meant, is_channel
from .constraint import Constraint, Pin, parse_constraint
from .nearest import listed
from .selection import (
    ChannelState,
    Selection,
    SelectionError,
    make_selection,
    missing_channel,
    select_pins,
    suspended_names,
)
from .version import Version, newest_per_series, require_version, versions_of_tags

__all__ = [
    "ChannelState",
    "PlatformSelector",
    "Selection",
    "SelectionError",
    "parse_platform_selector",
    "range_versions",
    "select_platform",
    "wants_tag_list",
]
SUBJECT = "platform"


@dataclass(frozen=True)
class PlatformSelector:
    """What of the platform was asked for; with neither constraint nor release it is discovery."""

    constraint: Constraint | None = None
    since: Version | None = None
    release: str | None = None
    ignore_suspend: bool = False

    @property
    def pinned(self) -> tuple[Pin, ...]:
        """The tag that is asked for by name; empty for discovery, ranges, and a release that is a channel."""
        if self.constraint is not None and self.constraint.exact:
            return self.constraint.pins
        return (Pin(self.release),) if self.release is not None and not is_channel(self.release) else ()

    @property
    def needs_every_channel(self) -> bool:
        """Whether a missing default channel is an error: in discovery and ranges, not for what is asked for by name."""
        return self.release is None and not self.pinned


def parse_platform_selector(
    *,
    platform_versions: str | None = None,
    since_version: str | None = None,
    release: str | None = None,
    ignore_suspend: bool = False,
) -> PlatformSelector:
    """Read the options; blank ones count as unset. Raises InvalidInput when two are set or one cannot be right."""
    given = {"platform_versions": platform_versions, "since_version": since_version, "release": release}
    values = {name: text.strip() for name, text in given.items() if text is not None and text.strip()}
    if len(values) > 1:
        raise InvalidInput(f"{' and '.join(values)} exclude each other; set one of them")
    constraint = values.get("platform_versions")
    since = values.get("since_version")
    return PlatformSelector(
        constraint=parse_constraint(constraint, where="platform_versions") if constraint else None,
        since=require_version(since, where="since_version") if since else None,
        release=_release(values["release"]) if "release" in values else None,
        ignore_suspend=ignore_suspend,
    )


def wants_tag_list(selector: PlatformSelector, channels: Mapping[str, ChannelState]) -> bool:
    """Whether `select_platform` has to know the tags of ``release-channel``.

    Not for pins (fetching the tag tells), nor where only the channels' own versions are taken.
    """
    if not selector.needs_every_channel:
        return False
    return selector.constraint is not None or _fills_between(selector, channels)


def select_platform(selector: PlatformSelector, channels: Mapping[str, ChannelState], tags: Sequence[str]) -> Selection:
    """Apply `selector` to the existing `channels` (by name) and the `tags` of ``release-channel``.

    Raises SelectionError naming what is missing: a tag, a channel, any version of a range; or what is suspended.
    """
    if selector.release is not None and is_channel(selector.release):
        return _select_channel(selector, channels)
    if selector.pinned:
        return _select_pinned(selector, channels, tags)
    _check_complete(channels)
    available = versions_of_tags(tags)
    if selector.constraint is not None:
        return _select_range(selector, selector.constraint, channels, available)
    return _discover(selector, channels, available)


def range_versions(constraint: Constraint, available: Iterable[Version]) -> tuple[Version, ...]:
    """Of `available`, what the ranges of `constraint` take, ascending.

    Where a pre-release is the newest of its minor, the newest release comes along: clusters take no step onto a
    pre-release.
    """
    candidates = tuple(available)
    releases = [version for version in candidates if not version.prerelease]
    return tuple(sorted(constraint.select(candidates) | constraint.select(releases)))


def _release(text: str) -> str:
    meant = channel_meant(text)
    if meant is not None and meant != text:
        raise InvalidInput(f"release: registries spell the channel {text!r} as {meant!r}")
    if "+" in text:
        raise InvalidInput(
            f'release: {text!r} is a version with a channel; write platform_versions: "={text.lstrip("=")}"'
        )
    if not is_tag(text):
        raise InvalidInput(
            f"release: {text!r} is neither a channel ({', '.join(KNOWN_CHANNELS)}) nor a version like v1.69.4 nor a tag"
        )
    return text


def _check_complete(channels: Mapping[str, ChannelState]) -> None:
    """A source without ``lts`` has all of the default five: anything else is a broken or foreign tree."""
    if not channels:
        raise SelectionError(
            f"{SUBJECT}: the source has no release channel at all (looked for {', '.join(KNOWN_CHANNELS)}); "
            "check that images_repo names the edition's root, and that the licence covers it"
        )
    missing = [name for name in DEFAULT_CHANNELS if name not in channels]
    if missing and LTS not in channels:
        noun = "channel is" if len(missing) == 1 else "channels are"
        raise SelectionError(
            f"{SUBJECT}: default {noun} missing in the source: {', '.join(missing)}; it has {listed(tuple(channels))}. "
            "Pull a version or channel by name (release) if that is meant",
            missing=missing,
        )


def _select_pinned(selector: PlatformSelector, channels: Mapping[str, ChannelState], tags: Sequence[str]) -> Selection:
    """A custom tag is not looked for among the tags: it may lack a release image, only the root has to have it."""
    pins = selector.pinned
    known = tags if all(pin.version is not None for pin in pins) else ()
    return select_pins(pins, channels, known, ignore_suspend=selector.ignore_suspend, subject=SUBJECT)


def _select_channel(selector: PlatformSelector, channels: Mapping[str, ChannelState]) -> Selection:
    """A channel asked for by name: its version, published as a pin, and to that channel itself whatever it is."""
    name = str(selector.release)
    state = channels.get(name)
    if state is None:
        raise missing_channel(name, channels, subject=SUBJECT)
    suspended_names([state], ignore_suspend=selector.ignore_suspend, subject=SUBJECT)
    pin = Pin(str(state.version))
    selection = select_pins([pin], channels, (), ignore_suspend=selector.ignore_suspend, subject=SUBJECT)
    published = {**selection.channels, name: state.version}
    return make_selection(selection.versions, published, repointed=published, warnings=selection.warnings)


def _select_range(
    selector: PlatformSelector,
    constraint: Constraint,
    channels: Mapping[str, ChannelState],
    available: Iterable[Version],
) -> Selection:
    inside = {name: state for name, state in channels.items() if constraint.in_range(state.version)}
    candidates = tuple(available)
    versions = {state.version for state in inside.values()}.union(range_versions(constraint, candidates))
    if not versions:
        offered = sorted({state.version for state in channels.values()}.union(candidates))
        raise SelectionError(
            f"{SUBJECT}: no release lies in {constraint.text!r}; the source has {_span(offered)}",
            missing=constraint.text,
        )
    return _carry(selector, versions, inside)


def _discover(
    selector: PlatformSelector, channels: Mapping[str, ChannelState], available: Iterable[Version]
) -> Selection:
    """From rock-solid up to alpha, the newest of each minor and what the channels point at.

    `since` may lower the floor. Without rock-solid the floor is that of the lowest channel. Without alpha only what
    the channels point at is taken, and with a `since` below them what lies between it and them. A pre-release that is
    the newest of its minor comes along under its own name, beside the newest release (see range_versions).
    """
    floor = _floor(selector, channels)
    pointed = {state.version for state in channels.values()}
    ceiling = channels["alpha"].version if "alpha" in channels else max(pointed)
    between = [version for version in available if floor <= version <= ceiling]
    if not _fills_between(selector, channels):
        between = []
    versions = newest_per_series(between) | newest_per_series(each for each in between if not each.prerelease)
    versions |= {version for version in pointed if version >= floor}
    inside = {name: state for name, state in channels.items() if state.version >= floor}
    return _carry(selector, versions, inside)


def _fills_between(selector: PlatformSelector, channels: Mapping[str, ChannelState]) -> bool:
    """Whether discovery also takes releases that no channel points at."""
    return "alpha" in channels or (bool(channels) and _floor(selector, channels) < _natural_floor(channels))


def _floor(selector: PlatformSelector, channels: Mapping[str, ChannelState]) -> Version:
    """`since` extends downwards only: the lower of it and the natural floor."""
    natural = _natural_floor(channels)
    return natural if selector.since is None else min(natural, selector.since)


def _natural_floor(channels: Mapping[str, ChannelState]) -> Version:
    if "alpha" in channels and "rock-solid" in channels:
        return channels["rock-solid"].version
    return min(state.version for state in channels.values())


def _carry(selector: PlatformSelector, versions: Iterable[Version], inside: Mapping[str, ChannelState]) -> Selection:
    suspended = suspended_names(inside.values(), ignore_suspend=selector.ignore_suspend, subject=SUBJECT)
    pointers = {name: state.version for name, state in inside.items()}
    return make_selection(versions, pointers, repointed=suspended)


def _span(versions: Sequence[Version]) -> str:
    return f"{versions[0]} to {versions[-1]}" if versions else "none"
