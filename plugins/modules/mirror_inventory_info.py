#!/usr/bin/python

# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a private registry holds."""

from __future__ import annotations

DOCUMENTATION = r"""
module: mirror_inventory_info
short_description: Tell what a private registry holds of Deckhouse Kubernetes Platform, for the next plan
version_added: 0.1.0
description:
  - Reads which releases of the platform and of modules a private registry lists, what its release channels point to,
    and what each release lacks of the images that it consists of.
  - The result is a document that M(dkp.airgap.update_plan) takes as O(dkp.airgap.update_plan#module:inventory), so that
    a plan starts from what is there.
  - Images that a release consists of are read out of images in the registry, and remembered by the host.
extends_documentation_fragment:
  - dkp.airgap.registry
  - dkp.airgap._report
  - dkp.airgap._attributes
  - dkp.airgap._attributes.info_module
  - dkp.airgap._attributes.actiongroup_registry
options:
  dest:
    description:
      - The file, on the host that the module runs on, that the inventory is written to as JSON. Its directory has to be
        there.
      - Writing it is no change, and it is not written in check mode. Without this option nothing is written.
    type: path
  mode:
    description:
      - Permissions of that file, in octal and in quotes.
    type: raw
    default: "0600"
  modules_path:
    description:
      - Where modules live below O(images_repo); V(/) means O(images_repo) itself.
    type: str
    default: modules
  depth:
    description:
      - With V(manifests), an image that a repository lists counts as there, and is asked for where it is not listed.
      - With V(blobs), every image is asked for, and everything that its manifest names.
    type: str
    choices: [manifests, blobs]
    default: manifests
author:
  - dkp.airgap contributors (!UNKNOWN)
seealso:
  - module: dkp.airgap.mirror_check_info
  - module: dkp.airgap.update_plan
"""

EXAMPLES = r"""
---
- name: Write down what landed, for the way back
  dkp.airgap.mirror_inventory_info:
    images_repo: registry.example.com/dkp/ee
    username: mirror
    password: "{{ dkp_registry_password }}"
    dest: /data/inventory.json
  register: landed

- name: Show the platform releases that are there in full
  ansible.builtin.debug:
    msg: "{{ landed.inventory.platform.versions | difference(landed.inventory.platform.incomplete) }}"
"""

RETURN = r"""
ok:
  description: Whether everything could be looked at, and no release channel points at a release that is incomplete.
  returned: success
  type: bool
  sample: true
inventory:
  description: The document.
  returned: success, unless RV(omitted) names it
  type: dict
  contains:
    kind:
      description: Always V(MirrorInventory).
      returned: success
      type: str
      sample: MirrorInventory
    version:
      description: The version of its format.
      returned: success
      type: int
      sample: 1
    images_repo:
      description: The registry.
      returned: success
      type: str
      sample: registry.example.com/dkp/ee
    platform:
      description:
        - C(versions) that Deckhouse lists, C(channels) with the version that each points to, and C(incomplete) - what a
          version lacks, names of images or digests. A version that is not in C(incomplete) lacks nothing.
      returned: success
      type: dict
      sample:
        versions: [v1.68.13, v1.69.7]
        incomplete:
          v1.68.13: ["sha256:5d20c808ce198565ff70b3ed23a991dd49afac45dece63474b27ce6ed036adc6"]
        channels: {stable: v1.69.7}
    modules:
      description: The same by name, of every module of the catalogue.
      returned: success
      type: dict
      sample:
        console:
          versions: [v1.36.2]
          incomplete: {}
          channels: {stable: v1.36.2}
    security_db:
      description: Digests of the vulnerability databases that are there.
      returned: success
      type: dict
      sample:
        trivy-db: "sha256:5d20c808ce198565ff70b3ed23a991dd49afac45dece63474b27ce6ed036adc6"
dest:
  description: The file that the inventory was written to, or would be; null without O(dest).
  returned: success
  type: str
  sample: /data/inventory.json
findings:
  description: What one should know about the registry, errors first.
  returned: success, unless RV(omitted) names it
  type: list
  elements: dict
  contains:
    id:
      description: What kind of finding it is; V(R2), V(R3) and V(R4) are those of M(dkp.airgap.mirror_check_info).
      returned: success
      type: str
      sample: incomplete
    severity:
      description: One of V(error), V(warning), V(unknown) and V(info).
      returned: success
      type: str
      sample: info
    subject:
      description: What it is about.
      returned: success
      type: str
      sample: platform
    message:
      description: What was found.
      returned: success
      type: str
      sample: "1 version of platform lacks images: v1.68.13"
    hint:
      description: What to do about it.
      returned: success
      type: str
      sample: Nothing to do if no cluster needs them; a plan takes note
msg:
  description: The result in one sentence.
  returned: always
  type: str
  sample: registry.example.com/dkp/ee holds 2 releases of the platform and 1 module
omitted:
  description: Names of what was left out of a result that is too long for Ansible; normally empty.
  returned: success
  type: list
  elements: str
  sample: []
"""

