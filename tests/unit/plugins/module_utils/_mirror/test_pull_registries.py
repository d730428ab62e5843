# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Pulls from real registries: what lies in the bundle, what a second run asks for, and what kills leave."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.dkp.airgap.plugins.module_utils._dkp.selection import SelectionError
from ansible_collections.dkp.airgap.plugins.module_utils._oci.errors import AirgapError, InvalidInput
from ansible_collections.dkp.airgap.tests.kit import pulling
from ansible_collections.dkp.airgap.tests.kit.behaviour import Behaviour
from ansible_collections.dkp.airgap.tests.kit.faults import Status
from ansible_collections.dkp.airgap.tests.kit.faulty import FaultyRegistry
from ansible_collections.dkp.airgap.tests.kit.programs import MissingProgram
from ansible_collections.dkp.airgap.tests.kit.pulling import files_of, held, pull_bundle
from ansible_collections.dkp.airgap.tests.kit.servers import Server
from ansible_collections.dkp.airgap.tests.kit.shape import SMALL, Channel
from ansible_collections.dkp.airgap.tests.kit.storage import stored
from ansible_collections.dkp.airgap.tests.kit.tree import Tree, build

SHAPE = replace(SMALL, components=10, component_layer=8 * 1024)
MOVED = replace(
    SHAPE,
    versions=(*SHAPE.versions, "v1.72.11"),
    channels=tuple(Channel("alpha", "v1.72.11") if one.name == "alpha" else one for one in SHAPE.channels),
)
ROOT = SHAPE.edition_root
FIVE = {"v1.68.0", "v1.69.2", "v1.70.0", "v1.71.0", "v1.72.10"}


@pytest.fixture(scope="module")
def storage(tmp_path_factory: pytest.TempPathFactory) -> tuple[Tree, Path]:
    directory = tmp_path_factory.mktemp("vendor") / "storage"
    return stored(SHAPE, directory), directory


# What differs between registries does not differ between Pythons: the newest one meets both.
REGISTRIES = [2, 3] if sys.version_info >= (3, 10) else [2]


@pytest.fixture(scope="module", params=REGISTRIES, ids=[f"distribution-{version}" for version in REGISTRIES])
def source(request: pytest.FixtureRequest, storage: tuple[Tree, Path]) -> Iterator[Server]:
    try:
        server = Server(storage[1], version=request.param)
    except MissingProgram as error:
        pytest.skip(str(error))
    with server:
        yield server


@pytest.fixture(scope="module")
def tree(storage: tuple[Tree, Path]) -> Tree:
    return storage[0]


