# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the info modules tell of a registry."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.dkp.airgap.plugins.module_utils._dkp.channels import KNOWN_CHANNELS
from ansible_collections.dkp.airgap.plugins.module_utils._dkp.constraint import parse_constraint, parse_filter
from ansible_collections.dkp.airgap.plugins.module_utils._mirror.catalogue import PlatformQuery, describe_platform
from ansible_collections.dkp.airgap.plugins.module_utils._mirror.memory import HostMemory
from ansible_collections.dkp.airgap.plugins.module_utils._mirror.module_catalogue import ModuleQuery, describe_modules
from ansible_collections.dkp.airgap.plugins.module_utils._oci.reference import parse_address
from ansible_collections.dkp.airgap.plugins.module_utils._registry.client import Registry
from ansible_collections.dkp.airgap.plugins.module_utils._registry.errors import AccessDenied
from ansible_collections.dkp.airgap.plugins.module_utils._registry.options import RegistryOptions
from ansible_collections.dkp.airgap.tests.kit.content import layer_of
from ansible_collections.dkp.airgap.tests.kit.faults import Status
from ansible_collections.dkp.airgap.tests.kit.faulty import FaultyRegistry
from ansible_collections.dkp.airgap.tests.kit.images import image_of
from ansible_collections.dkp.airgap.tests.kit.shape import SMALL, Channel
from ansible_collections.dkp.airgap.tests.kit.tree import Tree, build

SHAPE = replace(
    SMALL,
    channels=(*SMALL.channels[:-1], Channel("rock-solid", "v1.68.0", suspended=True)),
    versions=(*SMALL.versions, "v1.73.0-rc.1"),
    components=2,
)
JUMPING = b"""\
name: console
requirements:
  deckhouse: ">= 1.67"
  modules:
    prometheus: ">= 0.0.0"
update:
  versions:
    - from: 1.34
      to: "1.36"
"""


@pytest.fixture(scope="module")
def tree() -> Tree:
    """console v1.36.2 describes itself in its own image only, with a jump; v1.35.4 nowhere."""
    tree = build(SHAPE)
    bare = image_of([layer_of({"version.json": b'{"version": "1.36.2"}'})])
    tree.repository("modules/console/release").add(bare, "v1.36.2", "stable")
    own = image_of([layer_of({"module.yaml": JUMPING, "images_digests.json": b"{}"})])
    tree.repository("modules/console").add(own, "v1.36.2")
    tree.repository("modules/console/release").add(
        image_of([layer_of({"version.json": b'{"version": "v1.35.4"}'})]), "v1.35.4"
    )
    tree.repository("modules/console").add(image_of([layer_of({"templates/x": b"x"})]), "v1.35.4")
    return tree


@pytest.fixture
def source(tree: Tree) -> Iterator[FaultyRegistry]:
    with FaultyRegistry(tree) as registry:
        yield registry


@pytest.fixture
def registry(source: FaultyRegistry) -> Iterator[Registry]:
    client = Registry(RegistryOptions(parse_address(f"{source.host}/{SHAPE.edition_root}"), scheme="http"))
    yield client
    client.close()


def platform(registry: Registry, constraint: str = "", **options: Any) -> dict[str, Any]:
    asked = parse_constraint(constraint, where="platform_versions") if constraint else None
    return describe_platform(registry, HostMemory(None), PlatformQuery(constraint=asked, **options))


def modules(registry: Registry, *filters: str, **options: Any) -> dict[str, Any]:
    asked = [parse_filter(text, where="modules") for text in filters] if filters else None
    return describe_modules(registry, HostMemory(None), ModuleQuery(asked, **{"channels": ("stable",), **options}))


def test_channels_are_told_in_the_order_of_the_contract(registry: Registry, tree: Tree) -> None:
    told = platform(registry)
    assert told["edition"] == "EE"
    assert list(told["channels"]) == list(KNOWN_CHANNELS)
    stable = told["channels"]["stable"]
    assert stable["digest"] == tree.tags("release-channel")["stable"]
    assert (stable["version"], stable["suspended"]) == ("v1.69.0", False)
    assert stable["requirements"]["k8s"] == "1.28" and stable["disruptions"] == {"1.69": ["ingressNginx"]}
    assert stable["canary"]["stable"] == {"enabled": True, "waves": 6, "interval": "30m"}
    assert told["channels"]["rock-solid"]["suspended"], "a suspended release is told, not refused"
    assert told["channels"]["lts"] == {"exists": False}
    assert told["releases"] == {} and "changelog" not in stable
    assert told["versions"] == [*SMALL.versions, "v1.73.0-rc.1"], "ascending, and no channel among them"


