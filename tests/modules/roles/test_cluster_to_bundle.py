# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From a real API server, by both ways in, to a plan and a bundle that holds exactly the plan."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import yaml
from ansible_collections.dkp.airgap.tests.kit import clusters
from ansible_collections.dkp.airgap.tests.kit.cluster import KubeServer
from ansible_collections.dkp.airgap.tests.kit.facts_role import READING, VERDICT, service_account
from ansible_collections.dkp.airgap.tests.kit.playbooks import Ansible, Run
from ansible_collections.dkp.airgap.tests.kit.programs import find_kubectl
from ansible_collections.dkp.airgap.tests.kit.vendor import Vendor

PLAYBOOKS = ("dkp.airgap.cluster_facts", "dkp.airgap.plan", "dkp.airgap.pull")
GROUPS = {"dkp_cluster": ["prod"], "dkp_connected": ["jump"]}
STEPS = ["v1.68.4", "v1.69.0"]
PULL = "dkp.airgap.pull : Pull what the plan or the selectors say"


def journey(
    ansible: Ansible, access: str, account: Path, source: Vendor, directory: Path, *more: str, **variables: Any
) -> Run:
    given = {
        "dkp_kubernetes_access": access,
        "dkp_kubeconfig": str(account),
        "dkp_kubernetes_command": str(find_kubectl()),
        "dkp_request_file": str(directory / "request.yml"),
        "dkp_plan_file": str(directory / "plan.yml"),
        "dkp_bundle_dir": str(directory / "bundle"),
        **{f"dkp_source_{name}": value for name, value in source.options.items()},
        **variables,
    }
    settings = directory / "variables.json"
    settings.write_text(json.dumps(given))
    first, *others = PLAYBOOKS
    return ansible.playbook(first, *others, "-e", f"@{settings}", *more, groups=GROUPS)


def changed(run: Run) -> dict[str, int]:
    """Changed tasks by host, when the last playbook had ended."""
    return {host: int(count) for host, count in re.findall(r"^(\S+)\s+: ok=\d+\s+changed=(\d+)", run.output, re.M)}


def test_the_bundle_holds_exactly_what_the_cluster_needs_and_check_mode_tells_so_before(
    ansible: Ansible, cluster: KubeServer, source: Vendor, tmp_path: Path
) -> None:
    cluster.apply(clusters.manual_ee(version="v1.68.0", next_version="v1.69.0"))
    account = service_account(cluster, tmp_path / "account", READING, VERDICT)
    estimated = journey(ansible, "api", account, source, tmp_path, "--check").ok(PULL)
    assert not (tmp_path / "bundle").exists() and not (tmp_path / "plan.yml").exists(), "check mode writes nothing"
    run = journey(ansible, "api", account, source, tmp_path)
    pulled = run.ok(PULL)
    assert changed(run) == {"prod": 0, "jump": 1, "localhost": 0}, run.output
    assert estimated["changed"] and pulled["content"] == estimated["content"]
    for key in ("path", "images", "blobs", "bytes"):
        assert pulled["bundle"][key] == estimated["bundle"][key]
    is_what_is_needed(run, tmp_path, source)


def test_a_host_without_the_python_client_gets_there_by_a_command_and_a_second_run_changes_nothing(
    ansible: Ansible, cluster: KubeServer, source: Vendor, tmp_path: Path
) -> None:
    cluster.apply(clusters.manual_ee(version="v1.68.0", next_version="v1.69.0"))
    account = service_account(cluster, tmp_path / "account", READING, VERDICT)
    run = journey(ansible, "command", account, source, tmp_path)
    assert run.code == 0 and "kubernetes.core" not in run.output, run.output
    is_what_is_needed(run, tmp_path, source)
    written = {path: path.read_bytes() for path in (tmp_path / "plan.yml", tmp_path / "request.yml")}
    again = journey(ansible, "command", account, source, tmp_path)
    assert again.code == 0 and set(changed(again).values()) == {0}, again.output
    assert {path: path.read_bytes() for path in written} == written


def is_what_is_needed(run: Run, directory: Path, source: Vendor) -> None:
    plan = yaml.safe_load((directory / "plan.yml").read_text())
    assert plan["ok"] and plan["clusters"]["prod"]["platform"]["steps"] == STEPS
    assert plan["content"]["platform"]["channels"] == {"stable": "v1.69.0"} and plan["content"]["modules"]
    way = r"platform +v1\.68\.0 -> v1\.68\.4 \([\d.]+ kB\) -> v1\.69\.0 \([\d.]+ kB\)"
    assert re.search(way, run.output), "the table"
    delivery = json.loads((directory / "bundle/delivery.json").read_text())
    assert delivery["content"] == plan["content"] and delivery["plan"] == plan
    holds_exactly(delivery, plan["content"], source)


def holds_exactly(delivery: dict[str, Any], content: dict[str, Any], source: Vendor) -> None:
    """Every tag that the content needs is in the bundle with the vendor's digest, and nothing else is."""
    tags = {(image["repository"], image["tag"]): image["digest"] for image in delivery["images"]}
    expected = set()
    for version in content["platform"]["versions"]:
        expected |= {(layout, version) for layout in ("", "install", "install-standalone", "release-channel")}
    expected |= {("release-channel", channel) for channel in content["platform"]["channels"]}
    for name, releases in content["modules"].items():
        main = f"modules/{name}"
        expected |= {(layout, version) for layout in (main, f"{main}/release") for version in releases["versions"]}
        expected |= {(f"{main}/release", channel) for channel in releases["channels"]}
    expected |= {(f"security/{name}", tag) for name, values in content["security_db"].items() for tag in values}
    versions = {key for key in tags if not re.fullmatch(r"[0-9a-f]{64}|.*\.att", key[1])}
    extras = {key for key in versions if "/extra/" in key[0]}
    assert versions - extras == expected
    for (layout, tag), digest in tags.items():
        assert source.tree.tags(layout).get(tag, digest) == digest
    components = {
        digest for version in content["platform"]["versions"] for digest in source.tree.component_digests(version)
    }
    assert components <= set(tags.values())
