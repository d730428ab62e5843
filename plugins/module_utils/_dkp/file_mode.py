# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Permissions that options give the documents which are written."""

from __future__ import annotations

from .._oci.errors import InvalidInput


def parse_mode(value: object, where: str = "mode") -> int:
    """Permissions in an option: text in octal (``0600``), or the number that YAML made of it. Raises InvalidInput."""
    if isinstance(value, str):
        digits = value.strip()
        if digits and len(digits) <= 5 and not digits.strip("01234567"):
            mode = int(digits, 8)
            if mode <= 0o777:
                return mode
    elif isinstance(value, int) and not isinstance(value, bool) and 0 < value <= 0o777:
        return value
    raise InvalidInput(f"{where}: {str(value)[:40]!r} is no mode of a file; write it in quotes, such as '0600'")
