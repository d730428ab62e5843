# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later


"""A status that fits into a result of Ansible (contract §2: 256 KiB). The whole status goes to a file."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from ..plan.shortening import LARGEST


def shortened(document: Mapping[str, Any], *, largest: int = LARGEST) -> dict[str, Any]:
    """``status`` and ``omitted``: what `document` had to lose to fit.

    First the modules about which there is nothing to do, then all of them. A status that is still too long is left out.
    """
    status = dict(document)
    for kept, omitted in ((_any, []), (_needs_something, [_MODULES]), (_none, [_MODULES])):
        status["clusters"] = {name: _with_modules(each, kept) for name, each in document["clusters"].items()}
        if len(json.dumps(status)) <= largest:
            return {"status": status, "omitted": omitted}
    return {"omitted": ["status"]}


_MODULES = "status.clusters.*.modules"


def _with_modules(cluster: Mapping[str, Any], kept: Callable[[Mapping[str, Any]], bool]) -> dict[str, Any]:
    return {**cluster, "modules": {name: track for name, track in cluster["modules"].items() if kept(track)}}


def _any(_track: Mapping[str, Any]) -> bool:
    return True


def _none(_track: Mapping[str, Any]) -> bool:
    return False


def _needs_something(track: Mapping[str, Any]) -> bool:
    return bool(track["followed"] and (track["up_to_date"] is not True or track["incomplete"] or track["waiting"]))
