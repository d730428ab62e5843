# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which modules, and which of their releases, a selection takes (d8-mirror.md §4, corrected by contract.md)."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from .._oci.errors import InvalidInput
from .constraint import Constraint, NameFilter, parse_filter
from .findings import Finding
from .nearest import did_you_mean, listed
from .selection import (
    ChannelState,
    Selection,
    SelectionError,
    check_listed,
    make_selection,
    select_pins,
    suspended_names,
)
from .version import Version, versions_of_tags

MODULE_WITHOUT_RELEASE = "module_without_release"
"""Id of the warning for a module that the catalogue lists and that has no release on any channel."""


@dataclass(frozen=True)
class ModuleSelector:
    """One module and what of it is wanted. `named`: it was asked for by its name, so it has to be there."""

    name: str
    constraint: Constraint | None = None
    named: bool = False
    ignore_suspend: bool = False

    @property
    def subject(self) -> str:
        """How messages call it."""
        return f"module {self.name}"


@dataclass(frozen=True)
class ModuleChoice:
    """The options `modules` and `exclude_modules`. `include` is None for every module of the catalogue."""

    include: tuple[NameFilter, ...] | None = None
    exclude: frozenset[str] = frozenset()

    @property
    def takes_nothing(self) -> bool:
        """Whether no module is wanted, so that not even the catalogue is to be read."""
        return self.include == ()


def parse_module_choice(include: Sequence[str] | None, exclude: Sequence[str] | None = None) -> ModuleChoice:
    """Read ``name[@constraint]`` lists (empty strings already dropped): None is all, an empty list is none.

    One name may be repeated: its constraints combine with OR, and a bare repetition adds nothing. A constraint on
    an excluded name is checked for its syntax; the whole module is left out. Raises InvalidInput.
    """
    if include and exclude:
        raise InvalidInput("modules and exclude_modules exclude each other; set one of them")
    left_out = frozenset(parse_filter(text, where="exclude_modules").name for text in exclude or ())
    if include is None:
        return ModuleChoice(None, left_out)
    return ModuleChoice(_merged(parse_filter(text, where="modules") for text in include), left_out)


def choose_modules(choice: ModuleChoice, catalogue: Collection[str]) -> tuple[ModuleSelector, ...]:
    """The modules of `catalogue` (names) that `choice` takes, by name.

    Raises InvalidInput naming every included or excluded module that is not in the catalogue, with the nearest names.
    """
    if choice.include is None:
        _check_known(choice.exclude, catalogue, option="exclude_modules")
        return tuple(ModuleSelector(name) for name in sorted(set(catalogue) - choice.exclude))
    _check_known([each.name for each in choice.include], catalogue, option="modules")
    return tuple(ModuleSelector(each.name, each.constraint, named=True) for each in choice.include)


def module_wants_tag_list(selector: ModuleSelector) -> bool:
    """Whether `select_module` has to know the tags of the module's own repository: for ranges only."""
    return selector.constraint is not None and not selector.constraint.exact


def select_module(selector: ModuleSelector, channels: Mapping[str, ChannelState], tags: Sequence[str]) -> Selection:
    """Apply `selector` to the existing `channels` of the module (by name) and the `tags` of its repository.

    Without a constraint: what the channels point at. With ranges: of each range the newest of every minor and the
    inclusive bounds, what channels point at inside of them, and those channels only. With pins: see select_pins;
    next to ranges a pin is published to its ``+channel`` only, which then wins over the source's pointer.
    Raises SelectionError when that is nothing, and for a module asked for by name that has no release at all.
    """
    if selector.constraint is None:
        return _select_pointed(selector, channels)
    if selector.constraint.exact:
        return select_pins(
            selector.constraint.pins, channels, tags, ignore_suspend=selector.ignore_suspend, subject=selector.subject
        )
    return _select_ranges(selector, selector.constraint, channels, tags)


def _select_pointed(selector: ModuleSelector, channels: Mapping[str, ChannelState]) -> Selection:
    if channels:
        return _carry(selector, {state.version for state in channels.values()}, channels)
    if selector.named:
        raise SelectionError(
            f"{selector.subject} was asked for and has no release on any channel; "
            f"name a version of it ({selector.name}@=vX.Y.Z) or leave it out",
            missing=selector.name,
        )
    warning = Finding(
        MODULE_WITHOUT_RELEASE,
        "warning",
        selector.subject,
        f"{selector.subject} is in the catalogue and has no release on any channel: nothing of it is taken",
        f"Name a version of it ({selector.name}@=vX.Y.Z), or list it in exclude_modules",
    )
    return make_selection((), {}, warnings=[warning])


def _select_ranges(
    selector: ModuleSelector, constraint: Constraint, channels: Mapping[str, ChannelState], tags: Sequence[str]
) -> Selection:
    available = versions_of_tags(tags)
    inside = {name: state for name, state in channels.items() if constraint.admits(state.version)}
    versions = constraint.select(available) | {state.version for state in inside.values()}
    for each in constraint.ranges:
        if not any(each.admits(version) for version in versions):
            shown = listed(tuple(map(str, reversed(available))))
            raise SelectionError(
                f"{selector.subject}: no version lies in {each.text!r}; it has {shown}", missing=each.text
            )
    if not constraint.pins:
        return _carry(selector, versions, inside)
    check_listed((pin.tag for pin in constraint.pins), tags, subject=selector.subject)
    published = [pin for pin in constraint.pins if pin.channel is not None]
    pinned = select_pins(published, channels, tags, ignore_suspend=selector.ignore_suspend, subject=selector.subject)
    upstream = {name: state for name, state in inside.items() if name not in pinned.channels}
    carried = _carry(selector, versions, upstream)
    versions |= {pin.version for pin in constraint.pins if pin.version is not None}
    return make_selection(
        versions,
        {**carried.channels, **pinned.channels},
        tags=[pin.tag for pin in constraint.pins if pin.version is None],
        repointed=carried.repointed | pinned.repointed,
    )


def _carry(selector: ModuleSelector, versions: Collection[Version], inside: Mapping[str, ChannelState]) -> Selection:
    suspended = suspended_names(inside.values(), ignore_suspend=selector.ignore_suspend, subject=selector.subject)
    pointers = {name: state.version for name, state in inside.items()}
    return make_selection(versions, pointers, repointed=suspended)


def _merged(filters: Iterable[NameFilter]) -> tuple[NameFilter, ...]:
    merged: dict[str, NameFilter] = {}
    for each in filters:
        known = merged.get(each.name)
        if known is None or known.constraint is None:
            merged[each.name] = each
        elif each.constraint is not None:
            merged[each.name] = NameFilter(each.name, known.constraint.joined(each.constraint))
    return tuple(merged[name] for name in sorted(merged))


def _check_known(names: Collection[str], catalogue: Collection[str], *, option: str) -> None:
    unknown = sorted(set(names) - set(catalogue))
    if unknown:
        named = ", ".join(f"{name!r}{did_you_mean(name, catalogue)}" for name in unknown)
        noun = "module is" if len(unknown) == 1 else "modules are"
        raise InvalidInput(
            f"{option}: {len(unknown)} {noun} not in the source's catalogue of {len(catalogue)}: {named}",
            unknown=unknown,
        )
