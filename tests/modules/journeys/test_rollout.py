# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rollouts on a real API server, with a Deckhouse that orders releases out of a real registry."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.dkp.airgap.tests.kit.cluster import KubeServer
from ansible_collections.dkp.airgap.tests.kit.cluster_objects import WAITS_FOR_APPROVAL, alert, release
from ansible_collections.dkp.airgap.tests.kit.deckhouse import Deckhouse
from ansible_collections.dkp.airgap.tests.kit.facts_role import service_account
from ansible_collections.dkp.airgap.tests.kit.playbooks import Ansible, task
from ansible_collections.dkp.airgap.tests.kit.programs import MissingProgram
from ansible_collections.dkp.airgap.tests.kit.rollouts import (
    QUICK,
    RIGHTS,
    fill,
    objects,
    publish,
    rollout,
    rollout_role,
    shown,
    update_plan,
    updating,
    wants,
    way_in,
)
from ansible_collections.dkp.airgap.tests.kit.servers import Server
from ansible_collections.dkp.airgap.tests.kit.vendor import any_server
from ansible_collections.dkp.airgap.tests.kit.webhook import ReleaseWebhook

WHOLE = ["v1.68.4", "v1.69.0", "console-v1.36.2"]


@pytest.fixture
def private(tmp_path: Path) -> Iterator[Server]:
    fill(tmp_path / "private")
    try:
        server = any_server(tmp_path / "private", htpasswd=True)
    except MissingProgram as missing:
        pytest.skip(str(missing))
    with server:
        yield server


def test_the_role_walks_a_cluster_step_by_step_with_the_rights_of_its_manifest(
    cluster: KubeServer, private: Server, ansible: Ansible, tmp_path: Path
) -> None:
    kubeconfig = service_account(cluster, tmp_path / "kubeconfig", *RIGHTS)
    plan = update_plan()
    with updating(cluster, private) as deckhouse:
        publish(private.storage)
        run = ansible.play(
            [
                rollout_role("Always", kubeconfig, plan, approve="always"),
                shown("Approved"),
                rollout_role("Again", kubeconfig, plan, approve="always"),
                shown("Nothing to do"),
            ]
        )
    walked, again = (run.ok(name)["rollout_result"] for name in ("Approved", "Nothing to do"))
    assert (walked["state"], walked["approved"], walked["changed"]) == ("done", WHOLE, True)
    assert [(each["version"], each["state"], each["approved"]) for each in walked["steps"]] == [
        ("v1.68.4", "done", True),
        ("v1.69.0", "done", True),
    ]
    assert (again["state"], again["approved"], again["changed"]) == ("done", [], False)
    assert deckhouse.deployed == WHOLE and not deckhouse.exposures
    assert f"localhost: [1/2] platform v1.68.4 waiting-approval v1.69.0: {WAITS_FOR_APPROVAL}" in run.output


def test_a_rollout_lives_through_an_outage_of_the_api(
    cluster: KubeServer, private: Server, ansible: Ansible, kubeconfig: Path
) -> None:
    with updating(cluster, private) as deckhouse:
        publish(private.storage, "v1.68.4", modules=False)
        outage = threading.Thread(target=_go_away, args=(cluster, deckhouse))
        outage.start()
        run = ansible.play([rollout("Walk", kubeconfig, update_plan(("v1.68.4",), {}), approved=wants("v1.68.4"))])
        outage.join()
        cluster.apply([alert("DeckhouseUpdatingFailed", severity=4, summary="versions is not in sequence")])
        awaited = ansible.play([rollout("Wait", kubeconfig, update_plan(modules={}), discovery_timeout=0.1)])
    walk = run.ok("Walk")
    assert (walk["state"], walk["approved"]) == ("done", ["v1.68.4"]) and deckhouse.deployed == ["v1.68.4"]
    assert "the cluster does not answer, trying again" in run.output
    stopped = awaited.failure("Wait")
    assert "has not created any release after v1.68.4" in stopped and "(P2)" in stopped
    assert "Alert DeckhouseUpdatingFailed: versions is not in sequence" in stopped


