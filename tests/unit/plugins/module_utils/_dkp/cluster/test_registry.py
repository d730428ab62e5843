# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where a cluster takes its images from: the rule of §3.3, in every mode, and what is kept of Secrets."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.dkp.airgap.plugins.module_utils._dkp.cluster.facts import RegistryFacts
from ansible_collections.dkp.airgap.plugins.module_utils._dkp.cluster.reading import cluster_facts
from ansible_collections.dkp.airgap.plugins.module_utils._dkp.fields import plain
from ansible_collections.dkp.airgap.plugins.module_utils._oci.errors import InvalidContent
from ansible_collections.dkp.airgap.tests.kit.cluster_objects import (
    SYSTEM,
    VIRTUAL_REGISTRY,
    deployment,
    discovery_secret,
    registry_secret,
    release,
    secret,
)
from ansible_collections.dkp.airgap.tests.kit.clusters import direct_mode
from ansible_collections.dkp.airgap.tests.kit.module_objects import module_source, platform_config
from ansible_collections.dkp.airgap.tests.kit.observed import observed

REPO = "registry.example/dkp/ee"
PEM = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----"
PASSWORD = "correct-horse-battery"


def registry(*objects: dict[str, Any], image: str = "elsewhere.example/x/ee") -> RegistryFacts | None:
    runs = deployment(version="v1.71.9", edition="EE", images_repo=image)
    return cluster_facts(observed([runs, *objects]), name="prod").registry


def settings(mode: str, **blocks: dict[str, Any]) -> dict[str, Any]:
    return platform_config(channel="Stable", registry={"mode": mode, **blocks})


def source(repo: str) -> dict[str, Any]:
    return module_source("deckhouse", repo=repo, scheme="HTTP")


def real(repo: str, **told: Any) -> RegistryFacts:
    """A registry that is where the cluster says."""
    return RegistryFacts(images_repo=repo, address=repo, **told)


def parts(**values: str) -> dict[str, Any]:
    return secret(SYSTEM, "deckhouse-registry", values=values)


VIRTUAL = registry_secret(VIRTUAL_REGISTRY, scheme="https")
ON_THE_NODE = "127.0.0.1:5001/system/deckhouse"
UPSTREAM = {"imagesRepo": "upstream.example/d/ee/", "scheme": "HTTP", "ca": PEM, "username": "u", "password": PASSWORD}


def upstream(mode: str, address: str = VIRTUAL_REGISTRY) -> RegistryFacts:
    return RegistryFacts("upstream.example/d/ee", "http", PEM, mode, address)


RULES: list[tuple[list[dict[str, Any]], RegistryFacts | None]] = [
    # rules 1 and 3: the Secret, whole or in parts
    ([registry_secret(REPO)], real(REPO)),
    ([registry_secret(REPO, scheme="http", authority=PEM)], real(REPO, scheme="http", ca=PEM)),
    ([registry_secret("registry.example:5000")], real("registry.example:5000")),
    ([parts(address="registry.example", path="/dkp/ee", scheme="HTTPS")], real(REPO)),
    ([parts(address="r.example", path="")], real("r.example")),
    # what else tells it
    ([discovery_secret(images_repo=REPO, channel="Stable")], real(REPO)),
    ([], real("elsewhere.example/x/ee")),
    # a block of settings that names the real one too
    ([registry_secret(REPO), settings("Unmanaged", unmanaged={"imagesRepo": REPO})], real(REPO)),
    ([registry_secret(REPO), settings("Direct", direct={"imagesRepo": REPO})], real(REPO, mode="Direct")),
    # rule 2
    ([VIRTUAL, settings("Direct", direct=UPSTREAM)], upstream("Direct")),
    ([VIRTUAL, settings("Proxy", proxy=UPSTREAM, direct={"imagesRepo": "no.example/x"})], upstream("Proxy")),
    ([VIRTUAL, settings("Proxy", proxy={**UPSTREAM, "ttl": "1h30m"})], replace(upstream("Proxy"), cache_seconds=5400)),
    ([VIRTUAL, settings("Local")], RegistryFacts(None, mode="Local", address=VIRTUAL_REGISTRY)),
    # half of a change: the Secret says what is used
    ([registry_secret(REPO), settings("Direct", direct=UPSTREAM)], real(REPO)),
    ([VIRTUAL, settings("Unmanaged", unmanaged={"imagesRepo": REPO})], RegistryFacts(REPO, address=VIRTUAL_REGISTRY)),
    # nothing names the real one
    ([VIRTUAL], None),
    ([VIRTUAL, settings("Direct")], None),
    # rule 5: an address of the node itself; but a registry may really be there
    ([registry_secret(ON_THE_NODE), settings("Direct", direct=UPSTREAM)], upstream("Direct", ON_THE_NODE)),
    ([registry_secret(ON_THE_NODE)], real(ON_THE_NODE)),
    # rule 4
    ([registry_secret(REPO), source(f"{REPO}/modules")], real(REPO, source_agrees=True)),
    ([registry_secret(REPO), source("other.example/modules")], real(REPO, source_agrees=False)),
]


