# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What modules return is what their documentation says, whole in the report, and without secrets."""

from __future__ import annotations

import ast
import base64
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import yaml
from ansible_collections.dkp.airgap.tests.kit.playbooks import Ansible, Run, Task, task
from ansible_collections.dkp.airgap.tests.kit.servers import PASSWORD, USERNAME, Server
from ansible_collections.dkp.airgap.tests.kit.vendor import Vendor

MODULES = Path(__file__).parents[2] / "plugins/modules"
SMALL_PULL = {"platform_versions": "=v1.69.0+stable", "modules": ["sdn"], "installer": False}
# Keys that Ansible itself adds or takes.
ANSIBLES = {"changed", "diff", "failed", "invocation", "warnings", "deprecations", "_ansible_no_log"}


def documented(module: str) -> dict[str, Any]:
    for node in ast.parse((MODULES / f"{module}.py").read_text()).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "RETURN":
            return dict(yaml.safe_load(ast.literal_eval(node.value)))
    raise AssertionError(f"{module} has no RETURN")


def journey(source: Vendor, target: Server, directory: Path) -> list[Task]:
    """One task for each module, named for it."""
    address = {"images_repo": f"{target.host}/mirror/ee", "scheme": "http"}
    bundle = str(directory / "bundle")
    return [
        task("release_channel_info", "release_channel_info", platform_versions="~1.69.0", **source.options),
        task("module_releases_info", "module_releases_info", modules=["console@~1.36.0", "typo"], **source.options),
        task("oci_bundle_pull", "oci_bundle_pull", dest=bundle, **source.options, **SMALL_PULL),
        task("oci_bundle_info", "oci_bundle_info", src=bundle, verify="digest", list_images=True),
        task("oci_bundle_push", "oci_bundle_push", src=[bundle], **address),
    ]


def with_report(tasks: list[Task], directory: Path) -> list[Task]:
    return [
        {key: {**value, "report_file": str(directory / f"{one['name']}.json")} if "." in key else value
         for key, value in one.items()}
        for one in tasks
    ]  # fmt: skip


def differences(documentation: Mapping[str, Any], value: Mapping[str, Any], where: str) -> list[str]:
    """Keys that are returned and not documented, or documented for every success and not returned."""
    found = [f"{where}.{key} is not documented" for key in value.keys() - documentation.keys() - ANSIBLES]
    for key, entry in documentation.items():
        always = entry["returned"] == "always" or entry["returned"].startswith("success")
        if key not in value:
            found += [f"{where}.{key} is not returned"] if always else []
            continue
        rows = value[key] if isinstance(value[key], list) else [value[key]]
        kinds: dict[str, Any] = {"dict": dict, "list": list, "str": (str, type(None)), "int": int, "bool": bool}
        if not isinstance(value[key], kinds[entry["type"]]):
            found.append(f"{where}.{key} is {value[key]!r}")
        elif "contains" in entry:
            found += [each for row in rows for each in differences(entry["contains"], row, f"{where}.{key}")]
    return found


def test_results_and_reports_are_what_the_documentation_says(
    ansible: Ansible, source: Vendor, target: Server, tmp_path: Path
) -> None:
    tasks = with_report(journey(source, target, tmp_path), tmp_path)
    run = ansible.play(tasks, "--diff")
    for one in tasks:
        name = one["name"]
        result = run.ok(name)
        assert not differences(documented(name), result, name)
        report = json.loads((tmp_path / f"{name}.json").read_text())
        assert report.items() <= result.items(), "what fits is returned as it is reported"
        assert not run[name].result.get("warnings"), "nothing to warn of"


def test_check_mode_writes_no_report(ansible: Ansible, source: Vendor, tmp_path: Path) -> None:
    tasks = [task("Pull", "oci_bundle_pull", dest=str(tmp_path / "b"), **source.options, **SMALL_PULL)]
    ansible.play(with_report(tasks, tmp_path), "--check").ok("Pull")
    assert {path.name for path in tmp_path.iterdir()} <= {"ansible", "target"}


