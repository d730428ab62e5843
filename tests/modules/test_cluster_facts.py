# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The facts of a cluster through Ansible: as a filter, and as a task that sets them and writes the request."""

from __future__ import annotations

import ast
import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.dkp.airgap.tests.kit import clusters
from ansible_collections.dkp.airgap.tests.kit.observed import observed
from ansible_collections.dkp.airgap.tests.kit.playbooks import Ansible, Task, task

PLUGINS = Path(__file__).parents[2] / "plugins"
NOT_A_TEMPLATE = "until {{ 6 * 7 }} o'clock"


@pytest.fixture
def objects(tmp_path: Path) -> str:
    """A template of the objects of a cluster, which lie in a file."""
    read = observed(clusters.manual_ee())
    read["DeckhouseRelease"][-1]["status"]["message"] = NOT_A_TEMPLATE
    return in_file(read, tmp_path / "objects.json")


def in_file(read: dict[str, Any], path: Path) -> str:
    path.write_text(json.dumps(read))
    return f"{{{{ lookup('ansible.builtin.file', '{path}') | ansible.builtin.from_json }}}}"


def filtered(name: str, objects: str) -> Task:
    template = objects.replace(" }}", " | dkp.airgap.cluster_facts(name='localhost') }}")
    return {"name": name, "ansible.builtin.debug": {"msg": template}}


def documented(plugin: str, block: str) -> Any:
    for node in ast.parse((PLUGINS / plugin).read_text()).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == block:
            return yaml.safe_load(ast.literal_eval(node.value))
    raise AssertionError(f"{plugin} has no {block}")


def test_filter_and_task_say_the_same_and_set_the_fact(ansible: Ansible, objects: str) -> None:
    run = ansible.play(
        [
            filtered("Filter", objects),
            task("Task", "cluster_facts", objects=objects),
            {"name": "Fact", "ansible.builtin.debug": {"msg": "{{ ansible_facts.dkp_cluster_facts }}"}},
            {"name": "Short", "ansible.builtin.debug": {"msg": "{{ dkp_cluster_facts.modules.console.version }}"}},
        ]
    )
    facts, result = run.ok("Filter")["msg"], run.ok("Task")
    assert facts["name"] == "localhost", "the name in the inventory"
    assert facts["releases"][-1]["message"] == NOT_A_TEMPLATE
    assert result["ansible_facts"]["dkp_cluster_facts"] == result["request"]["cluster"] == facts
    assert run.ok("Fact")["msg"] == facts
    assert run.ok("Short")["msg"] == "v1.35.1"
    assert result["msg"] == "localhost: DKP EE v1.68.11 on stable, 4 modules from sources, 3 nodes"
    assert set(result) - {"changed", "failed", "_ansible_no_log", "invocation"} == set(
        documented("modules/cluster_facts.py", "RETURN")
    )
    assert not run["Task"].changed


def test_the_request_is_written_once_and_never_in_check_mode(ansible: Ansible, objects: str, tmp_path: Path) -> None:
    path = tmp_path / "ansible" / "request.yml"  # beside the playbook
    wishes = {"target": "stable", "include_running": "", "ignore_suspend": "no"}
    options = {"objects": objects, "name": "prod", "dest": "request.yml", "inventory": "inv.yml", "wishes": wishes}
    write: Task = {"name": "Write", "dkp.airgap.cluster_facts": options}
    checked = ansible.play([write], "--check").ok("Write")
    assert not path.exists()
    run = ansible.play([write])
    written = run.ok("Write")
    assert written["request"] == checked["request"] == yaml.safe_load(path.read_text())
    assert written["request"]["wishes"] == {"target": "stable", "include_running": None, "ignore_suspend": False}
    assert written["request"]["inventory"] == "inv.yml"
    assert written["request"]["cluster"]["name"] == "prod"
    assert path.stat().st_mode & 0o777 == 0o600
    before = path.stat().st_mtime_ns
    assert not ansible.play([write]).ok("Write")["changed"]
    assert path.stat().st_mtime_ns == before
    as_json = task("Write", "cluster_facts", objects=objects, dest=str(tmp_path / "r.json"), mode="0644")
    ansible.play([as_json]).ok("Write")
    assert json.loads((tmp_path / "r.json").read_text())["version"] == 1
    assert (tmp_path / "r.json").stat().st_mode & 0o777 == 0o644


