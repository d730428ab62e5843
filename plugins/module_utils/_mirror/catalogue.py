# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a registry offers, told in the contract's shapes: channels, versions and their metadata (contract §2)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from .._bundle.donors import Donors
from .._dkp import release as releases
from .._dkp import tree
from .._dkp.channels import KNOWN_CHANNELS
from .._dkp.constraint import Constraint, NameFilter
from .._dkp.editions import edition_of
from .._dkp.platform import range_versions
from .._dkp.release import ModuleDefinition
from .._dkp.version import Version, versions_of_tags
from .._oci.reference import RepositoryAddress
from .._registry.client import Registry
from .._registry.errors import AccessDenied, NotFound
from .memory import HostMemory
from .offer import ReleaseImage, list_tags, read_channels, read_release_image
from .reading import ImageReader

_CHANNEL_FILES = (releases.VERSION_FILE,)
_DESCRIBED_FILES = (releases.VERSION_FILE, releases.CHANGELOG_FILE)
_ABSENT = {"exists": False}


@dataclass(frozen=True)
class ModuleQuery:
    """What `module_releases_info` was asked for. `filters` is None for every module; `modules_path` is normalised."""

    filters: Sequence[NameFilter] | None
    channels: Sequence[str]
    modules_path: str = tree.MODULES
    changelog: bool = False


def describe_platform(
    registry: Registry,
    memory: HostMemory,
    *,
    channels: Sequence[str],
    constraint: Constraint | None = None,
    changelog: bool = False,
) -> dict[str, Any]:
    """The result of `release_channel_info`. With a `constraint`, `releases` are the versions that a pull by it takes.

    Raises InvalidContent for metadata that breaks its format, and what the registry raises.
    """
    repository = registry.address.child(tree.RELEASE_CHANNEL)
    with _reading(registry, memory) as reader:
        # a range takes what channels point at, also those that were not asked for
        wanted = KNOWN_CHANNELS if constraint is not None else channels
        images = read_channels(reader, repository, releases.PLATFORM_RELEASE_FILES, wanted)
        versions = versions_of_tags(list_tags(reader, repository))
        tags = _selected(constraint, versions, (image.platform_release().version for image in images.values()))
        found = _read_tags(reader, repository, tags, releases.PLATFORM_RELEASE_FILES)
        return {
            "edition": edition_of(registry.address),
            "channels": {
                name: _platform_channel(images[name], changelog) if name in images else dict(_ABSENT)
                for name in channels
            },
            "versions": [str(version) for version in versions],
            "releases": {image.tag: _platform_metadata(image, changelog) for image in found},
        }


def describe_modules(registry: Registry, memory: HostMemory, query: ModuleQuery) -> dict[str, Any]:
    """The result of `module_releases_info`.

    Of modules that nobody named, those that the credentials do not cover are told as absent and listed in `denied`.
    Raises InvalidContent, and what the registry raises: AccessDenied also for a module that was named.
    """
    base = RepositoryAddress(registry.address.host, registry.address.child(query.modules_path))
    with _reading(registry, memory) as reader:
        catalogue = frozenset(tree.module_names(list_tags(reader, base.path)))
        wanted = dict.fromkeys(catalogue) if query.filters is None else _joined(query.filters)
        listed = sorted(catalogue & wanted.keys())
        channels = _module_channels(reader, base, listed, query)
        known = [name for name in listed if name in channels]
        versions = dict(zip(known, _module_versions(reader, base, known)))
        found = _module_releases(reader, base, {name: wanted[name] for name in known}, channels, versions, query)
        described = {
            name: {
                "exists": True,
                "channels": {
                    channel: _module_channel(channels[name][channel], query.changelog)
                    if channel in channels[name]
                    else dict(_ABSENT)
                    for channel in query.channels
                },
                "versions": [str(version) for version in versions[name]],
                "releases": found[name],
            }
            for name in known
        }
    return {
        "edition": edition_of(registry.address),
        "modules": {name: described.get(name, dict(_ABSENT)) for name in sorted(wanted)},
        "denied": [name for name in listed if name not in channels],
    }


@contextmanager
def _reading(registry: Registry, memory: HostMemory) -> Iterator[ImageReader]:
    reader = ImageReader(registry, Donors(), memory)
    try:
        yield reader
        reader.remember()
    finally:
        reader.close()


