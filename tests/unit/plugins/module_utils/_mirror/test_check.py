# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every number of the check list (dkp-cluster.md §5.5): without fault nothing is said, and each fault says its own."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.dkp.airgap.plugins.module_utils._mirror.check import Checked
from ansible_collections.dkp.airgap.plugins.module_utils._mirror.check_options import parse_subject
from ansible_collections.dkp.airgap.plugins.module_utils._oci.errors import InvalidInput
from ansible_collections.dkp.airgap.plugins.module_utils._registry.errors import AccessDenied, TransportFailure
from ansible_collections.dkp.airgap.tests.kit.behaviour import Basic
from ansible_collections.dkp.airgap.tests.kit.bundles import write_bundle
from ansible_collections.dkp.airgap.tests.kit.checking import (
    CONTENT,
    SHAPE,
    TREE,
    Mirror,
    mirror,
    release_image,
    with_module,
)
from ansible_collections.dkp.airgap.tests.kit.content import layer_of
from ansible_collections.dkp.airgap.tests.kit.faults import Status
from ansible_collections.dkp.airgap.tests.kit.images import image_of
from ansible_collections.dkp.airgap.tests.kit.shape import Channel
from ansible_collections.dkp.airgap.tests.kit.tree import build


def own(version: str) -> str:
    """A component that no other release has."""
    others = [TREE.component_digests(other) for other in SHAPE.versions if other != version]
    return min(TREE.component_digests(version).difference(*others))


COMPONENT, RUNNING = own("v1.69.0"), own("v1.68.0")
RUNTIME = sorted(set(TREE.modules["console"].runtime["v1.37.0"].values()))[0]
Told = tuple[str, str, str]


@pytest.fixture
def target() -> Iterator[Mirror]:
    with mirror() as running:
        yield running


def told(checked: Checked, *severities: str) -> set[Told]:
    """Id, severity and subject; of errors and warnings unless `severities` say otherwise."""
    wanted = severities or ("error", "warning")
    return {(each.id, each.severity, each.subject) for each in checked.findings if each.severity in wanted}


def text(checked: Checked, identity: str) -> str:
    found = [each for each in checked.findings if each.id == identity]
    assert found, f"{identity} is not among {[each.id for each in checked.findings]}"
    return " ".join(f"{each.message} {each.hint}" for each in found)


@pytest.mark.parametrize("stage", ["content", "published"])
@pytest.mark.parametrize("blobs", [False, True])
def test_a_registry_without_fault_is_told_to_be_complete(target: Mirror, stage: str, blobs: bool) -> None:
    checked = target.check(clusters=[target.facts()], stage=stage, blobs=blobs)
    assert not told(checked)
    assert told(checked, "unknown") == {("R5", "unknown", target.address), ("R6", "unknown", target.address)}
    assert checked.manifests and bool(checked.blobs) == blobs