def test_the_report_may_lie_in_the_bundle(ansible: Ansible, source: Vendor, tmp_path: Path) -> None:
    dest = tmp_path / "bundle"
    options = {**source.options, **SMALL_PULL, "dest": str(dest), "report_file": str(dest / "report.json")}
    run = ansible.play([task("Pull", "oci_bundle_pull", **options), task("Again", "oci_bundle_pull", **options)])
    assert run.ok("Pull")["changed"] and not run.ok("Again")["changed"]
    assert json.loads((dest / "report.json").read_text())["bundle"]["path"] == str(dest)


def test_nothing_selected_leaves_the_bundle_alone(ansible: Ansible, source: Vendor, tmp_path: Path) -> None:
    dest = tmp_path / "bundle"
    nothing = {"platform": False, "modules": [], "security_db": False, "installer": False}
    tasks = [
        task("Nowhere", "oci_bundle_pull", dest=str(tmp_path / "none"), **source.options, **nothing),
        task("Pull", "oci_bundle_pull", dest=str(dest), **source.options, **SMALL_PULL),
        task("Nothing", "oci_bundle_pull", dest=str(dest), **source.options, **nothing),
        task("Look", "oci_bundle_info", src=str(dest), verify="digest"),
    ]
    run = ansible.play(tasks)
    assert not (tmp_path / "none").exists()
    assert not run.ok("Nothing")["changed"] and run.ok("Look")["ok"]
    empty = run.ok("Nothing")["content"]
    assert empty["platform"] == {"versions": [], "channels": {}, "tags": []} and empty["modules"] == {}


def test_blank_options_are_unset_as_surveys_send_them(ansible: Ansible, source: Vendor, tmp_path: Path) -> None:
    blank: dict[str, Any] = dict.fromkeys(
        ["license_token", "auth_file", "ca_path", "client_cert", "client_key", "bandwidth_limit", "report_file"], ""
    )
    selection = dict.fromkeys(["since_version", "release", "chunk_size", "installer_tag", "modules_path"], "")
    tasks = [
        task("Channels", "release_channel_info", **source.options, **blank, channels="", platform_versions=""),
        task("Modules", "module_releases_info", **source.options, **blank, modules=[""]),
        task(
            "Pull",
            "oci_bundle_pull",
            **{**source.options, **blank, **selection, "platform_versions": "=v1.69.0+stable"},
            dest=str(tmp_path / "bundle"),
            modules=[""],
            exclude_modules="",
        ),
    ]
    run = ansible.play(tasks)
    assert len(run.ok("Channels")["channels"]) == 6
    every = {module.name for module in source.tree.shape.modules}
    assert set(run.ok("Modules")["modules"]) == set(run.ok("Pull")["content"]["modules"]) == every


@pytest.mark.parametrize("origin", ["options", "auth_file", "environment"])
def test_no_secret_shows_wherever_it_comes_from(ansible: Ansible, source: Vendor, tmp_path: Path, origin: str) -> None:
    pair = base64.b64encode(f"{USERNAME}:{PASSWORD}".encode()).decode()
    auth_file = tmp_path / "auth.json"
    auth_file.write_text(json.dumps({"auths": {source.server.host: {"auth": pair}}}))
    options = {
        "options": source.options,
        "auth_file": {**source.address, "auth_file": str(auth_file)},
        "environment": source.address,
    }[origin]
    reports = tmp_path / "reports"
    reports.mkdir()
    # An address that repeats the secrets back: what the registry says about it must be masked as well.
    echo = {**options, "images_repo": f"{source.server.host}/{PASSWORD.lower()}/ee"}
    tasks = [
        task("Channels", "release_channel_info", **options),
        task("Pull", "oci_bundle_pull", dest=str(tmp_path / "bundle"), **options, **SMALL_PULL),
        task("Echo", "oci_bundle_pull", dest=str(tmp_path / "other"), **echo, **SMALL_PULL) | {"ignore_errors": True},
    ]
    environment = {"REGISTRY_AUTH_FILE": str(auth_file)} if origin == "environment" else {}
    run = ansible.play(with_report(tasks, reports), "-vvv", "--diff", environment=environment)
    run.ok("Channels")
    run.ok("Pull")
    run.failure("Echo")
    written = [path for path in [*reports.rglob("*"), *(tmp_path / "bundle").glob("*.json")] if path.is_file()]
    written += [path for path in ansible.home.rglob("*") if path.is_file() and path.suffix != ".py"]
    for secret in (PASSWORD, pair, quote(PASSWORD, safe=""), quote(pair, safe="")):
        assert secret not in told(run), f"{secret} was printed"
        assert not [path for path in written if secret.encode() in path.read_bytes()]


