# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Bundles of every shape that d8 has written, alone and together (d8-mirror.md §5.9, §6.3, §11.2)."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from ansible_collections.dkp.airgap.plugins.module_utils._bundle.errors import BundleDamaged
from ansible_collections.dkp.airgap.plugins.module_utils._oci.errors import InvalidInput
from ansible_collections.dkp.airgap.tests.kit.bundles import TINY, Shape, archives_of, write_archive, write_bundle
from ansible_collections.dkp.airgap.tests.kit.faulty import FaultyRegistry
from ansible_collections.dkp.airgap.tests.kit.pushing import ROOT, push_bundle, tags
from ansible_collections.dkp.airgap.tests.kit.shape import Channel
from ansible_collections.dkp.airgap.tests.kit.tree import build

TREE = build(TINY)
ARCHIVES = archives_of(TREE)


def expected(archive: str) -> dict[str, dict[str, str]]:
    return {path: {tag: image.digest for tag, image in images} for path, images in ARCHIVES[archive].items()}


def assert_holds(registry: FaultyRegistry, *archives: str) -> None:
    for archive in archives:
        for path, wanted in expected(archive).items():
            assert tags(registry, path) == wanted, path


def test_old_databases_lie_at_the_root_of_their_archive(registry: FaultyRegistry, tmp_path: Path) -> None:
    old = {path.partition("/")[2]: images for path, images in ARCHIVES["security.tar"].items()}
    write_archive(tmp_path / "security.tar", old)
    push_bundle(registry.host, tmp_path, state=None)
    assert_holds(registry, "security.tar")
    assert tags(registry, "trivy-db") == {}


@pytest.mark.parametrize("prefix", ["", "./"])
def test_old_modules_lie_at_the_root_of_their_archive(registry: FaultyRegistry, tmp_path: Path, prefix: str) -> None:
    layouts = ARCHIVES["module-console.tar"]
    old = {path[len("modules/console") :].lstrip("/"): images for path, images in layouts.items()}
    assert set(old) == {"", "release", "extra/scanner"}
    write_archive(tmp_path / "module-console.tar", old, shape=Shape(prefix=prefix))
    push_bundle(registry.host, tmp_path, state=None)
    assert_holds(registry, "module-console.tar")
    assert tags(registry, "") == {} and set(tags(registry, "modules")) == {"console"}


def test_a_layout_in_two_shapes_is_refused(registry: FaultyRegistry, tmp_path: Path) -> None:
    layouts = ARCHIVES["module-console.tar"]
    write_archive(tmp_path / "module-console.tar", {**layouts, "release": layouts["modules/console/release"]})
    with pytest.raises(BundleDamaged, match="module-console.tar: holds the layout modules/console/release twice"):
        push_bundle(registry.host, tmp_path, state=None)
    assert registry.count() == 0


@pytest.mark.parametrize("shape", [Shape(prefix="./"), Shape(chunk=5000), Shape(prefix="./", chunk=100_000)])
def test_archives_with_prefixes_and_in_chunks(registry: FaultyRegistry, tmp_path: Path, shape: Shape) -> None:
    write_bundle(TREE, tmp_path, shape=shape)
    push_bundle(registry.host, tmp_path, state=None)
    assert_holds(registry, *ARCHIVES)


@pytest.mark.parametrize("null", [True, False])
def test_empty_layouts_leave_no_trace(registry: FaultyRegistry, tmp_path: Path, null: bool) -> None:
    layouts = {**ARCHIVES["module-sdn.tar"], "modules/empty": [], "modules/sdn/extra/none": []}
    write_archive(tmp_path / "module-sdn.tar", layouts, shape=Shape(null_when_empty=null))
    push_bundle(registry.host, tmp_path, state=None)
    assert_holds(registry, "module-sdn.tar")
    assert set(tags(registry, "modules")) == {"sdn"}, "a module without images is not shown"
    assert not registry.requests(path="empty|none")


def test_the_last_of_several_descriptors_with_one_tag_wins(registry: FaultyRegistry, tmp_path: Path) -> None:
    layouts = dict(ARCHIVES["platform.tar"])
    release = layouts["release-channel"]
    alias = ("stable", dict(release)["v1.70.0"])
    layouts["release-channel"] = [*release, alias]
    write_archive(tmp_path / "platform.tar", layouts)
    push_bundle(registry.host, tmp_path, state=None)
    assert tags(registry, "release-channel")["stable"] == expected("platform.tar")["release-channel"]["v1.70.0"]


