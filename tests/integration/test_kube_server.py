# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The kit's API server does what other tests take for granted: it is a real one, and it can be emptied."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.dkp.airgap.tests.kit import cluster_objects, clusters, module_objects
from ansible_collections.dkp.airgap.tests.kit.cluster import KubeServer
from ansible_collections.dkp.airgap.tests.kit.custom_resources import KINDS
from ansible_collections.dkp.airgap.tests.kit.kube_client import KubeError, KubeObject
from ansible_collections.dkp.airgap.tests.kit.programs import find_kubectl
from ansible_collections.dkp.airgap.tests.kit.rights import grant
from ansible_collections.dkp.airgap.tests.kit.webhook import ReleaseWebhook

SCENARIOS: dict[str, Callable[[], list[KubeObject]]] = {
    "manual_ee": clusters.manual_ee,
    "old_generation": clusters.old_generation,
    "direct": clusters.direct_mode,
    "proxy": lambda: clusters.direct_mode(mode="Proxy"),
    "local": lambda: clusters.direct_mode(mode="Local"),
    "cse_lts": clusters.cse_lts,
    "fresh": clusters.fresh,
    "updating": clusters.updating,
}


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_the_server_holds_every_scenario_as_it_was_given(cluster: KubeServer, scenario: str) -> None:
    given = SCENARIOS[scenario]()
    cluster.apply(given)
    cluster.apply(given)
    for thing in given:
        kind, metadata = f"{thing['apiVersion']}/{thing['kind']}", thing["metadata"]
        held = cluster.client.get(kind, metadata["name"], namespace=metadata.get("namespace", ""))
        for part in ("spec", "status", "properties", "data", "alert", "approved"):
            assert contains(held.get(part), thing.get(part)), f"{kind} {metadata['name']}: {part}"


def contains(held: Any, given: Any) -> bool:
    """Whether all that was given is there; the server adds its defaults."""
    if isinstance(given, dict):
        return isinstance(held, dict) and all(contains(held.get(key), value) for key, value in given.items())
    if isinstance(given, list) and isinstance(held, list):
        return len(held) == len(given) and all(map(contains, held, given))
    return given is None or bool(held == given)


def test_the_observed_generation_of_a_deployment_is_current(cluster: KubeServer) -> None:
    cluster.apply(clusters.fresh())
    cluster.apply([cluster_objects.deployment(version="v1.69.7", edition="EE", images_repo="registry.example/dkp/ee")])
    held = cluster.client.get("Deployment", "deckhouse", namespace="d8-system")
    assert held["metadata"]["generation"] == 2 == held["status"]["observedGeneration"]


def test_kubectl_lists_releases(cluster: KubeServer, kubeconfig: Path) -> None:
    cluster.apply(clusters.manual_ee())
    command = [str(find_kubectl()), "--kubeconfig", str(kubeconfig), "get", "deckhousereleases"]
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    assert [line.split()[:2] for line in lines] == [
        ["NAME", "PHASE"],
        ["v1.67.14", "Superseded"],
        ["v1.68.11", "Deployed"],
        ["v1.69.7", "Pending"],
    ]


def test_both_versions_of_a_policy_are_served(cluster: KubeServer) -> None:
    cluster.apply([module_objects.policy("slow", channel="RockSolid")])
    for version in ("v1alpha1", "v1alpha2"):
        held = cluster.client.get(f"deckhouse.io/{version}/ModuleUpdatePolicy", "slow")
        assert held["spec"]["releaseChannel"] == "RockSolid"


def test_a_cluster_may_lack_kinds(cluster: KubeServer) -> None:
    absent = {"ModulePullOverride", "ClusterAlert"}
    cluster.install_crds(without=absent)
    for kind in KINDS:
        if kind.name in absent:
            with pytest.raises(KubeError) as raised:
                cluster.client.list(kind.name)
            assert raised.value.status == 404
        else:
            assert cluster.client.list(kind.name) == []


def test_a_service_account_may_do_what_it_was_allowed(cluster: KubeServer) -> None:
    cluster.apply(clusters.manual_ee())
    robot = cluster.client_of(cluster.service_account_token("d8-system", "robot"))
    with pytest.raises(KubeError) as raised:
        robot.list("DeckhouseRelease")
    assert (raised.value.status, raised.value.reason) == (403, "Forbidden")
    cluster.apply(grant("robot", namespace="d8-system", resources={"deckhouse.io/deckhousereleases": ["get", "list"]}))
    assert len(robot.list("DeckhouseRelease")) == 3
    with pytest.raises(KubeError) as raised:
        robot.patch("DeckhouseRelease", "v1.69.7", patch={"approved": True})
    assert raised.value.status == 403
    asked = [(request.verb, request.uri) for request in cluster.requests() if request.user.endswith(":robot")]
    path = "/apis/deckhouse.io/v1alpha1/deckhousereleases"
    assert [one for one in asked if one[1].startswith(path)] == [
        ("list", path),
        ("list", path),
        ("patch", f"{path}/v1.69.7"),
    ]


def test_the_webhook_judges_approvals_also_in_a_dry_run(cluster: KubeServer, tmp_path: Path) -> None:
    def unmet(requirements: Any) -> list[str]:
        return ["kubernetes is too old"] if requirements.get("k8s") == "1.35" else []

    cluster.apply(clusters.manual_ee(requirements={"k8s": "1.35"}))
    candidate = cluster_objects.release("v1.70.17", phase="Pending", approved=True)
    with ReleaseWebhook(tmp_path, unmet=unmet) as webhook:
        cluster.apply([webhook.configuration()])
        for change in ({"approved": True}, {"metadata": {"annotations": {"release.deckhouse.io/approved": "true"}}}):
            with pytest.raises(KubeError) as raised:
                cluster.client.patch("DeckhouseRelease", "v1.69.7", patch=change, dry_run=True)
            assert 'cannot approve DeckhouseRelease "v1.69.7": requirements not met: kubernetes' in str(raised.value)
        cluster.client.create(candidate, dry_run=True)
        assert len(webhook.reviews) == 3 and all(review["dryRun"] for review in webhook.reviews)
        assert {one["metadata"]["name"] for one in cluster.client.list("DeckhouseRelease")}.isdisjoint({"v1.70.17"})
        assert not cluster.client.get("DeckhouseRelease", "v1.69.7")["approved"]
    with pytest.raises(KubeError, match="deckhouse-releases.deckhouse-webhook"):
        cluster.client.patch("DeckhouseRelease", "v1.69.7", patch={"approved": True})


def test_a_restarted_server_holds_what_it_held(cluster: KubeServer) -> None:
    cluster.apply(clusters.fresh())
    address = cluster.url
    cluster.restart()
    assert cluster.url == address
    assert cluster.client.get("Deployment", "deckhouse", namespace="d8-system")


def test_clearing_leaves_nothing(cluster: KubeServer) -> None:
    before = everything(cluster)
    cluster.apply(clusters.manual_ee())
    cluster.apply(grant("robot", namespace="d8-system", resources={"/secrets": ["get"]}))
    cluster.client_of(cluster.admin_token).list("Node")
    assert cluster.requests()
    cluster.clear()
    assert everything(cluster) == before
    assert not cluster.requests()


def everything(cluster: KubeServer) -> set[tuple[str, str]]:
    """Kind and name of all objects that a test could have made."""
    return {
        (resource.kind, one["metadata"]["name"])
        for resource in cluster.client.discover()
        if "list" in resource.verbs and resource.plural not in ("leases", "events")
        for one in cluster.client.list(f"{resource.api_version}/{resource.kind}")
    }
