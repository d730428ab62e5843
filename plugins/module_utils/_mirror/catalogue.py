# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a registry offers of the platform, told in the contract's shapes (contract §2)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from .._bundle.donors import Donors
from .._dkp import release as releases
from .._dkp import tree
from .._dkp.channels import KNOWN_CHANNELS
from .._dkp.constraint import Constraint
from .._dkp.editions import edition_of
from .._dkp.plan.updates import Update, channels_to_read, ways_of
from .._dkp.platform import range_versions
from .._dkp.version import Version, versions_of_tags
from .._registry.client import Registry
from .memory import HostMemory
from .offer import ReleaseImage, list_tags, read_channels, read_release_image
from .reading import ImageReader
from .updates import Item, Known, follow, read_items, stray_of

ABSENT = {"exists": False}
_PLATFORM = "platform"


@dataclass(frozen=True)
class PlatformQuery:
    """What `release_channel_info` was asked for. `channels` and `updates` are None where nothing was said of them."""

    channels: Sequence[str] | None = None
    constraint: Constraint | None = None
    updates: Sequence[Update] | None = None
    changelog: bool = False


def describe_platform(registry: Registry, memory: HostMemory, query: PlatformQuery) -> dict[str, Any]:
    """The result of `release_channel_info`.

    `releases` are the versions that a pull by the constraint takes, and those on the ways of the updates.
    Raises InvalidContent for metadata that breaks its format, and what the registry raises.
    """
    repository = registry.address.child(tree.RELEASE_CHANNEL)
    channels = channels_to_read(query.channels, query.updates)
    with reading_from(registry, memory) as reader:
        # a range takes what channels point at, also those that were not asked for
        wanted = KNOWN_CHANNELS if query.constraint is not None else channels
        images = read_channels(reader, repository, releases.PLATFORM_RELEASE_FILES, wanted)
        versions = versions_of_tags(list_tags(reader, repository))
        known = _read_releases(reader, repository, query, images, versions)
        return {
            "images_repo": str(registry.address),
            "edition": edition_of(registry.address),
            "channels": {
                name: _channel(images[name], query.changelog) if name in images else dict(ABSENT) for name in channels
            },
            "versions": [str(version) for version in versions],
            "releases": {
                tag: {"version": str(image.platform_release().version), **_metadata(image, query.changelog)}
                for tag, image in ordered(known)
            },
            "stray": [str(version) for version in sorted(stray_of(known))],
        }


@contextmanager
def reading_from(registry: Registry, memory: HostMemory) -> Iterator[ImageReader]:
    """A reader of the registry's images; the host remembers what was read when all went well."""
    reader = ImageReader(registry, Donors(), memory)
    try:
        yield reader
        reader.remember()
    finally:
        reader.close()


def selected(
    constraint: Constraint | None, available: Iterable[Version], pointed: Iterable[Version]
) -> tuple[str, ...]:
    """The tags whose metadata a constraint asks for, ascending: what a pull by it would take, and its pins."""
    if constraint is None:
        return ()
    versions = set(range_versions(constraint, available))
    versions |= {version for version in pointed if constraint.in_range(version)}
    versions |= {pin.version for pin in constraint.pins if pin.version is not None}
    custom = {pin.tag for pin in constraint.pins if pin.version is None}
    return (*map(str, sorted(versions)), *sorted(custom))


def ordered(known: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """Tags with what was read of them, those that are there: versions ascending, then custom tags by name."""
    there = {tag: release for tag, release in known.items() if release is not None}
    versions = [str(version) for version in versions_of_tags(there)]
    return [(tag, there[tag]) for tag in (*versions, *sorted(there.keys() - set(versions)))]


def changelog_of(image: ReleaseImage, *, wanted: bool) -> dict[str, Any]:
    """The changelog where it is asked for; an image without the file has an empty one."""
    if not wanted:
        return {}
    raw = image.files.get(releases.CHANGELOG_FILE, b"")
    return {"changelog": releases.parse_changelog(raw, where=f"{image.where}: {releases.CHANGELOG_FILE}")}


def _read_releases(
    reader: ImageReader,
    repository: str,
    query: PlatformQuery,
    images: Mapping[str, ReleaseImage],
    versions: Sequence[Version],
) -> dict[str, ReleaseImage | None]:
    """By tag the release images that the constraint and the updates need; None for those that are not there."""
    pointed = {name: image.platform_release().version for name, image in images.items()}

    def read(items: Sequence[Item]) -> dict[Item, ReleaseImage | None]:
        def read_one(item: Item) -> ReleaseImage | None:
            return read_release_image(reader, repository, item[1], releases.PLATFORM_RELEASE_FILES)

        return dict(zip(items, reader.gather(read_one, items)))

    known: Known[ReleaseImage] = {_PLATFORM: {}}
    read_items(known, [(_PLATFORM, tag) for tag in selected(query.constraint, versions, pointed.values())], read)
    follow({_PLATFORM: ways_of(query.updates or (), pointed)}, {_PLATFORM: versions}, known, read)
    return known[_PLATFORM]


def _channel(image: ReleaseImage, changelog: bool) -> dict[str, Any]:
    release = image.platform_release()
    return {
        "exists": True,
        "version": str(release.version),
        "suspended": release.suspended,
        "canary": dict(release.canary),
        **_metadata(image, changelog),
    }


def _metadata(image: ReleaseImage, changelog: bool) -> dict[str, Any]:
    release = image.platform_release()
    return {
        "digest": image.manifest.digest,
        "requirements": dict(release.requirements),
        "disruptions": {minor: list(names) for minor, names in release.disruptions.items()},
        **changelog_of(image, wanted=changelog),
    }
