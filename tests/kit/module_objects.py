# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Single objects that tell of modules, of both generations: dkp-cluster.md §2."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from .cluster_objects import SINCE, deckhouse_object, docker_config
from .kube_client import KubeObject

MODULE_WAITS_FOR_APPROVAL = "Release is waiting for the 'modules.deckhouse.io/approved: \"true\"' annotation"
_SOURCE_UID = "11111111-2222-3333-4444-555555555555"
_REQUIREMENTS = {"deckhouse": ">= 1.67", "kubernetes": ">= 1.27"}


def module(
    name: str,
    *,
    source: str = "Embedded",
    version: str,
    channel: str = "",
    policy: str = "",
    phase: str = "Ready",
    enabled: bool = True,
    overridden: bool = False,
    **properties: Any,
) -> KubeObject:
    """A Module as clusters since 1.67 have it; `version` with ``v``."""
    truth = {
        "EnabledByModuleConfig": enabled,
        "EnabledByModuleManager": enabled,
        "IsReady": phase == "Ready",
        **({"LastReleaseDeployed": True} if source != "Embedded" and enabled else {}),
        **({"IsOverridden": True} if overridden else {}),
    }
    made = deckhouse_object("Module", name)
    made["properties"] = {
        "source": source,
        "version": version,
        "stage": "General Availability",
        "weight": 900,
        **({"availableSources": [source]} if source not in ("", "Embedded") else {}),
        **({"releaseChannel": channel} if channel else {}),
        **({"updatePolicy": policy} if policy else {}),
        **properties,
    }
    conditions = [{"type": kind, "status": str(state), "lastTransitionTime": SINCE} for kind, state in truth.items()]
    made["status"] = {"phase": phase, "conditions": conditions}
    return made


def old_module(name: str, *, source: str = "", state: str = "Enabled", status: str = "Ready") -> KubeObject:
    """A Module as clusters before 1.67 had it: no version, no conditions, nothing as the source of embedded ones."""
    made = deckhouse_object("Module", name)
    made["properties"] = {"source": source, "state": state, "weight": 900, "stage": "", "description": f"About {name}"}
    made["status"] = {"status": status if state == "Enabled" else ""}
    return made


def module_config(
    name: str,
    *,
    enabled: bool | None = True,
    settings: Mapping[str, Any] | None = None,
    policy: str = "",
    source: str = "",
) -> KubeObject:
    spec = {
        "version": 1,
        **({} if enabled is None else {"enabled": enabled}),
        **({} if settings is None else {"settings": dict(settings)}),
        **({"updatePolicy": policy} if policy else {}),
        **({"source": source} if source else {}),
    }
    return deckhouse_object("ModuleConfig", name, spec=spec, status={"version": "1", "message": ""})


def platform_config(
    *,
    channel: str,
    mode: str = "",
    windows: Sequence[Mapping[str, Any]] = (),
    registry: Mapping[str, Any] | None = None,
    **settings: Any,
) -> KubeObject:
    """ModuleConfig ``deckhouse``. What is empty is not set."""
    update = {**({"mode": mode} if mode else {}), **({"windows": [dict(one) for one in windows]} if windows else {})}
    given = {
        "bundle": "Default",
        **({"releaseChannel": channel} if channel else {}),
        **({"update": update} if update else {}),
        **({"registry": dict(registry)} if registry else {}),
        **settings,
    }
    return module_config("deckhouse", settings=given)


def offered(name: str, version: str, *, policy: str = "", overridden: bool = False, error: str = "") -> dict[str, Any]:
    """One module in the status of a source."""
    checksum = "sha256:" + hashlib.sha256(f"{name}{version}".encode()).hexdigest()
    told = {"name": name, "version": version, "policy": policy, "checksum": checksum, "overridden": overridden}
    return {**told, **({"error": error} if error else {})}