Damage = Callable[[Mirror], Any]
# What was done to the registry, what it has to be called (none of them at stage content: those about pointers)
POINTERS: list[tuple[str, Damage, set[Told]]] = [
    ("no channel", lambda it: it.untag("release-channel", "stable"), {("P1", "error", "stable")}),
    ("channel behind", lambda it: it.point("release-channel", "stable", "v1.69.0"), {("P1", "error", "stable")}),
    (
        "channel suspended",
        lambda it: it.put("release-channel", release_image("v1.70.0", suspend=True), "stable"),
        {("P1", "error", "stable")},
    ),
    (
        "channel of nothing",
        lambda it: it.put("release-channel", image_of([layer_of({"x": b"x"})]), "stable"),
        {("P1", "error", "stable")},
    ),
    ("not in the catalogue", lambda it: it.untag("modules", "console"), {("M1", "error", "console")}),
    (
        "no channel of a module",
        lambda it: it.untag("modules/console/release", "stable"),
        {("M2", "error", "console stable")},
    ),
    (
        "channel of a module behind",
        lambda it: it.point("modules/console/release", "stable", "v1.36.2"),
        {("M2", "error", "console stable")},
    ),
    ("no database", lambda it: it.delete("security/trivy-bdu", "1"), {("S1", "error", "trivy-bdu:1")}),
]
# Those that are told at either stage
CONTENTS: list[tuple[str, Damage, set[Told]]] = [
    (
        "target without metadata",
        lambda it: it.untag("release-channel", "v1.70.0"),
        {("P2", "error", "v1.70.0"), ("P3", "error", "v1.70")},
    ),
    (
        "step without metadata",
        lambda it: it.untag("release-channel", "v1.69.0"),
        {("P3", "error", "v1.69"), ("P6", "error", "v1.69.0")},
    ),
    (
        "step that says another version",
        lambda it: it.put("release-channel", release_image("v1.69.1"), "v1.69.0"),
        {("P6", "error", "v1.69.0")},
    ),
    (
        "target that says another version",
        lambda it: it.put("release-channel", release_image("v1.70.1"), "v1.70.0"),
        {("P2", "error", "v1.70.0")},
    ),
    ("no controller", lambda it: it.delete("", "v1.69.0"), {("P5", "error", "v1.69.0")}),
    ("component deleted", lambda it: it.delete("", COMPONENT), {("P7", "error", "v1.69.0")}),
    ("component of what runs", lambda it: it.delete("", RUNNING), {("P8", "error", "v1.68.0")}),
    ("what runs without metadata", lambda it: it.untag("release-channel", "v1.68.0"), {("P8", "error", "v1.68.0")}),
    (
        "stray release",
        lambda it: it.put("release-channel", release_image("v1.69.9"), "v1.69.9"),
        {("P9", "error", "v1.69.9")},
    ),
    (
        "module without release image",
        lambda it: it.untag("modules/console/release", "v1.36.2"),
        {("M4", "error", "console v1.36.2")},
    ),
    (
        "module without image",
        lambda it: it.delete("modules/console", "v1.36.2"),
        {("M3", "error", "console v1.36"), ("M5", "error", "console v1.36.2")},
    ),
    (
        "target of a module without image",
        lambda it: it.delete("modules/console", "v1.37.0"),
        {("M3", "error", "console v1.37"), ("M5", "error", "console v1.37.0")},
    ),
    (
        "extra image",
        lambda it: it.delete("modules/console/extra/scanner", "v2"),
        {("M7", "error", "console v1.36.2"), ("M7", "error", "console v1.37.0"), ("M8", "error", "console v1.35.4")},
    ),
    (
        "running module",
        lambda it: it.delete("modules/console", "v1.35.4"),
        {("M8", "error", "console v1.35.4")},
    ),
    (
        "stray version of a module",
        lambda it: it.put("modules/console", image_of([layer_of({"images_digests.json": b"{}"})]), "v1.36.9"),
        {("M9", "error", "console v1.36.9")},
    ),
    ("without a tag", lambda it: it.untag("", COMPONENT[7:]), {("R5", "warning", "")}),
]


@pytest.mark.parametrize("damage, expected", [row[1:] for row in CONTENTS], ids=[row[0] for row in CONTENTS])
@pytest.mark.parametrize("stage", ["content", "published"])
def test_a_fault_of_the_content_is_told_by_its_number(
    target: Mirror, stage: str, damage: Damage, expected: set[Told]
) -> None:
    damage(target)
    found = told(target.check(stage=stage, clusters=[target.facts()]))
    assert {(check, severity, subject.replace(target.address, "")) for check, severity, subject in found} == expected


@pytest.mark.parametrize("damage, expected", [row[1:] for row in POINTERS], ids=[row[0] for row in POINTERS])
def test_pointers_are_judged_as_they_will_be_set_and_as_they_are(
    target: Mirror, damage: Damage, expected: set[Told]
) -> None:
    damage(target)
    assert not told(target.check(stage="content"))
    assert told(target.check(stage="published")) == expected


