# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Manifests: raw bytes stay, views are read from them, and what is none is named."""

from __future__ import annotations

import contextlib
import hashlib
import json
from typing import Any

import pytest
from ansible_collections.dkp.airgap.plugins.module_utils._oci import manifest as manifests
from ansible_collections.dkp.airgap.plugins.module_utils._oci.errors import InvalidContent
from ansible_collections.dkp.airgap.plugins.module_utils._oci.manifest import Descriptor, parse
from hypothesis import given
from hypothesis import strategies as st

CONFIG_TYPE = "application/vnd.oci.image.config.v1+json"
LAYER_TYPE = "application/vnd.oci.image.layer.v1.tar+gzip"


def short(value: object) -> str:
    """The name of a test's row: older pytest would take all the bytes."""
    return repr(value)[:40]


def digest(character: str) -> str:
    return f"sha256:{character * 64}"


def descriptor(character: str, size: int = 7, media_type: str = LAYER_TYPE) -> dict[str, Any]:
    return {"mediaType": media_type, "digest": digest(character), "size": size}


def image(**changes: Any) -> dict[str, Any]:
    document = {
        "schemaVersion": 2,
        "mediaType": manifests.OCI_MANIFEST,
        "config": descriptor("c", media_type=CONFIG_TYPE),
        "layers": [descriptor("1"), descriptor("2", 9)],
    }
    document.update(changes)
    return {key: value for key, value in document.items() if value is not ...}


def raw(document: object) -> bytes:
    return json.dumps(document, indent=3).encode()


def test_an_image_is_read_and_its_bytes_are_kept() -> None:
    data = raw(image(annotations={"org.opencontainers.image.created": "2026-01-02T03:04:05Z"}))
    read = parse(data)
    assert read.raw == data
    assert read.digest == "sha256:" + hashlib.sha256(data).hexdigest()
    assert read.size == len(data)
    assert not read.is_index
    assert read.config == Descriptor(CONFIG_TYPE, digest("c"), 7)
    assert [layer.digest for layer in read.layers] == [digest("1"), digest("2")]
    assert read.children == ()
    assert read.artifact_type is None
    assert read.created == "2026-01-02T03:04:05Z"


def test_blobs_are_the_config_and_each_layer_once() -> None:
    read = parse(raw(image(layers=[descriptor("1"), descriptor("2"), descriptor("1")])))
    assert [blob.digest for blob in read.blobs()] == [digest("c"), digest("1"), digest("2")]


@pytest.mark.parametrize("media_type", [manifests.OCI_INDEX, manifests.DOCKER_LIST])
def test_an_index_has_children_and_no_blobs(media_type: str) -> None:
    read = parse(raw({"schemaVersion": 2, "mediaType": media_type, "manifests": [descriptor("1"), descriptor("2")]}))
    assert read.is_index
    assert [child.digest for child in read.children] == [digest("1"), digest("2")]
    assert list(read.blobs()) == []


@pytest.mark.parametrize(
    ("document", "content_type", "expected"),
    [
        (image(), "", manifests.OCI_MANIFEST),
        (image(), "text/plain", manifests.OCI_MANIFEST),
        (image(mediaType=manifests.DOCKER_MANIFEST), manifests.OCI_MANIFEST, manifests.DOCKER_MANIFEST),
        (image(mediaType=...), manifests.DOCKER_MANIFEST, manifests.DOCKER_MANIFEST),
        (image(mediaType=...), manifests.OCI_MANIFEST + "; charset=utf-8", manifests.OCI_MANIFEST),
        (image(mediaType=...), "application/json", manifests.OCI_MANIFEST),
        (image(mediaType=""), "", manifests.OCI_MANIFEST),
        ({"schemaVersion": 2, "manifests": []}, "", manifests.OCI_INDEX),
    ],
)
def test_the_media_type_is_that_of_the_document_then_of_the_answer(
    document: dict[str, Any], content_type: str, expected: str
) -> None:
    assert parse(raw(document), content_type=content_type).media_type == expected


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, None),
        ({"config": descriptor("c", media_type="application/vnd.docker.container.image.v1+json")}, None),
        ({"config": descriptor("c", media_type="application/vnd.aquasec.trivy.config.v1+json")},
         "application/vnd.aquasec.trivy.config.v1+json"),
        ({"artifactType": "application/x", "config": descriptor("c", media_type="application/octet-stream")},
         "application/x"),
        ({"artifactType": "", "config": descriptor("c", media_type="application/octet-stream")},
         "application/octet-stream"),
        ({"config": descriptor("c", media_type="")}, None),
    ],
)  # fmt: skip
def test_artifacts_are_told_by_their_type(changes: dict[str, Any], expected: str | None) -> None:
    assert parse(raw(image(**changes))).artifact_type == expected


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "is not JSON"),
        (b"<html>", "is not JSON"),
        (b"[]", "is not a JSON object"),
        (b"\xff\xfe\x00", "is not JSON"),
        (b"[" * 200_000, "is not JSON"),
        (b" " * (5 * 1024 * 1024), "more than the 4194304"),
        (raw({"schemaVersion": 1, "fsLayers": []}), "schema 1"),
        (raw({"schemaVersion": 2}), "neither an image manifest nor an index"),
        (raw(image(mediaType="application/vnd.oci.image.layout.v1+json")), "not that of an image or index"),
        (raw(image(mediaType=5)), "not that of an image or index"),
        (raw(image(config=...)), "config: expected a descriptor"),
        (raw(image(layers=None)), "layers: expected a list"),
        (raw(image(layers=[5])), r"layers\[0\]: expected a descriptor"),
        (raw(image(layers=[descriptor("1", -1)])), r"layers\[0\]: size '-1'"),
        (raw(image(layers=[descriptor("1", 1 << 60)])), "is not a number of bytes"),
        (raw(image(layers=[{**descriptor("1"), "size": True}])), "is not a number of bytes"),
        (raw(image(layers=[{**descriptor("1"), "size": "7"}])), "is not a number of bytes"),
        (raw(image(layers=[{**descriptor("1"), "digest": "sha512:" + "a" * 128}])), "only algorithm"),
        (raw(image(layers=[{**descriptor("1"), "digest": "../../etc/passwd"}])), "is not a digest"),
        (raw({"schemaVersion": 2, "mediaType": manifests.OCI_INDEX}), "manifests: expected a list"),
        (raw(image(mediaType=..., manifests=[])), "both an image manifest and an index"),
        (raw(image(manifests=[])), "both an image manifest and an index"),
    ],
    ids=short,
)
def test_what_is_no_manifest_is_refused(data: bytes, said: str) -> None:
    with pytest.raises(InvalidContent, match=f"^install:v1: .*{said}"):
        parse(data, where="install:v1")


KEYS = st.sampled_from(["mediaType", "config", "layers", "manifests", "digest", "size", "annotations", "schemaVersion"])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)


@given(st.one_of(st.binary(max_size=50), JSON.map(raw)))
def test_any_bytes_are_a_manifest_or_refused(data: bytes) -> None:
    with contextlib.suppress(InvalidContent):
        assert parse(data).raw == data
