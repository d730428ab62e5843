# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a selector takes of one source, the same for the platform and for a module (contract.md, oci_bundle_pull)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from .._oci.errors import InvalidInput
from .channels import DEFAULT_CHANNELS, LTS, in_order
from .constraint import Pin
from .findings import Finding
from .nearest import listed, nearest_names
from .version import Version, parse_version, versions_of_tags

PIN_PUBLISHES_ALL = "pin_publishes_all"
"""Id of the warning that a pin without ``+channel`` draws."""
_NEIGHBOURS = 2


class SelectionError(InvalidInput):
    """What was asked for is not what the source offers; the text names what is missing and what there is."""


@dataclass(frozen=True)
class ChannelState:
    """What one existing channel of a source offers. A module's channels are never suspended."""

    name: str
    version: Version
    suspended: bool = False


@dataclass(frozen=True)
class Selection:
    """What is to be carried.

    `versions`: ascending. `channels`: pointers to carry, in the order of KNOWN_CHANNELS; every value is in `versions`.
    `tags`: custom tags. `repointed`: those of `channels` whose pointer is the release image of the version, not
    the image that the source has under the channel's name. `warnings`: what the user should know.
    """

    versions: tuple[Version, ...]
    channels: Mapping[str, Version]
    tags: tuple[str, ...] = ()
    repointed: frozenset[str] = frozenset()
    warnings: tuple[Finding, ...] = field(default=())

    @property
    def references(self) -> tuple[str, ...]:
        """Every tag to fetch for this selection: the versions, then the custom tags."""
        return (*map(str, self.versions), *self.tags)


def make_selection(
    versions: Iterable[Version],
    channels: Mapping[str, Version],
    *,
    tags: Iterable[str] = (),
    repointed: Iterable[str] = (),
    warnings: Iterable[Finding] = (),
) -> Selection:
    """A Selection in its order; of `channels` only those whose version is among `versions`."""
    chosen = set(versions)
    kept = {name: channels[name] for name in in_order(channels) if channels[name] in chosen}
    return Selection(
        tuple(sorted(chosen)), kept, tuple(sorted(set(tags))), frozenset(repointed).intersection(kept), tuple(warnings)
    )


def suspended_names(states: Iterable[ChannelState], *, ignore_suspend: bool, subject: str) -> frozenset[str]:
    """The suspended ones among `states`, which are what a selection would carry.

    Raises SelectionError naming all of them unless `ignore_suspend`.
    """
    suspended = {state.name: state.version for state in states if state.suspended}
    if suspended and not ignore_suspend:
        named = ", ".join(f'"{name}" ({suspended[name]})' for name in sorted(suspended))
        noun, verb = ("channel", "is") if len(suspended) == 1 else ("channels", "are")
        raise SelectionError(
            f"{subject}: the vendor has suspended the release of {noun} {named}. Wait until that is withdrawn, choose "
            f"versions without what {verb} suspended, or set ignore_suspend: true to take it all the same",
            channels=sorted(suspended),
        )
    return frozenset(suspended)


def select_pins(
    pins: Sequence[Pin], states: Mapping[str, ChannelState], tags: Iterable[str], *, ignore_suspend: bool, subject: str
) -> Selection:
    """What pins alone take: their tags, and the pointers they publish.

    A pin with ``+channel`` publishes to that channel. A single pin of a version without one publishes to the default
    five, or to lts where the source has only that, with the warning pin_publishes_all; custom tags and several
    pins without ``+channel`` publish nothing. `tags` may be empty when they were not listed; otherwise every pin has to
    be among them. A suspended channel stops a pin that would publish the very version it is suspended at.
    """
    known = tuple(tags)
    check_listed((pin.tag for pin in pins), known, subject=subject)
    channels = _pointers_asked_for(pins, subject)
    warnings: list[Finding] = []
    versions = {pin.version for pin in pins if pin.version is not None}
    if not channels and len({pin.tag for pin in pins}) == 1 and versions:
        (version,) = versions
        channels = dict.fromkeys(_published_by_default(states), version)
        warnings.append(_publishes_all(version, channels, subject))
    carried = [state for name, state in states.items() if channels.get(name) == state.version]
    suspended_names(carried, ignore_suspend=ignore_suspend, subject=subject)
    custom = [pin.tag for pin in pins if pin.version is None]
    return make_selection(versions, channels, tags=custom, repointed=channels, warnings=warnings)


def check_listed(wanted: Iterable[str], known: Sequence[str], *, subject: str) -> None:
    """Raise SelectionError for the first of `wanted` that is not in `known`; nothing is known of an empty list."""
    if known:
        listed_tags = frozenset(known)
        for tag in wanted:
            if tag not in listed_tags:
                raise missing_tag(tag, known, subject=subject)


def missing_tag(tag: str, known: Iterable[str], *, subject: str) -> SelectionError:
    """The error for a `tag` that was asked for by name and is not among the tags `known` of its repository.

    It names the nearest: for a version those below and above it, else those that are spelled alike.
    """
    near = _nearest_tags(tag, tuple(known))
    there = f"; the nearest that exist are {listed(near)}" if near else "; there is nothing like it"
    return SelectionError(f"{subject}: {tag!r} was asked for and is not there{there}", missing=tag, nearest=list(near))


def missing_channel(name: str, existing: Iterable[str], *, subject: str) -> SelectionError:
    """The error for a channel that was asked for and does not exist, with those that do."""
    there = in_order(existing)
    return SelectionError(
        f"{subject}: the channel {name!r} was asked for and the source does not have it; it has {listed(there)}",
        missing=name,
        existing=list(there),
    )


def _pointers_asked_for(pins: Iterable[Pin], subject: str) -> dict[str, Version]:
    channels: dict[str, Version] = {}
    for pin in pins:
        version = pin.version
        if pin.channel is None or version is None:
            continue
        other = channels.setdefault(pin.channel, version)
        if other != version:
            raise SelectionError(
                f"{subject}: the channel {pin.channel!r} cannot point at {other} and at {version}; "
                f"write +{pin.channel} after one of them only"
            )
    return channels


def _published_by_default(states: Mapping[str, ChannelState]) -> tuple[str, ...]:
    return (LTS,) if set(states) == {LTS} else DEFAULT_CHANNELS


def _publishes_all(version: Version, channels: Iterable[str], subject: str) -> Finding:
    names = ", ".join(channels)
    return Finding(
        PIN_PUBLISHES_ALL,
        "warning",
        subject,
        f"{subject} is pinned to {version}: in the bundle these channels point at it: {names}",
        f"A cluster that follows one of them will be offered {version}. "
        f'Write "={version}+stable" to publish to one channel only',
    )


def _nearest_tags(tag: str, known: tuple[str, ...]) -> tuple[str, ...]:
    wanted = parse_version(tag)
    if wanted is None:
        return nearest_names(tag, known)
    versions = versions_of_tags(known)
    if wanted in versions:
        return (str(wanted),)
    below = [version for version in versions if version < wanted][-_NEIGHBOURS:]
    above = [version for version in versions if version > wanted][:_NEIGHBOURS]
    return tuple(map(str, (*below, *above)))
