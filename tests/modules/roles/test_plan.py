# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The roles plan and pull against a real registry: what is planned, judged, shown, carried, and asked for."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.dkp.airgap.tests.kit.playbooks import Ansible, Run, Task, task
from ansible_collections.dkp.airgap.tests.kit.servers import PASSWORD, USERNAME
from ansible_collections.dkp.airgap.tests.kit.shape import SMALL
from ansible_collections.dkp.airgap.tests.kit.storage import stored
from ansible_collections.dkp.airgap.tests.kit.vendor import Vendor, any_server

TABLE = "dkp.airgap.plan : Source | Show the plan"
REFUSED = "dkp.airgap.plan : Refused | Name what stands against the plan"
SIZES = "dkp.airgap.plan : Sizes | Ask what a pull would fetch"
PULL = "dkp.airgap.pull : Pull what the plan or the selectors say"

PROD: dict[str, Any] = {
    "name": "prod",
    "edition": "EE",
    "version": "v1.67.1",
    "channel": "stable",
    "kubernetes_version": "1.31.6",
    "kubelet_min": "1.31.6",
    "kubernetes": {"version": "1.31"},
    "nodes": {},
    "modules": {"console": {"version": "v1.34.0", "channel": "stable", "source": "deckhouse"}},
}
CONTENT: dict[str, Any] = {
    "platform": {"versions": ["v1.68.4", "v1.69.0"], "channels": {"stable": "v1.69.0"}, "tags": []},
    "modules": {"console": {"versions": ["v1.35.4", "v1.36.2"], "channels": {"stable": "v1.36.2"}}},
    "packages": {},
    "plugins": {},
    "security_db": {"trivy-bdu": ["1"], "trivy-checks": ["0"], "trivy-db": ["2"], "trivy-java-db": ["1"]},
    "installer": [],
}
# Every release refuses a cluster that uses this module (disabledModules).
DELIVERY = {"delivery": {"embedded": True}}


def role(name: str, vendor: Vendor, **options: Any) -> Task:
    """A task that runs the role `name` of this collection; its registry options lead to `vendor`."""
    return {
        "name": f"Role {name}",
        "ansible.builtin.include_role": {"name": f"dkp.airgap.{name}"},
        "vars": {f"{name}_{key}": value for key, value in {**vendor.options, **options}.items()},
    }


def keep(fact: str) -> Task:
    return {"name": f"Show {fact}", "ansible.builtin.debug": {"msg": "{{ " + fact + " }}"}}


def request(path: Path, cluster: dict[str, Any], **fields: Any) -> str:
    """Write a request by hand; returns its path."""
    path.write_text(yaml.safe_dump({"kind": "UpdateRequest", "version": 1, "cluster": cluster, **fields}))
    return str(path)


def read(path: Path) -> Any:
    return yaml.safe_load(path.read_text())


def carried(document: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in document["content"].items() if key != "pins"}


def table(run: Run) -> str:
    return "\n".join(run.ok(TABLE)["msg"])


@pytest.fixture
def plan(tmp_path: Path) -> Path:
    return tmp_path / "plan.yml"


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    return tmp_path / "bundle"


@pytest.fixture
def vendor_of_se(tmp_path: Path) -> Iterator[Vendor]:
    """The vendor's registry of another edition."""
    tree = stored(replace(SMALL, edition="se", security=False), tmp_path / "se")
    with any_server(tmp_path / "se", htpasswd=True) as server:
        yield Vendor(server, tree)


def test_a_bundle_holds_exactly_what_was_planned_and_nothing_happens_twice(
    ansible: Ansible, source: Vendor, plan: Path, bundle: Path
) -> None:
    tasks = [
        role("plan", source, clusters=[PROD], file=str(plan)),
        keep("plan_result"),
        keep("plan_sizes_result"),
        role("pull", source, plan_file=str(plan), bundle_dir=str(bundle)),
        task("Look", "oci_bundle_info", src=str(bundle), verify="digest"),
    ]
    run = ansible.play(tasks)
    assert run.code == 0, run.output
    made, held = read(plan), run.ok("Look")
    assert made == run.ok("Show plan_result")["msg"]
    assert made["ok"] and carried(made) == CONTENT and plan.stat().st_mode & 0o777 == 0o600
    assert held["ok"] and held["content"] == made["content"]
    assert json.loads((bundle / "delivery.json").read_text())["plan"] == made
    sizes = run.ok("Show plan_sizes_result")["msg"]
    assert sizes == run.ok(PULL)["sizes"]
    shown = table(run)
    assert "platform  v1.67.1 -> v1.68.4 (" in shown and "console   v1.34.0 -> v1.35.4 (" in shown
    assert "The plan can be carried out" in shown
    written = plan.read_bytes(), plan.stat().st_mtime_ns
    again = ansible.play(tasks)
    assert again.code == 0 and "changed=0" in again.output
    assert (plan.read_bytes(), plan.stat().st_mtime_ns) == written


