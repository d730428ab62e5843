# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A bundle by a real medium that is too small for it, with the modules as a host runs them."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.dkp.airgap.tests.kit.module_process import finish, start
from ansible_collections.dkp.airgap.tests.kit.parcels import contents, write_parcel


@pytest.fixture
def stick(tmp_path: Path) -> Iterator[Path]:
    """A file system of one megabyte."""
    path = tmp_path / "stick"
    path.mkdir()
    if os.geteuid() != 0:
        pytest.skip("mounting a file system needs root")
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", str(path)], check=False)
    if mounted.returncode:
        pytest.skip("no file system can be mounted here")
    yield path
    subprocess.run(["umount", str(path)], check=True)


def test_a_medium_too_small_for_the_bundle_is_carried_in_turns(stick: Path, tmp_path: Path) -> None:
    outside, inside = tmp_path / "outside", tmp_path / "inside"
    outside.mkdir()
    inside.mkdir()
    bundle, arrived = tmp_path / "bundle", tmp_path / "arrived"
    write_parcel(bundle, {"platform.tar": [400_000] * 4, "security.tar": [90_000]})

    def copy(home: Path, **options: Any) -> dict[str, Any]:
        return finish(start("oci_bundle_copy", options, home=home))

    def fill() -> dict[str, Any]:
        return copy(outside, src=str(bundle), dest=str(stick), volumes=True)

    def take() -> dict[str, Any]:
        return copy(inside, src=str(stick), dest=str(arrived), acknowledge=True)

    assert fill()["remaining"]["parts"] == ["platform.tar.0002.chunk", "platform.tar.0003.chunk"]
    assert take()["complete"] is False and not (arrived / "delivery.json").exists()
    assert fill()["copied"] == {"bytes": 800_000, "parts": 2}
    assert take()["complete"] is True
    assert contents(arrived) == contents(bundle)
    proof = finish(start("oci_bundle_parts", {"path": str(arrived)}, home=inside))
    assert proof["ok"] and not proof["changed"]
    write_parcel(bundle, {"platform.tar": [2_000_000]})
    refused = fill()
    assert refused["failed"] and "platform.tar has 2000000 bytes" in refused["msg"] and "chunk_size" in refused["msg"]
