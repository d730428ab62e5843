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
    type: list
    elements: str
    default: [alpha, beta, early-access, stable, rock-solid, lts]
  platform_versions:
    description:
      - Also read the metadata of the versions that this constraint selects, such as V(>=1.68.0 <1.71.0), V(~1.70.0)
        or V(=v1.70.3). They are those that M(dkp.airgap.oci_bundle_pull) takes with the same constraint.
    type: str
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
"""

RETURN = r"""
edition:
  description: The edition that O(images_repo) names, as clusters spell it; null when it names none.
  returned: success
  type: str
  sample: EE
channels:
  description: One key for each channel asked for. One that is not there has the key C(exists) only.
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
    - Metadata by version, of the versions that O(platform_versions) selects; empty without it.
    - What the constraint pins and the registry does not have is left out.
  returned: success
  type: dict
  sample:
    v1.69.7:
      digest: "sha256:5d20c808ce198565ff70b3ed23a991dd49afac45dece63474b27ce6ed036adc6"
      requirements: {k8s: "1.28"}
      disruptions: {}
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

from ansible_collections.dkp.airgap.plugins.module_utils._dkp.channels import KNOWN_CHANNELS, check_channels
from ansible_collections.dkp.airgap.plugins.module_utils._dkp.constraint import parse_constraint
from ansible_collections.dkp.airgap.plugins.module_utils._mirror.catalogue import describe_platform
from ansible_collections.dkp.airgap.plugins.module_utils._module import (
    Result,
    Task,
    counted,
    registry_arguments,
    report_arguments,
    run,
)

LONG_LISTS = ("versions",)
"""What is left out of a result that is too long, unless the long form was asked for."""


def work(task: Task) -> Result:
    """Read and describe the channels."""
    words = task.texts("channels")
    channels = KNOWN_CHANNELS if words is None else check_channels(words, where="channels")
    text = task.text("platform_versions")
    constraint = parse_constraint(text, where="platform_versions") if text else None
    task.report_file()
    registry = task.registry()
    changelog = bool(task.params["changelog"])
    described = describe_platform(registry, task.memory, channels=channels, constraint=constraint, changelog=changelog)
    existing = [name for name in channels if described["channels"][name]["exists"]]
    if not existing and not described["versions"]:
        task.warn(
            f"{registry.address} has no release channels; check that images_repo names the root of an edition, "
            "and that the credentials cover it"
        )
    message = f"{counted(len(existing), 'channel')}, {counted(len(described['versions']), 'version')}"
    asked_for_much = changelog or constraint is not None
    return Result({"changed": False, "msg": message, **described}, () if asked_for_much else LONG_LISTS)


def main() -> None:
    """Run the module."""
    run(
        work,
        {
            **registry_arguments(),
            **report_arguments(),
            "channels": {"type": "list", "elements": "str", "default": list(KNOWN_CHANNELS)},
            "platform_versions": {"type": "str"},
            "changelog": {"type": "bool", "default": False},
        },
    )


if __name__ == "__main__":
    main()
