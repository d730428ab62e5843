# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What `oci_bundle_info` tells: content with and without delivery.json, and all the damage there is."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.dkp.airgap.plugins.module_utils._mirror.inspection import Inspection, inspect
from ansible_collections.dkp.airgap.plugins.module_utils._mirror.memory import HostMemory
from ansible_collections.dkp.airgap.plugins.module_utils._mirror.proofs import is_proven
from ansible_collections.dkp.airgap.plugins.module_utils._oci.errors import InvalidInput, Stopped
from ansible_collections.dkp.airgap.plugins.module_utils._registry.stopping import Stopping
from ansible_collections.dkp.airgap.tests.kit.bundles import TINY, Shape, write_archive, write_bundle
from ansible_collections.dkp.airgap.tests.kit.faulty import FaultyRegistry
from ansible_collections.dkp.airgap.tests.kit.pulling import pull_bundle
from ansible_collections.dkp.airgap.tests.kit.tree import Tree, build

SHAPE = replace(TINY, custom_tags=("pr123",))
LEVELS = ("none", "size", "digest")


@pytest.fixture(scope="module")
def tree() -> Tree:
    return build(SHAPE)


def look(source: Path, verify: str = "digest", state: Path | None = None) -> Inspection:
    return inspect(source, HostMemory(state), Stopping(), verify=verify)


def subjects(found: Inspection) -> set[str]:
    return {finding.subject for finding in found.findings if finding.severity == "error"}


SELECTIONS: list[dict[str, Any]] = [
    {"platform_versions": "=v1.70.0"},
    {"platform_versions": "=v1.69.0+stable", "modules": ["console@=v1.37.0"], "chunk_size": 1_000_000},
    {"release": "pr123", "modules": [], "security_db": False},
    {"platform": False, "modules": ["sdn"], "security_db": False, "installer_tag": None},
]


@pytest.mark.parametrize("selection", SELECTIONS, ids=str)
def test_archives_tell_what_delivery_json_tells(tree: Tree, tmp_path: Path, selection: dict[str, Any]) -> None:
    dest = tmp_path / "bundle"
    with FaultyRegistry(tree) as registry:
        pull_bundle(f"{registry.host}/{SHAPE.edition_root}", dest, **selection)
    described = look(dest)
    (dest / "delivery.json").unlink()
    read = look(dest)
    assert described.ok and read.ok
    assert read.content == described.content
    assert sorted(map(str, read.images)) == sorted(map(str, described.images))


def test_an_index_counts_with_all_its_images(tmp_path: Path) -> None:
    shape = replace(SHAPE, installer_index=True)
    tree = build(shape)
    with FaultyRegistry(tree) as registry:
        pull_bundle(f"{registry.host}/{shape.edition_root}", tmp_path, platform_versions="=v1.70.0", modules=[])
    index = tree.repositories[f"{shape.root}/installer"].tags["latest"]
    layers = sum(blob.size for child in index.children for blob in child.blobs)
    described = next(image for image in look(tmp_path).images if image.repository == "installer")
    assert described.bytes > layers
    (tmp_path / "delivery.json").unlink()
    assert described in look(tmp_path).images


SHAPES = [Shape(), Shape(prefix="./"), Shape(chunk=200_000), Shape(null_when_empty=False)]


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_bundles_of_the_vendors_cli_are_read(tree: Tree, tmp_path: Path, shape: Shape) -> None:
    write_bundle(tree, tmp_path, shape=shape)
    found = look(tmp_path)
    assert found.ok, found.findings
    assert found.content["platform"] == {
        "versions": ["v1.69.0", "v1.70.0"],
        "channels": {"alpha": "v1.70.0", "stable": "v1.69.0", "rock-solid": "v1.69.0"},
        "tags": ["pr123"],
    }
    assert found.content["modules"]["console"] == {
        "versions": ["v1.36.2", "v1.37.0"],
        "channels": {"alpha": "v1.37.0", "stable": "v1.36.2"},
    }
    assert found.content["installer"] == ["latest"] and len(found.content["security_db"]) == 4
    stable = tree.tags("release-channel")["stable"]
    told = {(image.repository, image.tag): image.digest for image in found.images}
    assert told["release-channel", "stable"] == stable and len(told) == len(found.images)


def test_one_archive_is_read_alone(tree: Tree, tmp_path: Path) -> None:
    write_bundle(tree, tmp_path, delivery=True)
    found = look(tmp_path / "module-sdn.tar")
    assert found.ok and [archive.name for archive in found.archives] == ["module-sdn.tar"]
    assert list(found.content["modules"]) == ["sdn"] and found.content["platform"]["versions"] == []


