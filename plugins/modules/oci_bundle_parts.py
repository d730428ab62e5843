#!/usr/bin/python

# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a directory holds of a bundle, before, during and after its transfer."""

from __future__ import annotations

DOCUMENTATION = r"""
module: oci_bundle_parts
short_description: Tell which parts of a bundle a directory lacks, make ready for them, and prove them
version_added: 0.1.0
description:
  - The two ends of a transfer over a network, whatever carries the bytes between them. The role
    P(dkp.airgap.transfer#role) does both, and the bytes.
  - At the sender, O(state=observed) without O(shipment) tells what there is to send; its RV(shipment) is the
    O(shipment) at the receiver.
  - At the receiver, O(state=receiving) tells what is missing and makes ready for it in RV(incoming), after a look
    whether there is room. The bundle that was there stays whole meanwhile. O(state=received) proves what has come by
    its hash. When all is there, files of the old bundle that the new one does not have go, parts get their names,
    and C(delivery.json) comes last of all.
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
  path:
    description:
      - Directory of the bundle.
    type: path
    required: true
  shipment:
    description:
      - What has to be there, as RV(shipment) at the sender tells. By default what the directory's own
        C(delivery.json) lists.
    type: dict
  state:
    description:
      - V(observed) only looks. V(receiving) makes ready, V(received) proves and finishes.
    type: str
    choices: [observed, receiving, received]
    default: observed
  verify:
    description:
      - How well to look with O(state=observed). With V(digest), what this host has not proven before is read.
    type: str
    choices: [size, digest]
    default: digest
  reserve:
    description:
      - Bytes to leave free with O(state=receiving).
    type: int
    default: 0
  owner:
    description:
      - Owner of the files of the bundle, a name or a number. By default whoever runs this.
    type: str
  group:
    description:
      - Group of the files, a name or a number.
    type: str
  mode:
    description:
      - Permissions of the files, such as V('0640').
    type: str
author:
  - dkp.airgap contributors (!UNKNOWN)
seealso:
  - module: dkp.airgap.oci_bundle_copy
  - module: dkp.airgap.oci_bundle_info
"""

EXAMPLES = r"""
---
- name: See what there is to send
  dkp.airgap.oci_bundle_parts:
    path: /data/bundle
    verify: size
  register: sender

- name: See what is missing on this side, and whether there is room
  dkp.airgap.oci_bundle_parts:
    path: /srv/bundle
    shipment: "{{ sender.shipment }}"
    state: receiving
  register: receiver
  check_mode: true

- name: Show the parts to send
  ansible.builtin.debug:
    msg: "{{ receiver.remaining.parts | map(attribute='name') }}"
"""

RETURN = r"""
complete:
  description: Whether all of the bundle is there under its own names, as far as O(verify) looks.
  returned: success
  type: bool
  sample: true
ok:
  description: Whether it is complete and nothing of it is damaged.
  returned: success
  type: bool
  sample: true
present:
  description: Files that are there, with C(delivery.json); C(bytes) and C(parts).
  returned: success
  type: dict
  sample: {bytes: 8000000000, parts: 2}
remaining:
  description: C(bytes) to carry at least, and the C(parts) that are missing, in part or as a whole.
  returned: success
  type: dict
  contains:
    bytes:
      description: The sum.
      returned: success
      type: int
      sample: 1200
    parts:
      description: The files.
      returned: success
      type: list
      elements: dict
      contains:
        name:
          description: Its name.
          returned: success
          type: str
          sample: security.tar
        bytes:
          description: Its size.
          returned: success
          type: int
          sample: 5200
        sha256:
          description: Its hash.
          returned: success
          type: str
          sample: 5d20c808ce198565ff70b3ed23a991dd49afac45dece63474b27ce6ed036adc6
        state:
          description: V(missing), V(partial) or V(damaged).
          returned: success
          type: str
          sample: partial
        have:
          description: How many bytes of it need not be carried again.
          returned: success
          type: int
          sample: 4000
shipment:
  description: What there is to send.
  returned: when O(shipment) is not given
  type: dict
  sample:
    document:
      name: delivery.json
      bytes: 900
      sha256: 5d20c808ce198565ff70b3ed23a991dd49afac45dece63474b27ce6ed036adc6
    parts:
      - {name: security.tar, bytes: 5200, sha256: 9d20c808ce198565ff70b3ed23a991dd49afac45dece63474b27ce6ed036adc6}
incoming:
  description: The directory that parts have to be brought to.
  returned: success
  type: str
  sample: /srv/bundle/.incoming
free:
  description: Bytes that are free there.
  returned: success
  type: int
  sample: 100000000000
rsync:
  description: Where the host has C(rsync); empty if it has none.
  returned: success
  type: str
  sample: /usr/bin/rsync
findings:
  description: Parts that are damaged.
  returned: success
  type: list
  elements: dict
  sample: []
msg:
  description: The result in one sentence.
  returned: always
  type: str
  sample: "/srv/bundle: 1 file of 3 parts, 12000001200 bytes missing, 1200 bytes to carry"
omitted:
  description: Always empty, for the other side needs all of it.
  returned: success
  type: list
  elements: str
  sample: []
"""

