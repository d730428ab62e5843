# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the info modules read for a plan: the releases on the ways, no others, and in how many requests."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.dkp.airgap.plugins.module_utils._dkp.constraint import parse_constraint, parse_filter
from ansible_collections.dkp.airgap.plugins.module_utils._dkp.plan.updates import parse_module_updates, parse_updates
from ansible_collections.dkp.airgap.plugins.module_utils._mirror.catalogue import PlatformQuery, describe_platform
from ansible_collections.dkp.airgap.plugins.module_utils._mirror.memory import HostMemory
from ansible_collections.dkp.airgap.plugins.module_utils._mirror.module_catalogue import ModuleQuery, describe_modules
from ansible_collections.dkp.airgap.plugins.module_utils._oci.reference import parse_address
from ansible_collections.dkp.airgap.plugins.module_utils._registry.client import Registry
from ansible_collections.dkp.airgap.plugins.module_utils._registry.errors import AccessDenied
from ansible_collections.dkp.airgap.plugins.module_utils._registry.options import RegistryOptions
from ansible_collections.dkp.airgap.tests.kit import release_files
from ansible_collections.dkp.airgap.tests.kit.content import layer_of
from ansible_collections.dkp.airgap.tests.kit.faults import Status
from ansible_collections.dkp.airgap.tests.kit.faulty import FaultyRegistry
from ansible_collections.dkp.airgap.tests.kit.images import Image, image_of
from ansible_collections.dkp.airgap.tests.kit.shape import SMALL, Channel, ModuleShape
from ansible_collections.dkp.airgap.tests.kit.tree import Tree, build

SHAPE = replace(
    SMALL,
    channels=(*SMALL.channels, Channel("lts", "v1.70.0")),
    components=1,
    modules=(
        *SMALL.modules,
        ModuleShape("steps", ("v0.4.2", "v0.9.1", "v1.0.3", "v1.1.0"), (Channel("stable", "v1.1.0"),)),
    ),
)
STEPS_JUMP = b"name: steps\nupdate:\n  versions:\n    - from: 0.4\n      to: '1.1'\n"
GONE = Status(404, code="MANIFEST_UNKNOWN")
DENIED = Status(403, code="DENIED")


@pytest.fixture(scope="module")
def tree() -> Tree:
    """steps v1.1.0 tells its jump in its own image only; a registry lists it as the one stable points to."""
    tree = build(SHAPE)
    tree.repository("modules/steps/release").add(
        image_of([layer_of({"version.json": b'{"version": "v1.1.0"}'})]), "v1.1.0", "stable"
    )
    tree.repository("modules/steps").add(image_of([layer_of({"module.yaml": STEPS_JUMP})]), "v1.1.0")
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


def platform(registry: Registry, *ways: tuple[str | None, str], **options: Any) -> dict[str, Any]:
    updates = parse_updates([{"from": start, "to": end} for start, end in ways], where="updates")
    return describe_platform(registry, HostMemory(None), PlatformQuery(updates=updates, **options))


def modules(registry: Registry, *ways: tuple[str, str | None, str], **options: Any) -> dict[str, Any]:
    given = [{"module": module, "from": start, "to": end} for module, start, end in ways]
    query = ModuleQuery(updates=parse_module_updates(given, where="updates"), **options)
    return describe_modules(registry, HostMemory(None), query)


def asked(source: FaultyRegistry) -> dict[str, int]:
    """How many requests of each kind there were; all others under their method and path."""
    counts: dict[str, int] = {}
    for one in source.exchanges:
        kinds = [kind for kind in ("tags", "manifests", "blobs") if f"/{kind}/" in one.target and one.method == "GET"]
        name = kinds[0] if kinds else f"{one.method} {one.target}"
        counts[name] = counts.get(name, 0) + 1
    return counts


def configs(images: Iterator[tuple[str, Image]]) -> set[str]:
    return {image.blobs[0].digest for _path, image in images if image.blobs}


