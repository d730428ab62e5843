#!/usr/bin/python

# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The update plan of clusters. The work is done by the action plugin of the same name."""

from __future__ import annotations

DOCUMENTATION = r"""
module: update_plan
short_description: Plan the update of Deckhouse Kubernetes Platform clusters
version_added: 0.1.0
description:
  - Computes the releases that lead from what clusters run to what their release channels offer, for the platform and
    for every module, and judges them against the clusters before anything is downloaded.
  - Several clusters get one plan, with steps for each and one list of what a bundle for all of them carries.
  - Uses no network. What the vendor offers comes from M(dkp.airgap.release_channel_info) and
    M(dkp.airgap.module_releases_info), what the clusters run from M(dkp.airgap.cluster_facts).
extends_documentation_fragment:
  - dkp.airgap._fleet
  - dkp.airgap._document
  - dkp.airgap._attributes
  - dkp.airgap._attributes.controller
options:
  module_releases:
    description:
      - The result of M(dkp.airgap.module_releases_info).
    type: dict
  cluster_verdicts:
    description:
      - What clusters said themselves of the next steps, in a server-side dry run. A mapping from the names of clusters
        to lists of C({version, accepted, message}), as the role P(dkp.airgap.cluster_facts#role) finds them out.
    type: dict
  security_db:
    description:
      - Whether the vulnerability databases are carried, where anything is carried at all and the edition has them.
    type: bool
    default: true
  installer:
    description:
      - Whether the installer is carried, where anything is carried at all.
    type: bool
    default: false
  leave_out_refused:
    description:
      - Plan without the clusters that would not take what would be planned for them, when there are others. They are
        told in RV(left_out). Without it, errors of one cluster stand against the whole plan.
    type: bool
    default: false
  accept_findings:
    description:
      - Ids of errors for which O(leave_out_refused) leaves no cluster out.
    type: list
    elements: str
author:
  - dkp.airgap contributors (!UNKNOWN)
seealso:
  - module: dkp.airgap.update_needs
  - module: dkp.airgap.cluster_facts
  - module: dkp.airgap.oci_bundle_pull
"""

EXAMPLES = r"""
---
- name: Plan one cluster from its request
  dkp.airgap.update_plan:
    clusters_from: [requests/prod.yml]
    platform_releases: "{{ platform_releases }}"
    module_releases: "{{ module_releases }}"
    dest: plan.yml
  register: planned

- name: Plan two clusters that are described by hand, one of them to an earlier version
  dkp.airgap.update_plan:
    clusters:
      - {name: test, edition: EE, version: v1.68.0, channel: stable}
      - {name: prod, edition: EE, version: v1.68.0, channel: rock-solid}
    target: {test: v1.69.0}
    platform_releases: "{{ platform_releases }}"
  register: planned

- name: Stop where a cluster would not take it
  ansible.builtin.assert:
    that: planned.ok
    fail_msg: "{{ planned.msg }}"
"""

RETURN = r"""
plan:
  description:
    - The plan. C(clusters) has for each cluster where it goes from and to and by which steps, for the platform and for
      every module with something to do; C(order) in which all requirements hold; and C(findings).
    - C(content) is what a bundle carries. C(pins) are the digests that were seen, which a pull by this plan fetches.
  returned: success
  type: dict
  sample:
    kind: UpdatePlan
    version: 1
    source: {images_repo: registry.deckhouse.io/deckhouse/ee, edition: EE}
    ok: true
    clusters:
      prod:
        uuid: 3c2d1f04-0000-4000-8000-9b1c2d3e4f50
        resource_version: "104711"
        edition: EE
        registry: registry.example.com/dkp/ee
        platform: {from: v1.68.11, to: v1.70.17, channel: stable, steps: [v1.68.13, v1.69.7, v1.70.17]}
        modules:
          console: {from: v1.35.1, to: v1.36.2, channel: stable, steps: [v1.35.4, v1.36.2], source: deckhouse}
        order:
          - {platform: v1.68.13}
          - {platform: v1.69.7}
          - {platform: v1.70.17}
          - {modules: {console: [v1.35.4, v1.36.2]}}
        requirements: {met: 24, not_met: 0, unknown: 2}
        findings: []
    findings: []
    content:
      platform: {versions: [v1.68.13, v1.69.7, v1.70.17], channels: {stable: v1.70.17}, tags: []}
      modules: {console: {versions: [v1.35.4, v1.36.2], channels: {stable: v1.36.2}}}
      packages: {}
      plugins: {}
      security_db: {trivy-bdu: ["1"], trivy-checks: ["0"], trivy-db: ["2"], trivy-java-db: ["1"]}
      installer: []
      pins:
        - repository: release-channel
          tag: stable
          digest: "sha256:5d20c808ce198565ff70b3ed23a991dd49afac45dece63474b27ce6ed036adc6"
ok:
  description: Whether no finding has severity C(error).
  returned: success
  type: bool
  sample: true
findings:
  description:
    - All findings, with the name of the cluster each is about in C(cluster), null for those about all of them.
    - C(P1) to C(P12), C(M1) to C(M11) are numbers of the check list in the guide to plans; C(F1) is two clusters that
      need different versions on one channel, C(F2) a cluster of another edition than the source.
  returned: success
  type: list
  elements: dict
  sample:
    - id: P10
      severity: error
      subject: v1.69.7
      message: "v1.69.7 requires disabledModules delivery, which is not met: still enabled: delivery"
      hint: "Disable them (ModuleConfig, enabled: false) before this step"
      cluster: prod
left_out:
  description: The findings of the clusters that were left out, by name. At most 20 of each.
  returned: success
  type: dict
  sample: {}
msg:
  description: The plan in one sentence.
  returned: always
  type: str
  sample: "1 cluster: 3 platform releases and releases of 1 module to carry"
omitted:
  description:
    - Names of what was left out of a result that is too long for Ansible; normally empty. O(dest) has all of it.
  returned: success
  type: list
  elements: str
  sample: []
"""
