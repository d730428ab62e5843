# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The states of a rollout (dkp-cluster.md §10.4) and what makes a step done (§10.3), on whole observations."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.dkp.airgap.plugins.module_utils._dkp.cluster.reading import cluster_facts
from ansible_collections.dkp.airgap.plugins.module_utils._dkp.fields import plain
from ansible_collections.dkp.airgap.plugins.module_utils._dkp.rollout import observation as observing
from ansible_collections.dkp.airgap.plugins.module_utils._dkp.rollout.observation import Observation, look
from ansible_collections.dkp.airgap.plugins.module_utils._dkp.rollout.queue import Queue, parse_queue
from ansible_collections.dkp.airgap.plugins.module_utils._dkp.rollout.report import cluster_result
from ansible_collections.dkp.airgap.plugins.module_utils._dkp.rollout.states import (
    module_state,
    platform_next,
    platform_rest,
    saying,
)
from ansible_collections.dkp.airgap.plugins.module_utils._dkp.version import Version, require_version
from ansible_collections.dkp.airgap.tests.kit import cluster_objects as objects
from ansible_collections.dkp.airgap.tests.kit import clusters, module_objects
from ansible_collections.dkp.airgap.tests.kit.cluster_objects import WAITS_FOR_APPROVAL
from ansible_collections.dkp.airgap.tests.kit.kube_client import KubeObject
from ansible_collections.dkp.airgap.tests.kit.module_objects import MODULE_WAITS_FOR_APPROVAL

RUNNING = "v1.68.0"


def version(text: str) -> Version:
    return require_version(text, where="test")


def seen(*more: KubeObject, queue: Queue | None = None, without: str = "", **platform: Any) -> Observation:
    """A cluster at v1.68.0 with the module console v1.35.1 and `more`; `platform` are settings of `Platform`."""
    found = clusters.Platform(RUNNING, **platform)
    base = [
        *found.objects(),
        *found.embedded("prometheus"),
        objects.release(RUNNING, phase="Deployed", approved=True),
    ]
    by_key = {(one["kind"], one["metadata"]["name"]): one for one in (*base, *more)}
    by_kind: dict[str, list[KubeObject]] = {}
    for (kind, _name), one in by_key.items():
        by_kind.setdefault(kind, []).append(one)
    by_kind.pop(without, None)
    return look(by_kind, name="prod", queue=queue)


def console(
    *releases: tuple[str, str, str], phase: str = "Ready", shown: str = "v1.35.1", **more: Any
) -> list[KubeObject]:
    """The module console with `releases`: version, phase, message."""
    made = [
        module_objects.module_release("console", number, phase=state, message=message)
        for number, state, message in releases
    ]
    return [
        module_objects.module_config("console"),
        module_objects.module("console", source="deckhouse", version=shown, phase=phase, **more),
        *made,
    ]


CONSOLE = ("v1.35.1", "Deployed", "")


@pytest.mark.parametrize(
    ("message", "approved", "state"),
    [
        ("", False, "pending"),
        ("", True, "approved"),
        ("something nobody has heard of", False, "pending"),
        (WAITS_FOR_APPROVAL, False, "waiting-approval"),
        (WAITS_FOR_APPROVAL, True, "approved"),
        (MODULE_WAITS_FOR_APPROVAL, False, "waiting-approval"),
        ("Release is waiting for the update window until 02 Mar 26 20:00 UTC", False, "waiting-window"),
        ("Release is waiting for the update window, " + WAITS_FOR_APPROVAL[11:], False, "waiting-approval"),
        ("Release is waiting for the update window, " + WAITS_FOR_APPROVAL[11:], True, "waiting-window"),
        ("Release is postponed until 02 Mar 26 20:00 UTC", False, "canary"),
        ("Release is postponed by canary process until 02 Mar 26 20:00 UTC", False, "canary"),
        ("Release is postponed by notification until 02 Mar 26 20:00 UTC", False, "notification"),
        ("Release is blocked, failed to send release notification: no route", False, "notification"),
        ('"k8s" requirement for DeckhouseRelease "v1.69.0" not met: too old', False, "blocked-requirements"),
        ("requirements of console are not satisfied: deckhouse version is not suitable", False, "blocked-requirements"),
        ('release blocked, disruption approval required: "ingressNginx"', False, "blocked-disruption"),
        ("awaiting for Deckhouse v1.68.0 pod to be ready", False, "waiting-pod"),
        ("awaiting for module v1.35.1 to be ready", False, "waiting-pod"),
        ("awaiting for v1.68.4 release to be deployed", False, "waiting-order"),
        ("minor version is greater than deployed v1.68.0 by one", False, "gap"),
        ("major version is greater than deployed v1.68.0", False, "gap"),
        ("minor version differs from deployed v1.62.0 by more than the LTS channel accepts", False, "gap"),
        ("Release is blocked, failed to send release notification: context deadline exceeded", False, "notification"),
        ("Release is postponed by notification, " + WAITS_FOR_APPROVAL[11:], False, "waiting-approval"),
        ("Update policy slow not found", False, "blocked-policy"),
        ("Update policy not set. Create a suitable ModuleUpdatePolicy object", False, "blocked-policy"),
        ("Release is suspended", False, "suspended"),
    ],
)
def test_what_the_cluster_says_is_a_state(message: str, approved: bool, state: str) -> None:
    assert saying(message, approved=approved) == state


