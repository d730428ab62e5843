# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Registries that refuse, forget, or are not what they say: the rest goes on, and pointers never tell a lie."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from ansible_collections.dkp.airgap.plugins.module_utils._oci.errors import AirgapError
from ansible_collections.dkp.airgap.plugins.module_utils._registry import backoff, patience
from ansible_collections.dkp.airgap.plugins.module_utils._registry.errors import AccessDenied
from ansible_collections.dkp.airgap.tests.kit import behaviour as quirks
from ansible_collections.dkp.airgap.tests.kit.behaviour import Basic, Bearer, Behaviour
from ansible_collections.dkp.airgap.tests.kit.bundles import TINY, archives_of, write_bundle
from ansible_collections.dkp.airgap.tests.kit.faults import Reset, ResetWhileReading, Status, StatusAfter
from ansible_collections.dkp.airgap.tests.kit.faulty import FaultyRegistry
from ansible_collections.dkp.airgap.tests.kit.pushing import ROOT, push_bundle, tags
from ansible_collections.dkp.airgap.tests.kit.tree import Tree, build

TREE = build(TINY)
DENIED = Status(403, code="DENIED", text="requested access to the resource is denied")


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("bundle")
    write_bundle(TREE, path)
    return path


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backoff, "FIRST_PAUSE", 0.005)
    monkeypatch.setattr(patience, "SHORTEST_PAUSE", 0.02)


def is_complete(registry: FaultyRegistry, tree: Tree = TREE, *, without: str = "nothing") -> bool:
    layouts = {layout: images for archive in archives_of(tree).values() for layout, images in archive.items()}
    return all(
        tags(registry, layout) == {tag: image.digest for tag, image in images}
        for layout, images in layouts.items()
        if not layout.startswith(without)
    )


@pytest.mark.parametrize("refusal", [DENIED, Status(405, text="<h1>Method Not Allowed</h1>"), Status(404, text="no")])
@pytest.mark.parametrize("method", ["POST|PUT|PATCH", ""])
def test_a_repository_that_refuses_holds_back_only_its_own_pointers(
    bundle: Path, registry: FaultyRegistry, refusal: Status, method: str
) -> None:
    registry.fail(refusal, method=method, path=r"modules/console/extra", times=None)
    with pytest.raises(AirgapError, match=r"1 of \d+ parts.*module console: .*modules/console/extra") as failed:
        push_bundle(registry.host, bundle, state=None, read_only_wait=0)
    assert list(failed.value.details["failures"]) == ["module console"]
    assert is_complete(registry, without="modules/console")
    assert "stable" not in tags(registry, "modules/console/release")
    assert set(tags(registry, "modules")) == {"sdn"}
    registry.heal()
    assert push_bundle(registry.host, bundle, state=None).changed
    assert is_complete(registry) and set(tags(registry, "modules")) == {"console", "sdn"}


def test_a_pointer_that_is_refused_does_not_keep_the_others_back(bundle: Path, registry: FaultyRegistry) -> None:
    registry.fail(DENIED, method="PUT", path=r"modules/console/release/manifests/(stable|alpha)", times=None)
    with pytest.raises(AirgapError, match=r"module console: Cannot write .*modules/console/release"):
        push_bundle(registry.host, bundle, state=None)
    assert is_complete(registry, without="modules/console/release")
    assert set(tags(registry, "modules")) == {"sdn"}, "a module whose channels are not there is not shown"


def test_a_platform_channel_that_is_refused_keeps_the_riskier_ones_back(bundle: Path, registry: FaultyRegistry) -> None:
    registry.fail(DENIED, method="PUT", path=r"release-channel/manifests/stable", times=None)
    with pytest.raises(AirgapError, match="platform: .*release-channel:stable"):
        push_bundle(registry.host, bundle, state=None)
    assert set(tags(registry, "release-channel")) == {*TINY.versions, "rock-solid"}


@pytest.mark.parametrize(
    "auth,login", [(Basic(), ("puller", "wrong-horse-battery")), (Bearer(), ("puller", "wrong-horse-battery"))]
)
def test_refused_credentials_are_called_that(bundle: Path, auth: object, login: tuple[str, str]) -> None:
    with FaultyRegistry(auth=auth) as registry, pytest.raises(AccessDenied, match="credentials were refused"):
        push_bundle(registry.host, bundle, state=None, login=login)


def test_rights_that_end_with_reading_are_called_that(bundle: Path) -> None:
    told = pytest.raises(AirgapError, match=r"[Cc]redentials.*(refused|no right)")
    with told, FaultyRegistry(auth=Bearer(pull_only=True)) as registry:
        push_bundle(registry.host, bundle, state=None, login=("puller", "correct-horse-puller"))


def test_no_list_of_tags_only_means_more_questions(bundle: Path, registry: FaultyRegistry) -> None:
    registry.fail(Status(405, code="UNSUPPORTED"), path="/tags/list", times=None)
    push_bundle(registry.host, bundle, state=None)
    assert is_complete(registry)
    assert not push_bundle(registry.host, bundle, state=None).changed