def test_a_missing_component_is_named_with_how_many_there_are(target: Mirror) -> None:
    target.delete("", COMPONENT)
    message = text(target.check(), "P7")
    assert f"lacks 1 of 8 images: {COMPONENT}" in message and "ImagePullBackOff" in message and "Push" in message


def test_a_module_lacks_a_runtime_image(target: Mirror) -> None:
    target.delete("modules/console", RUNTIME)
    found = told(target.check())
    assert ("M6", "error", "console v1.37.0") in found and {each[0] for each in found} <= {"M6", "M8"}


def test_a_lower_patch_would_be_the_end(target: Mirror) -> None:
    """P4: a release below the target hides that the target is not listed."""
    target.put("release-channel", release_image("v1.70.0-x"), "x")
    target.untag("release-channel", "v1.70.0")
    for repository in ("", "install", "release-channel"):
        source = "v1.69.0"
        target.point(repository, "v1.70.1", source)
    plan = target.plan()
    plan["content"]["platform"] |= {"versions": ["v1.69.0"], "channels": {}}
    plan["clusters"]["prod"]["platform"] |= {"to": "v1.70.9", "steps": ["v1.69.0"]}
    assert ("P4", "error", "v1.70.9") in told(target.check(plan=plan, stage="content"))


@pytest.mark.parametrize("path, subject", [("", "P7"), ("modules/console", "M6")])
def test_a_layer_that_is_gone_is_found_when_blobs_are_asked_for(target: Mirror, path: str, subject: str) -> None:
    digest = COMPONENT if not path else RUNTIME
    repository = target.repository(path)
    repository.blobs.discard(repository.manifests[digest].blob_digests()[-1])
    assert not told(target.check())
    found = target.check(blobs=True)
    assert subject in {each[0] for each in told(found)} and "blob" in text(found, subject)


def test_a_plan_that_brings_nothing_needs_no_request(target: Mirror) -> None:
    empty: dict[str, Any] = {**CONTENT, "platform": {}, "modules": {}, "security_db": {}}
    nothing = target.plan(empty)
    nothing["clusters"]["prod"] |= {"platform": {"from": "v1.70.0", "to": "v1.70.0", "steps": []}, "modules": {}}
    checked = target.check(plan=nothing, clusters=[target.facts()])
    assert checked.nothing and not checked.findings and not target.server.exchanges
    assert not target.check(plan=target.plan(empty)).nothing, (
        "steps that are there already have to be whole all the same"
    )


def test_only_databases_take_as_many_requests(target: Mirror) -> None:
    content: dict[str, Any] = {**CONTENT, "platform": {}, "modules": {}}
    checked = target.check(plan=target.plan(content, clusters={}))
    assert not checked.findings and target.server.count() == 4


def test_a_second_check_asks_for_manifests_and_nothing_else(target: Mirror, tmp_path: Path) -> None:
    target.state = tmp_path
    target.check(clusters=[target.facts()])
    target.server.exchanges.clear()
    checked = target.check(clusters=[target.facts()])
    assert not told(checked)
    assert target.server.count("GET", "/blobs/") == 0
    lists, images = target.server.count("GET", "/tags/list"), target.server.count("HEAD|GET", "/manifests/")
    assert target.server.count() == lists + images and images == checked.manifests
    assert len({each.target for each in target.server.requests()}) == target.server.count(), "nothing is asked twice"


def test_the_registry_of_another_cluster_leaves_open_whether_what_runs_matters(target: Mirror) -> None:
    target.delete("", RUNNING)
    elsewhere = {"images_repo": "registry.example/dkp/ee", "scheme": "https"}
    checked = target.check(clusters=[target.facts(registry=elsewhere)])
    assert not told(checked)
    assert ("P8", "unknown", "v1.68.0") in told(checked, "unknown")
    assert ("R1", "unknown", "registry.example/dkp/ee") in told(checked, "unknown")


