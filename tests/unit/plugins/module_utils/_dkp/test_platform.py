# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which platform releases a selector takes: the tables of d8-mirror.md §3, where the contract does not correct them."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.dkp.airgap.plugins.module_utils._dkp.channels import DEFAULT_CHANNELS
from ansible_collections.dkp.airgap.plugins.module_utils._dkp.platform import (
    ChannelState,
    Selection,
    SelectionError,
    parse_platform_selector,
    select_platform,
    wants_tag_list,
)
from ansible_collections.dkp.airgap.plugins.module_utils._dkp.version import parse_version
from ansible_collections.dkp.airgap.plugins.module_utils._oci.errors import InvalidInput
from hypothesis import given
from hypothesis import strategies as st

FIVE = {
    "alpha": "v1.72.10",
    "beta": "v1.71.0",
    "early-access": "v1.70.0",
    "stable": "v1.69.0",
    "rock-solid": "v1.68.0",
}
TAGS = "v1.66.3 v1.67.1 v1.68.0 v1.68.4 v1.69.0 v1.69.2 v1.70.0 v1.71.0 v1.72.9 v1.72.10"
DISCOVERED = "v1.68.0 v1.68.4 v1.69.0 v1.69.2 v1.70.0 v1.71.0 v1.72.10"
FROM_1_66 = f"v1.66.3 v1.67.1 {DISCOVERED}"
LTS = {"lts": "v1.67.1"}
LTS_TAGS = "v1.65.0 v1.66.3 v1.67.1"
SINGLE_CHANNELS = (*DEFAULT_CHANNELS, "lts")


def states(channels: dict[str, str], suspended: str = "") -> dict[str, ChannelState]:
    found = {}
    for name, text in channels.items():
        version = parse_version(text)
        assert version is not None
        found[name] = ChannelState(name, version, name in suspended.split())
    return found


def select(
    channels: dict[str, str] | None = None, tags: str = TAGS, *, suspended: str = "", **options: Any
) -> Selection:
    selector = parse_platform_selector(**options)
    return select_platform(selector, states(FIVE if channels is None else channels, suspended), tags.split())


def versions(selection: Selection) -> str:
    return " ".join(map(str, selection.versions))


def channels(selection: Selection) -> dict[str, str]:
    return {name: str(version) for name, version in selection.channels.items()}


def subset(names: str) -> dict[str, str]:
    return {name: FIVE[name] for name in FIVE if name in names.split()}


@pytest.mark.parametrize(
    ("options", "expected", "carried"),
    [
        ({}, DISCOVERED, FIVE),
        ({"since_version": "v1.66.0"}, FROM_1_66, FIVE),
        ({"since_version": "1.67"}, f"v1.67.1 {DISCOVERED}", FIVE),
        ({"since_version": "v1.70.0"}, DISCOVERED, FIVE),
        ({"since_version": "v3.0.0"}, DISCOVERED, FIVE),
        (
            {"platform_versions": ">=1.69 <=1.71"},
            "v1.69.0 v1.69.2 v1.70.0 v1.71.0",
            subset("beta early-access stable"),
        ),
        ({"platform_versions": ">=1.66"}, FROM_1_66, FIVE),
        ({"platform_versions": ">=1.66.0 <1.68.0"}, "v1.66.3 v1.67.1", {}),
        ({"platform_versions": "~1.68.0"}, "v1.68.0 v1.68.4", subset("rock-solid")),
        (
            {"platform_versions": "^1.69.0"},
            "v1.69.0 v1.69.2 v1.70.0 v1.71.0 v1.72.10",
            subset("alpha beta early-access stable"),
        ),
        ({"platform_versions": "1.70.0"}, "v1.70.0 v1.71.0 v1.72.10", subset("alpha beta early-access")),
        ({"platform_versions": ">1.69.0 <1.72.0"}, "v1.69.2 v1.70.0 v1.71.0", subset("beta early-access")),
        ({"platform_versions": ">=1.72.9"}, "v1.72.9 v1.72.10", subset("alpha")),
    ],
)
def test_discovery_and_ranges(options: dict[str, Any], expected: str, carried: dict[str, str]) -> None:
    selection = select(**options)
    assert versions(selection) == expected
    assert channels(selection) == carried
    assert selection.tags == ()
    assert not selection.repointed
    assert not selection.warnings


