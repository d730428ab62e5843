# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later


"""The playbook status: whatever answers is told, whatever does not is told with its reason, and nothing is changed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml
from ansible_collections.dkp.airgap.tests.kit import clusters
from ansible_collections.dkp.airgap.tests.kit.cluster import KubeServer
from ansible_collections.dkp.airgap.tests.kit.playbooks import Ansible, Run
from ansible_collections.dkp.airgap.tests.kit.programs import find_kubectl
from ansible_collections.dkp.airgap.tests.kit.servers import PASSWORD
from ansible_collections.dkp.airgap.tests.kit.vendor import Vendor

STATUS = "dkp.airgap.status"
SHOW = "Show where clusters stand"
SIDES = ("source", "registry")
NOWHERE = {"ansible_connection": "ssh", "ansible_host": "127.0.0.1", "ansible_port": 1}


def table(run: Run) -> str:
    return "\n".join(run.ok(SHOW)["msg"])


def variables(kubeconfig: Path, **more: Any) -> list[str]:
    access = {"dkp_kubernetes_access": "command", "dkp_kubernetes_command": str(find_kubectl())}
    return ["-e", json.dumps({**access, "dkp_kubeconfig": str(kubeconfig), **more})]


def hosts(path: Path, **known: dict[str, Any]) -> list[str]:
    """An inventory that says more of some hosts."""
    path.write_text(json.dumps({"all": {"hosts": known}}))
    return ["-i", str(path)]


def test_what_answers_is_told_and_what_does_not_stops_nothing(
    ansible: Ansible, cluster: KubeServer, kubeconfig: Path, source: Vendor, tmp_path: Path
) -> None:
    cluster.apply(clusters.manual_ee(version="v1.67.1", next_version="v1.68.4"))
    (tmp_path / "lost").write_text("{}")
    # One cluster that answers, one that does not, and one whose host cannot be reached.
    own = hosts(tmp_path / "hosts.json", lost={"dkp_kubeconfig": str(tmp_path / "lost")}, far=NOWHERE)
    registries = {f"dkp_{which}_{key}": value for which in SIDES for key, value in source.options.items()}
    kubeconfigs = f"{{{{ '{tmp_path}/lost' if inventory_hostname == 'lost' else '{kubeconfig}' }}}}"
    options = variables(kubeconfig, **registries, dkp_status_file=str(tmp_path / "status.yml"))
    groups = {"dkp_cluster": ["prod", "lost", "far"], "dkp_connected": ["jump"], "dkp_airgapped": ["jump"]}
    run = ansible.playbook(STATUS, *own, *options, "-e", json.dumps({"dkp_kubeconfig": kubeconfigs}), groups=groups)
    assert run.code == 0 and "changed=0" in run.output and "changed=1" not in run.output, run.output
    status = yaml.safe_load((tmp_path / "status.yml").read_text())
    assert status == run.ok("Put the status together")["status"] and PASSWORD not in run.output
    prod, lost, far = (status["clusters"][name] for name in ("prod", "lost", "far"))
    assert prod["platform"]["vendor"] == "v1.69.0" and prod["platform"]["steps"] == ["v1.68.4", "v1.69.0"]
    assert prod["modules"]["console"]["vendor"] == "v1.36.2", prod["modules"]
    assert prod["parts"]["progress"]["known"], prod["parts"]["progress"]["reason"]
    assert lost["next"]["action"] == far["next"]["action"] == "connect"
    assert "lost: reading the cluster with the command" in lost["parts"]["cluster"]["reason"]
    assert "port 1" in far["parts"]["cluster"]["reason"]
    assert far["parts"]["vendor"]["channels"]["stable"] == "v1.69.0", "what answers is told of every cluster"
    # The private registry is that of the vendor here, so what it publishes is what the vendor offers.
    assert prod["platform"]["registry"] == "v1.69.0" and prod["modules"]["console"]["registry"] == "v1.36.2"
    assert far["parts"]["registry"]["where"] == source.options["images_repo"] and "v1.69.0  v1.69.0" in table(run)


def test_where_nothing_answers_everything_has_a_reason(ansible: Ansible, source: Vendor, tmp_path: Path) -> None:
    vendor = {f"dkp_source_{key}": value for key, value in {**source.options, "password": "not-that-one"}.items()}
    groups = {"dkp_cluster": ["far"], "dkp_connected": ["jump"], "dkp_airgapped": ["inside"]}
    own = hosts(tmp_path / "hosts.json", far=NOWHERE)
    run = ansible.playbook(STATUS, "--check", "--limit", "far,jump", *own, "-e", json.dumps(vendor), groups=groups)
    assert run.code == 0, run.output
    parts = run.ok("Put the status together")["status"]["clusters"]["far"]["parts"]
    assert "credentials were refused" in parts["vendor"]["reason"]
    assert parts["vendor_modules"]["reason"] == parts["vendor"]["reason"]
    assert parts["registry"]["reason"] == "not asked: --limit leaves out dkp_airgapped"
    assert "port 1" in table(run)


def test_without_a_cluster_there_is_nothing_to_tell_of(ansible: Ansible) -> None:
    run = ansible.playbook(STATUS, groups={"dkp_connected": ["jump"]})
    assert run.code != 0 and "dkp_cluster has no host left" in run.output, run.output
