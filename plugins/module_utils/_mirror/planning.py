# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One archive: what is known is placed, lists are read out of it, the rest follows (design §4, idea 1)."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import islice

from .._bundle.layout import TaggedImage
from .._dkp import components, tree
from .._oci import digest as digests
from .._oci.compression import ByteSource
from .._oci.errors import InvalidContent
from .._oci.manifest import Descriptor, Manifest
from .._registry.errors import NotFound, RegistryError
from .building import Builder
from .downloads import Downloads
from .reading import ImageReader
from .request import ArchiveOrder, ReleaseOrder

_BATCH = 256
"""Manifests held at once; they are written as soon as their batch is placed."""
_PLATFORM_FILES = frozenset(components.PLATFORM_COMPONENT_FILES)
_MODULE_FILES = frozenset(components.MODULE_COMPONENT_FILES)
_DEEPEST_INDEX = 3


class ArchivePlanner:
    """Fills `builder` as `order` says. One planner a thread; reading is parallel inside."""

    def __init__(
        self, order: ArchiveOrder, builder: Builder, reader: ImageReader, *, downloads: Downloads | None, vex: bool
    ) -> None:
        self.order = order
        self.builder = builder
        self.releases: dict[str, list[str]] = {}
        """Version -> digests (or tags, for old installers) of its component images, for delivery.json."""
        self.sizes: dict[str, int] = {}
        """Version (or database, or ``installer``) -> bytes of the blobs that it is the first to bring."""
        self._reader = reader
        self._listed_in: dict[str, ReleaseOrder] = {}
        """The first release that lists an image, by the image's digest or tag, from the first release on."""
        self._extras: dict[tuple[str, str], str] = {}
        """The first version that lists an extra image, by the image's layout and tag."""
        self._downloads = downloads
        self._vex = vex

    def run(self) -> None:
        """Place everything; afterwards the archive's size is final. Raises what reading and writing raise."""
        listing = {release.image.manifest.digest for release in self.order.releases}
        for image in self.order.images:
            withhold = image.manifest.digest in listing
            owner = self._owner(image.layout, image.tag)
            self._add(image.layout, image.tag, image.manifest, of=owner, withhold=withhold)
        self.builder.flush()
        if self.order.releases:
            self._add_lists()
            if self._vex:
                self._add_attestations()
        self.builder.close()

    def _add(self, layout: str, tag: str, manifest: Manifest, *, of: str, withhold: bool = False) -> None:
        """Place an image; what it adds counts for the version (or database) `of`."""
        before = self.builder.plan.distinct_bytes
        self.builder.add(layout, tag, manifest, withhold=withhold)
        if manifest.is_index:
            self.builder.image_bytes[layout][tag] += self._add_children(layout, manifest, _DEEPEST_INDEX)
        self.sizes[of] = self.sizes.get(of, 0) + self.builder.plan.distinct_bytes - before

    def _owner(self, layout: str, tag: str) -> str:
        """The version that an image under a tag of its own is of; where there are no versions, the layout's name."""
        return self.order.channels.get(tag, tag) if self.order.releases else layout.rpartition("/")[2]

    def _add_children(self, layout: str, index: Manifest, depth: int) -> int:
        """Everything an index names goes with it, or its digest would not hold in the target. Returns its bytes."""
        if not depth:
            raise InvalidContent(
                f"{self._repository(layout)}@{index.digest}: indexes are nested deeper than {_DEEPEST_INDEX} levels"
            )
        references = dict.fromkeys(child.digest for child in index.children)
        total = 0
        for child in self._manifests(layout, references):
            total += self.builder.add(layout, None, child)
            if child.is_index:
                total += self._add_children(layout, child, depth - 1)
        return total

    def _repository(self, layout: str) -> str:
        return self.builder.repositories[layout]

    def _add_lists(self) -> None:
        listed = self._reader.gather(self._read_list, self.order.releases)
        self.builder.release_withheld()  # they lie at the start of the archive, where hashing waits for them
        for release, files in zip(self.order.releases, listed):
            where = f"{release.image.repository}:{release.version}"
            if self.order.module:
                found = components.find_module_digests(files.get(components.MODULE_DIGESTS_FILE, b""))
                if components.EXTRA_IMAGES_FILE in files:
                    extra = components.parse_extra_images(files[components.EXTRA_IMAGES_FILE], where=where)
                    for name, tag in extra.items():
                        self._extras.setdefault(self._extra(name, tag), release.version)
                references = sorted(found)
            else:
                parts = components.platform_components(files, where=where)
                references = sorted((*parts.tags, *parts.digests))
            references = [sys.intern(reference) for reference in references]  # releases share most of them
            self.releases[release.version] = references
            for reference in references:
                self._listed_in.setdefault(reference, release)
        self._add_components()
        self._add_extras()

    def _read_list(self, release: ReleaseOrder) -> dict[str, bytes]:
        wanted = _MODULE_FILES if self.order.module else _PLATFORM_FILES
        image = release.image
        enough = None if self.order.module else components.has_platform_list
        return self._reader.files(image.repository, image.manifest, wanted, enough=enough, opener=self._open_layer)

    def _open_layer(self, layer: Descriptor, read: Callable[[ByteSource], None]) -> bool:
        """Read a layer on its way to its place in the archive, if this archive is waiting for it."""
        writer = self.builder.writer
        job = writer.take_withheld(digests.to_key(layer.digest)) if writer is not None else None
        if job is None or self._downloads is None:
            return False
        self._downloads.scan(job, read)
        return True

    def _add_components(self) -> None:
        """Place the images of all lists. Together, so that a long line is busy with all of them and not with what one
        release has that the one before had not."""
        layout = tree.module_repository(self.order.module) if self.order.module else tree.ROOT
        held = self.builder.plan.layouts[layout]
        new = (reference for reference in self._listed_in if not held.holds_manifest(_short_tag(reference)))
        for batch in _batches(new):
            for reference, manifest in zip(batch, self._manifests(layout, batch, self._place_of_list)):
                self._add(layout, _short_tag(reference), manifest, of=self._listed_in[reference].version)
            self.builder.flush()

    def _place_of_list(self, reference: str) -> str:
        release = self._listed_in[reference]
        return f"{release.image.repository}:{release.version}"

    def _extra(self, name: str, tag: str) -> tuple[str, str]:
        return tree.module_extra_repository(str(self.order.module), name), tag

    def _add_extras(self) -> None:
        wanted = sorted(self._extras)
        main = self._repository(tree.module_repository(str(self.order.module))) if wanted else ""
        for layout, _tag in wanted:
            self.builder.add_layout(layout, f"{main}/{tree.place_of(layout).part}")
        listed_in = f"{components.EXTRA_IMAGES_FILE} of {self.order.module}"
        found = self._reader.gather(
            lambda item: self._required(self._repository(item[0]), item[1], listed_in=listed_in), wanted
        )
        for (layout, tag), manifest in zip(wanted, found):
            self._add(layout, tag, manifest, of=self._extras[layout, tag])
        self.builder.flush()

    def _manifests(
        self, layout: str, references: Iterable[str], listed_in: Callable[[str], str] = lambda _reference: "an index"
    ) -> list[Manifest]:
        repository = self._repository(layout)
        return self._reader.gather(
            lambda reference: self._required(repository, reference, listed_in(reference)), references
        )

    def _required(self, repository: str, reference: str, listed_in: str) -> Manifest:
        try:
            return self._reader.manifest(repository, reference)
        except NotFound as error:
            separator = "@" if digests.is_digest(reference) else ":"
            raise InvalidContent(
                f"the source lacks {repository}{separator}{reference}, which {listed_in} lists and cannot "
                f"run without. Ask the vendor, or leave that version out ({error})",
                missing=[f"{repository}{separator}{reference}"],
            ) from error

    def _add_attestations(self) -> None:
        """VEX: attestations of everything placed so far, from each image's own repository (d8-mirror.md §7.1)."""
        layouts = [layout for layout in self.builder.plan.layouts if self._may_be_attested(layout)]
        for layout, tags in zip(layouts, self._reader.gather(self._tags_of, layouts)):
            owners = self._candidates(layout, tags)
            candidates = sorted(owners)
            found = self._reader.gather(partial(self._optional, layout), candidates)
            for tag, manifest in zip(candidates, found):
                if manifest is not None:
                    self._add(layout, tag, manifest, of=owners[tag])
            self.builder.flush()

    def _may_be_attested(self, layout: str) -> bool:
        return layout == tree.ROOT or (self.order.module is not None and tree.place_of(layout).part != "release")

    def _candidates(self, layout: str, listed: set[str] | None) -> dict[str, str]:
        """Tags that attestations may have, of those `listed`, with the version that brought what they attest."""
        owners: dict[str, str] = {}
        for image in self.builder.plan.layouts[layout].images.values():
            tags = [tree.attestation_of_digest(image.digest)]
            if not image.is_known_by_digest:
                tags.append(tree.attestation_of_tag(image.short_tag))
            for tag in tags:
                if (listed is None or tag in listed) and tag not in owners:
                    owners[tag] = self._brought_by(layout, image)
        return owners

    def _brought_by(self, layout: str, image: TaggedImage) -> str:
        listed = self._listed_in.get(image.digest if image.is_known_by_digest else image.short_tag)
        if listed is not None:
            return listed.version
        return self._extras.get((layout, image.short_tag)) or self._owner(layout, image.short_tag)

    def _tags_of(self, layout: str) -> set[str] | None:
        """Attestations that the repository lists; None where it lists no tags, so that each has to be asked for."""
        try:
            return {tag for tag in self._reader.registry.tags(self._repository(layout)) if tree.is_attestation(tag)}
        except NotFound:
            return set()
        except RegistryError:
            return None  # each one is asked for then, and that request's error counts

    def _optional(self, layout: str, tag: str) -> Manifest | None:
        try:
            return self._reader.manifest(self._repository(layout), tag)
        except NotFound:
            return None


def _short_tag(reference: str) -> str:
    """d8 stores an image that is known by digest under its 64 hex digits."""
    return digests.hex_of(reference) if digests.is_digest(reference) else reference


def _batches(items: Iterable[str]) -> Iterator[list[str]]:
    iterator = iter(items)
    while batch := list(islice(iterator, _BATCH)):
        yield batch
