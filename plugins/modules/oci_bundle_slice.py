#!/usr/bin/python

# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Slices of the parts of a bundle, for transfers through the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
module: oci_bundle_slice
short_description: Cut a slice out of a part of a bundle, or join one to a part that arrives
version_added: 0.1.0
description:
  - Where no C(rsync) leads from one host to the other, the role P(dkp.airgap.transfer#role) carries parts in slices
    through the controller. This module makes the slices at the one end and puts them together at the other, so that
    an interrupted transfer goes on in the middle of a part.
extends_documentation_fragment:
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
  part:
    description:
      - The part, a file on the host.
    type: path
    required: true
  slice:
    description:
      - The file of the slice. With O(state=joined) it is removed when it is in its place.
    type: path
    required: true
  offset:
    description:
      - Where the slice begins in the part, in bytes.
    type: int
    required: true
  size:
    description:
      - How many bytes to cut.
      - Required with O(state=cut).
    type: int
  sha256:
    description:
      - What RV(sha256) was when the slice was cut.
      - Required with O(state=joined).
    type: str
  state:
    description:
      - V(cut) writes O(slice), V(joined) puts it into O(part).
    type: str
    choices: [cut, joined]
    required: true
author:
  - dkp.airgap contributors (!UNKNOWN)
seealso:
  - module: dkp.airgap.oci_bundle_parts
"""

EXAMPLES = r"""
---
- name: Cut the first slice of a part
  dkp.airgap.oci_bundle_slice:
    state: cut
    part: /data/bundle/security.tar
    slice: /data/security.tar.slice
    offset: 0
    size: 1000
  register: cut

- name: Join it to the part that arrives
  dkp.airgap.oci_bundle_slice:
    state: joined
    part: /data/arriving.tar
    slice: /data/security.tar.slice
    offset: 0
    sha256: "{{ cut.sha256 }}"
"""

RETURN = r"""
sha256:
  description: The hash of the slice.
  returned: success
  type: str
  sample: 5d20c808ce198565ff70b3ed23a991dd49afac45dece63474b27ce6ed036adc6
msg:
  description: What was done in one sentence.
  returned: always
  type: str
  sample: "/data/security.tar.slice: 1000 bytes of /data/bundle/security.tar from 0 on"
omitted:
  description: Always empty.
  returned: success
  type: list
  elements: str
  sample: []
"""

from ansible_collections.dkp.airgap.plugins.module_utils._bundle.slices import cut_slice, join_slice
from ansible_collections.dkp.airgap.plugins.module_utils._module import Result, Task, run
from ansible_collections.dkp.airgap.plugins.module_utils._oci.errors import InvalidInput


def work(task: Task) -> Result:
    """Cut, or join."""
    part, slice_file, offset = task.path("part"), task.path("slice"), task.params["offset"]
    if part is None or slice_file is None or offset < 0:
        raise InvalidInput("part, slice: name two files, and an offset that is not negative")
    if task.params["state"] == "cut":
        size = task.params["size"]
        if not size or size < 1:
            raise InvalidInput(f"size: {size} is no number of bytes to cut")
        told = f"{slice_file}: {size} bytes of {part} from {offset} on"
        if task.check_mode:
            return Result({"changed": True, "sha256": "", "msg": told})
        found = cut_slice(part, slice_file, offset=offset, size=size, check=task.stopping.check)
        return Result({"changed": True, "sha256": found, "msg": told})
    told = f"{part}: joined {slice_file} at {offset}"
    wanted = task.text("sha256")
    if wanted is None:
        raise InvalidInput("sha256: say what the slice was when it was cut")
    if task.check_mode:
        return Result({"changed": True, "sha256": wanted, "msg": told})
    changed = join_slice(slice_file, part, offset=offset, sha256=wanted)
    slice_file.unlink()
    return Result({"changed": changed, "sha256": wanted, "msg": told})


def main() -> None:
    """Run the module."""
    run(
        work,
        {
            "part": {"type": "path", "required": True},
            "slice": {"type": "path", "required": True},
            "offset": {"type": "int", "required": True},
            "size": {"type": "int"},
            "sha256": {"type": "str"},
            "state": {"type": "str", "choices": ["cut", "joined"], "required": True},
        },
    )


if __name__ == "__main__":
    main()
