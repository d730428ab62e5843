#!/usr/bin/python

# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Facts of a cluster out of its objects. The work is done by the action plugin of the same name."""

from __future__ import annotations

DOCUMENTATION = r"""
module: cluster_facts
short_description: Set the facts of a Deckhouse Kubernetes Platform cluster and write its request
version_added: 0.1.0
description:
  - Makes of lists of Kubernetes objects what an update plan needs to know of a cluster, and sets it as the fact
    C(dkp_cluster_facts).
  - Writes the request on the controller, which is the document that crosses the gap. It holds these facts, where the
    inventory of the private registry is, and wishes; nothing in it is secret.
  - Reads no cluster. The objects come from C(kubernetes.core.k8s_info), from C(kubectl get -o json), or from files.
  - What was not read is null in the facts. That is not the same as none, which an empty list says.
extends_documentation_fragment:
  - dkp.airgap._document
  - dkp.airgap._attributes
  - dkp.airgap._attributes.controller
options:
  objects:
    description:
      - A mapping from kinds to lists of objects, as P(dkp.airgap.cluster_facts#filter) takes it.
      - Leave out a kind that was not read.
      - Exactly one of this and O(facts) is needed.
    type: dict
  facts:
    description:
      - The facts, as they were made before, for a request that says more.
    type: dict
  name:
    description:
      - What the cluster is called in requests, plans and results.
      - The name of the host in the inventory when unset.
    type: str
  inventory:
    description:
      - Where the inventory of the private registry is, for the request.
    type: str
  wishes:
    description:
      - What of the plan the side of the cluster decides, for the request. What is unset is left to whoever plans.
    type: dict
    suboptions:
      target:
        description:
          - The channel or version to go to.
        type: str
      include_running:
        description:
          - Whether the running version is carried as well.
        type: str
        choices: [auto, always, never]
      ignore_suspend:
        description:
          - Whether releases are taken that the vendor has suspended.
        type: bool
  preflight:
    description:
      - What M(dkp.airgap.mirror_check_info) found at the stage C(preflight) in the private registry, for the request.
        Errors in it stand against a plan, which is made where that registry cannot be asked.
    type: list
    elements: dict
requirements:
  - jmespath (on the controller)
notes:
  - Since ansible-core 2.20 facts outside of C(ansible_facts) are deprecated, unless C(inject_facts_as_vars) is set.
    C(ansible_facts.dkp_cluster_facts) works everywhere.
author:
  - dkp.airgap contributors (!UNKNOWN)
seealso:
  - plugin: dkp.airgap.cluster_facts
    plugin_type: filter
"""

EXAMPLES = r"""
---
- name: Set the facts of a cluster whose objects lie in files
  dkp.airgap.cluster_facts:
    name: prod
    objects:
      Deployment: "{{ lookup('ansible.builtin.file', 'deployments.json') | ansible.builtin.from_json }}"
      DeckhouseRelease: "{{ lookup('ansible.builtin.file', 'releases.json') | ansible.builtin.from_json }}"
      ModuleRelease: []

- name: Write the request that goes to the connected side
  dkp.airgap.cluster_facts:
    name: prod
    objects:
      Deployment: "{{ lookup('ansible.builtin.file', 'deployments.json') | ansible.builtin.from_json }}"
      DeckhouseRelease: "{{ lookup('ansible.builtin.file', 'releases.json') | ansible.builtin.from_json }}"
      ModuleRelease: []
    dest: request.yml
    wishes:
      target: stable
"""

RETURN = r"""
ansible_facts:
  description: The fact that is set.
  returned: success
  type: dict
  contains:
    dkp_cluster_facts:
      description: What is known of the cluster, the key C(cluster) of a request.
      returned: success
      type: dict
      sample:
        name: prod
        version: v1.68.11
        edition: EE
        channel: stable
        kubelet_min: "1.31.6"
request:
  description: The request as a document.
  returned: success, unless RV(omitted) names it
  type: dict
  sample:
    kind: UpdateRequest
    version: 1
    cluster: {name: prod, version: v1.68.11}
    inventory: null
    wishes: {target: stable, include_running: null, ignore_suspend: null}
    preflight: []
msg:
  description: The facts in one sentence.
  returned: always
  type: str
  sample: "prod: DKP EE v1.68.11 on stable, 12 modules from sources, 5 nodes"
omitted:
  description: Names of what was left out of a result that is too long for Ansible; normally empty.
  returned: success
  type: list
  elements: str
  sample: []
"""
