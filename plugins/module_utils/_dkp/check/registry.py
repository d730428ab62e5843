# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The registry itself (R2–R6), databases (S1) and installers."""

from __future__ import annotations

from ..counting import counted
from ..nearest import listed
from .faults import PUSH_AGAIN
from .gathered import Findings
from .observed import ABSENT, BROKEN, THERE, UNKNOWN, Image, Observed
from .wanted import PUBLISHED, Wanted

_EXEMPT = "Exempt tags that match ^[0-9a-f]{64}$ from every rule that deletes by age, number or last use"


def judge_refusals(observed: Observed) -> Findings:
    """Whether the registry lists and serves what DKP asks of it (R2–R4)."""
    found = Findings()
    for what, check in (("list", "R2"), ("image", "R3")):
        refused = [refusal for refusal in observed.refusals if refusal.what == what]
        if not refused:
            continue
        names = listed([refusal.repository for refusal in refused])
        if what == "list":
            verb = "does not list the tags of"
            meaning = "Deckhouse finds releases and modules in these lists"
            hint = "Grant the account the right to list tags; a proxy that cannot list cannot serve DKP"
        else:
            verb = "refuses manifests of"
            meaning = "nodes could not pull these images either, if they get the same answer"
            hint = "Grant the account the right to pull there, or mend the policy that the answer names"
        message = f"{observed.address} {verb} {names}: {refused[0].text.rstrip('.')}. {meaning}"
        found.tell(check, "error", observed.address, message, hint)
    nested = [
        refusal.repository for refusal in observed.refusals if refusal.status == 400 and "/" in refusal.repository
    ]
    if nested:
        message = f"{observed.address} may not take paths as deep as {listed(nested)}: it calls them wrong (HTTP 400)"
        hint = "DKP needs nested repository paths; use a registry or a kind of repository that has them"
        found.tell("R4", "error", observed.address, message, hint)
    return found


def judge_registry(observed: Observed) -> Findings:
    """The same, and what can hardly be seen from outside (R5, R6)."""
    found = judge_refusals(observed)
    if observed.untagged:
        few = ", ".join(f"{counted(number, 'image')} of {name}" for name, number in sorted(observed.untagged.items()))
        message = f"{few} have no tag: collectors that delete untagged manifests would take them, and pods need them"
        hint = f"Push the bundle with oci_bundle_push, which gives each of them one. {_EXEMPT}"
        found.tell("R5", "warning", observed.address, message, hint)
    elif observed.lines:
        message = (
            "whether a retention rule of the registry deletes images that DKP still needs cannot be seen from here"
        )
        found.tell("R5", "unknown", observed.address, message, _EXEMPT)
    if observed.lines:
        message = "how much room the registry has left cannot be seen from here; what was looked at is there already"
        found.tell("R6", "unknown", observed.address, message, "Look at the registry's storage before the next push")
    return found


def judge_databases(wanted: Wanted, observed: Observed, *, stage: str) -> Findings:
    """The databases that are carried (S1), and the installer. Both are pointers: before they are published nothing can
    be said of them."""
    found, root = Findings(), observed.address.partition("/")[2]
    for name, tags in wanted.databases.items():
        for tag in tags:
            image = observed.databases.get(f"{name}:{tag}")
            if stage == PUBLISHED and image is not None:
                consequence = "vulnerability scanners of the cluster have no database"
                _judge_pointer("S1", f"{name}:{tag}", f"{root}/security/{name}:{tag}", image, consequence, found)
    for tag in wanted.installer:
        image = observed.installer.get(tag)
        if stage == PUBLISHED and image is not None:
            _judge_pointer(
                "P13", f"installer:{tag}", f"{root}/installer:{tag}", image, "nobody can install with it", found
            )
    return found


def _judge_pointer(check: str, subject: str, name: str, image: Image, consequence: str, found: Findings) -> None:
    if image.state == ABSENT:
        found.tell(check, "error", subject, f"{name} is not there: {consequence}", PUSH_AGAIN)
    elif image.state == BROKEN:
        found.tell(check, "error", subject, f"{name} is not whole ({image.note}): {consequence}", PUSH_AGAIN)
    elif image.state == UNKNOWN:
        message = f"whether {name} is there is not known: {image.note}"
        found.tell(check, "unknown", subject, message, "See the finding R3")
    elif image.state == THERE and image.note:
        found.tell(check, "warning", subject, f"{name} {image.note}", "Nothing to do if somebody pushed a newer one")
