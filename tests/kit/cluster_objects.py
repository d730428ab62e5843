# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Single objects of the platform and of Kubernetes as a cluster with Deckhouse has them: dkp-cluster.md §1, §3, §4, §7.

Each function makes one object as the API takes it; `clusters` composes whole clusters of them.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from typing import Any

from .kube_client import KubeObject

SYSTEM = "d8-system"
CLUSTER_UUID = "3c2d1f04-0000-4000-8000-9b1c2d3e4f50"
WINDOWS = ({"from": "20:00", "to": "23:30", "days": ["Sat", "Sun"]},)
VIRTUAL_REGISTRY = "registry.d8-system.svc:5001/system/deckhouse"
"""What a cluster calls its registry where the registry module stands between."""
WAITS_FOR_APPROVAL = "Release is waiting for the 'release.deckhouse.io/approved: \"true\"' annotation"
SINCE = "2026-03-02T09:00:11Z"


def deployment(*, version: str, edition: str, images_repo: str, image_version: str = "") -> KubeObject:
    """Deckhouse itself at `version`; another `image_version` is an update whose new pod is not ready yet."""
    switched = bool(image_version) and image_version != version
    image = f"{images_repo}:{image_version or version}"
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {
            "namespace": SYSTEM,
            "name": "deckhouse",
            "labels": {"app": "deckhouse", "heritage": "deckhouse"},
            "annotations": {"core.deckhouse.io/version": version, "core.deckhouse.io/edition": edition},
        },
        "spec": {
            "replicas": 1,
            "strategy": {"type": "Recreate"},
            "selector": {"matchLabels": {"app": "deckhouse"}},
            "template": {
                "metadata": {"labels": {"app": "deckhouse"}},
                "spec": {"containers": [{"name": "deckhouse", "image": image}]},
            },
        },
        # The API leaves out numbers that are zero.
        "status": {"replicas": 1, "updatedReplicas": 1, "unavailableReplicas" if switched else "readyReplicas": 1},
    }


def pod(
    name: str, *, image: str, namespace: str = SYSTEM, labels: Mapping[str, str] | None = None, waiting: str = ""
) -> KubeObject:
    """A running pod, or one whose container waits for the reason `waiting` (``ImagePullBackOff``)."""
    state = {"waiting": {"reason": waiting}} if waiting else {"running": {"startedAt": SINCE}}
    container = {"name": "main", "image": image, "imageID": "", "restartCount": 0, "ready": not waiting, "state": state}
    conditions = [{"type": "Ready", "status": "False" if waiting else "True"}]
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"namespace": namespace, "name": name, "labels": dict(labels or {})},
        "spec": {"containers": [{"name": "main", "image": image}], "automountServiceAccountToken": False},
        "status": {
            "phase": "Pending" if waiting else "Running",
            "conditions": conditions,
            "containerStatuses": [container],
        },
    }


def leader_pod(*, image: str) -> KubeObject:
    """The pod of Deckhouse that works, in its own words the leader."""
    made = pod("deckhouse-7c9d6b5f4-x2x7k", image=image, labels={"app": "deckhouse", "leader": "true"})
    made["spec"]["containers"][0]["name"] = made["status"]["containerStatuses"][0]["name"] = "deckhouse"
    return made


def secret(namespace: str, name: str, *, values: Mapping[str, str], kind: str = "Opaque") -> KubeObject:
    """A Secret of the type `kind` that holds `values`, given as text."""
    data = {key: base64.b64encode(value.encode()).decode() for key, value in values.items()}
    metadata = {"namespace": namespace, "name": name, "labels": {"heritage": "deckhouse"}}
    return {"apiVersion": "v1", "kind": "Secret", "type": kind, "metadata": metadata, "data": data}


def config_map(namespace: str, name: str, *, values: Mapping[str, str]) -> KubeObject:
    metadata = {"namespace": namespace, "name": name, "labels": {"heritage": "deckhouse"}}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": dict(values)}


