# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Findings: what a module has to say about content, in the one shape of the contract."""

from __future__ import annotations

from dataclasses import dataclass

SEVERITIES = ("error", "warning", "unknown", "info")


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
