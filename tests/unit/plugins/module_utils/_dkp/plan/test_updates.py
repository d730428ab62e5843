# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Ways of which a plan needs the metadata: how they are asked for, and what lies on them."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.dkp.airgap.plugins.module_utils._dkp.channels import KNOWN_CHANNELS
from ansible_collections.dkp.airgap.plugins.module_utils._dkp.plan.updates import (
    Update,
    Way,
    channels_to_read,
    parse_module_updates,
    parse_update,
    parse_updates,
    span_of,
    ways_of,
)
from ansible_collections.dkp.airgap.plugins.module_utils._dkp.release import Jump
from ansible_collections.dkp.airgap.plugins.module_utils._dkp.version import Version, require_version
from ansible_collections.dkp.airgap.plugins.module_utils._oci.errors import InvalidInput


def v(text: str) -> Version:
    return require_version(text, where="test")


def vs(text: str) -> list[Version]:
    return [v(word) for word in text.split()]


@pytest.mark.parametrize(
    ("given", "update"),
    [
        ({"from": "v1.68.11", "to": "stable"}, Update(v("v1.68.11"), channel="stable")),
        ({"from": "v1.68.11", "to": "v1.70.3"}, Update(v("v1.68.11"), version=v("v1.70.3"))),
        ({"from": None, "to": " lts "}, Update(None, channel="lts")),
        ({"from": " ", "to": "stable"}, Update(None, channel="stable")),
        ({"to": "stable"}, Update(None, channel="stable")),
    ],
)
def test_an_update_ends_at_a_channel_or_a_version(given: dict[str, Any], update: Update) -> None:
    assert parse_update(given, where="updates[0]") == update


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"to": "stabel"}, ("updates[1].to", "stabel", "did you mean stable")),
        ({"to": "EarlyAccess"}, ("updates[1].to", "did you mean early-access")),
        ({"to": ""}, ("updates[1].to", "v1.69.4")),
        ({"to": "1.7"}, ("updates[1].to", "v1.69.4, in quotes")),
        ({"to": "stable", "from": "1.69.4"}, ("updates[1].from", "v1.69.4, in quotes")),
        ({"to": "stable", "from": "rock-solid"}, ("updates[1].from", "rock-solid", "not a version")),
        ({"to": "stable", "from": 1.7}, ("updates[1].from", "1.7", "in quotes")),
    ],
)
def test_what_is_wrong_is_named_with_its_place(given: dict[str, Any], told: tuple[str, ...]) -> None:
    with pytest.raises(InvalidInput) as caught:
        parse_updates([{"to": "stable"}, given], where="updates")
    for text in told:
        assert text in str(caught.value)


@pytest.mark.parametrize("name", ["", "Console!", "console@>=1.0.0"])
def test_a_module_is_named_without_more(name: str) -> None:
    with pytest.raises(InvalidInput, match=r"updates\[0\]\.module"):
        parse_module_updates([{"module": name, "to": "stable"}], where="updates")


def test_what_several_clusters_ask_for_alike_is_asked_once() -> None:
    given = [
        {"module": "console", "from": "v1.35.1", "to": "stable"},
        {"module": "sdn", "to": "stable"},
        {"module": "console", "from": "v1.35.1", "to": "stable"},
        {"module": "console", "from": "v1.35.1", "to": "beta"},
    ]
    found = parse_module_updates(given, where="updates")
    assert {name: len(updates) for name, updates in found.items()} == {"console": 2, "sdn": 1}
    assert len(parse_updates(given, where="updates")) == 3


VERSIONS = "v1.66.1 v1.67.4 v1.68.0 v1.68.11 v1.68.13 v1.69.2 v1.69.7 v1.70.3 v1.70.17 v1.70.19"

# from, to, versions without an image, the steps; stable is v1.70.17 and lts v1.70.3
STEPS = [
    ("v1.68.11", "stable", "", "v1.68.13 v1.69.7 v1.70.17"),
    ("v1.68.11", "v1.69.2", "", "v1.68.13 v1.69.2"),
    # where an image is missing, the next lower patch is the step
    ("v1.68.11", "stable", "v1.69.7", "v1.68.13 v1.69.2 v1.70.17"),
    ("v1.68.11", "stable", "v1.70.17", "v1.68.13 v1.69.7 v1.70.3"),
    ("v1.68.11", "stable", "v1.69.7 v1.69.2", "v1.68.13 v1.70.17"),
    # straight to the target, listed or not
    (None, "stable", "", "v1.70.17"),
    ("v1.66.1", "lts", "", "v1.70.3"),
    (None, "v1.99.0", "", "v1.99.0"),
    (None, "v1.99.0", "v1.99.0", ""),
    # nothing to do, and nothing backwards
    ("v1.70.17", "stable", "", ""),
    ("v1.70.19", "stable", "", ""),
    ("v1.70.19", "lts", "", ""),
]


@pytest.mark.parametrize(("start", "end", "stray", "steps"), STEPS)
def test_the_steps_of_a_way(start: str | None, end: str, stray: str, steps: str) -> None:
    update = parse_update({"from": start, "to": end}, where="updates")
    (way,) = ways_of([update], {"stable": v("v1.70.17"), "lts": v("v1.70.3")})
    assert list(way.steps(vs(VERSIONS), stray=set(vs(stray)))) == vs(steps)


def test_the_jumps_of_the_target_shorten_the_way() -> None:
    way = Way(v("v1.66.1"), v("v1.70.17"), direct=False, jumps=(Jump("1.66", "1.70"),))
    assert list(way.steps(vs(VERSIONS))) == vs("v1.70.17")
    assert way.asks_for_jumps and not Way(None, v("v1.70.17"), direct=True).asks_for_jumps


def test_no_way_leads_to_a_channel_that_is_not_there() -> None:
    assert ways_of([Update(v("v1.68.11"), channel="stable")], {"beta": v("v1.71.0")}) == []


def test_channels_are_those_asked_for_and_those_led_to() -> None:
    updates = parse_updates([{"to": "stable"}, {"to": "v1.70.3"}, {"to": "beta"}], where="updates")
    assert channels_to_read(None, None) == KNOWN_CHANNELS
    assert channels_to_read(None, updates) == ("beta", "stable")
    assert channels_to_read(["lts"], updates) == ("beta", "stable", "lts")
    assert channels_to_read(None, []) == channels_to_read([], None) == ()


@pytest.mark.parametrize(
    ("given", "versions"),
    [
        ([("v1.68.11", "stable"), ("v1.69.2", "stable")], "v1.68.11 v1.68.13 v1.69.2 v1.69.7 v1.70.3 v1.70.17"),
        ([("v1.70.3", "stable"), (None, "v1.70.19")], "v1.70.3 v1.70.17 v1.70.19"),
        ([("v1.70.19", "stable")], "v1.70.17 v1.70.19"),
        ([("v1.69.7", "beta")], "v1.69.7"),
        ([(None, "beta")], ""),
        ([], ""),
    ],
)
def test_a_plan_looks_at_the_versions_between_the_ends(given: list[tuple[str | None, str]], versions: str) -> None:
    updates = parse_updates([{"from": start, "to": end} for start, end in given], where="updates")
    ways = ways_of(updates, {"stable": v("v1.70.17")})
    assert list(span_of(updates, ways, vs(VERSIONS))) == vs(versions)
