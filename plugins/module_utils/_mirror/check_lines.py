# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reads what a check needs of the platform and of modules: lists, then pointers and ways, then every image on them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from .._dkp import tree
from .._dkp.check.observed import THERE, UNKNOWN, Image, Line, Metadata, Release
from .._dkp.check.wanted import PUBLISHED, WantedLine, chosen
from .._dkp.version import versions_of_tags
from .._oci.digest import hex_of, is_digest
from .._oci.reference import RepositoryAddress
from .check_asking import Asker, Place
from .check_bundle import PlacedBundle
from .check_parts import Listed, Repositories, judged, module_parts, named, platform_parts, repositories_of


class LineReader:
    """Reads lines of one registry, all of them at once at every stage."""

    def __init__(
        self, asker: Asker, root: RepositoryAddress, *, modules_path: str, stage: str, promised: PlacedBundle
    ) -> None:
        self._asker = asker
        self._root = root
        self._modules_path = modules_path
        self._stage = stage
        self._promised = promised

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
        parts = {place for _image, _install, listed in read.values() for place in listed.parts.values()}
        extras = {place for _image, _install, listed in read.values() for place in listed.extras.values()}
        overrides = [(lines[name].repository, tag) for name in lines for tag in wanted[name].overrides]
        images = self._asker.images([*sorted(parts), *sorted(extras), *overrides])
        for (name, tag), (image, install, listed) in read.items():
            known = lines[name].releases.get(tag)
            release = Release(
                image,
                known.metadata if known is not None else None,
                judged(listed.parts, images, problem=listed.problem, refused=listed.refused),
                judged(listed.extras, images),
                install,
                (f"{lines[name].repository}/{tree.INSTALL}", tag) in self._promised.fixed,
            )
            lines[name] = _with(lines[name], releases={**lines[name].releases, tag: release})
        for name, line in lines.items():
            held = {tag: images[line.repository, tag] for tag in wanted[name].overrides}
            lines[name] = _with(line, overrides=held)
        return self._untagged(place for place in parts if images[place].state == THERE)

    def _listed(self, item: tuple[str | None, str]) -> tuple[Image, Image | None, Listed]:
        """The main image, the install image of the platform, and what the release consists of."""
        name, tag = item
        place = repositories_of(name, self._root, self._modules_path)
        known = self._promised.components.get(name, {}).get(tag)
        if known is None:
            return platform_parts(self._asker, place, tag) if name is None else self._module(place, tag)
        listed = Listed(named(place.main, known))
        image = self._asker.image((place.main, tag))
        if name is None:
            return image, self._asker.image((place.install, tag)), listed
        listed.extras = {":".join(extra): extra for extra in self._promised.extras.get(name, ())}
        return image, None, listed

    def _module(self, place: Repositories, tag: str) -> tuple[Image, None, Listed]:
        image, listed = module_parts(self._asker, place, tag)
        return image, None, listed

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
