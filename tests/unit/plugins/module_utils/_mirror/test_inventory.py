# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a private registry holds, as the next plan reads it: complete or not, by few requests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.dkp.airgap.plugins.module_utils._dkp.fields import plain
from ansible_collections.dkp.airgap.plugins.module_utils._dkp.plan.inventory import Inventory, parse_inventory
from ansible_collections.dkp.airgap.plugins.module_utils._dkp.version import version_of_tag
from ansible_collections.dkp.airgap.plugins.module_utils._registry.errors import AccessDenied
from ansible_collections.dkp.airgap.tests.kit import planning
from ansible_collections.dkp.airgap.tests.kit.behaviour import Basic
from ansible_collections.dkp.airgap.tests.kit.checking import ROOT, SHAPE, TREE, Mirror, mirror, release_image
from ansible_collections.dkp.airgap.tests.kit.faults import Status

COMPONENT = min(TREE.component_digests("v1.70.0") - TREE.component_digests("v1.69.0"))
RUNTIME = min(TREE.modules["console"].runtime["v1.37.0"].values())


@pytest.fixture
def target() -> Iterator[Mirror]:
    with mirror() as running:
        yield running


@pytest.mark.parametrize("blobs", [False, True])
def test_a_complete_registry_is_told_as_plans_read_it(target: Mirror, blobs: bool) -> None:
    taken = target.inventory(blobs=blobs)
    document = plain(taken.inventory)
    assert not taken.findings
    assert parse_inventory(document, where="inventory") == taken.inventory
    assert document["images_repo"] == target.address
    assert document["platform"] == {
        "versions": list(SHAPE.versions),
        "incomplete": {},
        "channels": {"stable": "v1.70.0", "rock-solid": "v1.68.4"},
    }
    assert list(document["modules"]) == ["console"]
    assert document["modules"]["console"]["channels"] == {"stable": "v1.37.0"}
    assert document["security_db"]["trivy-db"] == TREE.tags("security/trivy-db")["2"]


def lacks(inventory: Inventory, module: str, tag: str) -> tuple[str, ...]:
    held = inventory.module(module) if module else inventory.platform
    version = version_of_tag(tag)
    assert version is not None
    return held.lacks(version)


# What was done, the module (or the platform), the version, and what is told to be missing
MISSING: list[tuple[Callable[[Mirror], Any], str, str, tuple[str, ...]]] = [
    (lambda it: it.delete("", COMPONENT), "", "v1.70.0", (COMPONENT,)),
    (lambda it: it.delete("", "v1.69.0"), "", "v1.69.0", (f"{ROOT}:v1.69.0",)),
    (lambda it: it.untag("release-channel", "v1.69.0"), "", "v1.69.0", ("v1.69.0",)),
    (lambda it: it.delete("modules/console", RUNTIME), "console", "v1.37.0", (RUNTIME,)),
    (
        lambda it: it.untag("modules/console/release", "v1.36.2"),
        "console",
        "v1.36.2",
        (f"{ROOT}/modules/console/release:v1.36.2",),
    ),
    (
        lambda it: it.delete("modules/console/extra/scanner", "v2"),
        "console",
        "v1.36.2",
        (f"{ROOT}/modules/console/extra/scanner:v2",),
    ),
    (lambda it: it.delete("modules/console", "v1.35.4"), "console", "v1.35.4", ("v1.35.4",)),
]


@pytest.mark.parametrize("damage, module, version, missing", MISSING, ids=range(len(MISSING)))
def test_what_a_version_lacks_is_named(
    target: Mirror, damage: Callable[[Mirror], Any], module: str, version: str, missing: tuple[str, ...]
) -> None:
    damage(target)
    assert lacks(target.inventory().inventory, module, version) == missing


def test_lists_tell_what_is_there_and_only_the_rest_is_asked_for(target: Mirror, tmp_path: Path) -> None:
    target.state = tmp_path
    target.inventory()
    target.server.exchanges.clear()
    target.untag("", COMPONENT[7:])
    assert lacks(target.inventory().inventory, "", "v1.70.0") == (), "it has no tag, and is there"
    asked = [each.target.rpartition("/")[2] for each in target.server.requests("HEAD", "/manifests/sha256")]
    assert asked == [COMPONENT] and not target.server.count("GET", "/blobs/")


def test_channels_that_lead_into_the_void_are_errors(target: Mirror) -> None:
    target.delete("", COMPONENT)
    target.put("release-channel", release_image("v1.71.0"), "alpha")
    found = {(each.severity, each.subject): each.message for each in target.inventory().findings}
    assert list(found) == [("error", "platform")]
    assert "alpha (v1.71.0)" in found["error", "platform"] and "stable (v1.70.0)" in found["error", "platform"]
    assert "rock-solid" not in found["error", "platform"]


def test_what_is_refused_is_told_and_the_rest_is_read(target: Mirror) -> None:
    target.server.fail(Status(403, code="DENIED"), path="/modules/console", times=None)
    taken = target.inventory()
    assert {each.id for each in taken.findings if each.severity == "error"} >= {"R2"}
    assert taken.inventory.platform.versions and not taken.inventory.module("console").versions


def test_refused_credentials_are_a_failure() -> None:
    with mirror(auth=Basic()) as target, pytest.raises(AccessDenied, match="401"):
        target.inventory()


def test_an_empty_registry_holds_nothing() -> None:
    with mirror() as target:
        target.server.store.repositories.clear()
        taken = target.inventory()
    assert taken.inventory == Inventory(images_repo=target.address) and not taken.findings


def test_a_plan_starts_from_what_landed(target: Mirror) -> None:
    offered = planning.platform(" ".join(SHAPE.versions), planning.channels(stable="v1.70.0"))

    def carried() -> list[str]:
        inventory = plain(target.inventory().inventory)
        plan = planning.document_of(planning.cluster(version="v1.68.0"), vendor=offered, inventory=inventory)
        return list(plan["content"]["platform"]["versions"])

    assert carried() == ["v1.68.4", "v1.69.0", "v1.70.0"]
    target.delete("", "v1.68.0")
    assert carried()[0] == "v1.68.0", "what runs is incomplete, and brought again"
