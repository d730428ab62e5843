# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""`index.json` byte for byte as d8 writes it, and every shape of it that d8 has written (d8-mirror.md §5.3, §5.4)."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ansible_collections.dkp.airgap.plugins.module_utils._bundle.errors import BundleDamaged
from ansible_collections.dkp.airgap.plugins.module_utils._bundle.layout import (
    MARKER,
    TaggedImage,
    parse_index,
    render_index,
)

HEX = "d6353628d3169ce3195597b3288c91dfa74f077be628ca3a4985202fe055a78f"
OTHER = "1" * 64
DOCKER = "application/vnd.docker.distribution.manifest.v2+json"
INDEX = "application/vnd.oci.image.index.v1+json"
SOURCE = "registry.deckhouse.ru/deckhouse/ee/install"
TAG, NAME = "io.deckhouse.image.short_tag", "org.opencontainers.image.ref.name"
AS_SPECIFIED = """{
  "schemaVersion": 2,
  "mediaType": "application/vnd.oci.image.layout.v1+json",
  "manifests": [
    {
      "mediaType": "application/vnd.docker.distribution.manifest.v2+json",
      "size": 423,
      "digest": "sha256:d6353628d3169ce3195597b3288c91dfa74f077be628ca3a4985202fe055a78f",
      "annotations": {
        "io.deckhouse.image.short_tag": "v1.68.0",
        "org.opencontainers.image.ref.name": "registry.deckhouse.ru/deckhouse/ee/install:v1.68.0"
      },
      "platform": {
        "architecture": "",
        "os": ""
      }
    }
  ]
}"""


def image(tag: str = "v1.68.0", *, media_type: str = DOCKER, artifact: str | None = None) -> TaggedImage:
    return TaggedImage(tag, bytes.fromhex(HEX), 423, media_type, artifact)


def rendered(*images: TaggedImage) -> bytes:
    return b"".join(render_index(images, SOURCE))


def row(**changes: Any) -> dict[str, Any]:
    annotations = {TAG: "v1", NAME: f"{SOURCE}:v1"}
    return {"mediaType": DOCKER, "size": 423, "digest": f"sha256:{HEX}", "annotations": annotations, **changes}


def parsed(*rows: Any, **document: Any) -> tuple[list[TaggedImage], list[str]]:
    return parse_index(json.dumps({"manifests": list(rows), **document}).encode(), "platform.tar", "install")


def test_bytes_are_those_of_the_specification() -> None:
    assert rendered(image()).decode() == AS_SPECIFIED
    assert len(MARKER) == 37
    empty = rendered()
    assert len(empty) == 104 and json.loads(empty)["manifests"] is None


def test_rows_are_sorted_by_reference_name() -> None:
    images = [image("v1.9.0"), image(HEX), image("alpha"), image("v1.10.0")]
    names = [entry["annotations"][NAME].removeprefix(SOURCE) for entry in json.loads(rendered(*images))["manifests"]]
    assert names == [":alpha", ":v1.10.0", ":v1.9.0", f"@sha256:{HEX}"]
    assert rendered(*images) == rendered(*reversed(images))


def test_artifacts_and_indexes_are_described_as_d8_does() -> None:
    database, plugin = json.loads(rendered(image("2", artifact="application/x"), image("9", media_type=INDEX)))[
        "manifests"
    ]
    assert list(database) == ["mediaType", "size", "digest", "annotations", "platform", "artifactType"]
    assert "platform" not in plugin


def test_what_was_rendered_is_parsed() -> None:
    images = [image(), image(HEX), image("sha256-" + HEX + ".att", artifact="application/x")]
    found, warnings = parse_index(rendered(*images), "platform.tar", "install")
    assert sorted(found, key=lambda one: one.short_tag) == sorted(images, key=lambda one: one.short_tag)
    assert not warnings


def test_null_is_an_empty_layout() -> None:
    assert parse_index(rendered(), "platform.tar", "") == ([], [])


def test_the_last_row_of_a_tag_wins() -> None:
    found, _warnings = parsed(row(digest=f"sha256:{OTHER}"), row())
    assert [one.digest for one in found] == [f"sha256:{HEX}"]


@pytest.mark.parametrize("annotations", [None, {}, {NAME: "latest"}])
def test_a_row_without_tag_is_left_out_with_a_warning(annotations: Any) -> None:
    found, warnings = parsed(row(annotations=annotations), row())
    assert len(found) == 1
    assert "platform.tar: install/index.json: manifests[0]" in warnings[0]


@pytest.mark.parametrize("name", [f"{SOURCE}:v1", "127.0.0.1:v1", "v1", None, f"{SOURCE}@sha256:v1"])
def test_reference_names_of_d8_agree_with_their_tags(name: Any) -> None:
    annotations = {TAG: "v1"} if name is None else {TAG: "v1", NAME: name}
    assert len(parsed(row(annotations=annotations), mediaType=INDEX)[0]) == 1


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"annotations": {TAG: "v1", NAME: f"{SOURCE}:v2"}}, "disagree"),
        ({"annotations": {TAG: 1, NAME: f"{SOURCE}:1"}}, "disagree"),
        ({"annotations": {"io.deckhouse.image.shorttag": "v1", NAME: f"{SOURCE}:v1"}}, "has lost its"),
        ({"annotations": ["v1"]}, "annotations of sha256"),
        ({"annotations": "v1"}, "annotations of sha256"),
        ({"digest": "sha256:xyz"}, "not a sha256 digest"),
        ({"digest": None}, "not a sha256 digest"),
        ({"size": -1}, "cannot be right"),
        ({"size": True}, "cannot be right"),
        ({"size": "423"}, "cannot be right"),
        ({"mediaType": "text/plain"}, "cannot be right"),
        ({"mediaType": ["x"]}, "cannot be right"),
    ],
)
def test_damaged_rows_are_refused_with_their_place(changes: dict[str, Any], text: str) -> None:
    with pytest.raises(BundleDamaged, match=r"platform.tar: install/index.json: manifests\[1\].*" + text):
        parsed(row(), row(**changes))


@pytest.mark.parametrize(
    "data", [b"", b"{", b"[]", b"{}", b'{"manifests": {}}', b'{"manifests": [1]}', b"[" * 100_000, b"\xff\xfe"]
)
def test_other_files_are_refused(data: bytes) -> None:
    with pytest.raises(BundleDamaged, match="install/index.json"):
        parse_index(data, "platform.tar", "install")