def test_other_settings_of_the_cluster_are_told(target: Mirror) -> None:
    other = {"images_repo": target.address, "scheme": "https"}
    assert ("R1", "warning", target.address) in told(target.check(clusters=[target.facts(registry=other)]))
    local = {"images_repo": None, "mode": "Local", "address": "registry.d8-system.svc:5001/system/deckhouse"}
    checked = target.check(clusters=[target.facts(registry=local)])
    assert "Local" in text(checked, "R1")
    same = [target.facts(registry={"images_repo": target.address, "scheme": "http"})]
    assert "is not known" in text(target.check(clusters=same), "R1")
    assert "the cluster's own account" in text(target.check(clusters=same, as_cluster=True), "R1")


def test_requirements_are_judged_anew_with_facts_and_else_taken_from_the_plan(target: Mirror) -> None:
    plan = target.plan()
    finding = {"id": "P10", "severity": "error", "subject": "v1.70.0", "message": "k8s 1.29 is not met", "hint": "x"}
    plan["clusters"]["prod"]["findings"] = [finding, {**finding, "id": "P3"}]
    assert told(target.check(plan=plan)) == {("P10", "error", "v1.70.0")}
    assert not told(target.check(plan=plan, clusters=[target.facts()])), "the cluster has moved on since"
    old = target.facts(kubelet_min="1.28.1")
    assert told(target.check(clusters=[old])) == {("P10", "error", "v1.70.0")}
    both = target.facts(kubelet_min="1.28.1", modules={"ceph-csi": {}, "delivery": {}})
    message = text(target.check(clusters=[both]), "P10")
    assert "k8s 1.29" in message and "still enabled: delivery" in message, "one finding tells all of a release"
    ancient = target.facts(kubernetes_version="1.26.1")
    assert ("M10", "error", "console v1.36.2") in told(target.check(clusters=[ancient]))


def test_a_module_that_leaves_the_platform_has_to_come_from_here(target: Mirror) -> None:
    leaving = release_image("v1.69.0", requirements={"migratedModules": "sdn, unknown"})
    target.put("release-channel", leaving, "v1.69.0")
    modules = {"sdn": {"enabled": True, "embedded": True}, "unknown": {"enabled": False}}
    facts = target.facts(modules=modules)
    assert told(target.check(clusters=[facts])) == {("P11", "error", "sdn")}
    with mirror(with_module("sdn", "v0.5.0")) as other:
        other.put("release-channel", leaving, "v1.69.0")
        facts["registry"]["images_repo"] = other.address
        assert not told(other.check(clusters=[facts]))
        digest = other.delete("modules/sdn", other.repository("modules/sdn").tags["v0.5.0"])
        assert digest and "M5" in {each[0] for each in told(other.check(clusters=[facts]))}


def test_a_module_held_by_an_override_needs_its_tag(target: Mirror) -> None:
    module = {"version": "v1.35.4", "channel": "stable", "override": "mr42", "enabled": True}
    facts = target.facts(modules={"console": module})
    assert ("M11", "error", "console mr42") in told(target.check(clusters=[facts]))
    target.point("modules/console", "mr42", "v1.36.2")
    assert not told(target.check(clusters=[facts]))


def test_lts_crosses_ten_minors_and_no_more(target: Mirror) -> None:
    for version in ("v1.78.0", "v1.79.0"):
        target.put("release-channel", release_image(version), version, "lts")
    plan = target.plan()
    for end, expected in (("v1.78.0", False), ("v1.79.0", True)):
        plan["clusters"]["prod"]["platform"] = {"from": "v1.68.0", "to": end, "channel": "lts", "steps": [end]}
        assert (("P12", "error", end) in told(target.check(plan=plan, stage="content"))) == expected


def test_what_nobody_named_is_unknown_once(target: Mirror) -> None:
    checked = target.check(plan=target.plan(clusters={}))
    assert not told(checked)
    unknown = [each.id for each in checked.findings if each.severity == "unknown"]
    assert unknown == ["P3", "P8", "P10", "M3", "M8", "M10", "M11", "R5", "R6"]


