#!/usr/bin/python

# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A bundle from one directory to another, also on media that are too small for it."""

from __future__ import annotations

DOCUMENTATION = r"""
module: oci_bundle_copy
short_description: Copy a bundle between two directories of a host, also by media that hold less than all of it
version_added: 0.1.0
description:
  - Copies what is missing or damaged in O(dest), part by part, and proves every part by the hash in the
    C(delivery.json) of O(src). A copy that was interrupted goes on in the middle of the part.
  - The bundle that O(dest) holds stays whole until all of the new one is proven. C(delivery.json) comes last of all.
    Files of the old bundle that the new one does not have are removed then. No other file is ever removed.
  - With O(volumes=true), O(dest) is a medium. It is filled with as many whole parts as fit, and is a bundle only when
    all of them do. Such a medium is a O(src) on the far side, where O(acknowledge=true) notes on it what has arrived;
    the next run with O(volumes=true) replaces just that by what is to come still. Several media can be under way.
extends_documentation_fragment:
  - dkp.airgap._report
  - dkp.airgap._proofs
  - dkp.airgap._attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
  idempotent:
    support: full
  platform:
    support: full
options:
  src:
    description:
      - Directory of a bundle with its C(delivery.json), or a medium that O(volumes=true) has filled.
    type: path
    required: true
  dest:
    description:
      - Directory to copy to. It is made when it is not there.
    type: path
    required: true
  volumes:
    description:
      - Whether O(dest) is a medium that may hold less than all. What it carried before of other bundles of ours, or of
        this one and has arrived, is removed to make room.
    type: bool
    default: false
  reserve:
    description:
      - Bytes to leave free at O(dest).
    type: int
    default: 0
  acknowledge:
    description:
      - Whether to note on O(src), a medium, what has arrived at O(dest).
    type: bool
    default: false
  owner:
    description:
      - Owner of the files at O(dest), a name or a number. By default whoever runs this.
    type: str
  group:
    description:
      - Group of the files at O(dest), a name or a number.
    type: str
  mode:
    description:
      - Permissions of the files at O(dest), such as V('0640').
    type: str
author:
  - dkp.airgap contributors (!UNKNOWN)
seealso:
  - module: dkp.airgap.oci_bundle_parts
  - module: dkp.airgap.oci_bundle_pull
"""

EXAMPLES = r"""
---
- name: Fill a medium outside
  dkp.airgap.oci_bundle_copy:
    src: /data/bundle
    dest: /media/stick/dkp
    volumes: true
  register: volume

- name: Tell whether another turn is needed
  ansible.builtin.debug:
    msg: "{{ volume.remaining.parts | length }} parts wait for the next medium"

- name: Take over inside what the medium brought
  dkp.airgap.oci_bundle_copy:
    src: /media/stick/dkp
    dest: /srv/bundle
    acknowledge: true
    mode: "0640"
"""

RETURN = r"""
complete:
  description:
    - Whether O(dest) holds all of the bundle. For a medium, whether it holds all that the far side has not
      acknowledged and that no other medium carries.
  returned: success
  type: bool
  sample: true
copied:
  description: What was copied, C(bytes) and C(parts). In check mode what would be.
  returned: success
  type: dict
  sample: {bytes: 4000000000, parts: 1}
present:
  description: What was there before, proven.
  returned: success
  type: dict
  sample: {bytes: 8000000000, parts: 2}
remaining:
  description: What is to come still, C(bytes) and the names of C(parts).
  returned: success
  type: dict
  sample: {bytes: 1200, parts: [security.tar]}
bundle:
  description: The whole bundle, C(bytes) and C(parts).
  returned: success
  type: dict
  sample: {bytes: 12000001200, parts: 4}
findings:
  description: Parts that are missing or damaged at O(src), and what could not be noted there.
  returned: success
  type: list
  elements: dict
  contains:
    id:
      description: One of V(damaged), V(missing) and V(not_acknowledged).
      returned: success
      type: str
      sample: damaged
    severity:
      description: V(warning) where the next turn of a medium mends it, else V(error).
      returned: success
      type: str
      sample: warning
    subject:
      description: The part.
      returned: success
      type: str
      sample: platform.tar.0001.chunk
    message:
      description: What was found.
      returned: success
      type: str
      sample: "/media/stick/dkp: platform.tar.0001.chunk is damaged, its bytes have another hash"
    hint:
      description: What to do about it.
      returned: success
      type: str
      sample: "Carry the medium back: the next run outside puts this part on it again"
  sample: []
msg:
  description: The result in one sentence.
  returned: always
  type: str
  sample: "/srv/bundle: 1 part copied (4000000000 bytes), 1 part to come (1200 bytes)"
omitted:
  description: Names of what was left out of a result that is too long for Ansible; normally empty.
  returned: success
  type: list
  elements: str
  sample: []
"""

from ansible_collections.dkp.airgap.plugins.module_utils._bundle.ownership import parse_ownership
from ansible_collections.dkp.airgap.plugins.module_utils._dkp.counting import counted
from ansible_collections.dkp.airgap.plugins.module_utils._mirror.copying import CopyRequest, copy_bundle
from ansible_collections.dkp.airgap.plugins.module_utils._module import Result, Task, report_arguments, run
from ansible_collections.dkp.airgap.plugins.module_utils._oci.errors import InvalidInput


def work(task: Task) -> Result:
    """Copy what is missing."""
    task.report_file()
    source, destination = task.path("src"), task.path("dest")
    if source is None or destination is None:
        raise InvalidInput("src, dest: name two directories")
    if task.params["reserve"] < 0:
        raise InvalidInput(f"reserve: {task.params['reserve']} is negative; it is a number of bytes")
    request = CopyRequest(
        source.absolute(),
        destination.absolute(),
        volumes=task.params["volumes"],
        reserve=task.params["reserve"],
        acknowledge=task.params["acknowledge"],
        ownership=parse_ownership(task.text("owner"), task.text("group"), task.text("mode")),
        dry=task.check_mode,
    )
    done = copy_bundle(request, task.memory, task.stopping)
    values = done.as_dict()
    copied, remaining = values["copied"], values["remaining"]
    told = f"{counted(copied['parts'], 'part')} {'to copy' if task.check_mode else 'copied'} ({copied['bytes']} bytes)"
    waiting = f"{counted(len(remaining['parts']), 'part')} to come ({remaining['bytes']} bytes)"
    values["msg"] = f"{destination}: {told}, {waiting if remaining['parts'] else 'nothing to come'}"
    return Result(values, ("remaining.parts", "findings"))


def main() -> None:
    """Run the module."""
    run(
        work,
        {
            **report_arguments(),
            "src": {"type": "path", "required": True},
            "dest": {"type": "path", "required": True},
            "volumes": {"type": "bool", "default": False},
            "reserve": {"type": "int", "default": 0},
            "acknowledge": {"type": "bool", "default": False},
            "owner": {"type": "str"},
            "group": {"type": "str"},
            "mode": {"type": "str"},
        },
    )


if __name__ == "__main__":
    main()
