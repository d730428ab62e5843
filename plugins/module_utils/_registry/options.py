# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The registry options of the contract (§1) as one value."""

from __future__ import annotations

import re
from dataclasses import dataclass

from .._oci.errors import InvalidInput
from .._oci.reference import RepositoryAddress
from .credentials import Credentials

_BANDWIDTH = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*([kKmMgG]?)(i?)[bB]?(?:/s|ps)?")
_POWERS = {"": 0, "K": 1, "M": 2, "G": 3}
_LOWEST_BANDWIDTH = 1000


@dataclass(frozen=True)
class RegistryOptions:
    """How to reach one registry. `timeout` and `read_only_wait` are seconds, `bandwidth_limit` bytes per second.

    `connections` 0 means: chosen and adapted, at most 32. Without `credentials`, `auth_file` or the files of the
    contract are asked. `ca_path` (a PEM file or a directory) is trusted in addition to the system's authorities.
    """

    address: RepositoryAddress
    scheme: str = "https"
    credentials: Credentials | None = None
    auth_file: str | None = None
    validate_certs: bool = True
    ca_path: str | None = None
    client_cert: str | None = None
    client_key: str | None = None
    timeout: int = 60
    connections: int = 0
    bandwidth_limit: int | None = None
    read_only_wait: int = 120


def parse_bandwidth(text: str, *, option: str = "bandwidth_limit") -> int:
    """Bytes per second of ``40M`` (= 40,000,000), ``40MiB``, ``500k`` or a plain number. Raises InvalidInput."""
    match = _BANDWIDTH.fullmatch(text.strip())
    if not match or (match.group(3) and not match.group(2)):
        raise InvalidInput(f"{option}: {text[:100]!r} is not a rate; write for example 40M, 40MiB or 500k (per second)")
    rate = float(match.group(1)) * (1024 if match.group(3) else 1000) ** _POWERS[match.group(2).upper()]
    if rate < _LOWEST_BANDWIDTH:
        raise InvalidInput(f"{option}: {text[:100]!r} is less than 1 kB per second; did you mean {text.strip()[:20]}M?")
    return int(rate)


def check_options(options: RegistryOptions) -> None:
    """Raise InvalidInput for values that can never work."""
    if options.scheme not in ("http", "https"):
        raise InvalidInput(f"scheme: {options.scheme!r} is neither https nor http")
    if options.timeout < 1:
        raise InvalidInput(f"timeout: {options.timeout} is less than one second")
    if options.connections < 0:
        raise InvalidInput(f"connections: {options.connections} is negative; 0 lets the collection choose")
    if options.client_key and not options.client_cert:
        raise InvalidInput("client_key: is only of use together with client_cert")
