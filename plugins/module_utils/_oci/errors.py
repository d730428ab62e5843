# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The one root of every error this collection raises on purpose.

``str(error)`` is the sentence a user reads: what was attempted, what went wrong, what to do next.
It never holds a secret. ``details`` are extra keys for the task's result.
"""

from __future__ import annotations

from typing import Any


class AirgapError(Exception):
    """What failed, why, and what to do next, in one text."""

    def __init__(self, message: str, **details: Any) -> None:
        super().__init__(message)
        self.details = details


class InvalidInput(AirgapError):
    """An option or a document that cannot be right; raised before anything is touched."""


class InvalidContent(AirgapError):
    """Content from a registry or an archive that breaks its own format (hostile or damaged)."""


class Stopped(AirgapError):
    """The run was asked to stop (SIGTERM, SIGINT, or an earlier failure); its state is resumable."""
