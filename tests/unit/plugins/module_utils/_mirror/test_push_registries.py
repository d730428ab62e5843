# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Pushes into real registries: what arrives, in which order, what a second push does, and what credentials mean."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from ansible_collections.dkp.airgap.plugins.module_utils._mirror.freight import discovery_image
from ansible_collections.dkp.airgap.plugins.module_utils._oci.errors import AirgapError
from ansible_collections.dkp.airgap.plugins.module_utils._registry import backoff, patience
from ansible_collections.dkp.airgap.plugins.module_utils._registry.errors import AccessDenied
from ansible_collections.dkp.airgap.tests.kit.bundles import TINY, archives_of, write_bundle
from ansible_collections.dkp.airgap.tests.kit.programs import MissingProgram
from ansible_collections.dkp.airgap.tests.kit.pushing import ROOT, held, push_bundle
from ansible_collections.dkp.airgap.tests.kit.servers import PASSWORD, USERNAME, Access, Server
from ansible_collections.dkp.airgap.tests.kit.shape import Channel
from ansible_collections.dkp.airgap.tests.kit.token_server import TokenServer
from ansible_collections.dkp.airgap.tests.kit.tree import Tree, build

LOGIN = (USERNAME, PASSWORD)
NAMES = {"modules": ("console", "sdn")}


@dataclass(frozen=True)
class Delivered:
    """A bundle at `path`, and what it holds: tags by repository below the root."""

    path: Path
    tree: Tree

    @property
    def tags(self) -> dict[str, dict[str, str]]:
        layouts = {layout: images for archive in archives_of(self.tree).values() for layout, images in archive.items()}
        return {layout: {tag: image.digest for tag, image in images} for layout, images in layouts.items()}


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Delivered:
    tree = build(TINY)
    path = tmp_path_factory.mktemp("bundle")
    write_bundle(tree, path, delivery=True)
    return Delivered(path, tree)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backoff, "FIRST_PAUSE", 0.005)
    monkeypatch.setattr(patience, "SHORTEST_PAUSE", 0.02)


def server(storage: Path, **settings: object) -> Server:
    try:
        return Server(storage, **settings)
    except MissingProgram as missing:
        pytest.skip(str(missing))


@pytest.fixture
def target(tmp_path: Path) -> Iterator[Server]:
    with server(tmp_path / "target", version=2) as running:
        yield running


def everything(url: str, bundle: Delivered, auth: object = None) -> dict[str, dict[str, str]]:
    """All that the registry holds of the bundle's repositories."""
    return {path: held(url, path, auth=auth) for path in bundle.tags}


def writes(accesses: list[Access]) -> list[str]:
    """``repository:reference`` of the manifests in the order in which they were written."""
    found = (re.fullmatch(rf"/v2/{ROOT}/?(.*?)/?manifests/(.+)", a.target) for a in accesses if a.method == "PUT")
    return [f"{match[1]}:{match[2]}" for match in found if match]


@pytest.mark.parametrize("version", [2, 3])
def test_everything_arrives_and_a_second_push_sends_nothing(bundle: Delivered, tmp_path: Path, version: int) -> None:
    with server(tmp_path / "target", version=version) as target:
        planned = push_bundle(target.host, bundle.path, state=tmp_path / "state", check_mode=True)
        assert not [access for access in target.accesses() if access.method not in ("GET", "HEAD")]
        assert not (tmp_path / "state" / "pushes").exists()
        first = push_bundle(target.host, bundle.path, state=tmp_path / "state")
        assert first == planned
        assert first.changed and not first.present.blobs
        assert everything(target.url, bundle) == bundle.tags
        digest = discovery_image()[0].digest
        assert held(target.url, "modules") == dict.fromkeys(NAMES["modules"], digest)

        before = len(target.accesses())
        second = push_bundle(target.host, bundle.path, state=tmp_path / "state")
        asked = target.accesses()[before:]
    assert not second.changed
    assert (second.uploaded.blobs, second.mounted.blobs) == (0, 0)
    assert second.present.blobs == first.uploaded.blobs + first.mounted.blobs
    assert {access.method for access in asked} <= {"GET", "HEAD"}
    assert not [access for access in asked if "/blobs/" in access.target]
    images = sum(len(tags) for tags in bundle.tags.values())
    lists = [access for access in asked if "/tags/list" in access.target]
    assert len(asked) - len(lists) <= images and len(lists) == len(bundle.tags) + 1
    assert second.other_tags_present == first.other_tags_written > 0


