# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The way back: what pointers said before a publication is kept, and only a registry that can show it is led there."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.dkp.airgap.plugins.module_utils._mirror.memory import HostMemory
from ansible_collections.dkp.airgap.plugins.module_utils._mirror.restoring import RestoreResult, restore_pointers
from ansible_collections.dkp.airgap.plugins.module_utils._mirror.saving import (
    SaveRequest,
    SaveResult,
    read_saved,
    save_pointers,
)
from ansible_collections.dkp.airgap.plugins.module_utils._oci.errors import AirgapError, InvalidInput
from ansible_collections.dkp.airgap.plugins.module_utils._oci.reference import parse_address
from ansible_collections.dkp.airgap.plugins.module_utils._registry.client import Registry
from ansible_collections.dkp.airgap.plugins.module_utils._registry.options import RegistryOptions
from ansible_collections.dkp.airgap.plugins.module_utils._registry.stopping import Stopping
from ansible_collections.dkp.airgap.tests.kit.bundles import TINY, write_bundle
from ansible_collections.dkp.airgap.tests.kit.faults import Status
from ansible_collections.dkp.airgap.tests.kit.faulty import FaultyRegistry
from ansible_collections.dkp.airgap.tests.kit.pushing import ROOT, held, push_bundle, tags
from ansible_collections.dkp.airgap.tests.kit.servers import Server
from ansible_collections.dkp.airgap.tests.kit.shape import Channel, ModuleShape
from ansible_collections.dkp.airgap.tests.kit.tree import build

CHANNEL = "release-channel"
CONSOLE = replace(TINY.modules[0], versions=(*TINY.modules[0].versions, "v1.38.0"),
                  channels=(Channel("alpha", "v1.38.0"), Channel("stable", "v1.37.0")))  # fmt: skip
NEWER = replace(TINY, versions=("v1.69.0", "v1.70.0", "v1.71.0"), security_created="2026-02-10T06:00:00Z",
                modules=(CONSOLE, ModuleShape("fresh", ("v0.1.0",), (Channel("stable", "v0.1.0"),))),
                channels=(Channel("alpha", "v1.71.0"), Channel("beta", "v1.70.0"), Channel("stable", "v1.70.0"),
                          Channel("rock-solid", "v1.69.0")))  # fmt: skip
NEW = {"modules:fresh", "modules/fresh/release:stable", f"{CHANNEL}:beta", "install:beta", "install-standalone:beta"}
"""What NEWER brings that was not there with TINY."""


