# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The WWW-Authenticate header (RFC 9110 §11.6.1), several challenges in one or in many headers."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

_TOKEN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"  # noqa: S105  a pattern
_SCHEME = re.compile(rf"[\s,]*({_TOKEN})(?=\s|,|$)(?!\s*=)")
_PARAMETER = re.compile(rf'[\s,]*({_TOKEN})\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]*))')
_TOKEN68 = re.compile(r"\s+[A-Za-z0-9._~+/-]+=*(?=\s*(?:,|$))")
_LONGEST = 16 * 1024


@dataclass(frozen=True)
class Challenge:
    """One way to authenticate: the lower-case `scheme` and its parameters with lower-case names."""

    scheme: str
    parameters: Mapping[str, str]


def parse_challenges(headers: Iterable[str]) -> tuple[Challenge, ...]:
    """All challenges of the `headers`, in their order. What cannot be read ends its header; never raises."""
    found = []
    for header in headers:
        text, position = header[:_LONGEST], 0
        while True:
            scheme = _SCHEME.match(text, position)
            if not scheme:
                break
            position = scheme.end()
            token68 = _TOKEN68.match(text, position)
            position = token68.end() if token68 else position
            parameters: dict[str, str] = {}
            while not token68:
                parameter = _PARAMETER.match(text, position)
                if not parameter:
                    break
                name, quoted, plain = parameter.groups()
                parameters.setdefault(name.lower(), plain if quoted is None else re.sub(r"\\(.)", r"\1", quoted))
                position = parameter.end()
            found.append(Challenge(scheme.group(1).lower(), parameters))
    return tuple(found)
