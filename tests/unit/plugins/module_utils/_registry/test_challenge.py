# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""WWW-Authenticate headers as registries and proxies write them."""

from __future__ import annotations

import pytest
from ansible_collections.dkp.airgap.plugins.module_utils._registry.challenge import parse_challenges


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ([], []),
        ([""], []),
        (["Basic"], [("basic", {})]),
        (['Basic realm="a b"'], [("basic", {"realm": "a b"})]),
        (["BEARER Realm=https://a/token,SERVICE=b"], [("bearer", {"realm": "https://a/token", "service": "b"})]),
        (
            ['Bearer realm="https://a/t",service="s",scope="repository:x/y:pull,push"'],
            [("bearer", {"realm": "https://a/t", "service": "s", "scope": "repository:x/y:pull,push"})],
        ),
        (['Bearer realm = "a" , service = "b"'], [("bearer", {"realm": "a", "service": "b"})]),
        (['Basic realm="a", Bearer realm="b"'], [("basic", {"realm": "a"}), ("bearer", {"realm": "b"})]),
        (['Basic realm="a"', 'Bearer realm="b"'], [("basic", {"realm": "a"}), ("bearer", {"realm": "b"})]),
        (['Negotiate, Bearer realm="b"'], [("negotiate", {}), ("bearer", {"realm": "b"})]),
        (['Negotiate abc==, Bearer realm="b"'], [("negotiate", {}), ("bearer", {"realm": "b"})]),
        (['Bearer realm="say \\"hi\\"\\\\",x=1'], [("bearer", {"realm": 'say "hi"\\', "x": "1"})]),
        (['Bearer realm="open'], [("bearer", {"realm": ""})]),
        (['Bearer realm="first",realm="second"'], [("bearer", {"realm": "first"})]),
        (['Bearer realm="",scope=""'], [("bearer", {"realm": "", "scope": ""})]),
        (['"garbage" Bearer realm="b"'], []),
    ],
)
def test_challenges_are_understood(headers: list[str], expected: list[tuple[str, dict[str, str]]]) -> None:
    assert [(one.scheme, dict(one.parameters)) for one in parse_challenges(headers)] == expected


def test_a_huge_header_costs_nothing() -> None:
    assert len(parse_challenges(["Bearer a=b," * 100_000])) < 2000
    assert parse_challenges(['Bearer realm="' + "\\" * 200_000]) is not None
