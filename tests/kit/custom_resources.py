# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The kinds of the group ``deckhouse.io`` as definitions of custom resources: dkp-cluster.md, first table."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from .kube_client import KubeClient, KubeError, KubeObject

GROUP = "deckhouse.io"
_PATIENCE = 30


@dataclass(frozen=True)
class CustomKind:
    """A cluster-scoped kind; `versions` are all served, the last one is stored. `columns` are what tables show."""

    name: str
    plural: str
    short_names: tuple[str, ...] = ()
    versions: tuple[str, ...] = ("v1alpha1",)
    has_status: bool = True
    """Whether the status is a subresource."""
    required: tuple[str, ...] = ()
    schema: tuple[tuple[str, Mapping[str, Any]], ...] = ()
    """Fields of which more than their presence matters."""
    columns: tuple[tuple[str, str], ...] = ()

    @property
    def definition_name(self) -> str:
        return f"{self.plural}.{GROUP}"

    def definition(self) -> KubeObject:
        """The CustomResourceDefinition."""
        return {
            "apiVersion": "apiextensions.k8s.io/v1",
            "kind": "CustomResourceDefinition",
            "metadata": {"name": self.definition_name, "labels": {"heritage": "deckhouse"}},
            "spec": {
                "group": GROUP,
                "scope": "Cluster",
                "names": {
                    "kind": self.name,
                    "plural": self.plural,
                    "singular": self.name.lower(),
                    "shortNames": list(self.short_names),
                },
                "versions": [self._version(version) for version in self.versions],
            },
        }

    def _version(self, version: str) -> dict[str, Any]:
        schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True, "properties": dict(self.schema)}
        return {
            "name": version,
            "served": True,
            "storage": version == self.versions[-1],
            "schema": {"openAPIV3Schema": {**schema, **({"required": list(self.required)} if self.required else {})}},
            "subresources": {"status": {}} if self.has_status else {},
            "additionalPrinterColumns": [
                {
                    "name": title,
                    "type": "date" if title == "Age" or title.endswith("Time") else "string",
                    "jsonPath": path,
                }
                for title, path in self.columns
            ],
        }


_PHASE_COLUMNS = (
    ("phase", ".status.phase"),
    ("transitionTime", ".status.transitionTime"),
    ("message", ".status.message"),
)
_ENABLED = ".status.conditions[?(@.type=='EnabledByModuleManager')].status"

KINDS = (
    CustomKind(
        "DeckhouseRelease",
        "deckhousereleases",
        required=("spec",),
        schema=(("approved", {"type": "boolean", "default": False}),),
        columns=_PHASE_COLUMNS,
    ),
    CustomKind(
        "ModuleRelease",
        "modulereleases",
        ("mr",),
        required=("spec",),
        columns=(
            _PHASE_COLUMNS[0],
            ("update policy", r".metadata.labels.modules\.deckhouse\.io/update-policy"),
            *_PHASE_COLUMNS[1:],
        ),
    ),
    CustomKind(
        "Module",
        "modules",
        columns=(
            ("Stage", ".properties.stage"),
            ("Source", ".properties.source"),
            ("Version", ".properties.version"),
            ("Phase", ".status.phase"),
            ("Enabled", _ENABLED),
        ),
    ),
    CustomKind(
        "ModuleConfig",
        "moduleconfigs",
        ("mc",),
        required=("spec",),
        columns=(
            ("Enabled", ".spec.enabled"),
            ("Version", ".status.version"),
            ("Age", ".metadata.creationTimestamp"),
            ("Message", ".status.message"),
        ),
    ),
    CustomKind(
        "ModuleSource",
        "modulesources",
        ("ms",),
        required=("spec",),
        columns=(("count", ".status.modulesCount"), ("sync", ".status.syncTime"), ("msg", ".status.message")),
    ),
    CustomKind(
        "ModuleUpdatePolicy",
        "moduleupdatepolicies",
        ("mup",),
        versions=("v1alpha1", "v1alpha2"),
        has_status=False,
        required=("spec",),
        columns=(("release channel", ".spec.releaseChannel"), ("update mode", ".spec.update.mode")),
    ),
    CustomKind(
        "ModulePullOverride",
        "modulepulloverrides",
        ("mpo",),
        versions=("v1alpha1", "v1alpha2"),
        required=("spec",),
        columns=(("Updated", ".status.updatedAt"), ("msg", ".status.message"), ("rollback", ".spec.rollback")),
    ),
    CustomKind("ModuleDocumentation", "moduledocumentations", columns=(("result", ".status.result"),)),
    CustomKind("IngressNginxController", "ingressnginxcontrollers", versions=("v1",)),
    CustomKind("NodeGroup", "nodegroups", ("ng",), versions=("v1",)),
    CustomKind("ClusterAlert", "clusteralerts", has_status=False),
)


def serve_exactly(client: KubeClient, kinds: Iterable[CustomKind]) -> None:
    """Define `kinds` and no others of the group, and wait until the server serves just those; raises TimeoutError."""
    wanted = {kind.definition_name: kind for kind in kinds}
    present = {
        one["metadata"]["name"]: one for one in client.list("CustomResourceDefinition") if one["spec"]["group"] == GROUP
    }
    for name in present.keys() - wanted.keys():
        client.delete("CustomResourceDefinition", name)
    for name in wanted.keys() - present.keys():
        client.create(wanted[name].definition())
    expected = {(kind.name, f"{GROUP}/{version}") for kind in wanted.values() for version in kind.versions}
    until = time.monotonic() + _PATIENCE
    while not _serves(client, wanted, expected):
        if time.monotonic() > until:
            raise TimeoutError(f"the API server does not serve just {', '.join(sorted(wanted))}")
        time.sleep(0.05)


def _serves(client: KubeClient, wanted: Mapping[str, CustomKind], expected: set[tuple[str, str]]) -> bool:
    defined = {one["metadata"]["name"]: one for one in client.list("CustomResourceDefinition")}
    of_the_group = {name for name, one in defined.items() if one["spec"]["group"] == GROUP}
    if of_the_group != wanted.keys() or not all(_established(defined[name]) for name in wanted):
        return False
    served = {(one.kind, one.api_version) for one in client.discover() if one.group == GROUP}
    return served == expected and all(_answers(client, *pair) for pair in expected)


def _established(definition: KubeObject) -> bool:
    conditions = definition.get("status", {}).get("conditions") or ()
    return any(one["type"] == "Established" and one["status"] == "True" for one in conditions)


def _answers(client: KubeClient, kind: str, api_version: str) -> bool:
    """Whether the handler is there: discovery tells of a kind a moment earlier."""
    try:
        client.list(f"{api_version}/{kind}")
    except KubeError as error:
        if error.status not in (404, 503):
            raise
        return False
    return True