def docker_config(host: str, *, username: str = "", password: str = "") -> str:
    """The text of a docker configuration, empty for an anonymous registry."""
    if not username:
        return "{}"
    auth = base64.b64encode(f"{username}:{password}".encode()).decode()
    return json.dumps({"auths": {host: {"auth": auth}}})


def registry_secret(
    images_repo: str, *, scheme: str = "https", username: str = "", password: str = "", authority: str = ""
) -> KubeObject:
    """``deckhouse-registry``; `authority` is a PEM. A registry without a path has no key ``path``."""
    address, slash, path = images_repo.partition("/")
    values = {
        ".dockerconfigjson": docker_config(address, username=username, password=password),
        "address": address,
        "scheme": scheme,
        "imagesRegistry": images_repo,
        "clusterIsBootstrapped": '"true"',
        **({"path": slash + path} if path else {}),
        **({"ca": authority} if authority else {}),
    }
    return secret(SYSTEM, "deckhouse-registry", values=values, kind="kubernetes.io/dockerconfigjson")


def discovery_secret(
    *, images_repo: str, channel: str, mode: str = "", windows: Sequence[Mapping[str, Any]] = ()
) -> KubeObject:
    """``deckhouse-discovery``: what Deckhouse tells of its own settings; a channel that is not set is ``Unknown``."""
    update = {**({"mode": mode} if mode else {}), "windows": [dict(window) for window in windows]}
    values = {
        "bundle": "Default",
        "releaseChannel": channel or "Unknown",
        "updateSettings.json": json.dumps(update),
        "clusterIsBootstrapped": "true",
        "imagesRegistry": images_repo,
        "clusterUUID": CLUSTER_UUID,
    }
    return secret(SYSTEM, "deckhouse-discovery", values=values)


def version_info(*, version: str, edition: str, channel: str) -> KubeObject:
    document = json.dumps({"channel": channel or "Unknown", "version": version, "edition": edition})
    return config_map(SYSTEM, "d8-deckhouse-version-info", values={"data.json": document})


def cluster_configuration(*, kubernetes: str, default_kubernetes: str = "1.30", highest: str = "1.31") -> KubeObject:
    """`kubernetes` is ``1.31`` or ``Automatic``, which means `default_kubernetes` in the running version."""
    text = (
        "apiVersion: deckhouse.io/v1\nkind: ClusterConfiguration\nclusterType: Static\n"
        f'kubernetesVersion: "{kubernetes}"\ndefaultCRI: Containerd\n'
    )
    values = {
        "cluster-configuration.yaml": text,
        "maxUsedControlPlaneKubernetesVersion": highest,
        "deckhouseDefaultKubernetesVersion": default_kubernetes,
    }
    return secret("kube-system", "d8-cluster-configuration", values=values)


def registry_state(mode: str, *, target_mode: str = "", ready: str = "True") -> KubeObject:
    """State of the registry module; another `target_mode` is a switch under way."""
    conditions = (
        "- type: RegistryContainsRequiredImages\n"
        '  status: "True"\n'
        '  message: "Mode: Default; all 157 items are checked"\n'
        f'- type: Ready\n  status: "{ready}"\n'
    )
    values = {"mode": mode, "target_mode": target_mode or mode, "hash": "1a2b3c", "conditions": conditions}
    return secret(SYSTEM, "registry-state", values=values)


def cloud_conditions(**unmet: str) -> KubeObject:
    """Conditions of the cloud provider: one that is met, and those of `unmet` with what is to be done."""
    conditions = [{"name": "quotas", "message": "", "ok": True}]
    conditions += [{"name": name, "message": message, "ok": False} for name, message in unmet.items()]
    return config_map("kube-system", "d8-cloud-provider-conditions", values={"conditions": json.dumps(conditions)})