def test_check_mode_reads_everything_and_writes_nothing(
    ansible: Ansible, source: Vendor, plan: Path, bundle: Path
) -> None:
    tasks = [
        role("plan", source, clusters=[PROD], file=str(plan), bundle_dir=str(bundle)),
        role("pull", source, plan="{{ plan_result }}", plan_file=str(plan), bundle_dir=str(bundle)),
    ]
    run = ansible.play(tasks, "--check")
    assert run.code == 0, run.output
    assert not plan.exists() and not bundle.exists()
    assert carried(dict(run.ok(PULL))) == CONTENT and run.ok(PULL)["changed"]
    assert "To download" in table(run)


def requests_of(source: Vendor, *, since: int) -> dict[str, list[str]]:
    """What was asked for and answered since then: manifests, lists of tags, blobs."""
    targets = [each.target for each in source.server.accesses()[since:] if each.status != 401]
    kinds = ("/manifests/", "/tags/list", "/blobs/")
    assert all(any(kind in target for kind in kinds) for target in targets), targets
    return {kind: [target for target in targets if kind in target] for kind in kinds}


def test_a_verdict_costs_few_requests_and_sizes_one_for_each_manifest(
    ansible: Ansible, source: Vendor, target_python: str, tmp_path: Path, bundle: Path
) -> None:
    steps, channels = 4, 2  # two of the platform and two of console; stable of each
    before = len(source.server.accesses())
    ansible.play([role("plan", source, clusters=[PROD], sizes=False)])
    verdict = requests_of(source, since=before)
    lists = verdict.pop("/tags/list")
    assert sum(map(len, verdict.values())) <= 2 * (steps + channels), verdict
    # The releases, the catalogue of modules, and console.
    assert len(lists) == len(set(lists)) == 3
    # On a host that knows nothing yet.
    other = Ansible(tmp_path / "other", python=target_python)
    before = len(source.server.accesses())
    run = other.play([role("plan", source, clusters=[PROD]), keep("plan_result")])
    sized = requests_of(source, since=before)
    pulled = other.play(
        [role("pull", source, plan="{{ given }}", bundle_dir=str(bundle))],
        "-e",
        json.dumps({"given": run.ok("Show plan_result")["msg"]}),
    )
    more = {kind: len(sized[kind]) - len(verdict.get(kind, lists)) for kind in sized}
    assert more["/manifests/"] == pulled.ok(PULL)["bundle"]["images"]
    # Lists of components lie in the install images, and in the images of modules below their topmost layer.
    assert more["/blobs/"] <= 2 * steps
    # Attestations are looked for among the tags of the root and of console.
    assert more["/tags/list"] == 2


def test_what_a_cluster_would_not_take_is_named_before_anything_is_downloaded(
    ansible: Ansible, source: Vendor, plan: Path, bundle: Path
) -> None:
    cluster = {**PROD, "modules": {**PROD["modules"], **DELIVERY}}
    options: dict[str, Any] = {"clusters": [cluster], "file": str(plan)}
    run = ansible.play([role("plan", source, **options)])
    assert run.code != 0
    told = run.failure(REFUSED)
    assert "P10 v1.68.4 (cluster prod)" in told and "delivery" in told and "accept these findings: P10" in told
    assert "ERROR P10 [v1.68.4]" in table(run) and "Sizes are not known: the plan cannot be carried out" in table(run)
    assert read(plan)["ok"] is False
    tasks = [
        role("plan", source, **options, accept_findings=["P10"]),
        role("pull", source, plan_file=str(plan), bundle_dir=str(bundle), accept_findings=["P10"]),
    ]
    accepted = ansible.play(tasks)
    assert accepted.code == 0 and "To download" in table(accepted), accepted.output
    assert any(finding["id"] == "P10" for finding in accepted.ok(PULL)["findings"])
    refused = ansible.play([role("pull", source, plan_file=str(plan), bundle_dir=f"{bundle}-other")])
    assert "P10" in refused.failure(PULL) and not Path(f"{bundle}-other").exists()