def test_tags_are_shown_before_and_after(bundle: Delivered, tmp_path: Path, target: Server) -> None:
    result = push_bundle(target.host, bundle.path, state=None)
    shown = {(change.repository, change.tag): (change.before, change.after) for change in result.tags}
    named = {
        (path, tag): (None, digest)
        for path, tags in bundle.tags.items()
        for tag, digest in tags.items()
        if len(tag) != 64 and not tag.endswith(".att")
    }
    named.update({("modules", name): (None, discovery_image()[0].digest) for name in NAMES["modules"]})
    assert shown == named
    again = push_bundle(target.host, bundle.path, state=None)
    assert {(change.before, change.after) for change in again.tags} == {
        (digest, digest) for _unused, digest in named.values()
    }


def position(order: list[str], names: object) -> list[int]:
    return [order.index(name) for name in names]


def test_the_order_of_writing_is_one_that_clusters_can_watch(bundle: Delivered, tmp_path: Path, target: Server) -> None:
    push_bundle(target.host, bundle.path, state=None)
    order = writes(target.accesses())
    technical = [name for name in order if len(name.partition(":")[2]) == 64 or name.endswith(".att")]
    children = {child.digest for image in bundle.tree.repositories["deckhouse/installer"].tags.values()
                for child in image.children}  # fmt: skip
    by_digest = {name for name in order if ":sha256:" in name}
    assert by_digest == {f"installer:{digest}" for digest in children}, "only parts of indexes come without a tag"

    steps = [f"{path}:{version}" for version in TINY.versions for path in ("", "release-channel")]
    places = position(order, steps)
    assert places == sorted(places)
    root = [name for name in technical if name.startswith(":")]
    installs = [f"{path}:{version}" for version in TINY.versions for path in ("install", "install-standalone")]
    assert max(position(order, root)) < min(position(order, installs))
    assert max(position(order, installs)) < places[0]

    console = [f"modules/console{part}:{version}" for version in ("v1.36.2", "v1.37.0") for part in ("/release", "")]
    assert position(order, console) == sorted(position(order, console))
    extras = [name for name in order if name.startswith("modules/console/extra") or
              (name.startswith("modules/console:") and name in technical)]  # fmt: skip
    assert len(extras) >= 2 and max(position(order, extras)) < order.index(console[0])

    channels = [f"modules/{name}/release:stable" for name in NAMES["modules"]] + ["modules/console/release:alpha"]
    names = [f"modules:{name}" for name in NAMES["modules"]]
    databases = [name for name in order if name.startswith("security/")] + ["installer:latest"]
    platform = [f"release-channel:{name}" for name in ("rock-solid", "stable", "alpha")]
    pointers = {*channels, *names, *databases, *platform, *(f"{path}:{channel.name}" for channel in TINY.channels
                for path in ("install", "install-standalone"))}  # fmt: skip
    content = [name for name in order if name not in pointers and name not in by_digest]
    assert max(position(order, content)) < min(position(order, channels))
    assert max(position(order, channels)) < min(position(order, names))
    assert max(position(order, names)) < min(position(order, databases))
    assert max(position(order, databases)) < order.index(platform[0])
    assert position(order, platform) == sorted(position(order, platform)) and order[-1] == platform[-1]


def test_content_first_and_pointers_in_a_run_of_their_own(bundle: Delivered, tmp_path: Path, target: Server) -> None:
    with pytest.raises(AirgapError, match="lacks .* push with publish: content first"):
        push_bundle(target.host, bundle.path, state=None, publish="pointers")
    assert not [access for access in target.accesses() if access.method not in ("GET", "HEAD")]

    content = push_bundle(target.host, bundle.path, state=None, publish="content")
    assert held(target.url, "modules") == held(target.url, "security/trivy-db") == held(target.url, "installer") == {}
    assert set(held(target.url, "release-channel")) == set(TINY.versions)
    assert {change.after for change in content.tags if change.tag in ("stable", "latest", "console")} == {None}
    assert not push_bundle(target.host, bundle.path, state=None, publish="content").changed

    before = len(target.accesses())
    pointers = push_bundle(target.host, bundle.path, state=None, publish="pointers")
    written = writes(target.accesses()[before:])
    assert everything(target.url, bundle) == bundle.tags
    assert pointers.other_tags_written == 0 and pointers.other_tags_present == content.other_tags_written
    assert not [name for name in written if re.search(r":v\d|^[^:]*:[0-9a-f]{64}$|\.att$", name)]
    assert not push_bundle(target.host, bundle.path, state=None, publish="pointers").changed


