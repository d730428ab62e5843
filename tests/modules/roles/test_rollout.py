# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rollouts on a real API server, with a Deckhouse that orders releases from a real registry."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.dkp.airgap.tests.kit.cluster import KubeServer
from ansible_collections.dkp.airgap.tests.kit.playbooks import Ansible
from ansible_collections.dkp.airgap.tests.kit.programs import MissingProgram
from ansible_collections.dkp.airgap.tests.kit.rollouts import fill, publish, rollout, update_plan, updating, wants
from ansible_collections.dkp.airgap.tests.kit.servers import Server
from ansible_collections.dkp.airgap.tests.kit.vendor import any_server


@pytest.fixture
def private(tmp_path: Path) -> Iterator[Server]:
    fill(tmp_path / "private")
    try:
        server = any_server(tmp_path / "private", htpasswd=True)
    except MissingProgram as missing:
        pytest.skip(str(missing))
    with server:
        yield server


@pytest.mark.parametrize("access", ["api", "command"])
def test_a_chain_is_walked_step_by_step_with_approvals(
    access: str, cluster: KubeServer, kubeconfig: Path, private: Server, ansible: Ansible
) -> None:
    everything = wants("v1.68.4", "v1.69.0", console="v1.36.2")
    plan = update_plan()
    with updating(cluster, private) as deckhouse:
        publish(private.storage)
        run = ansible.play(
            [
                rollout("Never", kubeconfig, plan, access=access),
                rollout("Walk", kubeconfig, plan, access=access, approved=everything),
                rollout("Again", kubeconfig, plan, access=access, approved=everything),
            ]
        )
        print(run.output)
        never, walk, again = run.ok("Never"), run.ok("Walk"), run.ok("Again")
    assert (never["state"], never["wants"], never["changed"]) == ("waiting-approval", wants("v1.68.4"), False)
    assert "kubectl patch deckhouserelease v1.68.4" in never["msg"]
    assert walk["state"] == "done" and walk["changed"]
    assert walk["approved"] == ["v1.68.4", "v1.69.0", "console-v1.36.2"]
    assert [(each["version"], each["state"]) for each in walk["steps"]] == [("v1.68.4", "done"), ("v1.69.0", "done")]
    assert again["state"] == "done" and not again["changed"]
    assert deckhouse.deployed == ["v1.68.4", "v1.69.0", "console-v1.36.2"]