@pytest.mark.parametrize("status", [403, 405, 503])
def test_a_registry_that_is_read_only_for_a_while_is_waited_for(
    bundle: Path, registry: FaultyRegistry, status: int
) -> None:
    closed = Status(status, code="UNSUPPORTED", text="the registry is read-only: garbage collection is running")
    registry.fail(closed, method="POST|PUT|PATCH", times=None, seconds=0.6, skip=20)
    push_bundle(registry.host, bundle, state=None)
    assert is_complete(registry)


def test_blobs_that_the_registry_only_claims_to_have_are_sent(bundle: Path, registry: FaultyRegistry) -> None:
    image = TREE.repository().tags["v1.70.0"]
    registry.store.put_blob(ROOT, b"something")
    registry.store.repository(ROOT).tags["other"] = "sha256:" + "0" * 64
    registry.routes.phantoms.update(blob.digest for blob in image.blobs)
    result = push_bundle(registry.host, bundle, state=None)
    assert is_complete_with(registry, "other")
    assert result.present.blobs == len(image.blobs), "what the registry said"
    assert result.uploaded.blobs > 0


def is_complete_with(registry: FaultyRegistry, extra: str) -> bool:
    del tags(registry, "")[extra]
    return is_complete(registry)


def test_a_name_whose_blobs_are_only_claimed_is_healed_too(bundle: Path, registry: FaultyRegistry) -> None:
    rule = registry.fail(
        Status(404, code="MANIFEST_BLOB_UNKNOWN"), method="PUT", path="modules/manifests/console", times=1
    )
    push_bundle(registry.host, bundle, state=None)
    assert rule.hits == 1 and "console" in tags(registry, "modules")


@pytest.mark.parametrize("mounts", [quirks.SESSION, quirks.REFUSED])
def test_where_nothing_is_mounted_everything_is_uploaded(bundle: Path, mounts: str) -> None:
    with FaultyRegistry(behaviour=Behaviour(mounts=mounts)) as registry:
        result = push_bundle(registry.host, bundle, state=None)
        assert is_complete(registry)
        assert result.mounted.blobs == 0
        assert registry.count("POST", "mount=") <= 3 + 32, "after three refusals nobody asks again"


def test_immutable_tags_that_are_right_are_left_alone(bundle: Path, registry: FaultyRegistry) -> None:
    registry.behaviour = Behaviour(immutable_tags=r"v.*")
    push_bundle(registry.host, bundle, state=None)
    assert not push_bundle(registry.host, bundle, state=None, repair=True).changed
    tags(registry, "release-channel")["v1.70.0"] = tags(registry, "release-channel")["v1.69.0"]
    with pytest.raises(AirgapError, match=r"platform: .*release-channel:v1\.70\.0.*immutable"):
        push_bundle(registry.host, bundle, state=None)


@pytest.mark.parametrize(
    "fault,method",
    [
        (Reset(after=10), "PUT|HEAD|GET"),
        (ResetWhileReading(after=100), "PUT"),
        (Status(503, retry_after=0), ""),
        (Status(429, code="TOOMANYREQUESTS", retry_after=0), ""),
        (StatusAfter(500), "PUT"),
    ],
    ids=["resets", "resets in uploads", "unavailable", "throttled", "lost answers"],
)
def test_what_goes_wrong_now_and_then_is_repeated(
    bundle: Path, registry: FaultyRegistry, fault: object, method: str
) -> None:
    for skip in (0, 7, 30, 60, 100):
        registry.fail(fault, method=method, skip=skip)
    push_bundle(registry.host, bundle, state=None)
    assert is_complete(registry)


def test_tokens_that_expire_in_the_middle_are_renewed(bundle: Path) -> None:
    with FaultyRegistry(auth=Bearer()) as registry:
        registry.fail(StatusAfter(500), method="PUT", path="/blobs/", skip=10, also=registry.expire_tokens)
        push_bundle(registry.host, bundle, state=None, login=("puller", "correct-horse-puller"))
        assert is_complete(registry)


def test_a_registry_that_goes_away_ends_the_run_with_its_reason(bundle: Path, registry: FaultyRegistry) -> None:
    registry.fail(Status(502, text="<title>Bad Gateway</title>"), times=None)
    with pytest.raises(AirgapError, match="Bad Gateway"):
        push_bundle(registry.host, bundle, state=None)
    assert not [one for one in registry.exchanges if re.fullmatch("POST|PUT", one.method)]


def test_many_refusals_are_named_shortly(registry: FaultyRegistry, bundle: Path) -> None:
    registry.fail(DENIED, method="POST|PUT", times=None)
    with pytest.raises(AirgapError, match=r"8 of 8 parts.* and 3 more") as failed:
        push_bundle(registry.host, bundle, state=None)
    assert len(failed.value.details["failures"]) == 8
