# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reading images again after a run was stopped: for the exact numbers of a disk that is full."""

from __future__ import annotations

import threading
from pathlib import Path

from ansible_collections.dkp.airgap.plugins.module_utils._bundle.donors import Donors
from ansible_collections.dkp.airgap.plugins.module_utils._mirror.memory import HostMemory
from ansible_collections.dkp.airgap.plugins.module_utils._mirror.reading import ImageReader
from ansible_collections.dkp.airgap.plugins.module_utils._oci.reference import parse_address
from ansible_collections.dkp.airgap.plugins.module_utils._registry.client import Registry
from ansible_collections.dkp.airgap.plugins.module_utils._registry.options import RegistryOptions


def test_what_was_under_way_has_ended_before_anything_goes_on(tmp_path: Path) -> None:
    reader = ImageReader(
        Registry(RegistryOptions(parse_address("registry.example/dkp"))), Donors(), HostMemory(tmp_path)
    )
    begun, may_end = threading.Event(), threading.Event()
    ended: list[str] = []

    def lingers() -> None:
        begun.set()
        may_end.wait(10)
        ended.append("stopped the run once more")

    reader.pool.submit(lingers)
    begun.wait(10)
    threading.Timer(0.2, may_end.set).start()
    reader.renew()
    assert ended and reader.gather(str, [1, 2]) == ["1", "2"]
    reader.close()
