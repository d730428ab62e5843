#!/usr/bin/python

# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The way back from a publication."""

from __future__ import annotations

DOCUMENTATION = r"""
module: mirror_pointers
short_description: Keep what the release channels of a private registry point to, and put them back
version_added: 0.1.0
description:
  - With O(state=saved), it writes to a file what all pointers that a bundle is about to move point to now - release
    channels of the platform and of modules, names in catalogues, security databases, and the newest installer.
  - With O(state=restored), it lets them point there again. What clusters were shown last goes back first.
  - It never deletes anything. A pointer that did not exist before stays, and a finding says so.
extends_documentation_fragment:
  - dkp.airgap.registry
  - dkp.airgap._report
  - dkp.airgap._push_lock
  - dkp.airgap._attributes
  - dkp.airgap._attributes.actiongroup_registry
attributes:
  check_mode:
    support: full
    details:
      - Asks the registry, and writes neither the file nor a pointer.
  diff_mode:
    support: full
    details:
      - Shows the pointers that go back, with their digests before and after.
  idempotent:
    support: full
    details:
      - Writing the file is no change; it records an observation.
  platform:
    support: full
options:
  state:
    description:
      - With V(saved), the file is written. When the bundle is published already, a file that is there keeps what it
        had, or the way back would be lost; RV(kept) tells.
      - With V(restored), the pointers in the file are put back. It fails before the first one when the registry has
        lost a version that one of them is to point to.
    type: str
    choices: [saved, restored]
    required: true
  path:
    description:
      - The file, on the host that the module runs on. Its directory has to exist. Each registry needs its own.
    type: path
    required: true
  src:
    description:
      - The bundle that is about to be published, as for M(dkp.airgap.oci_bundle_push). Required with O(state=saved).
    type: list
    elements: path
  modules_path:
    description:
      - Where modules live below O(images_repo); V(/) means O(images_repo) itself.
    type: str
    default: modules
  mode:
    description:
      - Permissions of the file, in octal and in quotes.
    type: raw
    default: "0600"
author:
  - dkp.airgap contributors (!UNKNOWN)
seealso:
  - module: dkp.airgap.oci_bundle_push
"""

EXAMPLES = r"""
---
- name: Keep the way back
  dkp.airgap.mirror_pointers:
    images_repo: registry.example.com/dkp/ee
    username: mirror
    password: "{{ dkp_registry_password }}"
    src: [/data/bundle]
    path: /data/pointers.json
    state: saved

- name: Let clusters see the versions of before
  dkp.airgap.mirror_pointers:
    images_repo: registry.example.com/dkp/ee
    username: mirror
    password: "{{ dkp_registry_password }}"
    path: /data/pointers.json
    state: restored
"""

RETURN = r"""
changed:
  description: Whether a pointer was put back, or would be in check mode.
  returned: always
  type: bool
  sample: false
pointers:
  description: What is in the file, but for the manifests.
  returned: success, unless RV(omitted) names it
  type: list
  elements: dict
  contains:
    repository:
      description: The repository below O(images_repo).
      returned: success
      type: str
      sample: release-channel
    tag:
      description: The tag.
      returned: success
      type: str
      sample: stable
    digest:
      description: The digest that it had; null where there was none.
      returned: success
      type: str
      sample: "sha256:5d20c808ce198565ff70b3ed23a991dd49afac45dece63474b27ce6ed036adc6"
    version:
      description: The version that it pointed to; null for what has none.
      returned: success
      type: str
      sample: v1.69.7
kept:
  description: Whether the file holds what an earlier run has seen, since the bundle is published already.
  returned: success
  type: bool
  sample: false
tags:
  description: With O(state=restored), the pointers in the file and what they point to.
  returned: success, unless RV(omitted) names it
  type: list
  elements: dict
  contains:
    repository:
      description: The repository below O(images_repo).
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
      sample: "sha256:0c1e3ea8ea2a6dcdd02f2b1bbf3b4a2b3a1ae4a1e2a1a7e2a4b1c0dd3b7a4f10"
    after:
      description: The digest after.
      returned: success
      type: str
      sample: "sha256:5d20c808ce198565ff70b3ed23a991dd49afac45dece63474b27ce6ed036adc6"
findings:
  description:
    - What one should know. C(kept) is a pointer that did not exist before, and stays.
    - C(newer) is a database that has moved on since, and stays, too.
    - C(unlocked) tells that the host has no place for the lock.
  returned: success, unless RV(omitted) names it
  type: list
  elements: dict
  contains:
    id:
      description: What kind of finding it is.
      returned: success
      type: str
      sample: kept
    severity:
      description: One of V(error), V(warning), V(unknown) and V(info).
      returned: success
      type: str
      sample: warning
    subject:
      description: What it is about.
      returned: success
      type: str
      sample: "modules/console/release:alpha"
    message:
      description: What was found.
      returned: success
      type: str
      sample: modules/console/release:alpha did not exist when the pointers were saved; it stays as it is
    hint:
      description: What to do about it.
      returned: success
      type: str
      sample: What it points at is complete
  sample: []
msg:
  description: The result in one sentence.
  returned: always
  type: str
  sample: "12 pointers of registry.example.com/dkp/ee are kept in /data/pointers.json"
omitted:
  description: Names of what was left out of a result that is too long for Ansible; normally empty.
  returned: success
  type: list
  elements: str
  sample: []
"""

