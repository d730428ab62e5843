# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later


from __future__ import annotations

import gzip
import io
import json
import tarfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from ansible_collections.dkp.airgap.plugins.module_utils._oci import manifest as manifests
from ansible_collections.dkp.airgap.plugins.module_utils._oci.reference import is_repository_path, is_tag
from ansible_collections.dkp.airgap.tests.kit.images import Image
from ansible_collections.dkp.airgap.tests.kit.shape import DEMO, SMALL, Channel, TreeShape
from ansible_collections.dkp.airgap.tests.kit.storage import stored, stored_under
from ansible_collections.dkp.airgap.tests.kit.tree import Tree, build


@pytest.fixture(scope="module")
def tree() -> Tree:
    return build(SMALL)


def file_of(image: Image, name: str) -> bytes:
    for blob in reversed(image.blobs[1:]):
        with tarfile.open(fileobj=io.BytesIO(gzip.decompress(blob.read()))) as archive:
            if name in archive.getnames():
                member = archive.extractfile(name)
                assert member is not None
                return member.read()
    raise AssertionError(f"{name} is in no layer")


def test_small_is_small(tree: Tree) -> None:
    summary = build(SMALL).summary()
    assert summary == tree.summary()
    assert summary["bytes"] < 3_000_000


def test_what_is_named_is_there_and_parses(tree: Tree) -> None:
    for path, image in tree.manifests():
        assert is_repository_path(path)
        parsed = manifests.parse(image.raw, content_type=image.media_type)
        assert parsed.digest == image.digest
        assert {one.digest: one.size for one in parsed.blobs()} == {blob.digest: blob.size for blob in image.blobs}
    for repository in tree.repositories.values():
        assert all(is_tag(tag) for tag in repository.tags)
        assert {image.digest for image in repository.tags.values()} <= set(repository.manifests)


def test_channels_lead_to_releases_whose_components_are_there(tree: Tree) -> None:
    releases = tree.repository("release-channel")
    for channel in SMALL.channels:
        document = json.loads(file_of(releases.tags[channel.name], "version.json"))
        assert document["version"] == channel.version
        listed = file_of(tree.repository("install").tags[channel.version], "deckhouse/candi/images_digests.json")
        assert json.loads(listed) == tree.releases[channel.version]
        assert tree.component_digests(channel.version) <= set(tree.repository().manifests)
        assert {channel.version} <= set(tree.tags())
        assert tree.tags("install")[channel.name] == tree.tags("install")[channel.version]


def test_modules_name_their_runtime_and_extra_images(tree: Tree) -> None:
    module = tree.repository("modules/operator-trivy")
    newest = module.tags["v1.0.3"]
    runtime = json.loads(file_of(newest, "images_digests.json"))
    assert runtime == tree.modules["operator-trivy"].runtime["v1.0.3"]
    assert set(runtime.values()) <= set(module.manifests)
    extra = json.loads(file_of(newest, "extra_images.json"))
    assert extra == {"trivy-scanner": "0.58", "report-db": "v2"}
    for name, tag in extra.items():
        assert tag in tree.tags(f"modules/operator-trivy/extra/{name}")
    assert set(tree.tags("modules")) == {"console", "operator-trivy", "sdn"}
    assert "v1.0.3.att" in module.tags


@pytest.mark.parametrize("version", SMALL.versions)
def test_a_release_shares_most_components_with_the_one_before(tree: Tree, version: str) -> None:
    position = SMALL.versions.index(version)
    if position:
        before = tree.component_digests(SMALL.versions[position - 1])
        assert len(tree.component_digests(version) - before) == 1


def test_some_components_have_attestations(tree: Tree) -> None:
    components = {digest for version in SMALL.versions for digest in tree.component_digests(version)}
    attested = {tag[: -len(".att")].replace("-", ":", 1) for tag in tree.tags() if tag.endswith(".att")}
    assert attested
    assert attested < components


def test_a_source_that_moves_on_keeps_what_it_had(tree: Tree) -> None:
    channels = (Channel("alpha", "v1.73.0"), *SMALL.channels[1:])
    moved = build(replace(SMALL, channels=channels, versions=(*SMALL.versions, "v1.73.0")))
    assert moved.releases["v1.72.10"] == tree.releases["v1.72.10"]
    assert moved.tags("release-channel")["stable"] == tree.tags("release-channel")["stable"]
    assert moved.tags("release-channel")["alpha"] != tree.tags("release-channel")["alpha"]


VARIANTS = {
    "suspended": replace(SMALL, channels=(*SMALL.channels[:3], Channel("stable", "v1.69.0", suspended=True))),
    "custom tag": replace(SMALL, custom_tags=("pr123",)),
    "bare root": replace(SMALL, edition=""),
    "modules at the root": replace(SMALL, modules_path=""),
    "component tags": replace(SMALL, component_tags=True),
    "index": replace(SMALL, installer_index=True),
    "missing": replace(
        SMALL, missing=frozenset({"release-channel:stable", ":v1.70.0", "modules/console/release:beta"})
    ),
    "no components": replace(SMALL, components=0, vex_share=0, changed_share=0),
}


@pytest.mark.parametrize("name", VARIANTS)
def test_variants(name: str, tree: Tree) -> None:
    built = build(VARIANTS[name])
    expectations: dict[str, Callable[[], object]] = {
        "suspended": lambda: (
            json.loads(file_of(built.repository("release-channel").tags["stable"], "version.json"))["suspend"]
            and built.tags("release-channel")["stable"] != built.tags("release-channel")["v1.69.0"]
        ),
        "custom tag": lambda: "pr123" in built.tags("install") and "pr123" not in built.tags("release-channel"),
        "bare root": lambda: (
            "deckhouse/release-channel" in built.repositories and "deckhouse/installer" in built.repositories
        ),
        "modules at the root": lambda: "console" in built.tags() and "v1.37.0" in built.tags("console"),
        "component tags": lambda: len(built.component_digests("v1.70.0")) == 6,
        "index": lambda: len(built.repositories["deckhouse/installer"].tags["latest"].children) == 2,
        "missing": lambda: "stable" not in built.tags("release-channel") and "v1.70.0" in built.tags("install"),
        "no components": lambda: built.component_digests("v1.70.0") == frozenset(),
    }
    assert expectations[name]()


def test_a_stored_tree_is_kept_while_its_shape_stays(tmp_path: Path) -> None:
    stored(SMALL, tmp_path / "tree")
    link = (
        tmp_path
        / "tree/docker/registry/v2/repositories/deckhouse/ee/release-channel/_manifests/tags/stable/current/link"
    )
    first = link.stat().st_mtime_ns
    stored(SMALL, tmp_path / "tree")
    assert link.stat().st_mtime_ns == first
    stored(replace(SMALL, seed="other"), tmp_path / "tree")
    assert link.stat().st_mtime_ns != first
    assert stored_under(SMALL, tmp_path)[1] != stored_under(replace(SMALL, seed="other"), tmp_path)[1]


def test_presets_hold_what_they_promise() -> None:
    demo = build(DEMO).summary()
    assert 60e6 < demo["bytes"] < 100e6
    assert {"v1.68.11", "v1.68.13", "v1.69.7", "v1.70.17"} <= set(DEMO.versions)
    tenfold: TreeShape = SMALL.scaled(10)
    assert len(build(tenfold).component_digests("v1.70.0")) == 10 * SMALL.components
