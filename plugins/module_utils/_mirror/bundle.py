# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A bundle as something to push: archives opened, their layouts joined into one tree (d8-mirror.md §6.3, §11.2)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from .._bundle.arrival import check_not_arriving
from .._bundle.delivery import Delivery, parse
from .._bundle.directory import DELIVERY_NAME, JOURNAL_NAME, ArchiveFiles, archives_of
from .._bundle.errors import BundleDamaged, BundleError, BundleUnfinished
from .._bundle.index import ArchiveIndex, LayoutIndex, scan
from .._bundle.layout import TaggedImage
from .._bundle.parts import PartSpace, SpaceReader, parse_part_name
from .._dkp import tree
from .._oci import digest as digests
from .._oci import manifest as manifests
from .._oci.errors import InvalidContent
from .._oci.files import ImageFiles
from .._oci.manifest import Manifest

Opened = tuple[ArchiveFiles, ArchiveIndex]


@dataclass(frozen=True)
class BlobPlace:
    """Where a blob's bytes lie in the bundle."""

    archive: str
    space: PartSpace
    offset: int
    size: int


@dataclass
class JoinedLayout:
    """One repository's content, from however many archives."""

    path: str
    sources: list[tuple[ArchiveIndex, LayoutIndex]] = field(default_factory=list)
    images: dict[str, TaggedImage] = field(default_factory=dict)

    @property
    def where(self) -> str:
        """How messages call it."""
        return f"layout {self.path or 'at the root'}"

    def add(self, archive: ArchiveIndex, layout: LayoutIndex) -> None:
        """Join what `archive` holds of this repository; its images replace earlier ones of the same tag."""
        self.sources.append((archive, layout))
        self.images.update({image.short_tag: image for image in layout.images})

    def views(self) -> Iterator[JoinedLayout]:
        """The layout as each of its archives holds it: the images of that archive, its own blobs before the others'."""
        if len(self.sources) == 1:
            yield self
            return
        for source in self.sources:
            others = [other for other in self.sources if other is not source]
            yield JoinedLayout(self.path, [source, *others], {image.short_tag: image for image in source[1].images})

    def find(self, key: bytes) -> BlobPlace | None:
        """The blob `key`, from the first archive that has it in this layout."""
        for archive, layout in self.sources:
            place = layout.blobs.get(key)
            if place is not None:
                return BlobPlace(archive.name, archive.space, *place)
        return None

    def place(self, key: bytes) -> BlobPlace:
        """As `find`. Raises BundleDamaged where there is none."""
        place = self.find(key)
        if place is None:
            problem = f"{self.where}: blob sha256:{key.hex()} is missing; the archive is incomplete"
            raise BundleDamaged(self.sources[0][0].name, problem)
        return place

    def read(self, key: bytes, size: int) -> bytes:
        """A manifest's bytes. Raises BundleDamaged naming an archive of the layout when it is not there in full."""
        place = self.find(key)
        if place is None:
            raise BundleDamaged(self.sources[0][0].name, f"{self.where} lacks manifest sha256:{key.hex()}")
        if place.size != size:
            raise BundleDamaged(
                place.archive,
                f"{self.where}: manifest sha256:{key.hex()} has {place.size} bytes, its descriptor says {size}",
            )
        try:
            return place.space.read_at(place.offset, place.size)
        except OSError as error:
            raise unreadable(place.archive, error) from error

    def manifest(self, key: bytes, size: int) -> Manifest:
        """The manifest `key`, whose bytes are proven to be it. Raises BundleDamaged."""
        raw = self.read(key, size)
        place = self.find(key)
        archive = place.archive if place else self.sources[0][0].name
        where = f"{self.where}: sha256:{key.hex()}"
        found = digests.digest_of(raw)
        if digests.to_key(found) != key:
            raise BundleDamaged(archive, f"{where}: the manifest's bytes are damaged (they hash to {found})")
        try:
            return manifests.parse(raw, where=where)
        except InvalidContent as error:
            raise BundleDamaged(archive, str(error)) from error

    def files(self, image: Manifest, wanted: frozenset[str]) -> dict[str, bytes]:
        """The `wanted` files of `image`, as far as it has them. Raises BundleDamaged, InvalidContent."""
        found = ImageFiles(wanted)
        for layer in reversed(image.layers):
            place = self.place(digests.to_key(layer.digest))
            found.scan(SpaceReader(place.space, place.offset, place.size), where=f"{self.path}@{layer.digest}")
            if not found.missing:
                break
        return found.found


@dataclass
class OpenBundle:
    """What the sources hold together. `deliveries` are the documents beside the archives, their `images` compared."""

    archives: list[Opened]
    layouts: dict[str, JoinedLayout]
    deliveries: list[Delivery]
    warnings: list[str]

    def close(self) -> None:
        for _files, archive in self.archives:
            archive.space.close()


def open_bundle(sources: Sequence[Path]) -> OpenBundle:
    """Find, open and index the archives that `sources` name; structure is checked, contents are not hashed yet.

    Raises InvalidInput, BundleUnfinished, BundleDamaged with the archive's name and what is wrong; BundleError for
    files that cannot be read.
    """
    bundle = OpenBundle([], {}, [], [])
    opened: set[Path] = set()
    try:
        for source in sources:
            _open_source(source, bundle, opened)
    except OSError as error:
        bundle.close()
        raise unreadable(error.filename or "the bundle", error) from error
    except BaseException:
        bundle.close()
        raise
    bundle.layouts = joined(bundle.archives)
    return bundle


