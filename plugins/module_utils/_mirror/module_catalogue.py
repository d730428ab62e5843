# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a registry offers of modules, told in the contract's shapes (contract §2)."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from .._dkp import release as releases
from .._dkp import tree
from .._dkp.constraint import Constraint, NameFilter
from .._dkp.editions import edition_of
from .._dkp.plan.updates import Update, Way, channels_to_read, span_of, ways_of
from .._dkp.release import ModuleDefinition
from .._dkp.version import Version, versions_of_tags
from .._oci.reference import RepositoryAddress
from .._registry.client import Registry
from .._registry.errors import AccessDenied, NotFound
from .catalogue import ABSENT, changelog_of, ordered, reading_from, selected
from .memory import HostMemory
from .offer import ReleaseImage, list_tags, read_release_image
from .reading import ImageReader
from .updates import Item, Known, follow, read_items, stray_of

_CHANNEL_FILES = (releases.VERSION_FILE,)
_DESCRIBED_FILES = (releases.VERSION_FILE, releases.CHANGELOG_FILE)
Work = TypeVar("Work", bound="tuple[str, ...]")
Result = TypeVar("Result")
Channels = Mapping[str, ReleaseImage]


@dataclass(frozen=True)
class ModuleQuery:
    """What `module_releases_info` was asked for; `filters`, `channels` and `updates` (by module) are None where nothing
    was said of them. `modules_path` is normalised."""

    filters: Sequence[NameFilter] | None = None
    channels: Sequence[str] | None = None
    updates: Mapping[str, Sequence[Update]] | None = None
    modules_path: str = tree.MODULES
    changelog: bool = False

    @property
    def named(self) -> frozenset[str]:
        """The modules that a person asked for by name."""
        return frozenset(each.name for each in self.filters or ())

    def modules(self, catalogue: Iterable[str]) -> dict[str, Constraint | None]:
        """The modules to read, with the constraint of each; without a word about any, those of the catalogue."""
        if self.filters is None and self.updates is None:
            return dict.fromkeys(catalogue)
        return {**dict.fromkeys(self.updates or ()), **_joined(self.filters or ())}

    def channels_of(self, name: str) -> tuple[str, ...]:
        """The channels to read of a module."""
        return channels_to_read(self.channels, (self.updates or {}).get(name))

    def files_of_channels(self, name: str) -> tuple[str, ...]:
        """What is read of a channel's image: all that a release says where a way may end there."""
        if self.updates and name in self.updates:
            return releases.MODULE_RELEASE_FILES
        return _DESCRIBED_FILES if self.changelog else _CHANNEL_FILES


@dataclass(frozen=True)
class ModuleRelease:
    """A release image, and how the module describes itself in that version."""

    image: ReleaseImage
    definition: ModuleDefinition


@dataclass
class _Modules:
    """Reads of many modules at once, so that their number costs no round trips.

    Those that the credentials do not cover are `denied`, and nothing more is asked of them; for one that was `named`
    the error is raised.
    """

    reader: ImageReader
    base: RepositoryAddress
    named: Collection[str]
    denied: set[str] = field(default_factory=set)
    own: dict[tuple[str, str], ModuleDefinition] = field(default_factory=dict)
    """What modules say of themselves outside their release images, by repository and version."""

    def gather(self, function: Callable[[Work], Result], works: Iterable[Work]) -> dict[Work, Result]:
        """`function` of each of `works`, which begin with the name of a module; without those of denied modules."""

        def covered(work: Work) -> Result | AccessDenied:
            try:
                return function(work)
            except AccessDenied as error:
                if work[0] in self.named:
                    raise
                return error

        wanted = [work for work in works if work[0] not in self.denied]
        results = dict(zip(wanted, self.reader.gather(covered, wanted)))
        self.denied |= {work[0] for work, result in results.items() if isinstance(result, AccessDenied)}
        return {
            work: result
            for work, result in results.items()
            if work[0] not in self.denied and not isinstance(result, AccessDenied)
        }

    def channels(self, query: ModuleQuery, names: Iterable[str]) -> dict[str, dict[str, ReleaseImage]]:
        """Images of the existing channels, by module and channel."""

        def read(item: Item) -> ReleaseImage | None:
            return self._image(item, query.files_of_channels(item[0]))

        found: dict[str, dict[str, ReleaseImage]] = {name: {} for name in names}
        items = [(name, channel) for name in found for channel in query.channels_of(name)]
        for (name, channel), image in self.gather(read, items).items():
            if image is not None:
                found[name][channel] = image
        return found

    def versions(self, names: Iterable[str]) -> dict[str, tuple[Version, ...]]:
        """What Deckhouse itself lists: the version tags of the module's own repository (dkp-cluster.md §5.1)."""

        def read(work: tuple[str]) -> tuple[Version, ...]:
            return versions_of_tags(list_tags(self.reader, self.base.child(work[0])))

        return {name: found for (name,), found in self.gather(read, [(name,) for name in names]).items()}

    def releases(self, items: Sequence[Item]) -> dict[Item, ModuleRelease | None]:
        """The releases under those modules and tags; None where there is no image."""

        def read(item: Item) -> ModuleRelease | None:
            image = self._image(item, releases.MODULE_RELEASE_FILES)
            return ModuleRelease(image, self.definition(item, image)) if image is not None else None

        return self.gather(read, items)

    def definition(self, item: Item, image: ReleaseImage) -> ModuleDefinition:
        """``module.yaml`` of the release image, or of the module's own image of that version where that lacks it."""
        raw = image.files.get(releases.MODULE_FILE)
        if raw is not None:
            return releases.parse_module_definition(raw, where=f"{image.where}: {releases.MODULE_FILE}")
        if item not in self.own:
            self.own[item] = self._own_definition(*item)
        return self.own[item]

    def _own_definition(self, name: str, tag: str) -> ModuleDefinition:
        repository = self.base.child(name)
        try:
            manifest = self.reader.manifest(repository, tag)
        except NotFound:
            return ModuleDefinition()
        raw = self.reader.files(repository, manifest, frozenset({releases.MODULE_FILE})).get(releases.MODULE_FILE)
        return releases.parse_module_definition(raw or b"", where=f"{repository}:{tag}: {releases.MODULE_FILE}")

    def _image(self, item: Item, files: Iterable[str]) -> ReleaseImage | None:
        name, tag = item
        return read_release_image(self.reader, f"{self.base.child(name)}/release", tag, files)


