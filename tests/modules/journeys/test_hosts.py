# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later


"""Playbooks on the kit's own hosts: by SSH alone, with variables for each, and killed with all they have started."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

from ansible_collections.dkp.airgap.tests.kit.hosts import Network
from ansible_collections.dkp.airgap.tests.kit.playbooks import Ansible


def playbook(directory: Path, *tasks: dict[str, Any]) -> str:
    path = directory / "play.yml"
    path.write_text(json.dumps([{"hosts": "all", "gather_facts": False, "tasks": tasks}]))
    return str(path)


def test_every_host_is_reached_as_itself_and_nothing_runs_on_after_a_kill(
    network: Network, tmp_path: Path, target_python: str
) -> None:
    outside, inside = network.host("outside"), network.host("inside")
    ansible = Ansible(tmp_path / "ansible", python=target_python, network=network)
    groups = {"dkp_connected": {"outside": {"color": "red"}}, "dkp_airgapped": {"inside": {"color": "blue"}}}
    tell = {"name": "Tell", "ansible.builtin.command": "sh -c 'echo {{ color }} {{ size }} ~'"}
    run = ansible.playbook(playbook(tmp_path, tell), groups=groups, variables={"size": 3})
    assert run.code == 0, run.output
    assert run.on("outside", "Tell").result["stdout"] == f"red 3 {outside.home}"
    assert run.on("inside", "Tell").result["stdout"] == f"blue 3 {inside.home}"
    wait = {"name": "Wait", "ansible.builtin.command": "sleep 77"}
    run = ansible.playbook(playbook(tmp_path, tell, wait), groups=groups, variables={"size": 3}, kill_after=3)
    assert run.code < 0 and run.on("outside", "Tell").status == "ok"
    assert "sleep 77" not in subprocess.run(["ps", "ax"], capture_output=True, text=True, check=True).stdout
