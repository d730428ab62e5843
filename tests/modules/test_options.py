# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the info modules say about a vendor's registry, and how all modules of the group take their options."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.dkp.airgap.tests.kit import plans
from ansible_collections.dkp.airgap.tests.kit.playbooks import Ansible, Run, task
from ansible_collections.dkp.airgap.tests.kit.vendor import Vendor


def test_channels_are_told_with_versions_and_digests(ansible: Ansible, source: Vendor) -> None:
    tasks = [
        task("All", "release_channel_info", **source.options),
        task("One", "release_channel_info", channels=["stable"], platform_versions="~1.69.0", **source.options),
    ]
    run = ansible.play(tasks, "--check")
    everything, one = run.ok("All"), run.ok("One")
    stable = everything["channels"]["stable"]
    assert everything["edition"] == "EE"
    assert stable["exists"] and stable["version"] == "v1.69.0" and not stable["suspended"]
    assert stable["digest"] == source.tree.tags("release-channel")["stable"]
    assert everything["channels"]["lts"] == {"exists": False}
    assert everything["versions"] == list(source.tree.shape.versions)
    assert list(one["channels"]) == ["stable"]
    assert sorted(one["releases"]) == ["v1.69.0", "v1.69.2"]
    assert not run["All"].changed and not run["One"].changed


def test_modules_are_told_and_unknown_names_are_no_failure(ansible: Ansible, source: Vendor) -> None:
    tasks = [
        task("Named", "module_releases_info", modules=["console@>=1.36.0", "typo"], **source.options),
        task("All", "module_releases_info", **source.options),
    ]
    run = ansible.play(tasks)
    named = run.ok("Named")["modules"]
    assert named["typo"] == {"exists": False}
    assert named["console"]["channels"]["stable"]["version"] == "v1.36.2"
    assert set(named["console"]["releases"]) >= {"v1.36.2", "v1.37.0"}
    assert "v1.34.0" not in named["console"]["releases"]
    assert set(run.ok("All")["modules"]) == {module.name for module in source.tree.shape.modules}


def test_what_a_plan_needs_is_read_and_nothing_else(ansible: Ansible, source: Vendor) -> None:
    tasks = [
        task("Platform", "release_channel_info", updates=[{"from": "v1.67.1", "to": "stable"}], **source.options),
        task(
            "Modules",
            "module_releases_info",
            updates=[{"module": "console", "from": "v1.34.0", "to": "stable"}, {"module": "typo", "to": "lts"}],
            **source.options,
        ),
        task("Nothing", "module_releases_info", updates=[], **source.options),
    ]
    run = ansible.play(tasks, "--check")
    platform, modules = run.ok("Platform"), run.ok("Modules")
    assert list(platform["channels"]) == ["stable"] and sorted(platform["releases"]) == ["v1.68.4", "v1.69.0"]
    assert platform["images_repo"] == modules["images_repo"] == source.options["images_repo"]
    assert platform["stray"] == [] and modules["modules_path"] == "modules"
    console = modules["modules"]["console"]
    assert list(console["channels"]) == ["stable"] and sorted(console["releases"]) == ["v1.35.4", "v1.36.2"]
    assert modules["modules"]["typo"] == {"exists": False}
    assert run.ok("Nothing")["modules"] == {} and not run["Nothing"].result.get("warnings")


def test_group_defaults_reach_every_module_of_the_group(ansible: Ansible, source: Vendor, tmp_path: Path) -> None:
    tasks = [
        task("Channels", "release_channel_info", channels=["stable"]),
        task("Modules", "module_releases_info", modules=["console"]),
        task("Pull", "oci_bundle_pull", dest=str(tmp_path / "bundle"), modules=[], installer=False, security_db=False),
        task("Push", "oci_bundle_push", src=[str(tmp_path / "bundle")]),
        task("Check", "mirror_check_info", src=str(tmp_path / "bundle")),
        task("Look", "mirror_inventory_info"),
    ]
    run = ansible.play(tasks, defaults=source.options)
    for name in ("Channels", "Modules", "Pull", "Push"):
        run.ok(name)
    assert run.ok("Check")["ok"] and run.ok("Look")["ok"]
    pushed = run["Push"].result
    assert pushed["uploaded"]["blobs"] == 0, "what was pulled from a registry is all there"
    assert all(tag["before"] == tag["after"] for tag in pushed["tags"]), "and under the same tags"


def test_missing_libraries_are_named_with_host_and_interpreter(tmp_path: Path, target_python: str) -> None:
    bare = tmp_path / "bare"
    subprocess.run([target_python, "-m", "venv", "--without-pip", str(bare)], check=True)
    ansible = Ansible(tmp_path / "ansible", python=str(bare / "bin/python"))
    message = ansible.play([task("Read", "release_channel_info", images_repo="127.0.0.1:1/dkp/ee")]).failure("Read")
    assert "requests" in message and str(bare / "bin/python") in message


