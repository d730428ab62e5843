# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every requirement of dkp-cluster.md §4.2 as rows: met, not met with the offenders by name, or unknown."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.dkp.airgap.plugins.module_utils._dkp.plan.catalogue import judge
from ansible_collections.dkp.airgap.plugins.module_utils._dkp.plan.verdict import Situation
from ansible_collections.dkp.airgap.tests.kit.planning import facts

CILIUM = {"cni-cilium": {"embedded": True}}
ISTIO = {"istio": {"embedded": True}}
NODES = {
    "master-0": {
        "kubelet": "1.31.6",
        "group": "master",
        "os_image": "Ubuntu 22.04.5 LTS",
        "kernel": "5.15.0-122-generic",
    },
    "worker-0": {
        "kubelet": "1.30.1",
        "group": "worker",
        "os_image": "Debian GNU/Linux 11 (bullseye)",
        "kernel": "5.4.0-9",
    },
    "foreign": {"kubelet": "1.30.1", "os_image": "Ubuntu 16.04.7 LTS", "kernel": "4.4.0"},
}
OLD_UBUNTU = {"worker-1": {"group": "worker", "os_image": "Ubuntu 18.04.6 LTS"}}
LISTED = {"deckhouse": {"modules": {"operator-trivy": {"version": "v1.0.0"}}}}
BROKEN = {"deckhouse": {"modules": {"operator-trivy": {"error": "no release channel"}}}}
CONTROLLERS = {"main": {"version": "1.10", "class": "nginx"}, "old": {"version": "1.1", "class": "legacy"}}
AUTOMATIC = {"version": "Automatic", "automatic": "1.31"}

