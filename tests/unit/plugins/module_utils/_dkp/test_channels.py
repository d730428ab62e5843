# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Names of release channels, their order, and words that are none."""

from __future__ import annotations

import pytest
from ansible_collections.dkp.airgap.plugins.module_utils._dkp.channels import (
    channel_meant,
    check_channels,
    in_order,
    lowest_risk_first,
)
from ansible_collections.dkp.airgap.plugins.module_utils._oci.errors import InvalidInput


def test_channels_are_listed_from_the_highest_risk_and_published_from_the_lowest() -> None:
    names = ["stable", "lts", "alpha", "stable", "rock-solid"]
    assert in_order(names) == ("alpha", "stable", "rock-solid", "lts")
    assert lowest_risk_first(names) == ("lts", "rock-solid", "stable", "alpha")
    assert check_channels(names, where="channels") == in_order(names)


@pytest.mark.parametrize(
    ("word", "hint"),
    [("stabel", " (did you mean stable?)"), ("EarlyAccess", " (did you mean early-access?)"), ("qqq", ""), ("", "")],
)
def test_an_unknown_word_is_refused_with_all_that_are_known(word: str, hint: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        check_channels(["stable", word], where="channels")
    assert str(caught.value) == (
        f"channels: {word!r} is no release channel{hint}; known are alpha, beta, early-access, stable, rock-solid, lts"
    )


@pytest.mark.parametrize(
    ("word", "name"),
    [("Stable", "stable"), ("EarlyAccess", "early-access"), ("rock_solid", "rock-solid"), ("LTS", "lts"), ("no", None)],
)
def test_clusters_spell_channels_in_their_own_way(word: str, name: str | None) -> None:
    assert channel_meant(word) == name
