# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The filter dkp.airgap.registry_access."""

from __future__ import annotations

DOCUMENTATION = r"""
name: registry_access
short_description: How a Deckhouse Kubernetes Platform cluster reads its registry, out of its Kubernetes objects
version_added: 0.1.0
author:
  - dkp.airgap contributors (!UNKNOWN)
description:
  - Tells address, scheme, authority and credentials that the nodes of a cluster use, so that a check can see what they
    see.
  - The result is secret. Use it in tasks with C(no_log) only.
options:
  _input:
    description:
      - A mapping from kinds to lists of objects, as for P(dkp.airgap.cluster_facts#filter), of which the Secret
        C(deckhouse-registry) and the ModuleConfig C(deckhouse) are needed.
    type: dict
    required: true
requirements:
  - jmespath
seealso:
  - module: dkp.airgap.mirror_check_info
"""

EXAMPLES = r"""
---
- name: Keep how the cluster reads its registry
  ansible.builtin.set_fact:
    access: "{{ {'Secret': secrets.resources, 'ModuleConfig': settings.resources} | dkp.airgap.registry_access }}"
  no_log: true
"""

RETURN = r"""
_value:
  description:
    - Has C(images_repo), C(scheme), C(ca) (PEM), and either C(docker_config) (the text of a C(config.json)) or
      C(username) and C(password). It is empty where the registry is inside of the cluster (mode Local), or unknown.
  type: dict
"""

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from ansible.errors import AnsibleFilterError
from ansible_collections.dkp.airgap.plugins.module_utils._dkp.cluster.access import registry_access
from ansible_collections.dkp.airgap.plugins.module_utils._dkp.cluster.objects import observe
from ansible_collections.dkp.airgap.plugins.module_utils._oci.errors import AirgapError

NAME = "dkp.airgap.registry_access"


def access(objects: Any) -> dict[str, Any]:
    """The access as plain data; whatever is wrong with the objects becomes an AnsibleFilterError."""
    try:
        found = registry_access(observe(objects))
    except AirgapError as error:
        raise AnsibleFilterError(f"{NAME}: {error}") from error
    return asdict(found) if found is not None else {}


class FilterModule:
    """What Ansible looks for."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"registry_access": access}