@pytest.mark.parametrize(
    ("options", "version"),
    [
        ({"platform_versions": "=v1.70.0"}, "v1.70.0"),
        ({"release": "v1.70.0"}, "v1.70.0"),
        ({"release": "v1.68.4"}, "v1.68.4"),
        ({"release": "stable"}, "v1.69.0"),
    ],
)
@pytest.mark.parametrize("tags", [TAGS, ""])
def test_a_pin_publishes_to_the_default_five_with_a_warning(options: dict[str, Any], version: str, tags: str) -> None:
    selection = select(tags=tags, **options)
    assert versions(selection) == version
    assert channels(selection) == dict.fromkeys(DEFAULT_CHANNELS, version)
    assert selection.repointed == set(DEFAULT_CHANNELS)
    (warning,) = selection.warnings
    assert (warning.id, warning.severity, warning.subject) == ("pin_publishes_all", "warning", "platform")
    assert version in warning.message
    assert f"={version}+stable" in warning.hint


def test_a_pin_with_a_channel_publishes_to_that_one() -> None:
    selection = select(platform_versions="=v1.70.0+stable")
    assert versions(selection) == "v1.70.0"
    assert channels(selection) == {"stable": "v1.70.0"}
    assert selection.repointed == {"stable"}
    assert not selection.warnings


@pytest.mark.parametrize("options", [{"release": "pr123"}, {"platform_versions": "=pr123"}, {"release": "1.70.0"}])
def test_a_custom_tag_is_no_version_and_publishes_nothing(options: dict[str, Any]) -> None:
    selection = select(**options)
    assert selection.versions == ()
    assert selection.tags == (next(iter(options.values())).lstrip("="),)
    assert selection.references == selection.tags
    assert selection.channels == {}
    assert not selection.warnings


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, "v1.67.1"),
        ({"platform_versions": ">=1.65"}, "v1.65.0 v1.66.3 v1.67.1"),
        ({"since_version": "v1.66"}, "v1.66.3 v1.67.1"),
        ({"since_version": "v1.70"}, "v1.67.1"),
    ],
)
def test_a_registry_with_lts_only(options: dict[str, Any], expected: str) -> None:
    selection = select(LTS, LTS_TAGS + " v1.68.0-rc.1" * bool(not options), **options)
    assert versions(selection) == expected
    assert channels(selection) == LTS


@pytest.mark.parametrize("options", [{"release": "lts"}, {"release": "v1.67.1"}, {"platform_versions": "=v1.66.3"}])
def test_a_pin_on_a_registry_with_lts_only_publishes_to_lts(options: dict[str, Any]) -> None:
    selection = select(LTS, LTS_TAGS, **options)
    assert list(selection.channels) == ["lts"]
    assert selection.repointed == {"lts"}
    assert [warning.id for warning in selection.warnings] == ["pin_publishes_all"]


def test_lts_by_name_beside_the_five_carries_lts_too() -> None:
    selection = select({**FIVE, **LTS}, release="lts")
    assert channels(selection) == dict.fromkeys(SINGLE_CHANNELS, "v1.67.1")


def test_a_pin_beside_lts_leaves_lts_alone() -> None:
    assert list(select({**FIVE, **LTS}, release="v1.67.1").channels) == list(DEFAULT_CHANNELS)


def test_lts_below_the_floor_does_not_dangle() -> None:
    selection = select({**FIVE, **LTS})
    assert versions(selection) == DISCOVERED
    assert channels(selection) == FIVE


@pytest.mark.parametrize("options", [{"since_version": "v1.66"}, {"platform_versions": ">=1.66"}])
def test_lts_comes_along_when_its_version_does(options: dict[str, Any]) -> None:
    assert channels(select({**FIVE, **LTS}, **options)) == {**FIVE, **LTS}


def test_lts_and_alpha_without_rock_solid_start_at_the_lowest_channel() -> None:
    selection = select({"alpha": "v1.69.0", "lts": "v1.67.1"})
    assert versions(selection) == "v1.67.1 v1.68.4 v1.69.0"
    assert channels(selection) == {"alpha": "v1.69.0", "lts": "v1.67.1"}


