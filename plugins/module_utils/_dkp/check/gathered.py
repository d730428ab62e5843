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


@dataclass
class Findings:
    """What was found so far. Of several findings with one id, severity and subject the first is told, and all the
    clusters are named."""

    _found: dict[tuple[str, str, str], Finding] = field(default_factory=dict)
    _clusters: dict[tuple[str, str, str], dict[str, None]] = field(default_factory=dict)

    def add(self, finding: Finding, *clusters: str) -> None:
        """Add one, which concerns these clusters."""
        key = (finding.id, finding.severity, finding.subject)
        self._found.setdefault(key, finding)
        self._clusters.setdefault(key, {}).update(dict.fromkeys(clusters))

    def tell(self, check: str, severity: str, subject: str, message: str, hint: str, *clusters: str) -> None:
        """Add one by its fields."""
        self.add(Finding(check, severity, subject, message, hint), *clusters)

    def join(self, other: Findings) -> None:
        """Add all of another's."""
        for key, finding in other._found.items():
            self.add(finding, *other._clusters[key])

    def all(self) -> tuple[Finding, ...]:
        """All of them, errors first, then by the numbers of the check list."""
        told = []
        for key, finding in self._found.items():
            names = list(self._clusters[key])
            concerned = f" (cluster {listed(names)})" if names else ""
            told.append(
                Finding(finding.id, finding.severity, finding.subject, finding.message + concerned, finding.hint)
            )
        return tuple(sorted(told, key=_rank))


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
