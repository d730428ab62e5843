# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where a request goes: origins, targets, and what a Location or Link header may make of them.

A registry behind a proxy often writes its own address wrongly (registry-quirks §5, §8, §10), and a hostile one may
point anywhere; both are decided here, in one place, without any network.
"""

from __future__ import annotations

import ipaddress
from typing import NamedTuple
from urllib.parse import urljoin, urlsplit

DEFAULT_PORTS = {"http": 80, "https": 443}
_METADATA_SERVICES = frozenset({ipaddress.ip_address("fd00:ec2::254"), ipaddress.ip_address("100.100.100.200")})
_LONGEST_LOCATION = 16 * 1024


class BadLocation(ValueError):
    """An address in an answer that cannot or must not be followed; the text says why."""


class Origin(NamedTuple):
    """Scheme, lower-case host (no brackets) and port: what decides whether credentials may go along."""

    scheme: str
    host: str
    port: int

    @property
    def authority(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if DEFAULT_PORTS.get(self.scheme) == self.port else f"{host}:{self.port}"

    def __str__(self) -> str:
        return f"{self.scheme}://{self.authority}"


class Target(NamedTuple):
    """One address: `path` starts with ``/`` and holds the query, if any."""

    origin: Origin
    path: str

    @property
    def url(self) -> str:
        return f"{self.origin}{self.path}"

    @property
    def shown(self) -> str:
        """The address without its query: queries of signed addresses are secrets."""
        return f"{self.origin}{self.path.partition('?')[0]}"


def origin_of(scheme: str, authority: str) -> Origin:
    """The origin of ``host[:port]``."""
    parts = urlsplit(f"{scheme}://{authority}")
    return Origin(scheme, (parts.hostname or "").lower(), parts.port or DEFAULT_PORTS[scheme])


def parse_target(url: str) -> Target:
    """Read an absolute http(s) URL; user names in it are dropped. Raises BadLocation."""
    if len(url) > _LONGEST_LOCATION:
        raise BadLocation("the address is longer than 16 KiB")
    shown = repr(url.partition("?")[0][:100])
    if any(ord(character) <= 0x20 or ord(character) >= 0x7F for character in url):
        raise BadLocation(f"{shown} is not an address")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise BadLocation(f"{shown} is not an address ({error})") from error
    if parts.scheme not in DEFAULT_PORTS or not parts.hostname:
        raise BadLocation(f"{shown} is not an http or https address")
    path = parts.path or "/"
    origin = Origin(parts.scheme, parts.hostname.lower(), port or DEFAULT_PORTS[parts.scheme])
    return Target(origin, f"{path}?{parts.query}" if parts.query else path)


def resolve(base: Target, reference: str) -> Target:
    """The target of `reference` (relative or absolute) as found in the answer to `base`. Raises BadLocation."""
    try:
        return parse_target(urljoin(base.url, reference.strip()))
    except BadLocation:
        raise
    except ValueError as error:
        raise BadLocation(f"{reference.partition('?')[0][:100]!r} is not an address ({error})") from error


def redirected(base: Target, reference: str) -> Target:
    """Where a redirect leads. Raises BadLocation for plain HTTP after HTTPS and for link-local targets.

    The same host with the wrong scheme is the usual mistake behind a TLS proxy (registry-quirks §5): it is put right.
    """
    target = resolve(base, reference)
    own = base.origin
    if own.scheme == "https" and target.origin.scheme == "http":
        if target.origin.host != own.host or target.origin.port not in (80, own.port):
            raise BadLocation(f"the redirect leads from https to plain {target.origin}")
        target = Target(own, target.path)
    if target.origin.host != own.host and is_forbidden_address(target.origin.host):
        raise BadLocation(f"the redirect leads to the link-local address {target.origin.host}")
    return target


def upload_location(base: Target, reference: str) -> Target:
    """Where an upload goes on after the answer of `base`. The host that answered keeps the origin it was reached
    under, whatever scheme and port its Location claims (registry-quirks §10); another host is followed.
    Raises BadLocation.
    """
    target = resolve(base, reference)
    if target.origin.host == base.origin.host:
        return Target(base.origin, target.path)
    return redirected(base, reference)


def with_query(target: Target, addition: str) -> Target:
    """`target` with ``name=value`` added to its query, which is kept as it is."""
    joint = "&" if "?" in target.path else "?"
    return Target(target.origin, f"{target.path}{joint}{addition}")


def is_forbidden_address(host: str) -> bool:
    """Whether `host` is a literal address that no registry has business with: link-local, cloud metadata."""
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    address = mapped or address
    return address.is_link_local or address in _METADATA_SERVICES
