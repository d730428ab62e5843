# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What has to be read of the vendor before clusters can be planned: the option `updates` of the two info modules."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .cluster_plan import leaving_modules, running_version
from .fleet import Member
from .module_choice import Asked, ModuleChoice, migrating, modules_to_plan
from .offer import Offer

Need = tuple[str, str, str]
"""Module (``""`` for the platform), from (``""`` for nothing), to."""


def needs_of(members: Sequence[Member], choice: ModuleChoice, platform: Offer | None) -> dict[str, Any]:
    """``platform``: a list of ``{from, to}``; ``modules``: a list of ``{module, from, to}``; each once and in order.

    With `platform`, once that was read, the modules that leave the platform on the way are among them.
    """
    leaving = leaving_modules(platform.releases.values() if platform is not None else ())
    wanted: set[Need] = set()
    for member in members:
        facts = member.facts
        target = member.wish.target or facts.channel
        if target is not None:
            wanted.add(("", str(running_version(facts)), str(target)))
        asked = [each for each in modules_to_plan(facts, choice) if isinstance(each, Asked)]
        for each in (*asked, *migrating(facts, leaving, choice)):
            if each.channel is not None:
                wanted.add((each.name, str(each.start or ""), each.channel))
    return {
        "platform": [{"from": start, "to": end} for name, start, end in sorted(wanted) if not name],
        "modules": [
            {"module": name, **({"from": start} if start else {}), "to": end}
            for name, start, end in sorted(wanted)
            if name
        ],
    }
