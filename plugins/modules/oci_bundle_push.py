#!/usr/bin/python

# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From a bundle into a registry."""

from __future__ import annotations

DOCUMENTATION = r"""
module: oci_bundle_push
short_description: Push a bundle of Deckhouse Kubernetes Platform into a registry
version_added: 0.1.0
description:
  - Brings the images of a bundle into a private registry, straight from its archives. It takes bundles of
    M(dkp.airgap.oci_bundle_pull) and of the vendor's CLI.
  - Before anything is uploaded, the bundle is proven to be complete and undamaged. Release channels and other pointers
    are written last, so that clusters never see a version that is not there in full.
  - A second run sends nothing. A run that was interrupted is finished by the next one.
  - It never deletes anything.
extends_documentation_fragment:
  - dkp.airgap.registry
  - dkp.airgap._report
  - dkp.airgap._proofs
  - dkp.airgap._push_lock
  - dkp.airgap._attributes
  - dkp.airgap._attributes.actiongroup_registry
attributes:
  check_mode:
    support: full
    details:
      - Reads the bundle and asks the registry what it has, and uploads nothing.
  diff_mode:
    support: full
    details:
      - Shows the tags that change, with their digests before and after.
  idempotent:
    support: full
  platform:
    support: full
options:
  src:
    description:
      - The bundle - directories, single archives (C(platform.tar)), or the first part of one in parts
        (C(platform.tar.0000.chunk)).
    type: list
    elements: path
    required: true
  modules_path:
    description:
      - Where modules live below O(images_repo); V(/) means O(images_repo) itself.
    type: str
    default: modules
  publish:
    description:
      - With V(all), everything is written.
      - With V(content), everything but pointers is written. Pointers are release channels, entries of catalogues that
        did not exist before, security databases, and the tag C(latest) of the installer.
      - With V(pointers), only those are written. It fails before the first one when anything that they need is not
        there.
    type: str
    choices: [all, content, pointers]
    default: all
  channels:
    description:
      - The release channels to publish, of those in the bundle. Without it, all of them.
    type: list
    elements: str
  allow_downgrade:
    description:
      - Let pointers go to lower versions and older databases than they point to now. Otherwise that is an error before
        the first upload.
    type: bool
    default: false
  repair:
    description:
      - Do not rely on a manifest in the registry, and ask for each of its blobs. For registries that have lost some.
    type: bool
    default: false
  verify:
    description:
      - With V(proof), archives that this host has written or read in full before, and that did not change since, are
        not read again before the push.
      - With V(always), everything is read and hashed.
    type: str
    choices: [proof, always]
    default: proof
author:
  - dkp.airgap contributors (!UNKNOWN)
seealso:
  - module: dkp.airgap.oci_bundle_pull
  - module: dkp.airgap.oci_bundle_info
"""

EXAMPLES = r"""
---
- name: Push a bundle
  dkp.airgap.oci_bundle_push:
    images_repo: registry.example.com/dkp/ee
    username: mirror
    password: "{{ dkp_registry_password }}"
    ca_path: /etc/ssl/example-ca.pem
    src: [/data/bundle]

- name: Push the images now
  dkp.airgap.oci_bundle_push:
    images_repo: registry.example.com/dkp/ee
    username: mirror
    password: "{{ dkp_registry_password }}"
    src: [/data/bundle]
    publish: content

- name: Let clusters see the new version of stable in the maintenance window
  dkp.airgap.oci_bundle_push:
    images_repo: registry.example.com/dkp/ee
    username: mirror
    password: "{{ dkp_registry_password }}"
    src: [/data/bundle]
    publish: pointers
    channels: [stable]
"""

RETURN = r"""
changed:
  description: Whether anything was written to the registry, or would be in check mode.
  returned: always
  type: bool
  sample: true
uploaded:
  description: What was sent, or would be in check mode.
  returned: success
  type: dict
  contains:
    blobs:
      description: How many blobs.
      returned: success
      type: int
      sample: 1220
    bytes:
      description: Their size.
      returned: success
      type: int
      sample: 1518717000
mounted:
  description: What the registry had in another repository and did not have to be sent.
  returned: success
  type: dict
  contains:
    blobs:
      description: How many blobs.
      returned: success
      type: int
      sample: 1220
    bytes:
      description: Their size.
      returned: success
      type: int
      sample: 1518717000
present:
  description: What was there already.
  returned: success
  type: dict
  contains:
    blobs:
      description: How many blobs.
      returned: success
      type: int
      sample: 1220
    bytes:
      description: Their size.
      returned: success
      type: int
      sample: 1518717000
tags:
  description: Versions, release channels and entries of catalogues, with what they point to.
  returned: success, unless RV(omitted) names it
  type: list
  elements: dict
  contains:
    repository:
      description: The repository below O(images_repo); empty for O(images_repo) itself.
      returned: success
      type: str
      sample: release-channel
    tag:
      description: The tag.
      returned: success
      type: str
      sample: stable
    before:
      description: The digest before; null where there was none.
      returned: success
      type: str
      sample: null
    after:
      description: The digest after. For a tag that this run does not write it is that before.
      returned: success
      type: str
      sample: "sha256:5d20c808ce198565ff70b3ed23a991dd49afac45dece63474b27ce6ed036adc6"
other_tags:
  description: How many of the tags of component images and attestations were written, and how many were there.
  returned: success
  type: dict
  contains:
    written:
      description: How many were written, or would be in check mode.
      returned: success
      type: int
      sample: 240
    present:
      description: How many were there already.
      returned: success
      type: int
      sample: 0
transferred:
  description: What was sent to the registry. In check mode only C(requests) counts.
  returned: success
  type: dict
  contains:
    bytes:
      description: Bytes of manifests and blobs.
      returned: success
      type: int
      sample: 1518717000
    blobs:
      description: Blobs.
      returned: success
      type: int
      sample: 1220
    requests:
      description: Requests that were made.
      returned: success
      type: int
      sample: 4720
findings:
  description: What one should know about the push.
  returned: success, unless RV(omitted) names it
  type: list
  elements: dict
  contains:
    id:
      description: What kind of finding it is.
      returned: success
      type: str
      sample: dangling
    severity:
      description: One of V(error), V(warning), V(unknown) and V(info).
      returned: success
      type: str
      sample: warning
    subject:
      description: What it is about.
      returned: success
      type: str
      sample: "release-channel:alpha"
    message:
      description: What was found.
      returned: success
      type: str
      sample: "alpha points to v1.72.3, which the registry will not have; it is not published"
    hint:
      description: What to do about it.
      returned: success
      type: str
      sample: Pull that version as well
  sample: []
msg:
  description: The result in one sentence.
  returned: always
  type: str
  sample: "registry.example.com/dkp/ee received 1220 blobs (1518717000 bytes); 14 tags changed"
omitted:
  description: Names of what was left out of a result that is too long for Ansible; normally empty.
  returned: success
  type: list
  elements: str
  sample: []
"""

