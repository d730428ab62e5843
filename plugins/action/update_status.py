# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later


"""Where clusters stand, on the controller (documentation: `plugins/modules/update_status.py`)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ansible_collections.dkp.airgap.plugins.module_utils._dkp.cluster.facts import ClusterFacts
from ansible_collections.dkp.airgap.plugins.module_utils._dkp.fields import parse_record
from ansible_collections.dkp.airgap.plugins.module_utils._dkp.plan.module_choice import DEFAULT_SOURCE
from ansible_collections.dkp.airgap.plugins.module_utils._dkp.status.answers import Answers
from ansible_collections.dkp.airgap.plugins.module_utils._dkp.status.document import (
    PARTS,
    ClusterStatus,
    status_document,
)
from ansible_collections.dkp.airgap.plugins.module_utils._dkp.status.shortening import shortened
from ansible_collections.dkp.airgap.plugins.module_utils._dkp.status.status import Asked, cluster_status
from ansible_collections.dkp.airgap.plugins.module_utils._oci.errors import InvalidInput
from ansible_collections.dkp.airgap.plugins.plugin_utils.controller import DOCUMENT_ARGUMENTS, ControllerAction
from ansible_collections.dkp.airgap.plugins.plugin_utils.documents import plain_data

ARGUMENTS: dict[str, Any] = {
    "clusters": {
        "type": "list",
        "elements": "dict",
        "required": True,
        "options": {
            "name": {"type": "str", "required": True},
            "facts": {"type": "dict"},
            "reason": {"type": "str"},
            "progress": {"type": "dict"},
            "source": {"type": "str"},
            "registry": {"type": "str"},
        },
    },
    "platform_releases": {"type": "list", "elements": "dict"},
    "module_releases": {"type": "list", "elements": "dict"},
    "inventories": {"type": "dict"},
    "not_asked": {"type": "dict", "options": {part: {"type": "str"} for part in PARTS if part != "cluster"}},
    "module_source": {"type": "str", "default": DEFAULT_SOURCE},
    **DOCUMENT_ARGUMENTS,
}
_TOLD = ("failed", "unreachable", "skipped", "skip_reason", "msg", "module_stderr", "item")
_KEPT = (
    *_TOLD,
    *("images_repo", "edition", "channels", "versions", "releases", "stray", "modules", "kind", "version", "inventory"),
    *("platform", "security_db", "cluster", "queue", "findings"),
)
"""Of results of tasks; what they were called with is left aside."""


class ActionModule(ControllerAction):
    """What Ansible looks for."""

    arguments = ARGUMENTS

    def made(self, arguments: Mapping[str, Any], task_vars: Mapping[str, Any]) -> dict[str, Any]:
        """Put the status together, and write it."""
        destination = self.destination(arguments)
        answers = Answers(
            platform=_results(arguments["platform_releases"] or (), "platform_releases"),
            modules=_results(arguments["module_releases"] or (), "module_releases"),
            inventories={
                str(host): _result(each, f"inventories.{host}")
                for host, each in (arguments["inventories"] or {}).items()
            },
            not_asked={part: reason for part, reason in (arguments["not_asked"] or {}).items() if reason},
        )
        clusters: dict[str, ClusterStatus] = {}
        for position, each in enumerate(arguments["clusters"]):
            where, name = f"clusters[{position}]", str(each["name"])
            if name in clusters:
                raise InvalidInput(f"{where}.name: there are two clusters {name}; give each a name of its own")
            asked = _asked(each, where)
            clusters[name] = cluster_status(asked, answers, module_source=arguments["module_source"])
        document = plain_data(status_document(clusters), "status")
        destination.write(document)
        made = {"msg": summary(clusters), "ok": all(each.up_to_date is True for each in clusters.values())}
        return {**made, **shortened(document)}


def _asked(cluster: Mapping[str, Any], where: str) -> Asked:
    facts = plain_data(cluster["facts"], f"{where}.facts") if cluster["facts"] else None
    return Asked(
        facts=parse_record(ClusterFacts, facts, f"{where}.facts") if facts else None,
        reason=cluster["reason"] or "",
        progress=_result(cluster["progress"], f"{where}.progress") if cluster["progress"] else None,
        source=cluster["source"] or None,
        registry=cluster["registry"] or None,
    )


def _results(given: Iterable[Mapping[str, Any]], where: str) -> list[Mapping[str, Any]]:
    return [_result(each, f"{where}[{position}]") for position, each in enumerate(given)]


def _result(given: Any, where: str) -> Mapping[str, Any]:
    """The registered result of a task as plain data."""
    if not isinstance(given, Mapping):
        raise InvalidInput(f"{where}: give the registered result of a task, which is a mapping")
    result: Mapping[str, Any] = plain_data({key: given[key] for key in _KEPT if key in given}, where)
    return result


def summary(clusters: Mapping[str, ClusterStatus]) -> str:
    """The status in one sentence."""
    words = {True: "up to date", False: "not up to date", None: "not known whether it is up to date"}
    told = (f"{name}: {words[each.up_to_date]}, next: {each.next.message}" for name, each in clusters.items())
    return "; ".join(told)
