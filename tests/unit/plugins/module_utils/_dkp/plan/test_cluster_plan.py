# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One cluster: where it goes, by which steps, what stands in the way (dkp-cluster.md §5.5; contract `update_plan`)."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.dkp.airgap.plugins.module_utils._dkp.plan.module_choice import ModuleChoice, parse_choice
from ansible_collections.dkp.airgap.plugins.module_utils._oci.errors import InvalidInput
from ansible_collections.dkp.airgap.tests.kit.planning import (
    VENDOR,
    channels,
    cluster,
    document_of,
    found,
    module,
    module_steps,
    modules,
    only,
    plan_of,
    platform,
    steps,
)

CONSOLE = module(
    "v1.34.0 v1.35.1 v1.35.4 v1.36.2 v1.37.0",
    channels(alpha="v1.37.0", stable="v1.36.2", rock_solid="v1.35.4", early_access=None),
)


def with_module(**known: Any) -> dict[str, Any]:
    return cluster(modules={"console": {"channel": "stable", "source": "deckhouse", **known}})


# The platform


def test_the_contracts_example() -> None:
    document = document_of(cluster())
    assert document["clusters"]["prod"]["platform"] == {
        "from": "v1.68.11",
        "to": "v1.70.17",
        "channel": "stable",
        "steps": ["v1.68.13", "v1.69.7", "v1.70.17"],
    }
    assert document["content"]["platform"] == {
        "versions": ["v1.68.13", "v1.69.7", "v1.70.17"],
        "channels": {"stable": "v1.70.17"},
        "tags": [],
    }
    assert document["source"] == {"images_repo": "registry.example/deckhouse/ee", "edition": "EE"}
    assert document["ok"] is True


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        (None, "v1.68.13 v1.69.7 v1.70.17"),
        ("", "v1.68.13 v1.69.7 v1.70.17"),
        ("rock-solid", "v1.68.13 v1.69.7"),
        ("alpha", "v1.68.13 v1.69.7 v1.70.17 v1.71.3"),
        ("v1.70.3", "v1.68.13 v1.69.7 v1.70.3"),
        ({"prod": "v1.69.2"}, "v1.68.13 v1.69.2"),
        ({"prod": ""}, "v1.68.13 v1.69.7 v1.70.17"),
    ],
)
def test_a_target_sets_the_version_and_the_followed_channel_is_published(target: object, expected: str) -> None:
    vendor = platform("v1.67.4 v1.68.11 v1.68.13 v1.69.2 v1.69.7 v1.70.3 v1.70.17 v1.71.3", VENDOR["channels"])
    plan = plan_of(cluster(), vendor=vendor, target=target)
    assert steps(plan) == expected
    last = expected.split()[-1]
    assert {name: str(version) for name, version in plan.content.platform.channels.items()} == {"stable": last}


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("Stable", "did you mean stable?"),
        ("stabel", "did you mean stable?"),
        ("1.70.3", "did you mean v1.70.3?"),
        (1.7, "target: expected a string, found the number 1.7; quote it"),
        ({"prd": "stable"}, "there is no cluster 'prd' (did you mean prod?)"),
        ({"prod": 1.7}, "target.prod: expected a string, found the number 1.7; quote it"),
    ],
)
def test_a_target_that_cannot_be_right_is_refused(target: object, words: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        plan_of(cluster(), target=target)
    assert words in str(refused.value)


def test_a_cluster_that_is_there_already_has_an_empty_plan() -> None:
    plan = plan_of(cluster(version="v1.70.17"))
    assert steps(plan) == "" and plan.ok and plan.content.is_empty
    assert only(plan, "P8").severity == "unknown"


PROBLEMS = [
    # what the vendor offers, target, finding, severity, words
    (platform("v1.68.11 v1.69.7", channels(stable=None, beta="v1.69.7")), None, "P1", "error", "no channel stable"),
    (
        platform("v1.68.11", channels(beta="v1.69.7")),
        None,
        "P1",
        "error",
        "channel stable of the platform was not read",
    ),
    (
        platform("v1.68.11 v1.69.7", channels(stable={"version": "v1.69.7", "suspended": True})),
        None,
        "P1",
        "error",
        "suspended v1.69.7",
    ),
    (platform("v1.68.11", channels(stable="v1.69.0-rc.1")), None, "P1", "error", "pre-release v1.69.0-rc.1"),
    (platform("v1.68.11 v1.69.1", channels(stable="v1.69.7")), None, "P2", "error", "no release v1.69.7"),
    (platform("v1.68.11 v1.69.1", channels(stable="v1.69.7")), None, "P4", "error", "would end at v1.69.1"),
    (VENDOR, "v1.70.9", "P2", "error", "no release v1.70.9"),
    (platform("v1.68.11", channels(stable="v1.68.13")), None, "P2", "error", "no release v1.68.13"),
    (platform("v1.68.11 v1.70.17", channels(stable="v1.70.17")), None, "P3", "error", "no release v1.69.x"),
    (platform("v1.68.11 v2.0.1", channels(stable="v2.0.1")), None, "P3", "error", "major version changes"),
    (VENDOR, "v1.67.4", "downgrade", "error", "never goes back to v1.67.4"),
    (platform("v1.67.4 v1.68.11", channels(stable="v1.67.4")), None, "channel_back", "info", "points back at v1.67.4"),
]


@pytest.mark.parametrize(("vendor", "target", "identity", "severity", "words"), PROBLEMS)
def test_what_the_cluster_could_not_take_is_found(
    vendor: dict[str, Any], target: object, identity: str, severity: str, words: str
) -> None:
    plan = plan_of(cluster(), vendor=vendor, target=target)
    finding = only(plan, identity)
    assert (finding.severity, words in finding.message) == (severity, True), finding
    assert finding.hint
    assert plan.ok == (severity != "error")


def test_each_missing_minor_is_named_once() -> None:
    plan = plan_of(cluster(version="v1.67.0"), vendor=platform("v1.67.0 v1.70.1", channels(stable="v1.70.1")))
    assert [finding.subject for finding in found(plan, "P3")] == ["v1.68", "v1.69"]


def test_a_suspended_release_is_taken_when_that_is_said_and_its_own_image_is_published() -> None:
    vendor = platform("v1.68.11 v1.69.7", channels(stable={"version": "v1.69.7", "suspended": True}))
    plan = plan_of(cluster(), vendor=vendor, ignore_suspend=True)
    assert steps(plan) == "v1.69.7" and plan.ok and only(plan, "P1").severity == "warning"
    assert [pin.tag for pin in plan.content.pins] == ["v1.69.7"], "the suspended channel image is no pointer"


@pytest.mark.parametrize(("start", "ok"), [("v1.60.3", True), ("v1.59.3", False)])
def test_lts_goes_straight_over_ten_minors_at_most(start: str, ok: bool) -> None:
    vendor = platform("v1.65.0 v1.70.5", channels(lts="v1.70.5"))
    plan = plan_of(cluster(version=start, channel="lts"), vendor=vendor)
    assert steps(plan) == "v1.70.5" and plan.ok == ok
    assert bool(found(plan, "P12")) != ok


def test_a_cluster_without_a_channel_looks_for_no_updates() -> None:
    plan = plan_of(cluster(channel=None))
    assert only(plan, "no_channel").severity == "warning" and plan.content.is_empty
    plan = plan_of(cluster(channel=None), target="v1.69.7")
    assert steps(plan) == "v1.68.13 v1.69.7" and not plan.content.platform.channels, "nothing can be published for it"


def test_in_the_middle_of_an_update_the_plan_starts_where_that_leads() -> None:
    plan = plan_of(cluster(switched_version="v1.69.7"))
    assert steps(plan) == "v1.70.17"
    assert "from v1.68.11 to v1.69.7" in only(plan, "updating").message


def test_a_release_image_that_says_another_version_is_found() -> None:
    vendor = platform("v1.68.11 v1.69.7", channels(stable="v1.69.7"))
    vendor["releases"]["v1.69.7"]["version"] = "v1.69.6"
    assert only(plan_of(cluster(), vendor=vendor), "P6").subject == "v1.69.7"


def test_a_stray_tag_is_passed_over_and_told() -> None:
    vendor = platform("v1.68.11 v1.69.6 v1.69.7 v1.70.1", channels(stable="v1.70.1"), stray=["v1.69.7"])
    plan = plan_of(cluster(), vendor=vendor)
    assert steps(plan) == "v1.69.6 v1.70.1"
    assert only(plan, "P9").severity == "warning"


# What the private registry holds


def inventory(**held: Any) -> dict[str, Any]:
    return {"kind": "MirrorInventory", "version": 1, **held}


def test_tags_of_the_private_registry_count_too() -> None:
    held = inventory(platform={"versions": ["v1.68.11", "v1.69.9"]})
    plan = plan_of(cluster(), inventory=held)
    assert steps(plan) == "v1.68.13 v1.69.9 v1.70.17", "Deckhouse lists what is there and takes the highest"
    assert "v1.69.9" not in map(str, plan.content.platform.versions)
    assert only(plan, "held_step").severity == "info" and plan.ok


def test_a_stray_incomplete_tag_of_the_private_registry_would_be_taken() -> None:
    held = inventory(platform={"versions": ["v1.68.11", "v1.69.9"], "incomplete": {"v1.69.9": ["install:v1.69.9"]}})
    finding = only(plan_of(cluster(), inventory={"prod": held}), "P9")
    assert finding.severity == "error" and "install:v1.69.9" in finding.message


@pytest.mark.parametrize(
    ("include_running", "held", "carried", "running"),
    [
        ("auto", None, False, "unknown"),
        ("auto", {"versions": ["v1.68.11"]}, False, None),
        ("auto", {"versions": ["v1.68.11"], "incomplete": {"v1.68.11": ["sha256:aa"]}}, True, None),
        ("auto", {"versions": []}, True, None),
        ("always", None, True, None),
        ("never", None, False, None),
        ("never", {"versions": []}, False, "warning"),
    ],
)
def test_the_running_version_is_carried_where_it_is_incomplete(
    include_running: str, held: dict[str, Any] | None, carried: bool, running: str | None
) -> None:
    document = inventory(platform=held) if held is not None else None
    plan = plan_of(cluster(), inventory=document, include_running=include_running)
    assert ("v1.68.11" in map(str, plan.content.platform.versions)) == carried
    assert steps(plan) == "v1.68.13 v1.69.7 v1.70.17"
    assert [finding.severity for finding in found(plan, "P8")] == ([running] if running else [])


def test_a_running_version_that_the_vendor_no_longer_has_is_a_warning() -> None:
    plan = plan_of(cluster(version="v1.68.9"), include_running="always")
    assert only(plan, "P8").severity == "warning" and plan.ok


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ({"kind": "Inventory", "version": 1}, "inventory.kind: expected MirrorInventory"),
        (inventory(version=2), "inventory.version: 2 is not known; this collection reads 1"),
        (inventory(platform={"versions": [1.7]}), "inventory.platform.versions[0]: expected a string"),
        (
            inventory(platform={"verisons": []}),
            "inventory.platform.verisons: not a known field (did you mean versions?)",
        ),
    ],
)
def test_an_inventory_is_checked_as_it_is_read(document: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        plan_of(cluster(), inventory=document)
    assert words in str(refused.value)


# Modules


@pytest.mark.parametrize(
    ("known", "expected"),
    [
        ({"version": "v1.35.1"}, "v1.35.4 v1.36.2"),
        ({"version": "v1.35.1", "channel": "alpha"}, "v1.35.4 v1.36.2 v1.37.0"),
        ({"version": "v1.35.1", "channel": None}, "v1.35.4 v1.36.2"),
        ({"version": "v1.34.0", "channel": "rock-solid"}, "v1.35.4"),
        # the first release is taken straight from the channel
        ({}, "v1.36.2"),
        ({"version": "v1.36.2"}, ""),
    ],
)
def test_a_module_follows_its_own_channel(known: dict[str, Any], expected: str) -> None:
    plan = plan_of(with_module(**known), vendor_modules=modules(console=CONSOLE))
    assert module_steps(plan, "console") == expected
    document = document_of(with_module(**known), vendor_modules=modules(console=CONSOLE))
    assert ("console" in document["clusters"]["prod"]["modules"]) == bool(expected), "those with something to do"


@pytest.mark.parametrize(
    ("known", "identity", "severity"),
    [
        ({"enabled": False, "version": "v1.35.1"}, None, None),
        ({"embedded": True, "source": None}, None, None),
        ({"version": "v1.35.1", "override": "pr12"}, "M11", "info"),
        ({"version": "v1.35.1", "conflict": ["a", "b"]}, "conflict", "warning"),
        ({"version": "v1.35.1", "source": "acme"}, "module_source", "unknown"),
        ({"version": "v1.35.1", "update_mode": "Ignore", "policy": "never"}, "ignored", "info"),
    ],
)
def test_modules_without_updates_are_left_alone_and_it_is_said_why(
    known: dict[str, Any], identity: str | None, severity: str | None
) -> None:
    plan = plan_of(with_module(**known), vendor_modules=modules(console=CONSOLE))
    assert not plan.clusters["prod"].modules and not plan.content.modules
    if identity:
        assert only(plan, identity).severity == severity


def test_a_module_of_another_source_is_planned_with_that_source() -> None:
    plan = plan_of(
        with_module(version="v1.35.1", source="acme"),
        vendor=None,
        vendor_modules=modules(console=CONSOLE),
        choice=ModuleChoice(source="acme"),
    )
    assert module_steps(plan, "console") == "v1.35.4 v1.36.2" and not plan.content.platform.versions
    assert only(plan, "P1").severity == "unknown", "nobody takes it for a platform that has nothing to do"


def test_without_anything_of_the_vendor_there_is_no_plan() -> None:
    with pytest.raises(InvalidInput, match="nothing was read of the vendor"):
        plan_of(cluster(), vendor=None)


MODULE_PROBLEMS = [
    ({"version": "v1.35.1"}, {}, "M2", "unknown", "were not read"),
    ({}, {"console": {"exists": False}}, "M1", "error", "no module console"),
    ({"version": "v1.35.1"}, {"console": {"exists": False}}, "M1", "warning", "stays at v1.35.1"),
    ({"channel": "early-access"}, {"console": CONSOLE}, "M2", "error", "no channel early-access"),
    ({"version": "v1.35.1", "channel": "early-access"}, {"console": CONSOLE}, "M2", "warning", "alpha, stable"),
    (
        {"version": "v1.30.0"},
        {"console": module("v1.30.0 v1.32.1", channels(stable="v1.32.1"))},
        "M3",
        "error",
        "no release v1.31.x of module console",
    ),
    (
        {"version": "v1.35.1"},
        {"console": {**CONSOLE, "stray": ["v1.35.4"]}},
        "M9",
        "warning",
        "v1.35.4 of module console without a release image",
    ),
    ({"version": "v1.37.0"}, {"console": CONSOLE}, "channel_back", "info", "points back at v1.36.2"),
]


@pytest.mark.parametrize(("known", "offers", "identity", "severity", "words"), MODULE_PROBLEMS)
def test_what_stands_in_the_way_of_a_module(
    known: dict[str, Any], offers: dict[str, Any], identity: str, severity: str, words: str
) -> None:
    plan = plan_of(with_module(**known), vendor_modules=modules(**offers))
    finding = only(plan, identity)
    assert (finding.severity, words in finding.message) == (severity, True), finding
    assert "console" in finding.subject


def test_a_module_that_is_not_there_is_not_said_to_be_meant_itself() -> None:
    plan = plan_of(with_module(), vendor_modules=modules(console={"exists": False}, consoles=CONSOLE))
    assert "(did you mean consoles?)" in only(plan, "M1").message


def test_jumps_shorten_a_modules_way() -> None:
    offer = module("v1.30.0 v1.31.4 v1.36.2", channels(stable="v1.36.2"), jumps={"v1.36.2": ("1.30", "1.36")})
    plan = plan_of(with_module(version="v1.30.0"), vendor_modules=modules(console=offer))
    assert module_steps(plan, "console") == "v1.36.2" and plan.ok


def test_modules_that_leave_the_platform_come_along_when_the_cluster_uses_them() -> None:
    vendor = platform(
        "v1.68.11 v1.69.7", channels(stable="v1.69.7"), {"v1.69.7": {"migratedModules": "operator-trivy, snapshot"}}
    )
    offers = modules(operator_trivy=module("v1.0.0 v1.0.3", channels(stable="v1.0.3")))
    used = {"operator-trivy": {"embedded": True}, "snapshot": {"embedded": True, "enabled": False}}
    plan = plan_of(cluster(modules=used, sources={}), vendor=vendor, vendor_modules=offers)
    assert module_steps(plan, "operator-trivy") == "v1.0.3" and plan.ok
    assert {name: str(version) for name, version in plan.content.modules["operator-trivy"].channels.items()} == {
        "stable": "v1.0.3"
    }
    used["snapshot"]["enabled"] = True
    refused = plan_of(cluster(modules=used, sources={}), vendor=vendor, vendor_modules=offers)
    told = {(finding.severity, finding.subject) for finding in found(refused, "P11")}
    assert told == {("unknown", "snapshot"), ("error", "v1.69.7")}


@pytest.mark.parametrize(("running", "told"), [("v1.68.11", "does not"), ("v1.75.2", "may not"), ("v1.76.0", None)])
def test_a_frozen_chain_is_told_with_what_to_delete(running: str, told: str | None) -> None:
    known = with_module(version="v1.34.0", pending=["v1.36.2"], releases=[{"version": "v1.36.2", "phase": "Pending"}])
    vendor = platform(running, channels(stable=running))
    plan = plan_of({**known, "version": running}, vendor=vendor, vendor_modules=modules(console=CONSOLE))
    findings = found(plan, "frozen_chain")
    assert bool(findings) == bool(told)
    if told:
        assert f"{told} create v1.35.4 afterwards" in findings[0].message
        assert "delete the ModuleRelease console-v1.36.2" in findings[0].hint


def test_named_modules_are_planned_alone_and_can_be_carried_before_they_are_enabled() -> None:
    both = {"console": {"version": "v1.35.1"}, "sdn": {"version": "v0.4.2"}}
    sdn = module("v0.4.2 v0.5.0", channels(stable="v0.5.0"))
    offers = modules(console=CONSOLE, sdn=sdn, extra=module("v2.0.0", channels(stable="v2.0.0")))
    chosen = parse_choice(["sdn", "extra"], None, "deckhouse")
    plan = plan_of(cluster(modules=both), vendor_modules=offers, choice=chosen)
    assert set(plan.content.modules) == {"sdn", "extra"} and module_steps(plan, "extra") == "v2.0.0"
    plan = plan_of(cluster(modules=both), vendor_modules=offers, choice=parse_choice(None, ["sdn"], "deckhouse"))
    assert set(plan.content.modules) == {"console"}
    assert not plan_of(cluster(modules=both), vendor_modules=offers, choice=parse_choice([], None, "x")).content.modules
    with pytest.raises(InvalidInput, match="console@.* has a constraint"):
        parse_choice(["console@>=1.35"], None, "deckhouse")
    with pytest.raises(InvalidInput, match="exclude each other"):
        parse_choice(["console"], ["sdn"], "deckhouse")
