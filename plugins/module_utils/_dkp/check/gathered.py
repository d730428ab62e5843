# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Findings that are gathered: one for each id and subject, with the clusters that it concerns."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

from ..findings import SEVERITIES, Finding
from ..nearest import listed

_IDENTITY = re.compile(r"([A-Z])([0-9]+)")
_ORDER = "PMSR"
_MOST_TOLD = 8
"""Messages of one finding that are told."""


@dataclass
class _Said:
    """One message of a finding: what to do, and the clusters that it concerns."""

    hint: str
    clusters: dict[str, None] = field(default_factory=dict)


@dataclass
class Findings:
    """What was found so far. Messages with one id, severity and subject become one finding."""

    _found: dict[tuple[str, str, str], dict[str, _Said]] = field(default_factory=dict)

    def add(self, finding: Finding, *clusters: str) -> None:
        """Add one, which concerns these clusters."""
        messages = self._found.setdefault((finding.id, finding.severity, finding.subject), {})
        messages.setdefault(finding.message, _Said(finding.hint)).clusters.update(dict.fromkeys(clusters))

    def tell(self, check: str, severity: str, subject: str, message: str, hint: str, *clusters: str) -> None:
        """Add one by its fields."""
        self.add(Finding(check, severity, subject, message, hint), *clusters)

    def join(self, other: Findings) -> None:
        """Add all of another's."""
        for (check, severity, subject), messages in other._found.items():
            for message, said in messages.items():
                self.tell(check, severity, subject, message, said.hint, *said.clusters)

    def all(self) -> tuple[Finding, ...]:
        """All of them, errors first, then by the numbers of the check list."""
        found = [Finding(*key, *_joined(messages)) for key, messages in self._found.items()]
        return tuple(sorted(found, key=_rank))


def _joined(messages: dict[str, _Said]) -> tuple[str, str]:
    """Message and hint of one finding."""
    told = [
        f"{message} (cluster {listed(list(said.clusters))})" if said.clusters else message
        for message, said in messages.items()
    ]
    more = f"; and {len(told) - _MOST_TOLD} more" if len(told) > _MOST_TOLD else ""
    hints = list(dict.fromkeys(said.hint for said in messages.values() if said.hint))[:_MOST_TOLD]
    return "; ".join(told[:_MOST_TOLD]) + more, "; ".join(hints)


def _rank(finding: Finding) -> tuple[int, int, str, int, str]:
    match = _IDENTITY.fullmatch(finding.id)
    group = _ORDER.find(match[1]) if match else -1
    known = group >= 0
    number = int(match[2]) if match and known else 0
    return (
        SEVERITIES.index(finding.severity),
        group if known else len(_ORDER),
        finding.id[:1],
        number,
        finding.subject,
    )


def refusing(findings: Iterable[Finding], accepted: Collection[str]) -> list[Finding]:
    """Those that speak against going on: errors whose ids nobody has accepted."""
    return [finding for finding in findings if finding.severity == "error" and finding.id not in accepted]