def open_archive(files: ArchiveFiles) -> Opened:
    """Index one archive; its layouts get the paths that they have in the tree, also those of older bundles (§5.9).

    Raises BundleDamaged, OSError.
    """
    archive = scan(files.name, files.open())
    layouts: dict[str, LayoutIndex] = {}
    for path, layout in archive.layouts.items():
        place = tree.layout_in_archive(files.name, path)
        if place in layouts:
            archive.space.close()
            raise BundleDamaged(files.name, f"holds the layout {place} twice, in two shapes")
        layouts[place] = layout
    archive.layouts = layouts
    return files, archive


def unreadable(what: object, error: OSError) -> BundleError:
    """The error for files that the system does not let us read, or whose medium fails."""
    return BundleError(
        f"{what} cannot be read: {error.strerror or type(error).__name__}; check the medium and its rights"
    )


def joined(archives: Iterable[Opened]) -> dict[str, JoinedLayout]:
    """The layouts of `archives` by path; of a tag that several have, the last one wins (§11.2)."""
    layouts: dict[str, JoinedLayout] = {}
    for _files, archive in archives:
        for path, layout in archive.layouts.items():
            layouts.setdefault(path, JoinedLayout(path)).add(archive, layout)
    return layouts


def _open_source(source: Path, bundle: OpenBundle, opened: set[Path]) -> None:
    """Add the archives of one source that were not added before, compared with the delivery.json beside them."""
    directory = source if source.is_dir() else source.parent
    delivery = _read_delivery(directory)
    listed = _listed(delivery) if delivery is not None else {}
    if delivery is not None:  # `listed` says it in a third of the memory
        delivery = replace(delivery, images=())
    chosen = _archives_at(source, delivery, bundle.warnings)
    if delivery is not None:
        _check_parts(directory, delivery, {files.name for files in chosen})
    new: list[Opened] = []
    for files in chosen:
        first = files.paths[0].resolve()
        if first not in opened:
            opened.add(first)
            new.append(open_archive(files))
            bundle.archives.append(new[-1])
            bundle.warnings += new[-1][1].warnings
    if delivery is not None and new:
        bundle.deliveries.append(delivery)
        names = {archive.name for archive in delivery.archives}
        _check_images([one for one in new if one[0].name in names], listed, all_of_it=source.is_dir())


def _read_delivery(directory: Path) -> Delivery | None:
    path = directory / DELIVERY_NAME
    if path.is_file():
        return parse(path.read_bytes(), str(path))
    if (directory / JOURNAL_NAME).exists():
        raise BundleUnfinished(
            f"{directory}: the bundle is unfinished, a pull into it was interrupted; "
            "run the pull again until it succeeds"
        )
    check_not_arriving(directory)
    return None


def _archives_at(source: Path, delivery: Delivery | None, warnings: list[str]) -> list[ArchiveFiles]:
    """The archives that `source` names; with a delivery.json just the files that it lists, whatever else lies there."""
    if delivery is None:
        return archives_of([source])
    directory = source if source.is_dir() else source.parent
    listed = {archive.name: archive for archive in delivery.archives}
    delivered = [
        ArchiveFiles(name, tuple(directory / part.name for part in archive.parts)) for name, archive in listed.items()
    ]
    if not source.is_dir():
        parsed = parse_part_name(source.name)
        named = [files for files in delivered if parsed is not None and files.name == parsed[0]]
        return named or archives_of([source])
    parts = {part.name for archive in delivery.archives for part in archive.parts}
    warnings += [
        f"{path} is not part of the delivery beside it; it is left out"
        for path in sorted(directory.iterdir())
        if parse_part_name(path.name) is not None and path.name not in parts
    ]
    return delivered


def _check_parts(directory: Path, delivery: Delivery, chosen: set[str]) -> None:
    """All files of the chosen archives have to be there with the sizes that delivery.json says."""
    for archive in delivery.archives:
        for part in archive.parts if archive.name in chosen else ():
            file = directory / part.name
            if not file.is_file():
                raise BundleDamaged(archive.name, f"{part.name} is missing in {directory}; copy it again")
            size = file.stat().st_size
            if size != part.bytes:
                raise BundleDamaged(
                    archive.name, f"{part.name} has {size} bytes, {DELIVERY_NAME} says {part.bytes}; copy it again"
                )


def _listed(delivery: Delivery) -> dict[str, dict[str, bytes]]:
    """What delivery.json names: raw digests by repository and tag."""
    listed: dict[str, dict[str, bytes]] = {}
    for image in delivery.images:
        if not digests.is_digest(image.digest):
            raise BundleDamaged(DELIVERY_NAME, f"{image.digest[:90]!r} of {image.repository}:{image.tag} is no digest")
        listed.setdefault(image.repository, {})[image.tag] = digests.to_key(image.digest)
    return listed


def _check_images(archives: Sequence[Opened], listed: dict[str, dict[str, bytes]], *, all_of_it: bool) -> None:
    """What the archives of one directory hold must be what its delivery.json says, image by image."""
    layouts = joined(archives)
    for path in sorted({*layouts, *(listed if all_of_it else ())}):
        layout, wanted = layouts.get(path), listed.get(path, {})
        archive = layout.sources[0][0].name if layout else DELIVERY_NAME
        images = layout.images if layout else {}
        for tag, key in wanted.items():
            found = images.get(tag)
            if found is None or found.key != key:
                there = f"it has {found.digest}" if found else "it is not there"
                raise BundleDamaged(
                    archive,
                    f"{path or 'the root'}:{tag} must be {digests.from_key(key)} as {DELIVERY_NAME} says, but {there}",
                )
        if len(images) > len(wanted):
            raise BundleDamaged(archive, f"layout {path or 'at the root'} has tags that {DELIVERY_NAME} does not name")
