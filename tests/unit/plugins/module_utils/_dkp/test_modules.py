# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which modules and which of their releases are taken: d8-mirror.md §4, where the contract does not correct it."""

from __future__ import annotations

import pytest
from ansible_collections.dkp.airgap.plugins.module_utils._dkp.channels import DEFAULT_CHANNELS
from ansible_collections.dkp.airgap.plugins.module_utils._dkp.modules import (
    ModuleSelector,
    choose_modules,
    module_wants_tag_list,
    parse_module_choice,
    select_module,
)
from ansible_collections.dkp.airgap.plugins.module_utils._dkp.option_lists import drop_empty
from ansible_collections.dkp.airgap.plugins.module_utils._dkp.selection import (
    ChannelState,
    Selection,
    SelectionError,
)
from ansible_collections.dkp.airgap.plugins.module_utils._dkp.version import parse_version
from ansible_collections.dkp.airgap.plugins.module_utils._oci.errors import InvalidInput

CATALOGUE = ["console", "commander", "commander-agent", "operator-trivy", "stronghold"]
CHANNELS = {"alpha": "v1.2.0", "beta": "v1.1.1", "stable": "v1.1.0", "rock-solid": "v1.0.0"}
TAGS = "v1.0.0 v1.0.1 v1.1.0 v1.1.1 v1.1.2 v1.2.0 v1.2.1-rc.1 alpha pr7"


def select(
    *filters: str, channels: dict[str, str] | None = None, tags: str = TAGS, suspended: str = "", ignore: bool = False
) -> Selection:
    (chosen,) = choose_modules(parse_module_choice(list(filters)), CATALOGUE)
    chosen = ModuleSelector(chosen.name, chosen.constraint, chosen.named, ignore)
    states = {}
    for name, text in (CHANNELS if channels is None else channels).items():
        version = parse_version(text)
        assert version is not None
        states[name] = ChannelState(name, version, name in suspended.split())
    return select_module(chosen, states, tags.split() if module_wants_tag_list(chosen) else [])


def versions(selection: Selection) -> str:
    return " ".join(map(str, selection.versions))


def channels(selection: Selection) -> dict[str, str]:
    return {name: str(version) for name, version in selection.channels.items()}


def inside(names: str) -> dict[str, str]:
    return {name: CHANNELS[name] for name in CHANNELS if name in names.split()}


@pytest.mark.parametrize(
    ("filters", "expected", "carried"),
    [
        (["console"], "v1.0.0 v1.1.0 v1.1.1 v1.2.0", CHANNELS),
        (["console", "console"], "v1.0.0 v1.1.0 v1.1.1 v1.2.0", CHANNELS),
        (["console@>=1.0"], "v1.0.0 v1.0.1 v1.1.0 v1.1.1 v1.1.2 v1.2.0", CHANNELS),
        (["console@>=1.1.1 <1.2"], "v1.1.1 v1.1.2", inside("beta")),
        (["console@~1.1.2"], "v1.1.2", {}),
        (["console@1.1.0"], "v1.1.0 v1.1.1 v1.1.2 v1.2.0", inside("alpha beta stable")),
        (["console@>=1.2.0-0"], "v1.2.0 v1.2.1-rc.1", inside("alpha")),
        (["console@~1.0.0", "console@~1.2.0"], "v1.0.0 v1.0.1 v1.2.0", inside("alpha rock-solid")),
        (["console@~1.0.0", "console"], "v1.0.0 v1.0.1", inside("rock-solid")),
    ],
)
def test_channels_and_ranges(filters: list[str], expected: str, carried: dict[str, str]) -> None:
    selection = select(*filters)
    assert versions(selection) == expected
    assert channels(selection) == carried
    assert not selection.repointed
    assert not selection.warnings


@pytest.mark.parametrize(
    ("filters", "expected", "published"),
    [
        (["console@=v1.0.0+stable"], "v1.0.0", {"stable": "v1.0.0"}),
        (["console@=v1.0.0+lts"], "v1.0.0", {"lts": "v1.0.0"}),
        (["console@=v1.0.0", "console@=v1.1.0"], "v1.0.0 v1.1.0", {}),
        (["console@=v1.0.0+stable", "console@=v1.1.0"], "v1.0.0 v1.1.0", {"stable": "v1.0.0"}),
        (
            ["console@=v1.0.0+stable", "console@=v1.1.0+beta"],
            "v1.0.0 v1.1.0",
            {"beta": "v1.1.0", "stable": "v1.0.0"},
        ),
        (["console@=v1.0.0+stable", "console@=v1.0.0+beta"], "v1.0.0", {"beta": "v1.0.0", "stable": "v1.0.0"}),
        (["console@=v1.0.0", "console@=v1.0.0+beta"], "v1.0.0", {"beta": "v1.0.0"}),
    ],
)
def test_pins(filters: list[str], expected: str, published: dict[str, str]) -> None:
    selection = select(*filters)
    assert versions(selection) == expected
    assert channels(selection) == published
    assert selection.repointed == set(published)
    assert not selection.warnings


@pytest.mark.parametrize("filters", [["console@=v1.0.0"], ["console", "console@=v1.0.0"], ["console@=v1.0.0"] * 2])
def test_a_single_pin_publishes_to_the_default_five_with_a_warning(filters: list[str]) -> None:
    selection = select(*filters)
    assert channels(selection) == dict.fromkeys(DEFAULT_CHANNELS, "v1.0.0")
    assert [(warning.id, warning.subject) for warning in selection.warnings] == [
        ("pin_publishes_all", "module console")
    ]


