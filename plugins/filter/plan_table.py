# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The filter dkp.airgap.plan_table."""

from __future__ import annotations

DOCUMENTATION = r"""
name: plan_table
short_description: An update plan as lines of text that people read
version_added: 0.1.0
author:
  - dkp.airgap contributors (!UNKNOWN)
description:
  - Shows for each cluster the steps of the platform and of its modules, what is required of it, and what was found;
    then what is to be downloaded.
positional: sizes
options:
  _input:
    description:
      - The plan, as M(dkp.airgap.update_plan) returns it.
    type: dict
    required: true
  sizes:
    description:
      - What each step adds to a bundle, as M(dkp.airgap.oci_bundle_pull) returns it, also in check mode.
    type: dict
seealso:
  - module: dkp.airgap.update_plan
"""

EXAMPLES = r"""
---
- name: Show the plan
  ansible.builtin.debug:
    msg: "{{ planned.plan | dkp.airgap.plan_table(pulled.sizes) }}"
"""

RETURN = r"""
_value:
  description: The lines.
  type: list
  elements: str
  sample:
    - Cluster prod (EE, registry.example.com/dkp/ee)
    - "  platform  v1.68.11 -> v1.68.13 (12 MB) -> v1.69.7 (340 MB), channel stable"
"""

from collections.abc import Callable, Mapping
from typing import Any

from ansible.errors import AnsibleFilterError
from ansible_collections.dkp.airgap.plugins.module_utils._dkp.plan.document import parse_plan
from ansible_collections.dkp.airgap.plugins.module_utils._dkp.plan.table import plan_table
from ansible_collections.dkp.airgap.plugins.module_utils._oci.errors import AirgapError

NAME = "dkp.airgap.plan_table"


def table(plan: Any, sizes: Any = None) -> list[str]:
    """The lines; whatever is no plan becomes an AnsibleFilterError."""
    if sizes is not None and not isinstance(sizes, Mapping):
        raise AnsibleFilterError(f"{NAME}: sizes is no mapping; give what oci_bundle_pull returned as sizes")
    try:
        return plan_table(parse_plan(plan).document, sizes)
    except AirgapError as error:
        raise AnsibleFilterError(f"{NAME}: {error}") from error


class FilterModule:
    """What Ansible looks for."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"plan_table": table}
