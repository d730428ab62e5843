#!/usr/bin/python

# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is in a bundle."""

from __future__ import annotations

DOCUMENTATION = r"""
module: oci_bundle_info
short_description: Show what is in a bundle of Deckhouse Kubernetes Platform, and whether it is undamaged
version_added: 0.1.0
description:
  - Reads a bundle that M(dkp.airgap.oci_bundle_pull) or the vendor's CLI has made, whole or in parts.
  - A bundle that is incomplete or damaged is no failure of the task; RV(ok) and RV(findings) tell.
extends_documentation_fragment:
  - dkp.airgap._report
  - dkp.airgap._proofs
  - dkp.airgap._attributes
  - dkp.airgap._attributes.info_module
options:
  src:
    description:
      - The bundle - a directory, a single archive (C(platform.tar)), or a part of one in parts
        (C(platform.tar.0000.chunk)).
    type: path
    required: true
  verify:
    description:
      - How well to look.
      - With V(none), the structure of the archives is read.
      - With V(size), they are compared with C(delivery.json) as well, where there is one, and everything that the
        manifests name has to be there.
      - With V(digest), everything is read and hashed as well. M(dkp.airgap.oci_bundle_push) on the same host then does
        not read it again.
    type: str
    choices: [none, size, digest]
    default: size
  list_images:
    description:
      - Whether to return the list of all images.
    type: bool
    default: false
author:
  - dkp.airgap contributors (!UNKNOWN)
seealso:
  - module: dkp.airgap.oci_bundle_pull
  - module: dkp.airgap.oci_bundle_push
"""

EXAMPLES = r"""
---
- name: Check a bundle that came on a medium
  dkp.airgap.oci_bundle_info:
    src: /media/stick/bundle
    verify: digest
  register: bundle

- name: Go on only with an undamaged one
  ansible.builtin.assert:
    that: bundle.ok
    fail_msg: "{{ bundle.findings | map(attribute='message') | join('; ') }}"

- name: Show the platform releases in it
  ansible.builtin.debug:
    var: bundle.content.platform.versions
"""

RETURN = r"""
ok:
  description: Whether the bundle is complete and undamaged, as far as O(verify) looks.
  returned: success
  type: bool
  sample: true
archives:
  description:
    - The archives, and the files of each. C(images) counts manifests, C(blobs) all other blobs.
    - C(sha256) of files is null in bundles without C(delivery.json).
  returned: success, unless RV(omitted) names it
  type: list
  elements: dict
  sample:
    - name: platform.tar
      bytes: 1418717952
      images: 240
      blobs: 1100
      parts:
        - name: platform.tar
          bytes: 1418717952
          sha256: 5d20c808ce198565ff70b3ed23a991dd49afac45dece63474b27ce6ed036adc6
images:
  description:
    - How many images can be asked for by name, so each tag counts. RV(archives) count manifests.
  returned: success
  type: int
  sample: 264
image_list:
  description:
    - One entry for each tag, with the bytes of manifest, configuration and layers; an index counts all its images.
  returned: when O(list_images=true)
  type: list
  elements: dict
  contains:
    repository:
      description: The repository below the root that it belongs to; empty for the root itself.
      returned: success
      type: str
      sample: release-channel
    tag:
      description: The tag.
      returned: success
      type: str
      sample: stable
    digest:
      description: The digest of its manifest.
      returned: success
      type: str
      sample: "sha256:5d20c808ce198565ff70b3ed23a991dd49afac45dece63474b27ce6ed036adc6"
    bytes:
      description: Its size.
      returned: success
      type: int
      sample: 10240
content:
  description: What the bundle carries. It is read from C(delivery.json), or from the archives where there is none.
  returned: success; its C(modules) unless RV(omitted) names them
  type: dict
  sample:
    platform: {versions: [v1.69.7, v1.70.17], channels: {stable: v1.70.17}, tags: []}
    modules: {console: {versions: [v1.36.2, v1.37.0], channels: {stable: v1.37.0}}}
    packages: {}
    plugins: {}
    security_db: {trivy-db: ["2"], trivy-java-db: ["1"], trivy-checks: ["0"], trivy-bdu: ["1"]}
    installer: [latest]
    pins: []
findings:
  description: What is wrong with the bundle.
  returned: success, unless RV(omitted) names it
  type: list
  elements: dict
  contains:
    id:
      description: What kind of finding it is, such as V(damaged) or V(unfinished).
      returned: success
      type: str
      sample: damaged
    severity:
      description: One of V(error), V(warning), V(unknown) and V(info).
      returned: success
      type: str
      sample: error
    subject:
      description: The archive.
      returned: success
      type: str
      sample: platform.tar
    message:
      description: What was found.
      returned: success
      type: str
      sample: "platform.tar: platform.tar.0002.chunk is missing"
    hint:
      description: What to do about it.
      returned: success
      type: str
      sample: Copy the bundle again, or pull it again where it came from
  sample: []
plan:
  description:
    - The plan that the bundle was made by; empty for one that was made by selectors, and for one of the vendor's CLI.
  returned: success, unless RV(omitted) names it
  type: dict
  sample: {}
msg:
  description: The result in one sentence.
  returned: always
  type: str
  sample: "/data/bundle: 264 images under 310 tags in 5 archives, undamaged"
omitted:
  description: Names of what was left out of a result that is too long for Ansible; normally empty.
  returned: success
  type: list
  elements: str
  sample: []
"""

from typing import Any

from ansible_collections.dkp.airgap.plugins.module_utils._dkp.counting import counted
from ansible_collections.dkp.airgap.plugins.module_utils._mirror.inspection import archives_as_dicts, inspect
from ansible_collections.dkp.airgap.plugins.module_utils._module import Result, Task, report_arguments, run
from ansible_collections.dkp.airgap.plugins.module_utils._oci.errors import InvalidInput

LONG_LISTS = ("archives", "findings", "content.modules", "plan")


def work(task: Task) -> Result:
    """Look into the bundle."""
    source = task.path("src")
    if source is None:
        raise InvalidInput("src: name the directory or an archive of a bundle")
    source = source.absolute()
    task.report_file()
    found = inspect(source, task.memory, task.stopping, verify=task.params["verify"])
    state = "undamaged" if found.ok else f"not usable ({counted(len(found.findings), 'finding')})"
    images = counted(sum(archive.images for archive in found.archives), "image")
    held = f"{images} under {counted(len(found.images), 'tag')} in {counted(len(found.archives), 'archive')}"
    values: dict[str, Any] = {
        "changed": False,
        "ok": found.ok,
        "msg": f"{source}: {held}, {state}",
        "archives": archives_as_dicts(found.archives),
        "images": len(found.images),
        "content": found.content,
        "plan": found.plan or {},
        "findings": [finding.as_dict() for finding in found.findings],
    }
    if task.params["list_images"]:
        values["image_list"] = [image.as_dict() for image in found.images]
        return Result(values)
    return Result(values, LONG_LISTS)


def main() -> None:
    """Run the module."""
    run(
        work,
        {
            **report_arguments(),
            "src": {"type": "path", "required": True},
            "verify": {"type": "str", "choices": ["none", "size", "digest"], "default": "size"},
            "list_images": {"type": "bool", "default": False},
        },
    )


if __name__ == "__main__":
    main()
