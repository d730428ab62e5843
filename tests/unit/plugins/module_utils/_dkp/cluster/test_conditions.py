# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Nodes, ingress controllers, Istio, cloud conditions, alerts and the webhook: what requirements look at (§4.2)."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.dkp.airgap.plugins.module_utils._dkp.cluster.facts import (
    Alert,
    CloudCondition,
    ClusterFacts,
    IngressController,
)
from ansible_collections.dkp.airgap.plugins.module_utils._dkp.cluster.reading import cluster_facts
from ansible_collections.dkp.airgap.plugins.module_utils._oci.errors import InvalidContent
from ansible_collections.dkp.airgap.tests.kit.cluster_objects import (
    alert,
    cloud_conditions,
    config_map,
    deployment,
    ingress_controller,
    node,
    release,
)
from ansible_collections.dkp.airgap.tests.kit.module_objects import module_config
from ansible_collections.dkp.airgap.tests.kit.observed import observed

RUNS = deployment(version="v1.71.9", edition="EE", images_repo="registry.example/dkp/ee")


def facts(*objects: dict[str, Any], unread: tuple[str, ...] = ()) -> ClusterFacts:
    return cluster_facts(observed([RUNS, *objects], unread=unread), name="prod")


def old_master(name: str, kubelet: str) -> dict[str, Any]:
    made = node(name, group="", kubelet=kubelet)
    made["metadata"]["labels"]["node-role.kubernetes.io/master"] = ""
    return made


# nodes -> lowest kubelet, Kubernetes version
LOWEST: list[tuple[list[dict[str, Any]], str | None, str | None]] = [
    ([], None, None),
    ([node("a", group="worker", kubelet="v1.31.6")], "1.31.6", "1.31.6"),
    # 1.9 is lower than 1.31, whatever their texts are
    ([node("a", group="", kubelet="v1.31.6"), node("b", group="", kubelet="v1.9.10")], "1.9.10", "1.9.10"),
    ([node("a", group="master", kubelet="v1.31.6"), node("b", group="worker", kubelet="v1.30.1")], "1.30.1", "1.31.6"),
    ([old_master("a", "v1.29.8"), node("b", group="worker", kubelet="v1.28.0")], "1.28.0", "1.29.8"),
    ([node("a", group="master", kubelet="v1.31.6+k1"), node("b", group="worker", kubelet="")], None, "1.31.6+k1"),
]


@pytest.mark.parametrize(("nodes", "kubelet", "version"), LOWEST)
def test_the_lowest_kubelet(nodes: list[dict[str, Any]], kubelet: str | None, version: str | None) -> None:
    found = facts(*nodes)
    assert (found.kubelet_min, found.kubernetes_version) == (kubelet, version)


def test_a_node_is_told_whole() -> None:
    nodes = facts(node("worker-0", group="worker"), node("foreign", group="")).nodes
    assert nodes is not None
    found = nodes["worker-0"]
    assert (found.kubelet, found.group, found.control_plane) == ("1.31.6", "worker", False)
    assert (found.os_image, found.kernel) == ("Ubuntu 22.04.5 LTS", "5.15.0-122-generic")
    assert found.runtime == "containerd://1.7.27"
    assert found.labels["node.deckhouse.io/type"] == "Static"
    assert nodes["foreign"].group is None


def test_releases_of_the_platform() -> None:
    empty = release("v1.73.0", phase="", apply_after="2026-03-02T11:30:00Z")
    annotated = {**release("v1.72.1", phase="Suspended"), "approved": None}
    annotated["metadata"]["annotations"]["release.deckhouse.io/approved"] = "true"
    releases = facts(empty, release("v1.9.0", phase="Deployed", approved=True, isUpdating="true"), annotated).releases
    assert [(str(each.version), each.phase, each.approved, each.updating) for each in releases or ()] == [
        ("v1.9.0", "Deployed", True, True),
        ("v1.72.1", "Suspended", True, False),
        ("v1.73.0", "Pending", False, False),
    ]
    assert (releases or ())[-1].apply_after == "2026-03-02T11:30:00Z"


def test_ingress_controllers_and_their_default() -> None:
    found = facts(
        ingress_controller("main", version="1.10"),
        ingress_controller("internal", ingress_class="internal"),
        module_config("ingress-nginx", settings={"defaultControllerVersion": "1.9"}),
    )
    assert found.ingress_controllers == {
        "internal": IngressController(None, "internal"),
        "main": IngressController("1.10", "nginx"),
    }
    assert found.ingress_default == "1.9"


def test_a_version_that_is_a_number_has_lost_its_zeros() -> None:
    broken = ingress_controller("main")
    broken["spec"]["controllerVersion"] = 1.1
    with pytest.raises(InvalidContent, match=r"IngressNginxController main: spec.controllerVersion: .*quote it"):
        facts(broken)


@pytest.mark.parametrize(
    ("settings", "versions"),
    [
        ({"globalVersion": "1.19", "additionalVersions": ["1.16", "1.19"]}, ("1.19", "1.16")),
        ({"additionalVersions": ["1.16"]}, ("1.16",)),
        ({}, ()),
    ],
)
def test_istio(settings: dict[str, Any], versions: tuple[str, ...]) -> None:
    assert facts(module_config("istio", settings=settings)).istio_versions == versions


def test_cloud_conditions() -> None:
    assert facts(cloud_conditions(vpc="grant it")).cloud_conditions == (
        CloudCondition("quotas", True),
        CloudCondition("vpc", False, "grant it"),
    )
    assert facts().cloud_conditions == ()
    assert facts(unread=("ConfigMap",)).cloud_conditions is None


@pytest.mark.parametrize(
    "text", ["{", '{"name": 1}', '[{"name": "x"}]', '[{"ok": true}]', "[3]", '[{"name":"x","ok":1}]']
)
def test_cloud_conditions_of_another_shape_are_named(text: str) -> None:
    broken = config_map("kube-system", "d8-cloud-provider-conditions", values={"conditions": text})
    with pytest.raises(InvalidContent, match='ConfigMap kube-system/d8-cloud-provider-conditions: data."conditions"'):
        facts(broken)


def test_alerts_are_those_that_fire() -> None:
    silent = alert("B", severity=4, summary="")
    del silent["status"]
    found = facts(
        alert("A", severity=4, summary="It is so.", version="v1.71.9"),
        alert("C", severity=5, summary="Was so.", state="resolved"),
        silent,
    ).alerts
    assert found == (Alert("A", "4", "It is so.", {"version": "v1.71.9"}), Alert("B", "4"))


def webhook(*names: str) -> dict[str, Any]:
    hooks = [{"name": name} for name in names]
    return {"kind": "ValidatingWebhookConfiguration", "metadata": {"name": "deckhouse-webhook"}, "webhooks": hooks}


def test_the_webhook_that_judges_approvals() -> None:
    name = "deckhouse-releases.deckhouse-webhook.deckhouse.io"
    assert facts(webhook("other.example", name)).approval_webhook is True
    assert facts(webhook("other.example")).approval_webhook is False
    assert facts(webhook()).approval_webhook is False
    assert facts().approval_webhook is False
    assert facts(unread=("ValidatingWebhookConfiguration",)).approval_webhook is None
