# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The filter dkp.airgap.cluster_facts."""

from __future__ import annotations

DOCUMENTATION = r"""
name: cluster_facts
short_description: Facts of a Deckhouse Kubernetes Platform cluster out of its Kubernetes objects
version_added: 0.1.0
author:
  - dkp.airgap contributors (!UNKNOWN)
description:
  - Makes of lists of Kubernetes objects, as the API returns them, what an update plan needs to know of a cluster.
  - A pure function. It reads neither a cluster nor files, so it takes objects from wherever they come, such as
    C(kubectl get -o json), C(kubernetes.core.k8s_info), or files.
  - What was not read is null in the facts. That is not the same as none, which an empty list says.
  - Of Secrets nothing is kept but addresses, scheme, CA and how the platform calls itself.
positional: name
options:
  _input:
    description:
      - A mapping from kinds to lists of objects. Instead of a list it may be what the API returns for one, with the
        objects under C(items).
      - The kinds are C(ClusterAlert), C(ConfigMap), C(DeckhouseRelease), C(Deployment), C(IngressNginxController),
        C(Module), C(ModuleConfig), C(ModulePullOverride), C(ModuleRelease), C(ModuleSource), C(ModuleUpdatePolicy),
        C(Node), C(NodeGroup), C(Secret) and C(ValidatingWebhookConfiguration). Others are left aside.
      - Leave out a kind that was not read.
    type: dict
    required: true
  name:
    description:
      - What the cluster is called in requests, plans and results.
    type: str
    required: true
requirements:
  - jmespath
seealso:
  - module: dkp.airgap.cluster_facts
"""

EXAMPLES = r"""
---
- name: Show what is known of a cluster whose objects lie in files
  ansible.builtin.debug:
    msg: "{{ objects | dkp.airgap.cluster_facts(name='prod') }}"
  vars:
    objects:
      Deployment: "{{ (lookup('ansible.builtin.file', 'deployments.json') | ansible.builtin.from_json)['items'] }}"
      DeckhouseRelease: "{{ lookup('ansible.builtin.file', 'releases.json') | ansible.builtin.from_json }}"
      ModuleRelease: []
"""

RETURN = r"""
_value:
  description:
    - The facts, in the shape of the key C(cluster) of a request. P(dkp.airgap.cluster_facts#filter) and
      M(dkp.airgap.cluster_facts) return the same.
  type: dict
  sample:
    name: prod
    version: v1.68.11
    edition: EE
    channel: stable
    kubelet_min: "1.31.6"
"""

from collections.abc import Callable, Mapping
from typing import Any

from ansible.errors import AnsibleFilterError
from ansible_collections.dkp.airgap.plugins.module_utils._dkp.cluster.reading import cluster_facts
from ansible_collections.dkp.airgap.plugins.module_utils._dkp.fields import plain
from ansible_collections.dkp.airgap.plugins.module_utils._oci.errors import AirgapError

NAME = "dkp.airgap.cluster_facts"


def facts(objects: Any, name: Any = None) -> dict[str, Any]:
    """The facts as plain data; whatever is wrong with the objects becomes an AnsibleFilterError."""
    if not isinstance(objects, Mapping):
        raise AnsibleFilterError(
            f"{NAME}: expected a mapping from kinds to lists of objects, such as "
            f"{{'Deployment': [...], 'Module': [...]}}, found {type(objects).__name__}"
        )
    if name is None:
        raise AnsibleFilterError(f"{NAME}: name is missing; write {NAME}(name='prod')")
    try:
        document: dict[str, Any] = plain(cluster_facts(objects, name=name))
    except AirgapError as error:
        raise AnsibleFilterError(f"{NAME}: {error}") from error
    return document


class FilterModule:
    """What Ansible looks for."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"cluster_facts": facts}
