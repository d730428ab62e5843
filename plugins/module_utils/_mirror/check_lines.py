# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reads what a check needs of the platform and of modules: lists, then pointers and ways, then every image on them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field

from .._dkp import components, tree
from .._dkp.check.observed import ABSENT, BROKEN, THERE, UNKNOWN, Image, Line, Metadata, Parts, Release
from .._dkp.check.wanted import PUBLISHED, WantedLine, chosen
from .._dkp.version import versions_of_tags
from .._oci.digest import hex_of, is_digest
from .._oci.errors import InvalidContent
from .._oci.reference import RepositoryAddress
from .check_asking import Asker, Place

_PLATFORM_FILES = frozenset(components.PLATFORM_COMPONENT_FILES)
_MODULE_FILES = frozenset(components.MODULE_COMPONENT_FILES)


@dataclass(frozen=True)
class Lists:
    """Components by version as delivery.json has them: of the platform (name None) and of modules; and the extra images
    of modules by name, as places without host."""

    components: Mapping[str | None, Mapping[str, tuple[str, ...]]] = field(default_factory=dict)
    extras: Mapping[str, tuple[Place, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class Repositories:
    """Where a line lies: `main` has its images, `releases` its release images, `listing` the tags Deckhouse lists."""

    main: str
    releases: str
    listing: str
    catalogue: str | None = None

    def installer(self) -> str:
        return f"{self.main}/{tree.INSTALL}"


def repositories_of(name: str | None, root: RepositoryAddress, modules_path: str) -> Repositories:
    """The repositories of the platform (None) or of a module."""
    if name is None:
        releases = root.child(tree.RELEASE_CHANNEL)
        return Repositories(root.child(tree.ROOT), releases, releases)
    main = root.child(tree.module_repository(name, modules_path=modules_path))
    return Repositories(main, f"{main}/release", main, root.child(modules_path))


@dataclass
class Listed:
    """What a release consists of: places by how messages call them. `problem`: why that is not known."""

    parts: dict[str, Place] = field(default_factory=dict)
    extras: dict[str, Place] = field(default_factory=dict)
    problem: str = ""
    refused: bool = False


class LineReader:
    """Reads lines of one registry, all of them at once at every stage."""

    def __init__(
        self, asker: Asker, root: RepositoryAddress, *, modules_path: str, stage: str, delivered: Lists
    ) -> None:
        self._asker = asker
        self._root = root
        self._modules_path = modules_path
        self._stage = stage
        self._delivered = delivered

    def begin(self, wanted: Collection[WantedLine]) -> dict[str | None, Line]:
        """The lines of which anything is here or to come, with lists, pointers and the metadata of their releases."""
        places = {line.name: repositories_of(line.name, self._root, self._modules_path) for line in wanted}
        tags = self._asker.lists(
            {
                repository
                for each in places.values()
                for repository in (each.listing, each.catalogue)
                if repository is not None
            }
        )
        lines: dict[str | None, Line] = {}
        for line in wanted:
            place = places[line.name]
            listing = tags[place.listing]
            catalogue = tags[place.catalogue] if place.catalogue is not None else None
            indexed = True if line.name is None else None if catalogue is None else line.name in catalogue
            if line.carried or (indexed is not False and (listing or listing is None)) or line.overrides:
                listed = None if listing is None else versions_of_tags(listing)
                lines[line.name] = Line(line.name, place.main, listed, indexed=indexed)
        self._read_metadata([line for line in wanted if line.name in lines], lines)
        return lines

    def _read_metadata(self, wanted: Iterable[WantedLine], lines: dict[str | None, Line]) -> None:
        """Pointers, and release images of all versions that count; those on the ways come to light by and by."""
        due = {line.name: line for line in wanted}
        for name, line in due.items():
            lines[name] = _with(lines[name], channels=dict.fromkeys(self._channels(line), _NOT_READ))
        while due:
            items: list[tuple[str | None, str]] = []
            for name, line in due.items():
                known = lines[name]
                items += [(name, channel) for channel, pointer in known.channels.items() if pointer is _NOT_READ]
                versions = line.expected() | line.running() | line.targets(known) | chosen(line, known)
                items += [(name, str(version)) for version in sorted(versions) if str(version) not in known.releases]
            for (name, tag), metadata in zip(items, self._asker.gather(self._metadata, items)):
                lines[name] = _with_metadata(lines[name], tag, metadata)
            due = {name: due[name] for name in dict.fromkeys(name for name, _tag in items)}

    def _channels(self, line: WantedLine) -> set[str]:
        """Pointers to read: before they are published, only those that stay as they are."""
        followed = {walk.channel for walk in line.walks if walk.channel is not None}
        if self._stage == PUBLISHED:
            return followed | line.channels.keys()
        unplanned = {walk.channel for walk in line.walks if walk.channel is not None and walk.end is None}
        return unplanned - line.channels.keys()

    def _metadata(self, item: tuple[str | None, str]) -> Metadata:
        name, tag = item
        place = repositories_of(name, self._root, self._modules_path)
        return self._asker.metadata((place.releases, tag), of_module=name is not None)

    def finish(self, wanted: Mapping[str | None, WantedLine], lines: dict[str | None, Line]) -> dict[str, int]:
        """Add to `lines` what the releases consist of, and whether that is there.

        Returns how many components have no tag of their own, by repository.
        """
        items = [(name, tag) for name, line in lines.items() for tag in (*line.releases, *sorted(wanted[name].tags))]
        read = dict(zip(items, self._asker.gather(self._listed, items)))
        parts = {place for _image, _install, listed in read.values() for place in (*listed.parts.values(),)}
        extras = {place for _image, _install, listed in read.values() for place in (*listed.extras.values(),)}
        overrides = [(lines[name].repository, tag) for name in lines for tag in wanted[name].overrides]
        images = self._asker.images([*sorted(parts), *sorted(extras), *overrides])
        for (name, tag), (image, install, listed) in read.items():
            known = lines[name].releases.get(tag)
            release = Release(
                image,
                known.metadata if known is not None else None,
                _parts(listed.parts, images, listed),
                _parts(listed.extras, images),
                install,
            )
            lines[name] = _with(lines[name], releases={**lines[name].releases, tag: release})
        for name, line in lines.items():
            held = {tag: images[line.repository, tag] for tag in wanted[name].overrides}
            lines[name] = _with(line, overrides=held)
        return self._untagged(place for place in parts if images[place].state == THERE)

    def _listed(self, item: tuple[str | None, str]) -> tuple[Image, Image | None, Listed]:
        name, tag = item
        place = repositories_of(name, self._root, self._modules_path)
        known = self._delivered.components.get(name, {}).get(tag)
        if name is None:
            return self._platform(place, tag, known)
        if known is not None:
            extras = {f"{where}:{tag}": (where, tag) for where, tag in self._delivered.extras.get(name, ())}
            return self._asker.image((place.main, tag)), None, Listed(_named(place.main, known), extras)
        image, files, problem = self._asker.files((place.main, tag), _MODULE_FILES)
        return image, None, _read_list(image, problem, lambda: _module_list(files, place.main, tag))

    def _platform(self, place: Repositories, tag: str, known: tuple[str, ...] | None) -> tuple[Image, Image, Listed]:
        """The list is in the install image, and in the main image as well."""
        main, install = (place.main, tag), (place.installer(), tag)
        if known is not None:
            return self._asker.image(main), self._asker.image(install), Listed(_named(place.main, known))
        image = self._asker.image(main)
        listed, held = self._platform_list(place, install)
        if listed.problem and image.state == THERE:
            listed, image = self._platform_list(place, main)
        return image, held, listed

    def _platform_list(self, place: Repositories, source: Place) -> tuple[Listed, Image]:
        image, files, problem = self._asker.files(source, _PLATFORM_FILES, enough=components.has_platform_list)
        return _read_list(image, problem, lambda: _platform_list(files, place.main, source)), image

    def _untagged(self, places: Iterable[Place]) -> dict[str, int]:
        """Components that nothing but their digest names, where the repository lists its tags."""
        by_repository: dict[str, list[str]] = {}
        for repository, reference in places:
            if is_digest(reference):
                by_repository.setdefault(repository, []).append(hex_of(reference))
        tags = self._asker.lists_by_the_way(by_repository)
        found = {}
        for repository, names in by_repository.items():
            listed = tags[repository]
            bare = sum(name not in listed for name in names) if listed is not None else 0
            if bare:
                found[repository] = bare
        return found


_NOT_READ = Metadata(Image(UNKNOWN, note="it was not read"))


def _with(line: Line, **fields: object) -> Line:
    return Line(**{**line.__dict__, **fields})


def _with_metadata(line: Line, tag: str, metadata: Metadata) -> Line:
    if tag in line.channels:
        return _with(line, channels={**line.channels, tag: metadata})
    return _with(line, releases={**line.releases, tag: Release(Image(UNKNOWN), metadata)})


def _read_list(image: Image, problem: str, read: Callable[[], Listed]) -> Listed:
    """The list inside of an image."""
    if problem:
        return Listed(problem=problem, refused=image.state == UNKNOWN)
    try:
        return read()
    except InvalidContent as error:
        return Listed(problem=str(error))


def _platform_list(files: Mapping[str, bytes], repository: str, source: Place) -> Listed:
    found = components.platform_components(files, where=":".join(source))
    return Listed(_named(repository, (*found.tags, *found.digests)))


def _module_list(files: Mapping[str, bytes], repository: str, tag: str) -> Listed:
    found = components.find_module_digests(files.get(components.MODULE_DIGESTS_FILE, b""))
    extras = {}
    if components.EXTRA_IMAGES_FILE in files:
        raw = files[components.EXTRA_IMAGES_FILE]
        for name, extra in components.parse_extra_images(raw, where=f"{repository}:{tag}").items():
            place = (f"{repository}/extra/{name}", extra)
            extras[f"{place[0]}:{extra}"] = place
    return Listed(_named(repository, found), extras)


def _named(repository: str, references: Iterable[str]) -> dict[str, Place]:
    """Components as messages call them: by digest, or by repository and tag."""
    return {
        reference if is_digest(reference) else f"{repository}:{reference}": (repository, reference)
        for reference in references
    }


def _parts(places: Mapping[str, Place], images: Mapping[Place, Image], listed: Listed = Listed()) -> Parts:  # noqa: B008 - a value
    missing = [
        _called(name, images[place]) for name, place in places.items() if images[place].state in (ABSENT, BROKEN)
    ]
    unknown = [name for name, place in places.items() if images[place].state == UNKNOWN]
    return Parts(len(places), tuple(missing), tuple(unknown), listed.problem, listed.refused)


def _called(name: str, image: Image) -> str:
    return f"{name} ({image.note})" if image.note else name