def test_without_alpha_only_what_channels_point_at_is_taken() -> None:
    assert (
        versions(select({"stable": "v1.69.0", "rock-solid": "v1.68.0", "lts": "v1.66.3"})) == "v1.66.3 v1.68.0 v1.69.0"
    )


def test_alpha_below_rock_solid_leaves_what_channels_above_the_floor_point_at() -> None:
    selection = select({**FIVE, "alpha": "v1.67.1"})
    assert versions(selection) == "v1.68.0 v1.69.0 v1.70.0 v1.71.0"
    assert "alpha" not in selection.channels


@pytest.mark.parametrize("options", [{}, {"platform_versions": ">=1.69"}, {"since_version": "v1.66"}])
def test_a_missing_default_channel_is_named(options: dict[str, Any]) -> None:
    present = {name: version for name, version in FIVE.items() if name not in ("beta", "stable")}
    with pytest.raises(
        SelectionError, match="missing in the source: beta, stable; it has alpha, early-access, rock-solid"
    ):
        select(present, **options)


@pytest.mark.parametrize(
    "options", [{"release": "v1.70.0"}, {"release": "stable"}, {"platform_versions": "=v1.70.0+beta"}]
)
def test_what_is_asked_for_by_name_needs_no_other_channel(options: dict[str, Any]) -> None:
    assert select(subset("stable rock-solid"), **options).versions


def test_a_source_without_any_channel_says_where_to_look() -> None:
    with pytest.raises(SelectionError, match="no release channel at all .*check that images_repo"):
        select({})


def test_a_missing_channel_is_refused_with_those_that_exist() -> None:
    with pytest.raises(SelectionError, match="'beta' was asked for .* it has alpha, stable"):
        select(subset("stable alpha"), release="beta")


@pytest.mark.parametrize("text", [">=2.0.0", "~1.60.0", ">1.72.10", ">=1.68 <1.68"])
def test_a_range_that_selects_nothing_is_an_error(text: str) -> None:
    with pytest.raises(SelectionError, match="no release lies in .* the source has v1.66.3 to v1.72.10"):
        select(platform_versions=text)


@pytest.mark.parametrize(
    ("release", "nearest"),
    [
        ("v1.69.1", "v1.68.4, v1.69.0, v1.69.2, v1.70.0"),
        ("v1.2.0", "v1.66.3, v1.67.1"),
        ("v9.0.0", "v1.72.9, v1.72.10"),
    ],
)
def test_a_version_that_is_not_there_is_named_with_the_nearest(release: str, nearest: str) -> None:
    with pytest.raises(SelectionError, match=rf"'{release}' was asked for .* nearest that exist are {nearest}$"):
        select(release=release)


SUSPENDED = "stable rock-solid"


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"since_version": "v1.66"},
        {"platform_versions": ">=1.68"},
    ],
)
def test_suspended_channels_stop_a_selection_that_carries_them(options: dict[str, Any]) -> None:
    with pytest.raises(
        SelectionError, match=r'channels "rock-solid" \(v1.68.0\), "stable" \(v1.69.0\).*ignore_suspend'
    ):
        select(suspended=SUSPENDED, **options)


@pytest.mark.parametrize(
    "options",
    [
        {"release": "stable"},
        {"release": "v1.69.0"},
        {"platform_versions": "=v1.69.0+stable"},
        {"platform_versions": "~1.69.0"},
    ],
)
def test_one_suspended_channel_is_named_in_the_singular(options: dict[str, Any]) -> None:
    with pytest.raises(SelectionError, match=r'channel "stable" \(v1.69.0\)\..*without what is suspended'):
        select(suspended=SUSPENDED, **options)


@pytest.mark.parametrize(
    "options",
    [
        {"platform_versions": ">=1.70"},
        {"release": "beta"},
        {"release": "v1.68.4"},
        {"platform_versions": "=v1.69.0+alpha"},
        {"release": "pr123"},
    ],
)
def test_a_suspended_channel_that_is_not_carried_stops_nothing(options: dict[str, Any]) -> None:
    assert select(suspended=SUSPENDED, **options).references


def test_ignore_suspend_takes_the_release_image_as_pointer() -> None:
    selection = select(suspended=SUSPENDED, ignore_suspend=True)
    assert versions(selection) == DISCOVERED
    assert channels(selection) == FIVE
    assert selection.repointed == {"stable", "rock-solid"}


