# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What service accounts may do: giving them rights, and waiting until the API server goes by them."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from .kube_client import KubeClient, KubeObject

_API = "rbac.authorization.k8s.io"
_PATIENCE = 10


def grant(
    account: str, *, namespace: str, resources: Mapping[str, Sequence[str]], within: str = ""
) -> list[KubeObject]:
    """Verbs by ``group/resource`` (``/secrets``) for a service account, cluster-wide or `within` a namespace."""
    rules = [
        {"apiGroups": [group], "resources": [resource], "verbs": list(verbs)}
        for (group, _unused, resource), verbs in ((key.partition("/"), verbs) for key, verbs in resources.items())
    ]
    prefix = "" if within else "Cluster"
    metadata = {"name": f"{namespace}-{account}", **({"namespace": within} if within else {})}
    reference = {"apiGroup": _API, "kind": f"{prefix}Role", "name": metadata["name"]}
    subject = {"kind": "ServiceAccount", "name": account, "namespace": namespace}
    role = {"apiVersion": f"{_API}/v1", "kind": f"{prefix}Role", "metadata": metadata, "rules": rules}
    binding = {"apiVersion": f"{_API}/v1", "kind": f"{prefix}RoleBinding", "metadata": metadata}
    return [role, {**binding, "roleRef": reference, "subjects": [subject]}]


def wait_for_rights(client: KubeClient, objects: Iterable[KubeObject]) -> None:
    """Wait until the server goes by the bindings among `objects`, of which it learns a moment after it stores them.

    Raises KubeError where a binding names a role that is not there.
    """
    for binding in objects:
        if binding["kind"] not in ("ClusterRoleBinding", "RoleBinding"):
            continue
        asked = [_review(binding, account, rule) for account in _accounts(binding) for rule in _rules(client, binding)]
        until = time.monotonic() + _PATIENCE
        while not all(_allowed(client, review) for review in asked):
            if time.monotonic() > until:
                raise TimeoutError(f"the API server does not go by the {binding['kind']} {binding['metadata']['name']}")
            time.sleep(0.02)


def _accounts(binding: KubeObject) -> list[str]:
    subjects = [one for one in binding.get("subjects", ()) if one["kind"] == "ServiceAccount"]
    return [f"system:serviceaccount:{one['namespace']}:{one['name']}" for one in subjects]


def _rules(client: KubeClient, binding: KubeObject) -> list[Mapping[str, Any]]:
    reference = binding["roleRef"]
    role = client.get(reference["kind"], reference["name"], namespace=binding["metadata"].get("namespace", ""))
    # A rule for objects by name, or for addresses that are no resources, is not asked for.
    return [rule for rule in role["rules"] or () if rule.get("resources") and not rule.get("resourceNames")]


def _review(binding: KubeObject, account: str, rule: Mapping[str, Any]) -> KubeObject:
    resource, _unused, subresource = rule["resources"][-1].partition("/")
    attributes = {"group": rule["apiGroups"][-1], "resource": resource, "subresource": subresource}
    namespace = binding["metadata"].get("namespace", "")
    spec = {"user": account, "resourceAttributes": {**attributes, "verb": rule["verbs"][-1], "namespace": namespace}}
    return {"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview", "metadata": {}, "spec": spec}


def _allowed(client: KubeClient, review: KubeObject) -> bool:
    return bool(client.create(review)["status"]["allowed"])
