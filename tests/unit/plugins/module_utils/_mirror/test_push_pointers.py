# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Pointers: never back unless that is meant, never to what is not there, and judged again before they are written."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from ansible_collections.dkp.airgap.plugins.module_utils._mirror.pointers import _moment
from ansible_collections.dkp.airgap.plugins.module_utils._mirror.push import PushResult
from ansible_collections.dkp.airgap.plugins.module_utils._oci.errors import AirgapError
from ansible_collections.dkp.airgap.tests.kit.bundles import TINY, Tagged, archives_of, write_archive, write_bundle
from ansible_collections.dkp.airgap.tests.kit.faults import Action, Status
from ansible_collections.dkp.airgap.tests.kit.faulty import FaultyRegistry
from ansible_collections.dkp.airgap.tests.kit.pushing import ROOT, push_bundle, tags
from ansible_collections.dkp.airgap.tests.kit.shape import Channel, TreeShape
from ansible_collections.dkp.airgap.tests.kit.tree import build

CHANNEL = "release-channel"
NEWER = replace(TINY, versions=("v1.69.0", "v1.70.0", "v1.71.0"), security_created="2026-02-10T06:00:00Z",
                channels=(Channel("alpha", "v1.71.0"), Channel("stable", "v1.70.0")))  # fmt: skip
Layouts = Mapping[str, list[Tagged]]


@pytest.fixture
def made(tmp_path_factory: pytest.TempPathFactory) -> Callable[[TreeShape], Path]:
    def make(shape: TreeShape) -> Path:
        path = tmp_path_factory.mktemp("bundle")
        write_bundle(build(shape), path)
        return path

    return make


def change_of(result: PushResult, repository: str, tag: str) -> tuple[str | None, str | None]:
    (found,) = [change for change in result.tags if (change.repository, change.tag) == (repository, tag)]
    return found.before, found.after


def written(registry: FaultyRegistry) -> list[str]:
    return [one.target for one in registry.requests("POST|PUT|PATCH")]


def without(path: Path, layouts: Layouts, drop: Mapping[str, str]) -> None:
    """An archive whose layouts lack the tags (and their images) that `drop` names by layout."""
    write_archive(
        path, {name: [pair for pair in images if pair[0] != drop.get(name)] for name, images in layouts.items()}
    )


@pytest.mark.parametrize("mode", ["all", "pointers"])
def test_a_channel_does_not_go_back(registry: FaultyRegistry, made: Callable[[TreeShape], Path], mode: str) -> None:
    newer, older = made(NEWER), made(TINY)
    push_bundle(registry.host, newer, state=None)
    held = dict(tags(registry, CHANNEL))
    before = len(written(registry))
    with pytest.raises(
        AirgapError, match=r"release-channel:stable points at v1\.70\.0 .* back to v1\.69\.0"
    ) as refused:
        push_bundle(registry.host, older, state=None, publish=mode)
    assert "release-channel:alpha" in str(refused.value) and "security/trivy-db" in str(refused.value)
    assert len(written(registry)) == before and tags(registry, CHANNEL) == held
    with pytest.raises(AirgapError, match="allow_downgrade: true"):
        push_bundle(registry.host, older, state=None, publish=mode, check_mode=True)

    push_bundle(registry.host, older, state=None, publish="content")
    assert tags(registry, CHANNEL) == held, "content alone does not look at pointers"
    push_bundle(registry.host, older, state=None, allow_downgrade=True)
    assert tags(registry, CHANNEL)["stable"] == tags(registry, CHANNEL)["v1.69.0"]


def test_a_module_channel_does_not_go_back(registry: FaultyRegistry, made: Callable[[TreeShape], Path]) -> None:
    module = replace(TINY.modules[0], channels=(Channel("stable", "v1.37.0"),))
    push_bundle(registry.host, made(replace(TINY, modules=(module,))), state=None)
    with pytest.raises(AirgapError, match=r"console/release:stable points at v1\.37\.0 .* back to v1\.36\.2"):
        push_bundle(registry.host, made(TINY), state=None)