from pathlib import Path

from ansible_collections.dkp.airgap.plugins.module_utils._dkp.counting import counted
from ansible_collections.dkp.airgap.plugins.module_utils._dkp.file_mode import parse_mode
from ansible_collections.dkp.airgap.plugins.module_utils._dkp.tree import normalise_modules_path
from ansible_collections.dkp.airgap.plugins.module_utils._mirror.outcome import digests_of
from ansible_collections.dkp.airgap.plugins.module_utils._mirror.push_lock import push_lock
from ansible_collections.dkp.airgap.plugins.module_utils._mirror.restoring import restore_pointers
from ansible_collections.dkp.airgap.plugins.module_utils._mirror.saving import SaveRequest, read_saved, save_pointers
from ansible_collections.dkp.airgap.plugins.module_utils._module import (
    Result,
    Task,
    lock_arguments,
    registry_arguments,
    report_arguments,
    run,
)
from ansible_collections.dkp.airgap.plugins.module_utils._oci.errors import InvalidInput

LONG_LISTS = ("diff", "pointers", "tags", "findings")


def work(task: Task) -> Result:
    """Save or restore."""
    path = _path(task)
    parse_mode(task.params["mode"])
    task.seconds("lock_wait")
    task.report_file()
    return _save(task, path) if task.params["state"] == "saved" else _restore(task, path)


def _path(task: Task) -> Path:
    path = task.path("path")
    if path is None:
        raise InvalidInput("path: name the file for the pointers")
    if path.is_dir():
        raise InvalidInput(f"path: {path} is a directory; name a file in it")
    if not path.parent.is_dir():
        raise InvalidInput(f"path: the directory {path.parent} does not exist; make it first")
    return path.absolute()


def _save(task: Task, path: Path) -> Result:
    sources = task.texts("src")
    if not sources:
        raise InvalidInput("src: state: saved needs the bundle whose pointers are about to be written")
    request = SaveRequest(
        sources=tuple(Path(source).absolute() for source in sources),
        modules_path=normalise_modules_path(task.params["modules_path"]),
        path=path,
        mode=parse_mode(task.params["mode"]),
        check_mode=task.check_mode,
    )
    registry = task.registry()
    saved = save_pointers(request, registry, task.memory)
    address, count = registry.address, counted(len(saved.pointers), "pointer")
    message = f"{count} of {address} {'would be' if task.check_mode else 'are'} kept in {path}"
    if saved.kept:
        message = f"{path} keeps what {count} of {address} said before: the bundle, or part of it, is published already"
    return Result(
        {
            "changed": False,
            "msg": message,
            "pointers": [pointer.as_dict() for pointer in saved.pointers],
            "kept": saved.kept,
            "tags": [],
            "findings": [],
        },
        LONG_LISTS,
    )


def _restore(task: Task, path: Path) -> Result:
    modules_path = normalise_modules_path(task.params["modules_path"])
    registry = task.registry()
    saved = read_saved(path, str(registry.address), modules_path)
    if saved is None:
        raise InvalidInput(f"path: {path} does not exist, so there is nothing that could be put back")
    with push_lock(
        task.memory, registry.address, task.stopping, wait=task.seconds("lock_wait"), dry=task.check_mode
    ) as findings:
        restored = restore_pointers(
            saved, registry, task.stopping, modules_path=modules_path, check_mode=task.check_mode
        )
    moved = sum(1 for change in restored.tags if change.before != change.after)
    verb = "would go back" if task.check_mode else "went back"
    values = {
        "changed": restored.changed,
        "msg": f"{counted(moved, 'pointer')} of {registry.address} {verb} to what {path} says",
        "pointers": [pointer.as_dict() for pointer in saved.pointers],
        "kept": False,
        "tags": [change.as_dict() for change in restored.tags],
        "findings": [finding.as_dict() for finding in (*findings, *restored.findings)],
    }
    if task.wants_diff:
        values["diff"] = digests_of(restored.tags)
    return Result(values, LONG_LISTS)


def main() -> None:
    """Run the module."""
    run(
        work,
        {
            **registry_arguments(),
            **report_arguments(),
            **lock_arguments(),
            "state": {"type": "str", "choices": ["saved", "restored"], "required": True},
            "path": {"type": "path", "required": True},
            "src": {"type": "list", "elements": "path"},
            "modules_path": {"type": "str", "default": "modules"},
            "mode": {"type": "raw", "default": "0600"},
        },
    )


if __name__ == "__main__":
    main()
