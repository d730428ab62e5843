# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The entry point verdict of the role cluster_facts: what a cluster says to approvals, on a real API server."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.dkp.airgap.tests.kit import clusters
from ansible_collections.dkp.airgap.tests.kit.cluster import KubeServer
from ansible_collections.dkp.airgap.tests.kit.facts_role import (
    READING,
    ROLE,
    VERDICT,
    WAYS,
    facts_role,
    grants,
    service_account,
)
from ansible_collections.dkp.airgap.tests.kit.kube_client import KubeObject
from ansible_collections.dkp.airgap.tests.kit.observed import observed
from ansible_collections.dkp.airgap.tests.kit.playbooks import Ansible, Run, Task, task
from ansible_collections.dkp.airgap.tests.kit.webhook import ReleaseWebhook

SHOWN: Task = {"name": "Shown", "ansible.builtin.debug": {"msg": "{{ cluster_facts_verdicts }}"}}
RELEASES: list[dict[str, Any]] = [
    {"version": "v1.68.11"},
    {"version": "v1.69.7"},
    {"version": "v1.70.17", "requirements": {"k8s": "1.99"}},
    {"version": "v1.71.3", "requirements": {"k8s": "1.30"}},
]


def unmet(requirements: Mapping[str, str]) -> Sequence[str]:
    return ["k8s is too old"] if requirements.get("k8s") == "1.99" else []


@pytest.fixture
def webhook(cluster: KubeServer, tmp_path: Path) -> Iterator[ReleaseWebhook]:
    with ReleaseWebhook(tmp_path, unmet=unmet) as found:
        yield found


def asked(ansible: Ansible, access: str, kubeconfig: Path, known: Sequence[KubeObject], **options: Any) -> Run:
    """Set the facts out of the objects `known`, as reading them would, and ask for `RELEASES`."""
    facts = task("Facts", "cluster_facts", objects=observed(known))
    given = {"verdict_releases": RELEASES, "verdict_retries": 1, "verdict_delay": 0, **options}
    return ansible.play([facts, facts_role(access, kubeconfig, entry="verdict", **given), SHOWN])


def said(run: Run) -> dict[str, tuple[bool | None, str]]:
    return {each["version"]: (each["accepted"], each["message"]) for each in run.ok("Shown")["msg"]}


@pytest.mark.parametrize("access", WAYS)
@pytest.mark.parametrize("pending", ["1.30", "1.99"])
def test_the_cluster_judges_and_changes_nothing(
    ansible: Ansible, cluster: KubeServer, webhook: ReleaseWebhook, tmp_path: Path, access: str, pending: str
) -> None:
    objects = clusters.manual_ee(requirements={"k8s": pending})
    cluster.apply([*objects, webhook.configuration()])
    before = cluster.client.list("DeckhouseRelease")
    account = service_account(cluster, tmp_path / "account", READING, VERDICT)
    run = asked(ansible, access, account, [*objects, webhook.configuration()])
    denied = 'cannot approve DeckhouseRelease "{}": requirements not met: k8s is too old'
    assert list(said(run)) == [each["version"] for each in RELEASES]
    assert said(run) == {
        "v1.68.11": (None, "is approved already; the cluster judges a release when it is approved, and not again"),
        "v1.69.7": (True, "") if pending == "1.30" else (False, denied.format("v1.69.7")),
        "v1.70.17": (False, denied.format("v1.70.17")),
        "v1.71.3": (True, ""),
    }
    assert "changed=0" in run.output
    assert cluster.client.list("DeckhouseRelease") == before
    writes = [request for request in cluster.requests() if request.verb not in ("get", "list")]
    assert sorted(request.verb for request in writes) == ["create", "create", "patch"]
    assert all("dryRun=All" in request.uri for request in writes)
    assert all(review["dryRun"] for review in webhook.reviews) and len(webhook.reviews) == 3


@pytest.mark.parametrize("access", WAYS)
def test_without_a_webhook_nobody_is_asked(
    ansible: Ansible, cluster: KubeServer, kubeconfig: Path, access: str
) -> None:
    run = asked(ansible, access, kubeconfig, clusters.manual_ee())
    assert {accepted for accepted, _message in said(run).values()} == {None}
    assert all("has no webhook" in message for _accepted, message in said(run).values())
    assert not cluster.requests()


@pytest.mark.parametrize("access", WAYS)
def test_a_webhook_that_is_away_is_asked_again_and_fails_no_play(
    ansible: Ansible, cluster: KubeServer, kubeconfig: Path, webhook: ReleaseWebhook, access: str
) -> None:
    objects = [*clusters.manual_ee(), webhook.configuration()]
    cluster.apply(objects)
    webhook.stop()
    run = asked(ansible, access, kubeconfig, objects, verdict_releases=RELEASES[1:2], verdict_retries=2)
    accepted, message = said(run)["v1.69.7"]
    assert accepted is None and "failed calling webhook" in message
    assert sum(request.verb == "patch" for request in cluster.requests()) == 3
    cluster.halt()
    try:
        run = asked(ansible, access, kubeconfig, objects, verdict_releases=RELEASES[1:2], verdict_retries=0)
    finally:
        cluster.restart()
    accepted, message = said(run)["v1.69.7"]
    # Of a module that broke off ansible-core keeps the reason until 2.18, and of kubectl always.
    assert accepted is None and ("refused" in message or "API server is not there" in message)


@pytest.mark.parametrize("access", WAYS)
def test_missing_rights_are_no_verdict(
    ansible: Ansible, cluster: KubeServer, webhook: ReleaseWebhook, tmp_path: Path, access: str
) -> None:
    objects = [*clusters.manual_ee(), webhook.configuration()]
    cluster.apply(objects)
    account = service_account(cluster, tmp_path / "account", READING)
    run = asked(ansible, access, account, objects, verdict_releases=RELEASES[1:3])
    for accepted, message in said(run).values():
        assert accepted is None and 'resources: ["deckhousereleases"]' in message
        assert "roles/cluster_facts/files/rbac-verdict.yml" in message
    granted = grants(VERDICT)
    assert set(granted) == {("deckhousereleases", "")}


def test_the_facts_come_first(ansible: Ansible, kubeconfig: Path) -> None:
    run = ansible.play([facts_role("command", kubeconfig, entry="verdict")])
    assert "Run the role" in run.failure(f"{ROLE} : Verdict | Stop without the facts of the cluster")


def test_the_example_of_the_readme(
    ansible: Ansible, cluster: KubeServer, kubeconfig: Path, webhook: ReleaseWebhook, tmp_path: Path
) -> None:
    readme = Path(__file__).parents[3] / "roles/cluster_facts/README.md"
    example = readme.read_text().split("```yaml\n")[1].split("```")[0]
    assert example.count("/etc/airgap/prod.kubeconfig") == 2
    playbook = tmp_path / "example.yml"
    playbook.write_text(example.replace("/etc/airgap/prod.kubeconfig", str(kubeconfig)))
    cluster.apply([*clusters.manual_ee(), webhook.configuration()])
    run = ansible.playbook(str(playbook), groups={"dkp_cluster": ["prod"]})
    assert run.ok("Show both")["msg"].startswith("v1.68.11 [{"), run.output
    assert "name: prod" in (tmp_path / "request.yml").read_text()
