# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is known of a cluster: the shape of `dkp_cluster_facts` and of a request's `cluster` (contract §3).

Null means "not observed", which is not the same as none: a requirement about what was not observed is unknown.
Versions of Kubernetes and of what runs on nodes are texts without ``v``; those of DKP and its modules are vX.Y.Z.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..._oci.errors import InvalidInput
from ..fields import channel, choice_of, described, flag, mapping_of, number, record_of, text, tuple_of
from ..fields import version as version_field
from ..fields import versions as versions_field
from ..version import Version
from .addresses import repository_address

UPDATE_MODES = ("AutoPatch", "Auto", "Manual", "Ignore")
"""``Ignore`` exists in policies of v1alpha1 only."""
UNMANAGED, DIRECT, PROXY, LOCAL = REGISTRY_MODES = ("Unmanaged", "Direct", "Proxy", "Local")
AUTOMATIC = "Automatic"


def cluster_name(value: Any, where: str) -> str:
    """The name of a cluster: a text of one line, not blank."""
    name = text(value, where)
    if not name.strip() or name != name.strip() or not name.isprintable():
        raise InvalidInput(f"{where}: {name[:100]!r} is no name for a cluster; write a text of one line, such as prod")
    return name


@dataclass(frozen=True)
class Window:
    """When updates may start: times of day in UTC, ``HH:MM``; no `days` is every day."""

    start: str = described(text, key="from")
    end: str = described(text, key="to")
    days: tuple[str, ...] = described(tuple_of(text), ())


@dataclass(frozen=True)
class RegistryFacts:
    """Where the cluster takes its images from, as dkp-cluster.md §3.3 finds it.

    `images_repo` is the real registry, or null for mode Local, which has none outside of the cluster. `address` is
    what the cluster itself uses, which is virtual in modes Direct, Proxy and Local. `ca` is PEM. `source_agrees` is
    false where ModuleSource ``deckhouse`` does not read from below `address`: its modules have a path of their own, or
    a change of the registry is half done.
    """

    images_repo: str | None = described(repository_address, None)
    scheme: str = described(choice_of("https", "http"), "https")
    ca: str | None = described(text, None)
    mode: str = described(choice_of(*REGISTRY_MODES), "Unmanaged")
    address: str | None = described(repository_address, None)
    source_agrees: bool | None = described(flag, None)
    cache_seconds: int | None = described(number, None)
    """In mode Proxy, how long the cluster may go on seeing what a tag pointed at before; null for the default."""


@dataclass(frozen=True)
class KubernetesSetting:
    """The cluster's Kubernetes version as configured: `version` is a minor (``1.31``) or ``Automatic``.

    `automatic` is what Automatic means in the running DKP, `maximum_used` the highest that ever ran.
    """

    version: str | None = described(text, None)
    automatic: str | None = described(text, None)
    maximum_used: str | None = described(text, None)


@dataclass(frozen=True)
class ReleaseFacts:
    """A DeckhouseRelease or ModuleRelease: `phase` as in dkp-cluster.md §1.2 (empty on a new one is ``Pending``)."""

    version: Version = described(version_field)
    phase: str = described(text, "Pending")
    message: str = described(text, "")
    approved: bool = described(flag, False)
    apply_after: str | None = described(text, None)
    updating: bool = described(flag, False)


@dataclass(frozen=True)
class ModuleRequirements:
    """Constraints that a module states, as written."""

    deckhouse: str | None = described(text, None)
    kubernetes: str | None = described(text, None)
    modules: Mapping[str, str] = described(mapping_of(text), dict)


@dataclass(frozen=True)
class ModuleFacts:
    """One module. `channel`, `update_mode` and `source` are what it really follows (dkp-cluster.md §2.8).

    `version`: deployed, null when no release is. `embedded`: shipped inside of DKP, so it has no releases. `pending`:
    versions that wait. `policy`: name of its ModuleUpdatePolicy. `override`: tag of its ModulePullOverride, which
    excludes it from updates. `conflict`: the sources that offer it when none was chosen. `requirements`: of the
    deployed release.
    """

    enabled: bool = described(flag, True)
    version: Version | None = described(version_field, None)
    channel: str | None = described(channel, None)
    source: str | None = described(text, None)
    embedded: bool = described(flag, False)
    pending: tuple[Version, ...] = described(versions_field, ())
    releases: tuple[ReleaseFacts, ...] = described(tuple_of(record_of(ReleaseFacts)), ())
    update_mode: str | None = described(choice_of(*UPDATE_MODES), None)
    policy: str | None = described(text, None)
    override: str | None = described(text, None)
    conflict: tuple[str, ...] = described(tuple_of(text), ())
    phase: str | None = described(text, None)
    requirements: ModuleRequirements = described(record_of(ModuleRequirements), ModuleRequirements)


@dataclass(frozen=True)
class SourceModule:
    """What a ModuleSource says of one module it lists; `error` is empty when all is well."""

    version: str | None = described(text, None)
    error: str = described(text, "")


