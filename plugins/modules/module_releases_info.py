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
      - Without it, those of O(updates) are read; without both, every module of the registry. An empty list is none.
    type: list
    elements: str
  modules_path:
    description:
      - Where modules live below O(images_repo); V(/) means O(images_repo) itself.
    type: str
    default: modules
  channels:
    description:
      - The channels to read. One that a module does not have is reported as such, and is no failure.
      - Without it these are V(alpha), V(beta), V(early-access), V(stable), V(rock-solid) and V(lts); of a module in
        O(updates) only those that its updates lead to. An empty list is none.
      - Channels that O(updates) lead to are read in any case.
    type: list
    elements: str
  updates:
    description:
      - Also read the metadata of the releases that lead from a version to a channel or version, and no more than that.
        It is what a plan for clusters that use the modules in these versions has to know.
      - They are, for each minor from the one to the other, the highest patch above O(updates[].from), the last one
        capped at O(updates[].to), without the minors that the target's own C(module.yaml) allows to jump over. To the
        channel V(lts), and without O(updates[].from), it is the target alone.
      - Where a version of the module has no release image, the next lower one is read too, and C(stray) names it.
      - A module that the credentials do not cover is no failure here; RV(denied) names it.
    type: list
    elements: dict
    suboptions:
      module:
        description:
          - The name of the module.
        type: str
        required: true
      from:
        description:
          - The version that is deployed, such as V(v1.35.1). Without it only the target is read.
        type: str
      to:
        description:
          - The channel to follow, or the version to reach. To a channel that the module does not have leads nothing.
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

- name: Read what a plan has to know of the modules that clusters use
  dkp.airgap.module_releases_info:
    images_repo: registry.deckhouse.io/deckhouse/ee
    license_token: "{{ dkp_license_token }}"
    updates:
      - module: console
        from: v1.34.0
        to: stable
      - module: sdn
        to: alpha
"""

RETURN = r"""
images_repo:
  description: The registry that was read, as C(host[:port]/path).
  returned: success
  type: str
  sample: registry.deckhouse.io/deckhouse/ee
modules_path:
  description: Where the modules were looked for, as O(modules_path) takes it.
  returned: success
  type: str
  sample: modules
edition:
  description: The edition that O(images_repo) names, as clusters spell it; null when it names none.
  returned: success
  type: str
  sample: EE
modules:
  description:
    - One key for each module. One that is not there has the key C(exists) only.
    - C(versions) are those in the module's own repository, ascending. Of a module that only O(updates) name, they are
      those from the lowest to the highest end of its updates.
    - C(releases) has the metadata of those that the constraint selects and that the updates lead over, and is empty
      without them. C(version) in it is what the image itself says, null when it says nothing.
    - C(stray) are the versions whose metadata was wanted and that have no release image, ascending.
    - With several hundred modules, digests and C(versions) may be left out; then RV(omitted) names them. C(releases)
      and C(stray) still tell all steps of O(updates) then.
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
          version: v1.36.2
          digest: "sha256:5d20c808ce198565ff70b3ed23a991dd49afac45dece63474b27ce6ed036adc6"
          requirements: {deckhouse: ">= 1.67", kubernetes: ">= 1.29", modules: {prometheus: ">= 0.0.0"}}
          jumps: [{from: "1.34", to: "1.36"}]
      stray: []
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

from ansible_collections.dkp.airgap.plugins.module_utils._dkp.channels import check_channels
from ansible_collections.dkp.airgap.plugins.module_utils._dkp.constraint import parse_filter
from ansible_collections.dkp.airgap.plugins.module_utils._dkp.counting import counted
from ansible_collections.dkp.airgap.plugins.module_utils._dkp.plan.updates import parse_module_updates
from ansible_collections.dkp.airgap.plugins.module_utils._dkp.tree import normalise_modules_path
from ansible_collections.dkp.airgap.plugins.module_utils._mirror.module_catalogue import ModuleQuery, describe_modules
from ansible_collections.dkp.airgap.plugins.module_utils._module import (
    Result,
    Task,
    registry_arguments,
    report_arguments,
    run,
)

LONG_LISTS = ("modules.*.channels.*.digest", "modules.*.versions")
"""What is left out of a result that is too long, unless modules were asked for by name."""
LONG_LISTS_OF_UPDATES = ("modules.*.versions", "modules.*.releases.*.digest", "modules.*.channels.*.digest")
"""The same with `updates`: first what the steps, all of which are in `releases` and `stray`, tell as well."""


def work(task: Task) -> Result:
    """Read and describe the modules."""
    words, texts, updates = task.texts("channels"), task.texts("modules"), task.params["updates"]
    query = ModuleQuery(
        filters=None if texts is None else [parse_filter(text, where="modules") for text in texts],
        channels=None if words is None else check_channels(words, where="channels"),
        updates=None if updates is None else parse_module_updates(updates, where="updates"),
        modules_path=normalise_modules_path(task.params["modules_path"]),
        changelog=bool(task.params["changelog"]),
    )
    task.report_file()
    registry = task.registry()
    described = describe_modules(registry, task.memory, query)
    unknown = [name for name, module in described["modules"].items() if not module["exists"]]
    if texts is None and updates is None and not described["modules"]:
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
    return Result({"changed": False, "msg": message, **described}, _long_lists(query))


def _long_lists(query: ModuleQuery) -> tuple[str, ...]:
    if query.changelog or query.filters is not None:
        return ()
    return LONG_LISTS if query.updates is None else LONG_LISTS_OF_UPDATES


def main() -> None:
    """Run the module."""
    run(
        work,
        {
            **registry_arguments(),
            **report_arguments(),
            "modules": {"type": "list", "elements": "str"},
            "modules_path": {"type": "str", "default": "modules"},
            "channels": {"type": "list", "elements": "str"},
            "updates": {
                "type": "list",
                "elements": "dict",
                "options": {
                    "module": {"type": "str", "required": True},
                    "from": {"type": "str"},
                    "to": {"type": "str", "required": True},
                },
            },
            "changelog": {"type": "bool", "default": False},
        },
    )


if __name__ == "__main__":
    main()