@pytest.fixture(scope="module")
def older(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("older")
    write_bundle(build(TINY), path)
    return path


@pytest.fixture(scope="module")
def newer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("newer")
    write_bundle(build(NEWER), path)
    return path


class Way:
    """`mirror_pointers` on one registry and file."""

    def __init__(self, registry: FaultyRegistry | Server, path: Path) -> None:
        self.path = path
        self._options = RegistryOptions(parse_address(f"{registry.host}/{ROOT}"), scheme="http", timeout=10)

    def save(self, *sources: Path, check_mode: bool = False) -> SaveResult:
        registry = Registry(self._options)
        try:
            return save_pointers(
                SaveRequest(sources, "modules", self.path, 0o640, check_mode), registry, HostMemory(None)
            )
        finally:
            registry.close()

    def restore(self, *, check_mode: bool = False) -> RestoreResult:
        saved = read_saved(self.path, str(self._options.address), "modules")
        assert saved is not None
        registry = Registry(self._options)
        try:
            return restore_pointers(saved, registry, Stopping(), modules_path="modules", check_mode=check_mode)
        finally:
            registry.close()


@pytest.fixture
def way(registry: FaultyRegistry, tmp_path: Path) -> Way:
    return Way(registry, tmp_path / "pointers.json")


def rows(path: Path) -> dict[str, Any]:
    return {f"{row['repository']}:{row['tag']}": row for row in json.loads(path.read_text())["pointers"]}


def shown(registry: FaultyRegistry) -> dict[str, str]:
    places = (CHANNEL, "modules", "modules/console/release", "modules/fresh/release", "security/trivy-db")
    return {f"{place}:{tag}": digest for place in places for tag, digest in tags(registry, place).items()
            if not re.match(r"v\d", tag)}  # fmt: skip


def puts(registry: FaultyRegistry, start: int = 0) -> list[str]:
    paths = [one.target.partition(f"/{ROOT}")[2].lstrip("/") for one in registry.requests("PUT|POST|PATCH")][start:]
    return [path.replace("/manifests/", ":") for path in paths]


def test_there_and_back(registry: FaultyRegistry, way: Way, older: Path, newer: Path) -> None:
    push_bundle(registry.host, older, state=None)
    before = shown(registry)
    push_bundle(registry.host, newer, state=None, publish="content")
    saved = way.save(newer)
    assert not saved.kept and way.path.stat().st_mode & 0o777 == 0o640
    written = rows(way.path)
    assert written[f"{CHANNEL}:stable"]["version"] == "v1.69.0"
    assert base64.b64decode(written[f"{CHANNEL}:stable"]["manifest"])
    assert {name for name, row in written.items() if row["digest"] is None} == NEW
    assert "modules:console" not in written, "a name that is there is not written again"

    push_bundle(registry.host, newer, state=None)
    after, start = shown(registry), len(puts(registry))
    told = way.restore(check_mode=True)
    assert told.changed and shown(registry) == after and len(puts(registry)) == start, "check mode writes nothing"
    assert way.restore() == told
    now = shown(registry)
    assert {name: digest for name, digest in now.items() if name not in NEW} == before
    assert {finding.subject for finding in told.findings if finding.id == "kept"} == NEW
    assert all(change.before == after[f"{change.repository}:{change.tag}"] for change in told.tags
               if f"{change.repository}:{change.tag}" in after)  # fmt: skip

    order = puts(registry, start)
    platform = [name for name in order if name.startswith(CHANNEL)]
    assert platform == [f"{CHANNEL}:alpha", f"{CHANNEL}:stable"], "the highest risk, published last, goes first"
    last_of_platform = order.index(f"{CHANNEL}:stable")
    assert not any("modules" in name or "security" in name for name in order[:last_of_platform])
    assert all("console" in name for name in order[-2:]), "modules, published first, go last"
    start = len(puts(registry))
    assert not way.restore().changed and len(puts(registry)) == start


def test_a_rerun_keeps_the_way_back(
    registry: FaultyRegistry, way: Way, older: Path, newer: Path, tmp_path: Path
) -> None:
    newest = tmp_path / "newest"
    shape = replace(TINY, versions=("v1.71.0",), channels=(Channel("stable", "v1.71.0"),), modules=())
    write_bundle(build(shape), newest, keep=["platform.tar"])
    push_bundle(registry.host, older, state=None)
    way.save(newer)
    content = way.path.read_bytes()
    push_bundle(registry.host, newer, state=None, publish="content")
    push_bundle(registry.host, newer, state=None, publish="pointers", channels=("stable",))
    assert way.save(newer).kept and way.path.read_bytes() == content, "a publication that is under way"
    push_bundle(registry.host, newer, state=None)
    assert way.save(newer).kept and way.path.read_bytes() == content
    assert way.save(newer, check_mode=True).kept

    push_bundle(registry.host, newest, state=None, publish="all", channels=("stable",))
    way.save(newer)
    assert rows(way.path)[f"{CHANNEL}:stable"]["version"] == "v1.71.0", "where somebody else went since"
    assert rows(way.path)["modules/fresh/release:stable"]["digest"] is None


def test_another_bundle_is_another_way_back(
    registry: FaultyRegistry, way: Way, older: Path, newer: Path, tmp_path: Path
) -> None:
    push_bundle(registry.host, older, state=None)
    way.save(newer)
    push_bundle(registry.host, newer, state=None)
    module = tmp_path / "module"
    shape = replace(TINY, versions=("v1.69.0", "v1.70.0", "v1.71.0"), channels=NEWER.channels, installer_tags=(),
                    security=False, modules=(replace(CONSOLE, channels=(Channel("stable", "v1.38.0"),)),))  # fmt: skip
    write_bundle(build(shape), module)
    assert not way.save(module).kept
    written = rows(way.path)
    assert written[f"{CHANNEL}:stable"]["version"] == "v1.70.0", "not two publications back"
    assert written["modules/console/release:stable"]["version"] == "v1.37.0"


def test_check_mode_writes_no_file(registry: FaultyRegistry, way: Way, older: Path) -> None:
    saved = way.save(older, check_mode=True)
    assert saved.pointers and not way.path.exists()
    assert all(pointer.digest is None for pointer in saved.pointers), "the registry is empty"


def test_nothing_goes_back_to_what_the_registry_has_lost(
    registry: FaultyRegistry, way: Way, older: Path, newer: Path
) -> None:
    push_bundle(registry.host, older, state=None)
    way.save(newer)
    push_bundle(registry.host, newer, state=None)
    after, start = shown(registry), len(puts(registry))
    del tags(registry, "modules/console")["v1.36.2"]
    for check_mode in (True, False):
        with pytest.raises(
            AirgapError, match=r"modules/console/release:stable \(lacks modules/console:v1\.36\.2\)"
        ) as lost:
            way.restore(check_mode=check_mode)
        assert lost.value.details["missing"] == ["modules/console:v1.36.2"]
    assert shown(registry) == after and len(puts(registry)) == start


def test_a_collected_manifest_is_put_back_from_the_file(
    registry: FaultyRegistry, way: Way, older: Path, newer: Path
) -> None:
    push_bundle(registry.host, older, state=None)
    way.save(newer)
    push_bundle(registry.host, newer, state=None)
    digest = rows(way.path)["security/trivy-db:2"]["digest"]
    del registry.store.repository(f"{ROOT}/security/trivy-db").manifests[digest]
    way.restore()
    assert tags(registry, "security/trivy-db")["2"] == digest


def test_a_pointer_that_is_refused_holds_back_what_comes_after(
    registry: FaultyRegistry, way: Way, older: Path, newer: Path
) -> None:
    push_bundle(registry.host, older, state=None)
    way.save(newer)
    push_bundle(registry.host, newer, state=None)
    console = dict(tags(registry, "modules/console/release"))
    registry.fail(Status(403, code="DENIED"), method="PUT", path=r"release-channel/manifests/stable", times=None)
    with pytest.raises(AirgapError, match=r"release-channel:stable .*, 3 went back and 9 did not") as refused:
        way.restore()
    assert f"{CHANNEL}:stable" in refused.value.details["pending"]
    assert "modules/console/release:stable" in refused.value.details["pending"]
    assert tags(registry, "modules/console/release") == console, "no old module under a new platform"
    registry.heal()
    assert way.restore().changed, "run again, it goes on"


def test_a_database_that_has_moved_on_stays(
    registry: FaultyRegistry, way: Way, older: Path, newer: Path, tmp_path: Path
) -> None:
    push_bundle(registry.host, older, state=None)
    way.save(newer)
    push_bundle(registry.host, newer, state=None)
    write_bundle(build(replace(TINY, security_created="2026-03-10T06:00:00Z")), tmp_path / "d", keep=["security.tar"])
    push_bundle(registry.host, tmp_path / "d", state=None)
    newest = dict(tags(registry, "security/trivy-db"))
    restored = way.restore()
    assert restored.changed and tags(registry, "security/trivy-db") == newest
    assert "security/trivy-db:2" in {finding.subject for finding in restored.findings if finding.id == "newer"}
    assert not way.restore().changed


def test_there_and_back_in_a_real_registry(older: Path, newer: Path, tmp_path: Path) -> None:
    with Server(tmp_path / "storage", version=2) as server:
        way = Way(server, tmp_path / "pointers.json")
        old, new = ([path / "platform.tar", path / "module-console.tar"] for path in (older, newer))
        push_bundle(server.host, *old, state=None)
        places = (CHANNEL, "modules/console/release")
        before = {(place, tag): digest for place in places for tag, digest in held(server.url, place).items()}
        way.save(*new)
        push_bundle(server.host, *new, state=None)
        way.restore()
        after = {(place, tag): digest for place in places for tag, digest in held(server.url, place).items()}
        assert before.items() <= after.items()
        assert after[CHANNEL, "stable"] == after[CHANNEL, "v1.69.0"]


def edited(change: Callable[[dict[str, Any]], Any]) -> Callable[[Path], None]:
    def edit(path: Path) -> None:
        document = json.loads(path.read_text())
        change(document)
        path.write_text(json.dumps(document))

    return edit


@pytest.mark.parametrize(
    "damage,expected",
    [
        (edited(lambda document: document.update(images_repo="other.example/dkp")), "holds the pointers of other.ex"),
        (edited(lambda document: document["pointers"][0].update(tag="v1.69.0")), r"pointers\[0\]: .* is no pointer"),
        (lambda path: path.write_text("{}"), "expected MirrorPointers"),
    ],
)  # fmt: skip
def test_a_file_that_is_something_else_is_neither_used_nor_overwritten(
    registry: FaultyRegistry, way: Way, older: Path, damage: Callable[[Path], None], expected: str
) -> None:
    way.save(older)
    damage(way.path)
    content, start = way.path.read_bytes(), len(registry.exchanges)
    for use in (way.restore, lambda: way.save(older)):
        with pytest.raises(InvalidInput, match=expected):
            use()
    assert way.path.read_bytes() == content and len(registry.exchanges) == start, "and nothing was asked"
