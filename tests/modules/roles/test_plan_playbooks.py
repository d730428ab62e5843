# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The playbooks plan and pull: with a cluster at hand, with a request only, with a cluster described by hand."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.dkp.airgap.tests.kit import clusters
from ansible_collections.dkp.airgap.tests.kit.cluster import KubeServer
from ansible_collections.dkp.airgap.tests.kit.playbooks import Ansible, Run
from ansible_collections.dkp.airgap.tests.kit.programs import find_kubectl
from ansible_collections.dkp.airgap.tests.kit.servers import PASSWORD
from ansible_collections.dkp.airgap.tests.kit.shape import DEMO, SMALL
from ansible_collections.dkp.airgap.tests.kit.storage import stored
from ansible_collections.dkp.airgap.tests.kit.vendor import Vendor, any_server
from ansible_collections.dkp.airgap.tests.kit.webhook import ReleaseWebhook

FACTS, PLAN, PULL = "dkp.airgap.cluster_facts", "dkp.airgap.plan", "dkp.airgap.pull"
TABLE = f"{PLAN} : Source | Show the plan"
REFUSED = f"{PLAN} : Refused | Name what stands against the plan"
PULLED = f"{PULL} : Pull what the plan or the selectors say"
GROUPS = {"dkp_connected": ["jump"]}
PROD = {"name": "prod", "edition": "EE", "version": "v1.67.1", "channel": "stable"}


def given(vendor: Vendor, **variables: Any) -> list[str]:
    source = {f"dkp_source_{key}": value for key, value in vendor.options.items()}
    return ["-e", json.dumps({**source, **variables})]


def read(path: Path) -> Any:
    return yaml.safe_load(path.read_text())


def table(run: Run) -> str:
    return "\n".join(run.ok(TABLE)["msg"])


@pytest.fixture
def webhook(cluster: KubeServer, tmp_path: Path) -> Iterator[ReleaseWebhook]:
    with ReleaseWebhook(tmp_path, unmet=lambda _requirements: []) as found:
        yield found


@pytest.fixture
def at_hand(kubeconfig: Path, tmp_path: Path) -> dict[str, Any]:
    """Variables for a cluster that is read in the same run."""
    return {
        "dkp_kubernetes_access": "command",
        "dkp_kubernetes_command": str(find_kubectl()),
        "dkp_kubeconfig": str(kubeconfig),
        "dkp_plan_file": str(tmp_path / "plan.yml"),
        "dkp_bundle_dir": str(tmp_path / "bundle"),
        "dkp_exclude_modules": ["sdn"],
    }


def test_from_a_cluster_at_hand_to_its_bundle_in_one_run(
    ansible: Ansible,
    cluster: KubeServer,
    webhook: ReleaseWebhook,
    source: Vendor,
    at_hand: dict[str, Any],
    tmp_path: Path,
) -> None:
    cluster.apply([*clusters.manual_ee(version="v1.67.1", next_version="v1.68.4"), webhook.configuration()])
    before = len(source.server.accesses())
    groups = {**GROUPS, "dkp_cluster": ["prod"]}
    run = ansible.playbook(FACTS, PLAN, PULL, *given(source, **at_hand), groups=groups)
    assert run.code == 0, run.output
    plan = read(tmp_path / "plan.yml")
    steps = plan["clusters"]["prod"]["platform"]["steps"]
    assert steps == ["v1.68.4", "v1.69.0"]
    assert [review["object"]["metadata"]["name"] for review in webhook.reviews] == steps
    assert "INFO cluster_verdict [v1.68.4] the cluster itself would accept v1.68.4" in table(run)
    assert run.ok(PULLED)["content"] == plan["content"]
    assert json.loads((tmp_path / "bundle/delivery.json").read_text())["plan"] == plan
    lists = [access.target for access in source.server.accesses()[before:] if access.target.endswith("/tags/list")]
    assert len([each for each in lists if each.endswith("/release-channel/tags/list")]) <= 2, "401 and 200"


