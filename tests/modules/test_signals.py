# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A run that is asked to end says so, cleanly, and the next one goes on (AWX cancels with SIGTERM)."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import pytest
from ansible_collections.dkp.airgap.tests.kit.faults import Slow
from ansible_collections.dkp.airgap.tests.kit.faulty import FaultyRegistry
from ansible_collections.dkp.airgap.tests.kit.module_process import call, finish, start
from ansible_collections.dkp.airgap.tests.kit.shape import SMALL
from ansible_collections.dkp.airgap.tests.kit.tree import build

SEVERAL = 10


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_stopped_pull_is_finished_by_the_next(tmp_path: Path, number: signal.Signals) -> None:
    dest = tmp_path / "bundle"
    with FaultyRegistry(build(SMALL)) as registry:
        slow = registry.fail(Slow(20_000), method="GET", path=r"/blobs/", skip=60, times=None)
        options = {"images_repo": f"{registry.host}/{SMALL.edition_root}", "scheme": "http", "dest": str(dest)}
        process = start("oci_bundle_pull", options, home=tmp_path)
        while slow.hits < SEVERAL and process.poll() is None:
            time.sleep(0.02)
        process.send_signal(number)
        stopped = finish(process)
        assert stopped["failed"] and number.name in stopped["msg"], stopped
        assert not (dest / "delivery.json").exists(), "an unfinished bundle is none"
        looked = call("oci_bundle_info", {"src": str(dest)}, home=tmp_path)
        assert not looked["ok"] and looked["findings"][0]["id"] == "unfinished"

        registry.heal()
        again = call("oci_bundle_pull", options, home=tmp_path)
        assert again["changed"], again
        assert call("oci_bundle_info", {"src": str(dest), "verify": "digest"}, home=tmp_path)["ok"]