@pytest.mark.parametrize(
    ("releases", "state", "release", "reasons"),
    [
        ([], "waiting-for-discovery", "", ()),
        ([("v1.69.0", "Pending", WAITS_FOR_APPROVAL)], "waiting-approval", "v1.69.0", ()),
        # The lowest step first, and of one minor the highest patch.
        ([("v1.68.4", "Pending", WAITS_FOR_APPROVAL), ("v1.69.0", "Pending", "")], "waiting-approval", "v1.68.4", ()),
        ([("v1.69.0", "Pending", ""), ("v1.69.2", "Pending", WAITS_FOR_APPROVAL)], "waiting-approval", "v1.69.2", ()),
        ([("v1.69.0", "Suspended", ""), ("v1.69.2", "Pending", "")], "pending", "v1.69.2", ()),
        ([("v1.69.0", "Suspended", "Release is suspended")], "suspended", "v1.69.0", ()),
        # What holds a later minor back is told, not that it is held back.
        ([("v1.69.0", "Suspended", ""), ("v1.70.0", "Pending", "greater than deployed")], "suspended", "v1.69.0", ()),
        (
            [("v1.71.0", "Pending", "minor version is greater than deployed v1.68.0 by one")],
            "gap",
            "v1.71.0",
            ("v1.69", "v1.70"),
        ),
        ([("v1.67.9", "Pending", WAITS_FOR_APPROVAL)], "waiting-for-discovery", "", ()),
        ([("v1.69.0", "Skipped", ""), ("v1.69.2", "", "")], "pending", "v1.69.2", ()),
        ([("v1.70.0", "Pending", "awaiting for v1.69.0 release to be deployed")], "waiting-order", "v1.70.0", ()),
        ([("v1.72.0", "Pending", WAITS_FOR_APPROVAL)], "beyond-plan", "v1.72.0", ()),
        ([("v1.71.4", "Pending", WAITS_FOR_APPROVAL)], "waiting-approval", "v1.71.4", ()),
    ],
)
def test_what_comes_next_of_the_platform(
    releases: list[tuple[str, str, str]], state: str, release: str, reasons: tuple[str, ...]
) -> None:
    made = [objects.release(number, phase=phase, message=message) for number, phase, message in releases]
    found = platform_next(seen(*made), version("v1.71.0"))
    assert (found.name, found.release, found.reasons) == (state, release, reasons)


def test_until_when_a_release_waits_is_in_its_words_or_in_its_field() -> None:
    told = "Release is waiting for the update window until 02 Mar 26 20:00 UTC, and that is that"
    assert (
        platform_next(seen(objects.release("v1.69.0", phase="Pending", message=told)), None).until
        == "02 Mar 26 20:00 UTC"
    )
    made = objects.release(
        "v1.69.0", phase="Pending", message="Release is postponed", apply_after="2026-03-02T20:00:00Z"
    )
    assert platform_next(seen(made), None).until == "2026-03-02T20:00:00Z"


def deployment(**changes: Any) -> KubeObject:
    made = objects.deployment(version=RUNNING, edition="EE", images_repo="registry.example/dkp/ee")
    made["status"].update(changes.pop("status", {}))
    made["spec"].update(changes.pop("spec", {}))
    made["metadata"].update(changes)
    return made


def critical(phase: str) -> KubeObject:
    return module_objects.module("prometheus", version=RUNNING, phase=phase, critical=True)


def unpulled(namespace: str, reason: str = "ImagePullBackOff") -> KubeObject:
    return objects.pod("some-1", image="registry.example/dkp/ee@sha256:ab", namespace=namespace, waiting=reason)


def namespace(name: str, **labels: str) -> KubeObject:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}


