# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Addresses in answers: what is followed, put right, or refused."""

from __future__ import annotations

import pytest
from ansible_collections.dkp.airgap.plugins.module_utils._registry.locations import (
    BadLocation,
    Target,
    is_forbidden_address,
    origin_of,
    redirected,
    resolve,
    upload_location,
    with_query,
)

OWN = origin_of("https", "r.example")
BASE = Target(OWN, "/v2/a/blobs/x?y=1")


@pytest.mark.parametrize(
    ("reference", "expected"),
    [
        ("/v2/b?c=d&e=%2F", "https://r.example/v2/b?c=d&e=%2F"),
        ("b", "https://r.example/v2/a/blobs/b"),
        ("?n=2", "https://r.example/v2/a/blobs/x?n=2"),
        ("//s.example:444/x", "https://s.example:444/x"),
        ("https://S.example:443/X", "https://s.example/X"),
        ("https://user:pw@s.example/x", "https://s.example/x"),
        ("https://s.example", "https://s.example/"),
        ("https://[fd00::1]:5000/x#part", "https://[fd00::1]:5000/x"),
    ],
)
def test_references_are_resolved(reference: str, expected: str) -> None:
    assert resolve(BASE, reference).url == expected


@pytest.mark.parametrize(
    "reference",
    ["ftp://s.example/x", "file:///etc/passwd", "https://s.example:port/", "https://s.example:99999/",
     "https://s.example/a b", "https://s.example/\r\nEvil: 1", "https://[::1", "/" + "x" * 20_000, "/ä"],
)  # fmt: skip
def test_what_is_no_address_is_refused(reference: str) -> None:
    with pytest.raises(BadLocation):
        resolve(BASE, reference)


@pytest.mark.parametrize(
    ("reference", "expected"),
    [
        ("https://s.example/x", "https://s.example/x"),
        ("http://r.example/x", "https://r.example/x"),
        ("http://r.example:443/x", "https://r.example/x"),
        ("https://10.0.0.1/x", "https://10.0.0.1/x"),
        ("https://127.0.0.1:9000/x", "https://127.0.0.1:9000/x"),
    ],
)
def test_redirects_are_followed(reference: str, expected: str) -> None:
    assert redirected(BASE, reference).url == expected


@pytest.mark.parametrize(
    "reference",
    ["http://s.example/x", "http://r.example:8080/x", "https://169.254.169.254/latest", "https://[fe80::1]/x",
     "https://[::ffff:169.254.169.254]/", "https://[fd00:ec2::254]/", "https://100.100.100.200/"],
)  # fmt: skip
def test_redirects_that_are_dangerous_are_refused(reference: str) -> None:
    with pytest.raises(BadLocation):
        redirected(BASE, reference)


def test_plain_http_may_lead_to_https() -> None:
    base = Target(origin_of("http", "r.example:5000"), "/v2/")
    assert redirected(base, "https://s.example/x").url == "https://s.example/x"
    assert redirected(base, "http://s.example/x").url == "http://s.example/x"


@pytest.mark.parametrize(
    ("location", "expected"),
    [
        ("/v2/a/blobs/uploads/1?_state=x%3D", "https://r.example/v2/a/blobs/uploads/1?_state=x%3D"),
        ("https://r.example/u/1", "https://r.example/u/1"),
        ("http://r.example/u/1", "https://r.example/u/1"),
        ("http://r.example:5000/u/1", "https://r.example/u/1"),
        ("https://r.example:8443/u/1", "https://r.example/u/1"),
        ("https://s.example/u/1", "https://s.example/u/1"),
    ],
)
def test_an_upload_stays_where_the_registry_was_reached(location: str, expected: str) -> None:
    assert upload_location(BASE, location).url == expected


def test_an_upload_does_not_leave_tls() -> None:
    with pytest.raises(BadLocation):
        upload_location(BASE, "http://s.example/u/1")


def test_a_query_is_kept() -> None:
    assert with_query(Target(OWN, "/u"), "digest=d").path == "/u?digest=d"
    assert with_query(Target(OWN, "/u?_state=a%3D"), "digest=d").path == "/u?_state=a%3D&digest=d"


def test_a_shown_address_has_no_query() -> None:
    assert Target(OWN, "/u?signature=secret").shown == "https://r.example/u"


@pytest.mark.parametrize("host", ["r.example", "10.0.0.1", "192.168.1.1", "fd00::1", "127.0.0.1", "::1"])
def test_ordinary_hosts_are_not_forbidden(host: str) -> None:
    assert not is_forbidden_address(host)
