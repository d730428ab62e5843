# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The whole journey by the playbook `update`, in each topology: real hosts, registries and an API server."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import requests
from ansible_collections.dkp.airgap.tests.kit.cluster import KubeServer
from ansible_collections.dkp.airgap.tests.kit.images import DOCKER_MANIFEST, OCI_INDEX, OCI_MANIFEST
from ansible_collections.dkp.airgap.tests.kit.journey import Journey, Start
from ansible_collections.dkp.airgap.tests.kit.playbooks import Run
from ansible_collections.dkp.airgap.tests.kit.programs import MissingProgram
from ansible_collections.dkp.airgap.tests.kit.servers import PASSWORD, USERNAME

UPDATE = "dkp.airgap.update"
STEPS = ["v1.68.4", "v1.69.0"]
MODULES = ["console-v1.36.2", "operator-trivy-v1.0.0"]
CHANGED = ["dkp.airgap.pull : Pull what the plan or the selectors say", "dkp.airgap.push : Push the bundle"]
Begin = Callable[..., Journey]


@pytest.fixture
def begin(cluster: KubeServer, tmp_path: Path, target_python: str) -> Iterator[Begin]:
    """Begins a journey in a topology, which ends with the test."""
    with ExitStack() as stack:

        def journey(topology: str, **settings: Any) -> Journey:
            try:
                return stack.enter_context(
                    Journey(tmp_path, cluster, python=target_python, topology=topology, **settings)
                )
            except MissingProgram as missing:
                pytest.skip(str(missing))

        yield journey


def tags(journey: Journey, repository: str) -> dict[str, str]:
    """Where the tags of a repository of the private registry point."""
    private = journey.private
    address = f"{private.server.url}/v2/{private.edition_root}/{repository}".rstrip("/")
    session = requests.Session()
    session.auth, session.verify, session.trust_env = (USERNAME, PASSWORD), str(private.authority), False
    session.headers["Accept"] = f"{DOCKER_MANIFEST}, {OCI_MANIFEST}, {OCI_INDEX}"
    listed = session.get(f"{address}/tags/list", timeout=10)
    if listed.status_code == 404:
        return {}
    found = {}
    for tag in listed.json()["tags"] or []:
        found[tag] = session.head(f"{address}/manifests/{tag}", timeout=10).headers["Docker-Content-Digest"]
    return found


def arrived(journey: Journey, run: Run) -> None:
    """The cluster has taken every step, and never saw one whose images were missing."""
    assert run.code == 0, run.output
    journey.wait_for_version(STEPS[-1])
    deployed = journey.deckhouse.deployed
    assert deployed[: len(STEPS)] == STEPS and sorted(deployed[len(STEPS) :]) == MODULES
    assert not journey.exposures, "\n".join(map(str, journey.exposures))


def test_over_a_network_path_to_the_updated_cluster_and_no_further_the_second_time(begin: Begin) -> None:
    journey = begin("path")
    before = tags(journey, "release-channel")
    told = journey.play(UPDATE, arguments=("--check",), dkp_approve="always")
    assert told.code == 0 and any(told.changed.values()), told.output
    for host in (journey.outside, journey.inside):
        assert not (host.seen(host.directory) / "bundle").exists(), "check mode writes nothing"
    assert not list(journey.desk().iterdir()) and tags(journey, "release-channel") == before
    private = journey.private.server
    assert not private.count("PUT") and private.count("POST") == private.count("DELETE"), "opened uploads are cancelled"
    run = journey.play(UPDATE, dkp_approve="always")
    arrived(journey, run)
    assert before["stable"] != tags(journey, "release-channel")["stable"]
    for name in CHANGED:
        assert run[name].changed, run.output
    fetched = journey.vendor.server.count("GET", r"/blobs/")
    again = journey.play(UPDATE, dkp_approve="always")
    assert again.code == 0 and set(again.changed.values()) == {0}, again.output
    assert journey.vendor.server.count("GET", r"/blobs/") == fetched


def test_across_a_gap_the_request_goes_one_way_and_the_bundle_the_other(begin: Begin) -> None:
    journey = begin("gap")
    asked = journey.play("dkp.airgap.cluster_facts", "dkp.airgap.preflight", side="inside")
    assert asked.code == 0, asked.output
    journey.carry("request.yml", start="inside", end="outside")
    media: dict[str, Any] = {"dkp_transfer": "media"}
    outside = journey.play(UPDATE, side="outside", **media, dkp_media_dir=str(journey.outside.directory / "medium"))
    assert outside.code == 0 and "Left out here: push, check, publish" in outside.output, outside.output
    journey.carry_medium()
    medium = str(journey.inside.directory / "medium")
    inside = journey.play(UPDATE, side="inside", **media, dkp_media_dir=medium, dkp_approve="always")
    arrived(journey, inside)
    assert "Left out here: plan, pull" in inside.output


