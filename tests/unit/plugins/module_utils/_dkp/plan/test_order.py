# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The order in which every requirement holds, or the conflict explained (dkp-cluster.md §4.1, §4.4; M10, P10)."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.dkp.airgap.tests.kit.planning import (
    channels,
    cluster,
    document_of,
    found,
    module,
    modules,
    only,
    plan_of,
    platform,
)

VENDOR = platform("v1.68.11 v1.69.7 v1.70.17", channels(stable="v1.70.17"))


def order(*clusters: dict[str, Any], **more: Any) -> list[str]:
    """The stages, each as ``v1.69.7`` or ``console v1.35.4 v1.36.2, sdn v0.5.0``."""
    stages = document_of(*clusters, **more)["clusters"]["prod"]["order"]
    return [
        stage["platform"]
        if "platform" in stage
        else ", ".join(f"{name} {' '.join(steps)}" for name, steps in stage["modules"].items())
        for stage in stages
    ]


def console(version: str = "v1.35.1", **requirements: Any) -> dict[str, Any]:
    return cluster(modules={"console": {"version": version, "channel": "stable", "requirements": requirements}})


def offer(**stated: dict[str, Any]) -> dict[str, Any]:
    """console v1.36.2 and v1.37.0 with these requirements (``v36`` and ``v37``)."""
    named = {"v36": "v1.36.2", "v37": "v1.37.0"}
    return modules(
        console=module(
            "v1.36.2 v1.37.0", channels(stable="v1.37.0"), {named[key]: value for key, value in stated.items()}
        )
    )


ORDERS = [
    # nothing stated: the platform first
    ({}, {}, {}, ["v1.69.7", "v1.70.17", "console v1.36.2 v1.37.0"]),
    # a module that needs the new platform waits for it
    ({}, {"deckhouse": ">= 1.70"}, {}, ["v1.69.7", "v1.70.17", "console v1.36.2 v1.37.0"]),
    # what runs bounds DKP from above: it goes first
    ({"deckhouse": "< 1.70"}, {}, {}, ["v1.69.7", "console v1.36.2", "v1.70.17", "console v1.37.0"]),
    ({"deckhouse": "< 1.69"}, {}, {}, ["console v1.36.2", "v1.69.7", "v1.70.17", "console v1.37.0"]),
    # the next release could not be taken any more afterwards, and the one after it lifts the bound
    ({}, {"deckhouse": "< 1.70"}, {}, ["v1.69.7", "console v1.36.2 v1.37.0", "v1.70.17"]),
    (
        {},
        {"deckhouse": ">= 1.69, < 1.70"},
        {"deckhouse": ">= 1.69"},
        ["v1.69.7", "console v1.36.2 v1.37.0", "v1.70.17"],
    ),
]


@pytest.mark.parametrize(("runs", "first", "second", "expected"), ORDERS)
def test_the_order_satisfies_every_requirement(
    runs: dict[str, Any], first: dict[str, Any], second: dict[str, Any], expected: list[str]
) -> None:
    offers = offer(v36=first, v37=second)
    assert order(console(**runs), vendor=VENDOR, vendor_modules=offers) == expected
    plan = plan_of(console(**runs), vendor=VENDOR, vendor_modules=offers)
    assert plan.ok, plan.clusters["prod"].findings


@pytest.mark.parametrize(
    ("runs", "first", "second", "subject", "words"),
    [
        ({"deckhouse": "< 1.70"}, {"deckhouse": "< 1.70"}, {"deckhouse": "< 1.70"}, "console v1.37.0", "DKP is|< 1.70"),
        ({}, {}, {"deckhouse": ">= 1.71"}, "console v1.37.0", "DKP is v1.70.17 by then"),
        ({"deckhouse": "< 1.70"}, {"deckhouse": ">= 1.70"}, {}, "console v1.35.1", "no release of it lifts that"),
        ({}, {"modules": {"sdn": ">= 0.5"}}, {}, "console v1.36.2", "sdn is not enabled"),
    ],
)
def test_a_conflict_is_explained(
    runs: dict[str, Any], first: dict[str, Any], second: dict[str, Any], subject: str, words: str
) -> None:
    plan = plan_of(console(**runs), vendor=VENDOR, vendor_modules=offer(v36=first, v37=second))
    told = [finding for finding in found(plan, "M10") if finding.severity == "error"]
    assert any(finding.subject == subject for finding in told), told
    assert any(word in finding.message for finding in told for word in words.split("|")), told
    assert all(finding.hint for finding in told)


def test_an_enabled_module_that_is_not_planned_bounds_the_platform_too() -> None:
    """The new version is tested against every enabled module, embedded or not (§4.1)."""
    known = {"legacy": {"embedded": True, "requirements": {"deckhouse": "< 1.70"}}}
    plan = plan_of(cluster(modules=known), vendor=VENDOR)
    assert "legacy" in only(plan, "M10").subject and not plan.ok
    known["legacy"]["enabled"] = False
    assert plan_of(cluster(modules=known), vendor=VENDOR).ok


SDN = module("v0.4.2 v0.5.0", channels(stable="v0.5.0"))
DEPENDENCIES = [
    # on a module that the plan itself brings far enough: it goes first
    (">= 0.5", {"version": "v0.4.2"}, "met"),
    (">= 0.6", {"version": "v0.4.2"}, "error"),
    # and it stays satisfied: sdn would move on to where console does not accept it
    ("< 0.5", {"version": "v0.4.2"}, "error"),
    # the version of an embedded module is DKP's
    (">= 1.70", {"embedded": True}, "met"),
    (">= 1.71", {"embedded": True}, "error"),
    (">= 0.0.0 !optional", {"enabled": False}, "met"),
    (">= 0.0.0", {"enabled": False}, "error"),
    (">= 0.6 !optional", {"version": "v0.4.2"}, "error"),
    ("nonsense", {"version": "v0.4.2"}, "unknown"),
]