from pathlib import Path
from typing import Any

from ansible_collections.dkp.airgap.plugins.module_utils._dkp.channels import check_channels
from ansible_collections.dkp.airgap.plugins.module_utils._dkp.counting import counted
from ansible_collections.dkp.airgap.plugins.module_utils._dkp.tree import normalise_modules_path
from ansible_collections.dkp.airgap.plugins.module_utils._mirror.outcome import digests_of
from ansible_collections.dkp.airgap.plugins.module_utils._mirror.push import PushRequest, PushResult, push
from ansible_collections.dkp.airgap.plugins.module_utils._module import (
    Result,
    Task,
    lock_arguments,
    registry_arguments,
    report_arguments,
    run,
)
from ansible_collections.dkp.airgap.plugins.module_utils._oci.errors import InvalidInput

LONG_LISTS = ("diff", "tags", "findings")


def work(task: Task) -> Result:
    """Push what the sources hold."""
    request = _request(task)
    task.report_file()
    registry = task.registry()
    result = push(request, registry, task.memory, task.stopping)
    counters = registry.counters
    values: dict[str, Any] = {
        "changed": result.changed,
        "msg": _message(str(registry.address), result, task.check_mode),
        "uploaded": result.uploaded.as_dict(),
        "mounted": result.mounted.as_dict(),
        "present": result.present.as_dict(),
        "tags": [change.as_dict() for change in result.tags],
        "other_tags": {"written": result.other_tags_written, "present": result.other_tags_present},
        "transferred": {"bytes": counters.bytes_sent, "blobs": counters.blobs_sent, "requests": counters.requests},
        "findings": [finding.as_dict() for finding in result.findings],
    }
    if task.wants_diff:
        values["diff"] = digests_of(result.tags)
    return Result(values, LONG_LISTS)


def _request(task: Task) -> PushRequest:
    sources = task.texts("src")
    if not sources:
        raise InvalidInput("src: name a directory or an archive of a bundle")
    for source in sources:
        if not Path(source).exists():
            raise InvalidInput(f"src: {source} does not exist")
    words = task.texts("channels")
    return PushRequest(
        sources=tuple(Path(source).absolute() for source in sources),
        modules_path=normalise_modules_path(task.params["modules_path"]),
        publish=task.params["publish"],
        channels=None if words is None else check_channels(words, where="channels"),
        allow_downgrade=task.params["allow_downgrade"],
        repair=task.params["repair"],
        verify_always=task.params["verify"] == "always",
        check_mode=task.check_mode,
        lock_wait=task.seconds("lock_wait"),
    )


def _message(address: str, result: PushResult, check_mode: bool) -> str:
    if not result.changed:
        return f"{address} has everything already"
    changed = sum(1 for change in result.tags if change.before != change.after)
    verb = "would receive" if check_mode else "received"
    sent = f"{counted(result.uploaded.blobs, 'blob')} ({counted(result.uploaded.bytes, 'byte')})"
    return f"{address} {verb} {sent}; {counted(changed, 'tag')} changed"


def main() -> None:
    """Run the module."""
    run(
        work,
        {
            **registry_arguments(),
            **report_arguments(),
            **lock_arguments(),
            "src": {"type": "list", "elements": "path", "required": True},
            "modules_path": {"type": "str", "default": "modules"},
            "publish": {"type": "str", "choices": ["all", "content", "pointers"], "default": "all"},
            "channels": {"type": "list", "elements": "str"},
            "allow_downgrade": {"type": "bool", "default": False},
            "repair": {"type": "bool", "default": False},
            "verify": {"type": "str", "choices": ["proof", "always"], "default": "proof"},
        },
    )


if __name__ == "__main__":
    main()