def test_an_image_that_goes_missing_before_the_check_keeps_the_channels_where_they_were(begin: Begin) -> None:
    journey = begin("jump", start=Start(mode="Auto"))
    pushed = journey.play(UPDATE, arguments=("--skip-tags", "check,publish,rollout"))
    assert pushed.code == 0, pushed.output
    before = tags(journey, "release-channel")
    lost = sorted(set(journey.vendor.tree.component_digests("v1.69.0")))[0]
    _lose(journey, lost)
    checked = journey.play(UPDATE)
    told = checked.failure("dkp.airgap.check : Stop where something is wrong")
    assert "P7 v1.69.0" in told and lost in told and "Nothing was published" in told
    assert tags(journey, "release-channel") == before and journey.deckhouse.deployed == []
    mended = journey.play(UPDATE, dkp_repair=True)
    arrived(journey, mended)
    assert "Publishing is approval: prod" in mended.output


def test_one_registry_that_fails_does_not_stop_the_other_and_what_was_published_can_be_put_back(begin: Begin) -> None:
    journey = begin("path")
    other = journey.network.host("other")
    journey.network.connect("outside", "other")
    journey.add_private(other, filled=False).server.stop()
    before = tags(journey, "release-channel")
    run = journey.play(UPDATE, arguments=("--skip-tags", "rollout"), dkp_registry_host="inside")
    assert run.code != 0, "one of two registries was not filled"
    assert run.on("other", "Ask whether everything is there and published already").status == "failed"
    after = tags(journey, "release-channel")
    assert before["stable"] != after["stable"] and not journey.exposures
    again = journey.play("dkp.airgap.security_db", arguments=("--limit", "outside,inside"))
    assert again.code == 0, again.output
    restore = {
        "name": "Put back",
        "ansible.builtin.include_role": {"name": "dkp.airgap.publish", "tasks_from": "restore"},
        "vars": {
            "publish_src": "{{ dkp_bundle_dir }}",
            "publish_registry": journey.private.options,
        },
    }
    playbook = journey.directory / "restore.yml"
    playbook.write_text(json.dumps([{"hosts": "inside", "gather_facts": False, "tasks": [restore]}]))
    back = journey.play(str(playbook))
    assert back.code == 0 and back.changed["inside"] == 1, back.output
    assert tags(journey, "release-channel")["stable"] == before["stable"]


def _lose(journey: Journey, digest: str) -> None:
    """Take a manifest out of the private registry's storage, and leave the tag that names it, as a broken disk does."""
    root = journey.private.server.storage / "docker/registry/v2/repositories" / journey.private.edition_root
    algorithm, _colon, value = digest.partition(":")
    (root / "_manifests/revisions" / algorithm / value / "link").unlink()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--limit", "outside"), "The group dkp_airgapped has no host left; the steps push, check, publish need it"),
        (("--limit", "inside", "--tags", "plan,push"), "The group dkp_connected has no host left; the steps plan"),
    ],
)
def test_a_limit_that_cuts_off_a_group_is_told_before_anything_is_done(
    ansible: Any, arguments: tuple[str, ...], told: str
) -> None:
    groups = {"dkp_connected": ["outside"], "dkp_airgapped": ["inside"], "dkp_cluster": ["inside"]}
    run = ansible.playbook(UPDATE, *arguments, groups=groups)
    assert run.code != 0 and told in run.output, run.output
    assert not [name for name in run.tasks if name.startswith("dkp.airgap.")]


@pytest.mark.parametrize(
    ("example", "left_out"),
    [
        ("one-host", []),
        ("two-hosts", []),
        ("outside", ["facts, rollout", "push, check, publish"]),
        ("inside", ["plan, pull"]),
    ],
)
def test_the_inventories_of_the_guide_say_what_each_side_does(ansible: Any, example: str, left_out: list[str]) -> None:
    inventory = Path(__file__).parents[3] / f"docs/examples/{example}.yml"
    # No step is chosen, so only what every run looks at first is played.
    run = ansible.playbook(UPDATE, "-i", str(inventory), "--tags", "none-of-them", "--check", groups={})
    assert run.code == 0, run.output
    assert re.findall(r"Left out here: (.*), because", run.output) == left_out
