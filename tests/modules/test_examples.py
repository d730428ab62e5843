# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The examples of the documentation work: they are played as they stand, but for addresses, secrets and paths."""

from __future__ import annotations

import ast
import json
from pathlib import Path
from typing import Any

import yaml
from ansible_collections.dkp.airgap.tests.kit import plans
from ansible_collections.dkp.airgap.tests.kit.playbooks import Ansible, Task
from ansible_collections.dkp.airgap.tests.kit.servers import Server
from ansible_collections.dkp.airgap.tests.kit.vendor import Vendor

MODULES = Path(__file__).parents[2] / "plugins/modules"
# In this order what one makes the next one finds.
JOURNEY = (
    *("release_channel_info", "module_releases_info", "update_needs", "update_plan", "update_status"),
    *("oci_bundle_pull", "oci_bundle_info", "oci_bundle_push", "mirror_pointers"),
    *("mirror_check_info", "mirror_inventory_info"),
)
# What the examples of plans start from; they name a second cluster, which follows another channel.
REQUEST = {
    "kind": "UpdateRequest",
    "version": 1,
    "cluster": {
        "name": "prod",
        "edition": "EE",
        "version": "v1.68.0",
        "channel": "stable",
        "modules": {"console": {"version": "v1.35.4", "channel": "stable"}},
    },
}
CHANNELS = ["stable", "rock-solid"]
SECRETS = ("license_token", "username", "password", "ca_path")


def examples(module: str) -> list[Task]:
    for node in ast.parse((MODULES / f"{module}.py").read_text()).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "EXAMPLES":
            return list(yaml.safe_load(ast.literal_eval(node.value)))
    raise AssertionError(f"{module} has no EXAMPLES")


def placed(task: Task, source: Vendor, target: Server, directory: Path) -> Task:
    """The task with what a test has in place of what a site has."""
    moved = dict(task)
    for name, options in task.items():
        if not name.startswith("dkp.airgap."):
            continue
        kept: dict[str, Any] = {key: value for key, value in options.items() if key not in SECRETS}
        if name.endswith("push") or ".mirror_" in name:
            kept |= {"images_repo": f"{target.host}/mirror/ee", "scheme": "http"}
        elif "images_repo" in kept:
            kept |= source.options
            kept |= {"channels": CHANNELS} if "updates" in kept else {}
        for key in {"dest", "src", "path"} & kept.keys():
            paths = [str(directory / path.lstrip("/")) for path in _as_list(kept[key])]
            kept[key] = paths if isinstance(kept[key], list) else paths[0]
        if "plan_file" in kept:
            kept["plan_file"] = str(directory / kept["plan_file"].lstrip("/"))
            written(Path(kept["plan_file"]))
        moved[name] = kept
    return moved


def written(file: Path) -> None:
    """A plan, where a step before has written one."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(plans.plan(plans.content())))


def _as_list(value: Any) -> list[str]:
    return value if isinstance(value, list) else [value]


def test_the_examples_work_one_after_another(ansible: Ansible, source: Vendor, target: Server, tmp_path: Path) -> None:
    tasks = [placed(task, source, target, tmp_path / "host") for module in JOURNEY for task in examples(module)]
    # A relative path starts from the playbook.
    requests = ansible.home.parent / "requests"
    requests.mkdir()
    (requests / "prod.yml").write_text(yaml.safe_dump(REQUEST))
    run = ansible.play(tasks)
    assert run.code == 0, run.output
    for task in tasks:
        run.ok(task["name"])
    assert (tmp_path / "host/media/stick/bundle/platform.tar.0000.chunk").exists()
    assert (tmp_path / "host/plan.yml").exists()
    assert run["Push a bundle"].changed
    assert not run["Let clusters see the new version of stable in the maintenance window"].changed, (
        "it was there by then"
    )
