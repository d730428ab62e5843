# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the demonstration plays on: two registries, and a cluster, real where an API server is at hand."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible_collections.dkp.airgap.tests.kit.cluster import KubeServer
from ansible_collections.dkp.airgap.tests.kit.deckhouse import Deckhouse
from ansible_collections.dkp.airgap.tests.kit.journey import PrivateRegistry, Start
from ansible_collections.dkp.airgap.tests.kit.programs import MissingProgram, ensure_registry, find_kubectl
from ansible_collections.dkp.airgap.tests.kit.servers import Server
from ansible_collections.dkp.airgap.tests.kit.shape import DEMO
from ansible_collections.dkp.airgap.tests.kit.storage import stored, write
from ansible_collections.dkp.airgap.tests.kit.vendor import Vendor, any_server

START = Start(version="v1.68.11")
TARGET = "v1.70.17"
REQUEST = Path(__file__).resolve().with_name("request.yml")


@dataclass(frozen=True)
class Stage:
    """`told`: what there is, for the reader. `inventory` leads a playbook to all of it."""

    told: list[str]
    inventory: dict[str, Any]
    cluster_version: Callable[[], str | None]
    """What the cluster runs; None for one that is only described."""

    def outcome(self) -> str:
        """How the rollout ended."""
        version = self.cluster_version()
        return f"the cluster runs {version}" if version else "left out: a described cluster does not update"


def set_up(directory: Path, running: ExitStack) -> Stage:
    """Start everything; `running` ends it. Raises MissingProgram where no registry can be had."""
    vendor, private = _registries(directory, running)
    told = [
        f"A vendor's registry, {len(DEMO.versions)} releases and three modules: {vendor.options['images_repo']}",
        f"A private registry with what the cluster runs: {private.images_repo}",
    ]
    variables = {
        "ansible_connection": "local",
        "ansible_python_interpreter": sys.executable,
        **{f"dkp_source_{name}": value for name, value in vendor.options.items()},
        **{f"dkp_registry_{name}": value for name, value in private.options.items() if name != "ca_path"},
        "dkp_registry_scheme": "http",
        "dkp_bundle_dir": str(directory / "bundle"),
        "dkp_plan_file": str(directory / "plan.json"),
        "dkp_request_file": str(directory / "request.yml"),
    }
    groups: dict[str, Any] = {name: {"hosts": {"jump": {}}} for name in ("dkp_connected", "dkp_airgapped")}
    try:
        cluster = running.enter_context(KubeServer())
    except MissingProgram as missing:
        told.append(f"A cluster that is described in tests/demo/{REQUEST.name}, for there is no API server ({missing})")
        variables["dkp_request_file"] = str(REQUEST)
        return Stage(told, {"all": {"vars": variables, "children": groups}}, lambda: None)
    told.append(f"A cluster at {START.version}: an API server, and a Deckhouse that takes releases as a real one")
    cluster.install_crds()
    cluster.apply(START.objects(private))
    groups["dkp_cluster"] = {"hosts": {"prod": _access(directory, cluster)}}
    deckhouse = running.enter_context(Deckhouse(cluster, storage=private.server.storage, poll=0.3, deploy_seconds=0.5))
    return Stage(told, {"all": {"vars": variables, "children": groups}}, deckhouse.platform_version)


def _access(directory: Path, cluster: KubeServer) -> dict[str, Any]:
    return {
        "dkp_kubernetes_access": "command",
        "dkp_kubernetes_command": str(find_kubectl()),
        "dkp_kubeconfig": str(cluster.kubeconfig(directory / "kubeconfig")),
        # Nothing here takes as long as in a real cluster.
        "dkp_rollout_poll": 0.5,
        "dkp_rollout_settle": 1,
    }


def _registries(directory: Path, running: ExitStack) -> tuple[Vendor, PrivateRegistry]:
    tree = stored(DEMO, directory / "vendor")
    held = START.held(tree)
    write(held, directory / "private")
    no_authority = directory / "no-authority.pem"
    no_authority.write_text("")
    vendor = running.enter_context(_server(directory / "vendor"))
    private = running.enter_context(_server(directory / "private"))
    return Vendor(vendor, tree), PrivateRegistry(private, no_authority, held.shape.edition_root)


def _server(directory: Path) -> Server:
    try:
        return any_server(directory, htpasswd=True)
    except MissingProgram:
        print("No registry program is here: Distribution 3 is built now, which takes a minute or two.", flush=True)
        ensure_registry()
        return any_server(directory, htpasswd=True)
