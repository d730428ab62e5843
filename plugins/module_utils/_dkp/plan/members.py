# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From facts, requests and options to the members of a fleet: which cluster, what is wanted of it, what it has."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from ..._oci.errors import InvalidInput
from ..cluster.facts import ClusterFacts
from ..cluster.request import UpdateRequest
from ..fields import mapping
from ..nearest import did_you_mean, listed
from .cluster_plan import Wish
from .cluster_verdict import parse_verdicts
from .fleet import Member
from .inventory import Inventory, parse_inventory
from .target import Target, parse_target


@dataclass(frozen=True)
class Defaults:
    """What holds for all clusters unless a request wishes otherwise. `target` is one for all, or one by cluster."""

    target: object = None
    include_running: str = "auto"
    ignore_suspend: bool = False
    inventory: object = None


def members_of(
    clusters: Iterable[ClusterFacts],
    requests: Iterable[tuple[UpdateRequest, Inventory | None]],
    defaults: Defaults,
) -> list[Member]:
    """The members: `clusters` as they are, `requests` with their own wishes and the inventory they name.

    `target` and `inventory` of the options win over what a request says. Raises InvalidInput for a target or an
    inventory of a cluster that is not there.
    """
    given: list[tuple[ClusterFacts, UpdateRequest, Inventory | None]]
    given = [(facts, UpdateRequest(facts), None) for facts in clusters]
    given += [(request.cluster, request, inventory) for request, inventory in requests]
    names = [facts.name for facts, _request, _inventory in given]
    targets = _targets(defaults.target, names)
    inventories = _inventories(defaults.inventory, names)
    members = []
    for facts, request, inventory in given:
        wishes = request.wishes
        asked = targets.get(facts.name)
        if asked is None and wishes.target:
            asked = parse_target(wishes.target, f"wishes.target of {facts.name}")
        members.append(
            Member(
                facts,
                Wish(
                    asked,
                    wishes.include_running or defaults.include_running,
                    defaults.ignore_suspend if wishes.ignore_suspend is None else wishes.ignore_suspend,
                ),
                inventories.get(facts.name, inventory),
                preflight=request.preflight,
            )
        )
    return members


def _targets(value: object, names: list[str]) -> dict[str, Target]:
    if value is None or (isinstance(value, str) and not value.strip()):
        return {}
    if not isinstance(value, Mapping):
        return dict.fromkeys(names, parse_target(value, "target"))
    asked = {name: target for name, target in mapping(value, "target").items() if target not in (None, "")}
    _check_names(asked, names, "target")
    return {name: parse_target(target, f"target.{name}") for name, target in asked.items()}


def _inventories(value: object, names: list[str]) -> dict[str, Inventory]:
    if value is None or value == "":
        return {}
    given = mapping(value, "inventory")
    if "kind" in given:
        return dict.fromkeys(names, parse_inventory(given, where="inventory"))
    _check_names(given, names, "inventory")
    return {name: parse_inventory(each, where=f"inventory.{name}") for name, each in given.items()}


def _check_names(given: Mapping[str, Any], names: list[str], option: str) -> None:
    unknown = sorted(set(given) - set(names))
    if unknown:
        near = did_you_mean(unknown[0], names)
        raise InvalidInput(f"{option}: there is no cluster {unknown[0]!r}{near}; the clusters are {listed(names)}")


def with_verdicts(members: Iterable[Member], verdicts: object) -> list[Member]:
    """`members` with what the clusters themselves said of releases (`cluster_verdicts`, by cluster)."""
    known = list(members)
    given = mapping(verdicts, "cluster_verdicts")
    _check_names(given, [member.facts.name for member in known], "cluster_verdicts")
    return [
        replace(member, verdicts=parse_verdicts(given[member.facts.name], f"cluster_verdicts.{member.facts.name}"))
        if member.facts.name in given
        else member
        for member in known
    ]