def test_what_the_cluster_itself_refuses_stops_the_run(
    ansible: Ansible, cluster: KubeServer, webhook: ReleaseWebhook, source: Vendor, at_hand: dict[str, Any]
) -> None:
    webhook.unmet = lambda _requirements: ["the moon is in the wrong quarter"]
    cluster.apply([*clusters.manual_ee(version="v1.67.1", next_version="v1.68.4"), webhook.configuration()])
    groups = {**GROUPS, "dkp_cluster": ["prod"]}
    run = ansible.playbook(FACTS, PLAN, PULL, "--check", *given(source, **at_hand), groups=groups)
    assert run.code != 0 and "cluster_verdict v1.68.4 (cluster prod)" in run.failure(REFUSED)
    assert "wrong quarter" in run.failure(REFUSED) and PULLED not in run.tasks
    silent = ansible.playbook(
        FACTS, PLAN, "--check", *given(source, **at_hand, dkp_ask_cluster=False, dkp_plan_sizes=""), groups=groups
    )
    assert silent.code == 0 and "cluster_verdict" not in table(silent), silent.output


def test_a_connected_host_with_a_request_only(ansible: Ansible, source: Vendor, tmp_path: Path) -> None:
    (tmp_path / "request.yml").write_text(yaml.safe_dump({"kind": "UpdateRequest", "version": 1, "cluster": PROD}))
    variables = {
        "dkp_request_file": str(tmp_path / "request.yml"),
        "dkp_plan_file": str(tmp_path / "plan.json"),
        "dkp_bundle_dir": str(tmp_path / "bundle"),
        **dict.fromkeys(["dkp_target", "dkp_modules", "dkp_exclude_modules", "dkp_security_db"], ""),
        **dict.fromkeys(["dkp_ignore_suspend", "dkp_source_timeout", "dkp_source_validate_certs"], ""),
    }
    run = ansible.playbook(PLAN, PULL, "--check", *given(source, **variables), groups=GROUPS)
    assert run.code == 0, run.output
    assert not (tmp_path / "plan.json").exists() and not (tmp_path / "bundle").exists()
    assert run.ok(PULLED)["content"]["platform"]["versions"] == ["v1.68.4", "v1.69.0"]
    # In two runs the file is what is handed on; dkp_modules is for whoever plans.
    assert ansible.playbook(PLAN, *given(source, **variables), groups=GROUPS).code == 0
    pulled = ansible.playbook(PULL, *given(source, **{**variables, "dkp_modules": ["console"]}), groups=GROUPS)
    assert pulled.ok(PULLED)["content"] == json.loads((tmp_path / "plan.json").read_text())["content"]
    # The same inventory on both sides: a host of dkp_cluster stands for its request.
    both = {**GROUPS, "dkp_cluster": ["prod", "test"]}
    limited = ansible.playbook(PLAN, "--limit", "jump", *given(source, **variables), groups=both)
    assert limited.code == 0 and "Cluster prod" in table(limited), limited.output


def test_each_cluster_that_was_read_has_a_target_of_its_own(
    ansible: Ansible, cluster: KubeServer, source: Vendor, at_hand: dict[str, Any]
) -> None:
    cluster.apply(clusters.manual_ee(version="v1.67.1", next_version="v1.68.4"))
    targets = "{{ {'slow': 'v1.68.4'}[inventory_hostname] | default('') }}"
    # What one module requires stands against the earlier version: not accepted, that cluster would be left out.
    accepted = {**at_hand, "dkp_accept_findings": ["M10"], "dkp_plan_sizes": False}
    variables = given(source, **accepted, dkp_target=targets)
    run = ansible.playbook(FACTS, PLAN, "--check", *variables, groups={**GROUPS, "dkp_cluster": ["prod", "slow"]})
    assert "F1 stable" in run.failure(REFUSED) and "v1.68.4 for slow; v1.69.0 for prod" in run.failure(REFUSED)
    assert "has no webhook" in table(run)
    # By name, and what is told of the host that plans holds for those of whom nothing is told.
    by_name = given(source, **accepted, dkp_target={"slow": "v1.68.4", "prod": "v1.68.4"})
    own = given(source, **accepted, dkp_target="{{ 'v1.68.4' if inventory_hostname == 'jump' else '' }}")
    for options in (by_name, own):
        groups = {**GROUPS, "dkp_cluster": ["prod", "slow"]}
        together = ansible.playbook(FACTS, PLAN, "--check", *options, groups=groups)
        assert together.code == 0 and table(together).count("v1.67.1 -> v1.68.4, channel") == 2, together.output