def test_clusters_alone_are_judged_by_what_the_registry_offers_them(target: Mirror) -> None:
    assert not told(target.check(plan=None, clusters=[target.facts()]))
    target.delete("", COMPONENT)
    assert told(target.check(plan=None, clusters=[target.facts()])) == {("P7", "error", "v1.69.0")}


def test_modules_of_clusters_that_are_not_here_are_no_error(target: Mirror) -> None:
    modules = {
        "sdn": {"version": "v0.5.0", "channel": "stable"},
        "own": {"version": "v1.0.0", "channel": "stable", "source": "mine"},
    }
    checked = target.check(clusters=[target.facts(modules=modules)])
    assert not told(checked)
    assert {each[2] for each in told(checked, "unknown") if each[0] == "M8"} == {"modules", "mine"}


def test_a_bundle_says_what_releases_consist_of(target: Mirror, tmp_path: Path) -> None:
    images = [
        {"repository": path, "tag": version, "digest": TREE.tags(path)[version], "bytes": 1}
        for path in ("", "install", "release-channel")
        for version in CONTENT["platform"]["versions"]
    ]
    releases = {version: sorted(TREE.component_digests(version)) for version in CONTENT["platform"]["versions"]}
    content = {**CONTENT, "modules": {}}
    document = {
        **{"kind": "Delivery", "version": 1, "source": {}, "content": content, "plan": None, "archives": []},
        **{"images": images, "releases": {"platform": releases, "modules": {}}, "requires": []},
    }
    (tmp_path / "delivery.json").write_text(json.dumps(document))
    target.state = tmp_path / "state"
    assert not told(target.check(plan=None, source=tmp_path))
    assert not target.server.count("GET", "/install/") and not target.server.count("GET", "/ee/blobs/")
    target.server.exchanges.clear()
    target.inventory()
    read = [each.target for each in target.server.requests("GET", r"/install/manifests/")]
    assert read == ["/v2/deckhouse/ee/install/manifests/v1.68.0"], "the inventory knows the others by now"
    target.point("", "v1.69.0", "v1.70.0")
    target.delete("install", "v1.69.0")
    found = target.check(plan=None, source=tmp_path)
    assert told(found) == {("P5", "error", "v1.69.0"), ("P13", "error", "v1.69.0")}
    assert "in the bundle it is" in text(found, "P5")


def test_a_bundle_that_is_none_is_refused_before_any_request(target: Mirror, tmp_path: Path) -> None:
    (tmp_path / "pull.journal").write_text("")
    with pytest.raises(InvalidInput, match="unfinished"):
        target.check(plan=None, source=tmp_path)
    assert not target.server.exchanges


# What the registry answers with, to what, and what is told of it
REFUSALS: list[tuple[str, Status, str, str, set[Told]]] = [
    ("list", Status(405, code="UNSUPPORTED"), "GET", "/console/tags/list", {("R2", "error", "")}),
    ("other list", Status(403), "GET", "/release-channel/tags/list", {("R2", "error", "")}),
    ("images", Status(403, code="DENIED"), "", "/ee/manifests/", {("R3", "error", "")}),
    (
        "depth",
        Status(400, code="NAME_INVALID"),
        "GET",
        "/console/release/manifests",
        {("R3", "error", ""), ("R4", "error", "")},
    ),
]


@pytest.mark.parametrize("row", REFUSALS, ids=[row[0] for row in REFUSALS])
def test_what_one_repository_refuses_is_told_and_the_others_are_judged(
    target: Mirror, row: tuple[str, Status, str, str, set[Told]]
) -> None:
    _name, answer, method, path, expected = row
    target.server.fail(answer, method=method, path=path, times=None)
    target.delete("install", "v1.68.4")
    checked = target.check(clusters=[target.facts()])
    found = {(check, severity, subject.replace(target.address, "")) for check, severity, subject in told(checked)}
    assert found == expected
    assert any(each.id == "P13" for each in checked.findings), "the rest was looked at"
    assert target.server.count(path="/ee/manifests/") < 60


