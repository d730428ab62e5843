# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later


"""Pulls by plan: exactly its content, with the images that were seen when it was made."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.dkp.airgap.plugins.module_utils._bundle.directory import archives_in
from ansible_collections.dkp.airgap.plugins.module_utils._bundle.index import scan
from ansible_collections.dkp.airgap.plugins.module_utils._dkp.plan.document import PlanRefused
from ansible_collections.dkp.airgap.plugins.module_utils._dkp.selection import SelectionError
from ansible_collections.dkp.airgap.plugins.module_utils._oci.errors import AirgapError, InvalidInput
from ansible_collections.dkp.airgap.tests.kit import plans, release_files
from ansible_collections.dkp.airgap.tests.kit.content import layer_of
from ansible_collections.dkp.airgap.tests.kit.faults import Status
from ansible_collections.dkp.airgap.tests.kit.faulty import FaultyRegistry
from ansible_collections.dkp.airgap.tests.kit.images import Image, image_of
from ansible_collections.dkp.airgap.tests.kit.plans import content, finding, pins, plan
from ansible_collections.dkp.airgap.tests.kit.pulling import files_of, held, pull_bundle, pull_planned
from ansible_collections.dkp.airgap.tests.kit.shape import SMALL, Channel
from ansible_collections.dkp.airgap.tests.kit.tree import Tree, build

ROOT = SMALL.edition_root
RELEASES = f"{ROOT}/release-channel"
EVERYTHING = {"security_db": plans.SECURITY, "installer": ["latest"]}


@pytest.fixture(scope="module")
def tree() -> Tree:
    return build(SMALL)


@pytest.fixture
def source(tree: Tree) -> Iterator[FaultyRegistry]:
    with FaultyRegistry(tree) as running:
        yield running


def address(source: FaultyRegistry) -> str:
    return f"{source.host}/{ROOT}"


def pinned(tree: Tree, **more: Any) -> dict[str, Any]:
    carried = content(**more)
    return plan({**carried, "pins": pins(tree, carried)})


def release_image(version: str, *, suspended: bool = False, note: str = "") -> Image:
    files = {"version.json": release_files.platform_version_json(version, suspended=suspended), "note": note.encode()}
    return image_of([layer_of(files)])


def put(source: FaultyRegistry, tag: str, image: Image, repository: str = RELEASES) -> None:
    source.store.add_image(repository, image, tag)


def test_the_bundle_holds_the_content_of_the_plan_and_nothing_else(
    source: FaultyRegistry, tree: Tree, tmp_path: Path
) -> None:
    document = pinned(tree, **EVERYTHING)
    result = pull_planned(address(source), tmp_path / "dest", document)
    found = held(tmp_path / "dest")
    assert result.changed and not result.findings
    assert result.content == found.delivery.content == document["content"]
    assert found.delivery.plan == document
    assert {tag for tag in found.tags[""] if tag.startswith("v")} == set(plans.VERSIONS)
    assert set(found.tags["release-channel"]) == {*plans.VERSIONS, "stable"}
    assert set(found.tags["modules/console/release"]) == {"v1.35.4", "v1.36.2", "stable"}
    assert found.tags["installer"].keys() == {"latest"}
    assert {name for name in found.tags if name.startswith("security/")} == {f"security/{x}" for x in plans.SECURITY}
    assert not [name for name in found.tags if name.startswith(("modules/sdn", "modules/operator"))]
    for layout in ("", "install", "install-standalone", "release-channel"):
        for version in plans.VERSIONS:
            assert found.tags[layout][version] == tree.tags(layout)[version]


def test_a_second_pull_changes_nothing_and_check_mode_tells_the_same(
    source: FaultyRegistry, tree: Tree, tmp_path: Path
) -> None:
    document, dest = pinned(tree, **EVERYTHING), tmp_path / "dest"
    expected = pull_planned(address(source), dest, document, check_mode=True)
    assert not dest.exists()
    real = pull_planned(address(source), dest, document)
    again = pull_planned(address(source), dest, document)
    predicted = pull_planned(address(source), dest, document, check_mode=True)
    assert expected.changed and real.changed and not again.changed and not predicted.changed
    assert expected.sizes == real.sizes == again.sizes
    rows = [(one.name, one.bytes, one.images, one.blobs) for one in real.archives]
    assert [(one.name, one.bytes, one.images, one.blobs) for one in expected.archives] == rows
    assert not again.blobs_transferred


def test_another_plan_is_a_change_even_with_the_same_content(
    source: FaultyRegistry, tree: Tree, tmp_path: Path
) -> None:
    document, dest = pinned(tree), tmp_path / "dest"
    pull_planned(address(source), dest, document)
    other = {**document, "clusters": {}}
    assert pull_planned(address(source), dest, other, check_mode=True).changed
    result = pull_planned(address(source), dest, other)
    assert result.changed and not result.blobs_transferred
    assert held(dest).delivery.plan == other


def test_a_plan_gives_the_archives_that_selectors_give(source: FaultyRegistry, tree: Tree, tmp_path: Path) -> None:
    by_selectors = pull_bundle(address(source), tmp_path / "dest")
    before = files_of(tmp_path / "dest")
    asked = len(source.requests(path="/blobs/"))
    result = pull_planned(address(source), tmp_path / "dest", plan(by_selectors.content))
    after = files_of(tmp_path / "dest")
    assert result.changed and len(source.requests(path="/blobs/")) == asked
    assert before.pop("delivery.json") != after.pop("delivery.json")
    assert before == after


def test_a_plan_brings_an_earlier_bundle_up_to_date(source: FaultyRegistry, tree: Tree, tmp_path: Path) -> None:
    pull_bundle(address(source), tmp_path / "dest", platform_versions="=v1.69.0", modules=["console"])
    asked = len(source.requests(path="/blobs/"))
    pull_planned(address(source), tmp_path / "dest", pinned(tree))
    fetched = {one.target.rpartition("/")[2] for one in source.requests(path="/blobs/")[asked:]}
    pull_planned(address(source), tmp_path / "fresh", pinned(tree))
    assert files_of(tmp_path / "dest") == files_of(tmp_path / "fresh")
    known = {blob.digest for blob in tree.repository().tags["v1.69.0"].blobs}
    assert fetched and not fetched & known


@pytest.mark.parametrize("how", ["moved", "moved back", "suspended", "gone", "broken"])
def test_a_channel_that_moved_is_told_and_points_where_the_plan_says(
    source: FaultyRegistry, tree: Tree, tmp_path: Path, how: str
) -> None:
    document = pinned(tree)
    version = tree.tags("release-channel")["v1.69.0"]
    if how == "gone":
        del source.store.repository(RELEASES).tags["stable"]
    else:
        image = {
            "moved": release_image("v1.70.0"),
            "moved back": release_image("v1.68.0"),
            "suspended": release_image("v1.69.0", suspended=True),
            "broken": image_of([layer_of({"nothing": b""})]),
        }[how]
        put(source, "stable", image)
    result = pull_planned(address(source), tmp_path / "dest", document)
    (found,) = result.findings
    assert (found.id, found.subject) == ("channel_moved", "release-channel:stable")
    assert found.severity == ("warning" if how == "suspended" else "info")
    assert "v1.69.0" in found.message and version in found.message
    assert {"moved": "v1.70.0", "moved back": "v1.68.0", "suspended": "suspended", "gone": "does not exist",
            "broken": "no release"}[how] in found.message  # fmt: skip
    assert held(tmp_path / "dest").tags["release-channel"]["stable"] == version
    assert not pull_planned(address(source), tmp_path / "dest", document).changed


def test_a_version_tag_that_moved_is_taken_as_it_was_seen(source: FaultyRegistry, tree: Tree, tmp_path: Path) -> None:
    put(source, "v1.68.4", release_image("v1.68.4", note="pushed again"))
    result = pull_planned(address(source), tmp_path / "dest", pinned(tree))
    tags = held(tmp_path / "dest").tags["release-channel"]
    assert tags["v1.68.4"] == tree.tags("release-channel")["v1.68.4"] and not result.findings


def test_what_the_plan_has_seen_and_is_gone_is_named_with_all_that_is_missing(
    source: FaultyRegistry, tree: Tree, tmp_path: Path
) -> None:
    document = pinned(tree, security_db={"trivy-db": ["3"]}, installer=["v9"])
    releases = source.store.repository(RELEASES)
    digest = releases.tags.pop("v1.68.4")
    del releases.manifests[digest]
    del source.store.repository(f"{ROOT}/install").tags["v1.69.0"]
    with pytest.raises(SelectionError) as caught:
        pull_planned(address(source), tmp_path / "dest", document)
    for name in (
        f"{RELEASES}@{digest}",
        "release-channel:v1.68.4",
        f"{ROOT}/install:v1.69.0",
        f"{ROOT}/security/trivy-db:3",
        "deckhouse/installer:v9",
        "make the plan anew",
    ):
        assert name in str(caught.value), name
    assert not (tmp_path / "dest").exists()


@pytest.mark.parametrize("with_pin", [True, False], ids=["pinned", "not pinned"])
@pytest.mark.parametrize(
    ("image", "own"),
    [
        (release_image("v1.69.0", note="of its own"), True),
        (release_image("v1.69.0", suspended=True), False),
        (release_image("v1.70.0"), False),
    ],
    ids=["an image of its own", "suspended", "of another version"],
)
def test_which_image_a_pointer_is(
    source: FaultyRegistry, tree: Tree, tmp_path: Path, image: Image, own: bool, with_pin: bool
) -> None:
    put(source, "stable", image)
    document = pinned(tree)
    rows = [row for row in document["content"]["pins"] if row["tag"] != "stable"]
    seen = {"repository": "release-channel", "tag": "stable", "digest": image.digest}
    document["content"]["pins"] = [*rows, seen] if with_pin else rows
    result = pull_planned(address(source), tmp_path / "dest", document)
    expected = image.digest if own else tree.tags("release-channel")["v1.69.0"]
    assert held(tmp_path / "dest").tags["release-channel"]["stable"] == expected
    assert not result.findings


def test_a_channel_that_the_source_has_not_is_made(source: FaultyRegistry, tmp_path: Path, tree: Tree) -> None:
    pull_planned(address(source), tmp_path / "dest", plan(content(channels={"lts": "v1.68.4"}, modules={})))
    assert held(tmp_path / "dest").tags["release-channel"]["lts"] == tree.tags("release-channel")["v1.68.4"]


@pytest.mark.parametrize("path", ["modules", "other/mods", ""])
def test_modules_elsewhere_are_pinned_by_their_layout(tmp_path: Path, path: str) -> None:
    tree = build(replace(SMALL, modules_path=path))
    releases = f"{path}/console/release".lstrip("/")
    rows = [
        {"repository": "modules/console/release", "tag": tag, "digest": tree.tags(releases)[tag]}
        for tag in ("v1.35.4", "v1.36.2", "stable")
    ]
    document = plan(content(versions=(), channels={}, pins=rows))
    with FaultyRegistry(tree) as source:
        put(source, "v1.35.4", release_image("v1.35.4", note="pushed again"), f"{ROOT}/{releases}")
        pull_planned(address(source), tmp_path / "dest", document, modules_path=path)
    found = held(tmp_path / "dest").tags
    assert found["modules/console/release"] == {row["tag"]: row["digest"] for row in rows}


def test_custom_tags_are_carried(tmp_path: Path) -> None:
    tree = build(replace(SMALL, custom_tags=("pr123",)))
    platform = {"versions": [], "channels": {}, "tags": ["pr123"]}
    with FaultyRegistry(tree) as source:
        result = pull_planned(address(source), tmp_path / "dest", plan({"platform": platform}))
    found = held(tmp_path / "dest")
    assert found.tags["install"].keys() == {"pr123"} and result.content["platform"] == platform
    assert set(result.sizes["platform"]) == {"pr123"}


def test_empty_content_leaves_the_directory_alone(source: FaultyRegistry, tree: Tree, tmp_path: Path) -> None:
    dest = tmp_path / "dest"
    pull_planned(address(source), dest, pinned(tree))
    before, asked = files_of(dest), source.count()
    result = pull_planned(address(source), dest, plan(content(versions=(), channels={}, modules={})))
    assert not result.changed and not result.archives and files_of(dest) == before
    assert source.count() == asked
    assert result.sizes == {"platform": {}, "modules": {}, "security_db": {}, "installer": 0}


@pytest.mark.parametrize(
    ("document", "texts"),
    [
        (plan(content(packages={"some": {}})), ("content.packages", "some")),
        (plan(content(plugins={"system": {}})), ("content.plugins", "system")),
        (plan(content(), source={"images_repo": "registry.example/deckhouse/ce", "edition": "CE"}), ("CE", "EE")),
        (plan(content(), ok=False, findings=[finding("F1")]), ("F1", "v1.69", "says no")),
    ],
    ids=["packages", "plugins", "edition", "errors"],
)
def test_what_cannot_be_carried_out_is_refused_before_any_request(
    source: FaultyRegistry, tmp_path: Path, document: dict[str, Any], texts: tuple[str, ...]
) -> None:
    with pytest.raises(InvalidInput) as caught:
        pull_planned(address(source), tmp_path / "dest", document)
    assert all(text in str(caught.value) for text in texts), caught.value
    assert not source.count() and not (tmp_path / "dest").exists()


def test_accepted_findings_come_back(source: FaultyRegistry, tree: Tree, tmp_path: Path) -> None:
    errors = [finding("P3"), finding("M1", subject="console")]
    document = {**pinned(tree), "ok": False, "clusters": {"prod": {"findings": [*errors, finding("P9", "warning")]}}}
    with pytest.raises(PlanRefused, match="M1 console .cluster prod.: M1 says no to console"):
        pull_planned(address(source), tmp_path / "dest", document, accepted=["P3", "P99"])
    result = pull_planned(address(source), tmp_path / "dest", document, accepted=["P3", "M1"])
    assert [found.as_dict() for found in result.findings] == errors


def test_another_registry_than_the_plans_is_told(source: FaultyRegistry, tree: Tree, tmp_path: Path) -> None:
    there = {"images_repo": "registry.example/dkp/ee", "edition": "EE"}
    result = pull_planned(address(source), tmp_path / "dest", {**pinned(tree), "source": there}, check_mode=True)
    assert [(found.id, found.severity) for found in result.findings] == [("other_source", "warning")]
    here = {"images_repo": address(source), "edition": "EE"}
    result = pull_planned(address(source), tmp_path / "dest", {**pinned(tree), "source": here}, check_mode=True)
    assert not result.findings


def test_an_installer_below_the_root_is_found_where_the_one_beside_is_refused(tmp_path: Path, tree: Tree) -> None:
    with FaultyRegistry(tree) as source:
        put(source, "v1", release_image("v1.0.0"), f"{ROOT}/installer")
        source.fail(Status(403, code="DENIED"), path=r"deckhouse/installer/", times=None)
        document = plan(content(versions=(), channels={}, modules={}, installer=["v1"]))
        pull_planned(address(source), tmp_path / "dest", document)
        assert held(tmp_path / "dest").tags["installer"].keys() == {"v1"}
        document = plan(content(versions=(), channels={}, modules={}, installer=["v2"]))
        with pytest.raises(AirgapError, match="deckhouse/installer"):
            pull_planned(address(source), tmp_path / "dest", document)


def distinct_bytes(dest: Path) -> dict[str, int]:
    """Bytes of the blobs of each archive, each counted once."""
    sizes = {}
    for files in archives_in(dest):
        archive = scan(files.name, files.open())
        blobs = {
            key: (layout.blobs.get(key) or (0, 0))[1] for layout in archive.layouts.values() for key in layout.blobs
        }
        sizes[files.name] = sum(blobs.values())
        archive.space.close()
    return sizes


def test_sizes_say_what_each_version_adds(source: FaultyRegistry, tree: Tree, tmp_path: Path) -> None:
    versions, console = ["v1.68.0", "v1.68.4", "v1.69.0"], tree.shape.modules[0].versions
    trivy = tree.shape.modules[1].versions  # with extra images
    whole = 0
    for number in range(1, len(versions) + 1):
        modules = {
            "console": {"versions": list(console[:number]), "channels": {}},
            "operator-trivy": {"versions": list(trivy[:number]), "channels": {}},
        }
        carried = content(versions=versions[:number], channels={}, modules=modules, **EVERYTHING)
        dest = tmp_path / str(number)
        result = pull_planned(address(source), dest, plan(carried))
        found = distinct_bytes(dest)
        assert list(result.sizes["platform"]) == versions[:number]
        assert sum(result.sizes["platform"].values()) == found["platform.tar"]
        assert result.sizes["platform"][versions[number - 1]] == found["platform.tar"] - whole
        whole = found["platform.tar"]
        for name in modules:
            assert list(result.sizes["modules"][name]) == modules[name]["versions"]
            assert sum(result.sizes["modules"][name].values()) == found[f"module-{name}.tar"]
        assert set(result.sizes["security_db"]) == set(plans.SECURITY)
        assert sum(result.sizes["security_db"].values()) == found["security.tar"]
        assert result.sizes["installer"] == found["installer.tar"]


def test_pointers_count_for_the_version_they_point_at(tmp_path: Path) -> None:
    tree = build(replace(SMALL, channels=(Channel("stable", "v1.69.0"),)))
    with FaultyRegistry(tree) as source:
        without = pull_planned(address(source), tmp_path / "without", plan(content(channels={})))
        put(source, "stable", release_image("v1.69.0", note="of its own"))
        result = pull_planned(address(source), tmp_path / "dest", plan(content()))
    assert result.sizes["platform"]["v1.68.4"] == without.sizes["platform"]["v1.68.4"]
    assert result.sizes["platform"]["v1.69.0"] > without.sizes["platform"]["v1.69.0"]


def test_check_mode_asks_for_every_manifest_once(source: FaultyRegistry, tree: Tree, tmp_path: Path) -> None:
    document = pinned(tree, **EVERYTHING)
    result = pull_planned(address(source), tmp_path / "dest", document, check_mode=True)
    asked = [one.target for one in source.requests(path="/manifests/")]
    assert len(asked) == len(set(asked))
    metadata = [target for target in asked if "/release-channel/" in target]
    assert len(metadata) == len(plans.VERSIONS), "the version that stable points at came with the channel"
    images = sum(one.images for one in result.archives)
    attested = len([target for target in asked if target.endswith(".att")])
    assert len(asked) <= images + attested
    lists = [one.target for one in source.requests(path="/tags/list")]
    assert sorted(lists) == sorted({f"/v2/{ROOT}/tags/list", f"/v2/{ROOT}/modules/console/tags/list"}), lists


def test_the_document_in_the_bundle_is_the_plan_byte_for_byte_however_it_came(
    source: FaultyRegistry, tree: Tree, tmp_path: Path
) -> None:
    class Text(str):
        """As Ansible marks texts of templates."""

    document = pinned(tree)
    marked = json.loads(json.dumps(document), object_pairs_hook=lambda rows: {Text(key): item for key, item in rows})
    marked["clusters"] = {Text(name): each for name, each in reversed(list(marked["clusters"].items()))}
    pull_planned(address(source), tmp_path / "one", document)
    pull_planned(address(source), tmp_path / "two", dict(reversed(list(marked.items()))))
    assert files_of(tmp_path / "one") == files_of(tmp_path / "two")
