# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whole clusters as the specification describes them, and what is made of them when they are damaged."""

from __future__ import annotations

import copy
import random
from collections.abc import Callable
from typing import Any

import pytest
from ansible_collections.dkp.airgap.plugins.module_utils._dkp.cluster.facts import ClusterFacts
from ansible_collections.dkp.airgap.plugins.module_utils._dkp.cluster.reading import cluster_facts
from ansible_collections.dkp.airgap.plugins.module_utils._dkp.cluster.request import (
    UpdateRequest,
    parse_request,
    request_document,
)
from ansible_collections.dkp.airgap.plugins.module_utils._dkp.fields import parse_record, plain
from ansible_collections.dkp.airgap.plugins.module_utils._oci.errors import AirgapError
from ansible_collections.dkp.airgap.tests.kit import clusters
from ansible_collections.dkp.airgap.tests.kit.observed import observed
from hypothesis import given, settings
from hypothesis import strategies as st

SCENARIOS: dict[str, Callable[[], list[dict[str, Any]]]] = {
    "manual": clusters.manual_ee,
    "old": clusters.old_generation,
    "direct": clusters.direct_mode,
    "local": lambda: clusters.direct_mode(mode="Local"),
    "cse": clusters.cse_lts,
    "fresh": clusters.fresh,
    "updating": clusters.updating,
}


def facts(scenario: str) -> ClusterFacts:
    return cluster_facts(observed(SCENARIOS[scenario]()), name=scenario)


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_facts_are_read_back_as_they_were_written(scenario: str) -> None:
    found = facts(scenario)
    assert parse_record(ClusterFacts, plain(found), "cluster") == found
    request = UpdateRequest(found)
    assert parse_request(request_document(request)) == request


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_the_order_of_objects_does_not_matter(scenario: str) -> None:
    objects = SCENARIOS[scenario]()
    random.Random(7).shuffle(objects)
    shuffled = request_document(UpdateRequest(cluster_facts(observed(objects), name=scenario)))
    assert repr(shuffled) == repr(request_document(UpdateRequest(facts(scenario))))


def test_a_cluster_that_updates_by_hand() -> None:
    found = plain(facts("manual"))
    assert found["version"] == "v1.68.11" and found["edition"] == "EE" and found["channel"] == "stable"
    assert found["update_mode"] == "Manual" and found["update_windows"][0]["from"] == "20:00"
    assert found["kubernetes"] == {"version": "1.31", "automatic": "1.30", "maximum_used": "1.31"}
    assert found["kubelet_min"] == found["kubernetes_version"] == "1.31.6"
    assert found["registry"]["images_repo"] == "registry.example/dkp/ee" and found["registry"]["source_agrees"]
    assert [(each["version"], each["phase"]) for each in found["releases"]] == [
        ("v1.67.14", "Superseded"),
        ("v1.68.11", "Deployed"),
        ("v1.69.7", "Pending"),
    ]
    console = found["modules"]["console"]
    assert (console["version"], console["pending"], console["channel"]) == ("v1.35.1", ["v1.36.2"], "stable")
    assert found["modules"]["operator-trivy"]["channel"] == "rock-solid"
    assert found["modules"]["stronghold"]["override"] == clusters.OVERRIDE_TAG
    assert not found["modules"]["commander"]["enabled"]
    assert found["modules"]["prometheus"]["embedded"]
    assert found["ingress_controllers"]["internal"] == {"version": None, "class": "internal"}
    assert found["cloud_conditions"][1] == {"name": "vpcPermissions", "ok": False, "message": "grant vpc.editor"}
    assert [alert["name"] for alert in found["alerts"]] == ["DeckhouseReleaseIsWaitingManualApproval"]
    assert found["nodes"]["master-0"]["control_plane"]


def test_a_cluster_of_the_old_generation() -> None:
    found = facts("old")
    modules = found.modules or {}
    assert (modules["console"].policy, modules["console"].channel) == ("fast", "early-access")
    assert modules["console"].update_mode == "Manual"
    assert (modules["sdn"].policy, modules["sdn"].update_mode) == ("ignored", "Ignore")
    assert (modules["stronghold"].enabled, modules["stronghold"].channel) == (False, "stable")
    assert modules["prometheus"].embedded and modules["prometheus"].enabled
    assert (found.sources or {})["deckhouse"].modules["stronghold"].error.endswith("next 'v1.16.1'")