def describe_modules(registry: Registry, memory: HostMemory, query: ModuleQuery) -> dict[str, Any]:
    """The result of `module_releases_info`.

    Of modules that nobody named, those that the credentials do not cover are told as absent and listed in `denied`.
    Raises InvalidContent, and what the registry raises: AccessDenied also for a module that was named.
    """
    base = RepositoryAddress(registry.address.host, registry.address.child(query.modules_path))
    with reading_from(registry, memory) as reader:
        catalogue = frozenset(tree.module_names(list_tags(reader, base.path)))
        wanted = query.modules(catalogue)
        modules = _Modules(reader, base, query.named)
        listed = sorted(catalogue & wanted.keys())
        channels = modules.channels(query, listed)
        versions = modules.versions(listed)
        known: Known[ModuleRelease] = {name: {} for name in versions}
        constrained = [
            (name, tag)
            for name in known
            for tag in selected(wanted[name], versions[name], _pointed(channels[name]).values())
        ]
        read_items(known, constrained, modules.releases)
        ways = _ways(modules, query, channels, known)
        follow(ways, versions, known, modules.releases)
        described = {
            name: _described(query, name, channels[name], known[name], _shown(query, name, ways, versions[name]))
            for name in known
            if name not in modules.denied
        }
    return {
        "images_repo": str(registry.address),
        "modules_path": query.modules_path or "/",
        "edition": edition_of(registry.address),
        "modules": {name: described.get(name, dict(ABSENT)) for name in sorted(wanted)},
        "denied": sorted(modules.denied),
    }


def _joined(filters: Iterable[NameFilter]) -> dict[str, Constraint | None]:
    """Constraint by name; those of a name that is repeated combine with OR."""
    joined: dict[str, Constraint | None] = {}
    for each in filters:
        known = joined.get(each.name)
        joined[each.name] = known.joined(each.constraint) if known and each.constraint else known or each.constraint
    return joined


def _pointed(channels: Channels) -> dict[str, Version]:
    return {channel: image.module_version() for channel, image in channels.items()}


def _ways(
    modules: _Modules, query: ModuleQuery, channels: Mapping[str, Channels], known: Known[ModuleRelease]
) -> dict[str, list[Way]]:
    """The ways by module, with the jumps that their targets state: in the channel's image, else in that of the version.

    What is read of versions on the way is added to `known`.
    """
    updates = {name: each for name, each in (query.updates or {}).items() if name in known}
    ways = {name: ways_of(each, _pointed(channels[name])) for name, each in updates.items()}
    targets = {(name, str(way.target)): None for name in ways for way in ways[name] if way.asks_for_jumps}
    pointing = {(name, str(image.module_version())): image for name in ways for image in channels[name].values()}
    read_items(known, [item for item in targets if item not in pointing], modules.releases)
    definitions = modules.gather(
        lambda item: modules.definition(item, pointing[item]), [item for item in targets if item in pointing]
    )

    def jumps(name: str, way: Way) -> Way:
        item = (name, str(way.target))
        release = known[name].get(item[1])
        definition = definitions.get(item) or (release.definition if release is not None else ModuleDefinition())
        return replace(way, jumps=definition.jumps) if way.asks_for_jumps else way

    return {name: [jumps(name, way) for way in each] for name, each in ways.items()}


def _shown(
    query: ModuleQuery, name: str, ways: Mapping[str, Sequence[Way]], versions: Sequence[Version]
) -> Sequence[Version]:
    """The versions to tell: all, but for a module that only updates name, those that a plan may look at."""
    if name in query.named or not query.updates or name not in query.updates:
        return versions
    return span_of(query.updates[name], ways[name], versions)


def _described(
    query: ModuleQuery,
    name: str,
    channels: Channels,
    known: Mapping[str, ModuleRelease | None],
    versions: Iterable[Version],
) -> dict[str, Any]:
    return {
        "exists": True,
        "channels": {
            channel: _channel(channels[channel], query.changelog) if channel in channels else dict(ABSENT)
            for channel in query.channels_of(name)
        },
        "versions": [str(version) for version in versions],
        "releases": {tag: _release(release, query.changelog) for tag, release in ordered(known)},
        "stray": [str(version) for version in sorted(stray_of(known))],
    }


def _channel(image: ReleaseImage, changelog: bool) -> dict[str, Any]:
    return {
        "exists": True,
        "version": str(image.module_version()),
        "digest": image.manifest.digest,
        **changelog_of(image, wanted=changelog),
    }


def _release(release: ModuleRelease, changelog: bool) -> dict[str, Any]:
    image = release.image
    return {
        "version": str(image.module_version()) if releases.VERSION_FILE in image.files else None,
        "digest": image.manifest.digest,
        "requirements": release.definition.requirements(),
        "jumps": [jump.as_dict() for jump in release.definition.jumps],
        **changelog_of(image, wanted=changelog),
    }