import shutil
from pathlib import Path

from ansible_collections.dkp.airgap.plugins.module_utils._bundle.arrival import (
    Arrival,
    Shipment,
    parse_shipment,
    shipment_of,
)
from ansible_collections.dkp.airgap.plugins.module_utils._bundle.directory import DELIVERY_NAME
from ansible_collections.dkp.airgap.plugins.module_utils._bundle.ownership import parse_ownership
from ansible_collections.dkp.airgap.plugins.module_utils._mirror.arriving import (
    Arrived,
    observed,
    observed_sizes,
    receive,
    received,
    summary,
)
from ansible_collections.dkp.airgap.plugins.module_utils._module import Result, Task, report_arguments, run
from ansible_collections.dkp.airgap.plugins.module_utils._oci.errors import InvalidInput


def work(task: Task) -> Result:
    """Look, make ready, or prove."""
    task.report_file()
    directory = task.path("path")
    if directory is None:
        raise InvalidInput("path: name the directory of a bundle")
    directory = directory.absolute()
    given = task.document("shipment")
    shipment = parse_shipment(given) if given else _own(directory)
    arrived = _done(task, Arrival(directory, shipment))
    values = {
        **arrived.as_dict(),
        "rsync": shutil.which("rsync") or "",
        "msg": summary(directory, arrived, shipment),
    }
    if not given:
        values["shipment"] = shipment.as_dict()
    return Result(values)


def _own(directory: Path) -> Shipment:
    document = directory / DELIVERY_NAME
    if not document.is_file():
        raise InvalidInput(
            f"{directory} holds no {DELIVERY_NAME}, so there is no finished bundle of this collection; pull it first, "
            "or name the directory it is in"
        )
    return shipment_of(document)


def _done(task: Task, arrival: Arrival) -> Arrived:
    ownership = parse_ownership(task.text("owner"), task.text("group"), task.text("mode"))
    if task.params["state"] == "observed" or (task.check_mode and task.params["state"] == "received"):
        return (observed_sizes if task.params["verify"] == "size" else observed)(arrival, task.memory, task.stopping)
    if task.params["state"] == "receiving":
        reserve = task.params["reserve"]
        return receive(arrival, task.memory, task.stopping, ownership=ownership, reserve=reserve, dry=task.check_mode)
    return received(arrival, task.memory, task.stopping, ownership=ownership)


def main() -> None:
    """Run the module."""
    run(
        work,
        {
            **report_arguments(),
            "path": {"type": "path", "required": True},
            "shipment": {"type": "dict"},
            "state": {"type": "str", "choices": ["observed", "receiving", "received"], "default": "observed"},
            "verify": {"type": "str", "choices": ["size", "digest"], "default": "digest"},
            "reserve": {"type": "int", "default": 0},
            "owner": {"type": "str"},
            "group": {"type": "str"},
            "mode": {"type": "str"},
        },
    )


if __name__ == "__main__":
    main()
