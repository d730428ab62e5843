# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is in a bundle, and whether it is complete and undamaged. Damage is told, all of it, and never raised."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .._bundle.delivery import ArchiveSummary, DeliveredImage, Delivery, Part, parse
from .._bundle.directory import DELIVERY_NAME, JOURNAL_NAME, ArchiveFiles, archives_of
from .._bundle.errors import BundleDamaged
from .._bundle.index import ArchiveIndex, scan
from .._bundle.parts import parse_part_name
from .._dkp.findings import Finding
from .._oci import digest as digests
from .._oci.errors import InvalidContent, InvalidInput
from .bundle import JoinedLayout, OpenBundle, prove
from .contents import content_of
from .memory import HostMemory
from .proofs import put_proof

_COPY_AGAIN = "Copy the bundle again, or pull it again where it came from"
_MOST_FINDINGS = 200
"""Of one kind; a bundle that lost its archives lacks every image, and nobody reads thousands of lines."""


@dataclass
class Inspection:
    """What was found. `images` come from what lies there, `content` from delivery.json where there is one."""

    archives: list[ArchiveSummary] = field(default_factory=list)
    images: list[DeliveredImage] = field(default_factory=list)
    content: dict[str, Any] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether the bundle is complete and undamaged, as far as it was looked at."""
        return not any(finding.severity == "error" for finding in self.findings)

    def damage(self, subject: str, problem: str, *, identity: str = "damaged") -> None:
        if sum(finding.id == identity for finding in self.findings) < _MOST_FINDINGS:
            self.findings.append(Finding(identity, "error", subject, f"{subject}: {problem}", _COPY_AGAIN))


def inspect(source: Path, memory: HostMemory, *, verify: str) -> Inspection:
    """Look into the bundle at `source`, a directory or an archive.

    `verify` ``none`` reads the structure of the archives; ``size`` also compares them with delivery.json and looks for
    every blob that a manifest names; ``digest`` reads and hashes all of it. Raises InvalidInput for what is no bundle.
    """
    found = Inspection()
    delivery = _delivery(source, found)
    archives = list(_open_archives(source, delivery, found, compare=verify != "none"))
    bundle = OpenBundle(archives, _joined(archives), [delivery] if delivery else [], [])
    try:
        _describe(bundle, delivery, found)
        if verify != "none":
            _compare_images(bundle, delivery, found)
            _look_for_blobs(bundle, found)
        if verify == "digest":
            _read_everything(bundle, memory, found)
    finally:
        bundle.close()
    return found


def _delivery(source: Path, found: Inspection) -> Delivery | None:
    if not source.exists():
        raise InvalidInput(f"src: {source} does not exist")
    if not source.is_dir():
        return None
    path = source / DELIVERY_NAME
    if path.exists():
        try:
            return parse(path.read_bytes(), DELIVERY_NAME)
        except BundleDamaged as error:
            found.damage(error.archive, error.problem)
            return None
    if (source / JOURNAL_NAME).exists():
        message = f"{source}: the bundle is unfinished; a pull into it was interrupted"
        found.findings.append(
            Finding("unfinished", "error", str(source), message, "Run the pull again until it succeeds")
        )
    return None


def _open_archives(
    source: Path, delivery: Delivery | None, found: Inspection, *, compare: bool
) -> Iterator[tuple[ArchiveFiles, ArchiveIndex]]:
    """The archives whose structure can be read; of the others and of missing ones it says what is wrong."""
    listed = {archive.name: archive for archive in delivery.archives} if delivery else {}
    first_parts = _first_parts(source)
    if not first_parts and not listed and found.ok:
        raise InvalidInput(f"src: {source} holds no archive (*.tar or *.tar.NNNN.chunk)")
    for name in sorted({*first_parts, *listed}):
        if listed and name not in listed:
            message = f"{name} is not part of the delivery beside it; it is left out"
            found.findings.append(Finding("not_delivered", "warning", name, message, "Remove it if it is an old one"))
            continue
        summary = listed.get(name)
        complete = summary is None or not compare or _compare_parts(source, summary, found)
        if summary is not None and (not complete or name not in first_parts):
            found.archives.append(summary)
            if complete:
                found.damage(name, "is missing")
            continue
        try:
            files = archives_of([first_parts[name]])[0]
            index = scan(name, files.open())
        except BundleDamaged as error:
            found.damage(name, error.problem)
            continue
        found.archives.append(summary or _summary(files, index))
        for warning in index.warnings:
            found.findings.append(Finding("archive", "warning", name, warning, "d8 leaves it out as well"))
        yield files, index


def _first_parts(source: Path) -> dict[str, Path]:
    """One existing file by name of the archive."""
    if source.is_dir():
        paths = sorted((path for path in source.iterdir() if path.is_file() and not path.is_symlink()), reverse=True)
    else:
        paths = [source]
        if parse_part_name(source.name) is None:
            raise InvalidInput(f"src: {source} is no archive; name a directory, a .tar file or a .tar.0000.chunk file")
    named = ((parse_part_name(path.name), path) for path in paths)
    return {parsed[0]: path for parsed, path in named if parsed is not None}


def _compare_parts(directory: Path, archive: ArchiveSummary, found: Inspection) -> bool:
    """Whether all files of the archive are there with the sizes that delivery.json says."""
    complete = True
    for part in archive.parts:
        path = directory / part.name
        size = path.stat().st_size if path.is_file() else None
        if size != part.bytes:
            complete = False
            is_there = f"has {size} bytes, {DELIVERY_NAME} says {part.bytes}" if size is not None else "is missing"
            found.damage(archive.name, f"{part.name} {is_there}")
    return complete


def _summary(files: ArchiveFiles, index: ArchiveIndex) -> ArchiveSummary:
    """An archive that no delivery.json describes. Files have no hash then: nobody wrote one down."""
    manifests = sum(len({image.key for image in layout.images}) for layout in index.layouts.values())
    blobs = sum(len(layout.blobs) for layout in index.layouts.values())
    parts = tuple(Part(path.name, path.stat().st_size, "") for path in files.paths)
    return ArchiveSummary(files.name, index.space.size, manifests, max(blobs - manifests, 0), parts)


def _joined(archives: Iterable[tuple[ArchiveFiles, ArchiveIndex]]) -> dict[str, JoinedLayout]:
    layouts: dict[str, JoinedLayout] = {}
    for _files, archive in archives:
        for path, layout in archive.layouts.items():
            joined = layouts.setdefault(path, JoinedLayout(path))
            joined.sources.append((archive, layout))
            joined.images.update({image.short_tag: image for image in layout.images})
    return layouts


def _describe(bundle: OpenBundle, delivery: Delivery | None, found: Inspection) -> None:
    if delivery is not None:
        found.content = delivery.content
        found.images = list(delivery.images)
        return
    for path, layout in sorted(bundle.layouts.items()):
        for tag, image in sorted(layout.images.items()):
            found.images.append(DeliveredImage(path, tag, image.digest, _image_bytes(layout, image.key, image.size)))
    found.content = content_of(bundle.layouts, found.damage)


def _image_bytes(layout: JoinedLayout, key: bytes, size: int) -> int:
    """Manifest, config and layers; of what cannot be read, the manifest alone (the damage is told elsewhere)."""
    try:
        manifest = layout.manifest(key, size)
    except BundleDamaged:
        return size
    children = sum(_image_bytes(layout, digests.to_key(child.digest), child.size) for child in manifest.children)
    return size + children + sum(blob.size for blob in manifest.blobs())


def _compare_images(bundle: OpenBundle, delivery: Delivery | None, found: Inspection) -> None:
    """Every image of delivery.json has to be in its layout; layouts of archives that are damaged are left out."""
    for image in delivery.images if delivery is not None else ():
        layout = bundle.layouts.get(image.repository)
        if layout is None:
            continue
        there = layout.images.get(image.tag)
        if there is None or there.digest != image.digest:
            held = f"it has {there.digest}" if there else "it is not there"
            name = f"{image.repository or 'the root'}:{image.tag}"
            found.damage(
                layout.sources[-1][0].name, f"{name} must be {image.digest} as {DELIVERY_NAME} says, but {held}"
            )


def _look_for_blobs(bundle: OpenBundle, found: Inspection) -> None:
    """Every manifest's config and layers have to be there with their sizes."""
    for path, layout in sorted(bundle.layouts.items()):
        archive = layout.sources[-1][0].name
        pending = [(image.key, image.size) for image in layout.images.values()]
        seen: set[bytes] = set()
        while pending:
            key, size = pending.pop()
            if key in seen:
                continue
            seen.add(key)
            try:
                manifest = layout.manifest(key, size)
            except BundleDamaged as error:
                found.damage(error.archive, error.problem)
                continue
            pending += [(digests.to_key(child.digest), child.size) for child in manifest.children]
            for blob in manifest.blobs():
                blob_key = digests.to_key(blob.digest)
                if blob_key not in seen:
                    seen.add(blob_key)
                    place = layout.find(blob_key)
                    if place is None or place.size != blob.size:
                        held = f"has {place.size} bytes, its manifest says {blob.size}" if place else "is missing"
                        found.damage(archive, f"layout {path or 'at the root'}: blob {blob.digest} {held}")