def test_an_older_database_is_an_error_and_a_newer_one_is_not(
    registry: FaultyRegistry, made: Callable[[TreeShape], Path]
) -> None:
    only = replace(TINY, modules=(), versions=(), channels=(), installer_tags=())
    new, old = (
        made(replace(only, security_created=text)) for text in ("2026-01-10T06:00:00.5Z", "2026-01-10T06:00:00Z")
    )
    push_bundle(registry.host, old, state=None)
    push_bundle(registry.host, new, state=None)  # as text it would be the older one
    with pytest.raises(AirgapError, match=r"security/trivy-db:2 was made at 2026-01-10T06:00:00.5Z"):
        push_bundle(registry.host, old, state=None)
    push_bundle(registry.host, old, state=None, allow_downgrade=True)


@pytest.mark.parametrize(
    "earlier,later",
    [
        ("2026-01-10T06:00:00Z", "2026-01-10T06:00:00.000000001Z"),
        ("2026-01-10T06:00:00.45Z", "2026-01-10T06:00:00.5Z"),
        ("2026-01-10T08:00:00+03:00", "2026-01-10T06:00:00Z"),
        ("2026-01-10T06:00:00.9Z", "2026-01-10T06:00:01Z"),
    ],
)
def test_creation_times_are_compared_as_times(earlier: str, later: str) -> None:
    assert _moment(earlier) < _moment(later)


@pytest.mark.parametrize("text", [None, "", "yesterday", "2026-01-10", "2026-13-10T06:00:00Z", "2026-01-10T06:00:00"])
def test_what_is_no_time_is_not_compared(text: str | None) -> None:
    assert _moment(text) is None


def dangling(tmp_path: Path) -> Path:
    """As d8 makes them: channels point to versions that are not in the bundle."""
    archives = archives_of(build(TINY))
    without(tmp_path / "platform.tar", archives["platform.tar"], {"": "v1.70.0", CHANNEL: "v1.70.0"})
    without(
        tmp_path / "module-console.tar",
        archives["module-console.tar"],
        {"modules/console": "v1.37.0", "modules/console/release": "v1.37.0"},
    )
    return tmp_path


@pytest.mark.parametrize("check_mode", [True, False])
def test_a_channel_whose_version_will_be_missing_is_withheld(
    registry: FaultyRegistry, tmp_path: Path, check_mode: bool
) -> None:
    result = push_bundle(registry.host, dangling(tmp_path), state=tmp_path / "state", check_mode=check_mode)
    found = {finding.subject: finding for finding in result.findings}
    subjects = {f"{path}:alpha" for path in (CHANNEL, "install", "install-standalone", "modules/console/release")}
    assert set(found) == subjects
    assert {(one.id, one.severity) for one in found.values()} == {("dangling", "warning")}
    assert "v1.70.0" in found["release-channel:alpha"].message
    assert change_of(result, CHANNEL, "alpha") == (None, None)
    if not check_mode:
        assert set(tags(registry, CHANNEL)) == {"v1.69.0", "stable", "rock-solid"}
        assert set(tags(registry, "modules/console/release")) == {"v1.36.2", "stable"}


def test_a_version_that_the_target_holds_need_not_be_in_the_bundle(
    registry: FaultyRegistry, made: Callable[[TreeShape], Path], tmp_path: Path
) -> None:
    push_bundle(registry.host, made(TINY), state=None, publish="content")
    result = push_bundle(registry.host, dangling(tmp_path), state=tmp_path / "state")
    assert not result.findings
    assert tags(registry, CHANNEL)["alpha"] == tags(registry, CHANNEL)["v1.70.0"]


class Meanwhile(Action):
    """Do something else in the registry while a request is answered."""

    def __init__(self, action: Callable[[], object]) -> None:
        self._action = action

    def on_answer(self, answer):  # type: ignore[no-untyped-def]
        self._action()
        return answer


def test_a_channel_that_moved_on_meanwhile_is_not_taken_back(
    registry: FaultyRegistry, made: Callable[[TreeShape], Path], tmp_path: Path
) -> None:
    newer, older = made(NEWER), made(TINY)

    def move() -> None:
        push_bundle(registry.host, newer, state=None)

    registry.fail(Meanwhile(move), method="PUT", path=f"{CHANNEL}/manifests/v1.70.0")
    with pytest.raises(AirgapError, match=r"release-channel:stable points at v1\.70\.0"):
        push_bundle(registry.host, older, state=tmp_path / "state")
    assert tags(registry, CHANNEL)["stable"] == tags(registry, CHANNEL)["v1.70.0"]
    assert "console" in tags(registry, "modules")


