# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The update plan, on the controller (documentation: `plugins/modules/update_plan.py`)."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any

from ansible_collections.dkp.airgap.plugins.module_utils._dkp.counting import counted
from ansible_collections.dkp.airgap.plugins.module_utils._dkp.findings import Finding
from ansible_collections.dkp.airgap.plugins.module_utils._dkp.option_lists import drop_empty
from ansible_collections.dkp.airgap.plugins.module_utils._dkp.plan.fleet import (
    FleetPlan,
    plan_document,
    plan_fleet,
    refused_clusters,
)
from ansible_collections.dkp.airgap.plugins.module_utils._dkp.plan.members import with_verdicts
from ansible_collections.dkp.airgap.plugins.module_utils._dkp.plan.offer import parse_vendor
from ansible_collections.dkp.airgap.plugins.module_utils._dkp.plan.shortening import fitting_findings, shortened
from ansible_collections.dkp.airgap.plugins.plugin_utils.controller import DOCUMENT_ARGUMENTS, ControllerAction
from ansible_collections.dkp.airgap.plugins.plugin_utils.documents import plain_data
from ansible_collections.dkp.airgap.plugins.plugin_utils.fleet import FLEET_ARGUMENTS, fleet_members, module_choice

_MOST_TOLD = 20
"""Findings of one cluster that was left out."""
ARGUMENTS: dict[str, Any] = {
    **FLEET_ARGUMENTS,
    "module_releases": {"type": "dict"},
    "cluster_verdicts": {"type": "dict"},
    "security_db": {"type": "bool", "default": True},
    "installer": {"type": "bool", "default": False},
    "leave_out_refused": {"type": "bool", "default": False},
    "accept_findings": {"type": "list", "elements": "str"},
    **DOCUMENT_ARGUMENTS,
}


class ActionModule(ControllerAction):
    """What Ansible looks for."""

    arguments = ARGUMENTS

    def made(self, arguments: Mapping[str, Any], task_vars: Mapping[str, Any]) -> dict[str, Any]:
        """Make the plan, and write it."""
        destination = self.destination(arguments)
        vendor = parse_vendor(
            plain_data(arguments["platform_releases"], "platform_releases"),
            plain_data(arguments["module_releases"], "module_releases"),
        )
        verdicts = plain_data(arguments["cluster_verdicts"], "cluster_verdicts")
        members = with_verdicts(fleet_members(arguments, self.located), verdicts)
        made_by = partial(
            plan_fleet,
            vendor=vendor,
            choice=module_choice(arguments),
            security_db=arguments["security_db"],
            installer=arguments["installer"],
        )
        plan, left_out = made_by(members), {}
        if arguments["leave_out_refused"]:
            left_out = refused_clusters(plan, drop_empty(arguments["accept_findings"]) or ())
            others = [member for member in members if member.facts.name not in left_out]
            # Where nobody is left, the plan itself has to say what stands in the way.
            plan, left_out = (made_by(others), left_out) if left_out and others else (plan, {})
        document = plan_document(plan)
        destination.write(document)
        findings = [{**finding, "cluster": name} for name, told in _by_cluster(document) for finding in told]
        kept = fitting_findings(findings)
        made = {"ok": plan.ok, "msg": summary(plan, findings), "findings": kept, "left_out": _told(left_out)}
        short = shortened(document, room=len(json.dumps(made)))
        omitted = [*short["omitted"], *(["findings"] if len(kept) < len(findings) else [])]
        return {**made, **short, "omitted": omitted}


def _told(left_out: Mapping[str, Iterable[Finding]]) -> dict[str, list[dict[str, str]]]:
    return {name: [finding.as_dict() for finding in findings][:_MOST_TOLD] for name, findings in left_out.items()}


def _by_cluster(document: Mapping[str, Any]) -> Iterable[tuple[str | None, list[dict[str, str]]]]:
    yield None, document["findings"]
    for name, cluster in document["clusters"].items():
        yield name, cluster["findings"]


def summary(plan: FleetPlan, findings: Iterable[Mapping[str, Any]]) -> str:
    """The plan in one sentence."""
    content = plan.content
    errors = [f"{each['id']} {each['subject']}" for each in findings if each["severity"] == "error"]
    carried = [counted(len(content.platform.versions), "platform release")]
    carried.append(f"releases of {counted(len(content.modules), 'module')}")
    told = f"{counted(len(plan.clusters), 'cluster')}: {' and '.join(carried)} to carry"
    return f"{told}; cannot be carried out: {', '.join(errors[:10])}" if errors else told
