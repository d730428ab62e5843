# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Versions: what is read leniently, what a tag names literally, and the order of SemVer 2."""

from __future__ import annotations

import itertools

import pytest
from ansible_collections.dkp.airgap.plugins.module_utils._dkp.version import (
    Version,
    newest_per_series,
    parse_version,
    require_version,
    version_of_tag,
    versions_of_tags,
)
from ansible_collections.dkp.airgap.plugins.module_utils._oci.errors import InvalidInput
from hypothesis import given
from hypothesis import strategies as st

IDENTIFIERS = st.one_of(
    st.integers(0, 30).map(str),
    st.text("abcRC-0123456789", min_size=1, max_size=4).filter(
        lambda text: not (text.isdigit() and len(text) > 1 and text[0] == "0")
    ),
)
VERSIONS = st.builds(
    Version,
    st.integers(0, 3),
    st.integers(0, 3),
    st.integers(0, 3),
    st.lists(IDENTIFIERS, max_size=3).map(tuple),
)


@pytest.mark.parametrize(
    ("text", "normalised"),
    [
        ("v1.69.0", "v1.69.0"),
        ("1.69.0", "v1.69.0"),
        ("1", "v1.0.0"),
        ("v1.2", "v1.2.0"),
        ("01.02.03", "v1.2.3"),
        ("v1.70.1-rc.1", "v1.70.1-rc.1"),
        ("v1.70.1-main", "v1.70.1-main"),
        ("1.2-beta", "v1.2.0-beta"),
        ("v1.2.3+build.7", "v1.2.3"),
        ("v1.2.3-rc.1+build", "v1.2.3-rc.1"),
    ],
)
def test_versions_are_read_leniently(text: str, normalised: str) -> None:
    assert str(parse_version(text)) == normalised


@pytest.mark.parametrize(
    "text",
    ["", "v", "stable", "pr123", "1.2.3.4", "v1.2.x", "1..2", "v1.2.3-", "v1.2.3-01", "1.2.3 ", " 1.2.3", "V1.2.3",
     "v-1.2.3", "1.2.3-rc_1", "\u0661.2.3", "sha256-" + "0" * 64 + ".att", "9" * 19, "1." + "2" * 300],
)  # fmt: skip
def test_what_is_no_version_is_none(text: str) -> None:
    assert parse_version(text) is None


@pytest.mark.parametrize("tag", ["1.69.0", "v1.69", "v1", "v01.2.3", "v1.2.3+build", "latest"])
def test_a_tag_in_another_spelling_names_no_version(tag: str) -> None:
    assert version_of_tag(tag) is None


def test_tags_give_versions_ascending_and_each_once() -> None:
    tags = ["v1.10.0", "v1.9.0", "stable", "1.9.0", "v1.9.0-rc.1", "v1.9.0", "v1.9.0-rc.1.att", "d8WriteCheck"]
    assert [str(version) for version in versions_of_tags(tags)] == [
        "v1.9.0-rc.1", "v1.9.0-rc.1.att", "v1.9.0", "v1.10.0",
    ]  # fmt: skip


def test_precedence_is_that_of_semver() -> None:
    ascending = ["1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-alpha.beta", "1.0.0-beta", "1.0.0-beta.2", "1.0.0-beta.11",
                 "1.0.0-rc.1", "1.0.0", "1.0.1", "1.2.0", "1.10.0", "2.0.0"]  # fmt: skip
    versions = [parse_version(text) for text in ascending]
    for (low, lower), (high, higher) in itertools.combinations(enumerate(versions), 2):
        assert low < high
        assert lower is not None
        assert higher is not None
        assert lower < higher
        assert not higher <= lower


@given(VERSIONS, VERSIONS, VERSIONS)
def test_the_order_is_total(one: Version, two: Version, three: Version) -> None:
    assert (one < two) + (one == two) + (two < one) == 1
    if one <= two and two <= three:
        assert one <= three


@given(VERSIONS)
def test_what_is_written_is_read_back(version: Version) -> None:
    assert parse_version(str(version)) == version
    assert version_of_tag(str(version)) == version


@given(st.text(max_size=40))
def test_reading_any_text_gives_a_version_or_none(text: str) -> None:
    version = parse_version(text)
    assert version is None or version_of_tag(str(version)) == version


def test_the_newest_of_each_minor_prefers_the_release_to_its_candidates() -> None:
    versions = versions_of_tags(["v1.3.0-rc.1", "v1.3.0", "v1.4.1", "v1.4.2-rc.1", "v2.4.0"])
    assert sorted(map(str, newest_per_series(versions))) == ["v1.3.0", "v1.4.2-rc.1", "v2.4.0"]


def test_a_version_that_has_to_be_one_is_refused_with_an_example() -> None:
    assert str(require_version(" 1.66 ", where="since_version")) == "v1.66.0"
    with pytest.raises(InvalidInput, match=r"since_version: 'new' is not a version; write it like v1\.69\.4"):
        require_version("new", where="since_version")
