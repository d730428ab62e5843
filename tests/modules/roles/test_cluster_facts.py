# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The role and the playbook cluster_facts on a real API server, by both ways in."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.dkp.airgap.tests.kit import clusters
from ansible_collections.dkp.airgap.tests.kit.cluster import KubeServer
from ansible_collections.dkp.airgap.tests.kit.cluster_objects import registry_secret
from ansible_collections.dkp.airgap.tests.kit.custom_resources import KINDS
from ansible_collections.dkp.airgap.tests.kit.facts_role import READING, ROLE, WAYS, facts_role, grants, service_account
from ansible_collections.dkp.airgap.tests.kit.module_objects import module_source
from ansible_collections.dkp.airgap.tests.kit.playbooks import Ansible, Run, Task
from ansible_collections.dkp.airgap.tests.kit.programs import find_kubectl

REFUSED = f"{ROLE} : Refused | Say why the cluster did not answer"
UNSERVED = f"{ROLE} : Api | Stop where nobody says what the cluster serves"
FACTS = f"{ROLE} : Facts | Set the facts and write the request"


def request_of(path: Path) -> Any:
    return yaml.safe_load(path.read_text())


# What facts the other scenarios give is shown without an API server, in tests/unit.
def test_both_ways_in_give_the_same_facts(
    ansible: Ansible, cluster: KubeServer, kubeconfig: Path, tmp_path: Path
) -> None:
    cluster.apply(clusters.manual_ee())
    account = service_account(cluster, tmp_path / "account", READING)
    files = {access: tmp_path / f"{access}.yml" for access in WAYS}
    run = ansible.play([facts_role(access, account, request_file=str(files[access])) for access in WAYS])
    assert run.code == 0, run.output
    assert files["api"].read_bytes() == files["command"].read_bytes()
    facts = request_of(files["api"])["cluster"]
    assert facts["name"] == "localhost" and facts["nodes"] and facts["approval_webhook"] is False
    assert all(facts[key] is not None for key in ("edition", "registry", "releases", "modules", "sources", "alerts"))
    asked = {request.verb for request in cluster.requests()}
    assert asked == {"get", "list"}


def test_a_command_takes_few_calls_and_runs_in_check_mode(
    ansible: Ansible, cluster: KubeServer, kubeconfig: Path, tmp_path: Path
) -> None:
    cluster.apply(clusters.manual_ee())
    calls, kubectl = tmp_path / "calls", tmp_path / "kubectl"
    kubectl.write_text(f'#!/bin/sh\necho "$@" >> {calls}\nshift\nexec {find_kubectl()} "$@"\n')
    kubectl.chmod(0o755)
    request = tmp_path / "request.yml"
    role = facts_role("command", kubeconfig, command=f"{kubectl} k", request_file=str(request), name="prod")
    first = ansible.play([role], "--check")
    assert first.code == 0 and not request.exists(), first.output
    # The group, its three versions, all lists, and one for each of two namespaces.
    assert len(calls.read_text().splitlines()) == 7
    assert all(line.startswith("k --kubeconfig=") for line in calls.read_text().splitlines())
    ansible.play([role])
    written = request.read_bytes()
    second = ansible.play([role])
    assert request.read_bytes() == written and "changed=0" in second.output
    assert request_of(request)["cluster"]["name"] == "prod" and request.stat().st_mode & 0o777 == 0o600


def test_check_mode_and_wishes(ansible: Ansible, cluster: KubeServer, kubeconfig: Path, tmp_path: Path) -> None:
    cluster.apply(clusters.fresh())
    wishes = {"target": "stable", "include_running": "", "ignore_suspend": False}
    run = ansible.play(
        [
            facts_role(
                "command",
                kubeconfig,
                request_file=str(tmp_path / "request.yml"),
                wishes=wishes,
                inventory="inventory.json",
            ),
            {"name": "Fact", "ansible.builtin.debug": {"msg": "{{ ansible_facts.dkp_cluster_facts.version }}"}},
        ],
        "--check",
    )
    made = run.ok(FACTS)["request"]
    assert made["wishes"] == {"target": "stable", "include_running": None, "ignore_suspend": False}
    assert made["inventory"] == "inventory.json"
    assert run.ok("Fact")["msg"] == "v1.68.11" and not (tmp_path / "request.yml").exists()


