# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Lists of component images inside of install and module images."""

from __future__ import annotations

import json

import pytest
from ansible_collections.dkp.airgap.plugins.module_utils._dkp.components import (
    PLATFORM_DIGESTS_FILE,
    PLATFORM_TAGS_FILE,
    Components,
    find_module_digests,
    parse_component_digests,
    parse_extra_images,
    platform_components,
)
from ansible_collections.dkp.airgap.plugins.module_utils._oci.errors import InvalidContent
from hypothesis import given
from hypothesis import strategies as st

ONE, TWO, THREE = (f"sha256:{digit * 64}" for digit in "1a3")
DIGESTS = json.dumps({"common": {"alpine": TWO, "distroless": ONE}, "cni": {"agent": TWO}}).encode()
TAGS = json.dumps({"common": {"alpine": "tag-1"}, "cni": {"agent": "tag-2", "other": "tag-1"}}).encode()


def short(value: object) -> str:
    """The name of a test's row: older pytest would take all the bytes."""
    return repr(value)[:40]


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({PLATFORM_DIGESTS_FILE: DIGESTS}, Components(digests=(TWO, ONE))),
        ({PLATFORM_TAGS_FILE: TAGS}, Components(tags=("tag-1", "tag-2"))),
        ({PLATFORM_TAGS_FILE: TAGS, PLATFORM_DIGESTS_FILE: DIGESTS}, Components(tags=("tag-1", "tag-2"))),
        ({PLATFORM_TAGS_FILE: b"", PLATFORM_DIGESTS_FILE: DIGESTS}, Components(digests=(TWO, ONE))),
        ({PLATFORM_TAGS_FILE: b"{}", PLATFORM_DIGESTS_FILE: DIGESTS}, Components(digests=(TWO, ONE))),
        ({PLATFORM_DIGESTS_FILE: b"{}"}, Components()),
        ({PLATFORM_TAGS_FILE: b"{}"}, Components()),
    ],
    ids=short,
)
def test_the_platforms_components_are_read_from_either_file(files: dict[str, bytes], expected: Components) -> None:
    assert platform_components(files, where="install:v1.69.0") == expected


@pytest.mark.parametrize("files", [{}, {PLATFORM_DIGESTS_FILE: b""}, {PLATFORM_TAGS_FILE: b""}], ids=short)
def test_an_install_image_without_a_list_is_an_error(files: dict[str, bytes]) -> None:
    with pytest.raises(InvalidContent, match=r"install:v1.69.0: lists no component images: neither deckhouse/candi"):
        platform_components(files, where="install:v1.69.0")


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ({"common": {"alpine": "latest"}}, "common.alpine is the string 'latest', not a digest"),
        ({"common": {"alpine": None}}, "common.alpine is null"),
        ({"common": {"alpine": [ONE]}}, "common.alpine is a list"),
        ({"common": {"alpine": ONE.upper()}}, "common.alpine is the string"),
        ({"common": "x"}, "common is the string 'x'"),
        ([ONE], "expected a JSON object"),
    ],
)
def test_a_component_that_is_no_digest_is_named(document: object, said: str) -> None:
    with pytest.raises(InvalidContent, match=said):
        parse_component_digests(json.dumps(document).encode(), where="list")


def test_components_may_be_nested_deeper() -> None:
    assert parse_component_digests(json.dumps({"a": {"b": {"c": ONE}}, "d": TWO}).encode(), where="x") == (ONE, TWO)


def test_a_modules_digests_are_found_in_any_text() -> None:
    raw = json.dumps({"a": [ONE, {"b": f"registry/x@{TWO}"}], THREE: 1, "again": ONE}).encode() + b"not json"
    assert find_module_digests(raw) == (ONE, TWO, THREE)
    assert find_module_digests(b"{}") == ()
    assert find_module_digests(b"sha256:" + b"A" * 64 + b" sha256:12") == ()


@pytest.mark.parametrize(
    ("value", "tag"),
    [
        ('"2"', "2"),
        ('"v1.2.3"', "v1.2.3"),
        ('"1.50"', "1.50"),
        ("5", "5"),
        ("2.0", "2"),
        ("1e3", "1000"),
        ("12345678901234567", "12345678901234567"),
        ("0", "0"),
    ],
)
def test_an_extra_image_has_a_tag_or_a_whole_number(value: str, tag: str) -> None:
    assert parse_extra_images(b'{"trivy-db": ' + value.encode() + b"}", where="x") == {"trivy-db": tag}


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("1.5", "the number 1.5"),
        ("-5", "the number -5"),
        ("1e400000000", "the number 1E"),
        ("1e-400000000", "the number 1E"),
        ("null", "null"),
        ("true", "true"),
        ("[]", "a list"),
        ("{}", "an object"),
        ('""', "the string ''"),
        ('"a b"', "the string 'a b'"),
        ('"a/b"', "the string 'a/b'"),
    ],
    ids=short,
)
def test_an_extra_image_without_a_tag_is_named(value: str, shown: str) -> None:
    with pytest.raises(InvalidContent, match=f"console:v1: extra_images.json: 'db' has {shown}"):
        parse_extra_images(b'{"db": ' + value.encode() + b"}", where="console:v1: extra_images.json")


@pytest.mark.parametrize("name", ["", "../x", "A", "a//b", "a:b"], ids=short)
def test_an_extra_image_whose_name_is_no_repository_is_refused(name: str) -> None:
    with pytest.raises(InvalidContent, match="cannot be the name of a repository"):
        parse_extra_images(json.dumps({name: "1"}).encode(), where="x")


@given(st.binary(max_size=60))
def test_any_bytes_are_a_list_or_refused(raw: bytes) -> None:
    for parse in (parse_extra_images, parse_component_digests):
        try:
            parse(raw, where="x")
        except InvalidContent:
            continue
    find_module_digests(raw)
