# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""OCI image layouts as d8 writes and reads them (d8-mirror.md §5.3 to §5.5, §5.9)."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

from .._oci import digest as digests
from .._oci.manifest import INDEX_TYPES, MANIFEST_TYPES
from .errors import BundleDamaged

MARKER_NAME = "oci-layout"
INDEX_NAME = "index.json"
MARKER = b'{\n    "imageLayoutVersion": "1.0.0"\n}'
SHORT_TAG = "io.deckhouse.image.short_tag"
REFERENCE_NAME = "org.opencontainers.image.ref.name"
_INDEX_TYPE = "application/vnd.oci.image.layout.v1+json"
_DESCRIPTOR_KEYS = frozenset(
    {"mediaType", "size", "digest", "urls", "annotations", "data", "platform", "artifactType"}
)  # image-spec, descriptor


@dataclass(frozen=True)
class TaggedImage:
    """One descriptor of a layout's index: manifest `key` (raw digest) of `size` bytes under `short_tag`."""

    short_tag: str
    key: bytes
    size: int
    media_type: str
    artifact_type: str | None = None

    @property
    def digest(self) -> str:
        return digests.from_key(self.key)

    @property
    def is_known_by_digest(self) -> bool:
        """Whether the short tag is but the digest's hex digits."""
        return self.short_tag == self.key.hex()


def blob_name(layout: str, key: bytes) -> str:
    """The tar entry of a blob."""
    return in_layout(layout, f"blobs/sha256/{key.hex()}")


def in_layout(layout: str, name: str) -> str:
    """The tar entry of a file of `layout` (``""`` is the layout at the archive's root)."""
    return f"{layout}/{name}" if layout else name


def render_index(images: Collection[TaggedImage], source_repository: str) -> Iterator[bytes]:
    """`index.json` piece by piece, sorted by ref.name, as d8 prints it; short tags must be unique.

    `source_repository` is the full repository the images come from (``host/path``), used for ref.name only.
    """
    head = f'{{\n  "schemaVersion": 2,\n  "mediaType": "{_INDEX_TYPE}",\n  "manifests": '
    if not images:
        yield f"{head}null\n}}".encode()
        return
    # ":" comes before "@"; the names themselves are not held, there are tens of thousands
    in_order = sorted(images, key=lambda image: (image.is_known_by_digest, image.short_tag))
    yield f"{head}[\n".encode()
    for position, image in enumerate(in_order):
        name = f"@{image.digest}" if image.is_known_by_digest else f":{image.short_tag}"
        yield (",\n" if position else "").encode() + _render_descriptor(source_repository + name, image)
    yield b"\n  ]\n}"


def _render_descriptor(name: str, image: TaggedImage) -> bytes:
    document: dict[str, object] = {
        "mediaType": image.media_type,
        "size": image.size,
        "digest": image.digest,
        "annotations": {SHORT_TAG: image.short_tag, REFERENCE_NAME: name},
    }
    if image.media_type not in INDEX_TYPES:
        document["platform"] = {"architecture": "", "os": ""}
    if image.artifact_type:
        document["artifactType"] = image.artifact_type
    return "\n".join("    " + line for line in json.dumps(document, indent=2).splitlines()).encode()


def parse_index(data: bytes, archive: str, layout: str) -> tuple[list[TaggedImage], list[str]]:
    """The images of an `index.json`, last descriptor of a short tag winning, and warnings about those left out.

    Raises BundleDamaged when the file cannot be what d8 or this collection wrote.
    """
    where = in_layout(layout, INDEX_NAME)
    try:
        text = data.decode()
        del data  # of twenty thousand images either takes ten megabytes
        document = json.loads(text, object_hook=_compact)
    except (ValueError, RecursionError) as error:
        raise BundleDamaged(archive, f"{where} is not JSON ({error})") from error
    if not isinstance(document, dict) or "manifests" not in document:
        raise BundleDamaged(archive, f"{where} has no list of manifests")
    rows = document["manifests"]
    if rows is not None and not isinstance(rows, list):
        raise BundleDamaged(archive, f"{where}: manifests is not a list")
    images: dict[str, TaggedImage] = {}
    warnings = []
    for position, row in enumerate(rows or []):
        is_sound = isinstance(row, TaggedImage)
        image = row if is_sound else _parse_descriptor(row, archive, f"{where}: manifests[{position}]")
        if image is None:
            warnings.append(f"{archive}: {where}: manifests[{position}] has no {SHORT_TAG}; it is left out, as d8 does")
        else:
            images[image.short_tag] = image
    return list(images.values()), warnings


def _compact(row: dict[str, Any]) -> Any:
    """Sound descriptors become values while the document is parsed, in a third of the memory; the others wait for it
    to be known where they stand."""
    if "digest" not in row:
        return row
    try:
        return _parse_descriptor(row, "", "") or row
    except BundleDamaged:
        return row


def _parse_descriptor(row: object, archive: str, where: str) -> TaggedImage | None:
    if not isinstance(row, dict):
        raise BundleDamaged(archive, f"{where} is not a descriptor")
    digest, size, media_type = row.get("digest"), row.get("size"), row.get("mediaType")
    if not isinstance(digest, str) or not digests.is_digest(digest):
        raise BundleDamaged(archive, f"{where}: digest {str(digest)[:90]!r} is not a sha256 digest")
    if not isinstance(size, int) or isinstance(size, bool) or size < 0 or media_type not in MANIFEST_TYPES:
        raise BundleDamaged(archive, f"{where}: size or media type of {digest} cannot be right")
    annotations = row.get("annotations") or {}
    if not isinstance(annotations, dict):
        raise BundleDamaged(archive, f"{where}: annotations of {digest} are not an object")
    short_tag, name = annotations.get(SHORT_TAG), annotations.get(REFERENCE_NAME)
    if short_tag is None:
        if isinstance(name, str) and "/" in name:  # d8 always writes both, so a bit has flipped
            raise BundleDamaged(archive, f"{where}: {name} has lost its {SHORT_TAG}")
        if not row.keys() <= _DESCRIPTOR_KEYS:  # nor has it others than these: `annotations` itself was hit
            raise BundleDamaged(archive, f"{where}: {digest} has no annotations, and keys that no descriptor has")
        return None
    if not isinstance(short_tag, str) or not _names_agree(short_tag, name):
        raise BundleDamaged(archive, f"{where}: the names {short_tag!r} and {name!r} disagree")
    artifact_type = row.get("artifactType")
    return TaggedImage(
        short_tag, digests.to_key(digest), size, media_type, artifact_type if isinstance(artifact_type, str) else None
    )


def _names_agree(short_tag: str, name: object) -> bool:
    """Whether ref.name ends in the short tag. Its part before may be anything: d8 cuts it short for ports (§5.4)."""
    return not isinstance(name, str) or name.endswith((f":{short_tag}", f"/{short_tag}")) or name == short_tag