def test_several_sources_are_joined(registry: FaultyRegistry, tmp_path: Path) -> None:
    write_bundle(TREE, tmp_path / "a", keep=("platform.tar", "module-sdn.tar"), delivery=True)
    write_bundle(TREE, tmp_path / "b", keep=("security.tar", "module-console.tar", "installer.tar"))
    sources = (tmp_path / "a", tmp_path / "b" / "module-console.tar", tmp_path / "b", tmp_path / "a" / "platform.tar")
    push_bundle(registry.host, *sources, state=None)
    assert_holds(registry, *ARCHIVES)


def test_a_later_bundle_brings_its_own_channels(registry: FaultyRegistry, tmp_path: Path) -> None:
    """Each has a delivery.json that names `stable`: they differ, and both are right."""
    newer = replace(TINY, versions=(*TINY.versions, "v1.71.0"), channels=(Channel("stable", "v1.71.0"),))
    write_bundle(TREE, tmp_path / "a", keep=("platform.tar",), delivery=True)
    write_bundle(build(newer), tmp_path / "b", keep=("platform.tar",), delivery=True)
    result = push_bundle(registry.host, tmp_path / "a", tmp_path / "b", state=tmp_path / "state")
    assert not result.findings
    assert tags(registry, "release-channel")["stable"] == build(newer).tags("release-channel")["v1.71.0"]
    assert tags(registry, "release-channel")["alpha"] == TREE.tags("release-channel")["v1.70.0"]
    assert set(tags(registry, "")) >= {"v1.69.0", "v1.70.0", "v1.71.0"}


def test_layouts_may_be_spread_over_archives(registry: FaultyRegistry, tmp_path: Path) -> None:
    layouts = ARCHIVES["platform.tar"]
    for name, odd in (("platform-1.tar", 0), ("platform-2.tar", 1)):
        write_archive(tmp_path / name, {path: images[odd::2] for path, images in layouts.items()})
    push_bundle(registry.host, tmp_path, state=None)
    assert_holds(registry, "platform.tar")


def test_channels_of_install_images_come_with_their_release(registry: FaultyRegistry, tmp_path: Path) -> None:
    """The old engine tagged root, install and install-standalone with channels, too."""
    layouts = dict(ARCHIVES["platform.tar"])
    layouts[""] = [*layouts[""], ("stable", dict(layouts[""])["v1.69.0"])]
    write_archive(tmp_path / "platform.tar", layouts)
    push_bundle(registry.host, tmp_path, state=None)
    order = [one.target.partition(f"{ROOT}/")[2] for one in registry.requests("PUT", "/manifests/stable")]
    assert order == [f"{path}manifests/stable" for path in ("", "install/", "install-standalone/", "release-channel/")]


def test_what_is_unknown_is_carried_as_it_is(registry: FaultyRegistry, tmp_path: Path) -> None:
    image = TREE.repository().tags["v1.69.0"]
    layouts = {
        "deckhouse-cli/plugins/login": [("v1.0.0", image)],
        "packages/store": [("v2.0.0", image)],
        "packages/store/version": [("v2.0.0", image)],
        "some/thing/new": [("v3", image)],
    }
    write_archive(tmp_path / "whatever.tar", layouts)
    result = push_bundle(registry.host, tmp_path, state=None)
    assert {path: set(tags(registry, path)) for path in layouts} == {
        path: {tag for tag, _unused in images} for path, images in layouts.items()
    }
    assert set(tags(registry, "packages")) == {"store"} and set(tags(registry, "deckhouse-cli/plugins")) == {"login"}
    assert result.mounted.blobs, "one upload for all repositories"


@pytest.mark.parametrize("name,match", [("gone", "does not exist"), ("notes.txt", "no archive"), ("", "no archive")])
def test_what_is_no_bundle_is_said_so(registry: FaultyRegistry, tmp_path: Path, name: str, match: str) -> None:
    (tmp_path / "notes.txt").write_text("")
    with pytest.raises(InvalidInput, match=match):
        push_bundle(registry.host, tmp_path / name, state=None)
    assert not registry.exchanges
