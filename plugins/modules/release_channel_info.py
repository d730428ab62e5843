#!/usr/bin/python

# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a registry offers of the platform."""

from __future__ import annotations

DOCUMENTATION = r"""
module: release_channel_info
short_description: Read the release channels of Deckhouse Kubernetes Platform from a registry
version_added: 0.1.0
description:
  - Tells which version each release channel points to, what that version requires, and which versions there are.
  - Works with the vendor's registry and with a private one.
extends_documentation_fragment:
  - dkp.airgap.registry
  - dkp.airgap._report
  - dkp.airgap._attributes
  - dkp.airgap._attributes.info_module
  - dkp.airgap._attributes.actiongroup_registry
options:
  channels:
    description:
      - The channels to read. One that the registry does not have is reported as such, and is no failure.
      - Without it these are V(alpha), V(beta), V(early-access), V(stable), V(rock-solid) and V(lts); with O(updates)
        only those that the updates lead to. An empty list is none.
      - Channels that O(updates) lead to are read in any case.
    type: list
    elements: str
  platform_versions:
    description:
      - Also read the metadata of the versions that this constraint selects, such as V(>=1.68.0 <1.71.0), V(~1.70.0)
        or V(=v1.70.3). They are those that M(dkp.airgap.oci_bundle_pull) takes with the same constraint.
    type: str
  updates:
    description:
      - Also read the metadata of the releases that lead from a version to a channel or version, and no more than that.
        It is what a plan for clusters with these versions has to know.
      - They are, for each minor from the one to the other, the highest patch above O(updates[].from), the last one
        capped at O(updates[].to). To the channel V(lts), and without O(updates[].from), it is the target alone.
      - Where a version tag has no image, the next lower one is read too, and RV(stray) names the tag.
      - An empty list reads nothing but the list of versions.
    type: list
    elements: dict
    suboptions:
      from:
        description:
          - The version that is deployed, such as V(v1.68.11). Without it only the target is read.
        type: str
      to:
        description:
          - The channel to follow, or the version to reach. To a channel that the registry does not have leads nothing.
        type: str
        required: true
  changelog:
    description:
      - Whether to return the changelogs as well. They are long.
    type: bool
    default: false
author:
  - dkp.airgap contributors (!UNKNOWN)
seealso:
  - module: dkp.airgap.module_releases_info
  - module: dkp.airgap.oci_bundle_pull
"""

EXAMPLES = r"""
---
- name: Read the release channels
  dkp.airgap.release_channel_info:
    images_repo: registry.deckhouse.io/deckhouse/ee
    license_token: "{{ dkp_license_token }}"
  register: source

- name: Show what stable points to
  ansible.builtin.debug:
    msg: "stable is {{ source.channels.stable.version }}"

- name: Read what the versions from 1.68 to 1.70 require
  dkp.airgap.release_channel_info:
    images_repo: registry.deckhouse.io/deckhouse/ee
    license_token: "{{ dkp_license_token }}"
    channels: [stable]
    platform_versions: ">=1.68.0 <1.71.0"

- name: Read what a plan for two clusters has to know
  dkp.airgap.release_channel_info:
    images_repo: registry.deckhouse.io/deckhouse/ee
    license_token: "{{ dkp_license_token }}"
    updates:
      - from: v1.67.1
        to: stable
      - from: v1.68.4
        to: v1.70.0
"""

RETURN = r"""
images_repo:
  description: The registry that was read, as C(host[:port]/path).
  returned: success
  type: str
  sample: registry.deckhouse.io/deckhouse/ee
edition:
  description: The edition that O(images_repo) names, as clusters spell it; null when it names none.
  returned: success
  type: str
  sample: EE
channels:
  description: One key for each channel that was read. One that is not there has the key C(exists) only.
  returned: success
  type: dict
  sample:
    stable:
      exists: true
      version: v1.70.17
      digest: "sha256:5d20c808ce198565ff70b3ed23a991dd49afac45dece63474b27ce6ed036adc6"
      suspended: false
      requirements: {k8s: "1.29"}
      disruptions: {"1.36": [ingressNginx]}
      canary: {stable: {enabled: true, waves: 6, interval: 30m}}
    lts: {exists: false}
versions:
  description: The versions in the repository C(release-channel), ascending.
  returned: success, unless RV(omitted) names it
  type: list
  elements: str
  sample: [v1.69.7, v1.70.17]
releases:
  description:
    - Metadata by version, of the versions that O(platform_versions) selects and of those that O(updates) lead over;
      empty without them.
    - C(version) is what the image itself says; it should be the version under which it is found.
    - What is not there is left out; RV(stray) has the versions.
  returned: success
  type: dict
  sample:
    v1.69.7:
      version: v1.69.7
      digest: "sha256:5d20c808ce198565ff70b3ed23a991dd49afac45dece63474b27ce6ed036adc6"
      requirements: {k8s: "1.28"}
      disruptions: {}
stray:
  description: Versions whose metadata was wanted and that have no image in C(release-channel), ascending.
  returned: success
  type: list
  elements: str
  sample: []
msg:
  description: The result in one sentence.
  returned: always
  type: str
  sample: 5 channels, 12 versions
omitted:
  description: Names of what was left out of a result that is too long for Ansible; normally empty.
  returned: success
  type: list
  elements: str
  sample: []
"""

from ansible_collections.dkp.airgap.plugins.module_utils._dkp.channels import check_channels
from ansible_collections.dkp.airgap.plugins.module_utils._dkp.constraint import parse_constraint
from ansible_collections.dkp.airgap.plugins.module_utils._dkp.counting import counted
from ansible_collections.dkp.airgap.plugins.module_utils._dkp.plan.updates import parse_updates
from ansible_collections.dkp.airgap.plugins.module_utils._mirror.catalogue import PlatformQuery, describe_platform
from ansible_collections.dkp.airgap.plugins.module_utils._module import (
    Result,
    Task,
    registry_arguments,
    report_arguments,
    run,
)

LONG_LISTS = ("versions",)
"""What is left out of a result that is too long, unless the long form was asked for."""


def work(task: Task) -> Result:
    """Read and describe the channels."""
    words, text, updates = task.texts("channels"), task.text("platform_versions"), task.params["updates"]
    query = PlatformQuery(
        channels=None if words is None else check_channels(words, where="channels"),
        constraint=parse_constraint(text, where="platform_versions") if text else None,
        updates=None if updates is None else parse_updates(updates, where="updates"),
        changelog=bool(task.params["changelog"]),
    )
    task.report_file()
    registry = task.registry()
    described = describe_platform(registry, task.memory, query)
    existing = [name for name, channel in described["channels"].items() if channel["exists"]]
    if not existing and not described["versions"]:
        task.warn(
            f"{registry.address} has no release channels; check that images_repo names the root of an edition, "
            "and that the credentials cover it"
        )
    message = f"{counted(len(existing), 'channel')}, {counted(len(described['versions']), 'version')}"
    asked_for_much = query.changelog or query.constraint is not None or updates is not None
    return Result({"changed": False, "msg": message, **described}, () if asked_for_much else LONG_LISTS)


def main() -> None:
    """Run the module."""
    run(
        work,
        {
            **registry_arguments(),
            **report_arguments(),
            "channels": {"type": "list", "elements": "str"},
            "platform_versions": {"type": "str"},
            "updates": {
                "type": "list",
                "elements": "dict",
                "options": {"from": {"type": "str"}, "to": {"type": "str", "required": True}},
            },
            "changelog": {"type": "bool", "default": False},
        },
    )


if __name__ == "__main__":
    main()
