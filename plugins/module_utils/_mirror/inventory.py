# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a private registry holds, for the next plan: the document `MirrorInventory` (contract §2).

Few requests: an image that a repository lists under its 64 hex digits, as every push leaves it, counts as there.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from .._dkp import tree
from .._dkp.channels import KNOWN_CHANNELS
from .._dkp.check.gathered import Findings
from .._dkp.check.observed import ABSENT, THERE, Image, Metadata, Observed
from .._dkp.check.registry import judge_refusals
from .._dkp.counting import counted
from .._dkp.findings import Finding
from .._dkp.nearest import listed
from .._dkp.plan.inventory import Held, Inventory
from .._dkp.version import Version, version_of_tag, versions_of_tags
from .._oci.digest import hex_of, is_digest
from .._oci.reference import RepositoryAddress
from .._registry.client import Registry
from .check_asking import Asker, Place, asking
from .check_parts import Listed, Repositories, judged, module_parts, platform_parts, repositories_of
from .memory import HostMemory

Item = tuple["str | None", str]
"""A module (None: the platform), and a tag."""


@dataclass(frozen=True)
class Taken:
    """An inventory, and what one should know of it."""

    inventory: Inventory
    findings: tuple[Finding, ...]


def take_inventory(
    registry: Registry, memory: HostMemory, *, modules_path: str, scheme: str, blobs: bool = False
) -> Taken:
    """Look at everything that Deckhouse lists. `modules_path` is normalised; `blobs`: ask for every image and all that
    it consists of.

    Raises AccessDenied when nothing may be read, and what reaching the registry raises.
    """
    with asking(registry, memory, blobs=blobs) as asker:
        return _Inventory(asker, registry.address, modules_path, scheme=scheme, asks_all=blobs).take()


