# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Clusters of the kit without a server: they fit the vendor's trees, and the webhook judges as Deckhouse's does."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.dkp.airgap.plugins.module_utils._dkp.version import parse_version
from ansible_collections.dkp.airgap.tests.kit import cluster_objects, clusters, programs
from ansible_collections.dkp.airgap.tests.kit.cluster import KubeServer
from ansible_collections.dkp.airgap.tests.kit.kube_client import KubeObject
from ansible_collections.dkp.airgap.tests.kit.programs import MissingProgram
from ansible_collections.dkp.airgap.tests.kit.shape import DEMO, SMALL, TreeShape
from ansible_collections.dkp.airgap.tests.kit.webhook import ReleaseWebhook

FOR_SMALL = {"version": "v1.68.0", "next_version": "v1.69.0"}
EVERY: dict[str, Callable[[], list[KubeObject]]] = {
    "manual_ee": clusters.manual_ee,
    "old_generation": clusters.old_generation,
    "direct": clusters.direct_mode,
    "local": lambda: clusters.direct_mode(mode="Local"),
    "cse_lts": clusters.cse_lts,
    "fresh": clusters.fresh,
    "updating": clusters.updating,
}


def of_kind(objects: list[KubeObject], kind: str) -> list[KubeObject]:
    return [one for one in objects if one["kind"] == kind]


@pytest.mark.parametrize("scenario", EVERY)
def test_no_object_is_there_twice(scenario: str) -> None:
    objects = EVERY[scenario]()
    names = [(one["kind"], one["metadata"].get("namespace"), one["metadata"]["name"]) for one in objects]
    assert len(names) == len(set(names))
    assert json.loads(json.dumps(objects)) == objects, "only what the API takes"


@pytest.mark.parametrize(("shape", "options"), [(DEMO, {}), (SMALL, FOR_SMALL)], ids=["DEMO", "SMALL"])
def test_the_vendors_tree_has_updates_for_the_cluster(shape: TreeShape, options: dict[str, str]) -> None:
    objects = clusters.manual_ee(**options)
    deployed, pending = (
        next(one["spec"]["version"] for one in of_kind(objects, "DeckhouseRelease") if one["status"]["phase"] == phase)
        for phase in ("Deployed", "Pending")
    )
    assert {deployed, pending} <= set(shape.versions)
    assert parse_version(deployed) < parse_version(offered(shape, "stable"))
    running = {one["metadata"]["name"]: one["properties"]["version"] for one in of_kind(objects, "Module")}
    for module in shape.modules:
        channel = "rock-solid" if module.name == "operator-trivy" else "stable"
        assert parse_version(running[module.name]) < parse_version(offered(module, channel))


def offered(shape: Any, channel: str) -> str:
    return next(str(one.version) for one in shape.channels if one.name == channel)


@pytest.mark.parametrize(
    ("repo", "address", "path"),
    [
        ("registry.example/dkp/ee", "registry.example", "/dkp/ee"),
        ("127.0.0.1:5000/mirror", "127.0.0.1:5000", "/mirror"),
        ("registry.example", "registry.example", None),
    ],
)
def test_the_registry_secret_has_the_parts_of_the_address(repo: str, address: str, path: str | None) -> None:
    made = cluster_objects.registry_secret(repo, username="puller", password="correct-horse")
    values = {key: base64.b64decode(value).decode() for key, value in made["data"].items()}
    assert (values["address"], values.get("path"), values["imagesRegistry"]) == (address, path, repo)
    auth = json.loads(values[".dockerconfigjson"])["auths"][address]["auth"]
    assert base64.b64decode(auth) == b"puller:correct-horse"


# what was, what shall be, whether that is a transition to approved
TRANSITIONS = [
    (None, {"approved": True}, True),
    ({"approved": False}, {"approved": True}, True),
    ({}, {"annotations": {"release.deckhouse.io/approved": "true"}}, True),
    ({"approved": True}, {"approved": True}, False),
    ({"annotations": {"release.deckhouse.io/approved": "true"}}, {"approved": True}, False),
    ({}, {"annotations": {"release.deckhouse.io/approved": "false"}}, False),
    (None, {}, False),
]


@pytest.mark.parametrize(("before", "after", "refused"), TRANSITIONS)
def test_the_webhook_refuses_only_new_approvals(
    tmp_path: Path, before: dict[str, Any] | None, after: dict[str, Any], refused: bool
) -> None:
    def release(told: dict[str, Any]) -> KubeObject:
        made = cluster_objects.release("v1.69.7", phase="Pending", approved=told.get("approved", False))
        made["metadata"]["annotations"].update(told.get("annotations", {}))
        return made

    try:
        webhook = ReleaseWebhook(tmp_path, unmet=lambda requirements: [f"k8s is below {requirements['k8s']}"])
    except MissingProgram as missing:
        pytest.skip(str(missing))
    request = {"uid": "1", "object": release(after), "oldObject": None if before is None else release(before)}
    answer = webhook.judge({"apiVersion": "v1", "kind": "AdmissionReview", "request": request})["response"]
    webhook.stop()
    assert answer["allowed"] is not refused
    if refused:
        expected = 'cannot approve DeckhouseRelease "v1.69.7": requirements not met: k8s is below 1.28'
        assert answer["status"]["message"] == expected


def test_a_server_that_is_not_built_says_how_to_build_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DKP_TEST_KUBE", str(tmp_path / "absent"))
    with pytest.raises(MissingProgram, match=r"not built yet: .*programs\.py"):
        KubeServer()
    with pytest.raises(MissingProgram):
        programs.find_kubectl()
