# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whole clusters, as lists of objects for `KubeServer.apply`, or for filters without any server.

Versions and names fit the vendor's trees of `shape`: with `DEMO`, whose channel ``stable`` is v1.70.17, every cluster
has updates before it. For `SMALL` say ``manual_ee(version="v1.68.0", next_version="v1.69.0")``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from . import cluster_objects as objects
from . import module_objects as modules
from .cluster_objects import VIRTUAL_REGISTRY, WAITS_FOR_APPROVAL, WINDOWS
from .kube_client import KubeObject
from .module_objects import MODULE_WAITS_FOR_APPROVAL

AUTOMATIC = "Automatic"
OVERRIDE_TAG = "v1.16.1-hotfix"
_NODES = {"master-0": "master", "worker-0": "worker", "worker-1": "worker"}


@dataclass(frozen=True)
class Platform:
    """What the objects of the platform itself have in common."""

    version: str = "v1.68.11"
    edition: str = "EE"
    channel: str = "Stable"
    """As settings spell it; ``""``: not set."""
    mode: str = "Manual"
    windows: tuple[Mapping[str, Any], ...] = WINDOWS
    images_repo: str = "registry.example/dkp/ee"
    """What the cluster calls its registry."""
    scheme: str = "https"
    registry: Mapping[str, Any] | None = None
    """Settings of the registry module."""
    kubernetes: str = "1.31"
    kubelet: str = "v1.31.6"
    image_version: str = ""
    """Of the Deployment, where an update has switched it already."""

    def objects(self) -> list[KubeObject]:
        """Deckhouse, its settings and the nodes."""
        image = f"{self.images_repo}:{self.image_version or self.version}"
        return [
            objects.deployment(
                version=self.version,
                edition=self.edition,
                images_repo=self.images_repo,
                image_version=self.image_version,
            ),
            objects.leader_pod(image=image),
            objects.registry_secret(self.images_repo, scheme=self.scheme),
            objects.discovery_secret(
                images_repo=self.images_repo, channel=self.channel, mode=self.mode, windows=self.windows
            ),
            objects.version_info(version=self.version, edition=self.edition, channel=self.channel),
            objects.cluster_configuration(kubernetes=self.kubernetes, highest=self.kubelet[1:].rpartition(".")[0]),
            modules.platform_config(channel=self.channel, mode=self.mode, windows=self.windows, registry=self.registry),
            *(objects.node(name, group=group, kubelet=self.kubelet) for name, group in _NODES.items()),
            objects.node_group("master", nodes=1),
            objects.node_group("worker", nodes=2),
        ]

    def embedded(self, *names: str) -> list[KubeObject]:
        """Modules that come with the platform."""
        return [modules.module(name, version=self.version) for name in names]

    def source(self, *offers: Mapping[str, Any]) -> KubeObject:
        """The ModuleSource that Deckhouse makes for its own registry."""
        repo = f"{self.images_repo}/modules"
        return modules.module_source("deckhouse", repo=repo, scheme=self.scheme.upper(), modules=offers)


def manual_ee(
    *,
    version: str = "v1.68.11",
    next_version: str = "v1.69.7",
    images_repo: str = "registry.example/dkp/ee",
    scheme: str = "https",
    kubernetes: str = "1.31",
    mode: str = "Manual",
    requirements: Mapping[str, str] | None = None,
) -> list[KubeObject]:
    """An EE cluster that updates by hand within windows: everything a plan has to look at is there once.

    `kubernetes` is pinned or ``Automatic``; `requirements` are those of the pending release `next_version`.
    """
    platform = Platform(version=version, images_repo=images_repo, scheme=scheme, kubernetes=kubernetes, mode=mode)
    minor = int(version.split(".")[1])
    return [
        *platform.objects(),
        *_modules_of_the_source(platform),
        objects.release(f"v1.{minor - 1}.14", phase="Superseded", approved=True),
        objects.release(version, phase="Deployed", approved=True),
        objects.release(next_version, phase="Pending", message=WAITS_FOR_APPROVAL, requirements=requirements),
        objects.ingress_controller("main", version="1.10"),
        objects.ingress_controller("internal", ingress_class="internal"),
        objects.cloud_conditions(vpcPermissions="grant vpc.editor"),
        objects.alert("DeckhouseReleaseIsWaitingManualApproval", severity=6, summary=f"{next_version} waits."),
    ]


def old_generation(*, version: str = "v1.66.3", images_repo: str = "registry.example/dkp/ee") -> list[KubeObject]:
    """A cluster from before 1.67: old Module objects, policies that select by label, errors of a source by module."""
    platform = Platform(
        version=version, images_repo=images_repo, mode="", windows=(), kubelet="v1.29.8", kubernetes="1.29"
    )
    labels = {"source": "deckhouse", "module": "console"}
    broken = "step by step update failed: not sequential version: prev 'v1.14.3' next 'v1.16.1'"
    listed = [
        {"name": name, "policy": "fast" if name == "console" else ""} for name in ("console", "sdn", "stronghold")
    ]
    source = modules.module_source(
        "deckhouse", repo=f"{images_repo}/modules", modules=listed, channel="Stable", errors={"stronghold": broken}
    )
    return [
        # ConfigMaps that tell of the version came later.
        *(one for one in platform.objects() if one["metadata"]["name"] != "d8-deckhouse-version-info"),
        source,
        modules.selecting_policy("fast", channel="EarlyAccess", labels=labels, mode="Manual"),
        modules.selecting_policy("ignored", channel="Alpha", labels={"module": "sdn"}, mode="Ignore"),
        *(modules.old_module(name) for name in ("prometheus", "cni-cilium", "ingress-nginx")),
        modules.old_module("console", source="deckhouse"),
        modules.old_module("sdn", source="deckhouse"),
        modules.old_module("stronghold", source="deckhouse", state="Disabled"),
        *(modules.module_config(name) for name in ("console", "sdn")),
        modules.module_release("console", "v1.34.0", phase="Superseded", policy="fast"),
        modules.module_release("console", "v1.35.1", phase="Deployed", policy="fast"),
        modules.module_release("console", "v1.36.2", phase="Pending", policy="fast", message=MODULE_WAITS_FOR_APPROVAL),
        modules.module_release("sdn", "v0.4.1", phase="Deployed", policy="ignored"),
        modules.pull_override("sdn", tag="v0.4.2", source="deckhouse"),
        objects.release("v1.65.9", phase="Superseded", approved=True),
        objects.release(version, phase="Deployed", approved=True),
        objects.ingress_controller("main", version="1.9"),
    ]


