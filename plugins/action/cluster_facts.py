# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Facts of a cluster out of its objects, on the controller (documentation: `plugins/modules/cluster_facts.py`)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ansible.utils.display import Display
from ansible_collections.dkp.airgap.plugins.module_utils._dkp.cluster.facts import ClusterFacts
from ansible_collections.dkp.airgap.plugins.module_utils._dkp.cluster.reading import cluster_facts
from ansible_collections.dkp.airgap.plugins.module_utils._dkp.cluster.request import (
    INCLUDE_RUNNING,
    UpdateRequest,
    parse_wishes,
    request_document,
)
from ansible_collections.dkp.airgap.plugins.module_utils._dkp.counting import counted
from ansible_collections.dkp.airgap.plugins.module_utils._dkp.fields import parse_record
from ansible_collections.dkp.airgap.plugins.module_utils._dkp.findings import parse_findings
from ansible_collections.dkp.airgap.plugins.module_utils._dkp.plan.shortening import LARGEST
from ansible_collections.dkp.airgap.plugins.module_utils._oci.errors import InvalidInput
from ansible_collections.dkp.airgap.plugins.plugin_utils.controller import DOCUMENT_ARGUMENTS, ControllerAction
from ansible_collections.dkp.airgap.plugins.plugin_utils.documents import plain_data

ARGUMENTS: dict[str, Any] = {
    "objects": {"type": "dict"},
    "facts": {"type": "dict"},
    "preflight": {"type": "list", "elements": "dict"},
    "name": {"type": "str"},
    **DOCUMENT_ARGUMENTS,
    "inventory": {"type": "str"},
    "wishes": {
        "type": "dict",
        "options": {
            "target": {"type": "str"},
            "include_running": {"type": "str", "choices": list(INCLUDE_RUNNING)},
            "ignore_suspend": {"type": "bool"},
        },
    },
}
_display = Display()


class ActionModule(ControllerAction):
    """What Ansible looks for."""

    arguments = ARGUMENTS

    def made(self, arguments: Mapping[str, Any], task_vars: Mapping[str, Any]) -> dict[str, Any]:
        """Make the facts, and write the request."""
        destination = self.destination(arguments)
        name = str(arguments["name"] or task_vars.get("inventory_hostname", ""))
        facts = _facts(arguments, name)
        request = UpdateRequest(
            facts,
            arguments["inventory"],
            parse_wishes(arguments["wishes"]),
            parse_findings(plain_data(arguments["preflight"], "preflight"), "preflight"),
        )
        document = plain_data(request_document(request), "request")
        destination.write(document)
        _warn(facts)
        made = {"msg": summary(facts), "ansible_facts": {"dkp_cluster_facts": document["cluster"]}}
        if 2 * len(json.dumps(document)) > LARGEST:
            return {**made, "omitted": ["request"]}
        return {**made, "request": document, "omitted": []}


def _facts(arguments: Mapping[str, Any], name: str) -> ClusterFacts:
    """The facts that were given, or those that are in the objects."""
    if (arguments["objects"] is None) == (arguments["facts"] is None):
        raise InvalidInput("give either objects, or facts that were made of them before")
    if arguments["facts"] is None:
        return cluster_facts(arguments["objects"], name=name)
    found: ClusterFacts = parse_record(ClusterFacts, plain_data(arguments["facts"], "facts"), "facts")
    return found


def summary(facts: ClusterFacts) -> str:
    """The facts in one sentence."""
    edition = f" {facts.edition}" if facts.edition else ""
    channel = f"on {facts.channel}" if facts.channel else "without a release channel"
    enabled = sum(each.enabled and not each.embedded for each in (facts.modules or {}).values())
    under_way = f", being switched to {facts.switched_version}" if _is_switching(facts) else ""
    parts = [f"{facts.name}: DKP{edition} {facts.version} {channel}{under_way}"]
    if facts.modules is not None:
        parts.append(f"{counted(enabled, 'module')} from sources")
    if facts.nodes is not None:
        parts.append(counted(len(facts.nodes), "node"))
    return ", ".join(parts)


def _is_switching(facts: ClusterFacts) -> bool:
    return facts.switched_version not in (None, facts.version)


def _warn(facts: ClusterFacts) -> None:
    registry = facts.registry
    if registry is not None and registry.source_agrees is False:
        _display.warning(
            f"{facts.name}: ModuleSource deckhouse does not read from {registry.address}/modules, where Deckhouse "
            "itself pulls from: either modules have a path of their own, or a change of the registry is half done"
        )
