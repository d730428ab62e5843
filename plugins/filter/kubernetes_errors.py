# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The filter dkp.airgap.kubernetes_errors."""

from __future__ import annotations

DOCUMENTATION = r"""
name: kubernetes_errors
short_description: What went wrong in tasks that asked a Kubernetes cluster, as one text
version_added: 0.1.0
author:
  - dkp.airgap contributors (!UNKNOWN)
description:
  - Takes results of tasks that called C(kubectl), or the modules C(k8s), C(k8s_info) and C(k8s_cluster_info) of
    C(kubernetes.core), and says why they got no answer. For tasks whose own output is hidden, because an answer would
    hold secrets.
  - Where rights are missing, names each missing rule of RBAC, and the user that lacks it.
positional: manifest
options:
  _input:
    description:
      - The results of tasks, each with what the task returned. Those of skipped tasks count as answered.
    type: list
    elements: dict
    required: true
  manifest:
    description:
      - The file of this collection that grants the rights.
    type: str
    default: roles/cluster_facts/files/rbac.yml
seealso:
  - plugin: dkp.airgap.cluster_verdicts
    plugin_type: filter
"""

EXAMPLES = r"""
---
- name: Read a Secret
  ansible.builtin.command:
    argv: [kubectl, -n, d8-system, get, secret, deckhouse-registry, -o, json]
  register: answer
  changed_when: false
  failed_when: false
  no_log: true

- name: Say what is wrong
  ansible.builtin.fail:
    msg: "{{ [answer] | dkp.airgap.kubernetes_errors }}"
  when: ([answer] | dkp.airgap.kubernetes_errors) != ''
"""

RETURN = r"""
_value:
  description:
    - The text; empty when every task got its answer.
  type: str
"""

from collections.abc import Callable
from typing import Any

from ansible.errors import AnsibleFilterError
from ansible_collections.dkp.airgap.plugins.module_utils._dkp.cluster.answers import errors

_MANIFEST = "roles/cluster_facts/files/rbac.yml"


def kubernetes_errors(results: Any, manifest: str = _MANIFEST) -> str:
    """The text for results of tasks."""
    if not isinstance(results, (list, tuple)):
        raise AnsibleFilterError(
            f"dkp.airgap.kubernetes_errors: expected a list of results of tasks, found {type(results).__name__}"
        )
    return errors(results, manifest=manifest)


class FilterModule:
    """What Ansible looks for."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"kubernetes_errors": kubernetes_errors}
