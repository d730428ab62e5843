# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reads the metadata of the releases on the ways that a plan looks at: no more than those, and of all ways at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from .._dkp.plan.updates import Way
from .._dkp.version import Version, version_of_tag

Release = TypeVar("Release")
Item = tuple[str, str]
"""A name (of a module, or of the one platform) and a tag."""
Known = dict[str, dict[str, "Release | None"]]
"""By name and tag what was read; None for a tag whose image is not there."""


def read_items(
    known: Known[Release], items: Sequence[Item], read: Callable[[Sequence[Item]], Mapping[Item, Release | None]]
) -> set[str]:
    """Add what `read` finds of those `items` that are not `known` yet; the names of which an image is missing."""
    missing = set()
    for (name, tag), release in read([item for item in items if item[1] not in known[item[0]]]).items():
        known[name][tag] = release
        if release is None:
            missing.add(name)
    return missing


def follow(
    ways: Mapping[str, Sequence[Way]],
    available: Mapping[str, Sequence[Version]],
    known: Known[Release],
    read: Callable[[Sequence[Item]], Mapping[Item, Release | None]],
) -> None:
    """Read what the steps of all `ways` (by name) say, and add it to `known`.

    Where a tag has no image, Deckhouse may be given the next lower patch instead: the steps are computed anew without
    it, until nothing is missing. `read` may leave out the items of a name that cannot be read at all.
    """
    names = set(ways)
    while names:
        items = {
            (name, str(step)): None
            for name in sorted(names)
            for way in ways[name]
            for step in way.steps(available[name], stray=stray_of(known[name]))
        }
        names = read_items(known, list(items), read)


def stray_of(known: Mapping[str, Release | None]) -> set[Version]:
    """The versions whose image is missing."""
    versions = (version_of_tag(tag) for tag, release in known.items() if release is None)
    return {version for version in versions if version is not None}
