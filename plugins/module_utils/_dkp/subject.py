# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The platform and modules as findings call them, and the numbers of the check list (dkp-cluster.md §5.5)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Checks:
    """Which number stands for what, of the platform or of modules."""

    channel: str
    target: str
    gap: str
    reach: str
    metadata: str
    image: str
    parts: str
    extras: str
    running: str
    stray: str
    requirement: str


PLATFORM = Checks("P1", "P2", "P3", "P4", "P6", "P5", "P7", "P7", "P8", "P9", "P10")
MODULE = Checks("M2", "M4", "M3", "M3", "M4", "M5", "M6", "M7", "M8", "M9", "M10")


@dataclass(frozen=True)
class Subject:
    """The platform (`name` is None), or a module."""

    name: str | None

    @property
    def checks(self) -> Checks:
        return PLATFORM if self.name is None else MODULE

    @property
    def what(self) -> str:
        """How messages call it."""
        return "the platform" if self.name is None else f"module {self.name}"

    def subject(self, of: object = "") -> str:
        """Subject of a finding: ``v1.69.7`` of the platform, ``console v1.36.2`` of a module."""
        return " ".join(str(part) for part in (self.name, of) if part) or "platform"
