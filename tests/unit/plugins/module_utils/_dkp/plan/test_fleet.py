# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Many clusters: one plan, what a bundle for all carries, and what must hold for any of it (contract `update_plan`)."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest
from ansible_collections.dkp.airgap.plugins.module_utils._dkp.cluster.request import parse_request
from ansible_collections.dkp.airgap.plugins.module_utils._dkp.plan.cluster_verdict import ClusterVerdict
from ansible_collections.dkp.airgap.plugins.module_utils._dkp.plan.document import parse_plan
from ansible_collections.dkp.airgap.plugins.module_utils._dkp.plan.fleet import (
    Member,
    plan_document,
    plan_fleet,
    refused_clusters,
)
from ansible_collections.dkp.airgap.plugins.module_utils._dkp.plan.members import Defaults, members_of, with_verdicts
from ansible_collections.dkp.airgap.plugins.module_utils._dkp.plan.module_choice import ModuleChoice
from ansible_collections.dkp.airgap.plugins.module_utils._dkp.plan.needs import needs_of
from ansible_collections.dkp.airgap.plugins.module_utils._dkp.plan.offer import parse_vendor
from ansible_collections.dkp.airgap.plugins.module_utils._dkp.plan.shortening import fitting_findings, shortened
from ansible_collections.dkp.airgap.plugins.module_utils._dkp.plan.table import plan_table, readable
from ansible_collections.dkp.airgap.plugins.module_utils._dkp.version import Version
from ansible_collections.dkp.airgap.plugins.module_utils._oci.errors import InvalidInput
from ansible_collections.dkp.airgap.tests.kit.planning import (
    VENDOR,
    channels,
    cluster,
    digest,
    document_of,
    facts,
    found,
    module,
    modules,
    only,
    plan_of,
    platform,
    steps,
)
from hypothesis import given
from hypothesis import strategies as st

PRIVATE = {"registry": {"images_repo": "registry.internal/dkp/ee"}}


def test_clusters_get_steps_of_their_own_and_one_union() -> None:
    plan = plan_of(
        cluster("prod", **PRIVATE), cluster("test", "v1.69.2", channel="alpha", **PRIVATE), cluster("old", "v1.67.4")
    )
    assert steps(plan, "prod") == "v1.68.13 v1.69.7 v1.70.17"
    assert steps(plan, "test") == "v1.69.7 v1.70.17 v1.71.3"
    assert plan.content.as_dict()["platform"] == {
        "versions": ["v1.68.13", "v1.69.7", "v1.70.17", "v1.71.3"],
        "channels": {"alpha": "v1.71.3", "stable": "v1.70.17"},
        "tags": [],
    }
    assert plan.ok


@pytest.mark.parametrize(
    ("first", "second", "target", "conflict"),
    [
        # the same private registry and channel, two versions
        ({}, {}, {"prod": "v1.69.7"}, True),
        # also for a cluster that is where it wants to stay
        ({}, {"version": "v1.69.7"}, {"test": "v1.69.7"}, True),
        ({}, {"channel": "rock-solid"}, {"prod": "v1.70.17"}, False),
        ({}, {}, "v1.69.7", False),
        ({}, {"version": "v1.70.17"}, None, False),
    ],
)
def test_one_channel_cannot_point_at_two_versions(
    first: dict[str, Any], second: dict[str, Any], target: object, conflict: bool
) -> None:
    pair = (cluster("prod", **{**PRIVATE, **first}), cluster("test", **{**PRIVATE, **second}))
    plan = plan_of(*pair, target=target)
    assert plan.ok != conflict
    assert bool(found(plan, "F1")) == conflict
    if conflict:
        finding = only(plan, "F1")
        assert finding.subject == "stable" and "registry.internal/dkp/ee" in finding.message
        assert "prod" in finding.message and "test" in finding.message
        assert "stable" not in plan.content.platform.channels


