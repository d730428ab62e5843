# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later


"""Pulls by plan through Ansible: from memory and from a file, refused and accepted, predicted and repeated."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.dkp.airgap.tests.kit import plans
from ansible_collections.dkp.airgap.tests.kit.playbooks import Ansible, Run, Task, task
from ansible_collections.dkp.airgap.tests.kit.vendor import Vendor


def document(source: Vendor, **fields: Any) -> dict[str, Any]:
    carried = plans.content()
    pins = plans.pins(source.tree, carried)
    here = {"images_repo": source.address["images_repo"], "edition": "EE"}
    return plans.plan({**carried, "pins": pins}, source=here, **fields)


def pull(name: str, source: Vendor, dest: Path, **options: Any) -> Task:
    return task(name, "oci_bundle_pull", dest=str(dest), **source.options, **options)


@pytest.fixture
def dest(tmp_path: Path) -> Path:
    return tmp_path / "bundle"


def test_the_plan_from_memory_and_from_files_is_one_plan(
    ansible: Ansible, source: Vendor, dest: Path, tmp_path: Path
) -> None:
    plan = document(source)
    (tmp_path / "plan.json").write_text(json.dumps(plan))
    (tmp_path / "plan.yml").write_text(yaml.safe_dump(plan))
    read: Task = {
        "name": "Read",
        "ansible.builtin.set_fact": {"plan": "{{ lookup('file', '" + f"{tmp_path}/plan.json" + "') | from_json }}"},
    }
    tasks = [
        read,
        pull("Predict", source, dest, plan="{{ plan }}") | {"check_mode": True},
        pull("Memory", source, dest, plan="{{ plan }}", chunk_size="1MB"),
        pull("JSON", source, dest, plan_file=str(tmp_path / "plan.json"), chunk_size="1MB"),
        pull("YAML", source, dest, plan_file=str(tmp_path / "plan.yml"), chunk_size="1MB"),
    ]
    run = ansible.play(tasks)
    predicted, first = run.ok("Predict"), run.ok("Memory")
    assert predicted["changed"] and first["changed"]
    assert not run.ok("JSON")["changed"] and not run.ok("YAML")["changed"]
    assert predicted["content"] == first["content"] == plan["content"]
    assert predicted["sizes"] == first["sizes"]
    assert set(first["sizes"]["platform"]) == set(plans.VERSIONS) and first["sizes"]["installer"] == 0
    for key in ("path", "images", "blobs", "bytes"):
        assert predicted["bundle"][key] == first["bundle"][key]
    assert json.loads((dest / "delivery.json").read_text())["plan"] == plan
    assert not first["findings"]


def test_a_plan_with_errors_is_pulled_only_if_they_are_accepted(ansible: Ansible, source: Vendor, dest: Path) -> None:
    plan = document(source, ok=False, findings=[plans.finding("F1"), plans.finding("P9", "warning")])
    tasks = [
        pull("Refused", source, dest, plan=plan, accept_findings=["P3", ""]) | {"ignore_errors": True},
        {"name": "Look", "ansible.builtin.stat": {"path": str(dest)}},
        pull("Accepted", source, dest, plan=plan, accept_findings=["F1"]),
    ]
    run = ansible.play(tasks)
    assert "F1 v1.69: F1 says no to v1.69" in run.failure("Refused")
    assert run["Refused"].result["findings"] == [plans.finding("F1")]
    assert not run.ok("Look")["stat"]["exists"]
    accepted = run.ok("Accepted")
    assert accepted["findings"] == [plans.finding("F1")] and "in spite of F1" in accepted["msg"]


def test_results_do_not_repeat_the_plan(ansible: Ansible, source: Vendor, dest: Path) -> None:
    clusters = {"prod": {"findings": [], "note": "said at length " * 20000}}
    run = ansible.play([pull("Pull", source, dest, plan=document(source, clusters=clusters))], "-vvv", "--check")
    run.ok("Pull")
    assert "said at length" not in told(run)


def test_blank_options_are_unset_beside_a_plan(ansible: Ansible, source: Vendor, dest: Path) -> None:
    blank = dict.fromkeys(["platform_versions", "since_version", "release", "installer_tag", "plan_file"], "")
    lists = {"modules": [""], "exclude_modules": "", "accept_findings": [""]}
    tasks = [
        pull("Plan", source, dest, plan=document(source), **blank, **lists),
        pull("Selectors", source, dest.parent / "other", **{**blank, **lists, "release": "stable"}),
    ]
    run = ansible.play(tasks, "--check")
    assert run.ok("Plan")["content"]["platform"]["versions"] == list(plans.VERSIONS)
    assert run.ok("Selectors")["content"]["platform"]["versions"] == ["v1.69.0"]


def told(run: Run) -> str:
    """All that was printed and returned."""
    return run.output + json.dumps({name: dict(found.result) for name, found in run.tasks.items()})
