# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Proxies from the environment, with NO_PROXY as administrators know it from other tools (registry-quirks §2)."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Union
from urllib.parse import unquote, urlsplit

from .._oci.errors import InvalidInput
from .locations import DEFAULT_PORTS, Origin

_Network = Union[ipaddress.IPv4Network, ipaddress.IPv6Network]


@dataclass(frozen=True)
class NoProxy:
    """One entry of NO_PROXY: a host name (with all names below it), an address or a network; maybe one port only."""

    name: str
    network: _Network | None
    port: int | None

    def covers(self, origin: Origin) -> bool:
        if self.port is not None and self.port != origin.port:
            return False
        if self.network is not None:
            try:
                address = ipaddress.ip_address(origin.host)
            except ValueError:
                return False
            return address.version == self.network.version and address in self.network
        return self.name == "*" or origin.host == self.name or origin.host.endswith("." + self.name)


@dataclass(frozen=True)
class Proxies:
    """Which proxy leads to an origin: proxy URLs by scheme, and the exceptions."""

    by_scheme: Mapping[str, str]
    exceptions: tuple[NoProxy, ...]

    def find(self, origin: Origin) -> str | None:
        """The proxy's URL (may hold credentials) for `origin`, None for a direct connection."""
        proxy = self.by_scheme.get(origin.scheme)
        if proxy is None or any(exception.covers(origin) for exception in self.exceptions):
            return None
        return proxy

    def passwords(self) -> list[str]:
        """Those in the proxies' addresses, to be kept secret."""
        found = (urlsplit(url).password for url in self.by_scheme.values())
        return [unquote(password) for password in found if password]


def read_proxies(environment: Mapping[str, str]) -> Proxies:
    """Read HTTP_PROXY, HTTPS_PROXY, ALL_PROXY and NO_PROXY, lower case first. Raises InvalidInput."""
    by_scheme = {}
    for scheme in DEFAULT_PORTS:
        for variable in (f"{scheme}_proxy", f"{scheme.upper()}_PROXY", "all_proxy", "ALL_PROXY"):
            if environment.get(variable):
                by_scheme[scheme] = _proxy(environment[variable].strip(), variable)
                break
    listed = environment.get("no_proxy") or environment.get("NO_PROXY") or ""
    exceptions = (_exception(entry) for entry in listed.replace(",", " ").split())
    return Proxies(by_scheme, tuple(exceptions))


def _proxy(value: str, variable: str) -> str:
    url = value if "://" in value else f"http://{value}"
    try:
        parts = urlsplit(url)
        usable = parts.scheme in DEFAULT_PORTS and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        usable = False
    if not usable:
        raise InvalidInput(f"{variable} (environment): is not the address of an http proxy, such as http://proxy:3128")
    return url


def _exception(entry: str) -> NoProxy:
    host, port = entry.lower(), None
    if host.startswith("[") and "]" in host:
        host, _bracket, rest = host[1:].partition("]")
        port = rest[1:]
    elif host.count(":") == 1:
        host, _colon, port = host.partition(":")
    number = int(port) if port and port.isascii() and port.isdigit() else None
    try:
        network: _Network | None = ipaddress.ip_network(host, strict=False)
    except ValueError:
        network = None
    name = host if host == "*" else host.removeprefix("*").strip(".")
    return NoProxy(name, network, number)