def test_a_cluster_of_another_edition_gets_a_plan_of_its_own() -> None:
    plan = plan_of(cluster("prod"), cluster("small", "v1.67.4", edition="SE"))
    finding = only(plan, "F2")
    assert (finding.severity, finding.subject) == ("error", "small") and "SE" in finding.message
    assert list(map(str, plan.content.platform.versions)) == ["v1.68.13", "v1.69.7", "v1.70.17"], "nothing for it"


def test_errors_of_its_own_leave_a_cluster_out_and_those_of_all_do_not() -> None:
    strict = platform(" ".join(VENDOR["versions"]), VENDOR["channels"], {"v1.69.7": {"disabledModules": "delivery"}})
    refused = cluster("refused", modules={"delivery": {"embedded": True}})
    plan = plan_of(cluster("prod"), refused, cluster("small", edition="SE"), vendor=strict)
    assert {name: [each.id for each in told] for name, told in refused_clusters(plan, ()).items()} == {
        "refused": ["P10"],
        "small": ["F2"],
    }
    assert list(refused_clusters(plan, ("P10",))) == ["small"]
    conflict = plan_of(cluster("prod", **PRIVATE), cluster("test", **PRIVATE), target={"prod": "v1.69.7"})
    assert not conflict.ok and refused_clusters(conflict, ()) == {}


def test_two_clusters_of_one_name_are_refused() -> None:
    with pytest.raises(InvalidInput, match="clusters: the name prod occurs more than once"):
        plan_of(cluster(), cluster(version="v1.67.4"))


def test_results_of_two_sources_do_not_belong_together() -> None:
    with pytest.raises(InvalidInput, match="do not belong together"):
        plan_of(cluster(), vendor_modules={**modules(), "images_repo": "registry.example/other/ee"})
    with pytest.raises(InvalidInput, match="platform_releases.channels: is missing"):
        plan_of(cluster(), vendor={"msg": "not a result"})


@pytest.mark.parametrize(("edition", "databases"), [("EE", True), ("CSE", True), ("CE", False), ("SE", False)])
def test_databases_come_along_where_the_edition_has_them(edition: str, databases: bool) -> None:
    vendor = {**VENDOR, "edition": edition}
    content = document_of(cluster(edition=edition), vendor=vendor)["content"]
    assert sorted(content["security_db"]) == (
        ["trivy-bdu", "trivy-checks", "trivy-db", "trivy-java-db"] if databases else []
    )
    assert not document_of(cluster(edition=edition), vendor=vendor, security_db=False)["content"]["security_db"]
    assert document_of(cluster(edition=edition), vendor=vendor, installer=True)["content"]["installer"] == ["latest"]


def test_a_plan_with_nothing_to_carry_is_empty_whatever_is_asked_for() -> None:
    """Or a second run would replace the bundle by one of databases alone."""
    assert plan_of(cluster(version="v1.70.17"), installer=True).content.is_empty


def test_pins_are_what_was_seen_of_what_is_carried() -> None:
    offers = modules(console=module("v1.35.1 v1.36.2 v1.37.0", channels(stable="v1.36.2", alpha="v1.37.0")))
    of = cluster(modules={"console": {"version": "v1.35.1", "channel": "stable"}})
    pins = {(pin.repository, pin.tag): pin.digest for pin in plan_of(of, vendor_modules=offers).content.pins}
    assert pins[("release-channel", "stable")] == digest("channel stable v1.70.17")
    assert pins[("modules/console/release", "stable")] == digest("channel stable v1.36.2")
    assert pins[("modules/console/release", "v1.36.2")] == digest("v1.36.2")
    assert ("modules/console/release", "alpha") not in pins and ("release-channel", "v1.67.4") not in pins
    aimed = plan_of(cluster(), target="v1.69.7").content
    assert ("release-channel", "stable") not in {(pin.repository, pin.tag) for pin in aimed.pins}, (
        "it is not that image"
    )


# What the clusters themselves say


def verdicts(*said: tuple[str, bool | None, str]) -> list[dict[str, Any]]:
    return [{"version": version, "accepted": accepted, "message": message} for version, accepted, message in said]


