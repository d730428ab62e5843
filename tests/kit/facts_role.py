# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The role cluster_facts as a task, and the service account of its manifests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from .cluster import KubeServer
from .kube_client import KubeObject
from .playbooks import Task
from .programs import find_kubectl

ROLE = "dkp.airgap.cluster_facts"
WAYS = ("api", "command")
READING, VERDICT = "rbac.yml", "rbac-verdict.yml"
_FILES = Path(__file__).parents[2] / "roles/cluster_facts/files"


def facts_role(access: str, kubeconfig: Path | None, *, entry: str = "main", **options: Any) -> Task:
    """A task that runs the role from `entry` by the way `access`; `options` lack the prefix ``cluster_facts_``."""
    given: dict[str, Any] = {
        "access": access,
        "kubeconfig": str(kubeconfig or ""),
        "command": str(find_kubectl()),
        **options,
    }
    return {
        "name": f"Role {entry} {access}",
        "ansible.builtin.include_role": {"name": ROLE, "tasks_from": entry},
        "vars": {f"cluster_facts_{key}": value for key, value in given.items()},
    }


def manifest(name: str) -> list[KubeObject]:
    """The objects of `READING` or `VERDICT`."""
    return list(yaml.safe_load((_FILES / name).read_text())["items"])


def grants(name: str) -> dict[tuple[str, str], str]:
    """What the manifest `name` grants: pairs of a resource and an object's name, ``""`` for all, as errors write rules.

    A resource with several verbs has the last one.
    """
    found = {}
    for each in manifest(name):
        namespace = each["metadata"].get("namespace")
        place = f" in the namespace {namespace}" if namespace else ""
        for rule in each.get("rules", ()):
            for resource in rule["resources"]:
                for single in rule.get("resourceNames", [""]):
                    names = f', resourceNames: ["{single}"]' if single else ""
                    head = f'{{apiGroups: ["{rule["apiGroups"][0]}"], resources: ["{resource}"]{names}'
                    found[resource, single] = f'{head}, verbs: ["{rule["verbs"][-1]}"]}}{place}'
    return found


def service_account(cluster: KubeServer, path: Path, *manifests: str, without: tuple[str, str] | None = None) -> Path:
    """A kubeconfig at `path` of the service account of `manifests`, which is not granted the pair `without`."""
    objects = [each for name in manifests for each in manifest(name)]
    resource, name = without or ("", "")
    key = "resourceNames" if name else "resources"
    for rule in (rule for each in objects for rule in each.get("rules", ())):
        if resource in rule["resources"]:
            rule[key] = [each for each in rule[key] if each != (name or resource)] or ["nothing"]
    cluster.apply(objects)
    return cluster.kubeconfig(path, token=cluster.service_account_token("dkp-airgap", "cluster-facts"))