def test_a_cluster_described_by_hand_and_a_registry_in_the_environment(
    ansible: Ansible, source: Vendor, tmp_path: Path
) -> None:
    variables = json.dumps({"dkp_clusters": [PROD], "dkp_target": "v1.68.4", "dkp_plan_file": "plan.yml"})
    environment = {f"DKP_SOURCE_{key.upper()}": value for key, value in source.options.items()}
    run = ansible.playbook(PLAN, "-e", variables, "-vvv", groups=GROUPS, environment=environment)
    assert run.code == 0 and "v1.67.1 -> v1.68.4 (" in table(run), run.output
    assert PASSWORD not in run.output
    # A relative path starts where the run was started.
    assert read(ansible.home.parent / "plan.yml")["ok"]


@pytest.fixture
def vendor_of_the_guide(tmp_path: Path) -> Iterator[Vendor]:
    """The registry whose versions the guide to plans names."""
    tree = stored(replace(SMALL, channels=DEMO.channels, versions=DEMO.versions), tmp_path / "vendor")
    with any_server(tmp_path / "vendor", htpasswd=True) as server:
        yield Vendor(server, tree)


@pytest.mark.parametrize(
    ("example", "playbooks"),
    [("jump-host", [FACTS, PLAN, PULL]), ("connected-host", [PLAN, PULL]), ("by-hand", [PLAN])],
)
def test_the_inventories_of_the_guide_work(
    ansible: Ansible,
    cluster: KubeServer,
    vendor_of_the_guide: Vendor,
    at_hand: dict[str, Any],
    tmp_path: Path,
    example: str,
    playbooks: list[str],
) -> None:
    cluster.apply(clusters.manual_ee())
    examples = tmp_path / "site"
    shutil.copytree(Path(__file__).parents[3] / "docs/examples", examples)
    (examples / "requests").mkdir()
    (examples / "request.yml").rename(examples / "requests/prod.yml")
    kept = ("dkp_kubernetes_command", "dkp_kubeconfig", "dkp_bundle_dir")
    variables = given(vendor_of_the_guide, **{name: at_hand[name] for name in kept})
    run = ansible.playbook(*playbooks, "-i", str(examples / f"{example}.yml"), *variables, groups={})
    assert run.code == 0, run.output
    plan = read(examples / "plan.yml")
    assert plan["clusters"]["prod"]["platform"]["steps"] == ["v1.68.13", "v1.69.7", "v1.70.17"]
    assert plan["clusters"]["prod"]["modules"]["console"]["steps"][-1] == "v1.36.2"
    assert PULL not in playbooks or (tmp_path / "bundle/delivery.json").exists()


@pytest.mark.parametrize(
    ("playbook", "groups", "arguments", "told"),
    [
        (PLAN, {"dkp_cluster": ["prod"]}, [], "dkp_connected has no host left"),
        (PULL, {"dkp_cluster": ["prod"]}, [], "dkp_connected has no host left"),
        (PLAN, {**GROUPS, "dkp_cluster": ["prod"]}, ["--limit", "prod"], "Name it in --limit"),
        (PLAN, {**GROUPS, "dkp_cluster": ["prod"]}, [], "Nothing is known of prod"),
        (PLAN, GROUPS, [], "Nothing is known of any cluster"),
        (PULL, GROUPS, [], "dkp_bundle_dir"),
    ],
)
def test_what_is_missing_is_told_at_the_start(
    ansible: Ansible, groups: dict[str, list[str]], playbook: str, arguments: list[str], told: str
) -> None:
    run = ansible.playbook(playbook, *arguments, groups=groups)
    assert run.code != 0 and told in run.output, run.output
    assert not any(name.startswith(f"{playbook} : ") for name in run.tasks)