def with_said(*said: tuple[str, bool | None, str], **known: Any) -> Any:
    vendor = platform("v1.68.11 v1.69.7 v1.70.17", channels(stable="v1.70.17"), {"v1.69.7": {"newKey": "1"}})
    members = with_verdicts([Member(facts(**known))], {"prod": verdicts(*said)})
    return plan_fleet(members, parse_vendor(vendor, None))


def test_the_clusters_own_verdict_stands_beside_ours() -> None:
    plan = with_said(("v1.69.7", False, "requirements not met: newKey"))
    assert only(plan, "cluster_verdict").severity == "error" and not plan.ok
    assert only(plan, "P10").severity == "unknown"
    plan = with_said(("v1.69.7", True, ""))
    assert only(plan, "P10").severity == "info" and plan.ok, "what we could not judge is settled"
    plan = with_said(("v1.69.7", True, ""), ("v1.70.17", False, "k8s"))
    assert sorted(finding.severity for finding in found(plan, "cluster_verdict")) == ["info", "warning"], (
        "not yet final"
    )
    assert only(with_said(("v1.69.7", None, "no webhook")), "cluster_verdict").severity == "info"


def test_verdicts_of_unknown_clusters_are_refused() -> None:
    with pytest.raises(InvalidInput, match="cluster_verdicts: there is no cluster 'prd'"):
        with_verdicts([Member(facts())], {"prd": []})
    with pytest.raises(InvalidInput, match=r"cluster_verdicts\.prod\[0\]\.version"):
        with_verdicts([Member(facts())], {"prod": [{"version": 1.7}]})
    assert with_verdicts([Member(facts())], None)[0].verdicts == ()
    said = with_verdicts([Member(facts())], {"prod": verdicts(("v1.69.7", True, ""))})
    assert said[0].verdicts == (ClusterVerdict(Version(1, 69, 7), True, ""),)


# Requests and what they need


def request(**more: Any) -> Any:
    wishes = more.pop("wishes", {})
    return parse_request({"kind": "UpdateRequest", "version": 1, "cluster": cluster(**more), "wishes": wishes})


def test_wishes_of_a_request_hold_unless_the_options_say_otherwise() -> None:
    wished = request(wishes={"target": "v1.69.7", "include_running": "always", "ignore_suspend": True})
    (member,) = members_of([], [(wished, None)], Defaults())
    assert (str(member.wish.target), member.wish.include_running, member.wish.ignore_suspend) == (
        "v1.69.7",
        "always",
        True,
    )
    (member,) = members_of([], [(wished, None)], Defaults(target={"prod": "rock-solid"}))
    assert member.wish.target == "rock-solid"
    with pytest.raises(InvalidInput, match="wishes.target of prod: 'Stable'"):
        members_of([], [(request(wishes={"target": "Stable"}), None)], Defaults())


def test_what_a_private_registry_cannot_take_stands_against_the_plan() -> None:
    told = {"id": "R4", "severity": "error", "subject": "registry", "message": "no nested paths", "hint": "allow them"}
    aside = {"id": "R6", "severity": "unknown", "subject": "registry", "message": "how much room is left is not known"}
    document = {"kind": "UpdateRequest", "version": 1, "cluster": cluster(), "preflight": [told, aside]}
    members = members_of([], [(parse_request(document), None)], Defaults())
    plan = plan_fleet(members, parse_vendor(VENDOR, modules()))
    assert not plan.ok and [finding.id for finding in plan.clusters["prod"].findings if finding.id[0] == "R"] == ["R4"]


@pytest.mark.parametrize(
    ("registry", "severity", "told"),
    [
        ({"mode": "Local"}, "error", "would be read"),
        ({**PRIVATE["registry"], "mode": "Proxy", "cache_seconds": 5400}, "info", "5400 seconds late"),
        ({**PRIVATE["registry"], "mode": "Proxy"}, "info", "the time of its cache"),
    ],
)
def test_how_the_cluster_reads_its_registry_matters(registry: dict[str, Any], severity: str, told: str) -> None:
    finding = only(plan_of(cluster("prod", registry=registry)), "registry_mode")
    assert finding.severity == severity and told in finding.message
    assert not found(plan_of(cluster("prod", registry={**PRIVATE["registry"], "mode": "Direct"})), "registry_mode")


