#!/usr/bin/python

# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What has to be read for a plan. The work is done by the action plugin of the same name."""

from __future__ import annotations

DOCUMENTATION = r"""
module: update_needs
short_description: Tell which releases have to be read to plan the update of clusters
version_added: 0.1.0
description:
  - Tells what M(dkp.airgap.release_channel_info) and M(dkp.airgap.module_releases_info) have to read before
    M(dkp.airgap.update_plan) can plan, so that nothing else is asked of the vendor's registry.
  - Modules that leave the platform on the way are known only once the platform's releases were read. Ask again with
    O(platform_releases) before modules are read.
extends_documentation_fragment:
  - dkp.airgap._fleet
  - dkp.airgap._attributes
  - dkp.airgap._attributes.controller
author:
  - dkp.airgap contributors (!UNKNOWN)
seealso:
  - module: dkp.airgap.update_plan
"""

EXAMPLES = r"""
---
- name: Tell what has to be read of the platform
  dkp.airgap.update_needs:
    clusters_from: [requests/prod.yml]
  register: needed

- name: Read it
  dkp.airgap.release_channel_info:
    images_repo: registry.deckhouse.io/deckhouse/ee
    license_token: "{{ dkp_license_token }}"
    updates: "{{ needed.platform }}"
  register: platform_releases

- name: Tell what has to be read of modules
  dkp.airgap.update_needs:
    clusters_from: [requests/prod.yml]
    platform_releases: "{{ platform_releases }}"
  register: needed

- name: Read it as well
  dkp.airgap.module_releases_info:
    images_repo: registry.deckhouse.io/deckhouse/ee
    license_token: "{{ dkp_license_token }}"
    updates: "{{ needed.modules }}"
  register: module_releases
"""

RETURN = r"""
platform:
  description: What M(dkp.airgap.release_channel_info) takes as O(dkp.airgap.release_channel_info#module:updates).
  returned: success
  type: list
  elements: dict
  sample: [{from: v1.68.11, to: stable}]
modules:
  description: What M(dkp.airgap.module_releases_info) takes as O(dkp.airgap.module_releases_info#module:updates).
  returned: success
  type: list
  elements: dict
  sample: [{module: console, from: v1.35.1, to: stable}]
msg:
  description: The result in one sentence.
  returned: always
  type: str
  sample: "to read: 1 way of the platform, 12 of modules"
"""