# constraint, the versions whose metadata is told: the newest of each minor, bounds, and what any channel points to
CONSTRAINTS = [
    (">=1.68.0 <=1.69.2", ["v1.68.0", "v1.68.4", "v1.69.0", "v1.69.2"]),
    ("~1.72.0", ["v1.72.10"]),
    ("=v1.72.9", ["v1.72.9"]),
    ("=v1.99.0", []),
    (">=1.90.0", []),
]


@pytest.mark.parametrize("constraint, versions", CONSTRAINTS)
def test_a_constraint_tells_what_a_pull_would_take(registry: Registry, constraint: str, versions: list[str]) -> None:
    told = platform(registry, constraint, channels=("alpha",), changelog=True)
    assert list(told["releases"]) == versions
    assert list(told["channels"]) == ["alpha"]
    assert told["channels"]["alpha"]["changelog"]
    for version, release in told["releases"].items():
        assert release.keys() == {"version", "digest", "requirements", "disruptions", "changelog"}
        assert release["version"] == version and version in str(release["changelog"])


def test_a_registry_without_releases_is_told_as_that(source: FaultyRegistry) -> None:
    client = Registry(RegistryOptions(parse_address(f"{source.host}/nothing/here"), scheme="http"))
    told = platform(client)
    assert told["edition"] is None and not told["versions"]
    assert set(map(str, told["channels"].values())) == {"{'exists': False}"}
    assert modules(client) == {
        "images_repo": f"{source.host}/nothing/here",
        "modules_path": "modules",
        "edition": None,
        "modules": {},
        "denied": [],
    }


def test_modules_are_described_from_wherever_they_describe_themselves(registry: Registry) -> None:
    told = modules(registry, "console@>=1.35.0", "sdn", "typo")
    console = told["modules"]["console"]
    assert told["modules"]["typo"] == {"exists": False}
    assert console["versions"] == ["v1.34.0", "v1.35.4", "v1.36.2", "v1.37.0"]
    assert console["channels"]["stable"]["version"] == "v1.36.2"
    assert list(console["releases"]) == ["v1.35.4", "v1.36.2", "v1.37.0"]
    assert console["releases"]["v1.37.0"]["requirements"] == {"deckhouse": ">= 1.67", "kubernetes": ">= 1.27"}
    own = console["releases"]["v1.36.2"]
    assert own["requirements"] == {"deckhouse": ">= 1.67", "modules": {"prometheus": ">= 0.0.0"}}
    assert own["jumps"] == [{"from": "1.34", "to": "1.36"}]
    assert console["releases"]["v1.35.4"]["requirements"] == {} and console["releases"]["v1.35.4"]["jumps"] == []
    assert told["modules"]["sdn"]["releases"] == {}


def test_constraints_of_a_repeated_name_combine(registry: Registry) -> None:
    told = modules(registry, "console@=v1.37.0", "console", "console@~1.34.0", channels=("lts",))
    assert list(told["modules"]["console"]["releases"]) == ["v1.34.0", "v1.37.0"]
    assert told["modules"]["console"]["channels"] == {"lts": {"exists": False}}


def test_what_the_licence_does_not_cover_is_left_out_unless_it_was_named(
    source: FaultyRegistry, registry: Registry
) -> None:
    source.fail(Status(403, code="DENIED"), path=r"/modules/sdn/", times=None)
    told = modules(registry)
    assert told["denied"] == ["sdn"] and told["modules"]["sdn"] == {"exists": False}
    assert told["modules"]["console"]["exists"]
    with pytest.raises(AccessDenied, match="sdn"):
        modules(registry, "sdn")


def test_what_the_host_remembers_is_not_read_again(source: FaultyRegistry, registry: Registry, tmp_path: Path) -> None:
    memory = HostMemory(tmp_path)
    first = describe_platform(registry, memory, PlatformQuery())
    blobs = source.count("GET", r"/blobs/")
    assert describe_platform(registry, memory, PlatformQuery()) == first
    assert source.count("GET", r"/blobs/") == blobs