def test_a_pre_release_keeps_its_suffix_and_does_not_push_out_the_release_below() -> None:
    selection = select(tags=TAGS + " v1.69.3-rc.1 v1.71.1-rc.1 v1.72.10-rc.1")
    assert versions(selection) == ("v1.68.0 v1.68.4 v1.69.0 v1.69.2 v1.69.3-rc.1 v1.70.0 v1.71.0 v1.71.1-rc.1 v1.72.10")


def test_a_range_takes_pre_releases_only_when_it_names_one() -> None:
    tags = TAGS + " v1.69.3-rc.1"
    assert versions(select(tags=tags, platform_versions="~1.69.1")) == "v1.69.2"
    assert versions(select(tags=tags, platform_versions="~1.69.1-0")) == "v1.69.2 v1.69.3-rc.1"


def test_tags_in_another_spelling_are_not_versions() -> None:
    assert versions(select(tags=TAGS + " 1.69.9 v1.73 v1.70.5+x latest stable pr123")) == DISCOVERED


@pytest.mark.parametrize(
    ("options", "present", "wanted"),
    [
        ({}, FIVE, True),
        ({}, LTS, False),
        ({"since_version": "v1.60"}, LTS, True),
        ({"since_version": "v1.69"}, LTS, False),
        ({"platform_versions": ">=1.65"}, LTS, True),
        ({"platform_versions": "=v1.70.0"}, FIVE, False),
        ({"release": "v1.70.0"}, FIVE, False),
        ({"release": "stable"}, FIVE, False),
        ({"release": "pr123"}, FIVE, False),
        ({}, {}, False),
        ({"since_version": "v1.60"}, {}, False),
    ],
)
def test_tags_are_listed_only_where_they_matter(options: dict[str, Any], present: dict[str, str], wanted: bool) -> None:
    assert wants_tag_list(parse_platform_selector(**options), states(present)) is wanted


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (
            {"platform_versions": ">=1.6", "since_version": "1.6"},
            "platform_versions and since_version exclude each other",
        ),
        ({"release": "stable", "since_version": "1.6"}, "since_version and release exclude each other"),
        ({"release": "EarlyAccess"}, "spell the channel 'EarlyAccess' as 'early-access'"),
        ({"release": "LTS"}, "spell the channel 'LTS' as 'lts'"),
        ({"release": "v1.70.0+stable"}, 'write platform_versions: "=v1.70.0\\+stable"'),
        ({"release": "a b"}, "neither a channel .* nor a version"),
        ({"since_version": "yesterday"}, "since_version: 'yesterday' is not a version"),
        ({"platform_versions": ">=1.x"}, "platform_versions: .*character 3"),
    ],
)
def test_options_that_cannot_be_right_are_refused(options: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        parse_platform_selector(**options)


def test_blank_options_are_unset() -> None:
    blank = parse_platform_selector(platform_versions="", since_version=" ", release="stable")
    assert blank == parse_platform_selector(release="stable")


VERSION_TEXTS = st.builds("v1.{}.{}".format, st.integers(60, 70), st.integers(0, 4))
CHANNEL_MAPS = st.dictionaries(st.sampled_from(SINGLE_CHANNELS), VERSION_TEXTS)
OPTIONS = st.one_of(
    st.just({}),
    st.builds(lambda text: {"since_version": text}, VERSION_TEXTS),
    st.builds(lambda text: {"release": text}, st.one_of(VERSION_TEXTS, st.sampled_from([*SINGLE_CHANNELS, "pr1"]))),
    st.builds(lambda low, high: {"platform_versions": f">={low[1:]} <={high[1:]}"}, VERSION_TEXTS, VERSION_TEXTS),
)


@given(CHANNEL_MAPS, st.lists(VERSION_TEXTS), OPTIONS)
def test_no_pointer_ever_dangles(present: dict[str, str], tags: list[str], options: dict[str, Any]) -> None:
    try:
        selection = select(present, " ".join(tags), **options)
    except SelectionError:
        return
    assert selection.references
    assert set(selection.channels.values()) <= set(selection.versions)
    assert selection.repointed <= set(selection.channels)
    if "release" not in options:
        assert set(map(str, selection.versions)) <= {*present.values(), *tags}
