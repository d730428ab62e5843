# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Constraints in d8's dialect: the tables of d8-mirror.md §4.2 and §4.3, and what is refused."""

from __future__ import annotations

import re

import pytest
from ansible_collections.dkp.airgap.plugins.module_utils._dkp.constraint import (
    Constraint,
    Pin,
    parse_constraint,
    parse_filter,
)
from ansible_collections.dkp.airgap.plugins.module_utils._dkp.version import (
    Version,
    parse_version,
    versions_of_tags,
)
from ansible_collections.dkp.airgap.plugins.module_utils._oci.errors import InvalidInput
from hypothesis import given
from hypothesis import strategies as st


def read(text: str) -> Constraint:
    return parse_constraint(text, where="modules")


def version(text: str) -> Version:
    parsed = parse_version(text)
    assert parsed is not None
    return parsed


def admitted(constraint: str, versions: str) -> str:
    return " ".join(text for text in versions.split() if read(constraint).admits(version(text)))


@pytest.mark.parametrize(
    ("constraint", "versions", "expected"),
    [
        # concrete and partial versions behind each operator
        (">=1.2.3", "1.2.2 1.2.3 1.3.0 2.0.0", "1.2.3 1.3.0 2.0.0"),
        (">=1.2", "1.1.9 1.2.0 1.2.7", "1.2.0 1.2.7"),
        ("<1.2.3", "1.2.2 1.2.3", "1.2.2"),
        ("<1.2", "1.1.9 1.2.0 1.2.1", "1.1.9"),
        (">1.2.3", "1.2.3 1.2.4", "1.2.4"),
        (">1.2", "1.2.0 1.2.9 1.3.0 2.0.0", "1.3.0 2.0.0"),
        (">1", "1.0.0 1.9.9 2.0.0", "2.0.0"),
        ("<=1.3.1", "1.3.0 1.3.1 1.3.2", "1.3.0 1.3.1"),
        ("<=1.3", "1.2.0 1.3.0 1.3.9 1.4.0", "1.2.0 1.3.0 1.3.9"),
        ("<=1", "0.9.0 1.0.0 1.9.9 2.0.0", "0.9.0 1.0.0 1.9.9"),
        ("~1.2.3", "1.2.2 1.2.3 1.2.9 1.3.0", "1.2.3 1.2.9"),
        ("~1.2", "1.1.9 1.2.0 1.2.9 1.3.0", "1.2.0 1.2.9"),
        ("~1", "0.9.0 1.0.0 1.9.0 2.0.0", "1.0.0 1.9.0"),
        ("~1.x", "0.9.0 1.0.0 1.9.0 2.0.0", "1.0.0 1.9.0"),
        ("~>1.2.3", "1.2.2 1.2.3 1.3.0", "1.2.3"),
        ("^1.2.3", "1.2.2 1.2.3 1.9.0 2.0.0", "1.2.3 1.9.0"),
        ("^1", "0.9.0 1.0.0 1.9.0 2.0.0", "1.0.0 1.9.0"),
        ("^0.4.0", "0.3.9 0.4.0 0.4.9 0.5.0 1.0.0", "0.4.0 0.4.9"),
        ("^0.4", "0.3.9 0.4.0 0.4.9 0.5.0", "0.4.0 0.4.9"),
        ("^0.0.3", "0.0.2 0.0.3 0.0.4 0.1.0", "0.0.3"),
        ("^0.0", "0.0.1 0.0.9 0.1.0", "0.0.1 0.0.9"),
        ("^0", "0.0.1 0.9.9 1.0.0", "0.0.1 0.9.9"),
        # behind a first comparison: equality, inequality, and other spellings
        (">=1.0 1.5.0", "1.4.0 1.5.0 1.6.0", "1.5.0"),
        (">=1.0 =1.5", "1.4.0 1.5.0 1.5.9 1.6.0", "1.5.0 1.5.9"),
        (">=1.0 1.x", "1.4.0 1.5.0 2.0.0", "1.4.0 1.5.0"),
        (">=1.0 !=1.5.0", "1.4.0 1.5.0 1.5.1", "1.4.0 1.5.1"),
        (">=1.0 !=1.5", "1.4.0 1.5.0 1.5.1 1.6.0", "1.4.0 1.6.0"),
        (">=1.0 =<1.4.0", "1.4.0 1.5.0", "1.4.0"),
        ("<2.0 =>1.4.0", "1.3.0 1.4.0 2.0.0", "1.4.0"),
        (">=1.1,<1.3", "1.0.0 1.1.0 1.2.0 1.3.0", "1.1.0 1.2.0"),
        (">= 1.1 ,  < 1.3", "1.0.0 1.1.0 1.2.0 1.3.0", "1.1.0 1.2.0"),
        (">=1.1 <1.2 || >=1.5", "1.1.0 1.2.0 1.5.0 1.6.0", "1.1.0 1.5.0 1.6.0"),
        (">2 <1", "0.9.0 1.0.0 2.0.0 3.0.0", ""),
        # one version: up to the next major
        ("1.2.3", "1.2.2 1.2.3 1.9.0 2.0.0", "1.2.3 1.9.0"),
        ("v1.2", "1.1.0 1.2.0 1.9.0 2.0.0", "1.2.0 1.9.0"),
        ("0.4.0", "0.4.0 0.9.0 1.0.0", "0.4.0 0.9.0"),
        # pre-releases: only where the group names one
        (">=1.2.0", "1.2.1-rc.1 1.2.1", "1.2.1"),
        (">=1.2.0-0", "1.2.0-rc.1 1.2.1-rc.1 1.2.1", "1.2.0-rc.1 1.2.1-rc.1 1.2.1"),
        (">=1.2.0-0 <1.3.0", "1.2.1-rc.1 1.3.0-rc.1 1.3.0", "1.2.1-rc.1 1.3.0-rc.1"),
        (">=1.2.0 || >=3.0.0-0", "1.3.0-rc.1 3.1.0-rc.1", "3.1.0-rc.1"),
        ("1.2.0-rc.1", "1.2.0-beta 1.2.0-rc.2 1.2.0 2.0.0", "1.2.0-rc.2 1.2.0"),
        ("^1.2.0-0", "1.2.0-rc.1 2.0.0-rc.1", "1.2.0-rc.1"),
    ],
)
def test_a_range_admits_as_masterminds_does(constraint: str, versions: str, expected: str) -> None:
    assert admitted(constraint, versions) == expected


