# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which requests go through a proxy, by the variables administrators set."""

from __future__ import annotations

import pytest
from ansible_collections.dkp.airgap.plugins.module_utils._oci.errors import InvalidInput
from ansible_collections.dkp.airgap.plugins.module_utils._registry.locations import origin_of
from ansible_collections.dkp.airgap.plugins.module_utils._registry.proxies import read_proxies


@pytest.mark.parametrize(
    ("environment", "url", "expected"),
    [
        ({}, "https://r.example", None),
        ({"HTTPS_PROXY": "http://p:1"}, "https://r.example", "http://p:1"),
        ({"HTTPS_PROXY": "http://p:1"}, "http://r.example", None),
        ({"https_proxy": "http://low:1", "HTTPS_PROXY": "http://up:1"}, "https://r.example", "http://low:1"),
        ({"HTTP_PROXY": "p:3128"}, "http://r.example", "http://p:3128"),
        ({"ALL_PROXY": "http://p:1"}, "https://r.example", "http://p:1"),
        ({"HTTPS_PROXY": ""}, "https://r.example", None),
    ],
)
def test_the_proxy_is_that_of_the_scheme(environment: dict[str, str], url: str, expected: str | None) -> None:
    scheme, authority = url.split("://")
    assert read_proxies(environment).find(origin_of(scheme, authority)) == expected


@pytest.mark.parametrize(
    ("listed", "authority", "direct"),
    [
        ("*", "any.example", True),
        ("r.example", "r.example", True),
        ("r.example", "sub.r.example", True),
        ("r.example", "other-r.example", False),
        (".r.example", "sub.r.example", True),
        (".r.example", "r.example", True),
        ("*.r.example", "sub.r.example", True),
        ("R.Example", "r.example", True),
        ("r.example:5000", "r.example:5000", True),
        ("r.example:5000", "r.example", False),
        ("r.example:443", "r.example", True),
        ("10.0.0.0/8", "10.1.2.3:5000", True),
        ("10.0.0.0/8", "11.1.2.3", False),
        ("10.0.0.1", "10.0.0.1", True),
        ("10.0.0.0/8", "ten.example", False),
        ("fd00::/8", "[fd00::1]:5000", True),
        ("[fd00::1]:5000", "[fd00::1]:5000", True),
        ("[fd00::1]:5000", "[fd00::1]:5001", False),
        ("a.example, r.example ,b.example", "r.example", True),
        ("a.example r.example", "r.example", True),
        ("", "r.example", False),
    ],
)
def test_no_proxy_is_understood_as_elsewhere(listed: str, authority: str, direct: bool) -> None:
    proxies = read_proxies({"HTTPS_PROXY": "http://p:1", "NO_PROXY": listed})
    assert (proxies.find(origin_of("https", authority)) is None) is direct


@pytest.mark.parametrize("value", ["ftp://p", "socks5://p:1", "http://", "http://p:port", "http://p:99999"])
def test_what_is_no_http_proxy_is_refused(value: str) -> None:
    with pytest.raises(InvalidInput, match="HTTP_PROXY"):
        read_proxies({"HTTP_PROXY": value})
