# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""List options as AWX surveys fill them."""

from __future__ import annotations

from collections.abc import Sequence


def drop_empty(values: Sequence[str] | None) -> list[str] | None:
    """`values` without empty and blank strings; None (unset) when the list held only those.

    An empty list stays an empty list: it says "none", where None says "not asked" (contract.md §1).
    """
    if values is None:
        return None
    kept = [value for value in values if value.strip()]
    return kept if kept or not values else None
