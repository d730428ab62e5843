# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later


"""Manifests around blobs: images in docker's and in OCI's form, indexes, artifacts."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .content import Blob, blob_of

OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
OCI_CONFIG = "application/vnd.oci.image.config.v1+json"
OCI_LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_CONFIG = "application/vnd.docker.container.image.v1+json"
DOCKER_LAYER = "application/vnd.docker.image.rootfs.diff.tar.gzip"


@dataclass(frozen=True)
class Image:
    """A manifest as served, with what it refers to: `blobs` of an image, `children` of an index."""

    raw: bytes = field(repr=False)
    media_type: str
    digest: str
    blobs: tuple[Blob, ...] = ()
    children: tuple[Image, ...] = ()

    def closure(self) -> Iterator[Image]:
        """Itself after everything below it, in the order in which a registry wants them."""
        for child in self.children:
            yield from child.closure()
        yield self


def image_of(
    layers: Sequence[Blob],
    *,
    docker: bool = True,
    created: str = "2026-01-01T00:00:00Z",
    architecture: str = "amd64",
    labels: Mapping[str, str] | None = None,
) -> Image:
    """A container image of `layers`, from the lowest to the top one.

    The config's ``diff_ids`` are the digests of the layers as served: nobody here unpacks them into a root file system.
    """
    config = blob_of(
        _json(
            {
                "architecture": architecture,
                "os": "linux",
                "created": created,
                "config": {"Labels": dict(labels or {})},
                "rootfs": {"type": "layers", "diff_ids": [layer.digest for layer in layers]},
            }
        )
    )
    types = (DOCKER_MANIFEST, DOCKER_CONFIG, DOCKER_LAYER) if docker else (OCI_MANIFEST, OCI_CONFIG, OCI_LAYER)
    return _manifest(types[0], (types[1], config), [(types[2], layer) for layer in layers], {})


def artifact_of(
    layers: Sequence[tuple[str, Blob]],
    *,
    config_type: str,
    config: bytes = b"{}",
    annotations: Mapping[str, str] | None = None,
) -> Image:
    """An OCI artifact: `layers` with their media types, and a config that is no image config."""
    return _manifest(OCI_MANIFEST, (config_type, blob_of(config)), layers, {"annotations": dict(annotations or {})})


def index_of(children: Mapping[str, Image]) -> Image:
    """An OCI index; `children` by architecture."""
    entries = [
        {
            "mediaType": child.media_type,
            "digest": child.digest,
            "size": len(child.raw),
            "platform": {"architecture": architecture, "os": "linux"},
        }
        for architecture, child in children.items()
    ]
    raw = _json({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": entries})
    return Image(raw, OCI_INDEX, _digest(raw), children=tuple(children.values()))


def _manifest(
    media_type: str, config: tuple[str, Blob], layers: Sequence[tuple[str, Blob]], more: Mapping[str, Any]
) -> Image:
    raw = _json(
        {
            "schemaVersion": 2,
            "mediaType": media_type,
            "config": _descriptor(*config),
            "layers": [_descriptor(*layer) for layer in layers],
            **{key: value for key, value in more.items() if value},
        }
    )
    unique = {blob.digest: blob for _unused, blob in (config, *layers)}
    return Image(raw, media_type, _digest(raw), blobs=tuple(unique.values()))


def _descriptor(media_type: str, blob: Blob) -> dict[str, Any]:
    return {"mediaType": media_type, "size": blob.size, "digest": blob.digest}


def _json(document: Mapping[str, Any]) -> bytes:
    """Indented, as docker writes manifests: whoever re-serialises one changes its digest."""
    return json.dumps(document, indent=3).encode()


def _digest(raw: bytes) -> str:
    return f"sha256:{hashlib.sha256(raw).hexdigest()}"
