# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Checks and inventories of a real registry: what is deleted from it is found, what is there is asked for once."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.dkp.airgap.tests.kit import checking
from ansible_collections.dkp.airgap.tests.kit.checking import ROOT, TREE, Mirror
from ansible_collections.dkp.airgap.tests.kit.faulty import FaultyRegistry
from ansible_collections.dkp.airgap.tests.kit.playbooks import Ansible, Task, task
from ansible_collections.dkp.airgap.tests.kit.programs import MissingProgram
from ansible_collections.dkp.airgap.tests.kit.servers import Server
from ansible_collections.dkp.airgap.tests.kit.storage import stored

MARK = "/v2/?mark"


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[Server]:
    """A private registry that allows deletion, and holds what the plan brings."""
    stored(checking.SHAPE, tmp_path / "private")
    try:
        with Server(tmp_path / "private", delete=True) as server:
            yield server
    except MissingProgram as missing:
        pytest.skip(f"needs a registry: {missing}")


def own(version: str, other: str) -> str:
    return min(TREE.component_digests(version) - TREE.component_digests(other))


def errors(result: Mapping[str, Any]) -> set[tuple[str, str]]:
    return {(each["id"], each["subject"]) for each in result["findings"] if each["severity"] == "error"}


def test_what_is_gone_is_found_and_the_rest_costs_little(ansible: Ansible, registry: Server, tmp_path: Path) -> None:
    options = {"images_repo": f"{registry.host}/{ROOT}", "scheme": "http"}
    described = Mirror(FaultyRegistry())  # never started: it only says what leads to such a registry
    plan, facts = described.plan(), described.facts()
    plan["clusters"]["prod"]["registry"] = facts["registry"]["images_repo"] = options["images_repo"]
    deleted, lost = own("v1.70.0", "v1.69.0"), own("v1.69.0", "v1.70.0")
    data = registry.storage / f"docker/registry/v2/blobs/sha256/{lost[7:9]}/{lost[7:]}/data"
    assert data.exists()
    dest = tmp_path / "inventory.json"

    def check(name: str, **more: Any) -> Task:
        return task(name, "mirror_check_info", plan=plan, clusters=[facts], **{**options, **more})

    run = ansible.play(
        [
            check("Sound", depth="blobs"),
            {"name": "Mark", "ansible.builtin.uri": {"url": f"{registry.url}{MARK}"}},
            check("Again"),
            task("Predict", "mirror_inventory_info", dest=str(dest), **options) | {"check_mode": True},
            {"name": "Look", "ansible.builtin.stat": {"path": str(dest)}},
            {
                "name": "Delete",
                "ansible.builtin.uri": {
                    "url": f"{registry.url}/v2/{ROOT}/manifests/{deleted}",
                    "method": "DELETE",
                    "status_code": 202,
                },
            },
            {"name": "Lose", "ansible.builtin.file": {"path": str(data), "state": "absent"}},
            check("Damaged", stage="content"),
            check("Accepted", accept_findings=["P7", ""]),
            task("Receipt", "mirror_inventory_info", dest=str(dest), mode="0640", depth="blobs", **options),
        ]
    )
    sound, again, damaged = run.ok("Sound"), run.ok("Again"), run.ok("Damaged")
    assert sound["ok"] and again["ok"] and not errors(sound) and sound["stage"] == "published"
    assert sound["checked"]["blobs"] and not again["checked"]["blobs"]
    requests = registry.accesses()
    marked = next(number for number, each in enumerate(requests) if each.target == MARK)
    second = requests[marked + 1 : marked + 1 + again["checked"]["requests"]]
    assert not [each for each in second if "/blobs/" in each.target], "layers are read once"
    assert {each.method for each in second if each.target.split("/")[-2] == "manifests"} <= {"HEAD", "GET"}
    assert not damaged["ok"] and errors(damaged) == {("P7", "v1.69.0"), ("P7", "v1.70.0")}
    assert lost in str(damaged["findings"]) and deleted in str(damaged["findings"]) and "P7 v1.70.0" in damaged["msg"]
    assert run.ok("Accepted")["ok"] and "in spite of P7" in run.ok("Accepted")["msg"]
    assert not run.ok("Look")["stat"]["exists"] and run.ok("Predict")["inventory"]["platform"]["incomplete"] == {}
    assert not any(each.changed for name, each in run.tasks.items() if name not in ("Delete", "Lose"))
    receipt = run.ok("Receipt")
    assert receipt["inventory"] == json.loads(dest.read_text()) and dest.stat().st_mode & 0o777 == 0o640
    assert receipt["inventory"]["platform"]["incomplete"] == {"v1.69.0": [lost], "v1.70.0": [deleted]}
    assert not receipt["ok"] and receipt["dest"] == str(dest)
    assert receipt["inventory"]["modules"]["console"]["channels"] == {"stable": "v1.37.0"}
