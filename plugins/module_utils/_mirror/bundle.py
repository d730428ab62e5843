# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A bundle as something to push: archives opened, proven, and joined into one tree (d8-mirror.md §6.3, §11.2)."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from .._bundle.delivery import Delivery, parse
from .._bundle.directory import DELIVERY_NAME, JOURNAL_NAME, ArchiveFiles, archives_of
from .._bundle.donors import HashingReader
from .._bundle.errors import BundleDamaged, BundleUnfinished
from .._bundle.index import ArchiveIndex, LayoutIndex, scan
from .._bundle.layout import TaggedImage
from .._bundle.parts import PartSpace
from .._oci import digest as digests
from .._oci import manifest as manifests
from .._oci.errors import InvalidContent
from .._oci.manifest import Manifest
from .memory import HostMemory
from .proofs import is_proven, put_proof

_BUFFER_SIZE = 1024 * 1024


@dataclass(frozen=True)
class BlobPlace:
    """Where a blob's bytes lie in the bundle."""

    space: PartSpace
    offset: int
    size: int


@dataclass
class JoinedLayout:
    """One repository's content, from however many archives."""

    path: str
    sources: list[tuple[ArchiveIndex, LayoutIndex]] = field(default_factory=list)
    images: dict[str, TaggedImage] = field(default_factory=dict)

    def find(self, key: bytes) -> BlobPlace | None:
        """The blob `key`, if any archive has it in this layout."""
        for archive, layout in self.sources:
            place = layout.blobs.get(key)
            if place is not None:
                return BlobPlace(archive.space, *place)
        return None

    def read(self, key: bytes, size: int) -> bytes:
        """A manifest's bytes. Raises BundleDamaged naming an archive of the layout when it is not there in full."""
        place = self.find(key)
        archive = self.sources[-1][0].name
        where = f"layout {self.path or 'at the root'}"
        if place is None:
            raise BundleDamaged(archive, f"{where} lacks manifest sha256:{key.hex()}")
        if place.size != size:
            raise BundleDamaged(
                archive, f"{where}: manifest sha256:{key.hex()} has {place.size} bytes, its descriptor says {size}"
            )
        return place.space.read_at(place.offset, place.size)

    def manifest(self, key: bytes, size: int) -> Manifest:
        """The manifest `key`, whose bytes are proven to be it. Raises BundleDamaged."""
        archive = self.sources[-1][0].name
        where = f"layout {self.path or 'at the root'}: sha256:{key.hex()}"
        try:
            manifest = manifests.parse(self.read(key, size), where=where)
        except InvalidContent as error:
            raise BundleDamaged(archive, str(error)) from error
        if digests.to_key(manifest.digest) != key:
            raise BundleDamaged(archive, f"{where}: the manifest's bytes are damaged (they hash to {manifest.digest})")
        return manifest


@dataclass
class OpenBundle:
    """What the sources hold together. `deliveries` are the documents found beside the archives."""

    archives: list[tuple[ArchiveFiles, ArchiveIndex]]
    layouts: dict[str, JoinedLayout]
    deliveries: list[Delivery]
    warnings: list[str]

    def close(self) -> None:
        for _files, archive in self.archives:
            archive.space.close()


def open_bundle(sources: Sequence[Path]) -> OpenBundle:
    """Find, open and index the archives that `sources` name; structure is checked, contents are not hashed yet.

    Raises InvalidInput, BundleUnfinished, BundleDamaged with the archive's name and what is wrong.
    """
    deliveries, warnings = [], []
    listed: dict[Path, set[str]] = {}
    for source in sources:
        if source.is_dir():
            delivery = _read_delivery(source)
            if delivery is not None:
                deliveries.append(delivery)
                listed[source.resolve()] = {archive.name for archive in delivery.archives}
    archives = []
    for files in archives_of(sources):
        names = listed.get(files.paths[0].parent.resolve())
        if names is not None and files.name not in names:
            warnings.append(f"{files.paths[0]} is not part of the delivery beside it; it is left out")
            continue
        archives.append((files, scan(files.name, files.open())))
    layouts: dict[str, JoinedLayout] = {}
    for _files, archive in archives:
        warnings += archive.warnings
        for path, layout in archive.layouts.items():
            joined = layouts.setdefault(path, JoinedLayout(path))
            joined.sources.append((archive, layout))
            joined.images.update({image.short_tag: image for image in layout.images})
    bundle = OpenBundle(archives, layouts, deliveries, warnings)
    for delivery in deliveries:
        _check_images(bundle, delivery)
    return bundle


