# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A fleet to plan: 200 clusters with 500 modules each, of which the vendor has 40 versions."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ansible_collections.dkp.airgap.plugins.module_utils._dkp.cluster.facts import ClusterFacts
from ansible_collections.dkp.airgap.plugins.module_utils._dkp.fields import parse_record
from ansible_collections.dkp.airgap.plugins.module_utils._dkp.plan.fleet import Member, plan_fleet
from ansible_collections.dkp.airgap.plugins.module_utils._dkp.plan.offer import parse_vendor
from ansible_collections.dkp.airgap.tests.bench.processes import BenchFailed
from ansible_collections.dkp.airgap.tests.kit.planning import channels, module, modules, platform

CLUSTERS, MODULES = 200, 500
_ROOT = Path(__file__).parents[5]
_PLATFORM = "v1.68.11 v1.68.13 v1.69.7 v1.70.17"
_MINORS = range(60, 70)
_LONGEST = 600


def vendor() -> tuple[dict[str, Any], dict[str, Any]]:
    """The results of the two info modules: every module has 40 versions and some requirements."""
    versions = " ".join(f"v1.{minor}.{patch}" for minor in _MINORS for patch in range(4))
    stated = {f"v1.{minor}.3": {"deckhouse": f">= 1.{minor - 10}", "kubernetes": ">= 1.28"} for minor in _MINORS}
    offer = module(versions, channels(stable="v1.69.3", alpha="v1.69.3"), stated)
    requirements = {"v1.69.7": {"k8s": "1.29", "disabledModules": "delivery"}, "v1.70.17": {"k8s": "1.30"}}
    offered = modules(**{f"module_{number:03}": offer for number in range(MODULES)})
    return platform(_PLATFORM, channels(stable="v1.70.17"), requirements), offered


def clusters() -> list[dict[str, Any]]:
    """Facts of clusters that differ in what runs, equal in every run."""
    chosen = random.Random(1)
    return [
        {
            "name": f"cluster-{number:03}",
            "edition": "EE",
            "version": chosen.choice(_PLATFORM.split()[:3]),
            "channel": "stable",
            "kubelet_min": "1.31.6",
            "kubernetes_version": "1.31.6",
            "registry": {"images_repo": f"registry-{number}.example/dkp/ee"},
            "modules": {
                f"module-{each:03}": {
                    "version": f"v1.{chosen.randrange(64, 70)}.{chosen.randrange(4)}",
                    "channel": chosen.choice(["stable", "alpha"]),
                    "source": "deckhouse",
                }
                for each in range(MODULES)
            },
        }
        for number in range(CLUSTERS)
    ]


def plan_by_function(facts: Sequence[Mapping[str, Any]], results: tuple[dict[str, Any], dict[str, Any]]) -> float:
    """Seconds of the pure function, from facts and an offer as they are in memory after they were read."""
    members = [Member(parse_record(ClusterFacts, each, "clusters")) for each in facts]
    offer = parse_vendor(*results)
    started = time.perf_counter()
    plan = plan_fleet(members, offer)
    seconds = time.perf_counter() - started
    if not plan.ok or not plan.content.modules:
        raise BenchFailed("the plan for the fleet is not what was expected")
    return seconds


def write_requests(directory: Path, facts: Sequence[Mapping[str, Any]], results: Sequence[Mapping[str, Any]]) -> None:
    """A request for each cluster, and the two results, as files."""
    directory.mkdir()
    for each in facts:
        request = {"kind": "UpdateRequest", "version": 1, "cluster": each, "inventory": None}
        (directory / f"{each['name']}.json").write_text(json.dumps(request))
    for name, result in zip(("platform", "modules"), results):
        (directory / f"offer-{name}.json").write_text(json.dumps(result))


def time_playbook(directory: Path, name: str, tasks: Sequence[Mapping[str, Any]]) -> float:
    """Seconds that ansible-playbook takes for these tasks on the controller. Raises BenchFailed."""
    playbook = directory / f"{name}.yml"
    play = {"name": name, "hosts": "localhost", "gather_facts": False, "tasks": list(tasks)}
    playbook.write_text(json.dumps([play]))
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(directory),
        "ANSIBLE_COLLECTIONS_PATH": str(_ROOT),
        "ANSIBLE_LOCALHOST_WARNING": "False",
        "LC_ALL": "C.UTF-8",
    }
    program = Path(sys.executable).parent / "ansible-playbook"
    started = time.perf_counter()
    done = subprocess.run(
        [str(program), "-i", "localhost,", "-c", "local", str(playbook)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=_LONGEST,
        check=False,
    )
    seconds = time.perf_counter() - started
    if done.returncode:
        raise BenchFailed(f"{name}: {done.stdout[-2000:]}{done.stderr[-500:]}")
    return seconds


def planning_tasks(directory: Path) -> list[dict[str, Any]]:
    """From request files to a plan file."""
    requests = sorted(str(path) for path in directory.glob("cluster-*.json"))
    return [
        {
            "name": "Plan the fleet",
            "dkp.airgap.update_plan": {
                "clusters_from": requests,
                "platform_releases": _loaded(directory, "platform"),
                "module_releases": _loaded(directory, "modules"),
                "dest": str(directory / "plan.json"),
            },
        }
    ]


def reading_tasks(directory: Path) -> list[dict[str, Any]]:
    """What a playbook without this collection would begin with: the same files as variables of Ansible."""
    return [
        {
            "name": "Read the same files",
            "ansible.builtin.include_vars": {"dir": str(directory), "files_matching": "cluster-", "name": "requests"},
        },
        {
            "name": "Read the offer",
            "ansible.builtin.set_fact": {"offer": [_loaded(directory, "platform"), _loaded(directory, "modules")]},
        },
    ]


def _loaded(directory: Path, name: str) -> str:
    path = directory / f"offer-{name}.json"
    return f"{{{{ lookup('ansible.builtin.file', '{path}') | from_json }}}}"