def test_a_name_alone_is_a_pointer_that_needs_its_content(bundle: Delivered, tmp_path: Path, target: Server) -> None:
    push_bundle(target.host, *(bundle.path / f"{name}.tar" for name in ("platform", "security")), state=None)
    with pytest.raises(AirgapError, match="modules/sdn"):
        push_bundle(target.host, bundle.path / "module-sdn.tar", state=None, publish="pointers", channels=("stable",))
    assert held(target.url, "modules") == {}


def test_only_the_channels_asked_for_are_written(bundle: Delivered, target: Server) -> None:
    result = push_bundle(target.host, bundle.path, state=None, channels=("stable",))
    assert set(held(target.url, "release-channel")) == {*TINY.versions, "stable"}
    assert set(held(target.url, "modules/console/release")) == {"v1.36.2", "v1.37.0", "stable"}
    assert {c.tag: c.after for c in result.tags if c.repository == "release-channel"}["alpha"] is None
    with pytest.raises(AirgapError, match="does not have beta; it has alpha, stable, rock-solid"):
        push_bundle(target.host, bundle.path, state=None, channels=("beta",))


@pytest.mark.parametrize("modules_path", ["custom/path", ""])
def test_modules_land_where_modules_path_says(
    bundle: Delivered, tmp_path: Path, target: Server, modules_path: str
) -> None:
    push_bundle(target.host, bundle.path, state=None, modules_path=modules_path)
    places = {path.replace("modules", modules_path, 1).lstrip("/") if path.startswith("modules/") else path: tags
              for path, tags in bundle.tags.items()}  # fmt: skip
    names = set(NAMES["modules"])
    for path, tags in places.items():
        assert set(held(target.url, path)) == {*tags, *(names if path == modules_path else set())}
    assert names <= set(held(target.url, modules_path))
    assert not push_bundle(target.host, bundle.path, state=None, modules_path=modules_path).changed


def test_a_registry_that_asks_for_a_password(bundle: Delivered, tmp_path: Path) -> None:
    with server(tmp_path / "target", version=3, htpasswd=True) as target:
        with pytest.raises(AccessDenied, match="credentials were refused"):
            push_bundle(target.host, bundle.path, state=None, login=(USERNAME, "wrong-horse-battery"))
        push_bundle(target.host, bundle.path, state=None, login=LOGIN)
        assert everything(target.url, bundle, LOGIN) == bundle.tags


def test_tokens_that_live_shortly_are_renewed(bundle: Delivered, tmp_path: Path) -> None:
    tokens = TokenServer(tmp_path, users={USERNAME: PASSWORD}, life=2)
    with tokens, server(tmp_path / "target", version=3, token=tokens) as target:
        push_bundle(target.host, bundle.path, state=None, login=LOGIN)
        assert not push_bundle(target.host, bundle.path, state=None, login=LOGIN).changed


def test_an_account_that_may_only_read_is_told_so(bundle: Delivered, tmp_path: Path) -> None:
    tokens = TokenServer(tmp_path, users={USERNAME: PASSWORD}, read_only_users=(USERNAME,))
    with tokens, server(tmp_path / "target", version=2, token=tokens) as target:
        with pytest.raises(AirgapError, match=r"[Cc]redentials.*(refused|no right)"):
            push_bundle(target.host, bundle.path, state=None, login=LOGIN)
        assert not [access for access in target.accesses() if access.method in ("PUT", "PATCH")]


def test_a_read_only_registry_ends_the_run_and_the_next_one_finishes(bundle: Delivered, tmp_path: Path) -> None:
    with server(tmp_path / "target", version=3, read_only=True) as target:
        with pytest.raises(AirgapError, match="has refused writing for"):
            push_bundle(target.host, bundle.path, state=tmp_path / "state", read_only_wait=0)
        target.restart(maintenance={"readonly": {"enabled": False}})
        push_bundle(target.host, bundle.path, state=tmp_path / "state")
        assert everything(target.url, bundle) == bundle.tags


def blob_files(storage: Path) -> dict[str, Path]:
    return {path.parent.name: path for path in (storage / "docker/registry/v2/blobs/sha256").glob("*/*/data")}