PLAN = plans.plan(plans.content())
# module, the option that is wrong, what the message must say
CLUSTERS = [{"name": "prod", "version": "v1.68.11", "channel": "stable"}]
OFFER = {"channels": {"stable": {"exists": True, "version": "v1.69.7"}}, "versions": ["v1.69.7"], "releases": {}}
BAD_INPUTS: list[tuple[str, dict[str, Any], tuple[str, ...]]] = [
    ("release_channel_info", {"images_repo": "https://registry.example/dkp/ee"}, ("images_repo", "scheme")),
    ("release_channel_info", {"images_repo": "registry.example"}, ("images_repo", "path")),
    (
        "release_channel_info",
        {"license_token": "abcdefgh12345678", "username": "someone"},
        ("license_token", "username"),
    ),
    ("release_channel_info", {"username": "someone"}, ("password",)),
    ("release_channel_info", {"ca_path": "/nowhere/ca.pem"}, ("/nowhere/ca.pem",)),
    ("release_channel_info", {"auth_file": "/nowhere/auth.json"}, ("/nowhere/auth.json",)),
    ("release_channel_info", {"bandwidth_limit": "fast"}, ("bandwidth_limit", "40M")),
    ("release_channel_info", {"connections": -1}, ("connections",)),
    ("release_channel_info", {"timeout": 0}, ("timeout",)),
    ("release_channel_info", {"channels": ["stabel"]}, ("stabel", "stable")),
    ("release_channel_info", {"platform_versions": ">=1.69 <=x"}, ("platform_versions", "x")),
    ("release_channel_info", {"updates": [{"from": "1.69", "to": "stable"}]}, ("updates[0].from", "v1.69.4")),
    ("release_channel_info", {"updates": [{"to": "stable"}, {"to": "stabel"}]}, ("updates[1].to", "stable")),
    ("release_channel_info", {"updates": [{"from": "v1.69.4"}]}, ("updates", "to")),
    ("module_releases_info", {"modules": ["console@>=1.x.y"]}, ("console",)),
    ("module_releases_info", {"updates": [{"module": "console@>=1", "to": "stable"}]}, ("updates[0].module",)),
    ("module_releases_info", {"updates": [{"module": "console", "to": 1.7}]}, ("updates[0].to", "quotes")),
    ("oci_bundle_pull", {"dest": "{file}"}, ("dest", "{file}")),
    ("oci_bundle_pull", {"chunk_size": "4KB"}, ("chunk_size",)),
    ("oci_bundle_pull", {"chunk_size": "big"}, ("chunk_size",)),
    ("oci_bundle_pull", {"platform_versions": ">=1.69", "release": "stable"}, ("platform_versions", "release")),
    ("oci_bundle_pull", {"modules": ["console"], "exclude_modules": ["sdn"]}, ("modules", "exclude_modules")),
    ("oci_bundle_pull", {"exclude_modules": ["Console!"]}, ("exclude_modules", "Console!")),
    ("oci_bundle_pull", {"plan": PLAN, "platform": True}, ("plan", "platform")),
    ("oci_bundle_pull", {"plan": PLAN, "modules": [], "security_db": False}, ("plan", "modules", "security_db")),
    ("oci_bundle_pull", {"plan": PLAN, "plan_file": "{file}"}, ("plan", "plan_file")),
    ("oci_bundle_pull", {"plan_file": "{file}", "release": "stable"}, ("plan_file", "release")),
    ("oci_bundle_pull", {"plan_file": "{file}.missing"}, ("plan_file", "{file}.missing", "host")),
    ("oci_bundle_pull", {"plan_file": "{file}"}, ("plan_file", "mapping")),
    ("oci_bundle_pull", {"plan": {}}, ("plan.kind",)),
    ("oci_bundle_pull", {"plan": {**PLAN, "version": 2}}, ("plan.version", "version 1")),
    ("oci_bundle_pull", {"accept_findings": ["P3"]}, ("accept_findings", "plan")),
    ("oci_bundle_push", {"src": [""]}, ("src",)),
    ("oci_bundle_push", {"lock_wait": -1}, ("lock_wait", "negative")),
    ("oci_bundle_push", {"channels": ["stabel"]}, ("stabel", "stable")),
    ("oci_bundle_push", {"src": ["{file}.missing"]}, ("src", "{file}.missing")),
    ("mirror_pointers", {"state": "saved"}, ("src", "saved")),
    ("mirror_pointers", {"state": "saved", "src": ["{file}.missing"]}, ("src", "{file}.missing")),
    ("mirror_pointers", {"state": "restored", "path": "{file}.missing"}, ("path", "{file}.missing")),
    ("mirror_pointers", {"state": "restored", "path": "{file}/x"}, ("path", "{file}")),
    ("mirror_pointers", {"state": "restored"}, ("{file}", "mapping")),
    ("mirror_pointers", {"state": "restored", "mode": "rw"}, ("mode", "0600")),
    ("oci_bundle_info", {"src": "{file}.missing"}, ("src", "{file}.missing")),
    ("mirror_check_info", {}, ("plan", "plan_file", "src", "clusters")),
    ("mirror_check_info", {"src": "{file}.missing"}, ("src", "{file}.missing", "host")),
    ("mirror_check_info", {"clusters": [{"name": "x", "version": 1.7}]}, ("clusters[0].version", "quote it")),
    ("mirror_inventory_info", {"dest": "{file}/x.json"}, ("dest", "{file}")),
    ("mirror_inventory_info", {"mode": "rw"}, ("mode", "0600")),
    ("update_plan", {"clusters": CLUSTERS, "chanel": "stable"}, ("chanel", "no such option")),
    ("update_plan", {"clusters": CLUSTERS}, ("platform_releases", "nothing was read of the vendor")),
    ("update_plan", {"platform_releases": OFFER}, ("clusters", "at least one cluster")),
    ("update_plan", {"platform_releases": OFFER, "clusters_from": ["{file}.missing"]}, ("{file}.missing",)),
    ("update_plan", {"platform_releases": OFFER, "clusters_from": ["{file}"]}, ("{file}", "mapping")),
    ("update_plan", {"platform_releases": OFFER, "clusters": [{"name": "prod", "version": 1.68}]}, ("quote it",)),
    ("update_plan", {"platform_releases": OFFER, "clusters": CLUSTERS, "target": "Stable"}, ("did you mean stable?",)),
    ("update_plan", {"platform_releases": OFFER, "clusters": CLUSTERS, "dest": "{file}/x.yml"}, ("{file}",)),
    ("update_plan", {"platform_releases": {"msg": ""}, "clusters": CLUSTERS}, ("platform_releases.channels",)),
    ("update_needs", {"clusters": [*CLUSTERS, {"name": "x", "version": "v1"}]}, ("clusters[1].version", "v1.69.4")),
    ("cluster_facts", {"objects": {"Deployments": []}}, ("objects.Deployments", "write Deployment")),
    ("cluster_facts", {"objects": {}}, ("Deployment d8-system/deckhouse",)),
]
ON_THE_CONTROLLER = ("cluster_facts", "update_needs", "update_plan")