# ways, channels read, versions read, requests for them
PLATFORM = [
    # the last step is the channel's own image: only its manifest is asked for
    ([("v1.67.1", "early-access")], ["early-access"], ["v1.68.4", "v1.69.2", "v1.70.0"], (1, 4, 3)),
    ([("v1.67.1", "v1.69.0")], [], ["v1.68.4", "v1.69.0"], (1, 2, 2)),
    # two clusters, one channel: what they share is read once
    (
        [("v1.66.3", "stable"), ("v1.68.0", "stable")],
        ["stable"],
        ["v1.67.1", "v1.68.4", "v1.69.0"],
        (1, 4, 3),
    ),
    ([("v1.66.3", "lts")], ["lts"], ["v1.70.0"], (1, 2, 1)),
    ([(None, "beta")], ["beta"], ["v1.71.0"], (1, 2, 1)),
    # there already, and a channel that was pointed back
    ([("v1.69.0", "stable"), ("v1.72.9", "stable")], ["stable"], [], (1, 1, 1)),
    ([], [], [], (1, 0, 0)),
]


@pytest.mark.parametrize(("ways", "channels", "versions", "requests"), PLATFORM)
def test_the_releases_of_the_platform_on_the_way_are_read_and_no_others(
    source: FaultyRegistry,
    registry: Registry,
    tree: Tree,
    ways: list[tuple[str | None, str]],
    channels: list[str],
    versions: list[str],
    requests: tuple[int, int, int],
) -> None:
    told = platform(registry, *ways)
    assert list(told["channels"]) == channels and list(told["releases"]) == versions and told["stray"] == []
    assert told["versions"] == list(SHAPE.versions)
    assert told["images_repo"] == f"{source.host}/deckhouse/ee"
    for version, release in told["releases"].items():
        assert release["version"] == version and release["digest"] == tree.tags("release-channel")[version]
    expected = dict(zip(("tags", "manifests", "blobs"), requests))
    assert asked(source) == {kind: count for kind, count in expected.items() if count}
    assert sum(requests) <= 2 * (len(versions) + len(channels)) + 1
    fetched = {one.target.rpartition("/")[2] for one in source.requests("GET", "/blobs/")}
    assert not fetched & configs(tree.manifests())


MODULES = [
    (
        [("console", "v1.34.0", "beta")],
        {"console": (["beta"], ["v1.35.4", "v1.36.2", "v1.37.0"], [*SMALL.modules[0].versions])},
        (2, 4, 3),
    ),
    (
        [("console", "v1.34.0", "stable"), ("console", "v1.35.4", "stable"), ("sdn", None, "alpha")],
        {
            "console": (["stable"], ["v1.35.4", "v1.36.2"], ["v1.34.0", "v1.35.4", "v1.36.2"]),
            "sdn": (["alpha"], ["v0.5.0"], ["v0.5.0"]),
        },
        (3, 5, 3),
    ),
    # the release of the version that is asked for says what can be jumped over; it is asked for once
    ([("console", "v1.34.0", "v1.36.2")], {"console": ([], ["v1.35.4", "v1.36.2"], None)}, (2, 2, 2)),
    # what release image and channel leave to the module's own image is read there once
    ([("steps", "v0.4.2", "stable")], {"steps": (["stable"], ["v1.1.0"], None)}, (2, 3, 2)),
    # nothing to do
    ([("sdn", "v0.4.2", "stable")], {"sdn": (["stable"], [], ["v0.4.2"])}, (2, 1, 1)),
    ([], {}, (1, 0, 0)),
]