def _read_everything(bundle: OpenBundle, memory: HostMemory, found: Inspection) -> None:
    """Hash layout by layout, so that damage in one archive does not hide that in another."""
    forgetful = HostMemory(None)  # a part of an archive is no proof of it
    for path, layout in sorted(bundle.layouts.items()):
        archives = [(files, index) for files, index in bundle.archives if path in index.layouts]
        try:
            prove(OpenBundle(archives, {path: layout}, [], []), forgetful, always=True)
        except (BundleDamaged, InvalidContent) as error:
            known = {finding.message for finding in found.findings}
            if str(error) not in known:
                archive = error.archive if isinstance(error, BundleDamaged) else archives[-1][0].name
                found.damage(archive, error.problem if isinstance(error, BundleDamaged) else str(error))
    damaged = {finding.subject for finding in found.findings}
    for files, index in bundle.archives:
        if index.name not in damaged:
            put_proof(memory, files.paths)


def archives_as_dicts(archives: Iterable[ArchiveSummary]) -> list[dict[str, Any]]:
    """The archives in the contract's shape; `sha256` is null where no delivery.json says it."""
    rows = [archive.as_dict() for archive in archives]
    for row in rows:
        for part in row["parts"]:
            part["sha256"] = part["sha256"] or None
    return rows