def node(
    name: str,
    *,
    group: str,
    kubelet: str = "v1.31.6",
    os_image: str = "Ubuntu 22.04.5 LTS",
    kernel: str = "5.15.0-122-generic",
    runtime: str = "containerd://1.7.27",
) -> KubeObject:
    """A ready node; those of the group ``master`` are the control plane, ``""`` is a node Deckhouse does not manage."""
    labels = {"kubernetes.io/hostname": name}
    if group:
        labels.update({"node.deckhouse.io/group": group, "node.deckhouse.io/type": "Static"})
    if group == "master":
        labels.update({"node-role.kubernetes.io/control-plane": "", "node-role.kubernetes.io/master": ""})
    information = {
        "kubeletVersion": kubelet,
        "kubeProxyVersion": kubelet,
        "osImage": os_image,
        "kernelVersion": kernel,
        "containerRuntimeVersion": runtime,
        "architecture": "amd64",
        "operatingSystem": "linux",
        "machineID": "",
        "systemUUID": "",
        "bootID": "",
    }
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": labels},
        "status": {"nodeInfo": information, "conditions": [{"type": "Ready", "status": "True"}]},
    }


def node_group(name: str, *, nodes: int) -> KubeObject:
    status = {"nodes": nodes, "ready": nodes, "upToDate": nodes}
    return deckhouse_object("NodeGroup", name, spec={"nodeType": "Static"}, status=status, version="v1")


def ingress_controller(name: str, *, version: str = "", ingress_class: str = "nginx") -> KubeObject:
    """Without a `version` the controller is the default one of the module."""
    spec = {
        "ingressClass": ingress_class,
        "inlet": "LoadBalancer",
        **({"controllerVersion": version} if version else {}),
    }
    return deckhouse_object("IngressNginxController", name, spec=spec, version="v1")


def alert(name: str, *, severity: int, summary: str, state: str = "firing", **labels: str) -> KubeObject:
    """A ClusterAlert, which says what it is at the top level of the object."""
    made = deckhouse_object("ClusterAlert", f"{name.lower()}-4a2b1c")
    made["alert"] = {
        "name": name,
        "severityLevel": str(severity),
        "summary": summary,
        "description": f"{summary} See the documentation of {name}.",
        "labels": labels,
    }
    made["status"] = {"alertStatus": state, "startsAt": SINCE, "lastUpdateTime": "2026-03-02T09:15:00Z"}
    return made


def release(
    version: str,
    *,
    phase: str,
    message: str = "",
    approved: bool = False,
    requirements: Mapping[str, str] | None = None,
    apply_after: str = "",
    cause: str = "check release (from deployed)",
    **annotations: str,
) -> KubeObject:
    """A DeckhouseRelease; `annotations` are below ``release.deckhouse.io/`` (``isUpdating="true"``)."""
    spec = {
        "version": version,
        "requirements": {"k8s": "1.28"} if requirements is None else dict(requirements),
        "changelog": {"deckhouse-controller": {"fixes": [{"summary": f"Repaired in {version}."}]}},
        **({"applyAfter": apply_after} if apply_after else {}),
    }
    status = {"phase": phase, "message": message, "approved": approved, "transitionTime": SINCE}
    made = deckhouse_object("DeckhouseRelease", version, spec=spec, status=status)
    told = {"change-cause": cause, "isUpdating": "false", "notified": "true", **annotations}
    made["metadata"]["annotations"] = {f"release.deckhouse.io/{name}": value for name, value in told.items()}
    made["approved"] = approved
    return made


def deckhouse_object(
    kind: str,
    name: str,
    *,
    spec: Mapping[str, Any] | None = None,
    status: Mapping[str, Any] | None = None,
    version: str = "v1alpha1",
) -> KubeObject:
    """An object of the group ``deckhouse.io``."""
    made: KubeObject = {"apiVersion": f"deckhouse.io/{version}", "kind": kind, "metadata": {"name": name}}
    made.update({} if spec is None else {"spec": dict(spec)})
    made.update({} if status is None else {"status": dict(status)})
    return made
