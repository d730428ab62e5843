# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later


"""The filter dkp.airgap.status_table."""

from __future__ import annotations

DOCUMENTATION = r"""
name: status_table
short_description: Where clusters stand as lines of text that people read
version_added: 0.1.0
author:
  - dkp.airgap contributors (!UNKNOWN)
description:
  - Shows for each cluster a row for the platform and one for each module, with what runs, what the private registry and
    the vendor have, and what waits for what; then what is not known and why, and what to do next.
  - In a cell C(?) is not known, and C(-) is not there.
options:
  _input:
    description:
      - The status, as M(dkp.airgap.update_status) returns it or writes it to a file.
    type: dict
    required: true
seealso:
  - module: dkp.airgap.update_status
"""

EXAMPLES = r"""
---
- name: Show where clusters stand
  ansible.builtin.debug:
    msg: "{{ found.status | dkp.airgap.status_table }}"
"""

RETURN = r"""
_value:
  description: The lines.
  type: list
  elements: str
  sample:
    - Cluster prod (EE, registry.example.com/dkp/ee), update mode Manual
    - "            channel  runs      private  vendor"
    - "  platform  stable   v1.68.11  v1.69.7  v1.70.17  behind by 2 steps"
    - "  Not up to date. Next: carry v1.70.17 to the private registry (dkp.airgap.update)"
"""

from collections.abc import Callable
from typing import Any

from ansible.errors import AnsibleFilterError
from ansible_collections.dkp.airgap.plugins.module_utils._dkp.status.document import parse_status
from ansible_collections.dkp.airgap.plugins.module_utils._dkp.status.table import status_table
from ansible_collections.dkp.airgap.plugins.module_utils._oci.errors import AirgapError

NAME = "dkp.airgap.status_table"


def table(status: Any) -> list[str]:
    """The lines; whatever is no status becomes an AnsibleFilterError."""
    try:
        return status_table(parse_status(status))
    except AirgapError as error:
        raise AnsibleFilterError(f"{NAME}: {error}") from error


class FilterModule:
    """What Ansible looks for."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"status_table": table}