def _go_away(cluster: KubeServer, deckhouse: Deckhouse) -> None:
    """Take the API away for seconds as soon as the image was switched."""
    deckhouse.wait_for(lambda: deckhouse.deployed == ["v1.68.4"], timeout=60)
    cluster.halt()
    time.sleep(2)
    cluster.restart()


def test_what_the_cluster_refuses_and_what_it_would_refuse(
    cluster: KubeServer, kubeconfig: Path, ansible: Ansible, tmp_path: Path
) -> None:
    cluster.apply(objects("registry.example/dkp/ee"))
    cluster.apply([release("v1.68.4", phase="Pending", message=WAITS_FOR_APPROVAL)])
    less = service_account(cluster, tmp_path / "less", *RIGHTS, without=("modulereleases", ""))
    with ReleaseWebhook(tmp_path, unmet=lambda requirements: ["k8s is too old"]) as webhook:
        cluster.apply([webhook.configuration()])
        allowed: dict[str, Any] = {"approved": wants("v1.68.4")}
        access = {"access": "api", "host": cluster.url, "api_key": cluster.admin_token, "ca_cert": str(cluster.ca_file)}
        run = ansible.play(
            [
                {**task("Asked", "rollout", **access, **QUICK, plan=update_plan(), **allowed), "check_mode": True},
                {**rollout("Refused", kubeconfig, update_plan(), **allowed), "ignore_errors": True},
                {**rollout("No rights", less, update_plan()), "ignore_errors": True},
            ],
            "-vvv",
        )
    assert cluster.admin_token not in run.output
    asked, refused = run.ok("Asked"), run["Refused"].result
    reason = 'cannot approve DeckhouseRelease "v1.68.4": requirements not met: k8s is too old'
    assert asked["verdicts"] == [{**wants("v1.68.4")[0], "accepted": False, "message": reason}]
    assert asked["changed"] and not asked["ok"] and f"v1.68.4 would be refused: {reason}" in asked["msg"]
    assert (refused["state"], refused["findings"][0]["id"], refused["changed"]) == ("stopped", "requirements", False)
    assert reason in run.failure("Refused")
    missing = run.failure("No rights")
    assert '{apiGroups: ["deckhouse.io"], resources: ["modulereleases"], verbs: ["list"]}' in missing
    assert "roles/rollout/files/rbac.yml" in missing
    assert not cluster.client.get("DeckhouseRelease", "v1.68.4")["approved"]


def test_a_fleet_begins_with_its_canary_and_stops_when_one_fails(
    cluster: KubeServer, kubeconfig: Path, ansible: Ansible, tmp_path: Path
) -> None:
    cluster.apply(objects("registry.example/dkp/ee"))
    cluster.apply([release("v1.68.4", phase="Pending", message=WAITS_FOR_APPROVAL)])
    names = ["first", "second", "third"]
    plan = tmp_path / "plan.json"
    made = update_plan(cluster="first")
    plan.write_text(json.dumps({**made, "clusters": dict.fromkeys(names, made["clusters"]["first"])}))
    options = {
        "dkp_kubernetes_access": "command",
        "dkp_kubernetes_command": way_in(kubeconfig, "command")["command"],
        "dkp_kubeconfig": "{{ 'nowhere' if inventory_hostname == 'first' else '" + str(kubeconfig) + "' }}",
        "dkp_plan_file": str(plan),
        "dkp_rollout_canary": "third",
        "dkp_rollout_poll": 0.1,
    }
    run = ansible.playbook("dkp.airgap.rollout", "-e", json.dumps(options), groups={"dkp_cluster": names})
    assert run.code != 0 and "third: waiting for the approval of v1.68.4; approve with: kubectl patch" in run.output
    assert run.output.index("third: waiting for") < run.output.index("first: reading the cluster with")
    assert "second: " not in run.output.partition("PLAY RECAP")[0]
