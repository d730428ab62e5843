# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Keeps what the pointers of a registry say before a bundle moves them: the way back (issue 5, §1.4)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from .._bundle.donors import Donors
from .._bundle.whole_files import replace_file
from .._dkp.documents import LARGEST_HANDED_ON, load_handed_on
from .._dkp.mirror_pointers import MirrorPointers, SavedPointer, parse_pointers, pointers_document, released_in
from .._oci.digest import digest_of
from .._oci.errors import AirgapError, InvalidInput
from .._registry.client import Registry
from .._registry.errors import NotFound
from .bundle import open_bundle
from .freight import discovery_image, sort_freight
from .memory import HostMemory
from .pointers import stated_version
from .publishing import catalogue_names
from .reading import ImageReader
from .target import Target

Tag = tuple[str, str]
"""Repository, below the root, and tag."""


@dataclass(frozen=True)
class SaveRequest:
    """What `mirror_pointers` was asked for. `mode`: permissions of the file at `path`."""

    sources: tuple[Path, ...]
    modules_path: str
    path: Path
    mode: int
    check_mode: bool = False


@dataclass(frozen=True)
class SaveResult:
    """`pointers` are those of the document; `kept`: some of them are what an earlier run has seen."""

    pointers: tuple[SavedPointer, ...]
    kept: bool


def read_saved(path: Path, images_repo: str, modules_path: str) -> MirrorPointers | None:
    """The document at `path`, None where no file is.

    Raises InvalidInput, InvalidContent naming what is wrong with it, also when it is that of another registry.
    """
    try:
        if path.is_file() and path.stat().st_size > LARGEST_HANDED_ON:
            raise InvalidInput(f"path: {path} is larger than the {LARGEST_HANDED_ON} bytes that are read")
        raw = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise AirgapError(f"path: {path} cannot be read: {error.strerror or error}") from error
    saved = parse_pointers(load_handed_on(raw, where=str(path)), where=str(path), modules_path=modules_path)
    if saved.images_repo != images_repo:
        raise InvalidInput(
            f"path: {path} holds the pointers of {saved.images_repo}, and images_repo is {images_repo}; "
            "each registry needs a file of its own"
        )
    return saved


def save_pointers(request: SaveRequest, registry: Registry, memory: HostMemory) -> SaveResult:
    """Write what the pointers that the bundle would move, or make, say now.

    What the bundle itself has published is not a way back: of such a pointer the file keeps what it had.
    Raises InvalidInput, InvalidContent, BundleError, RegistryError; AirgapError when the file cannot be written.
    """
    earlier = read_saved(request.path, str(registry.address), request.modules_path)
    published = _published_by(request, registry)
    identity = digest_of("\n".join(f"{path}:{tag}@{digest}" for (path, tag), digest in published.items()).encode())
    reader = ImageReader(registry, Donors(), memory)
    try:
        pointers, kept = _Saving(registry, reader, request.modules_path, published).run(earlier, identity)
        reader.remember()
    finally:
        reader.close()
    if not request.check_mode and not (kept and earlier is not None and earlier.pointers == pointers):
        _write(request, MirrorPointers(str(registry.address), pointers, identity))
    return SaveResult(pointers, kept)


def _published_by(request: SaveRequest, registry: Registry) -> dict[Tag, str]:
    """The digests of all pointers that the bundle would write."""
    bundle = open_bundle(request.sources)
    try:
        groups = sort_freight(bundle, registry.address, request.modules_path).values()
        published = {(item.path, item.tag): item.image.digest for group in groups for item in group.pointers}
        name_digest = discovery_image()[0].digest
        for name in catalogue_names(groups, registry.address, request.modules_path):
            published[name.path, name.tag] = name_digest
    finally:
        bundle.close()
    return dict(sorted(published.items()))


def _write(request: SaveRequest, document: MirrorPointers) -> None:
    content = json.dumps(pointers_document(document), indent=2) + "\n"
    try:
        replace_file(request.path, content.encode("utf-8"), request.mode)
    except OSError as error:
        raise AirgapError(f"path: {request.path} cannot be written: {error.strerror or error}") from error


class _Saving:
    """Compares the pointers of one bundle with the registry's and with those of an earlier document."""

    def __init__(
        self, registry: Registry, reader: ImageReader, modules_path: str, published: Mapping[Tag, str]
    ) -> None:
        self._registry = registry
        self._reader = reader
        self._modules_path = modules_path
        self._published = published

    def run(self, earlier: MirrorPointers | None, identity: str) -> tuple[tuple[SavedPointer, ...], bool]:
        """The pointers to keep, and whether some are the earlier ones."""
        current = self._current()
        if earlier is not None and all(self._is_published(tag, digest) for tag, digest in current.items()):
            return earlier.pointers, True
        known = {} if earlier is None or earlier.bundle != identity else _by_tag(earlier)
        kept = {tag: known[tag] for tag, digest in current.items() if tag in known and self._is_published(tag, digest)}
        seen = [tag for tag, digest in current.items() if tag not in kept and not self._is_entry(tag, digest)]
        found = dict(zip(seen, self._reader.gather(lambda tag: self._read(tag, current[tag]), seen)))
        return tuple(pointer for _tag, pointer in sorted({**kept, **found}.items())), bool(kept)

    def _current(self) -> dict[Tag, str | None]:
        root = self._registry.address
        places = [(root.child(path), tag) for path, tag in self._published]
        with ThreadPoolExecutor(self._registry.ceiling, thread_name_prefix="ask") as pool:
            target = Target(self._registry, pool)
            target.load({repository for repository, _tag in places})
            return dict(zip(self._published, target.digests(places)))

    def _is_published(self, tag: Tag, digest: str | None) -> bool:
        return digest == self._published[tag] or self._is_entry(tag, digest)

    def _is_entry(self, tag: Tag, digest: str | None) -> bool:
        """Whether it is a name in a catalogue that is there: no bundle writes it again, whatever it points to."""
        return digest is not None and self._published[tag] == discovery_image()[0].digest

    def _read(self, tag: Tag, digest: str | None) -> SavedPointer:
        path, name = tag
        absent = SavedPointer(path, name, published=self._published[tag])
        if digest is None:
            return absent
        repository = self._registry.address.child(path)
        try:
            manifest = self._registry.manifest(repository, name)
        except NotFound:
            return absent
        of_release = released_in(path, modules_path=self._modules_path)
        version = stated_version(self._reader, repository, manifest) if of_release else None
        return replace(
            absent, digest=manifest.digest, version=version, media_type=manifest.media_type, manifest=manifest.raw
        )


def _by_tag(document: MirrorPointers) -> dict[Tag, SavedPointer]:
    return {(pointer.repository, pointer.tag): pointer for pointer in document.pointers}
