# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later


"""The tests' own Deckhouse orders releases as Deckhouse does, and sees what a pointer leads to that is not there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.dkp.airgap.plugins.module_utils._dkp.version import Version, versions_of_tags
from ansible_collections.dkp.airgap.tests.kit import cluster_objects, clusters, module_objects
from ansible_collections.dkp.airgap.tests.kit.cluster import KubeServer
from ansible_collections.dkp.airgap.tests.kit.deckhouse import Deckhouse
from ansible_collections.dkp.airgap.tests.kit.deckhouse_chain import (
    Offer,
    Waiting,
    module_chain,
    platform_chain,
    turn_of,
)
from ansible_collections.dkp.airgap.tests.kit.deckhouse_timing import Policy, now, waits_for
from ansible_collections.dkp.airgap.tests.kit.deckhouse_view import phase_of
from ansible_collections.dkp.airgap.tests.kit.mirrored import Held, mirrored, moved, point
from ansible_collections.dkp.airgap.tests.kit.programs import MissingProgram
from ansible_collections.dkp.airgap.tests.kit.registry_content import StoredContent
from ansible_collections.dkp.airgap.tests.kit.registry_watch import Watch
from ansible_collections.dkp.airgap.tests.kit.servers import PASSWORD, USERNAME, Server
from ansible_collections.dkp.airgap.tests.kit.shape import SMALL, Channel
from ansible_collections.dkp.airgap.tests.kit.storage import remove_manifest, write
from ansible_collections.dkp.airgap.tests.kit.tree import Repository, Tree, build
from ansible_collections.dkp.airgap.tests.kit.vendor import any_server
from ansible_collections.dkp.airgap.tests.kit.webhook import ReleaseWebhook

VENDOR = moved(build(SMALL), root="dkp")
RUNNING = Held(("v1.68.0",), {"stable": "v1.68.0"})
CONSOLE = {"console": Held(("v1.35.4",), {"stable": "v1.35.4"})}


def version(text: str) -> Version:
    return versions_of_tags([text])[0]


@pytest.mark.parametrize(
    ("kind", "generation", "tags", "start", "offered", "made", "error"),
    [
        ("platform", "A", "", "v1.68.0", "v1.69.0", "v1.69.0", ""),
        ("platform", "B", "v1.68.4 v1.69.0 v1.69.2", "v1.68.0", "v1.69.0", "v1.68.4 v1.69.0", ""),
        ("platform", "A", "v1.68.4 v1.69.2 v1.70.0", "v1.68.0", "v1.70.0", "v1.69.2 v1.70.0", ""),
        ("platform", "A", "v1.70.0", "v1.68.0", "v1.70.0", "", "versions is not in sequence"),
        ("platform", "A", "v1.69.0 v1.71.0", "v1.68.0", "v1.71.0", "v1.69.0", ""),
        ("platform", "B", "v1.69.0 v1.71.0", "v1.68.0", "v1.71.0", "v1.69.0", "missing intermediate minor"),
        ("platform", "B", "v1.69.1", "v1.68.0", "v1.69.3", "v1.69.1", ""),
        ("platform", "A", "", "v1.68.0", "v1.70.0", "", "no matched tags"),
        ("module", "A", "v1.34.5 v1.37.0", "v1.34.0", "v1.37.0", "v1.37.0", "not sequential version: prev 'v1.34.0'"),
        ("module", "B", "v1.34.5 v1.35.1", "v1.34.0", "v1.35.1", "v1.34.5 v1.35.1", ""),
    ],
)  # fmt: skip
def test_what_becomes_of_a_channel(
    kind: str, generation: str, tags: str, start: str, offered: str, made: str, error: str
) -> None:
    chain_of = {"platform": platform_chain, "module": module_chain}[kind]
    offer = Offer("stable", version(offered), version(start))
    chain = chain_of(generation, offer, lambda: versions_of_tags(tags.split()))
    assert " ".join(map(str, chain.versions)) == made
    assert error in chain.error and bool(error) == bool(chain.error)


@pytest.mark.parametrize(
    ("release", "pending", "deployed", "channel", "expected"),
    [
        ("v1.68.4", "v1.68.4 v1.69.0", "v1.68.0", "stable", "process"),
        ("v1.69.0", "v1.68.4 v1.69.0", "v1.68.0", "stable", "awaiting for v1.68.4 release to be deployed"),
        ("v1.69.0", "v1.69.0 v1.69.2", "v1.68.0", "stable", "skip"),
        ("v1.70.0", "v1.70.0", "v1.68.0", "stable", "minor version is greater than deployed v1.68.0 by one"),
        ("v1.73.0", "v1.73.0", "v1.67.0", "lts", "process"),
        ("v1.78.0", "v1.78.0", "v1.67.0", "lts", "by more than the LTS channel accepts"),
        ("v2.0.0", "v2.0.0", "v1.68.0", "stable", "major version is greater than deployed v1.68.0"),
        ("v1.67.0", "v1.67.0", "v1.68.0", "stable", "skip"),
    ],
)
def test_whose_turn_it_is(release: str, pending: str, deployed: str, channel: str, expected: str) -> None:
    waiting = [Waiting(one) for one in versions_of_tags(pending.split())]
    turn = turn_of(Waiting(version(release)), waiting, version(deployed), channel=channel)
    assert expected in (turn.verdict, turn.message) or expected in turn.message


def test_windows_hold_back_what_is_automatic_and_approval_what_is_not() -> None:
    closed = ({"from": "00:00", "to": "00:01", "days": ["Mon"]},)
    tuesday = now().replace(year=2026, month=3, day=3, hour=9)
    for mode, is_patch, expected in (
        ("Auto", False, "waiting for the update window until 09 Mar 26 00:00 UTC"),
        ("AutoPatch", True, "waiting for the update window"),
        ("AutoPatch", False, "waiting for the 'it: \"true\"' annotation"),
        ("Manual", True, "waiting for the 'it: \"true\"' annotation"),
    ):
        policy = Policy("", "stable", mode, closed)
        assert expected in waits_for(policy, is_patch=is_patch, approved=False, annotation="it", moment=tuesday)


@pytest.fixture
def private(tmp_path: Path) -> Iterator[Server]:
    """A private registry that holds what the cluster runs."""
    write(mirrored(VENDOR, RUNNING, CONSOLE), tmp_path / "private")
    try:
        server = any_server(tmp_path / "private", htpasswd=True)
    except MissingProgram as missing:
        pytest.skip(str(missing))
    with server:
        yield server


@contextmanager
def deckhouse_of(cluster: KubeServer, private: Server, *, mode: str, **settings: Any) -> Iterator[Deckhouse]:
    repo = f"{private.host}/dkp/ee"
    platform = clusters.Platform("v1.68.0", images_repo=repo, scheme="http", mode=mode, windows=())
    cluster.apply(
        [
            *platform.objects(),
            cluster_objects.registry_secret(repo, scheme="http", username=USERNAME, password=PASSWORD),
            platform.source(module_objects.offered("console", "v1.35.4")),
            module_objects.module_config("console"),
            module_objects.module("console", source="deckhouse", version="v1.35.4"),
            module_objects.module_release("console", "v1.35.4", phase="Deployed"),
            *platform.embedded("prometheus"),
            cluster_objects.release("v1.68.0", phase="Deployed", approved=True),
        ]
    )
    given = {"poll": 0.1, "deploy_seconds": 0.3, "module_seconds": 0.1, **settings}
    with Deckhouse(cluster, storage=private.storage, **given) as deckhouse:
        yield deckhouse


def phases(cluster: KubeServer, kind: str = "DeckhouseRelease") -> dict[str, str]:
    return {one["metadata"]["name"]: phase_of(one) for one in cluster.client.list(kind)}


def message(cluster: KubeServer, name: str) -> str:
    return str(cluster.client.get("DeckhouseRelease", name).get("status", {}).get("message", ""))


def test_a_chain_goes_step_by_step_with_approvals_through_an_outage_of_the_api(
    cluster: KubeServer, private: Server
) -> None:
    with deckhouse_of(cluster, private, mode="Manual") as deckhouse:
        deckhouse.settle()
        assert phases(cluster) == {"v1.68.0": "Deployed"}
        write(VENDOR_UP_TO_169, private.storage)
        waiting = {"v1.68.0": "Deployed", "v1.68.4": "Pending", "v1.69.0": "Pending"}
        deckhouse.wait_for(lambda: phases(cluster) == waiting and bool(message(cluster, "v1.69.0")))
        assert message(cluster, "v1.68.4") == cluster_objects.WAITS_FOR_APPROVAL
        assert message(cluster, "v1.69.0") == "awaiting for v1.68.4 release to be deployed"
        cluster.restart()
        cluster.client.patch("DeckhouseRelease", "v1.68.4", patch={"approved": True})
        deckhouse.wait_for(lambda: deckhouse.platform_version() == "v1.68.4")
        approval = {"metadata": {"annotations": {"release.deckhouse.io/approved": "true"}}}
        cluster.client.patch("DeckhouseRelease", "v1.69.0", patch=approval)
        deckhouse.wait_for(lambda: deckhouse.platform_version() == "v1.69.0")
        deckhouse.settle()
        assert phases(cluster) == {"v1.68.0": "Superseded", "v1.68.4": "Superseded", "v1.69.0": "Deployed"}
        held = cluster.client.get("Deployment", "deckhouse", namespace="d8-system")
        assert held["status"]["readyReplicas"] == 1
        assert held["status"]["observedGeneration"] == held["metadata"]["generation"]
        # The module follows by its own annotation.
        approval = {"metadata": {"annotations": {"modules.deckhouse.io/approved": "true"}}}
        cluster.client.patch("ModuleRelease", "console-v1.36.2", patch=approval)
        ready = {"console-v1.35.4": "Superseded", "console-v1.36.2": "Deployed"}
        deckhouse.wait_for(lambda: phases(cluster, "ModuleRelease") == ready)
        deckhouse.wait_for(lambda: cluster.client.get("Module", "console")["properties"]["version"] == "v1.36.2")
        assert cluster.client.get("ModuleSource", "deckhouse")["status"]["message"] == ""
    assert deckhouse.deployed == ["v1.68.4", "v1.69.0", "console-v1.36.2"] and not deckhouse.exposures


def test_the_older_generation_goes_straight_to_the_next_minor_and_misses_what_is_not_there(
    cluster: KubeServer, private: Server
) -> None:
    component = sorted(VENDOR.component_digests("v1.69.0") - VENDOR.component_digests("v1.68.0"))[0]
    write(VENDOR_UP_TO_169, private.storage)
    remove_manifest(private.storage, "dkp/ee", component)
    with deckhouse_of(cluster, private, mode="Auto", generation="A") as deckhouse:
        deckhouse.wait_for(lambda: deckhouse.platform_version() == "v1.69.0")
        deckhouse.settle()
        assert "v1.68.4" not in phases(cluster)
        waiting = [
            status["state"]["waiting"]["reason"]
            for pod in cluster.client.list("Pod", namespace="d8-system")
            for status in pod["status"]["containerStatuses"]
            if "waiting" in status["state"]
        ]
        assert waiting == ["ImagePullBackOff"]
        assert [one.missing for one in deckhouse.exposures] == [(f"dkp/ee@{component}",)]


def test_what_is_missing_or_held_back_shows_in_the_objects_of_the_cluster(
    cluster: KubeServer, private: Server, tmp_path: Path
) -> None:
    suspended = replace(SMALL, channels=(Channel("stable", "v1.69.0", suspended=True),), root="dkp")
    with (
        ReleaseWebhook(tmp_path, unmet=lambda _unused: []) as webhook,
        deckhouse_of(cluster, private, mode="Auto", webhook=webhook) as deckhouse,
    ):
        cluster.apply([webhook.configuration()])
        # A channel that the vendor has stopped, and a module with a version that leads past what is there.
        channel = build(suspended).repository("release-channel")
        held_back = Repository(channel.path)
        held_back.add(channel.tags["stable"], "stable")
        write(
            mirrored(VENDOR, Held(("v1.68.4", "v1.69.0")), {"console": Held(("v1.37.0",), {"stable": "v1.37.0"})}),
            private.storage,
        )
        remove_manifest(private.storage, "dkp/ee", VENDOR.tags()["v1.68.4"])
        write(replace(VENDOR, repositories={channel.path: held_back}), private.storage)
        # The image of Deckhouse itself is missing, and then no longer.
        deckhouse.wait_for(lambda: webhook.down)
        deckhouse.settle()
        (pod,) = cluster.client.list("Pod", namespace="d8-system", label_selector="app=deckhouse")
        assert pod["status"]["containerStatuses"][0]["state"]["waiting"]["reason"] == "ImagePullBackOff"
        assert deckhouse.platform_version() == "v1.68.0"
        point(private.storage, VENDOR, "", **{"v1.68.4": "v1.68.4"})
        deckhouse.wait_for(lambda: phases(cluster).get("v1.69.0") == "Suspended")
        assert deckhouse.platform_version() == "v1.68.4" and not webhook.down
        deckhouse.wait_for(lambda: phases(cluster, "ModuleRelease").get("console-v1.37.0") == "Pending")
        deckhouse.settle()
        gap = cluster.client.get("ModuleRelease", "console-v1.37.0")["status"]["message"]
        assert gap == "minor version is greater than deployed v1.35.4 by one"
        (listed,) = cluster.client.get("ModuleSource", "deckhouse")["status"]["modules"]
        assert "not sequential version: prev 'v1.35.4' next 'v1.37.0'" in listed["error"]
        point(private.storage, VENDOR, stable="v1.69.0")
        deckhouse.wait_for(lambda: deckhouse.platform_version() == "v1.69.0")


def test_a_pointer_before_its_content_is_seen_by_whoever_looks(tmp_path: Path) -> None:
    storage = tmp_path / "storage"
    write(mirrored(VENDOR, RUNNING, CONSOLE), storage)
    watch = Watch(StoredContent(storage), "dkp/ee", deployed=lambda: {"": version("v1.68.0")})
    assert not watch.look()
    point(storage, VENDOR, stable="v1.70.0")
    (found,) = watch.look()
    assert found.pointer == "release-channel:stable" and found.version == "v1.70.0"
    assert found.missing == ("any v1.69", "dkp/ee:v1.70.0", "dkp/ee/release-channel:v1.70.0")
    write(mirrored(VENDOR, Held(("v1.69.0", "v1.70.0"), {"stable": "v1.70.0"}), {}), storage)
    assert not watch.look() and len(watch.found) == 1
    point(storage, VENDOR, "modules/console/release", stable="v1.36.2")
    assert [one.pointer for one in watch.look()] == ["modules/console/release:stable"]


def up_to_169() -> Tree:
    platform = Held(("v1.68.4", "v1.69.0"), {"stable": "v1.69.0"})
    return mirrored(VENDOR, platform, {"console": Held(("v1.36.2",), {"stable": "v1.36.2"})})


VENDOR_UP_TO_169 = up_to_169()