def test_a_list_that_ends_too_early_is_told(target: Mirror) -> None:
    target.server.behaviour = type(target.server.behaviour)(page_size=2, next_page="none")
    assert "R2" in {each[0] for each in told(target.check())}


def test_credentials_and_ways_that_fail_are_failures() -> None:
    with mirror(auth=Basic()) as target:
        with pytest.raises(AccessDenied, match="401"):
            target.check()
        assert target.server.count() <= 8, "asking on could lock the account"
    with pytest.raises(TransportFailure):
        target.check()  # nobody listens any more


@pytest.mark.parametrize("raw", [b"[]", b'{"version": 7}', b'{"version": "v1.70.0", "suspend": "no"}', b"\xff{"])
def test_hostile_metadata_is_a_finding(target: Mirror, raw: bytes) -> None:
    target.put("release-channel", image_of([layer_of({"version.json": raw})]), "v1.70.0", "stable")
    assert {("P1", "error", "stable"), ("P2", "error", "v1.70.0")} <= told(target.check())


def test_a_release_that_lists_nothing_is_no_release(target: Mirror) -> None:
    bare = image_of([layer_of({"deckhouse/version": b"x"})])
    target.put("install", bare, "v1.69.0")
    target.put("", bare, "v1.69.0")
    assert ("P7", "error", "v1.69.0") in told(target.check())


def test_modules_may_share_the_root(target: Mirror) -> None:
    with mirror(build(replace(SHAPE, modules_path=""))) as other:
        assert not told(other.check(plan=other.plan(), modules_path="", clusters=[other.facts()]))
        assert set(other.inventory(modules_path="").inventory.modules) == {"console"}


def test_preflight_asks_for_what_is_planned_or_else_for_what_clusters_run(target: Mirror) -> None:
    target.server.fail(Status(403, code="DENIED"), method="POST", path="/modules/console/", times=None)
    for options in ({}, {"plan": None, "clusters": [target.facts()]}):
        found = target.check(stage="preflight", **options)
        assert any("modules/console" in each.message for each in found.findings if each.severity == "error")
    assert not target.server.count("PUT")
    target.server.heal()
    assert not {each for each in told(target.check(stage="preflight")) if each[1] == "error"}


@pytest.mark.parametrize(
    "plan, file, clusters, expected",
    [
        ({}, "plan.yml", [], "plan and plan_file"),
        ({}, None, [], "plan.kind"),
        (None, "plan.yml", [], "plan_file: expected a mapping"),
        (None, None, [], "plan, plan_file, src or clusters"),
        (None, None, [{"name": "a", "version": "v1.70.0"}] * 2, "a occurs more than once"),
        (None, None, [{"name": "a", "version": 1.7}], r"clusters\[0\].version: .*quote it"),
    ],
)
def test_options_that_cannot_be_right_are_named(
    tmp_path: Path, plan: Any, file: str | None, clusters: list[Any], expected: str
) -> None:
    (tmp_path / "plan.yml").write_text("just text")
    with pytest.raises(InvalidInput, match=expected):
        parse_subject(plan, tmp_path / file if file else None, None, clusters)


def test_a_bundle_of_d8_may_point_where_it_does_not_lead(target: Mirror, tmp_path: Path) -> None:
    shape = replace(SHAPE, channels=(*SHAPE.channels, Channel("alpha", "v1.69.0")), modules=())
    tree = build(replace(shape, missing=frozenset({"release-channel:v1.69.0", ":v1.69.0"})))
    write_bundle(tree, tmp_path, keep=["platform.tar"])
    checked = target.check(plan=None, source=tmp_path)
    assert not told(checked) and ("P1", "info", "alpha") in told(checked, "info")