def _read_delivery(directory: Path) -> Delivery | None:
    """`delivery.json` of a directory, with all its parts there and their sizes right."""
    path = directory / DELIVERY_NAME
    if not path.exists():
        if (directory / JOURNAL_NAME).exists():
            raise BundleUnfinished(
                f"{directory}: the bundle is unfinished, a pull into it was interrupted; run the pull again until it "
                "succeeds"
            )
        return None
    delivery = parse(path.read_bytes(), str(path))
    for archive in delivery.archives:
        for part in archive.parts:
            file = directory / part.name
            if not file.is_file():
                raise BundleDamaged(archive.name, f"{part.name} is missing in {directory}; copy it again")
            if file.stat().st_size != part.bytes:
                raise BundleDamaged(
                    archive.name,
                    f"{part.name} has {file.stat().st_size} bytes, {DELIVERY_NAME} says {part.bytes}; copy it again",
                )
    return delivery


def _check_images(bundle: OpenBundle, delivery: Delivery) -> None:
    """What the archives hold must be what `delivery.json` says, image by image."""
    counts: dict[str, int] = {}
    for image in delivery.images:
        layout = bundle.layouts.get(image.repository)
        found = layout.images.get(image.tag) if layout else None
        counts[image.repository] = counts.get(image.repository, 0) + 1
        if found is None or found.digest != image.digest:
            archive = layout.sources[-1][0].name if layout else DELIVERY_NAME
            there = f"it has {found.digest}" if found else "it is not there"
            raise BundleDamaged(
                archive,
                f"{image.repository or 'the root'}:{image.tag} must be {image.digest} as {DELIVERY_NAME} says, but "
                f"{there}",
            )
    names = {archive.name for archive in delivery.archives}
    for path, layout in bundle.layouts.items():
        held = sum(len(index.images) for archive, index in layout.sources if archive.name in names)
        if held > counts.get(path, 0):
            raise BundleDamaged(
                layout.sources[-1][0].name,
                f"layout {path or 'at the root'} has tags that {DELIVERY_NAME} does not name",
            )


def prove(bundle: OpenBundle, memory: HostMemory, *, always: bool) -> int:
    """Prove every manifest's closure and every hash; archives that this host has proven before are not read again.

    Returns the bytes that were read. Raises BundleDamaged with the archive's name and the first thing that is wrong.
    """
    proven = {archive.name for files, archive in bundle.archives if not always and is_proven(memory, files.paths)}
    read = 0
    workers = max(os.cpu_count() or 1, 1)
    with ThreadPoolExecutor(workers, thread_name_prefix="prove") as pool:
        for layout in bundle.layouts.values():
            if all(archive.name in proven for archive, _index in layout.sources):
                continue
            items = list(_closure(layout))
            slices = [items[number::workers] for number in range(workers)]
            futures = [pool.submit(_check_blobs, layout, part) for part in slices if part]
            read += sum(future.result() for future in futures)
    for files, archive in bundle.archives:
        if archive.name not in proven:
            put_proof(memory, files.paths)
    return read


def _closure(layout: JoinedLayout) -> Iterator[tuple[bytes, int]]:
    """Key and size of every blob that the layout's images need, each once."""
    seen: set[bytes] = set()
    pending = [(image.key, image.size) for image in layout.images.values()]
    while pending:
        key, size = pending.pop()
        if key in seen:
            continue
        seen.add(key)
        manifest = layout.manifest(key, size)
        pending += [(digests.to_key(child.digest), child.size) for child in manifest.children]
        for blob in manifest.blobs():
            blob_key = digests.to_key(blob.digest)
            if blob_key not in seen:
                seen.add(blob_key)
                yield blob_key, blob.size


def _check_blobs(layout: JoinedLayout, items: Iterable[tuple[bytes, int]]) -> int:
    buffer = memoryview(bytearray(_BUFFER_SIZE))
    read = 0
    for key, size in items:
        archive = layout.sources[-1][0].name
        place = layout.find(key)
        where = f"layout {layout.path or 'at the root'}: blob sha256:{key.hex()}"
        if place is None:
            raise BundleDamaged(archive, f"{where} is missing; the archive is incomplete")
        if place.size != size:
            raise BundleDamaged(archive, f"{where} has {place.size} bytes, its manifest says {size}")
        reader = HashingReader(place.space, place.offset, place.size)
        while reader.readinto(buffer):
            pass
        if reader.key() != key:
            raise BundleDamaged(archive, f"{where} is damaged: its bytes have another hash; copy the archive again")
        read += size
    return read