@pytest.fixture(scope="module")
def first(source: Server, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A pull of everything, for tests that only read it (or work on a copy)."""
    dest = tmp_path_factory.mktemp("first") / "dest"
    assert pull_bundle(f"{source.host}/{ROOT}", dest, state=dest.parent / "state").changed
    return dest


def address(source: Server) -> str:
    return f"{source.host}/{ROOT}"


def copied(bundle: Path, target: Path) -> Path:
    shutil.copytree(bundle, target)
    return target


def blobs_asked(source: Server, since: int = 0) -> list[str]:
    return [one.target for one in source.accesses()[since:] if "/blobs/" in one.target]


def versions(found: pulling.Held) -> set[str]:
    return {tag for tag in found.tags["release-channel"] if tag.startswith("v")}


def test_everything_the_default_takes_is_there(first: Path, tree: Tree) -> None:
    found = held(first)
    content = found.delivery.content
    assert content["platform"]["channels"] == {
        **{"alpha": "v1.72.10", "beta": "v1.71.0", "early-access": "v1.70.0"},
        **{"stable": "v1.69.0", "rock-solid": "v1.68.0"},
    }
    taken = set(content["platform"]["versions"])
    assert taken == versions(found)
    for layout in ("", "install", "install-standalone", "release-channel"):
        for version in taken:
            assert found.tags[layout][version] == tree.tags(layout)[version]
    for channel in content["platform"]["channels"]:
        assert found.tags["release-channel"][channel] == tree.tags("release-channel")[channel]
    for version in taken:
        wanted = tree.component_digests(version)
        assert found.delivery.releases["platform"][version] == sorted(wanted)
        for digest in wanted:
            assert found.tags[""][digest.split(":")[1]] == digest
    assert set(content["modules"]) == {"console", "operator-trivy", "sdn"}
    assert set(content["security_db"]) == {"trivy-db", "trivy-java-db", "trivy-bdu", "trivy-checks"}
    assert content["installer"] == ["latest"]


def test_attestations_come_with_what_they_attest(first: Path, tree: Tree) -> None:
    found = held(first)
    taken = {tag for tag in found.tags[""] if tag.endswith(".att")}
    digests = {f"sha256:{tag}" for tag in found.tags[""] if len(tag) == 64}
    assert taken and taken == {
        tag for tag in tree.tags() if tag.endswith(".att") and tag[:-4].replace("sha256-", "sha256:") in digests
    }


def test_modules_come_with_what_they_list(first: Path, tree: Tree) -> None:
    found = held(first)
    for name, content in found.delivery.content["modules"].items():
        for version in content["versions"]:
            assert found.tags[f"modules/{name}"][version] == tree.tags(f"modules/{name}")[version]
            for digest in tree.modules[name].runtime[version].values():
                assert found.tags[f"modules/{name}"][digest.split(":")[1]] == digest
        for extra, tag in tree.modules[name].extra.items():
            layout = f"modules/{name}/extra/{extra}"
            assert found.tags[layout][tag] == tree.tags(layout)[tag]


def test_every_image_is_complete_and_nothing_else_is_there(first: Path, tree: Tree) -> None:
    found = held(first)
    for layout, tags in found.tags.items():
        path = f"deckhouse/{layout}" if layout == "installer" else f"{ROOT}/{layout}".rstrip("/")
        images = tree.repositories[path].manifests
        wanted = set(tags.values())
        closure = {one.digest for digest in wanted for one in images[digest].closure()}
        closure |= {blob.digest for digest in set(closure) for blob in images[digest].blobs}
        assert found.blobs.get(layout, set()) == closure


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"platform_versions": "=v1.69.2"}, {"v1.69.2"}),
        ({"platform_versions": "=v1.69.2+stable"}, {"v1.69.2"}),
        ({"release": "stable"}, {"v1.69.0"}),
        ({"platform_versions": ">=1.70 <1.72"}, {"v1.70.0", "v1.71.0"}),
        ({"since_version": "1.66.0"}, {"v1.66.3", "v1.67.1"}),
    ],
)
def test_platform_versions(source: Server, tmp_path: Path, options: dict[str, Any], expected: set[str]) -> None:
    result = pull_bundle(
        address(source), tmp_path / "dest", modules=[], security_db=False, installer_tag=None, **options
    )
    found = held(tmp_path / "dest")
    assert [archive.name for archive in result.archives] == ["platform.tar"]
    assert expected <= versions(found)
    assert set(result.content["platform"]["channels"].values()) <= versions(found)


@pytest.mark.parametrize(
    ("options", "names"),
    [
        ({"platform": False, "modules": ["sdn"]}, {"module-sdn.tar", "security.tar", "installer.tar"}),
        ({"platform": False, "modules": [], "security_db": False}, {"installer.tar"}),
        ({"platform": False, "exclude_modules": ["sdn", "console"], "security_db": False, "installer_tag": None},
         {"module-operator-trivy.tar"}),
    ],
)  # fmt: skip
def test_archives_are_those_that_were_asked_for(
    source: Server, tmp_path: Path, options: dict[str, Any], names: set[str]
) -> None:
    result = pull_bundle(address(source), tmp_path / "dest", **options)
    assert {archive.name for archive in result.archives} == names
    held(tmp_path / "dest")


def test_what_is_not_there_is_named(source: Server, tmp_path: Path) -> None:
    for options, text in (
        ({"modules": ["consol"]}, "console"),
        ({"platform_versions": "=v1.69.9"}, "v1.69.9"),
        ({"platform_versions": ">=2.0"}, "2.0"),
        ({"installer_tag": "v9", "installer_named": True}, "v9"),
    ):
        with pytest.raises((SelectionError, InvalidInput), match=text):
            pull_bundle(address(source), tmp_path / "dest", **options)
    assert not (tmp_path / "dest").exists()


def test_empty_content_leaves_the_directory_alone(source: Server, tmp_path: Path, first: Path) -> None:
    dest = copied(first, tmp_path / "dest")
    before = files_of(dest)
    nothing = {"platform": False, "modules": [], "security_db": False, "installer_tag": None}
    result = pull_bundle(address(source), dest, **nothing)
    assert not result.changed and not result.archives
    assert files_of(dest) == before


def test_two_fresh_pulls_give_the_same_bytes(source: Server, first: Path, tmp_path: Path) -> None:
    pull_bundle(address(source), tmp_path / "dest")
    assert files_of(tmp_path / "dest") == files_of(first)


def stamps(directory: Path) -> dict[str, tuple[int, int, int]]:
    return {
        one.name: (one.stat().st_ino, one.stat().st_mtime_ns, one.stat().st_ctime_ns) for one in directory.iterdir()
    }


@pytest.mark.parametrize("remembers", [True, False], ids=["with state", "without state"])
def test_a_second_pull_reads_tags_and_lists_only(source: Server, first: Path, remembers: bool) -> None:
    before, asked = stamps(first), len(source.accesses())
    result = pull_bundle(address(source), first, state=first.parent / "state" if remembers else None)
    assert not result.changed and not result.blobs_transferred
    assert stamps(first) == before
    targets = [one.target for one in source.accesses()[asked:]]
    assert not [one for one in targets if "sha256:" in one or "/blobs/" in one]
    manifests = [one for one in targets if "/manifests/" in one]
    assert len(manifests) == len(set(manifests))


def test_check_mode_tells_the_same_and_writes_nothing(source: Server, first: Path, tmp_path: Path) -> None:
    real = pull_bundle(address(source), first, state=first.parent / "state")
    planned = pull_bundle(address(source), tmp_path / "dest", state=tmp_path / "state", check_mode=True)
    assert planned.changed and planned.content == real.content and planned.findings == real.findings
    rows = [(one.name, one.bytes, one.images, one.blobs) for one in real.archives]
    assert [(one.name, one.bytes, one.images, one.blobs) for one in planned.archives] == rows
    assert not list(tmp_path.iterdir())
    again = pull_bundle(address(source), first, state=first.parent / "state", check_mode=True)
    assert not again.changed and again.archives == real.archives


def test_other_chunks_are_cut_from_what_is_there(source: Server, first: Path, tmp_path: Path) -> None:
    dest = copied(first, tmp_path / "dest")
    asked = len(source.accesses())
    assert pull_bundle(address(source), dest, chunk_size=1_000_000).changed
    assert not blobs_asked(source, asked)
    chunks = sorted(dest.glob("platform.tar.*.chunk"))
    assert len(chunks) > 1 and not (dest / "platform.tar").exists()
    assert b"".join(one.read_bytes() for one in chunks) == (first / "platform.tar").read_bytes()
    assert {one.stat().st_size for one in chunks[:-1]} == {1_000_000}
    held(dest)
    assert not pull_bundle(address(source), dest, chunk_size=1_000_000).changed
    pull_bundle(address(source), dest)
    assert files_of(dest) == files_of(first)


def test_modules_that_are_asked_for_no_more_disappear(source: Server, first: Path, tmp_path: Path) -> None:
    dest = copied(first, tmp_path / "dest")
    asked = len(source.accesses())
    assert pull_bundle(address(source), dest, modules=["sdn"]).changed
    assert not blobs_asked(source, asked)
    assert {one.name for one in dest.glob("module-*")} == {"module-sdn.tar"}
    held(dest)


@pytest.fixture
def moving(tmp_path: Path) -> Iterator[Server]:
    """A registry whose content a test changes."""
    stored(SHAPE, tmp_path / "moving")
    with Server(tmp_path / "moving", version=2) as server:
        yield server


def move_on(server: Server) -> Tree:
    server.stop()
    tree = stored(MOVED, server.storage)
    server.start()
    return tree


def test_of_a_source_that_has_moved_on_only_what_is_new_is_fetched(moving: Server, tmp_path: Path) -> None:
    old, dest, chunk_size = build(SHAPE), tmp_path / "dest", 1_000_000
    pull_bundle(address(moving), dest, chunk_size=chunk_size)
    tree, asked = move_on(moving), len(moving.accesses())
    assert pull_bundle(address(moving), dest, chunk_size=chunk_size).changed
    fetched = {one.rpartition("/")[2] for one in blobs_asked(moving, asked)}
    assert fetched and fetched <= set(tree.blobs()) - set(old.blobs())
    pull_bundle(address(moving), tmp_path / "fresh", chunk_size=chunk_size)
    assert files_of(dest) == files_of(tmp_path / "fresh")


def killed(source: Server, dest: Path, after: float, *options: str) -> bool:
    """Whether the pull was still at work when it was killed."""
    arguments = [
        sys.executable,
        "-m",
        pulling.__name__,
        address(source),
        str(dest),
        str(dest.parent / "state"),
        *options,
    ]
    process = subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    until = time.monotonic() + 20
    while process.poll() is None and time.monotonic() < until and not (dest / "pull.journal").exists():
        time.sleep(0.002)
    time.sleep(after)
    process.send_signal(signal.SIGKILL)
    output = process.communicate()[0]
    assert process.returncode in (0, -signal.SIGKILL), output.decode()
    return process.returncode != 0


def test_kills_at_any_moment_cost_little_and_change_nothing(source: Server, first: Path, tmp_path: Path) -> None:
    dest = tmp_path / "dest"
    asked, kills = len(source.accesses()), 0
    for after in random.Random(7).sample([0, 0.005, 0.02, 0.05, 0.1, 0.2], 4):
        kills += killed(source, dest, after)
        assert (dest / "delivery.json").exists() or (dest / "pull.journal").exists()
    pull_bundle(address(source), dest, state=tmp_path / "state")
    assert kills and files_of(dest) == files_of(first)
    counts: dict[str, int] = {}
    for one in blobs_asked(source, asked):
        counts[one] = counts.get(one, 0) + 1
    assert sum(counts.values()) - len(counts) <= 32 * (kills + 1)


def test_a_source_that_moved_on_after_a_kill(moving: Server, tmp_path: Path) -> None:
    dest = tmp_path / "dest"
    for after in (0.03, 0.1):
        killed(moving, dest, after)
    move_on(moving)
    killed(moving, dest, 0.05)
    pull_bundle(address(moving), dest)
    pull_bundle(address(moving), tmp_path / "fresh")
    assert files_of(dest) == files_of(tmp_path / "fresh")


@pytest.mark.parametrize(
    "changes",
    [
        {"component_tags": True},
        {"installer_index": True},
        {"edition": "", "root": "dkp/cse"},
        {"standalone": False, "security": False, "modules": ()},
        {"modules_path": "other/mods"},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_other_shapes_of_trees(tmp_path: Path, changes: dict[str, Any]) -> None:
    shape = replace(SHAPE, **changes)
    tree = stored(shape, tmp_path / "storage")
    with Server(tmp_path / "storage", version=2) as source:
        result = pull_bundle(f"{source.host}/{shape.edition_root}", tmp_path / "dest", modules_path=shape.modules_path)
    found = held(tmp_path / "dest")
    for version in result.content["platform"]["versions"]:
        if shape.component_tags:
            listed = {tag for group in tree.releases[version].values() for tag in group.values()}
            assert listed <= set(found.tags[""])
            assert sorted(listed) == found.delivery.releases["platform"][version]
        else:
            assert {digest.split(":")[1] for digest in tree.component_digests(version)} <= set(found.tags[""])
    if shape.component_tags:
        assert {f"{tag}.att" for tag in found.tags[""] if f"{tag}.att" in tree.tags()} <= set(found.tags[""])
    if shape.installer_index:
        index = tree.repositories[f"{shape.root}/installer"].tags["latest"]
        assert found.tags["installer"] == {"latest": index.digest}
        assert {child.digest for child in index.children} <= found.blobs["installer"]


@pytest.mark.parametrize("refusal", [Status(403, code="DENIED"), Status(404, code="NAME_UNKNOWN"), Status(405)])
def test_attestations_where_no_tags_are_listed(tree: Tree, tmp_path: Path, refusal: Status) -> None:
    """Each one is asked for then; a repository that is not known has none."""
    options = {"platform_versions": "=v1.72.10", "modules": [], "security_db": False, "installer_tag": None}
    with FaultyRegistry(tree) as source:
        source.fail(refusal, path=r"deckhouse/ee/tags/list", times=None)
        pull_bundle(f"{source.host}/{ROOT}", tmp_path / "dest", **options)
    found = held(tmp_path / "dest")
    digests = {f"sha256-{tag}.att" for tag in found.tags[""] if len(tag) == 64}
    expected = set() if refusal.status == 404 else {tag for tag in tree.tags() if tag in digests}
    assert {tag for tag in found.tags[""] if tag.endswith(".att")} == expected
    with FaultyRegistry(tree, behaviour=Behaviour(page_size=3)) as source:
        pull_bundle(f"{source.host}/{ROOT}", tmp_path / "without", vex=False, **options)
    assert not [tag for tag in held(tmp_path / "without").tags[""] if tag.endswith(".att")]


def test_independent_readers_agree(first: Path, tree: Tree, tmp_path: Path) -> None:
    """Python's tarfile unpacks every archive, umoci reads the layouts, skopeo copies an image out of them."""
    import tarfile

    for archive in first.glob("*.tar"):
        with tarfile.open(archive) as reader:
            assert all(member.isreg() and member.mode == 0o777 for member in reader)
            reader.extractall(tmp_path / "unpacked", **({"filter": "data"} if hasattr(tarfile, "data_filter") else {}))
    layout = tmp_path / "unpacked" / "installer"
    index = json.loads((layout / "index.json").read_text())
    # the tools know images by the whole of ref.name, d8 by its short tag
    for row in index["manifests"]:
        tag = row["annotations"]["io.deckhouse.image.short_tag"]
        row["annotations"]["org.opencontainers.image.ref.name"] = tag
    (layout / "index.json").write_text(json.dumps(index))
    ran = 0
    if shutil.which("umoci"):
        listed = subprocess.run(["umoci", "list", "--layout", str(layout)], capture_output=True, text=True, check=True)
        assert listed.stdout.split() == ["latest"]
        ran += 1
    if shutil.which("skopeo"):
        done = subprocess.run(
            ["skopeo", "copy", "--quiet", f"oci:{layout}:latest", f"dir:{tmp_path / 'copied'}"],
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "TMPDIR": str(tmp_path)},
        )
        assert not done.returncode, done.stderr
        names = {path.name for path in (tmp_path / "copied").iterdir()}
        image = tree.repositories["deckhouse/installer"].tags["latest"]
        assert {blob.digest.split(":")[1] for blob in image.blobs} <= names
        ran += 1
    if not ran:
        pytest.skip("neither umoci nor skopeo is installed")


def test_a_version_whose_images_are_incomplete_is_named(tmp_path: Path) -> None:
    shape = replace(SHAPE, missing=frozenset({"release-channel:v1.72.10", ":v1.71.0"}), modules=())
    stored(shape, tmp_path / "storage")
    with Server(tmp_path / "storage", version=2) as source, pytest.raises(AirgapError) as caught:
        pull_bundle(f"{source.host}/{ROOT}", tmp_path / "dest")
    assert f"{ROOT}/release-channel:v1.72.10" in str(caught.value) and f"{ROOT}:v1.71.0" in str(caught.value)
