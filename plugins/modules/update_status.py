#!/usr/bin/python

# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later


"""Where clusters stand. The work is done by the action plugin of the same name."""

from __future__ import annotations

DOCUMENTATION = r"""
module: update_status
short_description: Tell where Deckhouse Kubernetes Platform clusters stand, and what to do next
version_added: 0.1.0
description:
  - Puts together what clusters run, what waits in them, what their private registries hold and what the vendor offers.
    Tells whether they are up to date, for the platform and for every module, and what to do next.
  - Takes results of tasks as they were registered, also of those that failed. What is missing is not known, for the
    reason that its task gave, and everything else is told all the same.
  - Uses no network.
extends_documentation_fragment:
  - dkp.airgap._document
  - dkp.airgap._attributes
  - dkp.airgap._attributes.controller
options:
  clusters:
    description:
      - The clusters.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description:
          - What the cluster is called.
        type: str
        required: true
      facts:
        description:
          - Its facts, as M(dkp.airgap.cluster_facts) sets them. Leave them out where it could not be read.
        type: dict
      reason:
        description:
          - Why there are no facts.
        type: str
      progress:
        description:
          - The registered result of M(dkp.airgap.rollout_info), which tells what releases wait for and reads the queue.
            Without it, what releases wait for comes from O(clusters[].facts).
        type: dict
      source:
        description:
          - The C(images_repo) of the source that the cluster is updated from. Without it, it is the only one, or the
            one of its edition.
        type: str
      registry:
        description:
          - The key of its private registry in O(inventories). Without it, it is the only one, or the one that the
            cluster itself names as its registry.
        type: str
  platform_releases:
    description:
      - The registered results of M(dkp.airgap.release_channel_info), one for each source.
    type: list
    elements: dict
  module_releases:
    description:
      - The registered results of M(dkp.airgap.module_releases_info), one for each source.
    type: list
    elements: dict
  inventories:
    description:
      - What private registries hold. A mapping from names of your choice, such as those of hosts, to registered results
        of M(dkp.airgap.mirror_inventory_info) or to the documents that it writes.
    type: dict
  not_asked:
    description:
      - Why something was not asked for at all.
    type: dict
    suboptions:
      progress:
        description:
          - Why there is no result of M(dkp.airgap.rollout_info).
        type: str
      vendor:
        description:
          - Why there is no result of M(dkp.airgap.release_channel_info).
        type: str
      vendor_modules:
        description:
          - Why there is no result of M(dkp.airgap.module_releases_info), where that has another reason.
        type: str
      registry:
        description:
          - Why there is no inventory.
        type: str
  module_source:
    description:
      - The ModuleSource of the clusters whose registry is the private copy of the source.
    type: str
    default: deckhouse
author:
  - dkp.airgap contributors (!UNKNOWN)
seealso:
  - plugin: dkp.airgap.status_table
    plugin_type: filter
  - module: dkp.airgap.cluster_facts
  - module: dkp.airgap.rollout_info
  - module: dkp.airgap.release_channel_info
  - module: dkp.airgap.mirror_inventory_info
"""

EXAMPLES = r"""
---
- name: Tell where a cluster stands that is described by hand
  dkp.airgap.update_status:
    clusters:
      - name: prod
        facts: {name: prod, edition: EE, version: v1.68.0, channel: stable}
    platform_releases: ["{{ platform_releases }}"]
    not_asked: {registry: it is on the other side}
    dest: status.yml
  register: found

- name: Show it
  ansible.builtin.debug:
    msg: "{{ found.status | dkp.airgap.status_table }}"
"""

RETURN = r"""
status:
  description:
    - Where each cluster stands. O(dest) has the same document.
    - C(up_to_date) is null where it is not known. C(next.action) is one of V(connect), V(repair), V(wait), V(push),
      V(approve), V(publish), V(update), V(configure) and V(none).
    - C(parts) tells for C(cluster), C(progress), C(vendor), C(vendor_modules) and C(registry) whether each is known,
      and why not.
  returned: success, unless RV(omitted) names it
  type: dict
  sample:
    kind: UpdateStatus
    version: 1
    clusters:
      prod:
        up_to_date: false
        next:
          action: approve
          message: "approve v1.69.7 (dkp.airgap.rollout with dkp_approve: always)"
          subjects: [v1.69.7]
        edition: EE
        update_mode: Manual
        updating:
        platform:
          runs: v1.68.11
          channel: stable
          registry: v1.69.7
          vendor: v1.70.17
          steps: [v1.68.13, v1.69.7, v1.70.17]
          waiting:
            - version: v1.69.7
              state: waiting-approval
              message: "Release is waiting for the 'release.deckhouse.io/approved: \"true\"' annotation"
              until:
              approved: false
          incomplete: []
          up_to_date: false
          followed: true
          phase:
          note: ""
        modules: {}
        queue: {readable: true, main: 0, total: 1}
        findings: []
        parts:
          cluster: {known: true, reason: "", where: null, channels: {}}
          progress: {known: true, reason: "", where: null, channels: {}}
          vendor: {known: true, reason: "", where: registry.deckhouse.io/deckhouse/ee, channels: {stable: v1.70.17}}
          vendor_modules: {known: false, reason: "no such host", where: null, channels: {}}
          registry: {known: true, reason: "", where: registry.example.com/dkp/ee, channels: {stable: v1.69.7}}
ok:
  description: Whether all clusters are known to be up to date.
  returned: success
  type: bool
  sample: false
msg:
  description: The status in one sentence for each cluster.
  returned: always
  type: str
  sample: "prod: not up to date, next: approve v1.69.7 (dkp.airgap.rollout with dkp_approve: always)"
omitted:
  description: Names of what was left out of a result that is too long for Ansible; normally empty. O(dest) has all.
  returned: success
  type: list
  elements: str
  sample: []
"""
