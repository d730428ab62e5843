# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""`delivery.json`: what a finished bundle must hold (contract, `oci_bundle_pull`). Written and read piece by piece."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from .errors import BundleDamaged
from .parts import parse_part_name

KIND = "Delivery"
VERSION = 1
_HASH = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Part:
    """One file of an archive."""

    name: str
    bytes: int
    sha256: str

    def as_dict(self) -> dict[str, Any]:
        return {"name": self.name, "bytes": self.bytes, "sha256": self.sha256}


@dataclass(frozen=True)
class ArchiveSummary:
    """One archive: its size, how many manifests (`images`) and other blobs it holds, and its files."""

    name: str
    bytes: int
    images: int
    blobs: int
    parts: tuple[Part, ...]

    def as_dict(self) -> dict[str, Any]:
        return {"name": self.name, "bytes": self.bytes, "images": self.images, "blobs": self.blobs,
                "parts": [part.as_dict() for part in self.parts]}  # fmt: skip


@dataclass(frozen=True)
class DeliveredImage:
    """One tagged image: `repository` relative to the root, `bytes` of manifest, config and layers."""

    repository: str
    tag: str
    digest: str
    bytes: int

    def as_dict(self) -> dict[str, Any]:
        return {"repository": self.repository, "tag": self.tag, "digest": self.digest, "bytes": self.bytes}


@dataclass(frozen=True)
class Delivery:
    """The document. `images` may be a generator when it is written; `releases` maps versions to component digests."""

    source: dict[str, Any]
    content: dict[str, Any]
    archives: tuple[ArchiveSummary, ...]
    images: Iterable[DeliveredImage]
    releases: dict[str, Any] = field(default_factory=dict)
    plan: dict[str, Any] | None = None
    requires: tuple[dict[str, str], ...] = ()


def render(delivery: Delivery) -> Iterator[bytes]:
    """The document as JSON, one image a line, so that neither end has to hold all of it."""
    yield f'{{\n"kind": "{KIND}",\n"version": {VERSION}'.encode()
    for key in ("source", "content", "plan"):
        yield f',\n"{key}": {json.dumps(getattr(delivery, key), sort_keys=True)}'.encode()
    yield b',\n"archives": ' + json.dumps([archive.as_dict() for archive in delivery.archives]).encode()
    yield b',\n"images": ['
    separator = "\n"
    for image in delivery.images:
        yield (separator + json.dumps(image.as_dict())).encode()
        separator = ",\n"
    yield b'],\n"releases": '
    for piece in json.JSONEncoder(sort_keys=True).iterencode(delivery.releases):  # every component of every release
        yield piece.encode()
    yield b',\n"requires": ' + json.dumps(list(delivery.requires)).encode() + b"\n}\n"


def parse(data: bytes, where: str) -> Delivery:
    """Read a delivery.json; raises BundleDamaged naming the field that is wrong, or an unknown version."""
    try:
        document = json.loads(data, object_hook=_compact)
    except (ValueError, RecursionError) as error:
        raise BundleDamaged(where, f"is not JSON ({error})") from error
    if not isinstance(document, dict) or document.get("kind") != KIND:
        raise BundleDamaged(where, f"is not a {KIND} document")
    if document.get("version") != VERSION:
        raise BundleDamaged(where, f"has version {document.get('version')!r}; this collection reads version {VERSION}")
    archives = tuple(_archive(row, where, number) for number, row in enumerate(_list(document, "archives", where)))
    images = _list(document, "images", where)
    for number, image in enumerate(images):
        if not isinstance(image, DeliveredImage):
            raise BundleDamaged(where, f"images[{number}] is not an image with repository, tag, digest and bytes")
    for key in ("source", "content", "releases"):
        if not isinstance(document.get(key), dict):
            raise BundleDamaged(where, f"{key} is not an object")
    return Delivery(
        source=document["source"], content=document["content"], plan=document.get("plan"), archives=archives,
        images=images, releases=document["releases"], requires=tuple(_list(document, "requires", where)),
    )  # fmt: skip


def _compact(row: dict[str, Any]) -> Any:
    """Images become values while the document is parsed: twenty thousand dictionaries would not fit the memory."""
    if row.keys() == {"repository", "tag", "digest", "bytes"}:
        repository, tag, digest, size = row["repository"], row["tag"], row["digest"], row["bytes"]
        if isinstance(repository, str) and isinstance(tag, str) and isinstance(digest, str) and isinstance(size, int):
            return DeliveredImage(repository, tag, digest, size)
    return row


def _list(document: dict[str, Any], key: str, where: str) -> list[Any]:
    value = document.get(key)
    if not isinstance(value, list):
        raise BundleDamaged(where, f"{key} is not a list")
    return value


def _archive(row: Any, where: str, number: int) -> ArchiveSummary:
    """One archive; names are those that files of a bundle can have, so that none leads out of its directory."""
    try:
        name, rows = row["name"], row["parts"]
        size, images, blobs = (_count(row[key]) for key in ("bytes", "images", "blobs"))
        parts = tuple(Part(_part_of(name, part["name"]), _count(part["bytes"]), _hash(part["sha256"])) for part in rows)
    except (KeyError, TypeError, ValueError) as error:
        raise BundleDamaged(where, f"archives[{number}] is not an archive with its parts ({error!r})") from error
    if sum(part.bytes for part in parts) != size:
        raise BundleDamaged(where, f"archives[{number}]: the parts of {name} have not the bytes of the archive in all")
    return ArchiveSummary(name, size, images, blobs, parts)


def _part_of(archive: object, part: object) -> str:
    parsed = parse_part_name(part) if isinstance(part, str) and "/" not in part else None
    if not isinstance(part, str) or parsed is None or parsed[0] != archive:
        raise ValueError(f"{part!r} is no file of {archive!r}")
    return part


def _count(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise ValueError(f"{value!r} is not a number")
    return value


def _hash(value: object) -> str:
    if not isinstance(value, str) or not _HASH.fullmatch(value):
        raise ValueError(f"{value!r} is not a sha256 hash")
    return value