@pytest.mark.parametrize("access", WAYS)
def test_who_may_nothing_is_told_every_rule_of_the_manifest(
    ansible: Ansible, cluster: KubeServer, kubeconfig: Path, tmp_path: Path, access: str
) -> None:
    cluster.apply(clusters.manual_ee())
    nobody = cluster.kubeconfig(tmp_path / "nobody", token=cluster.service_account_token("default", "nobody"))
    told = ansible.play([facts_role(access, nobody)]).failure(REFUSED)
    assert "the user system:serviceaccount:default:nobody" in told
    assert "roles/cluster_facts/files/rbac.yml" in told
    listed = told.split("Missing rules of RBAC: ")[1].split(". The manifest")[0]
    assert set(listed.split("; ")) == set(grants(READING).values())


# One of each sort: that every right of the manifest is asked for shows where all of them are missing.
ONE_OF_EACH = (("modulereleases", ""), ("nodes", ""), ("deployments", "deckhouse"), ("secrets", "deckhouse-registry"))


@pytest.mark.parametrize("rule", ONE_OF_EACH, ids=lambda rule: "-".join(filter(None, rule)))
def test_a_single_right_that_is_missing_is_named(
    ansible: Ansible, cluster: KubeServer, kubeconfig: Path, tmp_path: Path, rule: tuple[str, str]
) -> None:
    cluster.apply(clusters.manual_ee())
    account = service_account(cluster, tmp_path / "account", READING, without=rule)
    told = ansible.play([facts_role("command", account)]).failure(REFUSED)
    assert grants(READING)[rule] in told and told.count("apiGroups") == 1


@pytest.mark.parametrize("access", WAYS)
def test_a_kind_that_is_not_served_is_absent(
    ansible: Ansible, cluster: KubeServer, kubeconfig: Path, access: str, tmp_path: Path
) -> None:
    cluster.install_crds(without={"ClusterAlert", "ModulePullOverride"})
    cluster.apply(clusters.fresh())
    run = ansible.play([facts_role(access, kubeconfig, request_file=str(tmp_path / "request.json"))])
    assert run.code == 0, run.output
    facts = json.loads((tmp_path / "request.json").read_text())["cluster"]
    assert facts["alerts"] is None and facts["releases"] == []


@pytest.mark.parametrize("access", WAYS)
def test_another_cluster_is_no_dkp_cluster(
    ansible: Ansible, cluster: KubeServer, kubeconfig: Path, access: str
) -> None:
    cluster.install_crds(without={kind.name for kind in KINDS})
    told = ansible.play([facts_role(access, kubeconfig)]).failure(
        f"{ROLE} : Choose | Stop where this is no DKP cluster"
    )
    assert "not a DKP cluster" in told and "deckhouse.io" in told


@pytest.mark.parametrize(("access", "stopped"), [("api", UNSERVED), ("command", REFUSED)])
def test_a_cluster_that_does_not_answer_is_told(
    ansible: Ansible, cluster: KubeServer, kubeconfig: Path, tmp_path: Path, access: str, stopped: str
) -> None:
    wrong_token = cluster.kubeconfig(tmp_path / "wrong", token="not-a-token")
    assert "nauthorized" in ansible.play([facts_role(access, wrong_token)]).failure(stopped)
    away = json.loads(wrong_token.read_text())
    away["clusters"][0]["cluster"]["server"] = "https://127.0.0.1:1"
    wrong_token.write_text(json.dumps(away))
    assert "refused" in ansible.play([facts_role(access, wrong_token)]).failure(stopped)


def test_a_token_needs_no_kubeconfig_and_is_kept_off_command_lines(ansible: Ansible, cluster: KubeServer) -> None:
    cluster.apply(clusters.fresh())
    access = {"host": cluster.url, "api_key": cluster.admin_token, "ca_cert": str(cluster.ca_file)}
    run = ansible.play([facts_role("api", None, **access)], "-vvv")
    assert run.code == 0, run.output
    assert cluster.admin_token not in run.output
    refused = ansible.play([facts_role("command", None, **access)], "-vvv")
    assert "write a kubeconfig" in refused.failure(f"{ROLE} : Command | Stop where the access is for the API alone")
    assert cluster.admin_token not in refused.output


