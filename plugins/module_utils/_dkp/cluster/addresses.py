# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Addresses of registries, as clusters and requests state them."""

from __future__ import annotations

import re
from typing import Any

from ..._oci.errors import InvalidInput
from ..fields import text

_ADDRESS = re.compile(r"[A-Za-z0-9\[][A-Za-z0-9.\-_:/\[\]]*")


def repository_address(value: Any, where: str) -> str | None:
    """``host[:port][/path]``; a blank one is none. Anything else is refused and not shown: it may hold a password."""
    stated = text(value, where).strip().rstrip("/")
    if not stated:
        return None
    if not _ADDRESS.fullmatch(stated) or "://" in stated:
        raise InvalidInput(
            f"{where}: not an address host[:port]/path, without scheme and credentials (it is not shown here, as it "
            "may hold a password)"
        )
    return stated