@pytest.mark.parametrize(("ways", "expected", "requests"), MODULES)
def test_the_releases_of_modules_on_the_way_are_read_and_no_others(
    source: FaultyRegistry,
    registry: Registry,
    tree: Tree,
    ways: list[tuple[str, str | None, str]],
    expected: dict[str, Any],
    requests: tuple[int, int, int],
) -> None:
    told = modules(registry, *ways)
    assert list(told["modules"]) == list(expected)
    for name, (channels, steps, versions) in expected.items():
        module = told["modules"][name]
        assert module["exists"] and list(module["channels"]) == channels and module["stray"] == []
        assert list(module["releases"]) == steps
        assert versions is None or module["versions"] == versions, "those between the ends"
        for version, release in module["releases"].items():
            assert release["version"] == version
            assert release["digest"] == tree.tags(f"modules/{name}/release")[version]
            assert release.keys() == {"version", "digest", "requirements", "jumps"}
    counts = dict(zip(("tags", "manifests", "blobs"), requests))
    assert asked(source) == {kind: count for kind, count in counts.items() if count}
    fetched = {one.target.rpartition("/")[2] for one in source.requests("GET", "/blobs/")}
    assert not fetched & configs(tree.manifests())


def test_the_jump_that_shortened_a_way_is_told(registry: Registry) -> None:
    told = modules(registry, ("steps", "v0.4.2", "stable"))
    assert told["modules"]["steps"]["releases"]["v1.1.0"]["jumps"] == [{"from": "0.4", "to": "1.1"}]
    assert told["modules_path"] == "modules"


def test_a_channel_that_is_not_there_leaves_nothing_to_read(source: FaultyRegistry, registry: Registry) -> None:
    told = modules(registry, ("sdn", "v0.4.2", "beta"), ("typo", "v1.0.0", "stable"))
    assert told["modules"]["sdn"] == {
        "exists": True,
        "channels": {"beta": {"exists": False}},
        "versions": ["v0.4.2"],
        "releases": {},
        "stray": [],
    }
    assert told["modules"]["typo"] == {"exists": False}
    source.fail(GONE, path="/release-channel/manifests/beta", times=None)
    told = platform(registry, ("v1.67.1", "beta"))
    assert told["channels"] == {"beta": {"exists": False}} and told["releases"] == {} and told["versions"]


def test_a_tag_without_an_image_makes_the_next_lower_patch_the_step(source: FaultyRegistry, registry: Registry) -> None:
    source.fail(GONE, path=r"/release-channel/manifests/v1\.(68\.4|69\.2|70\.0)$", times=None)
    told = platform(registry, ("v1.67.1", "early-access"))
    assert told["stray"] == ["v1.68.4", "v1.69.2", "v1.70.0"]
    assert list(told["releases"]) == ["v1.68.0", "v1.69.0"]
    source.fail(GONE, path=r"/release-channel/manifests/v1\.6(8\.0|9\.0)$", times=None)
    told = platform(registry, ("v1.67.1", "early-access"))
    assert told["stray"] == ["v1.68.0", "v1.68.4", "v1.69.0", "v1.69.2", "v1.70.0"] and told["releases"] == {}


@pytest.mark.parametrize("end", ["stable", "v1.36.2"])
def test_a_version_of_a_module_without_a_release_image_is_named(
    source: FaultyRegistry, registry: Registry, end: str
) -> None:
    source.fail(GONE, path=r"/console/release/manifests/v1\.36\.2$", times=None)
    told = modules(registry, ("console", "v1.34.0", end), ("sdn", "v0.4.2", "alpha"))
    console = told["modules"]["console"]
    assert console["stray"] == ["v1.36.2"] and list(console["releases"]) == ["v1.35.4"]
    assert told["modules"]["sdn"]["stray"] == [] and list(told["modules"]["sdn"]["releases"]) == ["v0.5.0"]
    assert source.count("GET", r"console/release/manifests/v1\.36\.2") == 1, "what is missing is not asked for again"


def test_a_target_that_is_nowhere_is_named(registry: Registry) -> None:
    assert platform(registry, (None, "v1.99.0"))["stray"] == ["v1.99.0"]
    console = modules(registry, ("console", None, "v1.99.0"), ("console", "v1.34.0", "v1.99.0"))["modules"]["console"]
    assert console["stray"] == ["v1.99.0"]
    assert list(console["releases"]) == ["v1.35.4", "v1.36.2", "v1.37.0"]