@pytest.mark.parametrize(
    ("more", "queue", "state", "reason"),
    [
        ([], None, "done", ""),
        ([], Queue(0, 5), "done", ""),
        ([], Queue(3, 5), "converging", "3 tasks in the main queue"),
        ([objects.release(RUNNING, phase="Deployed", isUpdating="true")], None, "switching", "isUpdating"),
        ([objects.release("v1.69.0", phase="Deployed")], None, "switching", "that of v1.68.0"),
        (
            [
                objects.deployment(version=RUNNING, edition="EE", images_repo="r.example/ee", image_version="v1.69.0"),
                objects.release("v1.69.0", phase="Deployed"),
            ],
            None,
            "switching",
            "0 ready",
        ),
        (
            [
                objects.deployment(version=RUNNING, edition="EE", images_repo="r.example/ee", image_version="v1.69.0")
                | {"status": {"updatedReplicas": 1, "readyReplicas": 1}},
                objects.release("v1.69.0", phase="Deployed"),
            ],
            None,
            "converging",
            "what is reconciled is v1.68.0",
        ),
        ([deployment(status={"readyReplicas": 0})], None, "switching", "of 1 pods"),
        (
            [deployment(spec={"replicas": 3}, status={"updatedReplicas": 3, "readyReplicas": 2})],
            None,
            "switching",
            "2 ready",
        ),
        ([deployment(generation=7, status={"observedGeneration": 6})], None, "switching", "a moment ago"),
        ([deployment(generation=7, status={"observedGeneration": 7})], None, "done", ""),
        ([critical("Reconciling")], None, "converging", "module prometheus is Reconciling"),
        ([module_objects.module("prometheus", version=RUNNING, phase="Reconciling")], None, "done", ""),
        (
            [module_objects.module("prometheus", version=RUNNING, phase="Error")],
            None,
            "module-error",
            "prometheus is in phase Error",
        ),
        ([module_objects.module("prometheus", version=RUNNING, phase="Error", enabled=False)], None, "done", ""),
        ([module_objects.module("prometheus", version=RUNNING, phase="Error")], Queue(1, 1), "converging", "1 tasks"),
        (console(CONSOLE, phase="Conflict"), None, "module-error", "module console is in phase Conflict"),
        ([unpulled("d8-monitoring")], None, "image-pull", "d8-monitoring/some-1: registry.example/dkp/ee@sha256:ab"),
        ([unpulled("d8-monitoring", "ErrImagePull")], None, "image-pull", "ErrImagePull"),
        ([unpulled("d8-monitoring", "ContainerCreating")], None, "done", ""),
        ([unpulled("shop")], None, "done", ""),
        ([unpulled("shop"), namespace("shop")], None, "done", ""),
        (
            [unpulled("kube-system"), namespace("kube-system", heritage="deckhouse")],
            None,
            "image-pull",
            "kube-system/some-1",
        ),
    ],
)
def test_when_what_is_deployed_is_done(more: list[KubeObject], queue: Queue | None, state: str, reason: str) -> None:
    found = platform_rest(seen(*more, queue=queue))
    assert found.name == state and reason in " ".join(found.reasons)


@pytest.mark.parametrize(
    ("accepted", "expected"),
    [((), "image-pull"), (("image-pull",), "module-error"), (("image-pull", "module-error"), "done")],
)
def test_what_was_so_before_may_be_accepted(accepted: tuple[str, ...], expected: str) -> None:
    broken = module_objects.module("prometheus", version=RUNNING, phase="Error")
    assert platform_rest(seen(broken, unpulled("d8-monitoring")), accepted).name == expected


@pytest.mark.parametrize(
    ("more", "state", "reasons"),
    [
        ([], "waiting-for-discovery", ()),
        (console(CONSOLE), "waiting-for-discovery", ()),
        (console(CONSOLE, ("v1.36.2", "Pending", MODULE_WAITS_FOR_APPROVAL)), "waiting-approval", ()),
        (console(CONSOLE, ("v1.38.0", "Pending", MODULE_WAITS_FOR_APPROVAL)), "beyond-plan", ()),
        (console(CONSOLE, ("v1.36.2", "Suspended", "")), "suspended", ()),
        (console(("v1.37.0", "Deployed", ""), shown="v1.37.0"), "done", ()),
        (console(("v1.37.1", "Deployed", ""), shown="v1.37.1"), "done", ()),
        (console(("v1.37.0", "Deployed", "")), "converging", ("the module shows v1.35.1",)),
        (
            console(("v1.37.0", "Deployed", ""), shown="v1.37.0", phase="Downloading"),
            "converging",
            ("phase Downloading",),
        ),
        (
            console(("v1.37.0", "Deployed", ""), shown="v1.37.0", phase="DownloadingError"),
            "module-error",
            ("phase DownloadingError",),
        ),
        (console(("v1.36.2", "Deployed", ""), shown="v1.35.1"), "converging", ("the module shows v1.35.1",)),
        (console(CONSOLE, enabled=False), "disabled", ()),
        ([*console(CONSOLE), module_objects.pull_override("console", tag="v1.35.1-hotfix")], "overridden", ()),
    ],
)
def test_what_a_module_is_at(more: list[KubeObject], state: str, reasons: tuple[str, ...]) -> None:
    steps = [version("v1.36.2"), version("v1.37.0")]
    found = module_state(seen(*more), "console", steps[-1], steps)
    assert (found.name, found.reasons) == (state, reasons)