@pytest.mark.parametrize("delivery", [True, False])
@pytest.mark.parametrize("verify", LEVELS)
def test_each_level_finds_what_it_promises(tree: Tree, tmp_path: Path, verify: str, delivery: bool) -> None:
    write_bundle(tree, tmp_path, delivery=delivery)
    _cut(tmp_path / "security.tar")
    _flip(tmp_path / "module-console.tar", tree, "modules/console")
    expected = {"security.tar"} | ({"module-console.tar"} if verify == "digest" else set())
    found = look(tmp_path, verify)
    assert subjects(found) == expected
    assert delivery or found.content["platform"]["channels"], "what is sound is still told"
    assert all(finding.subject in finding.message and finding.hint for finding in found.findings)


def test_a_blob_that_is_not_there_is_named(tree: Tree, tmp_path: Path) -> None:
    image = tree.repository("release-channel").tags["v1.70.0"]
    stripped = replace(image, blobs=image.blobs[:-1])
    write_archive(tmp_path / "platform.tar", {"release-channel": [("v1.70.0", stripped)]})
    found = look(tmp_path, "size")
    assert image.blobs[-1].digest in found.findings[0].message
    assert look(tmp_path, "none").ok


def test_a_missing_archive_and_a_missing_chunk_are_named(tree: Tree, tmp_path: Path) -> None:
    write_bundle(tree, tmp_path, delivery=True)
    (tmp_path / "module-sdn.tar").unlink()
    write_archive(tmp_path / "stray.tar", {"": []})
    found = look(tmp_path, "none")
    assert subjects(found) == {"module-sdn.tar"}
    assert {finding.subject for finding in found.findings if finding.severity == "warning"} == {"stray.tar"}
    chunked = tmp_path / "chunked"
    write_bundle(tree, chunked, shape=Shape(chunk=20_000))
    (chunked / "platform.tar.0001.chunk").unlink()
    found = look(chunked)
    assert subjects(found) == {"platform.tar"} and "0001" in found.findings[0].message


def test_a_tag_that_delivery_json_does_not_name_is_told(tree: Tree, tmp_path: Path) -> None:
    write_bundle(tree, tmp_path, keep={"installer.tar"}, delivery=True)
    document = json.loads((tmp_path / "delivery.json").read_text())
    document["images"] = []
    (tmp_path / "delivery.json").write_text(json.dumps(document))
    assert subjects(look(tmp_path, "size")) == {"installer.tar"} and look(tmp_path, "none").ok


def test_what_is_no_finished_bundle_is_told(tree: Tree, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="no archive"):
        look(tmp_path)
    with pytest.raises(InvalidInput, match="does not exist"):
        look(tmp_path / "nowhere")
    (tmp_path / "pull.journal").write_bytes(b"")
    assert [finding.id for finding in look(tmp_path).findings] == ["unfinished"]
    write_bundle(tree, tmp_path / "b", keep={"platform.tar"})
    (tmp_path / "b/delivery.json").write_text(json.dumps({"kind": "Delivery", "version": 7}))
    found = look(tmp_path / "b")
    assert not found.ok and "version 7" in found.findings[0].message
    assert found.content["platform"]["versions"], "the archives are read all the same"


def test_reading_everything_is_remembered_and_damage_forgets(tree: Tree, tmp_path: Path) -> None:
    bundle, state = tmp_path / "bundle", tmp_path / "state"
    write_bundle(tree, bundle)
    look(bundle, "size", state)
    paths = [[bundle / name] for name in ("platform.tar", "module-console.tar")]
    assert not any(is_proven(HostMemory(state), path) for path in paths)
    _flip(bundle / "module-console.tar", tree, "modules/console")
    look(bundle, "digest", state)
    assert [is_proven(HostMemory(state), path) for path in paths] == [True, False]


def test_reading_stops_when_it_is_told_to(tree: Tree, tmp_path: Path) -> None:
    write_bundle(tree, tmp_path)
    stopping = Stopping()
    stopping.set()
    with pytest.raises(Stopped):
        inspect(tmp_path, HostMemory(None), stopping, verify="digest")


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:3000])


def _flip(path: Path, tree: Tree, repository: str) -> None:
    """Flip a bit in the middle of a layer."""
    images = tree.repository(repository).manifests.values()
    layer = max((image.blobs[-1] for image in images), key=lambda blob: blob.size)
    data = bytearray(path.read_bytes())
    data[data.index(layer.read()) + layer.size // 2] ^= 1
    path.write_bytes(data)
