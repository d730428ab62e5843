# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Arguments of action plugins that do their work themselves: read as modules read theirs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.dkp.airgap.plugins.module_utils._dkp.nearest import did_you_mean
from ansible_collections.dkp.airgap.plugins.module_utils._oci.errors import InvalidInput


def validated(arguments: Mapping[str, Any], spec: Mapping[str, Any]) -> dict[str, Any]:
    """`arguments` of a task by the argument spec `spec`: checked, converted, and with defaults.

    Options that are blank, as AWX surveys send them, are unset; so are suboptions. Raises InvalidInput.
    """
    unknown = sorted(set(arguments) - set(spec))
    if unknown:
        near = did_you_mean(unknown[0], spec)
        raise InvalidInput(f"{unknown[0]}: there is no such option{near}; there are {', '.join(sorted(spec))}")
    result = ArgumentSpecValidator(dict(spec)).validate(_without_blanks(arguments, spec))  # type: ignore[no-untyped-call]
    if result.error_messages:
        raise InvalidInput("; ".join(result.error_messages))
    return dict(result.validated_parameters)


def _without_blanks(arguments: Mapping[str, Any], spec: Mapping[str, Any]) -> dict[str, Any]:
    kept = {key: value for key, value in arguments.items() if not _is_blank(value)}
    for key, value in kept.items():
        below = spec.get(key, {}).get("options")
        if below and isinstance(value, Mapping):
            kept[key] = _without_blanks(value, below)
    return kept


def _is_blank(value: object) -> bool:
    return value is None or (isinstance(value, str) and not value.strip())