SECRETS = ("Wachtwoord-one", "Wachtwoord-two", "Wachtwoord-three", "correct-horse")


def forms(secret: str) -> set[str]:
    """A text, and the longest of it that base64 shows wherever in a longer text it stands."""
    encoded = (base64.b64encode(b"x" * shift + secret.encode()).decode() for shift in range(3))
    return {secret, *(text[4:-4] for text in encoded)}


@pytest.mark.parametrize("access", WAYS)
def test_nothing_secret_is_shown_or_kept(
    ansible: Ansible, cluster: KubeServer, kubeconfig: Path, tmp_path: Path, access: str
) -> None:
    cluster.apply(clusters.direct_mode())
    repo = "registry.example/dkp/ee/modules"
    source = module_source("deckhouse", repo=repo)
    docker = base64.b64encode(json.dumps({"auths": {"registry.example": {"password": SECRETS[0]}}}).encode()).decode()
    source["spec"]["registry"]["dockerCfg"] = docker
    discovery = cluster.client.get("Secret", "deckhouse-discovery", namespace="d8-system")
    discovery["data"]["token"] = base64.b64encode(SECRETS[2].encode()).decode()
    cluster.apply([source, registry_secret("registry.example/dkp/ee", username="puller", password=SECRETS[1])])
    cluster.client.replace(discovery)
    request = tmp_path / "request.yml"
    variables: Task = {"name": "Variables", "ansible.builtin.debug": {"msg": "{{ hostvars['localhost'] }}"}}
    run = ansible.play([facts_role(access, kubeconfig, request_file=str(request)), variables], "-vvv")
    assert run.code == 0, run.output
    broken = service_account(cluster, tmp_path / "account", READING, without=("nodes", ""))
    refused = ansible.play([facts_role(access, broken)], "-vvv")
    assert refused.code != 0
    said = "".join(
        (run.output, refused.output, request.read_text(), json.dumps(_told(run)), json.dumps(_told(refused)))
    )
    assert not [secret for secret in SECRETS for form in forms(secret) if form in said]


def _told(run: Run) -> list[Any]:
    return [dict(each.result) for each in run.tasks.values()]


def test_the_playbook_writes_a_request_for_each_cluster(
    ansible: Ansible, cluster: KubeServer, kubeconfig: Path, tmp_path: Path
) -> None:
    cluster.apply(clusters.fresh())
    groups = {"dkp_cluster": ["prod", "test"], "dkp_airgapped": ["registry"]}
    given = {
        "dkp_kubernetes_access": "command",
        "dkp_kubernetes_command": str(find_kubectl()),
        "dkp_kubeconfig": str(kubeconfig),
        "dkp_request_file": str(tmp_path / "{{ inventory_hostname }}.yml"),
        "dkp_target": {"prod": "v1.70.17"},
        "dkp_ignore_suspend": "",
    }
    extra = ("-e", json.dumps(given), "--tags", "facts")
    run = ansible.playbook("dkp.airgap.cluster_facts", *extra, groups=groups)
    assert run.code == 0, run.output
    requests = [request_of(tmp_path / f"{name}.yml") for name in groups["dkp_cluster"]]
    assert [request["cluster"]["name"] for request in requests] == ["prod", "test"]
    assert [request["wishes"]["target"] for request in requests] == ["v1.70.17", None]
    same = ("-e", json.dumps({**given, "dkp_request_file": str(tmp_path / "one.yml")}))
    told = ansible.playbook("dkp.airgap.cluster_facts", *same, groups=groups)
    assert str(tmp_path / "one.yml") in told.failure("Stop when two clusters would write the same request")


@pytest.mark.parametrize(
    ("groups", "arguments", "told"),
    [
        ({"dkp_cluster": ["prod"], "dkp_airgapped": ["registry"]}, ["--limit", "registry"], "--limit"),
        ({"dkp_airgapped": ["registry"]}, [], "inventory"),
        ({}, [], "inventory"),
    ],
)
def test_the_playbook_fails_without_a_cluster(
    ansible: Ansible, groups: dict[str, list[str]], arguments: list[str], told: str
) -> None:
    run = ansible.playbook("dkp.airgap.cluster_facts", *arguments, groups=groups)
    said = run.failure("Stop when no host of the group dkp_cluster is left")
    assert run.code != 0 and "dkp_cluster" in said and told in said
