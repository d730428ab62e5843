# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Manifests as they are on the wire: raw bytes are kept, views are read from them (image-spec, docker schema 2)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from . import digest as digests
from .errors import InvalidContent

OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
MANIFEST_TYPES = (OCI_MANIFEST, OCI_INDEX, DOCKER_MANIFEST, DOCKER_LIST)
INDEX_TYPES = frozenset({OCI_INDEX, DOCKER_LIST})
IMAGE_CONFIG_TYPES = frozenset(
    {"application/vnd.oci.image.config.v1+json", "application/vnd.docker.container.image.v1+json"}
)
LARGEST_MANIFEST = 4 * 1024 * 1024
"""Bytes; the limit that registries keep by convention (registry-quirks §13)."""
_LARGEST_BLOB = 1 << 50


@dataclass(frozen=True)
class Descriptor:
    """What a manifest says of a blob or of a child manifest."""

    media_type: str
    digest: str
    size: int


@dataclass(frozen=True)
class Manifest:
    """One manifest or index. `raw` is what was received and what is sent; nothing is ever re-serialised."""

    raw: bytes
    media_type: str
    digest: str
    config: Descriptor | None
    layers: tuple[Descriptor, ...]
    children: tuple[Descriptor, ...]
    artifact_type: str | None
    """What d8 writes as `artifactType` of the descriptor: set for anything but a container image."""
    created: str | None
    """RFC 3339 text of the annotation `org.opencontainers.image.created`, where there is one."""

    @property
    def is_index(self) -> bool:
        return self.media_type in INDEX_TYPES

    @property
    def size(self) -> int:
        return len(self.raw)

    def blobs(self) -> Iterator[Descriptor]:
        """Config and layers, each digest once, in the manifest's order; none for an index."""
        seen = set()
        for descriptor in (*([self.config] if self.config else []), *self.layers):
            if descriptor.digest not in seen:
                seen.add(descriptor.digest)
                yield descriptor


def parse(raw: bytes, *, content_type: str = "", where: str = "manifest") -> Manifest:
    """Read `raw` (with the response's `content_type`, which may be empty or generic).

    Raises InvalidContent naming `where` for anything that is not an OCI or docker schema 2 manifest or index.
    """
    if len(raw) > LARGEST_MANIFEST:
        raise InvalidContent(
            f"{where}: the manifest has {len(raw)} bytes, more than the {LARGEST_MANIFEST} registries accept"
        )
    try:
        document = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise InvalidContent(f"{where}: the manifest is not JSON ({error})") from error
    if not isinstance(document, dict):
        raise InvalidContent(f"{where}: the manifest is not a JSON object")
    if document.get("schemaVersion") == 1:
        raise InvalidContent(
            f"{where}: a docker schema 1 manifest; such images cannot be mirrored, they must be pushed anew"
        )
    if "manifests" in document and not document.keys().isdisjoint(("layers", "config")):
        raise InvalidContent(f"{where}: both an image manifest and an index; readers would not agree on what it is")
    media_type = _media_type(document, content_type.split(";")[0].strip(), where)
    annotations = document.get("annotations")
    created = annotations.get("org.opencontainers.image.created") if isinstance(annotations, dict) else None
    is_index = media_type in INDEX_TYPES
    config = None if is_index else _descriptor(document.get("config"), f"{where}: config")
    return Manifest(
        raw=raw,
        media_type=media_type,
        digest=digests.digest_of(raw),
        config=config,
        layers=() if is_index else _descriptors(document.get("layers"), f"{where}: layers"),
        children=_descriptors(document.get("manifests"), f"{where}: manifests") if is_index else (),
        artifact_type=_artifact_type(document, config) if config else None,
        created=created if isinstance(created, str) else None,
    )


def _artifact_type(document: dict[str, Any], config: Descriptor) -> str | None:
    declared = document.get("artifactType")
    if isinstance(declared, str) and declared:
        return declared
    return None if config.media_type in IMAGE_CONFIG_TYPES else config.media_type or None


def _media_type(document: dict[str, Any], content_type: str, where: str) -> str:
    declared = document.get("mediaType")
    if isinstance(declared, str) and declared in MANIFEST_TYPES:
        return declared
    if declared not in (None, ""):
        raise InvalidContent(f"{where}: media type {str(declared)[:100]!r} is not that of an image or index")
    if content_type in MANIFEST_TYPES:
        return content_type
    if "manifests" in document:
        return OCI_INDEX
    if "layers" in document and "config" in document:
        return OCI_MANIFEST
    raise InvalidContent(f"{where}: neither an image manifest nor an index (content type {content_type[:100]!r})")


def _descriptors(value: object, where: str) -> tuple[Descriptor, ...]:
    if not isinstance(value, list):
        raise InvalidContent(f"{where}: expected a list")
    return tuple(_descriptor(item, f"{where}[{position}]") for position, item in enumerate(value))


def _descriptor(value: object, where: str) -> Descriptor:
    if not isinstance(value, dict):
        raise InvalidContent(f"{where}: expected a descriptor")
    size = value.get("size")
    if not isinstance(size, int) or isinstance(size, bool) or not 0 <= size <= _LARGEST_BLOB:
        raise InvalidContent(f"{where}: size {str(size)[:40]!r} is not a number of bytes")
    media_type = value.get("mediaType")
    return Descriptor(
        media_type if isinstance(media_type, str) else "", digests.checked(value.get("digest"), where=where), size
    )