# options, what the message must say
BAD_OPTIONS: list[tuple[dict[str, Any], tuple[str, ...]]] = [
    ({}, ("objects",)),
    ({"objects": {}}, ("d8-system/deckhouse",)),
    ({"objects": {"modules": []}}, ("objects.modules", "Module")),
    ({"objects": {"Module": [{"metadata": {"name": "console"}, "properties": 3}]}}, ("Module console", "properties")),
    ({"objects": {}, "destination": "x"}, ("destination", "dest")),
    ({"objects": {}, "dest": "missing/request.yml"}, ("missing", "does not exist")),
    ({"objects": {}, "dest": "request.yml", "mode": "rw"}, ("mode", "0600")),
    ({"objects": {}, "wishes": {"include_running": "maybe"}}, ("include_running", "auto")),
    ({"objects": {}, "wishes": {"channel": "stable"}}, ("channel", "target")),
]


def test_mistakes_are_clean_failures(ansible: Ansible) -> None:
    tasks = [
        {**task(str(number), "cluster_facts", **options), "ignore_errors": True}
        for number, (options, _said) in enumerate(BAD_OPTIONS)
    ]
    run = ansible.play(tasks)
    for number, (_options, said) in enumerate(BAD_OPTIONS):
        message = run.failure(str(number))
        for part in said:
            assert part in message, (number, message)


@pytest.mark.parametrize(
    ("template", "said"),
    [
        ("{{ [] | dkp.airgap.cluster_facts(name='prod') }}", "expected a mapping"),
        ("{{ {} | dkp.airgap.cluster_facts }}", "name is missing"),
        ("{{ {'Node': 1} | dkp.airgap.cluster_facts(name='prod') }}", "Node: expected a list"),
    ],
)
def test_the_filter_names_itself_and_what_is_wrong(ansible: Ansible, template: str, said: str) -> None:
    message = ansible.play([{"name": "Filter", "ansible.builtin.debug": {"msg": template}}]).failure("Filter")
    assert "dkp.airgap.cluster_facts: " in message and said in message


def test_a_missing_jmespath_is_named_with_the_interpreter(ansible: Ansible, objects: str, tmp_path: Path) -> None:
    without = tmp_path / "without"
    without.mkdir()
    (without / "jmespath.py").write_text("raise ImportError('No module named jmespath')\n")
    tasks = [{**filtered("Filter", objects), "ignore_errors": True}, task("Task", "cluster_facts", objects=objects)]
    run = ansible.play(tasks, environment={"PYTHONPATH": str(without)})
    for name in ("Filter", "Task"):
        message = run.failure(name)
        assert "jmespath" in message and "python" in message


def test_a_source_of_modules_elsewhere_is_warned_of(ansible: Ansible) -> None:
    read = observed(clusters.fresh())
    read["ModuleSource"][0]["spec"]["registry"]["repo"] = "registry.example/other/modules"
    output = ansible.play([task("Read", "cluster_facts", objects=read)]).output
    assert "WARNING" in output and "ModuleSource deckhouse" in output


def test_a_result_that_would_be_too_long_lacks_the_request_and_says_so(ansible: Ansible, tmp_path: Path) -> None:
    read = observed(clusters.fresh())
    read["Module"] += [
        {"metadata": {"name": f"module-{number}"}, "properties": {"source": "deckhouse"}} for number in range(500)
    ]
    loaded = in_file(read, tmp_path / "objects.json")
    result = ansible.play([task("Read", "cluster_facts", objects=loaded)]).ok("Read")
    assert "request" not in result and result["omitted"] == ["request"]
    assert len(result["ansible_facts"]["dkp_cluster_facts"]["modules"]) > 500


def test_the_examples_work(ansible: Ansible, tmp_path: Path) -> None:
    read = observed(clusters.manual_ee())
    beside = tmp_path / "ansible"
    (beside / "deployments.json").write_text(json.dumps({"items": read["Deployment"]}))
    (beside / "releases.json").write_text(json.dumps({"items": read["DeckhouseRelease"]}))
    tasks: list[Task] = [
        *documented("filter/cluster_facts.py", "EXAMPLES"),
        *documented("modules/cluster_facts.py", "EXAMPLES"),
    ]
    run = ansible.play(tasks)
    for each in tasks:
        run.ok(each["name"])
    assert yaml.safe_load((beside / "request.yml").read_text())["wishes"]["target"] == "stable"
