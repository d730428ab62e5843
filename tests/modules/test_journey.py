# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The journey through the modules: check mode tells what happens, the first run does it, the second does nothing."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.dkp.airgap.tests.kit.playbooks import Ansible, Run, Task, task
from ansible_collections.dkp.airgap.tests.kit.servers import PASSWORD, USERNAME, Server
from ansible_collections.dkp.airgap.tests.kit.vendor import Vendor

VERSIONS = ["v1.68.0", "v1.68.4", "v1.69.0"]
SELECTION: dict[str, Any] = {
    "platform_versions": ">=1.68.0 <=1.69.0",
    "modules": ["console", "sdn"],
    "installer": False,
}


def pull(name: str, options: Mapping[str, str], dest: Path, **more: Any) -> Task:
    return task(name, "oci_bundle_pull", dest=str(dest), **{**options, **SELECTION, **more})


def push(name: str, target: Server, dest: Path, **options: Any) -> Task:
    address = {"images_repo": f"{target.host}/mirror/ee", "scheme": "http"}
    return task(name, "oci_bundle_push", src=[str(dest)], **{**address, **options})


@pytest.fixture
def bundle(ansible: Ansible, source: Vendor, tmp_path: Path) -> Path:
    ansible.play([pull("Pull", source.options, tmp_path / "bundle")]).ok("Pull")
    return tmp_path / "bundle"


def test_check_mode_of_pull_tells_exactly_what_the_run_does(ansible: Ansible, source: Vendor, tmp_path: Path) -> None:
    dest = tmp_path / "new/bundle"
    predicted = ansible.play([pull("Pull", source.options, dest)], "--check").ok("Pull")
    assert not dest.parent.exists()
    done = ansible.play([pull("Pull", source.options, dest)]).ok("Pull")
    assert predicted["changed"] and done["changed"]
    assert predicted["content"] == done["content"]
    for key in ("path", "images", "blobs", "bytes"):
        assert predicted["bundle"][key] == done["bundle"][key], key
    assert done["content"]["platform"]["versions"] == VERSIONS
    assert done["content"]["platform"]["channels"] == {"rock-solid": "v1.68.0", "stable": "v1.69.0"}
    files = {path.name: path.stat().st_size for path in dest.iterdir()}
    archives = {part["name"]: part["bytes"] for archive in done["bundle"]["archives"] for part in archive["parts"]}
    assert files.keys() == {*archives, "delivery.json"}
    assert sum(archives.values()) == done["bundle"]["bytes"]


def test_a_second_pull_changes_nothing(ansible: Ansible, source: Vendor, bundle: Path) -> None:
    before = {path.name: (path.stat().st_mtime_ns, path.stat().st_ino) for path in bundle.glob("*.tar")}
    run = ansible.play(
        [pull("Predict", source.options, bundle) | {"check_mode": True}, pull("Pull", source.options, bundle)]
    )
    again = run.ok("Pull")
    assert not run["Predict"].changed and not again["changed"]
    assert again["transferred"]["blobs"] == 0
    assert {path.name: (path.stat().st_mtime_ns, path.stat().st_ino) for path in bundle.glob("*.tar")} == before


def test_info_tells_content_and_finds_damage(ansible: Ansible, bundle: Path) -> None:
    tasks = [
        task("Read", "oci_bundle_info", src=str(bundle), verify="digest", list_images=True),
        {
            "name": "Damage",
            "ansible.builtin.shell": f"printf x | dd of={bundle}/platform.tar bs=1 seek=9000 conv=notrunc",
        },
        task("Damaged", "oci_bundle_info", src=str(bundle), verify="digest"),
    ]
    run = ansible.play(tasks)
    sound, damaged = run.ok("Read"), run.ok("Damaged")
    assert sound["ok"] and not sound["findings"] and not sound["changed"]
    assert sound["content"]["platform"]["versions"] == VERSIONS
    assert len(sound["image_list"]) == sound["images"]
    assert not damaged["ok"]
    assert any("platform.tar" in finding["message"] for finding in damaged["findings"])


