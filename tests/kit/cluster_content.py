# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Putting objects into an API server with their status, and taking everything out again.

No controllers run beside the server: what they would do (status, finalizers, the end of a namespace) is done here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from copy import deepcopy
from typing import Any

from .kube_client import KubeClient, KubeError, KubeObject, Resource
from .rights import wait_for_rights

_OWN_NAMESPACES = frozenset({"default", "kube-node-lease", "kube-public", "kube-system"})
_OF_THE_SERVER = "kubernetes.io/bootstrapping"
"""The label of roles and bindings that the API server makes for itself."""
_TESTS_DO_NOT_MAKE = frozenset({"leases", "events", "endpoints", "endpointslices", "controllerrevisions"})
_CLUSTER_WIDE = (
    "Node",
    "ValidatingWebhookConfiguration",
    "MutatingWebhookConfiguration",
    "ClusterRole",
    "ClusterRoleBinding",
)
_IN_OWN_NAMESPACES = ("ConfigMap", "Secret", "ServiceAccount", "Role", "RoleBinding", "Pod", "Deployment")
_KEPT_CONFIGURATION = "metadata.name!=extension-apiserver-authentication"


def apply_objects(client: KubeClient, objects: Iterable[Mapping[str, Any]]) -> None:
    """Create or replace `objects` in their order, namespaces first; raises KubeError as the server refuses."""
    things = [deepcopy(dict(one)) for one in objects]
    things.sort(key=lambda thing: thing["kind"] != "Namespace")
    present = {one["metadata"]["name"] for one in client.list("Namespace")}
    for thing in things:
        namespace = thing["metadata"].get("namespace")
        if namespace and namespace not in present:
            _put(client, namespace_of(namespace))
            present.add(namespace)
        stored = _put(client, thing)
        if thing["kind"] == "Namespace":
            present.add(thing["metadata"]["name"])
        elif "status" in thing:
            _put_status(client, thing, stored)
    wait_for_rights(client, things)


def namespace_of(name: str) -> KubeObject:
    """A namespace, labelled as Deckhouse labels its own."""
    labels = {"heritage": "deckhouse"} if name.startswith("d8-") else {}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}


def clear_objects(client: KubeClient) -> None:
    """Delete what tests have made, custom resources of all kinds included; their definitions stay."""
    resources = client.discover()
    # Webhooks go first, they could forbid the rest.
    for kind in reversed(_CLUSTER_WIDE):
        _empty(client, client.resource(kind))
    for resource in resources:
        if resource.group == "deckhouse.io":
            _empty(client, resource)
    for namespace in (one["metadata"]["name"] for one in client.list("Namespace")):
        if namespace in _OWN_NAMESPACES:
            for kind in _IN_OWN_NAMESPACES:
                _empty(client, client.resource(kind), namespace=namespace)
        else:
            _remove_namespace(client, namespace, resources)


def _put(client: KubeClient, thing: KubeObject) -> KubeObject:
    try:
        return client.create(thing)
    except KubeError as error:
        if error.reason != "AlreadyExists":
            raise
        return client.replace(thing)


def _put_status(client: KubeClient, thing: KubeObject, stored: KubeObject) -> None:
    if "status" not in client.resource(f"{thing['apiVersion']}/{thing['kind']}").subresources:
        return
    if thing["kind"] == "Deployment":
        # Unless a test says otherwise, the controller has seen this generation.
        thing["status"].setdefault("observedGeneration", stored["metadata"]["generation"])
    client.replace({**stored, "status": thing["status"]}, subresource="status")


def _empty(client: KubeClient, resource: Resource, *, namespace: str = "") -> None:
    """Delete all objects of a kind, in `namespace` where one is given."""
    path = resource.path(namespace=namespace)
    fields = _KEPT_CONFIGURATION if resource.kind == "ConfigMap" else ""
    selectors = {"labelSelector": f"!{_OF_THE_SERVER}", "fieldSelector": fields}
    left = client.request("DELETE", path, gracePeriodSeconds="0", **selectors)
    for one in left.get("items", ()):
        if one["metadata"].get("finalizers"):
            name = one["metadata"]["name"]
            patch = {"metadata": {"finalizers": None}}
            client.patch(f"{resource.api_version}/{resource.kind}", name, namespace=namespace, patch=patch)


def _remove_namespace(client: KubeClient, name: str, resources: Iterable[Resource]) -> None:
    for resource in resources:
        if resource.namespaced and "deletecollection" in resource.verbs and resource.plural not in _TESTS_DO_NOT_MAKE:
            _empty(client, resource, namespace=name)
    client.delete("Namespace", name)
    namespace = client.get("Namespace", name)
    namespace["spec"] = {"finalizers": []}
    client.replace(namespace, subresource="finalize")
