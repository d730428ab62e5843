# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later


"""What the parts of a status answered: results of tasks as they were registered, also of those that failed.

A part that did not answer is no error here: its reason is part of the status.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..._oci.errors import InvalidInput
from ..cluster.facts import ClusterFacts
from ..editions import EDITIONS
from ..nearest import listed
from ..plan.inventory import KIND as INVENTORY
from ..plan.inventory import Inventory, parse_inventory
from ..plan.offer import Vendor, parse_vendor

Result = Mapping[str, Any]
_LONGEST = 600
"""Characters of a reason; what a registry sends in place of an answer may be a whole page."""
_NOT_ASKED = "not asked"


@dataclass(frozen=True)
class Answer:
    """`value`: what was answered, None where nothing was, and then `reason` says why. `where`: who was asked."""

    value: Any = None
    reason: str = ""
    where: str | None = None


@dataclass(frozen=True)
class Answers:
    """Results besides those of clusters. `platform` and `modules`: one for each source, of `release_channel_info` and
    `module_releases_info`; `inventories`: of `mirror_inventory_info`, by the host that asked.

    `not_asked`: why a part has no result, by the name of the part.
    """

    platform: Sequence[Result] = ()
    modules: Sequence[Result] = ()
    inventories: Mapping[str, Result] = field(default_factory=dict)
    not_asked: Mapping[str, str] = field(default_factory=dict)


def failure(result: Result) -> str:
    """Why a task has no answer, in one line; empty where it has one."""
    if not (result.get("failed") or result.get("unreachable")):
        return str(result.get("skip_reason") or _NOT_ASKED) if result.get("skipped") else ""
    told = " ".join(str(result.get("msg") or "it failed, and said nothing").split())
    more = str(result.get("module_stderr") or "").strip().splitlines()
    if more and more[-1] not in told:  # a module that broke off says why in its last line
        told = f"{told}: {more[-1].strip()}"
    return f"{told[:_LONGEST]}..." if len(told) > _LONGEST else told


def vendor_of(answers: Answers, facts: ClusterFacts | None, source: str | None) -> tuple[Answer, Answer]:
    """What the source of a cluster offers: its platform and its modules, each a `Vendor`."""
    edition = facts.edition if facts is not None else None
    platform = _one_source(answers.platform, source, edition, answers.not_asked.get("vendor"))
    modules = _one_source(answers.modules, source, edition, answers.not_asked.get("vendor_modules"))
    if modules.value is None and platform.value is None and modules.where is None:
        modules = platform  # nobody asks for modules where the platform has not answered: one reason for both
    return _read(platform, "platform", facts), _read(modules, "modules", facts)


def inventory_of(answers: Answers, facts: ClusterFacts | None, host: str | None) -> Answer:
    """What the private registry of a cluster holds, an `Inventory`.

    It is the one that `host` read; else the only one; else the one that the cluster itself names as its registry.
    """
    found = answers.inventories
    if not found:
        return Answer(reason=answers.not_asked.get("registry") or _NOT_ASKED)
    if host:
        if host not in found:
            return Answer(reason=f"{host} read no private registry; there are {listed(sorted(found))}")
        return _inventory(found[host], host)
    if len(found) == 1:
        return _inventory(*[(result, name) for name, result in found.items()][0])
    used = facts.registry.images_repo if facts is not None and facts.registry is not None else None
    read = {name: _inventory(result, name) for name, result in found.items()}
    for answer in read.values():
        if used is not None and answer.where == used:
            return answer
    silent = "".join(f"; {name}: {each.reason}" for name, each in read.items() if each.value is None)
    told = f"none of those that {listed(sorted(found))} read is known to be {used or 'that of the cluster'}"
    return Answer(reason=f"{told}; name the host that serves it (dkp_registry_host){silent}")


def _one_source(results: Sequence[Result], source: str | None, edition: str | None, reason: str | None) -> Answer:
    """The result for `source`; without one that of the cluster's edition; else the only one."""
    if not results:
        return Answer(reason=reason or _NOT_ASKED, where=source)
    if source is not None:
        fitting = [each for each in results if _asked(each) in (source, None)]
    else:
        fitting = [each for each in results if len(results) == 1 or (edition and _edition(each) == edition)]
    if len(fitting) == 1:
        result, told = fitting[0], failure(fitting[0])
        return Answer(None if told else result, told, _asked(result) or source)
    asked = listed([str(_asked(each)) for each in results])
    if source is not None:
        return Answer(reason=f"{source} was not among what was read: {asked}")
    return Answer(reason=f"which of {asked} is the source of the edition {edition or 'that it has'} is not known")


def _asked(result: Result) -> str | None:
    """The registry that a result is about; of one that failed in a loop, the item."""
    found = result.get("images_repo") or result.get("item")
    return found if isinstance(found, str) else None


def _edition(result: Result) -> str | None:
    """What a result says, or else the address that was asked."""
    stated = result.get("edition") or EDITIONS.get((_asked(result) or "").rpartition("/")[2])
    return str(stated) if stated else None


def _read(answer: Answer, what: str, facts: ClusterFacts | None) -> Answer:
    if answer.value is None:
        return answer
    platform, modules = (answer.value, None) if what == "platform" else (None, answer.value)
    try:
        vendor: Vendor = parse_vendor(platform, modules)
    except InvalidInput as error:
        return Answer(reason=str(error), where=answer.where)
    edition = facts.edition if facts is not None else None
    if None not in (vendor.edition, edition) and vendor.edition != edition:
        told = f"{answer.where} is the edition {vendor.edition}, and the cluster is {edition}"
        return Answer(reason=f"{told}; name the root of {edition} in dkp_source_images_repos", where=answer.where)
    return Answer(vendor, where=answer.where)


def _inventory(result: Result, host: str) -> Answer:
    told = failure(result)
    if told:
        return Answer(reason=told, where=host)
    document = result if result.get("kind") == INVENTORY else result.get("inventory")
    if document is None:
        return Answer(reason="the inventory is too long for a result of Ansible, and was not read", where=host)
    try:
        inventory: Inventory = parse_inventory(document, where=f"inventory of {host}")
    except InvalidInput as error:
        return Answer(reason=str(error), where=host)
    return Answer(inventory, where=inventory.images_repo or host)
