# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The clusters that a task names: facts in memory, or requests in files on the controller."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ansible_collections.dkp.airgap.plugins.module_utils._dkp.cluster.facts import ClusterFacts
from ansible_collections.dkp.airgap.plugins.module_utils._dkp.cluster.request import (
    INCLUDE_RUNNING,
    UpdateRequest,
    parse_request,
)
from ansible_collections.dkp.airgap.plugins.module_utils._dkp.fields import parse_record
from ansible_collections.dkp.airgap.plugins.module_utils._dkp.option_lists import drop_empty
from ansible_collections.dkp.airgap.plugins.module_utils._dkp.plan.fleet import Member
from ansible_collections.dkp.airgap.plugins.module_utils._dkp.plan.inventory import Inventory, parse_inventory
from ansible_collections.dkp.airgap.plugins.module_utils._dkp.plan.members import Defaults, members_of
from ansible_collections.dkp.airgap.plugins.module_utils._dkp.plan.module_choice import (
    DEFAULT_SOURCE,
    ModuleChoice,
    parse_choice,
)
from ansible_collections.dkp.airgap.plugins.module_utils._oci.errors import InvalidInput

from .documents import plain_data, read_document

FLEET_ARGUMENTS: dict[str, Any] = {
    "clusters": {"type": "list", "elements": "dict"},
    "clusters_from": {"type": "list", "elements": "path"},
    "target": {"type": "raw"},
    "include_running": {"type": "str", "choices": list(INCLUDE_RUNNING), "default": "auto"},
    "ignore_suspend": {"type": "bool", "default": False},
    "inventory": {"type": "raw"},
    "modules": {"type": "list", "elements": "str"},
    "exclude_modules": {"type": "list", "elements": "str"},
    "module_source": {"type": "str", "default": DEFAULT_SOURCE},
    "platform_releases": {"type": "dict"},
}
"""As `plugins/doc_fragments/_fleet.py` documents them."""


def fleet_members(arguments: Mapping[str, Any], locate: Callable[[str], str]) -> list[Member]:
    """The clusters of a task. `locate` turns a path as the user wrote it into one that can be opened.

    Raises AirgapError naming the file or the field: for what cannot be read, for no cluster at all, and for mistakes.
    """
    paths = [Path(locate(path)) for path in drop_empty(arguments["clusters_from"]) or ()]
    given = plain_data(arguments["clusters"] or [], "clusters")
    if not paths and not given:
        raise InvalidInput(
            "clusters: name at least one cluster, by its facts (clusters) or its request (clusters_from)"
        )
    clusters: list[ClusterFacts] = [
        parse_record(ClusterFacts, facts, f"clusters[{position}]") for position, facts in enumerate(given)
    ]
    defaults = Defaults(
        target=plain_data(arguments["target"], "target"),
        include_running=arguments["include_running"],
        ignore_suspend=arguments["ignore_suspend"],
        inventory=_inventory_option(arguments["inventory"], locate),
    )
    return members_of(clusters, [_request(path) for path in paths], defaults)


def module_choice(arguments: Mapping[str, Any]) -> ModuleChoice:
    """Which modules the task is about."""
    return parse_choice(
        drop_empty(arguments["modules"]), drop_empty(arguments["exclude_modules"]), arguments["module_source"]
    )


def _request(path: Path) -> tuple[UpdateRequest, Inventory | None]:
    """The request in a file, and the inventory that it names; a relative path starts from the request's directory."""
    request = parse_request(read_document(path), str(path))
    if not request.inventory:
        return request, None
    place = path.parent / Path(request.inventory).expanduser()
    return request, parse_inventory(read_document(place), where=str(place))


def _inventory_option(value: Any, locate: Callable[[str], str]) -> Any:
    """An inventory may be given as a document or as the path of one; so may one for each cluster."""
    if value is None:
        return None
    given = plain_data(value, "inventory")
    if isinstance(given, str):
        return read_document(locate(given))
    if isinstance(given, Mapping) and "kind" not in given:
        return {name: read_document(locate(each)) if isinstance(each, str) else each for name, each in given.items()}
    return given
