#!/usr/bin/python

# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One look at the update of a cluster. The work is done by the action plugin of the same name."""

from __future__ import annotations

DOCUMENTATION = r"""
module: rollout_info
short_description: Tell what the update of a Deckhouse Kubernetes Platform cluster is at
version_added: 0.1.0
description:
  - Looks at a cluster once, and tells what the platform and its modules are at, what waits for what and until when.
  - It changes nothing in the cluster, also where something wants to be approved.
extends_documentation_fragment:
  - dkp.airgap._kubernetes
  - dkp.airgap._attributes
  - dkp.airgap._attributes.info_module
options:
  plan:
    description:
      - The plan, for states of the platform and of modules on the way that it describes. Without one, all modules that
        come from sources are told of.
    type: dict
requirements:
  - jmespath (on the controller)
  - kubernetes >= 24.2.0 (for O(access=api))
author:
  - dkp.airgap contributors (!UNKNOWN)
seealso:
  - module: dkp.airgap.rollout
  - module: dkp.airgap.cluster_facts
"""

EXAMPLES = r"""
---
- name: Look at the cluster
  dkp.airgap.rollout_info:
    kubeconfig: /etc/airgap/prod.kubeconfig
  register: looked

- name: Show what it is at
  ansible.builtin.debug:
    msg: "{{ looked.text }}"

- name: Stop while it is updated
  ansible.builtin.assert:
    that: not looked.cluster.updating
    fail_msg: "{{ looked.msg }}"
"""

RETURN = r"""
cluster:
  description:
    - The cluster. C(updating) tells whether the platform is on its way to another version right now. C(uuid) and
      C(resource_version) are the same as in requests and plans of the cluster while nothing has moved in it.
  returned: success
  type: dict
  sample:
    name: prod
    uuid: 3c2d1f04-0000-4000-8000-9b1c2d3e4f50
    resource_version: "104711"
    version: v1.68.11
    switched_version: v1.68.11
    channel: stable
    update_mode: Manual
    updating: false
platform:
  description:
    - What the platform is at. C(release) and C(message) are of the release that comes next or is being deployed,
      C(until) is when the cluster means to go on, as it writes that, C(pending) has all that wait, and C(approved)
      tells whether the next one has been approved, null without one.
    - C(state) is one of C(done), C(waiting-for-discovery), C(waiting-approval), C(approved), C(waiting-window),
      C(canary), C(notification), C(waiting-pod), C(waiting-order), C(pending), C(switching), C(converging),
      C(blocked-requirements), C(blocked-disruption), C(blocked-policy), C(suspended), C(gap), C(frozen-chain),
      C(beyond-plan), C(image-pull) and C(module-error).
  returned: success
  type: dict
  sample:
    state: waiting-approval
    release: v1.69.7
    message: "Release is waiting for the 'release.deckhouse.io/approved: \"true\"' annotation"
    until:
    pending: [v1.69.7]
    approved: false
modules:
  description:
    - The same for modules, by name. Further states are C(overridden) and C(disabled), for modules without updates.
  returned: success
  type: dict
  sample:
    console: {version: v1.35.1, phase: Ready, state: done, release: console-v1.35.1, message: "", pending: []}
queue:
  description: How many tasks wait in the main queue of Deckhouse, and in all of them; null where nobody may know.
  returned: success
  type: dict
  sample: {readable: true, main: 0, total: 1}
findings:
  description: What would stop a rollout, each as C({id, severity, subject, message, hint}).
  returned: success
  type: list
  elements: dict
  sample: []
msg:
  description: The cluster in one sentence.
  returned: always
  type: str
  sample: "prod: DKP v1.68.11 on stable, done v1.68.11"
text:
  description: The cluster in a few lines, for people.
  returned: success
  type: list
  elements: str
  sample: ["prod: DKP v1.68.11, channel stable, updates Manual", "  platform  done v1.68.11"]
"""