def test_an_image_that_says_another_version_is_told_as_it_is() -> None:
    tree = build(SHAPE)
    wrong = image_of([layer_of({"version.json": release_files.platform_version_json("v1.68.0")})])
    tree.repository("release-channel").add(wrong, "v1.68.4")
    silent = image_of([layer_of({"module.yaml": b"name: console\n"})])
    tree.repository("modules/console/release").add(silent, "v1.35.4")
    with FaultyRegistry(tree) as source:
        client = Registry(RegistryOptions(parse_address(f"{source.host}/{SHAPE.edition_root}"), scheme="http"))
        release = platform(client, ("v1.67.1", "stable"))["releases"]["v1.68.4"]
        assert (release["version"], release["digest"]) == ("v1.68.0", wrong.digest)
        told = modules(client, ("console", "v1.34.0", "stable"))
        assert told["modules"]["console"]["releases"]["v1.35.4"]["version"] is None
        client.close()


def test_updates_join_what_else_was_asked_for(registry: Registry) -> None:
    constraint = parse_constraint("~1.72.0", where="platform_versions")
    told = platform(registry, ("v1.68.4", "stable"), constraint=constraint)
    assert list(told["channels"]) == ["stable"]
    assert list(told["releases"]) == ["v1.69.0", "v1.72.10"]
    assert list(platform(registry, (None, "stable"), channels=("alpha",))["channels"]) == ["alpha", "stable"]
    filters = [parse_filter(text, where="modules") for text in ("console@~1.37.0", "operator-trivy")]
    modules_told = modules(registry, ("console", "v1.35.4", "stable"), filters=filters)["modules"]
    assert list(modules_told) == ["console", "operator-trivy"]
    assert list(modules_told["console"]["channels"]) == ["stable"], "of a module with updates only those"
    assert list(modules_told["console"]["releases"]) == ["v1.36.2", "v1.37.0"]
    assert modules_told["console"]["versions"] == list(SMALL.modules[0].versions), "all of what was named"
    assert len(modules_told["operator-trivy"]["channels"]) == 6


@pytest.mark.parametrize("denied", [r"/modules/sdn/release/manifests/alpha", r"/modules/sdn/tags", r"/v0\.5\.0"])
def test_what_the_licence_does_not_cover_is_told_unless_a_person_named_it(
    source: FaultyRegistry, registry: Registry, denied: str
) -> None:
    source.fail(DENIED, path=denied, times=None)
    ways = [("console", "v1.34.0", "stable"), ("sdn", "v0.4.2", "alpha")]
    told = modules(registry, *ways)
    assert told["denied"] == ["sdn"] and told["modules"]["sdn"] == {"exists": False}
    assert list(told["modules"]["console"]["releases"]) == ["v1.35.4", "v1.36.2"]
    with pytest.raises(AccessDenied, match="sdn"):
        modules(registry, *ways, filters=[parse_filter("sdn", where="modules")])


def test_modules_are_read_side_by_side(registry: Registry, source: FaultyRegistry) -> None:
    source.behaviour = replace(source.behaviour, latency=0.03)
    modules(registry, *((name, None, "stable") for name in ("console", "sdn", "steps", "operator-trivy")))
    assert source.peak(r"/release/manifests/stable$") == source.peak(r"/modules/[a-z-]+/tags/") == 4


def test_what_the_host_remembers_costs_manifests_only(
    source: FaultyRegistry, registry: Registry, tmp_path: Path
) -> None:
    query = ModuleQuery(
        updates=parse_module_updates([{"module": "console", "from": "v1.34.0", "to": "beta"}], where="u")
    )
    first = describe_modules(registry, HostMemory(tmp_path), query)
    source.exchanges.clear()
    assert describe_modules(registry, HostMemory(tmp_path), query) == first
    assert asked(source) == {"tags": 2, "manifests": 4}