@pytest.mark.parametrize(("objects", "expected"), RULES)
def test_the_registry_is_found_by_the_rule(objects: list[dict[str, Any]], expected: RegistryFacts | None) -> None:
    assert registry(*objects) == expected


def test_without_secrets_the_source_of_modules_tells_address_and_scheme() -> None:
    read = observed([source(f"{REPO}/modules")], unread=["Secret", "Deployment"])
    read["DeckhouseRelease"] = [release("v1.70.1", phase="Deployed")]
    assert cluster_facts(read, name="prod").registry == real(REPO, scheme="http", source_agrees=True)


@pytest.mark.parametrize("mode", ["Direct", "Proxy", "Local"])
def test_modes_of_whole_clusters(mode: str) -> None:
    found = cluster_facts(observed(direct_mode(mode=mode)), name="prod").registry
    assert found is not None
    assert found.mode == mode
    assert found.images_repo == (None if mode == "Local" else "registry.example/dkp/ee")
    assert found.address == VIRTUAL_REGISTRY
    assert found.source_agrees


def secretive() -> dict[str, Any]:
    """A cluster in whose every corner lies a secret."""
    dockercfg = base64.b64encode(f"user:{PASSWORD}".encode()).decode()
    proxied = f"kubernetesVersion: Automatic\nproxy: {{httpProxy: 'http://u:{PASSWORD}@proxy.example'}}\n"
    update = json.dumps({"mode": "Auto", "notification": {"auth": {"basic": {"password": PASSWORD}}}})
    discovery = discovery_secret(images_repo=REPO, channel="Stable")
    discovery["data"]["updateSettings.json"] = base64.b64encode(update.encode()).decode()
    modules = module_source("deckhouse", repo=f"{REPO}/modules")
    modules["spec"]["registry"]["dockerCfg"] = dockercfg
    return observed(
        [
            deployment(version="v1.71.9", edition="EE", images_repo=REPO),
            registry_secret(VIRTUAL_REGISTRY, username="puller", password=PASSWORD, authority=PEM),
            secret("kube-system", "d8-cluster-configuration", values={"cluster-configuration.yaml": proxied}),
            secret("d8-system", "something-else", values={"token": PASSWORD}),
            discovery,
            modules,
            settings("Direct", direct={**UPSTREAM, "license": PASSWORD}),
        ]
    )


def test_nothing_of_a_secret_is_kept_but_addresses_scheme_and_ca() -> None:
    text = json.dumps(plain(cluster_facts(secretive(), name="prod")))
    assert "upstream.example/d/ee" in text, "the cluster was read"
    dockercfg = base64.b64encode(f"user:{PASSWORD}".encode()).decode()
    pull = base64.b64encode(f"puller:{PASSWORD}".encode()).decode()
    for hidden in (PASSWORD, dockercfg, pull, "dockerconfigjson", "proxy.example", "puller"):
        assert hidden not in text


@pytest.mark.parametrize(
    "value", [f"https://user:{PASSWORD}@r.example/dkp", f"user:{PASSWORD}@r.example/dkp", f"r.example/{PASSWORD}?"]
)
def test_errors_do_not_repeat_what_may_be_secret(value: str) -> None:
    with pytest.raises(InvalidContent) as caught:
        registry(parts(imagesRegistry=value))
    assert 'Secret d8-system/deckhouse-registry: data: "imagesRegistry"' in str(caught.value)
    assert PASSWORD not in repr(caught.value)


@pytest.mark.parametrize("text", [f"[{PASSWORD}", f"kubernetesVersion: 'x\n{PASSWORD}", "\x00" + PASSWORD])
def test_a_broken_configuration_is_named_and_not_shown(text: str) -> None:
    broken = secret("kube-system", "d8-cluster-configuration", values={"cluster-configuration.yaml": text})
    with pytest.raises(InvalidContent) as caught:
        registry(broken)
    assert "cluster-configuration.yaml" in str(caught.value)
    assert PASSWORD not in str(caught.value)
    assert caught.value.__suppress_context__


def test_what_is_not_base64_is_named_and_not_shown() -> None:
    broken = secret(SYSTEM, "deckhouse-registry", values={})
    broken["data"] = {"imagesRegistry": f"{PASSWORD}!"}
    with pytest.raises(InvalidContent, match=r'data."imagesRegistry": not base64') as caught:
        registry(broken)
    assert PASSWORD not in str(caught.value)
