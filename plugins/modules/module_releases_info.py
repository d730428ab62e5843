#!/usr/bin/python

# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a registry offers of modules."""

from __future__ import annotations

DOCUMENTATION = r"""
module: module_releases_info
short_description: Read the releases of modules of Deckhouse Kubernetes Platform from a registry
version_added: 0.1.0
description:
  - Tells which modules a registry has, which version each of their release channels points to, and what their
    versions require.
  - Works with the vendor's registry and with a private one.
extends_documentation_fragment:
  - dkp.airgap.registry
  - dkp.airgap._report
  - dkp.airgap._attributes
  - dkp.airgap._attributes.info_module
  - dkp.airgap._attributes.actiongroup_registry
options:
  modules:
    description:
      - The modules to read, each as C(name) or C(name@constraint), such as V(console) or V(console@>=1.34.0 <1.37.0).
      - With a constraint, the metadata of the versions that it selects is read as well.
      - A module that the registry does not have is reported as such, and is no failure.
      - Without it, every module of the registry is read. An empty list is none.
    type: list
    elements: str
  modules_path:
    description:
      - Where modules live below O(images_repo); V(/) means O(images_repo) itself.
    type: str
    default: modules
  channels:
    description:
      - The channels to read.
    type: list
    elements: str
    default: [alpha, beta, early-access, stable, rock-solid, lts]
  changelog:
    description:
      - Whether to return the changelogs as well. They are long.
    type: bool
    default: false
author:
  - dkp.airgap contributors (!UNKNOWN)
seealso:
  - module: dkp.airgap.release_channel_info
  - module: dkp.airgap.oci_bundle_pull
"""

EXAMPLES = r"""
---
- name: Read the channels of every module
  dkp.airgap.module_releases_info:
    images_repo: registry.deckhouse.io/deckhouse/ee
    license_token: "{{ dkp_license_token }}"
  register: offered

- name: Read what the versions of one module require
  dkp.airgap.module_releases_info:
    images_repo: registry.deckhouse.io/deckhouse/ee
    license_token: "{{ dkp_license_token }}"
    modules:
      - "console@>=1.34.0 <1.37.0"
      - sdn
    channels: [stable]
"""

RETURN = r"""
edition:
  description: The edition that O(images_repo) names, as clusters spell it; null when it names none.
  returned: success
  type: str
  sample: EE
modules:
  description:
    - One key for each module. One that is not there has the key C(exists) only.
    - C(versions) are those in the module's own repository, ascending. C(releases) has the metadata of those that the
      constraint selects, and is empty without one.
    - With several hundred modules, C(digest) of the channels and C(versions) may be left out; then RV(omitted) names
      them.
  returned: success
  type: dict
  sample:
    console:
      exists: true
      channels:
        stable:
          exists: true
          version: v1.37.0
          digest: "sha256:5d20c808ce198565ff70b3ed23a991dd49afac45dece63474b27ce6ed036adc6"
        lts: {exists: false}
      versions: [v1.34.0, v1.35.4, v1.36.2, v1.37.0]
      releases:
        v1.36.2:
          digest: "sha256:5d20c808ce198565ff70b3ed23a991dd49afac45dece63474b27ce6ed036adc6"
          requirements: {deckhouse: ">= 1.67", kubernetes: ">= 1.29", modules: {prometheus: ">= 0.0.0"}}
          jumps: [{from: "1.34", to: "1.36"}]
    typo: {exists: false}
denied:
  description:
    - Modules of the catalogue that the credentials do not cover; RV(modules) shows them as absent. When one of
      O(modules) is not covered, that is a failure instead.
  returned: success
  type: list
  elements: str
  sample: []
msg:
  description: The result in one sentence.
  returned: always
  type: str
  sample: 3 modules
omitted:
  description: Names of what was left out of a result that is too long for Ansible; normally empty.
  returned: success
  type: list
  elements: str
  sample: []
"""

from ansible_collections.dkp.airgap.plugins.module_utils._dkp.channels import KNOWN_CHANNELS, check_channels
from ansible_collections.dkp.airgap.plugins.module_utils._dkp.constraint import parse_filter
from ansible_collections.dkp.airgap.plugins.module_utils._dkp.tree import normalise_modules_path
from ansible_collections.dkp.airgap.plugins.module_utils._mirror.catalogue import ModuleQuery, describe_modules
from ansible_collections.dkp.airgap.plugins.module_utils._module import (
    Result,
    Task,
    counted,
    registry_arguments,
    report_arguments,
    run,
)

LONG_LISTS = ("modules.*.channels.*.digest", "modules.*.versions")
"""What is left out of a result that is too long, unless modules were asked for by name."""


def work(task: Task) -> Result:
    """Read and describe the modules."""
    words = task.texts("channels")
    texts = task.texts("modules")
    query = ModuleQuery(
        filters=None if texts is None else [parse_filter(text, where="modules") for text in texts],
        channels=KNOWN_CHANNELS if words is None else check_channels(words, where="channels"),
        modules_path=normalise_modules_path(task.params["modules_path"]),
        changelog=bool(task.params["changelog"]),
    )
    task.report_file()
    registry = task.registry()
    described = describe_modules(registry, task.memory, query)
    unknown = [name for name, module in described["modules"].items() if not module["exists"]]
    if texts is None and not described["modules"]:
        task.warn(
            f"{registry.address} has no modules at {task.params['modules_path']!r}; check images_repo and "
            "modules_path, and that the credentials cover them"
        )
    if described["denied"]:
        task.warn(
            f"The credentials do not cover {', '.join(described['denied'])}; these modules are shown as absent. The "
            "vendor's registry answers so for missing things too"
        )
    message = counted(len(described["modules"]) - len(unknown), "module")
    if unknown:
        message += f"; the registry does not have {', '.join(unknown)}"
    asked_for_much = query.changelog or texts is not None
    return Result({"changed": False, "msg": message, **described}, () if asked_for_much else LONG_LISTS)


def main() -> None:
    """Run the module."""
    run(
        work,
        {
            **registry_arguments(),
            **report_arguments(),
            "modules": {"type": "list", "elements": "str"},
            "modules_path": {"type": "str", "default": "modules"},
            "channels": {"type": "list", "elements": "str", "default": list(KNOWN_CHANNELS)},
            "changelog": {"type": "bool", "default": False},
        },
    )


if __name__ == "__main__":
    main()
