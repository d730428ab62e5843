# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The role transfer between real hosts: by rsync, through the controller, and over a line that is cut."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path
from typing import Any

from ansible_collections.dkp.airgap.tests.kit.hosts import Host, Network
from ansible_collections.dkp.airgap.tests.kit.parcels import contents, write_parcel
from ansible_collections.dkp.airgap.tests.kit.playbooks import Ansible, Run

MEBIBYTE = 1024 * 1024
SIZES = {"platform.tar": [3 * MEBIBYTE, MEBIBYTE], "security.tar": [90_000]}


def transfer(ansible: Ansible, directory: Path, outside: Host, inside: Host, *arguments: str, **options: Any) -> Run:
    """Play the role on `inside`, and show what it tells."""
    given = {
        "source_host": "outside",
        "src": f"{outside.directory}/bundle",
        "dest": f"{inside.directory}/bundle",
        **options,
    }
    role = {
        "name": "Role",
        "ansible.builtin.include_role": {"name": "dkp.airgap.transfer"},
        "vars": {f"transfer_{key}": value for key, value in given.items()},
    }
    show = {"name": "Show", "ansible.builtin.debug": {"msg": "{{ transfer_result }}"}}
    playbook = directory / "transfer.yml"
    playbook.write_text(json.dumps([{"hosts": "inside", "gather_facts": False, "tasks": [role, show]}]))
    return ansible.playbook(str(playbook), *arguments, groups={"all": ["outside", "inside"]})


def held(host: Host) -> dict[str, bytes]:
    return contents(host.seen(host.directory / "bundle"))


def test_only_what_is_missing_or_damaged_goes_over_the_line_and_a_cut_is_gone_on_from(
    network: Network, tmp_path: Path, target_python: str
) -> None:
    outside, inside = network.host("outside"), network.host("inside")
    network.connect("outside", "inside")
    ansible = Ansible(tmp_path / "ansible", python=target_python, network=network)
    write_parcel(outside.seen(outside.directory / "bundle"), SIZES)
    told = transfer(ansible, tmp_path, outside, inside, "--check").ok("Show")["msg"]
    assert told["changed"] and told["bytes"] > 4 * MEBIBYTE and not inside.seen(inside.directory / "bundle").exists()
    cut = threading.Thread(target=_cut, args=(inside,))
    cut.start()
    broken = transfer(ansible, tmp_path, outside, inside, bandwidth_limit="1M", timeout=3)
    cut.join()
    assert broken.code != 0 and "delivery.json" not in held(inside), broken.output
    inside.link_up()
    rest = transfer(ansible, tmp_path, outside, inside).ok("Show")["msg"]
    assert rest["way"] == "rsync" and rest["complete"] and 0 < rest["bytes"] < told["bytes"]
    assert held(inside) == held(outside)
    again = transfer(ansible, tmp_path, outside, inside)
    assert again.ok("Show")["msg"]["way"] == "none" and set(again.changed.values()) == {0}, again.output
    part = inside.seen(inside.directory / "bundle") / "security.tar"
    part.write_bytes(b"x" + part.read_bytes()[1:])
    mended = transfer(ansible, tmp_path, outside, inside).ok("Show")["msg"]
    assert mended["bytes"] == 90_000 and held(inside) == held(outside)


def _cut(host: Host) -> None:
    """Pull the cable once the first part is on its way."""
    incoming = host.seen(host.directory / "bundle") / ".incoming"
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if incoming.is_dir() and any(path.stat().st_size > MEBIBYTE // 2 for path in incoming.glob("*.chunk")):
            break
        time.sleep(0.02)
    host.link_down()


def test_where_one_host_does_not_reach_the_other_slices_go_through_the_controller(
    network: Network, tmp_path: Path, target_python: str
) -> None:
    outside, inside = network.host("outside"), network.host("inside")
    inside.hide("rsync")
    ansible = Ansible(tmp_path / "ansible", python=target_python, network=network)
    write_parcel(outside.seen(outside.directory / "bundle"), SIZES)
    run = transfer(ansible, tmp_path, outside, inside, slice_bytes=2 * MEBIBYTE, mode="0640")
    told = run.ok("Show")["msg"]
    assert told["way"] == "slices" and told["complete"] and held(inside) == held(outside)
    bundle = inside.seen(inside.directory / "bundle")
    assert {path.stat().st_mode & 0o777 for path in bundle.glob("*.tar*")} == {0o640}
    assert not list(outside.seen(outside.directory).glob("*.slice"))