def test_an_image_that_is_missing_stops_the_run_and_hides_no_plan(ansible: Ansible, tmp_path: Path) -> None:
    tree = stored(replace(SMALL, missing=frozenset({"install:v1.68.4"})), tmp_path / "broken")
    with any_server(tmp_path / "broken", htpasswd=True) as server:
        options: dict[str, Any] = {"clusters": [PROD], "accept_findings": ["P5"]}
        run = ansible.play([role("plan", Vendor(server, tree), **options)])
    assert run.code != 0 and "install:v1.68.4" in run.failure(SIZES)
    assert "v1.67.1 -> v1.68.4 -> v1.69.0, channel stable" in table(run)


def test_a_fleet_gets_one_plan_with_each_image_once(
    ansible: Ansible, source: Vendor, plan: Path, tmp_path: Path
) -> None:
    late = {**PROD, "name": "late", "version": "v1.66.3", "modules": {}}
    refused = {**PROD, "name": "refused", "version": "v1.65.0", "modules": DELIVERY}
    ahead = {**PROD, "name": "ahead", "version": "v1.68.4", "channel": "early-access"}
    requests = [request(tmp_path / "late.yml", late), request(tmp_path / "ahead.yml", ahead)]
    options = {"clusters": [PROD, refused], "clusters_from": requests, "leave_out_refused": True}
    run = ansible.play([role("plan", source, **options, file=str(plan)), keep("plan_left_out")])
    assert run.code == 0 and "refused is left out of the plan" in table(run), run.output
    assert run.ok("Show plan_left_out")["msg"]["refused"][0]["id"] == "P10"
    made = read(plan)
    assert {name: each["platform"]["steps"] for name, each in made["clusters"].items()} == {
        "ahead": ["v1.69.2", "v1.70.0"],
        "late": ["v1.67.1", "v1.68.4", "v1.69.0"],
        "prod": ["v1.68.4", "v1.69.0"],
    }
    platform = made["content"]["platform"]
    assert platform["versions"] == ["v1.67.1", "v1.68.4", "v1.69.0", "v1.69.2", "v1.70.0"]
    assert platform["channels"] == {"early-access": "v1.70.0", "stable": "v1.69.0"}


def test_two_clusters_that_need_two_versions_on_one_channel(
    ansible: Ansible, source: Vendor, plan: Path, tmp_path: Path
) -> None:
    wishes = {"target": "v1.68.4"}
    slow = request(tmp_path / "slow.yml", {**PROD, "name": "slow"}, wishes=wishes)
    run = ansible.play([role("plan", source, clusters=[PROD], clusters_from=[slow], file=str(plan))])
    assert "F1 stable" in run.failure(REFUSED) and "ERROR F1" in table(run)
    one = {"prod": "v1.68.4"}
    together = ansible.play([role("plan", source, clusters=[PROD], clusters_from=[slow], target=one)])
    assert together.code == 0, together.output


def test_each_edition_gets_a_plan_from_its_own_source(
    ansible: Ansible, source: Vendor, vendor_of_se: Vendor, plan: Path, tmp_path: Path
) -> None:
    branch = request(tmp_path / "branch.yml", {**PROD, "name": "branch", "edition": "SE", "version": "v1.68.0"})
    options: dict[str, Any] = {"clusters": [PROD], "clusters_from": [branch], "file": str(plan)}
    alone = ansible.play([role("plan", source, **options)])
    assert "F2 branch" in alone.failure(REFUSED)
    assert list(read(plan)["content"]["platform"]["versions"]) == CONTENT["platform"]["versions"]
    repos = {"SE": vendor_of_se.address["images_repo"]}
    targets = {"branch": "v1.68.4", "prod": "stable"}
    tasks = [role("plan", source, **options, images_repos=repos, target=targets), keep("plan_results")]
    run = ansible.play(tasks)
    assert run.code == 0, run.output
    mine, theirs = read(plan), read(tmp_path / "plan-se.yml")
    assert list(mine["clusters"]) == ["prod"] and carried(mine) == CONTENT
    assert list(theirs["clusters"]) == ["branch"] and theirs["source"]["edition"] == "SE"
    assert theirs["content"]["platform"]["versions"] == ["v1.68.4"] and not theirs["content"]["security_db"]
    results = run.ok("Show plan_results")["msg"]
    assert {edition: each["file"] for edition, each in results.items()} == {
        "EE": str(plan),
        "SE": str(tmp_path / "plan-se.yml"),
    }
    assert set(results["SE"]["sizes"]["platform"]) == {"v1.68.4"}
    typo = ansible.play([role("plan", source, **options, images_repos=repos, target={"brunch": "stable"})])
    assert "did you mean branch" in typo.output or "brunch" in typo.output