def direct_mode(
    *, mode: str = "Direct", version: str = "v1.70.9", upstream: str = "registry.example/dkp/ee", scheme: str = "https"
) -> list[KubeObject]:
    """A cluster whose registry has a virtual name; `mode` ``Direct``, ``Proxy`` or ``Local``, which has no upstream."""
    settings: dict[str, Any] = {"mode": mode}
    if mode != "Local":
        access = {"imagesRepo": upstream, "scheme": scheme.upper(), "username": "puller", "password": "correct-horse"}
        settings[mode.lower()] = {**access, "checkMode": "Default"}
    platform = Platform(version=version, images_repo=VIRTUAL_REGISTRY, registry=settings)
    return [
        *platform.objects(),
        *_modules_of_the_source(platform),
        *platform.embedded("registry"),
        objects.registry_state(mode),
        objects.release(version, phase="Deployed", approved=True),
    ]


def cse_lts(*, version: str = "v1.67.4", next_version: str = "v1.73.1") -> list[KubeObject]:
    """A certified edition, whose one channel jumps over minors."""
    repo = "registry.example/dkp/cse"
    platform = Platform(*(version, "CSE", "LTS"), images_repo=repo, windows=(), kubernetes="1.29", kubelet="v1.29.8")
    cause = "check release (lts channel)"
    return [
        *platform.objects(),
        *platform.embedded("prometheus", "cni-cilium", "ingress-nginx"),
        platform.source(modules.offered("console", "v1.35.1")),
        modules.module_config("console"),
        modules.module("console", source="deckhouse", version="v1.35.1", channel="LTS"),
        modules.module_release("console", "v1.35.1", phase="Deployed", cause=cause),
        objects.release(version, phase="Deployed", approved=True, cause=cause),
        objects.release(next_version, phase="Pending", message=WAITS_FOR_APPROVAL, cause=cause),
    ]


def fresh(*, version: str = "v1.68.11", channel: str = "Stable") -> list[KubeObject]:
    """Just bootstrapped: no release of anything yet. Without a `channel` there never will be one."""
    platform = Platform(version=version, channel=channel, mode="", windows=())
    return [*platform.objects(), *platform.embedded("prometheus", "cni-cilium"), platform.source()]


def updating(
    *, version: str = "v1.68.11", next_version: str = "v1.69.7", pending: str = "v1.70.17"
) -> list[KubeObject]:
    """In the middle of an update: the image is switched to `next_version`, whose pod has not reconciled a thing yet."""
    platform = replace(Platform(version=version), image_version=next_version)
    awaiting = f"awaiting for Deckhouse {next_version} pod to be ready"
    return [
        *platform.objects(),
        *_modules_of_the_source(platform),
        objects.release(version, phase="Superseded", approved=True),
        objects.release(next_version, phase="Deployed", approved=True, isUpdating="true", notified="false"),
        objects.release(pending, phase="Pending", message=awaiting),
        objects.alert("DeckhouseUpdating", severity=4, summary=f"Updating to {next_version}.", version=next_version),
    ]


def _modules_of_the_source(platform: Platform) -> Sequence[KubeObject]:
    """One module of every sort: pending, up to date with the tree, with a policy, overridden, disabled, embedded."""
    channel = platform.channel
    return [
        *platform.embedded("prometheus", "cni-cilium", "ingress-nginx"),
        platform.source(
            modules.offered("console", "v1.36.2"),
            modules.offered("sdn", "v0.4.1"),
            modules.offered("operator-trivy", "v0.9.0", policy="slow"),
            modules.offered("stronghold", "v1.16.1", overridden=True),
            modules.offered("commander", "v1.9.0"),
        ),
        modules.policy("slow", channel="RockSolid"),
        *(modules.module_config(name) for name in ("console", "sdn", "stronghold")),
        modules.module_config("operator-trivy", policy="slow"),
        modules.module_config("commander", enabled=False),
        modules.module("console", source="deckhouse", version="v1.35.1", channel=channel),
        modules.module("sdn", source="deckhouse", version="v0.4.1", channel=channel),
        modules.module("operator-trivy", source="deckhouse", version="v0.9.0", channel="RockSolid", policy="slow"),
        modules.module("stronghold", source="deckhouse", version=OVERRIDE_TAG, overridden=True),
        modules.module(
            "commander", source="deckhouse", version="v1.9.0", channel=channel, phase="Available", enabled=False
        ),
        modules.pull_override("stronghold", tag=OVERRIDE_TAG),
        modules.module_release("console", "v1.34.0", phase="Superseded"),
        modules.module_release("console", "v1.35.1", phase="Deployed"),
        modules.module_release("console", "v1.36.2", phase="Pending", message=MODULE_WAITS_FOR_APPROVAL),
        modules.module_release("sdn", "v0.4.1", phase="Deployed"),
        modules.module_release("operator-trivy", "v0.9.0", phase="Deployed", policy="slow"),
        modules.documentation("console", version="v1.35.1"),
    ]
