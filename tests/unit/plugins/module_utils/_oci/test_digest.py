# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Digests: what is one, and what is said about what is none."""

from __future__ import annotations

import hashlib

import pytest
from ansible_collections.dkp.airgap.plugins.module_utils._oci import digest
from ansible_collections.dkp.airgap.plugins.module_utils._oci.errors import InvalidContent
from hypothesis import given
from hypothesis import strategies as st

GOOD = f"sha256:{'0a' * 32}"


def test_a_digest_is_accepted_as_it_is() -> None:
    assert digest.is_digest(GOOD)
    assert digest.checked(GOOD, where="x") == GOOD
    assert digest.hex_of(GOOD) == "0a" * 32


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("", "is not a digest"),
        (None, "is not a digest"),
        (5, "is not a digest"),
        ("0a" * 32, "is not a digest"),
        (GOOD.upper(), "is not a digest"),
        (GOOD + "0", "is not a digest"),
        (GOOD[:-1], "is not a digest"),
        (GOOD + "\n", "is not a digest"),
        (f"sha256:{'0A' * 32}", "is not a digest"),
        (f"sha512:{'0a' * 64}", "is not sha256, the only algorithm"),
    ],
)
def test_anything_else_is_refused_with_the_place(value: object, said: str) -> None:
    assert not (isinstance(value, str) and digest.is_digest(value))
    with pytest.raises(InvalidContent, match=f"^index.json: manifests.0.: .*{said}"):
        digest.checked(value, where="index.json: manifests[0]")


@given(st.binary())
def test_the_short_form_goes_there_and_back(data: bytes) -> None:
    made = digest.digest_of(data)
    assert made == "sha256:" + hashlib.sha256(data).hexdigest()
    assert len(digest.to_key(made)) == 32
    assert digest.from_key(digest.to_key(made)) == made