def test_a_single_pin_publishes_to_lts_where_there_is_only_that() -> None:
    assert channels(select("console@=v1.0.0", channels={"lts": "v1.1.0"})) == {"lts": "v1.0.0"}


def test_a_pin_beside_a_range_is_published_to_its_channel_only() -> None:
    selection = select("console@=v1.0.0+stable", "console@~1.1.0")
    assert versions(selection) == "v1.0.0 v1.1.0 v1.1.1 v1.1.2"
    assert channels(selection) == {"beta": "v1.1.1", "stable": "v1.0.0", "rock-solid": "v1.0.0"}
    assert selection.repointed == {"stable"}
    bare = select("console@=v1.0.0", "console@~1.1.1")
    assert versions(bare) == "v1.0.0 v1.1.1 v1.1.2"
    assert channels(bare) == {"beta": "v1.1.1", "rock-solid": "v1.0.0"}
    assert not bare.repointed


def test_a_custom_tag_is_carried_and_publishes_nothing() -> None:
    alone = select("console@=pr7")
    assert (alone.versions, alone.tags, alone.channels, alone.warnings) == ((), ("pr7",), {}, ())
    mixed = select("console@=pr7", "console@~1.2.0")
    assert (versions(mixed), mixed.tags, channels(mixed)) == ("v1.2.0", ("pr7",), inside("alpha"))


def test_two_pins_cannot_share_a_channel() -> None:
    with pytest.raises(SelectionError, match="'stable' cannot point at v1.0.0 and at v1.1.0"):
        select("console@=v1.0.0+stable", "console@=v1.1.0+stable")


@pytest.mark.parametrize("filters", [["console@>=2"], ["console@~1.1.0", "console@>=2"]])
def test_a_range_that_selects_nothing_is_an_error(filters: list[str]) -> None:
    with pytest.raises(SelectionError, match="module console: no version lies in '>=2'; it has v1.2.1-rc.1, v1.2.0"):
        select(*filters)


def test_a_pin_that_is_not_among_the_listed_tags_is_named_with_the_nearest() -> None:
    with pytest.raises(SelectionError, match="module console: '1.1.0' was asked for .* nearest that exist are v1.1.0$"):
        select("console@=1.1.0", "console@~1.2.0")
    with pytest.raises(SelectionError, match="'pr77' was asked for .* nearest that exist are pr7$"):
        select("console@=pr77", "console@~1.2.0")


def test_a_module_without_any_release_is_an_error_only_when_it_was_asked_for() -> None:
    with pytest.raises(SelectionError, match="module console was asked for and has no release on any channel"):
        select("console", channels={})
    selection = select_module(ModuleSelector("console"), {}, [])
    assert selection.references == ()
    assert [warning.id for warning in selection.warnings] == ["module_without_release"]


def test_suspended_channels_count_for_modules_too() -> None:
    with pytest.raises(SelectionError, match=r'module console: .* channel "beta" \(v1.1.1\)'):
        select("console", suspended="beta")
    assert select("console@~1.2.0", suspended="beta").versions
    assert select("console", suspended="beta", ignore=True).repointed == {"beta"}


def chosen(include: list[str] | None, exclude: list[str] | None = None) -> list[str]:
    return [selector.name for selector in choose_modules(parse_module_choice(include, exclude), CATALOGUE)]


@pytest.mark.parametrize(
    ("include", "exclude", "expected"),
    [
        (None, None, sorted(CATALOGUE)),
        ([], None, []),
        ([], ["console"], []),
        (None, [], sorted(CATALOGUE)),
        (["stronghold", "console@>=1.0", "stronghold"], None, ["console", "stronghold"]),
        (["console"], [], ["console"]),
        (None, ["console", "commander@>=1.0"], ["commander-agent", "operator-trivy", "stronghold"]),
    ],
)
def test_modules_are_chosen_by_name(include: list[str] | None, exclude: list[str] | None, expected: list[str]) -> None:
    assert chosen(include, exclude) == expected


def test_no_module_needs_no_catalogue() -> None:
    assert parse_module_choice([]).takes_nothing
    assert not parse_module_choice(None).takes_nothing


def test_all_unknown_names_are_named_with_the_nearest() -> None:
    with pytest.raises(InvalidInput) as caught:
        chosen(["consol", "console", "zzz", "operator-trivi@>=1"])
    assert str(caught.value) == (
        "modules: 3 modules are not in the source's catalogue of 5: 'consol' (did you mean console?), "
        "'operator-trivi' (did you mean operator-trivy?), 'zzz'"
    )
    with pytest.raises(
        InvalidInput, match="exclude_modules: 1 module is not in .*: 'comander' .did you mean commander"
    ):
        chosen(None, ["comander"])


def test_including_and_excluding_exclude_each_other() -> None:
    with pytest.raises(InvalidInput, match="modules and exclude_modules exclude each other"):
        parse_module_choice(["console"], ["stronghold"])


@pytest.mark.parametrize(("include", "exclude"), [(["console@>=1.x"], None), (None, ["console@>=1.x"])])
def test_a_malformed_constraint_is_refused_before_anything_is_listed(
    include: list[str] | None, exclude: list[str] | None
) -> None:
    with pytest.raises(InvalidInput, match="character 11"):
        parse_module_choice(include, exclude)


@pytest.mark.parametrize(
    ("values", "kept"), [(None, None), ([], []), ([""], None), (["", " "], None), (["", "console"], ["console"])]
)
def test_a_list_of_empty_strings_is_unset(values: list[str] | None, kept: list[str] | None) -> None:
    assert drop_empty(values) == kept
