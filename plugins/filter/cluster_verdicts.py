# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The filter dkp.airgap.cluster_verdicts."""

from __future__ import annotations

DOCUMENTATION = r"""
name: cluster_verdicts
short_description: What a cluster said to approvals of platform releases that were tried in a dry run
version_added: 0.1.0
author:
  - dkp.airgap contributors (!UNKNOWN)
description:
  - Takes the results of a loop over platform releases, whose task approved each of them in a server-side dry run with
    C(kubectl) or C(kubernetes.core.k8s), as C(verdict) of the role P(dkp.airgap.cluster_facts#role) does.
positional: facts
options:
  _input:
    description:
      - The results of the loop, whose items have a key C(version). A skipped item was not asked about.
    type: list
    elements: dict
    required: true
  facts:
    description:
      - The facts of the cluster, for the reason why a release was not asked about.
    type: dict
    required: true
seealso:
  - plugin: dkp.airgap.kubernetes_errors
    plugin_type: filter
"""

EXAMPLES = r"""
---
- name: Show what the cluster said
  ansible.builtin.debug:
    msg: "{{ answers.results | dkp.airgap.cluster_verdicts(ansible_facts.dkp_cluster_facts) }}"
"""

RETURN = r"""
_value:
  description:
    - One entry per release, in the order of the loop. RV(ignore:accepted) is true or false as the cluster said, or null
      when it gave no verdict; RV(ignore:message) has its reasons, or why there is no verdict.
  type: list
  elements: dict
  sample:
    - version: v1.69.7
      accepted: false
      message: 'cannot approve DeckhouseRelease "v1.69.7": requirements not met: k8s is too old'
"""

from collections.abc import Callable, Mapping
from typing import Any

from ansible.errors import AnsibleFilterError
from ansible_collections.dkp.airgap.plugins.module_utils._dkp.cluster.answers import Verdict, verdict

NAME = "dkp.airgap.cluster_verdicts"
_MANIFEST = "roles/cluster_facts/files/rbac-verdict.yml"
_NO_WEBHOOK = "this version of DKP has no webhook that judges approvals (DKP has one since about 1.71)"
_WEBHOOK_UNKNOWN = "whether this version of DKP judges approvals is not known: webhook configurations were not read"
_APPROVED = "is approved already; the cluster judges a release when it is approved, and not again"


def cluster_verdicts(results: Any, facts: Any) -> list[dict[str, Any]]:
    """The verdicts for the results of a loop over releases."""
    if not isinstance(results, (list, tuple)) or not isinstance(facts, Mapping):
        raise AnsibleFilterError(
            f"{NAME}: expected a list of results and the facts of a cluster, found {type(results).__name__} and "
            f"{type(facts).__name__}"
        )
    return [_entry(result, facts) for result in results]


def _entry(result: Mapping[str, Any], facts: Mapping[str, Any]) -> dict[str, Any]:
    found = verdict(result, manifest=_MANIFEST)
    if result.get("skipped"):
        found = Verdict(None, _why_skipped(facts.get("approval_webhook")))
    version = str(result[result.get("ansible_loop_var", "item")]["version"])
    return {"version": version, "accepted": found.accepted, "message": found.message}


def _why_skipped(webhook: bool | None) -> str:
    if webhook is None:
        return _WEBHOOK_UNKNOWN
    return _APPROVED if webhook else _NO_WEBHOOK


class FilterModule:
    """What Ansible looks for."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"cluster_verdicts": cluster_verdicts}