def test_only_what_a_plan_needs_is_asked_for() -> None:
    known = {
        "console": {"version": "v1.35.1", "channel": "alpha"},
        "sdn": {},
        "off": {"enabled": False, "version": "v1.0.0"},
        "operator-trivy": {"embedded": True},
    }
    members = members_of(
        [
            facts(name="a", modules=known),
            facts(name="b", modules=known),
            facts(name="c", version="v1.67.4", channel=None),
        ],
        [],
        Defaults(target={"b": "v1.69.7"}),
    )
    needs = needs_of(members, ModuleChoice(), None)
    assert needs["platform"] == [{"from": "v1.68.11", "to": "stable"}, {"from": "v1.68.11", "to": "v1.69.7"}]
    assert needs["modules"] == [
        {"module": "console", "from": "v1.35.1", "to": "alpha"},
        {"module": "sdn", "to": "stable"},
    ]
    leaving = platform("v1.69.7", channels(stable="v1.69.7"), {"v1.69.7": {"migratedModules": "operator-trivy"}})
    needs = needs_of(members, ModuleChoice(), parse_vendor(leaving, None).platform)
    assert {"module": "operator-trivy", "to": "stable"} in needs["modules"]


# The document


def test_the_document_is_read_back_and_the_same_for_the_same_input() -> None:
    of = [cluster("b", **PRIVATE), cluster("a", "v1.67.4", modules={"console": {"version": "v1.35.1"}})]
    offers = modules(console=module("v1.36.2", channels(stable="v1.36.2")))
    document = document_of(*of, vendor_modules=offers)
    assert json.dumps(document) == json.dumps(document_of(*reversed(of), vendor_modules=offers))
    read = parse_plan(document)
    assert read.content == plan_of(*of, vendor_modules=offers).content and read.ok is document["ok"]