def test_blanks_of_a_survey_are_unset(ansible: Ansible, source: Vendor, bundle: Path) -> None:
    blanks = dict.fromkeys(
        ["target", "inventory", "modules", "file", "bundle_dir", "license_token", "auth_file", "ca_path"], ""
    )
    more = dict.fromkeys(["client_cert", "client_key", "bandwidth_limit"], "")
    lists: dict[str, Any] = {"exclude_modules": [""], "accept_findings": [""], "images_repos": {}}
    selectors = ["platform", "platform_versions", "since_version", "release", "ignore_suspend", "security_db"]
    unset = dict.fromkeys([*selectors, "installer", "installer_tag", "chunk_size", "report_file", "plan_file"], "")
    tasks = [
        role("plan", source, clusters=[PROD], **blanks, **more, **lists),
        keep("plan_result"),
        role("pull", source, bundle_dir=str(bundle), plan="{{ plan_result }}", **unset, modules="", **more),
    ]
    run = ansible.play(tasks, "--check")
    assert run.code == 0, run.output
    assert carried(run.ok("Show plan_result")["msg"]) == CONTENT
    assert carried(dict(run.ok(PULL))) == CONTENT


def test_nothing_to_carry_is_a_plan_too(ansible: Ansible, source: Vendor, plan: Path, bundle: Path) -> None:
    there = {**PROD, "version": "v1.69.0", "modules": {}}
    tasks = [
        role("plan", source, clusters=[there], file=str(plan)),
        role("pull", source, plan_file=str(plan), bundle_dir=str(bundle)),
    ]
    run = ansible.play(tasks)
    assert run.code == 0 and "changed=0" in run.output, run.output
    assert "nothing to do" in table(run) and "Sizes are not known: there is nothing to carry" in table(run)
    assert not bundle.exists()


def test_a_pull_without_a_plan_takes_what_selectors_say(
    ansible: Ansible, source: Vendor, plan: Path, bundle: Path
) -> None:
    choice: dict[str, Any] = {"platform_versions": "=v1.68.4+stable", "modules": [], "security_db": False}
    plan.write_text("")
    tasks = [
        role("pull", source, bundle_dir=str(bundle), installer=False, **choice),
        keep("pull_result"),
        role("pull", source, bundle_dir=f"{bundle}-other", plan_file=str(plan)),
    ]
    run = ansible.play(tasks)
    made = run.ok("Show pull_result")["msg"]
    assert made["content"]["platform"]["versions"] == ["v1.68.4"]
    assert not made["content"]["modules"] and not made["content"]["security_db"] and made["changed"]
    assert "this is no plan" in run.failure(PULL) and not Path(f"{bundle}-other").exists()


def test_secrets_are_not_shown(ansible: Ansible, source: Vendor, plan: Path, bundle: Path) -> None:
    pair = base64.b64encode(f"{USERNAME}:{PASSWORD}".encode()).decode()
    licence = "licence-of-nobody-at-all"
    by_licence = {**source.address, "username": "", "password": "", "license_token": licence}
    tasks = [
        role("plan", source, clusters=[PROD], file=str(plan)),
        role("pull", source, plan_file=str(plan), bundle_dir=str(bundle)),
        role("plan", source, clusters=[PROD], **by_licence),
    ]
    run = ansible.play(tasks, "-vvv")
    assert run.code != 0 and run.ok(PULL)["changed"]
    told = run.output + json.dumps({name: dict(each.result) for name, each in run.tasks.items()})
    written = plan.read_text() + (bundle / "delivery.json").read_text()
    for secret in (PASSWORD, pair, licence, base64.b64encode(f"license-token:{licence}".encode()).decode()):
        assert secret not in told + written
