# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a registry answered before anything was carried to it."""

from __future__ import annotations

from dataclasses import dataclass, field

from .._registry.errors import RegistryError
from .._registry.probing import Greeting, HarborProject


@dataclass
class Answers:
    """What a registry answered, by path below the root."""

    greeting: Greeting
    refused: dict[str, RegistryError] = field(default_factory=dict)
    """Uploads that could not be opened."""
    left: list[str] = field(default_factory=list)
    """Where an upload was opened and could not be cancelled."""
    tags: dict[str, frozenset[str]] = field(default_factory=dict)
    """Of repositories that are there, and list them."""
    unlisted: dict[str, RegistryError] = field(default_factory=dict)
    deletion: str | None = None
    fixed: dict[str, RegistryError] = field(default_factory=dict)
    """Tags, by ``path:tag``, that could not be written again."""
    rewritten: int = 0
    project: HarborProject | None = None
    token_life: float | None = None
    anonymous: bool = False
    """No credentials were given."""
