# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A plan that fits into a result of Ansible (contract §2: 256 KiB). The whole plan goes to a file."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

LARGEST = 240 * 1024
"""Bytes of JSON: the contract's 256 KiB, less what Ansible adds."""


def fitting_findings(findings: Sequence[Mapping[str, Any]], *, largest: int = LARGEST // 2) -> list[Mapping[str, Any]]:
    """Those of `findings` that have room in a result: all of them, or those that stand against the plan, or the first
    of these. The plan has all."""
    errors = [finding for finding in findings if finding["severity"] == "error"]
    for kept in (list(findings), errors):
        if len(json.dumps(kept)) <= largest:
            return kept
    while len(json.dumps(errors)) > largest:
        errors = errors[: len(errors) // 2]
    return errors


def shortened(document: Mapping[str, Any], *, room: int = 0, largest: int = LARGEST) -> dict[str, Any]:
    """``plan`` and ``omitted``: what `document` had to lose to fit beside `room` bytes of other results.

    First the digests of versions, whose images are asked for by tag then; then the order of steps. A plan that is still
    too long loses content and clusters whole, so that nobody takes a part of it for the plan.
    """
    plan = dict(document)
    omitted: list[str] = []
    for name, leave_out in (("content.pins", _without_version_pins), ("clusters.*.order", _without_order)):
        if _fits(plan, room, largest):
            break
        plan = leave_out(plan)
        omitted.append(name)
    if not _fits(plan, room, largest):
        omitted = ["content", "clusters"]
        plan = {key: value for key, value in document.items() if key not in omitted}
    return {"plan": plan, "omitted": [f"plan.{name}" for name in omitted]}


def _fits(plan: Mapping[str, Any], room: int, largest: int) -> bool:
    return len(json.dumps(plan)) + room <= largest


def _without_version_pins(plan: Mapping[str, Any]) -> dict[str, Any]:
    content = plan["content"]
    channels = {("release-channel", name) for name in content["platform"]["channels"]}
    channels |= {
        (f"modules/{module}/release", name) for module, each in content["modules"].items() for name in each["channels"]
    }
    kept = [pin for pin in content["pins"] if (pin["repository"], pin["tag"]) in channels]
    return {**plan, "content": {**content, "pins": kept}}


def _without_order(plan: Mapping[str, Any]) -> dict[str, Any]:
    clusters = {
        name: {key: value for key, value in cluster.items() if key != "order"}
        for name, cluster in plan["clusters"].items()
    }
    return {**plan, "clusters": clusters}