def test_a_channel_set_by_another_meanwhile_is_shown_as_it_was_found(
    registry: FaultyRegistry, made: Callable[[TreeShape], Path]
) -> None:
    bundle = made(TINY)
    other = build(TINY).repository(CHANNEL).tags["v1.69.0"]

    def move() -> None:
        registry.store.add_image(f"{ROOT}/{CHANNEL}", other, "stable", "alpha")

    registry.fail(Meanwhile(move), method="PUT", path=f"{CHANNEL}/manifests/v1.70.0")
    result = push_bundle(registry.host, bundle, state=None)
    digests = build(TINY).tags(CHANNEL)
    assert change_of(result, CHANNEL, "stable") == (digests["stable"], digests["stable"])
    assert change_of(result, CHANNEL, "alpha") == (digests["v1.69.0"], digests["alpha"])
    assert f"/v2/{ROOT}/{CHANNEL}/manifests/stable" not in written(registry)


def test_a_version_that_vanished_meanwhile_withholds_its_channel(
    registry: FaultyRegistry, made: Callable[[TreeShape], Path], tmp_path: Path
) -> None:
    push_bundle(registry.host, made(replace(TINY, modules=(), security=False)), state=None, publish="content")
    registry.fail(
        Meanwhile(lambda: tags(registry, CHANNEL).pop("v1.70.0")),
        method="PUT",
        path="modules/console/manifests/v1.36.2",
    )
    result = push_bundle(registry.host, dangling(tmp_path), state=None)
    assert "release-channel:alpha" in {finding.subject for finding in result.findings}
    assert "alpha" not in tags(registry, CHANNEL)


def test_a_pointer_that_cannot_be_read_is_not_written(
    registry: FaultyRegistry, made: Callable[[TreeShape], Path]
) -> None:
    registry.fail(Status(403, code="DENIED"), method="GET|HEAD", path="console/release/manifests/stable", times=None)
    with pytest.raises(AirgapError, match="module console: .*release:stable"):
        push_bundle(registry.host, made(TINY), state=None)
    assert set(tags(registry, "modules/console/release")) == {"v1.36.2", "v1.37.0"}
    assert "stable" in tags(registry, CHANNEL)


def test_what_is_behind_a_channel_and_is_no_release_can_be_replaced(
    registry: FaultyRegistry, made: Callable[[TreeShape], Path]
) -> None:
    installer = build(TINY).repositories["deckhouse/installer"].tags["latest"]
    registry.store.add_image(f"{ROOT}/{CHANNEL}", installer, "stable")
    registry.store.add_image(f"{ROOT}/{CHANNEL}", build(TINY).repository().tags["v1.69.0"], "alpha")
    push_bundle(registry.host, made(TINY), state=None)
    assert tags(registry, CHANNEL)["stable"] == tags(registry, CHANNEL)["v1.69.0"]


def test_a_channel_image_that_says_no_version_is_refused(registry: FaultyRegistry, tmp_path: Path) -> None:
    layouts = dict(archives_of(build(TINY))["platform.tar"])
    layouts[CHANNEL] = [*layouts[CHANNEL], ("beta", build(TINY).repository().tags["v1.69.0"])]
    write_archive(tmp_path / "platform.tar", layouts)
    with pytest.raises(AirgapError, match=r"platform\.tar: release-channel:beta is no release image"):
        push_bundle(registry.host, tmp_path, state=None)
    assert not written(registry)


@pytest.mark.parametrize("moved_to,outcome", [("v1.71.0", "stable was moved to sha256:"), ("v1.70.0", None)])
def test_a_pointer_that_another_host_moves_at_the_last_moment_is_left_to_it(
    registry: FaultyRegistry, made: Callable[[TreeShape], Path], moved_to: str, outcome: str | None
) -> None:
    """Judged afresh, and then moved once more, while the first of the pointers was written."""
    push_bundle(registry.host, made(TINY), state=None)

    def move() -> None:
        tags(registry, CHANNEL)["stable"] = tags(registry, CHANNEL)[moved_to]

    registry.fail(Meanwhile(move), method="PUT", path="security/trivy-db/manifests/2")
    if outcome:
        with pytest.raises(AirgapError, match=outcome):
            push_bundle(registry.host, made(NEWER), state=None)
    else:
        push_bundle(registry.host, made(NEWER), state=None)
    assert tags(registry, CHANNEL)["stable"] == tags(registry, CHANNEL)[moved_to]
    assert f"/v2/{ROOT}/{CHANNEL}/manifests/stable" not in written(registry)[-3:]
