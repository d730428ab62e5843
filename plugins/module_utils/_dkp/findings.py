# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Findings: what a module has to say about content, in the one shape of the contract."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from .._oci.errors import InvalidInput
from .fields import choice_of, items, mapping, text

SEVERITIES = ("error", "warning", "unknown", "info")
_MOST_SHOWN = 30


@dataclass(frozen=True)
class Finding:
    """One judgement: `id` is stable and may be accepted by name, `subject` is what it is about."""

    id: str
    severity: str
    subject: str
    message: str
    hint: str

    def __post_init__(self) -> None:
        if self.severity not in SEVERITIES:
            raise ValueError(f"severity {self.severity!r} is none of {', '.join(SEVERITIES)}")

    def as_dict(self) -> dict[str, str]:
        """The finding as it stands in results, plans and reports."""
        return {
            "id": self.id,
            "severity": self.severity,
            "subject": self.subject,
            "message": self.message,
            "hint": self.hint,
        }


def parse_findings(value: Any, where: str) -> tuple[Finding, ...]:
    """Findings out of a document, null is none; further keys are somebody else's. Raises InvalidInput with the path."""
    return tuple(_finding(item, place) for item, place in items(value, where))


def _finding(value: Any, where: str) -> Finding:
    fields = mapping(value, where)
    for key in ("id", "severity", "message"):
        if fields.get(key) is None:
            raise InvalidInput(f"{where}.{key}: is missing, and a finding says nothing without it")
    return Finding(
        id=text(fields["id"], f"{where}.id"),
        severity=choice_of(*SEVERITIES)(fields["severity"], f"{where}.severity"),
        subject=text(fields.get("subject") or "", f"{where}.subject"),
        message=text(fields["message"], f"{where}.message"),
        hint=text(fields.get("hint") or "", f"{where}.hint"),
    )


def finding_lines(findings: Iterable[Mapping[str, str]], *, indent: str = "") -> Iterator[str]:
    """Findings as dicts for people to read, the worst first, each with what to do; very many are counted."""
    ordered = sorted(findings, key=lambda finding: SEVERITIES.index(finding["severity"]))
    for finding in ordered[:_MOST_SHOWN]:
        yield f"{indent}{finding['severity'].upper()} {finding['id']} [{finding['subject']}] {finding['message']}"
        if finding["hint"] and finding["severity"] != "info":
            yield f"{indent}    {finding['hint']}"
    if len(ordered) > _MOST_SHOWN:
        yield f"{indent}and {len(ordered) - _MOST_SHOWN} more findings"