GAP = ("v1.37.0", "Pending", "minor version is greater than deployed v1.35.1 by one")
MISSING = "step by step update failed: not sequential version: prev 'v1.35.1' next 'v1.37.0'"


@pytest.mark.parametrize(
    ("error", "steps", "state"),
    [
        (MISSING, "v1.36.2 v1.37.0", "gap"),
        # The source has nothing to complain of any more: what is missing came too late.
        ("", "v1.36.2 v1.37.0", "frozen-chain"),
        ("", "v1.37.0", "gap"),
    ],
)
def test_a_frozen_chain_is_no_gap(error: str, steps: str, state: str) -> None:
    source = module_objects.module_source(
        "deckhouse", repo="r.example/m", modules=[module_objects.offered("console", "v1.37.0", error=error)]
    )
    planned = [version(each) for each in steps.split()]
    found = module_state(seen(*console(CONSOLE, GAP), source), "console", planned[-1], planned)
    assert (found.name, found.release, found.reasons) == (state, "console-v1.37.0", ("v1.36",))


def test_what_a_source_says_is_told_while_a_release_is_awaited() -> None:
    source = module_objects.module_source(
        "deckhouse",
        repo="r.example/m",
        modules=[module_objects.offered("console", "v1.37.0", error="module is corrupted")],
    )
    found = module_state(seen(*console(CONSOLE), source), "console", version("v1.37.0"))
    assert (found.name, found.message) == ("waiting-for-discovery", "module is corrupted")


def test_what_was_not_read_is_no_module_in_error() -> None:
    assert seen(without="Module").modules == {}
    assert platform_rest(replace(seen(), modules={})).name == "done"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"summary": {"mainQueueTasks": 37, "totalTasks": 38}}', Queue(37, 38)),
        ('{"active": null, "summary": {"mainQueueTasks": 0}}', Queue(0, 0)),
        (
            '{"active": [{"name": "main", "tasks": [{"description": "ModuleRun"}]}], "summary": {"mainQueueTasks": 1}}',
            Queue(1, 1, "ModuleRun"),
        ),
        (
            "Queue 'main': length 3\n\nSummary:\n- 'main' queue: 3 tasks.\n- Other queues (active: 1): 2 tasks.",
            Queue(3, 3),
        ),
        ("Summary:\n- 'main' queue: empty.\n", Queue(0, 0)),
        ("curl: (7) Failed to connect", None),
        ("{}", None),
        ("[]", None),
        ('{"summary": {"mainQueueTasks": "many"}}', None),
    ],
)
def test_the_queue_is_read_in_both_forms_or_not_at_all(text: str, expected: Queue | None) -> None:
    assert parse_queue(text) == expected


def test_whose_namespace_it_is_matters_only_where_an_image_lacks_elsewhere() -> None:
    def objects_of(*pods: KubeObject) -> Mapping[str, Any]:
        return {"Pod": list(pods)}

    assert observing.has_failure_elsewhere(objects_of(unpulled("kube-system")))
    assert not observing.has_failure_elsewhere(objects_of(unpulled("d8-system"), unpulled("shop", "CrashLoopBackOff")))


def test_a_look_names_the_cluster_as_its_request_does() -> None:
    """Else nobody could tell whether a cluster has moved on since."""
    by_kind: dict[str, list[KubeObject]] = {}
    for one in clusters.manual_ee():
        by_kind.setdefault(one["kind"], []).append(one)
    for position, one in enumerate(each for kind in by_kind.values() for each in kind):
        one["metadata"]["resourceVersion"] = str(position)
    facts, told = cluster_facts(by_kind, name="prod"), cluster_result(look(by_kind, name="prod"))
    assert facts.resource_version and told["resource_version"] == facts.resource_version
    same = ("name", "uuid", "version", "switched_version", "channel", "update_mode")
    assert {key: told[key] for key in same} == {key: plain(getattr(facts, key)) for key in same}
    assert told["updating"] is False
    assert cluster_result(seen(objects.release(RUNNING, phase="Deployed", isUpdating="true")))["updating"] is True
    assert cluster_result(seen(image_version="v1.69.0"))["updating"] is True