def module_source(
    name: str,
    *,
    repo: str,
    scheme: str = "HTTPS",
    modules: Sequence[Mapping[str, Any]] = (),
    channel: str = "",
    errors: Mapping[str, str] | None = None,
) -> KubeObject:
    """`modules` are of `offered`; old clusters say `channel` and `errors` (by module) in places of their own."""
    registry = {"repo": repo, "scheme": scheme, "ca": "", "dockerCfg": _encoded(docker_config(repo.partition("/")[0]))}
    failing = bool(errors) or any(one.get("error") for one in modules)
    status: dict[str, Any] = {
        "phase": "Active",
        "syncTime": "2026-03-02T09:03:00Z",
        "modulesCount": len(modules),
        "message": "Some errors occurred. Inspect status for details" if failing else "",
        "modules": [dict(one) for one in modules],
    }
    if errors:
        status["moduleErrors"] = [{"name": module, "error": text} for module, text in errors.items()]
    spec = {"registry": registry, **({"releaseChannel": channel} if channel else {})}
    return deckhouse_object("ModuleSource", name, spec=spec, status=status)


def policy(name: str, *, channel: str, mode: str = "Auto", windows: Sequence[Mapping[str, Any]] = ()) -> KubeObject:
    """A ModuleUpdatePolicy of v1alpha2, which modules name."""
    update = {"mode": mode, "windows": [dict(one) for one in windows]}
    spec = {"releaseChannel": channel, "update": update}
    return deckhouse_object("ModuleUpdatePolicy", name, spec=spec, version="v1alpha2")


def selecting_policy(name: str, *, channel: str, labels: Mapping[str, str], mode: str = "Auto") -> KubeObject:
    """A ModuleUpdatePolicy of v1alpha1, which selects releases by their `labels`."""
    selector = {"labelSelector": {"matchLabels": dict(labels)}}
    spec = {"releaseChannel": channel, "update": {"mode": mode}, "moduleReleaseSelector": selector}
    return deckhouse_object("ModuleUpdatePolicy", name, spec=spec)


def pull_override(name: str, *, tag: str, source: str = "") -> KubeObject:
    """A ModulePullOverride: of v1alpha1 where a `source` is named, else of v1alpha2."""
    digest = "sha256:" + hashlib.sha256(tag.encode()).hexdigest()
    status = {"message": "Ready", "imageDigest": digest, "updatedAt": SINCE, "weight": 900}
    spec = {"imageTag": tag, "scanInterval": "15s", **({"source": source} if source else {"rollback": False})}
    version = "v1alpha1" if source else "v1alpha2"
    return deckhouse_object("ModulePullOverride", name, spec=spec, status=status, version=version)


def documentation(name: str, *, version: str) -> KubeObject:
    spec = {"version": version, "path": version, "checksum": "ab12"}
    return deckhouse_object("ModuleDocumentation", name, spec=spec, status={"result": "Rendered", "conditions": []})


def module_release(
    name: str,
    version: str,
    *,
    phase: str,
    source: str = "deckhouse",
    policy: str = "",
    message: str = "",
    requirements: Mapping[str, Any] | None = None,
    jumps: Sequence[tuple[str, str]] = (),
    cause: str = "check release (from deployed)",
    **annotations: str,
) -> KubeObject:
    """`version` with ``v``; `jumps` are pairs of from and to; `annotations` are below ``modules.deckhouse.io/``."""
    spec = {
        "moduleName": name,
        "version": version.lstrip("v"),
        "weight": 900,
        "requirements": dict(_REQUIREMENTS if requirements is None else requirements),
        **({"update": {"versions": [{"from": start, "to": end} for start, end in jumps]}} if jumps else {}),
    }
    status = {"phase": phase, "approved": phase != "Pending", "message": message, "transitionTime": SINCE}
    made = deckhouse_object("ModuleRelease", f"{name}-{version}", spec=spec, status=status)
    owner = {"apiVersion": "deckhouse.io/v1alpha1", "kind": "ModuleSource", "name": source, "uid": _SOURCE_UID}
    told = {"change-cause": cause, **annotations}
    made["metadata"].update(
        labels={
            "module": name,
            "source": source,
            "status": phase.lower(),
            "release-checksum": hashlib.md5(f"{name}{version}".encode()).hexdigest(),
            "modules.deckhouse.io/update-policy": policy,
        },
        annotations={f"modules.deckhouse.io/{key}": value for key, value in told.items()},
        finalizers=["modules.deckhouse.io/exist-on-fs"],
        ownerReferences=[{**owner, "controller": True}],
    )
    return made


def _encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
