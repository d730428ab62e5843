# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Version, edition, channel, updates and the setting of Kubernetes: each from where §3.1 says, in that order."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ansible_collections.dkp.airgap.plugins.module_utils._dkp.cluster.facts import ClusterFacts, Window
from ansible_collections.dkp.airgap.plugins.module_utils._dkp.cluster.reading import cluster_facts
from ansible_collections.dkp.airgap.plugins.module_utils._dkp.fields import plain
from ansible_collections.dkp.airgap.plugins.module_utils._dkp.version import Version
from ansible_collections.dkp.airgap.plugins.module_utils._oci.errors import AirgapError, InvalidContent, InvalidInput
from ansible_collections.dkp.airgap.tests.kit.cluster_objects import (
    SYSTEM,
    WINDOWS,
    config_map,
    deployment,
    discovery_secret,
    release,
    secret,
    version_info,
)
from ansible_collections.dkp.airgap.tests.kit.module_objects import module_config, platform_config
from ansible_collections.dkp.airgap.tests.kit.observed import observed

REPO = "registry.example/dkp/ee"
RUNS = deployment(version="v1.71.9", edition="EE", images_repo=REPO)


def facts(*objects: dict[str, Any], unread: tuple[str, ...] = ()) -> ClusterFacts:
    return cluster_facts(observed(objects, unread=unread), name="prod")


def without_annotations(image: str = f"{REPO}:v1.70.1") -> dict[str, Any]:
    made = deployment(version="v0.0.0", edition="-", images_repo=REPO)
    del made["metadata"]["annotations"]
    made["spec"]["template"]["spec"]["containers"][0]["image"] = image
    return made


TOLD = version_info(version="v1.72.0", edition="FE", channel="RockSolid")
DEPLOYED = release("v1.73.0", phase="Deployed")
# what there is -> version, edition, version switched to
VERSIONS: list[tuple[list[dict[str, Any]], str, str | None, str | None]] = [
    ([RUNS, TOLD, DEPLOYED], "v1.71.9", "EE", "v1.71.9"),
    ([without_annotations(), TOLD, DEPLOYED], "v1.72.0", "FE", "v1.70.1"),
    ([without_annotations(), DEPLOYED, release("v1.74.0", phase="Pending")], "v1.73.0", None, "v1.70.1"),
    ([without_annotations()], "v1.70.1", None, "v1.70.1"),
    ([DEPLOYED], "v1.73.0", None, None),
    ([DEPLOYED, without_annotations(f"{REPO}@sha256:{'a' * 64}")], "v1.73.0", None, None),
    ([DEPLOYED, without_annotations("127.0.0.1:5000/dkp/ee")], "v1.73.0", None, None),
    ([DEPLOYED, without_annotations(f"{REPO}:pr123")], "v1.73.0", None, None),
]


@pytest.mark.parametrize(("objects", "version", "edition", "switched"), VERSIONS)
def test_the_version_is_read_where_it_is_told_best(
    objects: list[dict[str, Any]], version: str, edition: str | None, switched: str | None
) -> None:
    found = plain(facts(*objects))
    assert (found["version"], found["edition"], found["switched_version"]) == (version, edition, switched)


def test_in_the_middle_of_an_update_the_switched_version_differs() -> None:
    found = facts(deployment(version="v1.68.11", edition="EE", images_repo=REPO, image_version="v1.69.7"))
    assert (found.version, found.switched_version) == (Version(1, 68, 11), Version(1, 69, 7))


@pytest.mark.parametrize(
    ("stated", "edition"),
    [("EE", "EE"), ("SE-plus", "SE-plus"), ("se_plus", "SE-plus"), ("cse-lite", "CSE"), ("CSE", "CSE"), ("New", "New")],
)
def test_editions_are_spelled_one_way(stated: str, edition: str) -> None:
    assert facts(deployment(version="v1.71.9", edition=stated, images_repo=REPO)).edition == edition


# ModuleConfig deckhouse, discovery, version info -> channel
CHANNELS: list[tuple[str | None, str | None, str | None, str | None]] = [
    ("EarlyAccess", "Stable", "Stable", "early-access"),
    ("LTS", None, None, "lts"),
    ("", "RockSolid", "Stable", "rock-solid"),
    ("", "", "Alpha", "alpha"),
    ("", "", "", None),
    (None, None, "Beta", "beta"),
    (None, None, None, None),
]


