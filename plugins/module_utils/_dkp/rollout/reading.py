# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is read of a cluster for a rollout, by whatever way: each look the things that move, settings once for a run."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Listing:
    """All objects of a kind, in the first of `versions` that the cluster serves. `fields` selects by fields."""

    kind: str
    versions: tuple[str, ...]
    required: bool = False
    """Whether a cluster that does not serve it is no DKP cluster."""
    fields: str = ""

    def type_in(self, version: str) -> str:
        """How kubectl is asked for it."""
        group, _slash, name = version.rpartition("/")
        return f"{self.kind}.{name}.{group}" if group else self.kind


@dataclass(frozen=True)
class Single:
    """One object by name; that it is not there is no error."""

    kind: str
    version: str
    namespace: str
    name: str


GROUP = "deckhouse.io"
_OLDEST = "deckhouse.io/v1alpha1"
MOVING = (
    Listing("DeckhouseRelease", (_OLDEST,), required=True),
    Listing("Module", (_OLDEST,)),
    Listing("ModuleRelease", (_OLDEST,)),
    Listing("ModuleSource", (_OLDEST,)),
)
SETTINGS = (
    Listing("ModuleConfig", (_OLDEST,)),
    Listing("ModulePullOverride", ("deckhouse.io/v1alpha2", _OLDEST)),
    Listing("ModuleUpdatePolicy", ("deckhouse.io/v1alpha2", _OLDEST)),
)
WAITING_PODS = Listing("Pod", ("v1",), fields="status.phase=Pending")
"""A pod one of whose images cannot be pulled is in this phase; all others would be thousands."""
NAMESPACES = Listing("Namespace", ("v1",))
ALERTS = Listing("ClusterAlert", (_OLDEST,))
WEBHOOKS = Listing("ValidatingWebhookConfiguration", ("admissionregistration.k8s.io/v1",))
DEPLOYMENT = Single("Deployment", "apps/v1", "d8-system", "deckhouse")
SETTINGS_OBJECTS = (
    Single("Secret", "v1", "d8-system", "deckhouse-discovery"),
    Single("Secret", "v1", "d8-system", "deckhouse-registry"),
    Single("ConfigMap", "v1", "d8-system", "d8-deckhouse-version-info"),
    Single("ConfigMap", "v1", "kube-system", "d8-cluster-uuid"),
)
"""The same objects of which cluster facts are made, so that both tell the same identity and resource version."""

SYSTEM = "d8-system"
CONTAINER = "deckhouse"
LEADER = ("app=deckhouse", "leader=true")
QUEUE_COMMANDS = (
    ("curl", "-s", "http://127.0.0.1:9652/queue/list.json"),
    ("deckhouse-controller", "queue", "list"),
)
"""Two ways to the same answer inside of the pod of Deckhouse (§10.2); not every image has the program of the first."""
