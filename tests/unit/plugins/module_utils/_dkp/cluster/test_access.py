# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How a cluster itself reads its registry: what a check has to use to see what the nodes see."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ansible_collections.dkp.airgap.plugins.module_utils._dkp.cluster.access import RegistryAccess, registry_access
from ansible_collections.dkp.airgap.plugins.module_utils._dkp.cluster.objects import observe
from ansible_collections.dkp.airgap.tests.kit.cluster_objects import VIRTUAL_REGISTRY, registry_secret
from ansible_collections.dkp.airgap.tests.kit.module_objects import platform_config
from ansible_collections.dkp.airgap.tests.kit.observed import observed

REPO = "registry.example/dkp/ee"
PASSWORD = "correct-horse-battery"
PLAIN = registry_secret(REPO, scheme="https", username="nodes", password=PASSWORD)
VIRTUAL = registry_secret(VIRTUAL_REGISTRY, scheme="https")


def access(*objects: dict[str, Any]) -> RegistryAccess | None:
    return registry_access(observe(observed(list(objects))))


def test_nodes_of_an_unmanaged_cluster_use_the_secret() -> None:
    found = access(PLAIN)
    assert found is not None and (found.images_repo, found.scheme) == (REPO, "https")
    assert "registry.example" in json.loads(found.docker_config)["auths"]
    assert PASSWORD not in repr(found)


@pytest.mark.parametrize(
    "given, expected",
    [
        ({"username": "mirror", "password": PASSWORD}, ("mirror", PASSWORD)),
        ({"license": PASSWORD}, ("license-token", PASSWORD)),
        ({}, ("", "")),
    ],
)
@pytest.mark.parametrize("mode", ["Direct", "Proxy"])
def test_managed_modes_have_their_own_credentials(mode: str, given: dict[str, str], expected: tuple[str, str]) -> None:
    block = {"imagesRepo": REPO, "scheme": "HTTPS", "ca": "PEM", **given}
    found = access(VIRTUAL, platform_config(channel="Stable", registry={"mode": mode, mode.lower(): block}))
    assert found is not None and (found.images_repo, found.ca) == (REPO, "PEM")
    assert (found.username, found.password) == expected and found.docker_config == ""
    assert PASSWORD not in repr(found)


def test_a_cluster_with_its_registry_inside_has_none_that_could_be_checked() -> None:
    assert access(VIRTUAL, platform_config(channel="Stable", registry={"mode": "Local"})) is None
    assert access() is None
