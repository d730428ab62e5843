# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is in a bundle, and whether it is complete and undamaged. Damage is told, all of it, and never raised."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .._bundle.arrival import check_not_arriving
from .._bundle.delivery import ArchiveSummary, DeliveredImage, Delivery, Part, parse
from .._bundle.directory import DELIVERY_NAME, JOURNAL_NAME, ArchiveFiles, archives_of
from .._bundle.errors import BundleDamaged, BundleError, BundleUnfinished
from .._bundle.index import ArchiveIndex
from .._bundle.parts import parse_part_name
from .._dkp.findings import Finding
from .._oci import digest as digests
from .._oci.errors import InvalidInput
from .._registry.stopping import Stopping
from .bundle import JoinedLayout, OpenBundle, Opened, joined, open_archive
from .contents import content_of
from .memory import HostMemory
from .proofs import forget_proof
from .proving import prove

_COPY_AGAIN = "Copy the bundle again, or pull it again where it came from"
_MOST_FINDINGS = 200
"""Of one kind; a bundle that lost its archives lacks every image, and nobody reads thousands of lines."""


@dataclass
class Inspection:
    """What was found. `images` come from what lies there, `content` and `plan` from delivery.json if there is one."""

    archives: list[ArchiveSummary] = field(default_factory=list)
    images: list[DeliveredImage] = field(default_factory=list)
    content: dict[str, Any] = field(default_factory=dict)
    plan: dict[str, Any] | None = None
    findings: list[Finding] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether the bundle is complete and undamaged, as far as it was looked at."""
        return not any(finding.severity == "error" for finding in self.findings)

    def damage(self, subject: str, problem: str, *, identity: str = "damaged") -> None:
        if sum(finding.id == identity for finding in self.findings) < _MOST_FINDINGS:
            self.findings.append(Finding(identity, "error", subject, f"{subject}: {problem}", _COPY_AGAIN))


def inspect(source: Path, memory: HostMemory, stopping: Stopping, *, verify: str) -> Inspection:
    """Look into the bundle at `source`, a directory or an archive.

    `verify` ``none`` reads the structure of the archives; ``size`` also compares them with delivery.json and looks for
    every blob that a manifest names; ``digest`` reads and hashes all of it. Raises InvalidInput for what is no bundle,
    Stopped.
    """
    if not source.exists():
        raise InvalidInput(f"src: {source} does not exist")
    found = Inspection()
    delivery = _delivery(source, found)
    archives = list(_open_archives(source, delivery, found, compare=verify != "none"))
    bundle = OpenBundle(archives, joined(archives), [], [])
    try:
        _describe(bundle, delivery if source.is_dir() else None, found)
        if verify != "none":
            _compare_images(bundle, delivery, found)
            _look_for_blobs(bundle, found)
        if verify == "digest":
            _read_everything(bundle, memory, stopping, found)
    finally:
        bundle.close()
    return found


def _delivery(source: Path, found: Inspection) -> Delivery | None:
    """The delivery.json of the directory; for a single archive the one that lies beside it."""
    directory = source if source.is_dir() else source.parent
    path = directory / DELIVERY_NAME
    if path.is_file():
        try:
            return parse(path.read_bytes(), DELIVERY_NAME)
        except BundleDamaged as error:
            found.damage(error.archive, error.problem)
            return None
    if (directory / JOURNAL_NAME).exists():
        message = f"{directory}: the bundle is unfinished; a pull into it was interrupted"
        found.findings.append(
            Finding("unfinished", "error", str(directory), message, "Run the pull again until it succeeds")
        )
        return None
    try:
        check_not_arriving(directory)
    except BundleUnfinished as error:
        found.findings.append(
            Finding("unfinished", "error", str(directory), str(error), "Run the transfer again until it succeeds")
        )
    return None


def _open_archives(source: Path, delivery: Delivery | None, found: Inspection, *, compare: bool) -> Iterator[Opened]:
    """The archives whose structure can be read; of the others and of missing ones it says what is wrong."""
    first_parts = _first_parts(source)
    listed = {archive.name: archive for archive in delivery.archives} if delivery else {}
    if not source.is_dir():
        listed = {name: archive for name, archive in listed.items() if name in first_parts}
    if not first_parts and not listed and found.ok:
        raise InvalidInput(f"src: {source} holds no archive (*.tar or *.tar.NNNN.chunk)")
    directory = source if source.is_dir() else source.parent
    for name in sorted({*first_parts, *listed}):
        summary = listed.get(name)
        if listed and summary is None:
            message = f"{name} is not part of the delivery beside it; it is left out"
            found.findings.append(Finding("not_delivered", "warning", name, message, "Remove it if it is an old one"))
        elif summary is not None:
            found.archives.append(summary)
            files = ArchiveFiles(name, tuple(directory / part.name for part in summary.parts))
            if _parts_are_there(directory, summary, found, compare=compare):
                yield from _open(files, found)
        else:
            yield from _open_undescribed(first_parts[name], name, found)


def _open_undescribed(first_part: Path, name: str, found: Inspection) -> Iterator[Opened]:
    """An archive that no delivery.json describes: its files are found by their names."""
    try:
        files = archives_of([first_part])[0]
    except BundleDamaged as error:
        found.damage(name, error.problem)
        return
    for opened in _open(files, found):
        found.archives.append(_summary(*opened))
        yield opened


def _open(files: ArchiveFiles, found: Inspection) -> Iterator[Opened]:
    """The archive, if its structure can be read."""
    try:
        opened = open_archive(files)
    except BundleDamaged as error:
        found.damage(files.name, error.problem)
        return
    except OSError as error:
        found.damage(files.name, f"cannot be read: {error.strerror or error}")
        return
    for warning in opened[1].warnings:
        found.findings.append(Finding("archive", "warning", files.name, warning, "d8 leaves it out as well"))
    yield opened


def _first_parts(source: Path) -> dict[str, Path]:
    """One existing file by name of the archive; a plain archive hides chunks of the same name, as for d8."""
    if source.is_dir():
        paths = sorted((path for path in source.iterdir() if path.is_file() and not path.is_symlink()), reverse=True)
    else:
        paths = [source]
        if parse_part_name(source.name) is None:
            raise InvalidInput(f"src: {source} is no archive; name a directory, a .tar file or a .tar.0000.chunk file")
    named = ((parse_part_name(path.name), path) for path in paths)
    return {parsed[0]: path for parsed, path in named if parsed is not None}


def _parts_are_there(directory: Path, archive: ArchiveSummary, found: Inspection, *, compare: bool) -> bool:
    """Whether all files of the archive are there, and (`compare`) have the sizes that delivery.json says."""
    complete = True
    for part in archive.parts:
        path = directory / part.name
        size = path.stat().st_size if path.is_file() else None
        if size is None or (compare and size != part.bytes):
            complete = False
            is_there = "is missing" if size is None else f"has {size} bytes, {DELIVERY_NAME} says {part.bytes}"
            found.damage(archive.name, f"{part.name} {is_there}")
    return complete


def _summary(files: ArchiveFiles, index: ArchiveIndex) -> ArchiveSummary:
    """An archive that no delivery.json describes. Files have no hash then: nobody wrote one down."""
    manifests = sum(len({image.key for image in layout.images}) for layout in index.layouts.values())
    blobs = sum(len(layout.blobs) for layout in index.layouts.values())
    parts = tuple(Part(path.name, path.stat().st_size, "") for path in files.paths)
    return ArchiveSummary(files.name, index.space.size, manifests, max(blobs - manifests, 0), parts)


def _describe(bundle: OpenBundle, delivery: Delivery | None, found: Inspection) -> None:
    if delivery is not None:
        found.content = delivery.content
        found.plan = delivery.plan
        found.images = list(delivery.images)
        return
    for path, layout in sorted(bundle.layouts.items()):
        for tag, image in sorted(layout.images.items()):
            found.images.append(DeliveredImage(path, tag, image.digest, _image_bytes(layout, image.key, image.size)))
    found.content = content_of(bundle.layouts, found.damage)


def _image_bytes(layout: JoinedLayout, key: bytes, size: int) -> int:
    """Manifest, config and layers, of an index all its images; of what cannot be read the manifest alone."""
    total, pending, seen = 0, [(key, size)], {key}
    while pending:
        key, size = pending.pop()
        total += size
        try:
            manifest = layout.manifest(key, size)
        except BundleDamaged:
            continue
        total += sum(blob.size for blob in manifest.blobs())
        children = {digests.to_key(child.digest): child.size for child in manifest.children}
        pending += [(child, children[child]) for child in children.keys() - seen]
        seen |= children.keys()
    return total


def _compare_images(bundle: OpenBundle, delivery: Delivery | None, found: Inspection) -> None:
    """The layouts have to hold just what delivery.json says; those of archives that are damaged are left out."""
    if delivery is None:
        return
    named: dict[str, set[str]] = {path: set() for path in bundle.layouts}
    for image in delivery.images:
        layout = bundle.layouts.get(image.repository)
        if layout is None:
            continue
        named[image.repository].add(image.tag)
        there = layout.images.get(image.tag)
        if there is None or there.digest != image.digest:
            held = f"it has {there.digest}" if there else "it is not there"
            name = f"{image.repository or 'the root'}:{image.tag}"
            found.damage(
                layout.sources[0][0].name, f"{name} must be {image.digest} as {DELIVERY_NAME} says, but {held}"
            )
    for path, layout in bundle.layouts.items():
        if layout.images.keys() - named[path]:
            found.damage(layout.sources[0][0].name, f"{layout.where} has tags that {DELIVERY_NAME} does not name")


def _look_for_blobs(bundle: OpenBundle, found: Inspection) -> None:
    """Every manifest's config and layers have to be there with their sizes."""
    for _path, layout in sorted(bundle.layouts.items()):
        archive = layout.sources[0][0].name
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
            needed = {digests.to_key(blob.digest): blob.size for blob in manifest.blobs()}
            for blob in needed.keys() - seen:
                place = layout.find(blob)
                if place is None:
                    found.damage(archive, f"{layout.where}: blob sha256:{blob.hex()} is missing")
                elif place.size != needed[blob]:
                    sizes = f"has {place.size} bytes, its manifest says {needed[blob]}"
                    found.damage(place.archive, f"{layout.where}: blob sha256:{blob.hex()} {sizes}")
            seen |= needed.keys()


def _read_everything(bundle: OpenBundle, memory: HostMemory, stopping: Stopping, found: Inspection) -> None:
    """Hash archive by archive, so that damage in one does not hide that in another."""
    for opened in bundle.archives:
        try:
            prove(OpenBundle([opened], bundle.layouts, [], []), memory, always=True, stopping=stopping)
        except BundleDamaged as error:
            forget_proof(memory, opened[0].paths)
            if str(error) not in {finding.message for finding in found.findings}:
                found.damage(error.archive, error.problem)
        except BundleError as error:
            found.damage(opened[0].name, str(error))


def archives_as_dicts(archives: Iterable[ArchiveSummary]) -> list[dict[str, Any]]:
    """The archives in the contract's shape; `sha256` is null where no delivery.json says it."""
    rows = [archive.as_dict() for archive in archives]
    for row in rows:
        for part in row["parts"]:
            part["sha256"] = part["sha256"] or None
    return rows
