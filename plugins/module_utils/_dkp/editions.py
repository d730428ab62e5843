# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Editions: what the last segment of a repository says, and the root they share (d8-mirror.md §1.1)."""

from __future__ import annotations

from .._oci.reference import RepositoryAddress

EDITIONS = {
    "ee": "EE",
    "fe": "FE",
    "se": "SE",
    "se-plus": "SE-plus",
    "be": "BE",
    "ce": "CE",
    "cse": "CSE",
}
"""Path segment -> edition as clusters spell it (annotation ``core.deckhouse.io/edition``)."""
_WITHOUT_SHARED_ROOT = frozenset({"cse"})
"""Editions with a registry of their own: the installer lies below the edition itself."""


def edition_of(address: RepositoryAddress) -> str | None:
    """The edition that `address` names, by its last segment alone and case-sensitive; None when it names none."""
    return EDITIONS.get(_last_segment(address))


def bare_root(address: RepositoryAddress) -> RepositoryAddress:
    """Where the installer and the d8 plugins of a vendor's tree lie: the address without its edition.

    `address` itself when it names no edition, and for CSE. For ``host/ee`` the path of the result is empty.
    """
    segment = _last_segment(address)
    if segment not in EDITIONS or segment in _WITHOUT_SHARED_ROOT:
        return address
    return RepositoryAddress(address.host, address.path[: -len(segment)].rstrip("/"))


def _last_segment(address: RepositoryAddress) -> str:
    return address.path.rpartition("/")[2]