@pytest.fixture(scope="session")
def refused(session_ansible: Ansible, tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, Path]:
    """A run with a task for each of BAD_INPUTS, and the file of its rows.

    Nothing listens at the address, and every row must fail before that matters.
    """
    file = tmp_path_factory.mktemp("bad") / "file"
    file.write_text("here first\n")
    tasks = []
    for number, (module, wrong, _expected) in enumerate(BAD_INPUTS):
        local = module in ("oci_bundle_info", *ON_THE_CONTROLLER)
        options: dict[str, Any] = {} if local else {"images_repo": "127.0.0.1:1/dkp/ee"}
        options |= {"dest": str(file.parent / "bundle")} if module == "oci_bundle_pull" else {}
        options |= {"src": [str(file)]} if module == "oci_bundle_push" else {}
        if module == "mirror_pointers":
            options["path"] = f"{file}.new" if wrong.get("state") == "saved" else str(file)
        options |= {name: _filled(value, file) for name, value in wrong.items()}
        tasks.append(task(str(number), module, **options) | {"ignore_errors": True})
    return session_ansible.play(tasks), file


def _filled(value: Any, file: Path) -> Any:
    if isinstance(value, list):
        return [_filled(item, file) for item in value]
    return value.replace("{file}", str(file)) if isinstance(value, str) else value


@pytest.mark.parametrize(
    "row", range(len(BAD_INPUTS)), ids=lambda row: "-".join((BAD_INPUTS[row][0], *BAD_INPUTS[row][1]))
)
def test_bad_input_is_refused_with_a_reason_before_any_network(refused: tuple[Run, Path], row: int) -> None:
    run, file = refused
    message = run.failure(str(row)).replace(str(file), "{file}")
    for expected in BAD_INPUTS[row][2]:
        assert expected in message
    assert "127.0.0.1:1" not in message, "the network was asked first"
    assert not (file.parent / "bundle").exists(), "a refused pull leaves nothing behind"