@pytest.mark.parametrize(("configured", "discovered", "told", "channel"), CHANNELS)
def test_the_channel(configured: str | None, discovered: str | None, told: str | None, channel: str | None) -> None:
    objects = [RUNS]
    if configured is not None:
        objects.append(platform_config(channel=configured))
    if discovered is not None:
        objects.append(discovery_secret(images_repo=REPO, channel=discovered))
    if told is not None:
        objects.append(version_info(version="v1.0.0", edition="EE", channel=told))
    assert facts(*objects).channel == channel


def test_update_mode_and_windows_come_from_the_settings_else_from_discovery() -> None:
    settings = platform_config(channel="Stable", mode="Manual", windows=WINDOWS)
    told = discovery_secret(images_repo=REPO, channel="Stable", mode="Auto", windows=[{"from": "1:00", "to": "2:00"}])
    found = facts(RUNS, settings, told)
    assert (found.update_mode, found.update_windows) == ("Manual", (Window("20:00", "23:30", ("Sat", "Sun")),))
    found = facts(RUNS, told)
    assert (found.update_mode, found.update_windows) == ("Auto", (Window("1:00", "2:00"),))
    assert facts(RUNS).update_mode == "AutoPatch"


def test_uuid_and_bundle() -> None:
    found = facts(RUNS, discovery_secret(images_repo=REPO, channel="Stable"))
    assert found.uuid == "3c2d1f04-0000-4000-8000-9b1c2d3e4f50"
    assert found.bundle == "Default"
    by_config_map = config_map("kube-system", "d8-cluster-uuid", values={"cluster-uuid": "0f"})
    found = facts(RUNS, by_config_map, platform_config(channel="Stable"))
    assert (found.uuid, found.bundle) == ("0f", "Default")


def test_the_resource_version_is_the_highest_number_of_what_moves() -> None:
    # as text v1.9 would be higher than v1.10
    objects = [RUNS, release("v1.71.9", phase="Deployed"), module_config("console"), release("v1.72.0", phase="")]
    for thing, number in zip(objects, ("99999", "9", "10", "opaque")):
        thing["metadata"] = {**thing["metadata"], "resourceVersion": number}
    assert facts(*objects).resource_version == "10"
    assert facts(objects[0]).resource_version == "99999"
    del objects[0]["metadata"]["resourceVersion"]
    assert facts(objects[0]).resource_version is None


def cluster_configuration(version: str, **values: str) -> dict[str, Any]:
    text = f"kind: ClusterConfiguration\nkubernetesVersion: {version}\ndefaultCRI: Containerd\n"
    return secret("kube-system", "d8-cluster-configuration", values={"cluster-configuration.yaml": text, **values})


def in_config_map(version: str, mode: str) -> dict[str, Any]:
    text = f"desiredVersion: {version}\nupdateMode: {mode}\n"
    return config_map("kube-system", "d8-cluster-kubernetes", values={"spec": text, "status": "{}"})


DEFAULT = {"deckhouseDefaultKubernetesVersion": "1.30", "maxUsedControlPlaneKubernetesVersion": '"1.31"'}
SETTING = module_config("control-plane-manager", settings={"kubernetesVersion": "1.32"})
# objects -> version, automatic, highest that ever ran
KUBERNETES: list[tuple[list[dict[str, Any]], tuple[str | None, str | None, str | None]]] = [
    ([], (None, None, None)),
    ([cluster_configuration('"1.30"')], ("1.30", None, None)),
    ([cluster_configuration("1.30")], ("1.30", None, None)),  # a number, to YAML: it is the text that counts
    ([cluster_configuration("Automatic", **DEFAULT)], ("Automatic", "1.30", "1.31")),
    ([cluster_configuration("Automatic"), SETTING], ("1.32", None, None)),
    ([cluster_configuration("Automatic"), SETTING, in_config_map("1.33", "Manual")], ("1.33", None, None)),
    ([in_config_map("1.33", "Automatic")], ("Automatic", "1.33", None)),
    ([cluster_configuration('"1.30"', **DEFAULT), in_config_map("null", "null")], ("1.30", "1.30", "1.31")),
]


@pytest.mark.parametrize(("objects", "expected"), KUBERNETES)
def test_the_setting_of_kubernetes(
    objects: list[dict[str, Any]], expected: tuple[str | None, str | None, str | None]
) -> None:
    found = facts(RUNS, *objects).kubernetes
    assert (found.version, found.automatic, found.maximum_used) == expected


