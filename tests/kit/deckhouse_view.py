# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later


"""The cluster as the tests' Deckhouse sees it in one round, and how it writes what it has decided."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from ansible_collections.dkp.airgap.plugins.module_utils._dkp.version import Version, parse_version

from .cluster_objects import SYSTEM
from .deckhouse_timing import Policy, State, policy_of_object, policy_of_settings, stamp
from .kube_client import KubeClient, KubeError, KubeObject, KubeObjects

PENDING = ("", "Pending")
_KINDS = (
    *("DeckhouseRelease", "ModuleRelease", "Module", "ModuleConfig", "ModuleSource", "ModuleUpdatePolicy"),
    *("ModulePullOverride", "Node"),
)


@dataclass(frozen=True)
class View:
    """What there is: objects by kind, and the Deployment of Deckhouse."""

    objects: Mapping[str, KubeObjects]
    deployment: KubeObject
    secret: KubeObject

    @cached_property
    def settings(self) -> Mapping[str, Any]:
        """Those of ModuleConfig ``deckhouse``."""
        return self._config("deckhouse").get("settings") or {}

    @cached_property
    def policy(self) -> Policy:
        return policy_of_settings(self.settings)

    @cached_property
    def images_repo(self) -> str:
        return self._image.rpartition(":")[0]

    @cached_property
    def switched_version(self) -> Version:
        """That of the Deployment's image."""
        return version_in(self._image.rpartition(":")[2])

    @cached_property
    def version(self) -> Version:
        """That of the annotation, which the version itself writes when it has started."""
        return version_in(self.deployment["metadata"]["annotations"]["core.deckhouse.io/version"])

    @property
    def pod_is_ready(self) -> bool:
        return bool(self.deployment.get("status", {}).get("readyReplicas"))

    @cached_property
    def overridden(self) -> frozenset[str]:
        return frozenset(one["metadata"]["name"] for one in self.objects["ModulePullOverride"])

    @cached_property
    def state(self) -> State:
        """What requirements are compared with."""
        kubelets = [one["status"]["nodeInfo"]["kubeletVersion"] for one in self.objects["Node"]]
        enabled = [one for one in self.objects["Module"] if is_enabled(one)]
        listed = [
            one for source in self.objects["ModuleSource"] for one in source.get("status", {}).get("modules") or ()
        ]
        return State(
            self.version,
            min(map(version_in, kubelets), default=version_in("v1.31.0")),
            frozenset(one["metadata"]["name"] for one in enabled),
            frozenset(one["name"] for one in listed if not one.get("error")),
            {one["metadata"]["name"]: self._version_of(one) for one in enabled},
        )

    def policy_of(self, module: str) -> Policy:
        """What a module follows (dkp-cluster.md §2.8)."""
        wanted = self._config(module).get("updatePolicy")
        for policy in self.objects["ModuleUpdatePolicy"]:
            if policy["metadata"]["name"] == wanted or _selects(policy, module):
                return policy_of_object(policy)
        return self.policy

    def is_wanted(self, module: str) -> bool:
        """Whether a ModuleConfig enables it."""
        return bool(self._config(module).get("enabled"))

    def releases_of(self, module: str) -> KubeObjects:
        return [one for one in self.objects["ModuleRelease"] if one["spec"]["moduleName"] == module]

    def module(self, name: str) -> KubeObject | None:
        return next((one for one in self.objects["Module"] if one["metadata"]["name"] == name), None)

    @property
    def _image(self) -> str:
        return str(self.deployment["spec"]["template"]["spec"]["containers"][0]["image"])

    def _config(self, name: str) -> Mapping[str, Any]:
        found = (one["spec"] for one in self.objects["ModuleConfig"] if one["metadata"]["name"] == name)
        return next(found, {})

    def _version_of(self, module: KubeObject) -> Version:
        properties = module.get("properties") or {}
        told = parse_version(properties.get("version") or "")
        return told if told and properties.get("source") not in ("", "Embedded") else self.version


def _selects(policy: KubeObject, module: str) -> bool:
    """Policies of old select releases by their labels."""
    selector = policy["spec"].get("moduleReleaseSelector") or {}
    wanted = (selector.get("labelSelector") or {}).get("matchLabels") or {}
    return bool(wanted) and wanted.get("module") == module


def view_of(client: KubeClient) -> View:
    """Read everything; kinds that the server does not know have no objects. Raises KubeError."""
    found: dict[str, KubeObjects] = {}
    for kind in _KINDS:
        try:
            found[kind] = client.list(kind)
        except KubeError as error:
            if error.status != 404:
                raise
            found[kind] = []
    return View(
        found,
        client.get("Deployment", "deckhouse", namespace=SYSTEM),
        client.get("Secret", "deckhouse-registry", namespace=SYSTEM),
    )


def version_in(text: str) -> Version:
    version = parse_version(text)
    if version is None:
        raise ValueError(f"{text!r} is no version")
    return version


def version_of(release: KubeObject) -> Version:
    return version_in(release["spec"]["version"])


def phase_of(thing: KubeObject) -> str:
    return str((thing.get("status") or {}).get("phase") or "")


def annotations_of(thing: KubeObject) -> Mapping[str, str]:
    return thing["metadata"].get("annotations") or {}


def is_enabled(module: KubeObject) -> bool:
    """By its conditions, or as old clusters say it (dkp-cluster.md §2.2)."""
    for condition in (module.get("status") or {}).get("conditions") or ():
        if condition["type"] == "EnabledByModuleManager":
            return bool(condition["status"] == "True")
    return (module.get("properties") or {}).get("state") == "Enabled"


def is_ready(module: KubeObject) -> bool:
    """By its phase, or as old clusters say it."""
    return phase_of(module) == "Ready" or (module.get("status") or {}).get("status") == "Ready"


def pending_of(releases: Iterable[KubeObject]) -> KubeObjects:
    """Those that wait, ascending."""
    return sorted((one for one in releases if phase_of(one) in PENDING), key=version_of)


def deployed_of(releases: Iterable[KubeObject]) -> KubeObject | None:
    """The one that is deployed."""
    return max((one for one in releases if phase_of(one) == "Deployed"), key=version_of, default=None)


def put_status(client: KubeClient, thing: KubeObject, **wanted: Any) -> None:
    """Patch those fields of the status that differ; a new phase has a new time."""
    held = thing.get("status") or {}
    changed = {key: value for key, value in wanted.items() if held.get(key) != value}
    if not changed:
        return
    if "phase" in changed and thing["kind"].endswith("Release"):
        changed["transitionTime"] = stamp()
    kind = f"{thing['apiVersion']}/{thing['kind']}"
    client.patch(kind, thing["metadata"]["name"], patch={"status": changed}, subresource="status")
    thing["status"] = {**held, **changed}


def annotate(client: KubeClient, thing: KubeObject, prefix: str, **annotations: str | None) -> None:
    """Set annotations below `prefix`, take away those that are None; ``_`` in a name is ``-``."""
    held = annotations_of(thing)
    wanted = {f"{prefix}/{name.replace('_', '-')}": value for name, value in annotations.items()}
    changed = {name: value for name, value in wanted.items() if held.get(name) != value}
    if changed:
        kind = f"{thing['apiVersion']}/{thing['kind']}"
        client.patch(kind, thing["metadata"]["name"], patch={"metadata": {"annotations": changed}})
        thing["metadata"]["annotations"] = {name: value for name, value in {**held, **changed}.items() if value}