def test_push_fills_the_registry_once(ansible: Ansible, source: Vendor, target: Server, bundle: Path) -> None:
    tasks: list[Task] = [
        push("Predict", target, bundle) | {"check_mode": True},
        {"name": "Peek", "ansible.builtin.uri": {"url": f"{target.url}/v2/_catalog", "return_content": True}},
        push("Push", target, bundle),
        push("Again", target, bundle),
    ]
    run = ansible.play(tasks, "--diff")
    predicted, first, again = run.ok("Predict"), run.ok("Push"), run.ok("Again")
    assert not run.ok("Peek")["json"]["repositories"], "check mode uploads nothing"
    assert predicted["changed"] and first["changed"] and not again["changed"]
    assert predicted["tags"] == first["tags"]
    assert first["uploaded"]["blobs"] > 0 and again["uploaded"]["blobs"] == again["mounted"]["blobs"] == 0
    stable = _tag(first, "release-channel", "stable")
    assert stable["before"] is None and stable["after"] == source.tree.tags("release-channel")["stable"]
    assert {tag["before"] for tag in again["tags"]} == {tag["after"] for tag in first["tags"]}
    assert first["diff"] and not again.get("diff", {}).get("after") or again["diff"]["before"] == again["diff"]["after"]


def test_pointers_come_in_a_step_of_their_own(ansible: Ansible, target: Server, bundle: Path) -> None:
    tasks = [
        push("Too early", target, bundle, publish="pointers") | {"ignore_errors": True},
        push("Content", target, bundle, publish="content"),
        push("Pointers", target, bundle, publish="pointers"),
    ]
    run = ansible.play(tasks)
    run.failure("Too early")
    content, pointers = run.ok("Content"), run.ok("Pointers")
    assert _tag(content, "release-channel", "stable")["after"] is None
    assert _tag(content, "release-channel", "v1.69.0")["after"]
    assert _tag(pointers, "release-channel", "stable")["after"]


def test_an_older_bundle_does_not_move_a_channel_back(
    ansible: Ansible, source: Vendor, target: Server, bundle: Path, tmp_path: Path
) -> None:
    older = tmp_path / "older"
    tasks = [
        push("New", target, bundle),
        pull("Fetch", source.options, older, platform_versions="=v1.68.4+stable", modules=[], security_db=False),
        push("Old", target, older) | {"ignore_errors": True},
        push("Allowed", target, older, allow_downgrade=True),
    ]
    run = ansible.play(tasks)
    message = run.failure("Old")
    assert "stable" in message and "allow_downgrade" in message
    assert (
        _tag(run.ok("Allowed"), "release-channel", "stable")["before"] == source.tree.tags("release-channel")["stable"]
    )


def test_secrets_stay_out_of_everything(ansible: Ansible, source: Vendor, target: Server, tmp_path: Path) -> None:
    dest = tmp_path / "bundle"
    wrong = "correct-horse-staple"
    auth_file = tmp_path / "auth.json"
    pair = base64.b64encode(f"{USERNAME}:{PASSWORD}".encode()).decode()
    auth_file.write_text(json.dumps({"auths": {source.server.host: {"auth": pair}}}))
    from_file = {**source.address, "auth_file": str(auth_file)}
    tasks = [
        pull("Pull", source.options, dest, modules=[]),
        pull("From file", from_file, dest, modules=[]),
        pull("Refused", source.options, tmp_path / "other", password=wrong) | {"ignore_errors": True},
        push("Push", target, dest),
    ]
    run = ansible.play(tasks, "-vvv", "--diff")
    for name in ("Pull", "From file", "Push"):
        run.ok(name)
    assert "401" in run.failure("Refused") or "credentials" in run.failure("Refused")
    written = b"".join(path.read_bytes() for path in dest.glob("*.json"))
    for secret in (PASSWORD, pair, wrong, base64.b64encode(f"{USERNAME}:{wrong}".encode()).decode()):
        assert secret not in _told(run), f"{secret} was printed"
        assert secret.encode() not in written


def _told(run: Run) -> str:
    """All that was printed and returned."""
    return run.output + json.dumps({name: dict(found.result) for name, found in run.tasks.items()})


def _tag(result: Any, repository: str, tag: str) -> dict[str, Any]:
    found = [entry for entry in result["tags"] if (entry["repository"], entry["tag"]) == (repository, tag)]
    assert len(found) == 1, f"{repository}:{tag} occurs {len(found)} times"
    return dict(found[0])
