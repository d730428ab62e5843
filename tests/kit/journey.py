# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later


"""Whole journeys: a vendor, a private registry and a cluster that lives on it, with a Deckhouse, and hosts between.

>>> with Journey(tmp_path, cluster, python=target_python, topology="path") as journey:
...     run = journey.play("dkp.airgap.update", dkp_approve="always")
...     journey.wait_for_version("v1.69.0")
>>> assert run.changed["inside"] and not journey.exposures

Who reaches what, and nothing besides: the connected host the vendor's registry, the air-gapped one the private registry
and the API server, the controller both hosts by SSH.

=============  ====================================================================================================
``jump``       one host, ``jump``, is in all groups
``path``       ``outside`` and ``inside`` reach each other
``controller`` they do not: what is carried over goes through the controller
``gap``        each side has a controller of its own, and plays with its own inventory: `play` with ``side=``
=============  ====================================================================================================
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

from . import cluster_objects, clusters, module_objects
from .certificates import Authority
from .cluster import KubeServer
from .deckhouse import Deckhouse
from .deckhouse_view import phase_of
from .hosts import Host, Network
from .kube_client import KubeObject
from .mirrored import Held, mirrored
from .playbooks import Ansible, Run
from .programs import find_kubectl
from .registry_watch import Exposure
from .servers import PASSWORD, USERNAME, Server
from .shape import SMALL, TreeShape
from .storage import stored, write
from .tree import Tree, build
from .vendor import Vendor, any_server

CLUSTER = "prod"
PRIVATE_ROOT = "dkp"
GROUPS = ("dkp_connected", "dkp_airgapped", "dkp_cluster")
SIDES = {"outside": ("dkp_connected",), "inside": ("dkp_airgapped", "dkp_cluster")}
QUICK = {
    "dkp_rollout_poll": 0.3,
    "dkp_rollout_settle": 0.5,
    "dkp_rollout_timeout": 90,
    "dkp_rollout_discovery_timeout": 30,
}
"""Patience of rollouts, in seconds."""


@dataclass(frozen=True)
class Start:
    """What the cluster runs, and how it updates. Versions are those of `SMALL`."""

    version: str = "v1.68.0"
    modules: Mapping[str, str] = field(
        default_factory=lambda: {"console": "v1.35.4", "operator-trivy": "v0.9.1", "sdn": "v0.4.2"}
    )
    channel: str = "Stable"
    mode: str = "Manual"

    def objects(self, private: PrivateRegistry) -> list[KubeObject]:
        """The cluster, whose registry is `private`."""
        repo, scheme = private.images_repo, private.server.scheme
        platform = clusters.Platform(
            self.version, channel=self.channel, images_repo=repo, scheme=scheme, mode=self.mode, windows=()
        )
        credentials = {"username": USERNAME, "password": PASSWORD, "authority": private.authority.read_text()}
        offers = [module_objects.offered(name, version) for name, version in self.modules.items()]
        return [
            *platform.objects(),
            cluster_objects.registry_secret(repo, scheme=scheme, **credentials),
            platform.source(*offers),
            *platform.embedded("prometheus", "cni-cilium"),
            cluster_objects.release(self.version, phase="Deployed", approved=True),
            *(thing for name, version in self.modules.items() for thing in self._module(name, version)),
        ]

    def _module(self, name: str, version: str) -> list[KubeObject]:
        return [
            module_objects.module_config(name),
            module_objects.module(name, source="deckhouse", version=version, channel=self.channel),
            module_objects.module_release(name, version, phase="Deployed"),
        ]

    def held(self, vendor: Tree) -> Tree:
        """What a private registry holds of it: the running versions whole, and the channel that says them."""
        channel = self.channel.lower()
        modules = {name: Held((version,), {channel: version}) for name, version in self.modules.items()}
        return mirrored(vendor, Held((self.version,), {channel: self.version}), modules, root=PRIVATE_ROOT)


@dataclass(frozen=True)
class PrivateRegistry:
    """A private registry with TLS and a password, which one host alone reaches."""

    server: Server
    authority: Path
    edition_root: str

    @property
    def images_repo(self) -> str:
        return f"{self.server.host}/{self.edition_root}"

    @property
    def options(self) -> dict[str, str]:
        """Registry options of modules that run on the host."""
        given = {"images_repo": self.images_repo, "scheme": "https", "ca_path": str(self.authority)}
        return {**given, "username": USERNAME, "password": PASSWORD}


class Journey:
    """Everything there is, as a context manager; raises MissingProgram for what is not.

    `cluster` is an empty API server, reached by `access`: ``command``, which is quicker, or ``api``. Whatever else is
    given are settings of `Deckhouse`, such as ``generation="A"``.
    """

    def __init__(
        self,
        directory: Path,
        cluster: KubeServer,
        *,
        python: str,
        topology: str = "path",
        access: str = "command",
        start: Start | None = None,
        shape: TreeShape = SMALL,
        **deckhouse: Any,
    ) -> None:
        self.directory = directory
        self.cluster = cluster
        self.topology, self.access = topology, access
        self.start = start or Start()
        self._python, self._shape = python, shape
        self._settings = {"poll": 0.2, "deploy_seconds": 0.5, "module_seconds": 0.2, **deckhouse}
        self._stack = ExitStack()
        self.network = Network(python=python)
        self.privates: dict[str, PrivateRegistry] = {}
        """By the host of dkp_airgapped that reaches it."""

    def __enter__(self) -> Journey:
        with ExitStack() as stack:
            stack.enter_context(self.network)
            self._authority = Authority(self.network.directory / "authority")
            self.outside, self.inside = self._hosts()
            self.vendor = self._vendor(stack)
            self._stack = stack
            self.private = self.add_private(self.inside)
            self.cluster.apply(self.start.objects(self.private))
            self.kubeconfig = self.cluster.kubeconfig(self.network.directory / "kubeconfig")
            self.inside.sees(int(self.cluster.url.rpartition(":")[2]))
            self.deckhouse = stack.enter_context(
                Deckhouse(self.cluster, storage=self.private.server.storage, **self._settings)
            )
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.__exit__(kind, error, trace)

    @property
    def exposures(self) -> list[Exposure]:
        """Pointers that led a cluster to what was not there."""
        return self.deckhouse.exposures

    def add_private(self, host: Host, *, filled: bool = True) -> PrivateRegistry:
        """Another private registry for `host`, which is one of dkp_airgapped then; empty or with what clusters run."""
        place = self.network.host(f"{host.name}-registry", ssh=False)
        self.network.connect(host.name, place.name)
        storage = self.directory / f"private-{host.name}"
        held = self.start.held(self.vendor.tree)
        if filled:
            write(held, storage)
        certificate = self._authority.issue(place.name, hosts=f"IP:{place.address}")
        server = any_server(
            storage, htpasswd=True, certificate=certificate, address=place.address, namespace=place.namespace
        )
        self._stack.enter_context(server)
        made = PrivateRegistry(server, self._authority.path, held.shape.edition_root)
        self.privates[host.name] = made
        return made

    def vendor_moves(self, shape: TreeShape) -> None:
        """Let the vendor have what `shape` says, besides all there was."""
        tree = build(shape)
        write(tree, self.vendor.server.storage)
        self.vendor = Vendor(self.vendor.server, tree)

    def play(
        self,
        *playbooks: str,
        side: str = "",
        arguments: tuple[str, ...] = (),
        timeout: float = 180,
        kill_after: float | None = None,
        **variables: Any,
    ) -> Run:
        """Run playbooks by their full names with further `variables`; across a gap on one `side` of it."""
        ansible = self._ansible(side)
        first, *others = playbooks
        return ansible.playbook(
            first,
            *others,
            *arguments,
            groups=self.groups(side),
            variables={**self.variables(side), **variables},
            timeout=timeout,
            kill_after=kill_after,
        )

    def groups(self, side: str = "") -> dict[str, dict[str, dict[str, Any]]]:
        """The groups of the inventory with their hosts' variables, of all or of one `side`."""
        connected = {self.outside.name: self._connected()}
        airgapped = {name: self._airgapped(name) for name in self.privates}
        cluster = {self.inside.name: self._clustered()}
        found = dict(zip(GROUPS, (connected, airgapped, cluster)))
        return {group: hosts for group, hosts in found.items() if not side or group in SIDES[side]}

    def variables(self, side: str = "") -> dict[str, Any]:
        """What holds for all hosts: where the two documents lie, and the patience of rollouts."""
        desk = self.desk(side)
        files = {"dkp_request_file": f"{desk}/request.yml", "dkp_plan_file": f"{desk}/plan.yml"}
        return {**QUICK, **files}

    def desk(self, side: str = "") -> Path:
        """The directory of whoever controls this `side`, made if it is not there."""
        directory = self._controller(side).directory / "desk"
        directory.mkdir(exist_ok=True)
        return directory

    def carry(self, name: str, *, start: str, end: str) -> None:
        """Carry a file over the gap, from desk to desk (``carry("request.yml", start="inside", end="outside")``)."""
        shutil.copy2(self.desk(start) / name, self.desk(end) / name)

    def carry_medium(self, *, start: Path | None = None, end: Path | None = None) -> None:
        """Carry a medium over the gap: ``medium`` of the outer host becomes that of the inner one."""
        source = self.outside.seen(start or self.outside.directory / "medium")
        target = self.inside.seen(end or self.inside.directory / "medium")
        shutil.copytree(source, target, dirs_exist_ok=True)

    def wait_for_version(self, version: str, *, timeout: float = 30) -> None:
        """Wait until the platform has started in `version`, and Deckhouse has settled."""
        self.deckhouse.wait_for(lambda: self.deckhouse.platform_version() == version, timeout=timeout)
        self.deckhouse.settle()

    def phases(self, kind: str = "DeckhouseRelease") -> dict[str, str]:
        """Releases and their phases."""
        return {one["metadata"]["name"]: phase_of(one) for one in self.cluster.client.list(kind)}

    def _hosts(self) -> tuple[Host, Host]:
        if self.topology == "jump":
            jump = self.network.host("jump")
            return jump, jump
        if self.topology == "gap":
            self._inner = self.network.host("inner-controller", ssh=False)
            return self.network.host("outside"), self.network.host("inside", controller=self._inner)
        outside, inside = self.network.host("outside"), self.network.host("inside")
        if self.topology == "path":
            self.network.connect("outside", "inside")
        return outside, inside

    def _vendor(self, stack: ExitStack) -> Vendor:
        place = self.network.host("vendor", ssh=False)
        self.network.connect(self.outside.name, "vendor")
        storage = self.directory / "vendor"
        tree = stored(self._shape, storage)
        server = any_server(storage, htpasswd=True, address=place.address, namespace=place.namespace)
        return Vendor(stack.enter_context(server), tree)

    def _controller(self, side: str) -> Host:
        return self._inner if self.topology == "gap" and side == "inside" else self.network.controller

    def _ansible(self, side: str) -> Ansible:
        directory = self.directory / f"ansible{side}"
        return Ansible(directory, python=self._python, network=self.network, controller=self._controller(side))

    def _connected(self) -> dict[str, Any]:
        source = {f"dkp_source_{name}": value for name, value in self.vendor.options.items()}
        return {**source, "dkp_bundle_dir": f"{self.outside.directory}/bundle"}

    def _airgapped(self, name: str) -> dict[str, Any]:
        registry = {f"dkp_registry_{key}": value for key, value in self.privates[name].options.items()}
        return {**registry, "dkp_bundle_dir": f"{self.network.hosts[name].directory}/bundle"}

    def _clustered(self) -> dict[str, Any]:
        return {
            "dkp_cluster_name": CLUSTER,
            "dkp_kubernetes_access": self.access,
            "dkp_kubernetes_command": str(find_kubectl()),
            "dkp_kubeconfig": str(self.kubeconfig),
        }