def test_cse_and_a_fresh_cluster_and_one_in_the_middle_of_an_update() -> None:
    cse, fresh, updating = facts("cse"), facts("fresh"), facts("updating")
    assert (cse.edition, cse.channel, (cse.modules or {})["console"].channel) == ("CSE", "lts", "lts")
    assert fresh.releases == ()
    assert (str(updating.version), str(updating.switched_version)) == ("v1.68.11", "v1.69.7")
    assert [str(each.version) for each in updating.releases or () if each.updating] == ["v1.69.7"]


Path = tuple[Any, ...]
STRANGE = (
    None,
    "",
    "x",
    "v1",
    "1.2.3.4",
    "latest",
    "\ud800",
    "true",
    0,
    -1,
    1.5,
    True,
    [],
    {},
    [None],
    {"": None},
    [[]],
)


def paths(value: Any, before: Path = ()) -> list[Path]:
    """Where `value` can be damaged."""
    below: list[tuple[Any, Any]] = []
    if isinstance(value, dict):
        below = list(value.items())
    elif isinstance(value, list):
        below = list(enumerate(value))
    return [path for key, item in below for path in ((*before, key), *paths(item, (*before, key)))]


WHOLE = {scenario: observed(make()) for scenario, make in SCENARIOS.items()}
PLACES = [(scenario, path) for scenario, objects in WHOLE.items() for path in paths(objects)]


def damage(objects: dict[str, Any], path: Path, harm: Any) -> None:
    place: Any = objects
    for key in path[:-1]:
        place = place[key]
    if harm is not DELETED:
        place[path[-1]] = harm
    else:
        del place[path[-1]]


DELETED = object()
HARMS = st.one_of(
    st.just(DELETED),
    st.sampled_from(STRANGE),
    st.text(max_size=8),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=3),
        lambda below: st.lists(below, max_size=3) | st.dictionaries(st.text(max_size=3), below, max_size=3),
        max_leaves=5,
    ),
)


@settings(max_examples=600, deadline=None, derandomize=True)
@given(place=st.sampled_from(PLACES), harm=HARMS)
def test_damaged_objects_are_named_or_have_defaults(place: tuple[str, Path], harm: Any) -> None:
    scenario, path = place
    objects = copy.deepcopy(WHOLE[scenario])
    damage(objects, path, harm)
    try:
        found = cluster_facts(objects, name="prod")
    except AirgapError as error:
        # the kind at least: of an object without a name there is no more to tell
        assert "nothing tells which version" in str(error) or path[0] in str(error)
    else:
        assert parse_record(ClusterFacts, plain(found), "cluster") == found


@settings(max_examples=300, deadline=None, derandomize=True)
@given(data=st.data(), harm=HARMS)
def test_damaged_requests_are_refused_with_a_path(data: st.DataObject, harm: Any) -> None:
    document = request_document(UpdateRequest(facts("manual")))
    path = data.draw(st.sampled_from(paths(document)))
    damage(document, path, harm)
    try:
        request = parse_request(document, "prod.yml")
    except AirgapError as error:
        assert str(error).startswith(f"prod.yml.{path[0]}")
    else:
        assert parse_request(request_document(request)) == request


@pytest.mark.parametrize("scenario", ["manual", "old"])
def test_every_single_field_may_be_damaged(scenario: str) -> None:
    harms = (DELETED, None, 3, "?", [])
    for turn, path in enumerate(paths(WHOLE[scenario])):
        objects = dict(WHOLE[scenario])
        objects[path[0]] = copy.deepcopy(objects[path[0]])
        damage(objects, path, harms[turn % len(harms)])
        try:
            cluster_facts(objects, name="prod")
        except AirgapError as error:
            assert "nothing tells which version" in str(error) or path[0] in str(error), path
