# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The nearest names to one that is not there, for error texts."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable

MOST_NAMED = 3
"""How many near names an error offers."""
_MOST_LISTED = 12


def nearest_names(name: str, known: Iterable[str]) -> tuple[str, ...]:
    """At most three of `known` that look like `name`, best first; empty when nothing is near."""
    return tuple(difflib.get_close_matches(name, sorted(known), n=MOST_NAMED, cutoff=0.6))


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """`` (did you mean a, b?)``, or nothing when nothing is near."""
    near = nearest_names(name, known)
    return f" (did you mean {', '.join(near)}?)" if near else ""


def listed(names: Collection[str]) -> str:
    """Names for an error text, in their order, cut after a dozen with the number of the others; ``none`` for none."""
    shown = list(names)[:_MOST_LISTED]
    rest = len(names) - len(shown)
    return (", ".join(shown) or "none") + (f" and {rest} more" if rest else "")
