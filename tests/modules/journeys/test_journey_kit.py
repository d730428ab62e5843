# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later


"""The kit's scenery of a whole journey: everybody reaches what they should, and nothing else."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from ansible_collections.dkp.airgap.tests.kit.cluster import KubeServer
from ansible_collections.dkp.airgap.tests.kit.journey import Journey
from ansible_collections.dkp.airgap.tests.kit.programs import MissingProgram


def test_each_side_of_a_gap_reaches_its_own_and_what_is_carried(
    cluster: KubeServer, tmp_path: Path, target_python: str
) -> None:
    try:
        journey = Journey(tmp_path, cluster, python=target_python, topology="gap")
    except MissingProgram as missing:
        pytest.skip(str(missing))
    with journey:
        vendor, private = journey.vendor.server, journey.private.server
        for server, reached_by, others in (
            (vendor, journey.outside, (journey.inside, journey.network.controller)),
            (private, journey.inside, (journey.outside, journey.network.controller)),
        ):
            port = int(server.host.partition(":")[2])
            assert reached_by.reaches(server.address, port)
            assert not any(host.reaches(server.address, port) for host in others)
        command = "{{ dkp_kubernetes_command }} --kubeconfig {{ dkp_kubeconfig }} get deckhousereleases"
        tell = {"name": "Tell", "ansible.builtin.command": command}
        playbook = tmp_path / "play.yml"
        playbook.write_text(json.dumps([{"hosts": "dkp_cluster", "gather_facts": False, "tasks": [tell]}]))
        run = journey.play(str(playbook), side="inside")
        assert run.code == 0 and "v1.68.0" in run.on("inside", "Tell").result["stdout"], run.output
        (journey.desk("inside") / "request.yml").write_text("from inside")
        journey.carry("request.yml", start="inside", end="outside")
        assert Path(journey.variables("outside")["dkp_request_file"]).read_text() == "from inside"
        assert journey.phases() == {"v1.68.0": "Deployed"} and not journey.exposures