@pytest.mark.parametrize(("constraint", "known", "verdict"), DEPENDENCIES)
def test_dependencies_are_judged_against_what_the_plan_will_have_reached(
    constraint: str, known: dict[str, Any], verdict: str
) -> None:
    wanted = module("v1.36.2", channels(stable="v1.36.2"), {"v1.36.2": {"modules": {"sdn": constraint}}})
    of = cluster(modules={"console": {"version": "v1.35.4"}, "sdn": known})
    plan = plan_of(of, vendor=VENDOR, vendor_modules=modules(console=wanted, sdn=SDN))
    told = [finding.severity for finding in found(plan, "M10")]
    assert told == ([] if verdict == "met" else [verdict])


def test_a_module_that_another_needs_goes_first() -> None:
    wanted = module("v1.36.2", channels(stable="v1.36.2"), {"v1.36.2": {"modules": {"sdn": ">= 0.5"}}})
    sdn = module("v0.4.2 v0.5.0", channels(stable="v0.5.0"), {"v0.5.0": {"kubernetes": ">= 1.28"}})
    of = cluster(modules={"console": {"version": "v1.35.4"}, "sdn": {"version": "v0.4.2"}}, kubernetes_version="1.31.6")
    stages = order(of, vendor=VENDOR, vendor_modules=modules(console=wanted, sdn=sdn))
    assert stages == ["v1.69.7", "v1.70.17", "sdn v0.5.0, console v1.36.2"]


def test_what_has_to_go_before_the_platform_brings_along_what_it_depends_on() -> None:
    runs = {"version": "v1.35.4", "requirements": {"deckhouse": "< 1.69"}}
    wanted = module("v1.36.2", channels(stable="v1.36.2"), {"v1.36.2": {"modules": {"sdn": ">= 0.5"}}})
    of = cluster(modules={"console": runs, "sdn": {"version": "v0.4.2"}})
    offers = modules(console=wanted, sdn=SDN)
    assert order(of, vendor=VENDOR, vendor_modules=offers) == ["sdn v0.5.0, console v1.36.2", "v1.69.7", "v1.70.17"]
    assert plan_of(of, vendor=VENDOR, vendor_modules=offers).ok


def test_a_module_does_not_move_to_where_another_does_not_accept_it() -> None:
    runs = {"version": "v1.35.4", "requirements": {"modules": {"sdn": "< 0.5"}}}
    of = cluster(modules={"console": runs, "sdn": {"version": "v0.4.2"}})
    alone = modules(console=module("v1.35.4", channels(stable="v1.35.4")), sdn=SDN)
    told = only(plan_of(of, vendor=VENDOR, vendor_modules=alone), "M10")
    assert (told.severity, told.subject) == ("error", "sdn v0.5.0") and "console requires sdn < 0.5" in told.message
    lifted = modules(
        console=module("v1.35.4 v1.36.0", channels(stable="v1.36.0"), {"v1.36.0": {"modules": {"sdn": ">= 0.4"}}}),
        sdn=SDN,
    )
    assert plan_of(of, vendor=VENDOR, vendor_modules=lifted).ok
    assert order(of, vendor=VENDOR, vendor_modules=lifted)[-1] == "console v1.36.0, sdn v0.5.0"


def test_the_same_requirement_of_later_steps_is_told_once() -> None:
    stated = {"disabledModules": "delivery"}
    vendor = platform("v1.68.11 v1.69.7 v1.70.17", channels(stable="v1.70.17"), {"v1.69.7": stated, "v1.70.17": stated})
    plan = plan_of(cluster(modules={"delivery": {"embedded": True}}), vendor=vendor)
    assert only(plan, "P10").subject == "v1.69.7"
    assert plan.clusters["prod"].journey.counts == {"met": 0, "not_met": 2, "unknown": 0}


def test_kubernetes_follows_the_steps_when_it_is_automatic() -> None:
    vendor = platform(
        "v1.68.11 v1.69.7 v1.70.17",
        channels(stable="v1.70.17"),
        {"v1.69.7": {"autoK8sVersion": "1.31"}, "v1.70.17": {"k8s": "1.31"}},
    )
    known = {"kubelet_min": "1.30.4", "modules": {}}
    follows = plan_of(cluster(kubernetes={"version": "Automatic"}, **known), vendor=vendor)
    assert {(finding.severity, finding.subject) for finding in found(follows, "P10")} == {
        ("unknown", "v1.69.7"),
        ("unknown", "v1.70.17"),
    }
    pinned = plan_of(cluster(kubernetes={"version": "1.30"}, **known), vendor=vendor)
    assert only(pinned, "P10").severity == "error"


def test_steps_whose_metadata_was_not_read_are_unknown_not_fine() -> None:
    vendor = {**VENDOR, "releases": {}}
    plan = plan_of(
        console(), vendor=vendor, vendor_modules=modules(console={**offer()["modules"]["console"], "releases": {}})
    )
    assert [finding.subject for finding in found(plan, "P10")] == ["v1.69.7", "v1.70.17"]
    assert [finding.subject for finding in found(plan, "M10")] == ["console v1.36.2", "console v1.37.0"]
    assert {finding.severity for finding in found(plan, "P10") + found(plan, "M10")} == {"unknown"}


def test_a_channel_tells_what_its_own_version_requires() -> None:
    told = channels(stable={"version": "v1.69.7", "requirements": {"disabledModules": "delivery"}})
    vendor = {**platform("v1.68.11 v1.69.7", told), "releases": {}}
    plan = plan_of(cluster(modules={"delivery": {"embedded": True}}), vendor=vendor)
    assert only(plan, "P10").severity == "error"
