# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What pointers of a private registry said before they were moved: the document that `mirror_pointers` writes."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from .._oci import manifest as manifests
from .._oci.errors import InvalidContent, InvalidInput
from .._oci.manifest import MANIFEST_TYPES, Manifest
from .._oci.reference import is_repository_path, is_tag
from . import tree
from .channels import is_channel
from .documents import kind_of
from .fields import choice_of, described, mapping, number, parse_record, record_of, text, tuple_of
from .fields import digest as digest_field
from .fields import version as version_field
from .version import Version

KIND = "MirrorPointers"
VERSION = 1
_DIGITS = 64


def _manifest(value: Any, where: str) -> bytes:
    try:
        return base64.b64decode(text(value, where), validate=True)
    except (binascii.Error, ValueError) as error:
        raise InvalidInput(f"{where}: is not base64 ({error})") from error


def _repository(value: Any, where: str) -> str:
    found = text(value, where)
    if found and not is_repository_path(found):
        raise InvalidInput(f"{where}: {found[:100]!r} is not the path of a repository below images_repo")
    return found


def _tag(value: Any, where: str) -> str:
    found = text(value, where)
    if not is_tag(found):
        raise InvalidInput(f"{where}: {found[:100]!r} cannot be a tag")
    return found


@dataclass(frozen=True)
class SavedPointer:
    """One pointer; `repository` below the root. Without `digest` it did not exist.

    `version` is what a channel's image says, where it says one. `manifest` are the bytes that the digest is of.
    `published` is what it was about to be moved to.
    """

    repository: str = described(_repository)
    tag: str = described(_tag)
    digest: str | None = described(digest_field, None)
    version: Version | None = described(version_field, None)
    media_type: str | None = described(choice_of(*MANIFEST_TYPES), None)
    manifest: bytes | None = described(_manifest, None)
    published: str | None = described(digest_field, None)

    @property
    def name(self) -> str:
        """How messages call it."""
        return f"{self.repository}:{self.tag}"

    def image(self) -> Manifest | None:
        """The manifest to put back, None where there was none. Raises InvalidContent when it is none."""
        if self.manifest is None:
            return None
        return manifests.parse(self.manifest, content_type=self.media_type or "", where=self.name)

    def as_dict(self) -> dict[str, Any]:
        """As results show it: without the manifest."""
        return {
            "repository": self.repository,
            "tag": self.tag,
            "digest": self.digest,
            "version": str(self.version) if self.version else None,
        }


@dataclass(frozen=True)
class MirrorPointers:
    """The document. `bundle` is a hash of the pointers that were about to be written."""

    images_repo: str = described(text)
    pointers: tuple[SavedPointer, ...] = described(tuple_of(record_of(SavedPointer)))
    bundle: str | None = described(digest_field, None)
    kind: str = described(text, KIND)
    version: int = described(number, VERSION)


def pointers_document(saved: MirrorPointers) -> dict[str, Any]:
    """The document as plain data, the same for the same pointers."""
    rows = [
        {
            **pointer.as_dict(),
            "media_type": pointer.media_type,
            "manifest": None if pointer.manifest is None else base64.b64encode(pointer.manifest).decode("ascii"),
            "published": pointer.published,
        }
        for pointer in saved.pointers
    ]
    return {
        "kind": KIND,
        "version": VERSION,
        "images_repo": saved.images_repo,
        "bundle": saved.bundle,
        "pointers": rows,
    }


def parse_pointers(document: object, *, where: str, modules_path: str) -> MirrorPointers:
    """Read the document, which may have been edited, or made by somebody who means harm.

    Raises InvalidInput with the path of the field: for another kind, for unknown versions, for what can be no pointer
    (a version, a component), for a tag that is there twice, and for a manifest that its digest is not of.
    """
    top = mapping(document, where)
    if top.get("kind") != KIND:
        raise InvalidInput(f"{where}.kind: expected {KIND}, found {kind_of(top.get('kind'))}")
    known = top.get("version")
    if known != VERSION or isinstance(known, (bool, float)):
        raise InvalidInput(f"{where}.version: {kind_of(known)} is not known; this collection reads {VERSION}")
    saved = parse_record(MirrorPointers, top, where)
    _check_each(saved.pointers, where, modules_path)
    return saved


def _check_each(pointers: Iterable[SavedPointer], where: str, modules_path: str) -> None:
    seen = set()
    for position, pointer in enumerate(pointers):
        place = f"{where}.pointers[{position}]"
        if not is_pointer(pointer.repository, pointer.tag, modules_path=modules_path):
            raise InvalidInput(f"{place}: {pointer.name} is no pointer, such as a release channel")
        if pointer.name in seen:
            raise InvalidInput(f"{place}: {pointer.name} is there twice; nobody can say which one is right")
        seen.add(pointer.name)
        _check_image(pointer, place)


def _check_image(pointer: SavedPointer, place: str) -> None:
    if (pointer.digest is None) != (pointer.manifest is None):
        raise InvalidInput(f"{place}: digest and manifest belong together; one of them is missing")
    try:
        image = pointer.image()
    except InvalidContent as error:
        raise InvalidInput(f"{place}.manifest: {error}") from error
    if image is None:
        return
    if image.digest != pointer.digest:
        raise InvalidInput(f"{place}.manifest: is {image.digest}, and not what digest says")
    if image.media_type != pointer.media_type:
        raise InvalidInput(f"{place}.media_type: is not that of the manifest, {image.media_type}")


def is_pointer(repository: str, tag: str, *, modules_path: str) -> bool:
    """Whether a cluster may be led by this tag: a channel, a database, the newest installer, a catalogue's entry."""
    area = tree.place_of(repository).area
    if area == "security":
        return len(tag) < _DIGITS and not tree.is_attestation(tag)
    if area == "installer":
        return tag == "latest"
    catalogues = (modules_path, tree.PACKAGES, tree.PLUGINS)
    return is_channel(tag) or (repository in catalogues and bool(tree.module_names([tag])))


def released_in(repository: str, *, modules_path: str) -> tuple[str, ...]:
    """Repositories that must have a version before a channel in `repository` may point at it; none for the others."""
    if repository == tree.RELEASE_CHANNEL:
        return (tree.ROOT, tree.RELEASE_CHANNEL)
    main, _slash, part = repository.rpartition("/")
    parent = main.rpartition("/")[0]
    is_release = (part, parent) in (("release", modules_path), ("version", tree.PACKAGES))
    return (main, repository) if main and is_release else ()