class _Inventory:
    """One inventory on its way."""

    def __init__(
        self, asker: Asker, root: RepositoryAddress, modules_path: str, *, scheme: str, asks_all: bool
    ) -> None:
        self._asker = asker
        self._root = root
        self._modules_path = modules_path
        self._scheme = scheme
        self._asks_all = asks_all
        self._tags: dict[str, frozenset[str] | None] = {}

    def take(self) -> Taken:
        """All of it, stage by stage over all lines at once."""
        catalogue = self._root.child(self._modules_path)
        platform = self._place(None)
        self._tags.update(self._asker.lists({platform.listing, catalogue}))
        names: list[str | None] = [None, *tree.module_names(self._tags[catalogue] or ())]
        places = {name: self._place(name) for name in names}
        self._tags.update(self._asker.lists({each.listing for each in places.values()}))
        self._tags.update(
            self._asker.lists_by_the_way({where for each in places.values() for where in (each.main, each.releases)})
        )
        channels = self._channels(places)
        versions = {name: versions_of_tags(self._tags[place.listing] or ()) for name, place in places.items()}
        incomplete = self._incomplete(places, [(name, str(version)) for name in names for version in versions[name]])
        lacking: dict[str | None, dict[str, tuple[str, ...]]] = {name: {} for name in names}
        for (name, tag), lacks in incomplete.items():
            if lacks:
                lacking[name][tag] = lacks
        pointed: dict[str | None, dict[str, Version]] = {name: {} for name in names}
        for (name, channel), version in channels.items():
            pointed[name][channel] = version
        held = {name: Held(versions[name], lacking[name], pointed[name]) for name in names}
        inventory = Inventory(
            images_repo=str(self._root),
            platform=held[None],
            modules={name: each for name, each in held.items() if name is not None},
            security_db=self._databases(),
        )
        return Taken(inventory, self._findings(inventory))

    def _place(self, name: str | None) -> Repositories:
        return repositories_of(name, self._root, self._modules_path)

    def _channels(self, places: dict[str | None, Repositories]) -> dict[Item, Version]:
        """What the pointers say, of those that are listed; of a repository that lists no tags each is asked for."""
        items = [
            (name, channel)
            for name, place in places.items()
            for channel in KNOWN_CHANNELS
            if self._lists(place.releases, channel) is not False
        ]

        def read(item: Item) -> Metadata:
            return self._asker.metadata((places[item[0]].releases, item[1]), of_module=item[0] is not None)

        found = zip(items, self._asker.gather(read, items))
        return {item: metadata.version for item, metadata in found if metadata.version is not None}

    def _lists(self, repository: str, tag: str) -> bool | None:
        tags = self._tags.get(repository)
        return None if tags is None else tag in tags

    def _incomplete(self, places: dict[str | None, Repositories], items: list[Item]) -> dict[Item, tuple[str, ...]]:
        """What each version lacks; names of images, or digests."""

        def read(item: Item) -> tuple[Image, Listed]:
            name, tag = item
            if name is None:
                image, _install, found = platform_parts(self._asker, places[None], tag)
                return image, found
            return module_parts(self._asker, places[name], tag)

        read_items = dict(zip(items, self._asker.gather(read, items)))
        wanted = {place for _image, found in read_items.values() for place in _places(found)}
        wanted |= {(places[name].releases, tag) for name, tag in items}
        images = self._held(wanted)
        return {item: tuple(self._lacks(places[item[0]], item[1], *read_items[item], images)) for item in items}

    def _held(self, wanted: Iterable[Place]) -> dict[Place, Image]:
        """What is there, by the lists where they tell, and by asking where not."""
        proven = {place for place in wanted if not self._asks_all and self._proves(place)}
        images = self._asker.images(sorted(set(wanted) - proven))
        return {**images, **dict.fromkeys(proven, Image(THERE))}

    def _proves(self, place: Place) -> bool:
        repository, reference = place
        return self._lists(repository, hex_of(reference) if is_digest(reference) else reference) is True

    def _lacks(
        self, place: Repositories, tag: str, image: Image, found: Listed, images: dict[Place, Image]
    ) -> Iterator[str]:
        release = images[place.releases, tag]
        for name, each in ((f"{place.main}:{tag}", image), (f"{place.releases}:{tag}", release)):
            if each.state != THERE:
                yield name if each.state == ABSENT else f"{name} ({each.note})"
        if found.problem and image.state == THERE:
            yield f"a list of its images ({found.problem})"
        for parts in (judged(found.parts, images), judged(found.extras, images)):
            yield from parts.missing
            yield from (f"{name} (not known)" for name in parts.unknown)

    def _databases(self) -> dict[str, str]:
        """Digests of those that are there."""
        places = {
            name: (self._root.child(tree.security_repository(name)), tag) for name, tag in tree.SECURITY_TAGS.items()
        }
        images = self._asker.images(places.values())
        found = {name: images[place] for name, place in places.items()}
        return {name: image.digest for name, image in found.items() if image.state == THERE and image.digest}

    def _findings(self, inventory: Inventory) -> tuple[Finding, ...]:
        found = Findings()
        for name, held in ((None, inventory.platform), *inventory.modules.items()):
            _judge_held(name, held, found)
        observed = Observed(str(self._root), self._scheme, refusals=self._asker.refusals)
        found.join(judge_refusals(observed))
        return found.all()


def _places(found: Listed) -> Iterator[Place]:
    yield from found.parts.values()
    yield from found.extras.values()


def _judge_held(name: str | None, held: Held, found: Findings) -> None:
    """Incomplete versions: an error only where a pointer leads clusters to one."""
    subject = name or "platform"
    offered = {channel: version for channel, version in held.channels.items() if not held.is_complete(version)}
    if offered:
        told = listed([f"{channel} ({version})" for channel, version in offered.items()])
        message = f"release channels of {subject} point at versions that are incomplete or not there: {told}"
        hint = "Push those versions again; mirror_check_info tells what each of them lacks"
        found.tell("incomplete", "error", subject, message, hint)
    others = [tag for tag in held.incomplete if version_of_tag(tag) not in offered.values()]
    if others:
        message = f"{counted(len(others), 'version')} of {subject} lack images: {listed(others)}"
        found.tell("incomplete", "info", subject, message, "Nothing to do if no cluster needs them; a plan takes note")
