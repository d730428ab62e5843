# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The request that crosses the gap: written in one order, read with the path of every mistake."""

from __future__ import annotations

import re
from typing import Any

import pytest
from ansible_collections.dkp.airgap.plugins.module_utils._dkp.cluster.facts import ClusterFacts
from ansible_collections.dkp.airgap.plugins.module_utils._dkp.cluster.request import (
    UpdateRequest,
    Wishes,
    parse_request,
    parse_wishes,
    request_document,
)
from ansible_collections.dkp.airgap.plugins.module_utils._dkp.version import Version
from ansible_collections.dkp.airgap.plugins.module_utils._oci.errors import InvalidInput

HEAD = {"kind": "UpdateRequest", "version": 1}
MINIMAL: dict[str, Any] = {**HEAD, "cluster": {"name": "prod", "version": "v1.68.11"}}


def test_a_request_by_hand_needs_name_and_version_alone() -> None:
    assert parse_request(MINIMAL) == UpdateRequest(ClusterFacts("prod", Version(1, 68, 11)))


def test_the_order_is_that_of_the_contract() -> None:
    wishes = Wishes(target="v1.70.17", include_running="never", ignore_suspend=True)
    document = request_document(UpdateRequest(ClusterFacts("prod", Version(1, 68, 11)), "inventory.yml", wishes))
    assert list(document) == ["kind", "version", "cluster", "inventory", "wishes", "preflight"]
    assert document["wishes"] == {"target": "v1.70.17", "include_running": "never", "ignore_suspend": True}
    assert document["inventory"] == "inventory.yml"
    assert parse_request(document) == UpdateRequest(ClusterFacts("prod", Version(1, 68, 11)), "inventory.yml", wishes)


def test_the_example_of_the_contract_is_a_request() -> None:
    cluster = {
        **{"name": "prod", "uuid": "3c2d1f04", "resource_version": "4711", "edition": "EE", "version": "v1.68.11"},
        **{"channel": "stable", "update_mode": "Manual", "kubernetes_version": "1.31.6", "kubelet_min": "1.31.6"},
        "registry": {"images_repo": "registry.example/dkp/ee", "scheme": "https"},
        "modules": {
            "console": {
                **{"version": "v1.35.1", "channel": "stable", "source": "deckhouse"},
                **{"enabled": True, "pending": []},
            }
        },
        "sources": {"deckhouse": {"repo": "registry.example/dkp/ee/modules"}},
        "nodes": {},
        "releases": [{"version": "v1.68.11", "phase": "Deployed"}],
    }
    found = parse_request({**HEAD, "cluster": cluster, "inventory": None}).cluster
    assert found.registry is not None and found.registry.images_repo == "registry.example/dkp/ee"
    assert (found.modules or {})["console"].version == Version(1, 35, 1)


def with_cluster(**fields: Any) -> dict[str, Any]:
    return {**HEAD, "cluster": {**MINIMAL["cluster"], **fields}}


# document -> the error, from its beginning
REFUSED: list[tuple[Any, str]] = [
    ([], "prod.yml: expected a mapping"),
    ({}, "prod.yml.kind: is missing"),
    ({**MINIMAL, "kind": "UpdatePlan"}, "prod.yml.kind: expected 'UpdateRequest', found the string 'UpdatePlan'"),
    ({**MINIMAL, "version": 2}, "prod.yml.version: the number 2 is not known; this collection knows version 1"),
    ({**MINIMAL, "version": "1"}, "prod.yml.version: the string '1' is not known"),
    ({**MINIMAL, "version": True}, "prod.yml.version: true is not known"),
    ({"kind": "UpdateRequest", "cluster": {}}, "prod.yml.version: is missing"),
    (HEAD, "prod.yml.cluster: is missing"),
    ({**MINIMAL, "clusters": []}, "prod.yml.clusters: not a known field (did you mean cluster?)"),
    ({**HEAD, "cluster": {"version": "v1.68.11"}}, "prod.yml.cluster.name: is missing"),
    ({**HEAD, "cluster": {"name": "prod"}}, "prod.yml.cluster.version: is missing"),
    (with_cluster(name=7), "prod.yml.cluster.name: expected a string, found the number 7; quote it"),
    (with_cluster(name=" "), "prod.yml.cluster.name: ' ' is no name for a cluster"),
    (with_cluster(version="1.68"), "prod.yml.cluster.version: '1.68' is not a version; write it like v1.69.4"),
    (with_cluster(channel="Stable"), "prod.yml.cluster.channel: 'Stable' is no release channel (did you mean stable?)"),
    (with_cluster(kubelet_min=1.31), "prod.yml.cluster.kubelet_min: expected a string, found the number 1.31; quote"),
    (
        with_cluster(modules={"console": {"pending": ["1.0.0"]}}),
        "prod.yml.cluster.modules.console.pending[0]: '1.0.0' is not a version",
    ),
    (
        with_cluster(registry={"images_repo": "https://user:secret-word@r.example/x"}),
        "prod.yml.cluster.registry.images_repo: not an address host[:port]/path",
    ),
    ({**MINIMAL, "wishes": {"include_running": "yes"}}, "prod.yml.wishes.include_running: 'yes' is none of auto,"),
    ({**MINIMAL, "wishes": {"ignore_suspend": "no"}}, "prod.yml.wishes.ignore_suspend: expected true or false"),
    ({**MINIMAL, "inventory": {}}, "prod.yml.inventory: expected a string"),
]


@pytest.mark.parametrize(("document", "message"), REFUSED)
def test_mistakes_are_named_with_their_path(document: Any, message: str) -> None:
    with pytest.raises(InvalidInput, match=re.escape(message)) as caught:
        parse_request(document, "prod.yml")
    assert "secret-word" not in str(caught.value)


def test_wishes_alone() -> None:
    assert parse_wishes(None) == parse_wishes({"target": None}) == Wishes()