def test_what_was_not_read_is_null_and_what_is_not_there_is_empty() -> None:
    kinds = {
        "DeckhouseRelease": "releases",
        "Module": "modules",
        "ModuleSource": "sources",
        "ModuleUpdatePolicy": "policies",
        "Node": "nodes",
        "IngressNginxController": "ingress_controllers",
        "ConfigMap": "cloud_conditions",
        "ClusterAlert": "alerts",
        "ValidatingWebhookConfiguration": "approval_webhook",
        "ModuleConfig": "istio_versions",
    }
    nothing, unread = facts(RUNS), facts(RUNS, unread=(*kinds, "ModuleRelease"))
    for fact in kinds.values():
        assert getattr(unread, fact) is None, fact
        assert not getattr(nothing, fact) and getattr(nothing, fact) is not None, fact
    assert nothing.kubelet_min is None and nothing.kubernetes_version is None


def test_a_fresh_cluster_has_no_releases() -> None:
    found = facts(RUNS, platform_config(channel="Stable"))
    assert (found.version, found.releases, found.modules) == (Version(1, 71, 9), (), {})


def test_a_list_of_the_api_and_null_are_taken_too() -> None:
    found = cluster_facts({"Deployment": {"kind": "DeploymentList", "items": [RUNS]}, "Node": None}, name="prod")
    assert found.version == Version(1, 71, 9)
    assert found.nodes is None


def test_another_cluster_is_told_from_one_that_is_not_deckhouse() -> None:
    with pytest.raises(InvalidContent) as caught:
        cluster_facts({"Deployment": [], "Node": []}, name="prod")
    for said in ("prod", "d8-system/deckhouse", "d8-deckhouse-version-info", "DeckhouseRelease", "Deployment, Node"):
        assert said in str(caught.value)


# objects -> what the error must name
REFUSED: list[tuple[Any, tuple[str, ...]]] = [
    ([], ("objects", "mapping")),
    ({"Deployment": "x"}, ("Deployment", "list")),
    ({"Deployment": [RUNS, RUNS]}, ("Deployment d8-system/deckhouse", "twice")),
    ({"Deployment": [RUNS], "modules": []}, ("objects.modules", "write Module")),
    ({"Deployment": [RUNS], "Module": ["x"]}, ("Module[0]", "object")),
    ({"Deployment": [RUNS], "Module": [{"metadata": {}}]}, ("Module[0]", "metadata.name")),
    ({"Module": [{"metadata": {"name": "a"}, "kind": "ModuleConfig"}]}, ("Module a", "kind", "ModuleConfig")),
    ({"Module": [{"metadata": {"name": "a"}, "status": []}]}, ("Module a", "status")),
    (
        {"Deployment": [deployment(version="next", edition="EE", images_repo=REPO)]},
        ("Deployment d8-system/deckhouse", "core.deckhouse.io/version", "next"),
    ),
    (
        {"Deployment": [RUNS], "ModuleConfig": [platform_config(channel="Weekly")]},
        ("ModuleConfig deckhouse", "spec.settings.releaseChannel", "Weekly"),
    ),
    (
        {"Deployment": [RUNS], "ModuleConfig": [platform_config(channel="", windows=[{"from": "1:00"}])]},
        ("ModuleConfig deckhouse", "spec.settings.update.windows[0].to"),
    ),
    (
        {"Deployment": [RUNS], "DeckhouseRelease": [release("v1.x", phase="Pending")]},
        ("DeckhouseRelease v1.x", "spec.version"),
    ),
    (
        {"Deployment": [RUNS], "Secret": [cluster_configuration("newest")]},
        ("Secret kube-system/d8-cluster-configuration", "kubernetesVersion", "newest"),
    ),
]


@pytest.mark.parametrize(("objects", "named"), REFUSED)
def test_what_is_wrong_is_named_with_object_and_field(objects: Any, named: tuple[str, ...]) -> None:
    with pytest.raises(AirgapError) as caught:
        cluster_facts(objects, name="prod")
    for part in named:
        assert part in str(caught.value)


def test_a_document_in_a_config_map_is_named_when_it_is_needed() -> None:
    broken = config_map(SYSTEM, "d8-deckhouse-version-info", values={"data.json": "{"})
    with pytest.raises(InvalidContent, match='ConfigMap d8-system/d8-deckhouse-version-info: data."data.json"'):
        facts(without_annotations(), broken)


@pytest.mark.parametrize("name", ["", "  ", " prod", "a\nb", 7, None])
def test_a_cluster_has_a_name(name: Any) -> None:
    with pytest.raises(InvalidInput, match="name"):
        cluster_facts({"Deployment": [RUNS]}, name=name)


def test_facts_are_plain_json() -> None:
    found = plain(facts(RUNS, TOLD, DEPLOYED, platform_config(channel="Stable", windows=WINDOWS)))
    assert json.loads(json.dumps(found)) == found
