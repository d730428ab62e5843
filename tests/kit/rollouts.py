# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Updates for rollouts to walk: plans as `update_plan` writes them, and clusters with a Deckhouse."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from . import cluster_objects, clusters, module_objects
from .cluster import KubeServer
from .deckhouse import Deckhouse
from .mirrored import Held, mirrored, moved
from .plans import content
from .playbooks import Task, task
from .programs import find_kubectl
from .servers import PASSWORD, USERNAME, Server
from .shape import SMALL
from .storage import write
from .tree import build

QUICK = {"poll": 0.4, "settle": 0.4, "timeout": 60, "discovery_timeout": 20, "grace": 0.5, "queue": False}
"""Patience of rollouts in tests, in seconds; the pods of a test have no queue to ask for."""
RIGHTS = ("rbac.yml", "../../rollout/files/rbac.yml")
"""Manifests that a service account of `facts_role` needs for a rollout."""
STEPS = ("v1.68.4", "v1.69.0")
CONSOLE = ("v1.36.2",)
_VENDOR = moved(build(SMALL), root="dkp")


def update_plan(
    steps: Sequence[str] = STEPS,
    modules: Mapping[str, Sequence[str]] | None = None,
    *,
    order: Sequence[Mapping[str, Any]] | None = None,
    cluster: str = "localhost",
) -> dict[str, Any]:
    """A plan for one cluster: `steps` of the platform and of `modules`; the platform first without an `order`."""
    by_module = {"console": CONSOLE} if modules is None else modules
    plain: list[dict[str, Any]] = [{"platform": step} for step in steps]
    plain += [{"modules": {name: list(found) for name, found in by_module.items()}}] if by_module else []
    end = steps[-1] if steps else None
    member = {
        "platform": {"from": "v1.68.0", "to": end, "channel": "stable", "steps": list(steps)},
        "modules": {name: {"steps": list(found), "to": found[-1]} for name, found in by_module.items()},
        "order": plain if order is None else list(order),
        "findings": [],
    }
    carried = content(versions=steps, channels={"stable": end} if end else {}, modules={})
    return {"kind": "UpdatePlan", "version": 1, "ok": True, "clusters": {cluster: member}, "content": carried}


def fill(directory: Path) -> None:
    """A private registry with the images of what the cluster runs."""
    write(mirrored(_VENDOR, _held("v1.68.0"), {"console": Held(("v1.35.4",), {"stable": "v1.35.4"})}), directory)


def publish(directory: Path, *versions: str, modules: bool = True) -> None:
    """Bring `versions` of the platform and the next one of the module console, and let the channels say so."""
    console = {"console": Held(CONSOLE, {"stable": CONSOLE[-1]})} if modules else {}
    write(mirrored(_VENDOR, _held(*(versions or STEPS)), console), directory)


def _held(*versions: str) -> Held:
    return Held(versions, {"stable": versions[-1]})


def objects(images_repo: str, *, mode: str = "Manual", **settings: Any) -> list[dict[str, Any]]:
    """A cluster at v1.68.0 with the module console, that reads the registry at `images_repo`."""
    platform = clusters.Platform("v1.68.0", images_repo=images_repo, scheme="http", mode=mode, windows=(), **settings)
    return [
        *platform.objects(),
        cluster_objects.registry_secret(images_repo, scheme="http", username=USERNAME, password=PASSWORD),
        platform.source(module_objects.offered("console", "v1.35.4")),
        module_objects.module_config("console"),
        module_objects.module("console", source="deckhouse", version="v1.35.4"),
        module_objects.module_release("console", "v1.35.4", phase="Deployed"),
        *platform.embedded("prometheus"),
        cluster_objects.release("v1.68.0", phase="Deployed", approved=True),
    ]


@contextmanager
def updating(cluster: KubeServer, private: Server, *, mode: str = "Manual", **settings: Any) -> Iterator[Deckhouse]:
    """A Deckhouse in `cluster` that follows the registry `private`."""
    cluster.apply(objects(f"{private.host}/dkp/ee", mode=mode))
    given = {"poll": 0.1, "deploy_seconds": 0.3, "module_seconds": 0.1, **settings}
    with Deckhouse(cluster, storage=private.storage, **given) as deckhouse:
        yield deckhouse


def way_in(kubeconfig: Path, access: str) -> dict[str, str]:
    """Options of the modules for access with a kubeconfig."""
    found = {"access": access, "kubeconfig": str(kubeconfig)}
    return {**found, "command": str(find_kubectl())} if access == "command" else found


def rollout(name: str, kubeconfig: Path, plan: Mapping[str, Any], *, access: str = "command", **options: Any) -> Task:
    """A task that calls the module rollout."""
    return task(name, "rollout", **{**way_in(kubeconfig, access), **QUICK, "plan": dict(plan), **options})


def rollout_role(name: str, kubeconfig: Path, plan: Mapping[str, Any], **options: Any) -> Task:
    """A task that runs the role rollout, by a command."""
    given = {**way_in(kubeconfig, "command"), **QUICK, "plan": dict(plan), **options}
    return {
        "name": name,
        "ansible.builtin.include_role": {"name": "dkp.airgap.rollout"},
        "vars": {f"rollout_{key}": value for key, value in given.items()},
    }


def shown(name: str) -> Task:
    """A task whose result is what the role has kept."""
    return {"name": name, "ansible.builtin.debug": {"var": "rollout_result"}}


def wants(*versions: str, console: str = "") -> list[dict[str, str]]:
    """Releases as they are wanted and approved."""
    found = [{"kind": "platform", "name": version, "version": version} for version in versions]
    return found + ([{"kind": "module", "name": f"console-{console}", "version": console}] if console else [])