@pytest.mark.parametrize(
    ("constraint", "tags", "selected"),
    [
        ("^1.3.0", "v1.0.0 v1.1.0 v1.2.0 v1.3.0 v1.3.1 v1.3.2 v1.3.3 v1.4.0 v1.4.1", "v1.3.3 v1.4.1"),
        ("~1.3.0", "v1.2.0 v1.3.0 v1.3.3 v1.4.1", "v1.3.3"),
        (">=1.6.0 <1.8.0", "v1.6.0 v1.6.1 v1.6.5 v1.7.0 v1.7.1 v1.8.0", "v1.6.0 v1.6.5 v1.7.1"),
        (
            ">=1.40.0 <=1.42.5",
            "v1.40.0 v1.40.1 v1.41.0 v1.42.0 v1.42.5 v1.42.7",
            "v1.40.0 v1.40.1 v1.41.0 v1.42.5",
        ),
        (">1.40.0 <1.42.0", "v1.40.0 v1.40.1 v1.41.0 v1.41.3", "v1.40.1 v1.41.3"),
        ("0.4.0", "v0.4.2 v0.4.4 v0.5.1 v0.5.3 v0.6.1 v0.7.2", "v0.4.4 v0.5.3 v0.6.1 v0.7.2"),
        ("^0.4.0", "v0.4.2 v0.4.4 v0.5.1 v0.5.3 v0.6.1 v0.7.2", "v0.4.4"),
        (">=1.2.0-0", "v1.2.0 v1.2.3 v1.2.4-rc.1", "v1.2.4-rc.1"),
        (">=1.1.9-0", "v1.2.3 v1.2.4-rc.1", "v1.2.4-rc.1"),
        # an inclusive bound that does not exist, or that another comparison shuts out, is not invented
        (">=1.6.0", "v1.6.1 v1.6.2", "v1.6.2"),
        (">=1.6.0 >1.6.0", "v1.6.0 v1.6.1", "v1.6.1"),
        # tags in another spelling name no version that could be fetched
        (">=1.6.0", "1.6.0 v1.6 v1.6.1 stable", "v1.6.1"),
        (">=1.6.0", "1.6.0 v1.7", ""),
    ],
)
def test_a_range_selects_the_newest_of_each_minor_and_its_inclusive_bounds(
    constraint: str, tags: str, selected: str
) -> None:
    available = versions_of_tags(tags.split())
    assert " ".join(map(str, sorted(read(constraint).select(available)))) == selected