@dataclass(frozen=True)
class SourceFacts:
    """A ModuleSource. `repo` holds its modules; `channel` is the deprecated default of old versions."""

    repo: str | None = described(repository_address, None)
    scheme: str = described(choice_of("https", "http"), "https")
    ca: str | None = described(text, None)
    channel: str | None = described(channel, None)
    phase: str | None = described(text, None)
    message: str = described(text, "")
    modules: Mapping[str, SourceModule] = described(mapping_of(record_of(SourceModule)), dict)


@dataclass(frozen=True)
class PolicyFacts:
    """A ModuleUpdatePolicy. `selector` and `selector_expressions` (v1alpha1): the labels of releases it applies to."""

    channel: str | None = described(channel, None)
    mode: str = described(choice_of(*UPDATE_MODES), "Auto")
    windows: tuple[Window, ...] = described(tuple_of(record_of(Window)), ())
    selector: Mapping[str, str] = described(mapping_of(text), dict)
    selector_expressions: tuple[str, ...] = described(tuple_of(text), ())


@dataclass(frozen=True)
class NodeFacts:
    """A node. `group`: its NodeGroup, null for nodes that DKP does not keep. `runtime`: ``containerd://1.7.27``."""

    kubelet: str | None = described(text, None)
    group: str | None = described(text, None)
    control_plane: bool = described(flag, False)
    os_image: str | None = described(text, None)
    kernel: str | None = described(text, None)
    runtime: str | None = described(text, None)
    labels: Mapping[str, str] = described(mapping_of(text), dict)


@dataclass(frozen=True)
class IngressController:
    """An IngressNginxController; `version` is null where it takes the module's default."""

    version: str | None = described(text, None)
    ingress_class: str | None = described(text, None, key="class")


@dataclass(frozen=True)
class CloudCondition:
    """One item of the ConfigMap ``d8-cloud-provider-conditions``."""

    name: str = described(text)
    ok: bool = described(flag)
    message: str = described(text, "")


@dataclass(frozen=True)
class Alert:
    """A ClusterAlert that fires."""

    name: str = described(text)
    severity: str | None = described(text, None)
    summary: str = described(text, "")
    labels: Mapping[str, str] = described(mapping_of(text), dict)


@dataclass(frozen=True)
class ClusterFacts:
    """One cluster.

    `name` is what requests, plans and results call it: any text of one line.
    `version` is the one that DKP has reconciled, `switched_version` the one its Deployment was switched to: they differ
    while an update is under way. `kubelet_min` is the lowest kubelet of all nodes, `kubernetes_version` the lowest of
    the control plane. `ingress_default` and `istio_versions` are settings of those modules. `resource_version` changes
    whenever one of its releases or module settings does.
    """

    name: str = described(cluster_name)
    version: Version = described(version_field)
    uuid: str | None = described(text, None)
    resource_version: str | None = described(text, None)
    edition: str | None = described(text, None)
    switched_version: Version | None = described(version_field, None)
    channel: str | None = described(channel, None)
    update_mode: str = described(choice_of(*UPDATE_MODES), "AutoPatch")
    update_windows: tuple[Window, ...] = described(tuple_of(record_of(Window)), ())
    bundle: str | None = described(text, None)
    kubernetes_version: str | None = described(text, None)
    kubelet_min: str | None = described(text, None)
    kubernetes: KubernetesSetting = described(record_of(KubernetesSetting), KubernetesSetting)
    default_cri: str | None = described(text, None)
    registry: RegistryFacts | None = described(record_of(RegistryFacts), None)
    releases: tuple[ReleaseFacts, ...] | None = described(tuple_of(record_of(ReleaseFacts)), None)
    modules: Mapping[str, ModuleFacts] | None = described(mapping_of(record_of(ModuleFacts)), None)
    sources: Mapping[str, SourceFacts] | None = described(mapping_of(record_of(SourceFacts)), None)
    policies: Mapping[str, PolicyFacts] | None = described(mapping_of(record_of(PolicyFacts)), None)
    nodes: Mapping[str, NodeFacts] | None = described(mapping_of(record_of(NodeFacts)), None)
    ingress_controllers: Mapping[str, IngressController] | None = described(
        mapping_of(record_of(IngressController)), None
    )
    ingress_default: str | None = described(text, None)
    istio_versions: tuple[str, ...] | None = described(tuple_of(text), None)
    cloud_conditions: tuple[CloudCondition, ...] | None = described(tuple_of(record_of(CloudCondition)), None)
    alerts: tuple[Alert, ...] | None = described(tuple_of(record_of(Alert)), None)
    approval_webhook: bool | None = described(flag, None)
    """Whether the cluster itself judges approvals (dkp-cluster.md §1.8), so that a dry run can ask it."""

    def lists_module(self, name: str) -> bool:
        """Whether one of the cluster's sources lists the module, and without an error."""
        sources = (self.sources or {}).values()
        return any(name in source.modules and not source.modules[name].error for source in sources)
