#!/usr/bin/python

# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The update of a cluster. The work is done by the action plugin of the same name."""

from __future__ import annotations

DOCUMENTATION = r"""
module: rollout
short_description: Walk a Deckhouse Kubernetes Platform cluster through its update
version_added: 0.1.0
description:
  - Follows the releases that the cluster creates until it is where its plan leads, and approves those it is told to,
    one at a time. What the cluster waits for is shown whenever that changes.
  - Ends when all is done, when an approval is wanted that is not among O(approved), and, as a failure that says why,
    when waiting cannot help.
  - Nothing is remembered between runs. One that was interrupted is run again, and goes on where the cluster is.
extends_documentation_fragment:
  - dkp.airgap._kubernetes
  - dkp.airgap._attributes
options:
  plan:
    description:
      - The plan. It or O(plan_file) is required.
    type: dict
  approved:
    description:
      - The releases that may be approved, as RV(wants) of an earlier run names them. Only what comes next is approved,
        whatever else is listed.
    type: list
    elements: dict
    default: []
    suboptions:
      kind:
        description: Of the platform or of a module.
        type: str
        choices: [platform, module]
        required: true
      name:
        description: The name of the release in the cluster, such as V(v1.69.7) or V(console-v1.36.2).
        type: str
        required: true
      version:
        description: Its version, for readers.
        type: str
  apply_now:
    description:
      - Whether releases that may be approved are applied at once, without update windows, the waves of a release, and
        the delay after a notification.
    type: bool
    default: false
  windows:
    description:
      - Whether to wait for update windows, waves and notifications, or to end with that state. Waiting for them is not
        limited in time.
    type: str
    choices: [wait, stop]
    default: wait
  until:
    description:
      - Stop after this version of the platform.
    type: str
  accept_findings:
    description:
      - Findings that are no hindrance, V(image_pull) and V(module_error), for what was so before and has nothing to do
        with the update.
    type: list
    elements: str
    default: []
  timeout:
    description:
      - Seconds after which a step that does not come to an end is given up. What the cluster waits for on purpose does
        not count.
    type: float
    default: 3600
  poll:
    description:
      - Seconds between two looks at the cluster.
    type: float
    default: 15
  settle:
    description:
      - Seconds between the two looks that make a step done.
    type: float
    default: 30
  discovery_timeout:
    description:
      - Seconds within which the cluster has to create the next release. It looks into its registry every three minutes.
    type: float
    default: 600
  grace:
    description:
      - Seconds for requirements that fail because Deckhouse has not collected its facts yet, as after a restart.
    type: float
    default: 600
attributes:
  check_mode:
    support: full
    details:
      - Looks once, and asks the cluster in a dry run whether it would take the approval.
  idempotent:
    support: full
    details:
      - Where all is done already, nothing changes.
requirements:
  - jmespath (on the controller)
  - kubernetes >= 24.2.0 (for O(access=api))
author:
  - dkp.airgap contributors (!UNKNOWN)
seealso:
  - module: dkp.airgap.rollout_info
  - module: dkp.airgap.update_plan
"""

EXAMPLES = r"""
---
- name: Follow the update, and learn what wants to be approved
  dkp.airgap.rollout:
    kubeconfig: /etc/airgap/prod.kubeconfig
    plan_file: plan.yml
    cluster: prod
  register: first

- name: Approve that, and follow on
  dkp.airgap.rollout:
    kubeconfig: /etc/airgap/prod.kubeconfig
    plan_file: plan.yml
    cluster: prod
    approved: "{{ first.wants }}"
  when: first.state == 'waiting-approval'
"""

RETURN = r"""
state:
  description:
    - How it ended, V(done), V(waiting-approval), or V(stopped) as a failure. With O(windows=stop) also
      V(waiting-window), V(canary) or V(notification).
  returned: success
  type: str
  sample: waiting-approval
wants:
  description: What wants to be approved next, as O(approved) takes it.
  returned: success
  type: list
  elements: dict
  sample: [{kind: platform, name: v1.69.7, version: v1.69.7}]
commands:
  description: The commands that approve it by hand.
  returned: success
  type: list
  elements: str
  sample: ["kubectl patch deckhouserelease v1.69.7 --type=merge --patch='{\"approved\": true}'"]
approved:
  description: The names of the releases that this run has approved.
  returned: success
  type: list
  elements: str
  sample: [v1.68.13]
steps:
  description:
    - The steps of the platform, C(done), C(under-way), C(pending), or C(overtaken) by a later one. C(approved) and
      C(seconds) are about this run.
  returned: success
  type: list
  elements: dict
  sample:
    - {version: v1.68.13, state: done, approved: true, seconds: 612.4}
    - {version: v1.69.7, state: pending, approved: false, seconds: null}
verdicts:
  description: What the cluster says to the approval of what wants it, in a dry run; C(accepted) is null where it does
    not say.
  returned: in check mode
  type: list
  elements: dict
  sample: [{kind: platform, name: v1.69.7, version: v1.69.7, accepted: true, message: ""}]
ok:
  description: Whether nothing stands in the way.
  returned: success
  type: bool
  sample: true
findings:
  description:
    - What stands in the way, each as C({id, severity, subject, message, hint}). Ids are C(requirements), C(gap),
      C(suspended), C(image_pull), C(module_error), C(frozen_chain), C(no_release), C(disruption), C(policy),
      C(beyond_plan), C(no_channel), C(local_registry), C(denied), C(unreachable) and C(timeout).
  returned: success
  type: list
  elements: dict
  sample: []
cluster:
  description: The cluster, as M(dkp.airgap.rollout_info) returns it.
  returned: success
  type: dict
  sample: {name: prod, version: v1.68.13, updating: false}
platform:
  description: What the platform is at, as M(dkp.airgap.rollout_info) returns it.
  returned: success
  type: dict
  sample: {state: waiting-approval, release: v1.69.7}
modules:
  description: What the modules of the plan are at, as M(dkp.airgap.rollout_info) returns them.
  returned: success
  type: dict
  sample: {console: {version: v1.35.1, state: done}}
queue:
  description: The queue of Deckhouse, as M(dkp.airgap.rollout_info) returns it.
  returned: success
  type: dict
  sample: {readable: true, main: 0, total: 1}
msg:
  description: How it ended, and what to do next.
  returned: always
  type: str
  sample: "prod: waiting for the approval of v1.69.7; approve with: kubectl patch deckhouserelease v1.69.7 …"
text:
  description: The cluster in a few lines, for people.
  returned: success
  type: list
  elements: str
  sample: ["prod: DKP v1.68.13, channel stable, updates Manual", "  platform  waiting-approval v1.69.7"]
"""
