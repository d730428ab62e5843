# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Addresses and tags."""

from __future__ import annotations

import pytest
from ansible_collections.dkp.airgap.plugins.module_utils._oci.errors import InvalidInput
from ansible_collections.dkp.airgap.plugins.module_utils._oci.reference import (
    RepositoryAddress,
    is_repository_path,
    is_tag,
    parse_address,
)
from hypothesis import given
from hypothesis import strategies as st


@pytest.mark.parametrize(
    ("text", "host", "path"),
    [
        ("registry.deckhouse.io/deckhouse/ee", "registry.deckhouse.io", "deckhouse/ee"),
        (" registry.deckhouse.io/deckhouse/ee/ ", "registry.deckhouse.io", "deckhouse/ee"),
        ("127.0.0.1:5000/a", "127.0.0.1:5000", "a"),
        ("[::1]:5000/a/b", "[::1]:5000", "a/b"),
        ("localhost/a_b/c-d/e.f/g__h/i--j", "localhost", "a_b/c-d/e.f/g__h/i--j"),
        ("Registry.Example/a", "Registry.Example", "a"),
    ],
)
def test_an_address_is_host_and_path(text: str, host: str, path: str) -> None:
    assert parse_address(text) == RepositoryAddress(host, path)
    assert str(parse_address(text)) == f"{host}/{path}"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("https://registry.example/a/b", "has a scheme; write 'registry.example/a/b'$"),
        ("http://registry.example/a", "has a scheme; write 'registry.example/a' and set scheme: http"),
        ("registry.example", "has no path; write host"),
        ("registry.example/", "has no path"),
        ("", "has no path"),
        ("/a/b", "is not a host name"),
        ("registry.example:port/a", "is not a host name"),
        ("registry.example:99999/a", "is not a host name"),
        ("registry.example:0/a", "is not a host name"),
        ("regi stry/a", "is not a host name"),
        ("registry.example/A", "is not a repository path"),
        ("registry.example/a//b", "is not a repository path"),
        ("registry.example/a/../b", "is not a repository path"),
        ("registry.example/a/b:v1", "is not a repository path"),
        ("registry.example/" + "a" * 300, "is not a repository path"),
    ],
)
def test_an_address_that_cannot_be_one_is_refused(text: str, said: str) -> None:
    with pytest.raises(InvalidInput, match=f"^images_repo: .*{said}"):
        parse_address(text)


@pytest.mark.parametrize(
    "text",
    [
        "user:hush-hush@registry.example/a",
        "https://user:hush-hush@registry.example/a",
        "user:hush-hush@registry.example",
        "https://user:hush/hush-hush@registry.example/a",
    ],
)
def test_credentials_in_an_address_are_refused_and_not_repeated(text: str) -> None:
    with pytest.raises(InvalidInput, match="use username and password") as caught:
        parse_address(text, option="source")
    assert "hush" not in str(caught.value)
    assert str(caught.value).startswith("source: ")


def test_children_are_joined_without_the_host() -> None:
    address = parse_address("registry.example/dkp/ee")
    assert address.child("install") == "dkp/ee/install"
    assert address.child("") == "dkp/ee"


def test_the_root_above_a_single_segment_has_no_path() -> None:
    root = RepositoryAddress("registry.example", "")
    assert root.child("installer") == "installer"
    assert root.child("") == ""
    assert str(root) == "registry.example"


@pytest.mark.parametrize(
    "tag", ["v1.2.3", "latest", "_x", "A" * 128, "0" * 64, f"sha256-{'a' * 64}.att", "d8WriteCheck"]
)
def test_tags(tag: str) -> None:
    assert is_tag(tag)


@pytest.mark.parametrize("tag", ["", ".x", "-x", "a/b", "a:b", "a b", "A" * 129, "v1+x", "v1\n", "é"])
def test_what_cannot_be_a_tag(tag: str) -> None:
    assert not is_tag(tag)


COMPONENTS = st.from_regex(r"[a-z0-9]{1,5}((\.|_|__|-{1,3})[a-z0-9]{1,3}){0,2}", fullmatch=True)


@given(st.lists(COMPONENTS, min_size=1, max_size=4).map("/".join), st.sampled_from(["h", "h.example:5000", "[::1]"]))
def test_what_was_parsed_is_written_back(path: str, host: str) -> None:
    assert is_repository_path(path)
    assert str(parse_address(f"{host}/{path}")) == f"{host}/{path}"


@given(st.text(max_size=40))
def test_any_text_is_an_address_or_refused(text: str) -> None:
    try:
        address = parse_address(text)
    except InvalidInput as error:
        assert str(error).startswith("images_repo: ")
    else:
        assert is_repository_path(address.path)
