# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The filter dkp.airgap.finding_lines."""

from __future__ import annotations

DOCUMENTATION = r"""
name: finding_lines
short_description: Findings as lines of text that people read
version_added: 0.1.0
author:
  - dkp.airgap contributors (!UNKNOWN)
description:
  - Shows the worst findings first, each with what to do about it. Of very many, those beyond the first 30 are counted.
positional: indent
options:
  _input:
    description:
      - Findings as the modules of this collection return them.
    type: list
    elements: dict
    required: true
  indent:
    description:
      - What each line begins with.
    type: str
    default: ""
seealso:
  - module: dkp.airgap.mirror_check_info
"""

EXAMPLES = r"""
---
- name: Show what was found
  ansible.builtin.debug:
    msg: "{{ checked.findings | dkp.airgap.finding_lines }}"
"""

RETURN = r"""
_value:
  description: The lines.
  type: list
  elements: str
  sample:
    - "ERROR P5 [v1.69.7] the registry lacks the image of v1.69.7; the deckhouse pod itself could not start"
    - "    Push the bundle that carries v1.69.7"
"""

from collections.abc import Callable
from typing import Any

from ansible.errors import AnsibleFilterError
from ansible_collections.dkp.airgap.plugins.module_utils._dkp.findings import finding_lines as lines_of
from ansible_collections.dkp.airgap.plugins.module_utils._dkp.findings import parse_findings
from ansible_collections.dkp.airgap.plugins.module_utils._oci.errors import AirgapError

NAME = "dkp.airgap.finding_lines"


def finding_lines(findings: Any, indent: str = "") -> list[str]:
    """The lines; whatever is no list of findings becomes an AnsibleFilterError."""
    try:
        return list(lines_of([finding.as_dict() for finding in parse_findings(findings, NAME)], indent=indent))
    except AirgapError as error:
        raise AnsibleFilterError(str(error)) from error


class FilterModule:
    """What Ansible looks for."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"finding_lines": finding_lines}