import json
from pathlib import Path

from ansible_collections.dkp.airgap.plugins.module_utils._bundle.whole_files import replace_file
from ansible_collections.dkp.airgap.plugins.module_utils._dkp.counting import counted
from ansible_collections.dkp.airgap.plugins.module_utils._dkp.fields import plain
from ansible_collections.dkp.airgap.plugins.module_utils._dkp.file_mode import parse_mode
from ansible_collections.dkp.airgap.plugins.module_utils._dkp.tree import normalise_modules_path
from ansible_collections.dkp.airgap.plugins.module_utils._mirror.inventory import take_inventory
from ansible_collections.dkp.airgap.plugins.module_utils._module import (
    Result,
    Task,
    registry_arguments,
    report_arguments,
    run,
)
from ansible_collections.dkp.airgap.plugins.module_utils._oci.errors import InvalidInput

LONG_LISTS = ("inventory", "findings[200:]", "findings[50:]", "findings")


def work(task: Task) -> Result:
    """Look at the registry, and write down what it holds."""
    mode, dest = parse_mode(task.params["mode"]), _dest(task)
    modules_path = normalise_modules_path(task.params["modules_path"])
    task.report_file()
    registry = task.registry()
    blobs = task.params["depth"] == "blobs"
    taken = take_inventory(registry, task.memory, modules_path=modules_path, scheme=task.params["scheme"], blobs=blobs)
    document = plain(taken.inventory)
    if dest is not None and not task.check_mode:
        replace_file(dest, (json.dumps(document, indent=2) + "\n").encode(), mode)
    platform = counted(len(taken.inventory.platform.versions), "release")
    return Result(
        {
            "changed": False,
            "msg": f"{registry.address} holds {platform} of the platform and "
            f"{counted(len(taken.inventory.modules), 'module')}",
            "ok": not any(finding.severity == "error" for finding in taken.findings),
            "findings": [finding.as_dict() for finding in taken.findings],
            "inventory": document,
            "dest": str(dest) if dest is not None else None,
        },
        LONG_LISTS,
    )


def _dest(task: Task) -> Path | None:
    path = task.path("dest")
    if path is None:
        return None
    if path.is_dir():
        raise InvalidInput(f"dest: {path} is a directory; name a file")
    if not path.absolute().parent.is_dir():
        raise InvalidInput(f"dest: the directory {path.parent} does not exist; make it, or name another file")
    return path


def main() -> None:
    """Run the module."""
    run(
        work,
        {
            **registry_arguments(),
            **report_arguments(),
            "dest": {"type": "path"},
            "mode": {"type": "raw", "default": "0600"},
            "modules_path": {"type": "str", "default": "modules"},
            "depth": {"type": "str", "choices": ["manifests", "blobs"], "default": "manifests"},
        },
    )


if __name__ == "__main__":
    main()