ROWS: list[tuple[str, str, dict[str, Any], str, str]] = [
    # key, value, what is known of the cluster, verdict, words of the message
    ("k8s", "1.29", {"kubelet_min": "1.31.6"}, "met", ""),
    ("k8s", "1.31.6", {"kubelet_min": "1.31.6"}, "met", ""),
    ("k8s", "1.31", {"kubelet_min": "1.30.1", "nodes": NODES}, "not_met", "1.30.1 (foreign, worker-0)"),
    ("k8s", "1.29", {}, "unknown", "kubelet_min was not observed"),
    ("k8s", "next", {"kubelet_min": "1.31.6"}, "unknown", "cannot be read"),
    ("k8s", "1.29", {"kubelet_min": "1.31.6", "modules": ISTIO, "kubernetes": AUTOMATIC}, "unknown", "Istio"),
    ("k8s", "1.29", {"kubelet_min": "1.31.6", "modules": ISTIO, "kubernetes": {"version": "1.31"}}, "met", ""),
    ("autoK8sVersion", "1.32", {"kubernetes": {"version": "1.31"}}, "met", ""),
    ("autoK8sVersion", "1.32", {}, "unknown", "kubernetes.version was not observed"),
    ("autoK8sVersion", "1.32", {"kubernetes": AUTOMATIC, "modules": {}}, "unknown", "removes"),
    (
        "autoK8sVersion",
        "1.32",
        {"kubernetes": AUTOMATIC, "modules": {"console": {"requirements": {"kubernetes": "< 1.32"}}}},
        "not_met",
        "console (< 1.32)",
    ),
    (
        "autoK8sVersion",
        "1.32",
        {"kubernetes": AUTOMATIC, "modules": {"console": {"enabled": False, "requirements": {"kubernetes": "< 1.32"}}}},
        "unknown",
        "removes",
    ),
    ("disabledModules", "delivery, ceph-csi", {"modules": {"ceph-csi": {}}}, "not_met", "still enabled: ceph-csi"),
    ("disabledModules", "delivery", {"modules": {"delivery": {"enabled": False}}}, "met", ""),
    ("disabledModules", "delivery", {"modules": {}}, "met", ""),
    ("disabledModules", "delivery", {}, "unknown", "modules was not observed"),
    ("migratedModules", "operator-trivy", {"modules": {"operator-trivy": {"enabled": False}}}, "met", ""),
    ("migratedModules", "operator-trivy", {"modules": {"operator-trivy": {}}, "sources": LISTED}, "met", ""),
    ("migratedModules", "operator-trivy", {"modules": {"operator-trivy": {}}, "sources": BROKEN}, "not_met", "trivy"),
    ("migratedModules", "operator-trivy", {"modules": {}, "sources": {}}, "not_met", "operator-trivy"),
    ("migratedModules", "operator-trivy", {"modules": {"operator-trivy": {}}}, "unknown", "sources was not observed"),
    ("migratedModules", "operator-trivy", {}, "unknown", "modules was not observed"),
    ("ingressNginx", "1.9", {"ingress_controllers": CONTROLLERS}, "not_met", "old (1.1)"),
    ("ingressNginx", "1.1", {"ingress_controllers": CONTROLLERS}, "met", ""),
    ("ingressNginx", "1.9", {"ingress_controllers": {}}, "met", ""),
    ("ingressNginx", "1.9", {}, "unknown", "ingress_controllers was not observed"),
    ("ingressNginx", "1.9", {"modules": {"ingress-nginx": {"enabled": False}}}, "met", ""),
    ("ingressNginx", "1.9", {"ingress_controllers": {"main": {}}}, "unknown", "main takes by default"),
    ("ingressNginx", "1.9", {"ingress_controllers": {"main": {}}, "ingress_default": "1.10"}, "met", ""),
    ("ingressNginx", "1.9", {"ingress_controllers": {"main": {}}, "ingress_default": "1.6"}, "not_met", "main (1.6)"),
    (
        "ingressNginx",
        "0.25",
        {"ingress_controllers": {"a": {"version": "0.33", "class": "x"}, "b": {"version": "1.9", "class": "x"}}},
        "not_met",
        "below and above 1.0: x",
    ),
    ("nodesMinimalOSVersionUbuntu", "18.04", {"nodes": NODES}, "met", ""),
    ("nodesMinimalOSVersionUbuntu", "20.04", {"nodes": {**NODES, **OLD_UBUNTU}}, "not_met", "worker-1 (18.04.6)"),
    ("nodesMinimalOSVersionUbuntu", "20.04", {}, "unknown", "nodes was not observed"),
    ("nodesMinimalOSVersionDebian", "10", {"nodes": NODES}, "met", ""),
    ("nodesMinimalOSVersionDebian", "12", {"nodes": NODES}, "not_met", "worker-0 (11)"),
    ("nodesMinimalLinuxKernelVersion", "5.8.0", {"nodes": NODES, "modules": CILIUM}, "not_met", "worker-0 (5.4.0-9)"),
    ("nodesMinimalLinuxKernelVersion", "5.4", {"nodes": NODES, "modules": CILIUM}, "met", ""),
    ("nodesMinimalLinuxKernelVersion", "5.8.0", {"nodes": NODES, "modules": {}}, "met", ""),
    ("nodesMinimalLinuxKernelVersion", "5.8.0", {"nodes": NODES}, "unknown", "cni-cilium"),
    ("containerdOnAllNodes", "true", {"nodes": {"n": {"runtime": "docker://20.10"}}}, "not_met", "n"),
    ("containerdOnAllNodes", "true", {"nodes": {"n": {"runtime": "containerd://1.7.27"}}}, "met", ""),
    ("containerdOnAllNodes", "true", {"nodes": {}, "default_cri": "Docker"}, "not_met", "defaultCRI"),
    ("istioMinimalVersion", "1.19", {"modules": {}}, "met", ""),
    ("istioMinimalVersion", "1.19", {"modules": ISTIO, "istio_versions": ["1.21"]}, "met", ""),
    ("istioMinimalVersion", "1.19", {"modules": ISTIO, "istio_versions": ["1.21", "1.16"]}, "not_met", "1.16"),
    ("istioMinimalVersion", "1.19", {"modules": ISTIO, "istio_versions": []}, "unknown", "by default"),
    ("metallbHasStandardConfiguration", "true", {}, "met", ""),
    ("unmetCloudConditions", "true", {"cloud_conditions": []}, "met", ""),
    ("unmetCloudConditions", "true", {}, "unknown", "cloud_conditions was not observed"),
    (
        "unmetCloudConditions",
        "true",
        {"cloud_conditions": [{"name": "vpc", "ok": False, "message": "grant vpc.editor"}, {"name": "x", "ok": True}]},
        "not_met",
        "vpc: grant vpc.editor",
    ),
    ("yandexHasDeprecatedZoneInNodes", "true", {"modules": {}}, "met", ""),
    (
        "yandexHasDeprecatedZoneInNodes",
        "true",
        {
            "modules": {"cloud-provider-yandex": {"embedded": True}},
            "nodes": {"n": {"labels": {"topology.kubernetes.io/zone": "ru-central1-c"}}},
        },
        "not_met",
        "n",
    ),
    ("legacyRBACv2CustomRolesCount", "0", {"alerts": []}, "met", ""),
    (
        "legacyRBACv2CustomRolesCount",
        "0",
        {"alerts": [{"name": "D8UserAuthzLegacyRBACv2CustomRoleFound"}]},
        "not_met",
        "fires",
    ),
    ("deprecatedRBACv2BindingsCount", "0", {"alerts": []}, "unknown", "proves nothing"),
    ("kubernetes", ">= 1.28", {"kubernetes_version": "1.31.6"}, "met", ""),
    ("kubernetes", ">= 1.32", {"kubernetes_version": "1.31.6"}, "not_met", "Kubernetes is 1.31.6"),
    ("kubernetes", ">= 1.28", {"kubernetes_version": "1.29.3-eks-036c24b"}, "met", ""),
    ("kubernetes", ">= 1.28", {}, "unknown", "kubernetes_version was not observed"),
    ("kubernetes", "new enough", {"kubernetes_version": "1.31.6"}, "unknown", "cannot be read"),
    # the set changes with almost every minor: what nobody knows is never a failure
    ("cniConfigurationSettled", "true", {}, "unknown", "outside"),
    ("somethingOf2027", "true", {"nodes": NODES}, "unknown", "outside"),
]


@pytest.mark.parametrize(("key", "value", "known", "state", "words"), ROWS)
def test_a_requirement_is_judged_by_what_is_known(
    key: str, value: str, known: dict[str, Any], state: str, words: str
) -> None:
    of = facts(**known)
    verdict = judge(key, value, Situation(of, of.version))
    assert (verdict.state, words in verdict.message) == (state, True), verdict
    if state != "met":
        assert verdict.hint, "nobody is told what to do"


def test_kubernetes_that_follows_dkp_may_have_been_raised_by_the_steps_before() -> None:
    of = facts(kubelet_min="1.29.8", kubernetes=AUTOMATIC)
    assert judge("k8s", "1.31", Situation(of, of.version)).state == "not_met"
    assert judge("k8s", "1.31", Situation(of, of.version, automatic="1.31")).state == "unknown"
    assert judge("k8s", "1.32", Situation(of, of.version, automatic="1.31")).state == "not_met"


def test_a_module_that_the_plan_brings_counts_as_migrated() -> None:
    of = facts(modules={"operator-trivy": {}}, sources={})
    situation = Situation(of, of.version, migrated=frozenset({"operator-trivy"}))
    assert judge("migratedModules", "operator-trivy", situation).state == "met"
