# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From the objects of a cluster to what is known of it (dkp-cluster.md §1-§4, §7), by whatever way they were read."""

from __future__ import annotations

from typing import Any

from ..._oci.errors import InvalidContent
from . import conditions, kubernetes, platform
from .facts import ClusterFacts, cluster_name
from .modules import modules
from .nodes import lowest_control_plane, lowest_kubelet, nodes
from .objects import KINDS, Observed, observe
from .policies import policies
from .registry import registry
from .releases import platform_releases
from .sources import sources


def cluster_facts(objects: Any, *, name: str) -> ClusterFacts:
    """The facts of the cluster `name`, out of lists of its objects by kind (see `observe`).

    A kind that was not read makes its facts null; an empty list makes them empty. Secrets and ConfigMaps are looked
    for by the names of §3.2; of Secrets nothing is kept but addresses, scheme, CA and what the platform calls itself.

    Raises InvalidContent naming object and field for a value of a wrong type or a strange version, and for objects
    that do not come from a DKP cluster; InvalidInput for a `name` that is none.
    """
    called = cluster_name(name, "name")
    observed = observe(objects)
    releases = platform_releases(observed)
    version = platform.platform_version(observed, releases)
    if version is None:
        raise InvalidContent(_not_deckhouse(observed, called))
    known = nodes(observed)
    known_policies = policies(observed)
    return ClusterFacts(
        name=called,
        version=version,
        uuid=platform.cluster_uuid(observed),
        resource_version=platform.resource_version(observed),
        edition=platform.edition(observed),
        switched_version=platform.switched_version(observed),
        channel=platform.platform_channel(observed),
        update_mode=platform.update_mode(observed),
        update_windows=platform.windows(observed),
        bundle=platform.bundle(observed),
        kubernetes_version=lowest_control_plane(known),
        kubelet_min=lowest_kubelet(known),
        kubernetes=kubernetes.kubernetes_setting(observed),
        default_cri=kubernetes.default_cri(observed),
        registry=registry(observed),
        releases=releases,
        modules=modules(observed),
        sources=sources(observed),
        policies=None if known_policies is None else {key: each.facts for key, each in known_policies.items()},
        nodes=known,
        ingress_controllers=conditions.ingress_controllers(observed),
        ingress_default=conditions.ingress_default(observed),
        istio_versions=conditions.istio_versions(observed),
        cloud_conditions=conditions.cloud_conditions(observed),
        alerts=conditions.alerts(observed),
        approval_webhook=conditions.approval_webhook(observed),
    )


def _not_deckhouse(observed: Observed, name: str) -> str:
    read = ", ".join(kind for kind in KINDS if observed.has(kind)) or "nothing"
    return (
        f"{name}: nothing tells which version of Deckhouse runs there. Looked for Deployment d8-system/deckhouse (its "
        "annotation core.deckhouse.io/version and the tag of its image), ConfigMap d8-system/d8-deckhouse-version-info "
        f"and a DeckhouseRelease in phase Deployed; read were: {read}. Either this is no DKP cluster, or these objects "
        "were not read"
    )