@pytest.mark.parametrize(
    ("text", "pin"),
    [
        ("=v1.70.3", Pin("v1.70.3")),
        ("=1.70.3", Pin("1.70.3")),
        ("=pr123", Pin("pr123")),
        ("=v1.70.3+stable", Pin("v1.70.3", "stable")),
        ("=v1.70.3+lts", Pin("v1.70.3", "lts")),
        (" = v1.70.3 ", Pin("v1.70.3")),
    ],
)
def test_an_equals_sign_pins_a_tag(text: str, pin: Pin) -> None:
    assert read(text) == Constraint(pins=(pin,))
    assert read(text).exact


def test_a_pin_of_a_tag_in_another_spelling_names_no_version() -> None:
    assert read("=v1.70.3").pins[0].version == version("v1.70.3")
    assert read("=1.70.3").pins[0].version is None


@pytest.mark.parametrize(
    ("text", "position", "said"),
    [
        ("", 1, "empty"),
        ("   ", 4, "empty"),
        ("=", 2, "no tag"),
        ("=+stable", 2, "no tag"),
        ("=>1.2.0", 1, "an exact pin is"),
        ("==1.2.0", 1, "an exact pin is"),
        ("=v1 2", 2, "cannot be a tag"),
        ("=v1.2.3+stabel", 9, "did you mean stable?"),
        ("=v1.2.3+", 9, "no release channel"),
        ("=v1.2.3+Stable", 9, "did you mean stable?"),
        ("=pr123+stable", 2, "a channel can only point at a version"),
        ("=1.2.3+stable", 2, "write v1.2.3"),
        ("*", 1, "has to be one version"),
        ("1.x", 1, "has to be one version"),
        ("!=1.2", 1, "has to be one version"),
        ("stable", 1, "has to be one version"),
        ("1.2 - 1.3", 4, "has to be one version"),
        ("1.2 <2", 4, "has to be one version"),
        ("1.2 || 1.3", 4, "has to be one version"),
        (">=1.x", 3, "without x and *"),
        (">=*", 3, "without x and *"),
        (">1 <=1.X", 6, "without x and *"),
        (">", 2, "expected a version"),
        (">=", 3, "expected a version"),
        (">=1.2 <", 8, "expected a version"),
        (">=1.2,,<2", 7, "expected an operator and a version"),
        (">=1.2,", 7, "expected an operator and a version"),
        (">=1.2<2", 6, "expected a blank"),
        (">=1.2.3.4", 8, "expected a blank"),
        (">=1.0 - 2.0", 7, "expected an operator and a version"),
        (">=1.2.3-01", 3, "is not a version"),
        (">=1 ||", 7, "nothing stands beside ||"),
        (">=1 || || <2", 7, "nothing stands beside ||"),
        (">= 1 foo", 6, "expected an operator and a version"),
        (">=1 | <2", 5, "expected an operator and a version"),
        (">=1.2.3 and <2", 9, "expected an operator and a version"),
    ],
)
def test_a_malformed_constraint_is_refused_with_position_and_example(text: str, position: int, said: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        parse_constraint(text, where="platform_versions")
    message = str(caught.value)
    assert message.startswith("platform_versions: ")
    assert f"character {position}:" in message
    assert said in message
    assert "for example" in message or "known are alpha, beta" in message


@pytest.mark.parametrize(
    ("text", "name", "constraint"),
    [
        ("console", "console", None),
        ("  console ", "console", None),
        ("console@>=1.34 <1.37", "console", ">=1.34 <1.37"),
        (" console @ ~1.36.0 ", "console", "~1.36.0"),
        ("operator-trivy@=v1.2.3+stable", "operator-trivy", "=v1.2.3+stable"),
        ("console@1.36.2", "console", "1.36.2"),
    ],
)
def test_a_filter_is_a_name_and_a_constraint(text: str, name: str, constraint: str | None) -> None:
    parsed = parse_filter(text, where="modules")
    assert parsed.name == name
    assert (parsed.constraint and parsed.constraint.text) == constraint


@pytest.mark.parametrize(
    ("text", "position", "said"),
    [
        ("", 1, "the name is missing"),
        ("@>=1.0", 1, "the name is missing"),
        ("console@", 9, "the constraint is empty"),
        ("console@  ", 11, "the constraint is empty"),
        ("console>=1.0", 8, "between a name and its constraint belongs @"),
        ("con sole", 4, "is not a name"),
        ("Console", 1, "is not a name"),
        ("console@>=1.x", 11, "without x and *"),
        ("console@=v1.0.0@=v1.1.0", 10, "cannot be a tag"),
    ],
)
def test_a_malformed_filter_is_refused_with_the_position_in_the_whole(text: str, position: int, said: str) -> None:
    with pytest.raises(InvalidInput, match=rf"^modules: .*, character {position}: .*{re.escape(said)}.*for example"):
        parse_filter(text, where="modules")


def test_an_empty_constraint_hints_at_the_shell() -> None:
    with pytest.raises(InvalidInput, match="quote it where a shell could take < or > for itself"):
        parse_filter("console@", where="modules")


def test_joining_keeps_each_part_once() -> None:
    joined = read("~1.3.0").joined(read("=v1.0.0")).joined(read("~1.3.0"))
    assert joined.text == "=v1.0.0 or ~1.3.0"
    assert not joined.exact


ALPHABET = st.sampled_from([*"0123456789.vx*X<>=~^!|,-+@ \t", "||", ">=", "<=", "1.2", "1.2.3", "-rc.1", "stable", "é"])
TEXTS = st.lists(ALPHABET, max_size=14).map("".join)
TAGS = st.lists(
    st.builds(
        "v{}.{}.{}{}".format, st.integers(0, 2), st.integers(0, 3), st.integers(0, 3), st.sampled_from(["", "-rc.1"])
    ),
    max_size=12,
)


@given(st.one_of(TEXTS, st.text(max_size=30)))
def test_any_text_is_a_constraint_or_refused(text: str) -> None:
    try:
        read(text)
    except InvalidInput as error:
        assert "character" in str(error)


@given(st.one_of(TEXTS.map("name@".__add__), st.text(max_size=30)))
def test_any_text_is_a_filter_or_refused(text: str) -> None:
    try:
        parse_filter(text, where="modules")
    except InvalidInput as error:
        assert "character" in str(error)


COMPARISONS = st.builds(
    "{}{}".format, st.sampled_from([">=", ">", "<", "<=", "~", "^"]), st.sampled_from(["1", "1.2", "1.2.1", "0.3.0-0"])
)
RANGES = st.lists(st.lists(COMPARISONS, min_size=1, max_size=3).map(" ".join), min_size=1, max_size=3).map(" || ".join)


@given(RANGES, TAGS)
def test_what_is_selected_exists_and_is_admitted(text: str, tags: list[str]) -> None:
    constraint = read(text)
    available = versions_of_tags(tags)
    selected = constraint.select(available)
    assert selected <= set(available)
    assert all(constraint.admits(each) for each in selected)
    series = {each.series for each in available if constraint.admits(each)}
    assert {each.series for each in selected} == series