def test_a_plan_that_is_too_long_loses_what_a_pull_can_do_without_or_is_no_plan_at_all() -> None:
    offers = modules(**{f"module-{number}": module("v1.0.0 v1.1.0", channels(stable="v1.1.0")) for number in range(40)})
    known = {f"module-{number}": {"version": "v1.0.0"} for number in range(40)}
    document = document_of(cluster(modules=known), vendor_modules=offers)
    whole = len(json.dumps(document))
    assert shortened(document) == {"plan": document, "omitted": []}
    short = shortened(document, largest=whole - 1)
    assert short["omitted"] == ["plan.content.pins"]
    assert len(parse_plan(short["plan"]).content.pins) == 41, "those of the channels stay"
    short = shortened(document, largest=whole // 2)
    assert short["omitted"] == ["plan.content", "plan.clusters"]
    with pytest.raises(InvalidInput, match=r"plan\.(clusters|content): is missing"):
        parse_plan(short["plan"])


def test_findings_that_are_too_many_leave_room_for_those_that_matter() -> None:
    told = [
        {"severity": severity, "message": "x" * 50} for severity in ("unknown", "error", "info") for _each in range(9)
    ]
    assert fitting_findings(told) == told
    assert {each["severity"] for each in fitting_findings(told, largest=1500)} == {"error"}
    assert 1 <= len(fitting_findings(told, largest=400)) < 9


def test_the_table_shows_the_way_the_sizes_and_what_to_do() -> None:
    stated = {"v1.69.7": {"disabledModules": "delivery"}}
    vendor = platform("v1.68.11 v1.69.7", channels(stable="v1.69.7"), stated)
    of = cluster(modules={"delivery": {"embedded": True}, "console": {"version": "v1.35.1"}}, **PRIVATE)
    offers = modules(console=module("v1.36.2", channels(stable="v1.36.2")))
    sizes = {"platform": {"v1.69.7": 1_234_000_000}, "modules": {"console": {"v1.36.2": 999}}}
    text = "\n".join(plan_table(document_of(of, vendor=vendor, vendor_modules=offers), sizes))
    assert "Cluster prod (EE, registry.internal/dkp/ee)" in text
    assert "platform  v1.68.11 -> v1.69.7 (1.2 GB), channel stable" in text
    assert "console   v1.35.1 -> v1.36.2 (999 bytes), channel stable" in text
    assert "ERROR P10 [v1.69.7]" in text and "still enabled: delivery" in text and "Disable them" in text
    assert "The plan cannot be carried out: 1 error" in text
    nothing = "\n".join(plan_table(document_of(cluster(version="v1.70.17"))))
    assert "v1.70.17, channel stable, nothing to do" in nothing and "To download: nothing" in nothing


@pytest.mark.parametrize(
    ("size", "text"), [(0, "0 bytes"), (999, "999 bytes"), (1000, "1.0 kB"), (123_456, "123 kB"), (10**13, "10.0 TB")]
)
def test_sizes_are_readable(size: int, text: str) -> None:
    assert readable(size) == text


# What holds for any vendor and any clusters

MINORS = st.integers(0, 6)
VERSIONS = st.builds(Version, st.just(1), MINORS, st.integers(0, 3))
NAMES = ("alpha", "stable", "rock-solid")


@st.composite
def fleets(draw: st.DrawFn) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    tags = draw(st.sets(VERSIONS, min_size=1, max_size=20))
    pointed = {name: draw(st.sampled_from(sorted(tags))) for name in NAMES}
    vendor = platform(
        " ".join(map(str, sorted(tags))),
        channels(**{name.replace("-", "_"): str(version) for name, version in pointed.items()}),
    )
    running = draw(st.lists(st.tuples(VERSIONS, st.sampled_from(NAMES)), min_size=1, max_size=4))
    clusters = [
        cluster(f"c{number}", str(version), channel=channel) for number, (version, channel) in enumerate(running)
    ]
    return vendor, clusters


@given(fleets())
def test_the_union_holds_every_step_and_no_channel_leads_to_what_is_not_there(
    fleet: tuple[dict[str, Any], list[dict[str, Any]]],
) -> None:
    vendor, clusters = fleet
    plan = plan_of(*clusters, vendor=vendor)
    content = plan.content.platform
    for each in plan.clusters.values():
        assert set(each.platform.steps) <= set(content.versions)
        assert all(step > each.facts.version for step in each.platform.steps)
        assert each.platform.end is None or all(step <= each.platform.end for step in each.platform.steps)
    assert set(content.channels.values()) <= set(content.versions)
    assert set(content.versions) == {step for each in plan.clusters.values() for step in each.platform.steps}
    parse_plan(plan_document(plan))


@given(fleets(), st.integers(0, 2**32))
def test_the_order_of_everything_does_not_matter(fleet: tuple[dict[str, Any], list[dict[str, Any]]], seed: int) -> None:
    vendor, clusters = fleet
    shuffled = random.Random(seed)
    other = {
        **vendor,
        "versions": shuffled.sample(vendor["versions"], len(vendor["versions"])),
        "channels": dict(shuffled.sample(list(vendor["channels"].items()), len(vendor["channels"]))),
        "releases": dict(shuffled.sample(list(vendor["releases"].items()), len(vendor["releases"]))),
    }
    again = shuffled.sample(clusters, len(clusters))
    assert document_of(*clusters, vendor=vendor) == document_of(*again, vendor=other)


@given(fleets(), st.data())
def test_planning_from_a_reached_step_gives_the_rest_of_the_plan(
    fleet: tuple[dict[str, Any], list[dict[str, Any]]], data: st.DataObject
) -> None:
    vendor, (first, *_others) = fleet
    way = plan_of(first, vendor=vendor).clusters["c0"].platform.steps
    if way:
        reached = data.draw(st.integers(0, len(way) - 1))
        rest = plan_of({**first, "version": str(way[reached])}, vendor=vendor).clusters["c0"].platform.steps
        assert rest == way[reached + 1 :]