def _selected(
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


def _read_tags(
    reader: ImageReader, repository: str, tags: Iterable[str], files: Iterable[str]
) -> Iterator[ReleaseImage]:
    """The metadata images of those `tags` that exist."""
    wanted = tuple(files)
    images = reader.gather(lambda tag: read_release_image(reader, repository, tag, wanted), tags)
    return (image for image in images if image is not None)


def _platform_channel(image: ReleaseImage, changelog: bool) -> dict[str, Any]:
    release = image.platform_release()
    return {
        "exists": True,
        "version": str(release.version),
        "suspended": release.suspended,
        "canary": dict(release.canary),
        **_platform_metadata(image, changelog),
    }


def _platform_metadata(image: ReleaseImage, changelog: bool) -> dict[str, Any]:
    release = image.platform_release()
    return {
        "digest": image.manifest.digest,
        "requirements": dict(release.requirements),
        "disruptions": {minor: list(names) for minor, names in release.disruptions.items()},
        **_changelog(image, changelog),
    }


def _changelog(image: ReleaseImage, wanted: bool) -> dict[str, Any]:
    """The changelog where it is asked for; an image without the file has an empty one."""
    if not wanted:
        return {}
    raw = image.files.get(releases.CHANGELOG_FILE, b"")
    return {"changelog": releases.parse_changelog(raw, where=f"{image.where}: {releases.CHANGELOG_FILE}")}


def _joined(filters: Iterable[NameFilter]) -> dict[str, Constraint | None]:
    """Constraint by name; those of a name that is repeated combine with OR."""
    joined: dict[str, Constraint | None] = {}
    for each in filters:
        known = joined.get(each.name)
        joined[each.name] = known.joined(each.constraint) if known and each.constraint else known or each.constraint
    return joined


def _module_channels(
    reader: ImageReader, base: RepositoryAddress, names: Sequence[str], query: ModuleQuery
) -> dict[str, dict[str, ReleaseImage]]:
    """Channel images by module, read over all modules at once, so that their number costs no round trips.

    Modules that the credentials do not cover are left out, unless they were named.
    """
    files = _DESCRIBED_FILES if query.changelog else _CHANNEL_FILES
    items = [(name, channel) for name in names for channel in query.channels]

    def read(item: tuple[str, str]) -> ReleaseImage | AccessDenied | None:
        try:
            return read_release_image(reader, base.child(f"{item[0]}/release"), item[1], files)
        except AccessDenied as error:
            if query.filters is not None:
                raise
            return error

    channels: dict[str, dict[str, ReleaseImage]] = {name: {} for name in names}
    for (name, channel), image in zip(items, reader.gather(read, items)):
        if isinstance(image, AccessDenied):
            channels.pop(name, None)
        elif image is not None and name in channels:
            channels[name][channel] = image
    return channels


def _module_versions(reader: ImageReader, base: RepositoryAddress, names: Iterable[str]) -> list[tuple[Version, ...]]:
    """What Deckhouse itself lists: the version tags of the module's own repository (dkp-cluster.md §4.1)."""
    return reader.gather(lambda name: versions_of_tags(list_tags(reader, base.child(name))), names)


def _module_channel(image: ReleaseImage, changelog: bool) -> dict[str, Any]:
    return {
        "exists": True,
        "version": str(image.module_version()),
        "digest": image.manifest.digest,
        **_changelog(image, changelog),
    }


def _module_releases(
    reader: ImageReader,
    base: RepositoryAddress,
    wanted: Mapping[str, Constraint | None],
    channels: Mapping[str, Mapping[str, ReleaseImage]],
    versions: Mapping[str, Sequence[Version]],
    query: ModuleQuery,
) -> dict[str, dict[str, Any]]:
    """Metadata by module and tag, of what the modules' constraints select."""
    items = []
    for name, constraint in wanted.items():
        pointed = (image.module_version() for image in channels[name].values())
        items += [(name, tag) for tag in _selected(constraint, versions[name], pointed)]

    def describe(item: tuple[str, str]) -> dict[str, Any] | None:
        repository = base.child(item[0])
        image = read_release_image(reader, f"{repository}/release", item[1], releases.MODULE_RELEASE_FILES)
        if image is None:
            return None
        definition = _definition(reader, repository, image)
        return {
            "digest": image.manifest.digest,
            "requirements": definition.requirements(),
            "jumps": [jump.as_dict() for jump in definition.jumps],
            **_changelog(image, query.changelog),
        }

    found: dict[str, dict[str, Any]] = {name: {} for name in versions}
    for (name, tag), metadata in zip(items, reader.gather(describe, items)):
        if metadata is not None:
            found[name][tag] = metadata
    return found


def _definition(reader: ImageReader, repository: str, image: ReleaseImage) -> ModuleDefinition:
    """``module.yaml`` of the release image, or of the module's own image where that lacks it."""
    raw, where = image.files.get(releases.MODULE_FILE), image.where
    if raw is None:
        where = f"{repository}:{image.tag}"
        try:
            manifest = reader.manifest(repository, image.tag)
        except NotFound:
            return ModuleDefinition()
        raw = reader.files(repository, manifest, frozenset({releases.MODULE_FILE})).get(releases.MODULE_FILE)
    return releases.parse_module_definition(raw or b"", where=f"{where}: {releases.MODULE_FILE}")
