# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Options that are wrong are refused before any network; secrets are not in what is printed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible_collections.dkp.airgap.plugins.module_utils._oci.errors import InvalidInput
from ansible_collections.dkp.airgap.plugins.module_utils._oci.reference import parse_address
from ansible_collections.dkp.airgap.plugins.module_utils._registry.client import Registry
from ansible_collections.dkp.airgap.plugins.module_utils._registry.credentials import Credentials
from ansible_collections.dkp.airgap.plugins.module_utils._registry.options import RegistryOptions, parse_bandwidth


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("40M", 40_000_000),
        ("40MB", 40_000_000),
        ("40MB/s", 40_000_000),
        ("40MiB", 40 * 1024 * 1024),
        ("500k", 500_000),
        ("500 K", 500_000),
        ("1.5G", 1_500_000_000),
        ("2000000", 2_000_000),
        (" 1m ", 1_000_000),
    ],
)
def test_a_rate_is_read(text: str, expected: int) -> None:
    assert parse_bandwidth(text) == expected


@pytest.mark.parametrize("text", ["", "M", "-1M", "40T", "40 iB", "ten", "0", "40", "1e9", "40M extra"])
def test_a_rate_that_cannot_be_meant_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match="bandwidth_limit"):
        parse_bandwidth(text)


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"scheme": "ftp"}, "scheme"),
        ({"timeout": 0}, "timeout"),
        ({"connections": -1}, "connections"),
        ({"client_key": "/key"}, "client_key"),
        ({"ca_path": "/missing/ca.pem"}, "ca_path: /missing/ca.pem cannot be read"),
        ({"ca_path": "/dev/null/ca.pem"}, "ca_path: /dev/null/ca.pem cannot be read"),
        ({"ca_path": "/dev/null"}, "ca_path: /dev/null holds no certificate"),
        ({"client_cert": "/missing/cert.pem"}, "client_cert: /missing/cert.pem"),
        ({"auth_file": "/missing/config.json"}, "auth_file: /missing/config.json"),
    ],
)
def test_what_cannot_work_is_refused_at_once(options: dict[str, Any], named: str) -> None:
    with pytest.raises(InvalidInput, match=named):
        Registry(RegistryOptions(parse_address("registry.invalid/dkp/ee"), **options))


@pytest.mark.parametrize("option", ["ca_path", "client_cert"])
def test_a_file_that_is_no_certificate_is_refused(option: str, tmp_path: Path) -> None:
    (tmp_path / "file.pem").write_text("no certificate")
    options: dict[str, Any] = {option: str(tmp_path / "file.pem")}
    with pytest.raises(InvalidInput, match=rf"{option}: .*file\.pem.*PEM"):
        Registry(RegistryOptions(parse_address("registry.invalid/dkp/ee"), **options))


def test_a_proxy_of_an_unknown_kind_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "socks5://user:hidden-secret@proxy:1080")
    with pytest.raises(InvalidInput, match="HTTPS_PROXY") as raised:
        Registry(RegistryOptions(parse_address("registry.invalid/dkp/ee")))
    assert "hidden-secret" not in str(raised.value)


def test_options_do_not_show_secrets() -> None:
    options = RegistryOptions(parse_address("r/p"), credentials=Credentials("user", "hidden-secret", "hidden-identity"))
    assert "user" in repr(options)
    assert "hidden" not in repr(options) + str(options)