@pytest.mark.parametrize("version", [2, 3])
def test_repair_finds_lost_blobs_and_sends_them_again(bundle: Delivered, tmp_path: Path, version: int) -> None:
    with server(tmp_path / "target", version=version) as target:
        push_bundle(target.host, bundle.path, state=None)
        files = blob_files(tmp_path / "target")
        layers = {blob.digest.partition(":")[2] for _unused, image in bundle.tree.manifests() for blob in image.blobs}
        lost = sorted(layers & set(files))[::7]
        for digest in lost:
            shutil.rmtree(files[digest].parent)
        assert not push_bundle(target.host, bundle.path, state=None).changed, "a push without repair trusts manifests"
        planned = push_bundle(target.host, bundle.path, state=None, repair=True, check_mode=True)
        repaired = push_bundle(target.host, bundle.path, state=None, repair=True)
        assert repaired.changed and repaired.uploaded.blobs == planned.uploaded.blobs == len(lost)
        assert set(blob_files(tmp_path / "target")) == set(files)
        again = push_bundle(target.host, bundle.path, state=None, repair=True)
        assert not again.changed and not again.uploaded.blobs


def test_repair_notices_manifests_that_a_collector_took(bundle: Delivered, tmp_path: Path, target: Server) -> None:
    push_bundle(target.host, bundle.path, state=None)
    component = next(tag for tag in bundle.tags[""] if len(tag) == 64)
    child = bundle.tree.repositories["deckhouse/installer"].tags["latest"].children[0].digest
    files = blob_files(tmp_path / "target")
    for digest in (component, child.partition(":")[2]):
        shutil.rmtree(files[digest].parent)
    assert push_bundle(target.host, bundle.path, state=None, repair=True).changed
    assert everything(target.url, bundle) == bundle.tags
    assert set(blob_files(tmp_path / "target")) == set(files)


def test_more_of_the_same_is_mounted_or_known(bundle: Delivered, tmp_path: Path, target: Server) -> None:
    push_bundle(target.host, bundle.path, state=None)
    newer = replace(TINY, versions=(*TINY.versions, "v1.70.1"), channels=(Channel("alpha", "v1.70.1"),))
    write_bundle(build(newer), tmp_path / "newer")
    before = len(target.accesses())
    result = push_bundle(target.host, tmp_path / "newer", state=None)
    asked = target.accesses()[before:]
    shown = {(change.repository, change.tag): (change.before, change.after) for change in result.tags}
    old, new = bundle.tags["release-channel"]["alpha"], build(newer).tags("release-channel")["alpha"]
    assert shown["release-channel", "alpha"] == (old, new)
    known = {blob.digest for _unused, image in bundle.tree.manifests() for blob in image.blobs}
    looked_for = [a.target.rpartition("/")[2] for a in asked if a.method == "HEAD" and "/blobs/" in a.target]
    assert not known.intersection(looked_for), "blobs of images that are there need no question"
    assert held(target.url)["v1.70.1"] == build(newer).tags()["v1.70.1"]


def test_skopeo_reads_every_tag_as_it_was_sent(bundle: Delivered, tmp_path: Path, target: Server) -> None:
    if shutil.which("skopeo") is None:
        pytest.skip("skopeo is not installed")
    push_bundle(target.host, bundle.path, state=None)
    for path in ("", "release-channel", "modules/console/release", "security/trivy-java-db", "installer"):
        for tag, digest in bundle.tags[path].items():
            reference = f"docker://{target.host}/{ROOT}/{path}".rstrip("/") + f":{tag}"
            command = ["skopeo", "inspect", "--raw", "--tls-verify=false", reference]
            raw = subprocess.run(command, capture_output=True, check=True, timeout=30).stdout
            assert json.loads(raw)["schemaVersion"] == 2
            (tmp_path / "manifest").write_bytes(raw)
            digested = subprocess.run(
                ["skopeo", "manifest-digest", str(tmp_path / "manifest")], capture_output=True, check=True, timeout=30
            )
            assert digested.stdout.decode().strip() == digest
    reference = f"docker://{target.host}/{ROOT}:v1.70.0"
    copy = ["skopeo", "copy", "-q", "--src-tls-verify=false", reference, f"dir:{tmp_path / 'copy'}"]
    subprocess.run(copy, check=True, timeout=60)