def told(run: Run) -> str:
    """All that was printed and returned."""
    return run.output + json.dumps({name: dict(found.result) for name, found in run.tasks.items()})


def test_secrets_that_spoil_results_draw_a_warning(ansible: Ansible, tmp_path: Path) -> None:
    part = "mirror-dkp"
    (tmp_path / "empty").mkdir()
    options = {"images_repo": f"127.0.0.1:1/{part}/ee", "src": [str(tmp_path / "empty")]}
    tasks = [
        task("Short", "oci_bundle_push", license_token="q7f", **options),
        task("Part", "oci_bundle_push", license_token=part, **options),
    ]
    run = ansible.play([one | {"ignore_errors": True} for one in tasks])
    assert any("8 characters" in str(warning) for warning in run["Short"].result["warnings"])
    assert any("images_repo" in str(warning) for warning in run["Part"].result["warnings"])
    assert "q7f" not in told(run)


def test_info_of_a_bundle_without_delivery_reads_the_archives(ansible: Ansible, source: Vendor, tmp_path: Path) -> None:
    dest = tmp_path / "bundle"
    chunked = {"chunk_size": "1MB", **source.options}
    tasks = [
        task("Pull", "oci_bundle_pull", dest=str(dest), modules=["console@>=1.35.0", "sdn"], **chunked),
        task("Delivered", "oci_bundle_info", src=str(dest), list_images=True),
        {"name": "As d8", "ansible.builtin.file": {"path": str(dest / "delivery.json"), "state": "absent"}},
        task("Read", "oci_bundle_info", src=str(dest), verify="digest", list_images=True),
        task("One", "oci_bundle_info", src=str(dest / "module-sdn.tar.0000.chunk")),
    ]
    run = ansible.play(tasks)
    delivered, read, one = run.ok("Delivered"), run.ok("Read"), run.ok("One")
    assert read["ok"] and read["content"] == delivered["content"]
    by_name = [(image["repository"], image["tag"]) for image in delivered["image_list"]]
    assert sorted(read["image_list"], key=str) == sorted(delivered["image_list"], key=str) and by_name
    for row in delivered["archives"]:
        for part in row["parts"]:
            part["sha256"] = None
    assert read["archives"] == delivered["archives"]
    assert list(one["content"]["modules"]) == ["sdn"] and not one["content"]["platform"]["versions"]


def test_info_names_every_damaged_archive(ansible: Ansible, source: Vendor, tmp_path: Path) -> None:
    dest = tmp_path / "bundle"
    ansible.play([task("Pull", "oci_bundle_pull", dest=str(dest), **source.options)]).ok("Pull")
    (dest / "module-sdn.tar").unlink()
    with (dest / "security.tar").open("r+b") as file:
        file.truncate(5000)
    flipped = (dest / "module-console.tar").read_bytes()
    place = flipped.index(b"\x1f\x8b") + 40
    (dest / "module-console.tar").write_bytes(flipped[:place] + bytes([flipped[place] ^ 1]) + flipped[place + 1 :])
    tasks = [
        task("Size", "oci_bundle_info", src=str(dest)),
        task("Digest", "oci_bundle_info", src=str(dest), verify="digest"),
        {"name": "As d8", "ansible.builtin.file": {"path": str(dest / "delivery.json"), "state": "absent"}},
        task("Undescribed", "oci_bundle_info", src=str(dest), verify="digest"),
    ]
    run = ansible.play(tasks)
    subjects = {
        name: {finding["subject"] for finding in run.ok(name)["findings"]} for name in run.tasks if name != "As d8"
    }
    assert subjects["Size"] == {"module-sdn.tar", "security.tar"}
    assert subjects["Digest"] == {"module-sdn.tar", "security.tar", "module-console.tar"}
    assert subjects["Undescribed"] == {"security.tar", "module-console.tar"}
    assert not any(run.ok(name)["ok"] for name in subjects)
    assert run.ok("Undescribed")["content"]["platform"]["channels"], "what is sound is still told"
