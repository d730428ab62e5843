# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which modules of a cluster a plan looks at, and why it leaves the others alone (dkp-cluster.md §2.8)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ..._oci.errors import InvalidInput
from ..cluster.facts import ClusterFacts, ModuleFacts
from ..constraint import parse_filter
from ..findings import Finding
from ..nearest import listed
from ..version import Version

DEFAULT_SOURCE = "deckhouse"


@dataclass(frozen=True)
class ModuleChoice:
    """The modules to plan: those of `include` (None: every enabled one) without those of `exclude`.

    `source`: the ModuleSource whose registry the vendor's releases were read from. A module that is named and not
    enabled is carried so that it can be.
    """

    include: frozenset[str] | None = None
    exclude: frozenset[str] = frozenset()
    source: str = DEFAULT_SOURCE


@dataclass(frozen=True)
class Asked:
    """A module to plan: what of it runs, and the channel it follows."""

    name: str
    start: Version | None
    channel: str | None


def parse_choice(include: Sequence[str] | None, exclude: Sequence[str] | None, source: str) -> ModuleChoice:
    """Read the options `modules`, `exclude_modules` and `module_source`; raises InvalidInput for what are no names."""
    if include and exclude:
        raise InvalidInput("modules and exclude_modules exclude each other; set one of them")
    return ModuleChoice(
        None if include is None else _names(include, "modules"), _names(exclude or (), "exclude_modules"), source
    )


def modules_to_plan(facts: ClusterFacts, choice: ModuleChoice) -> Iterator[Asked | Finding]:
    """The modules to plan, and findings about enabled ones that get no updates at all."""
    known = facts.modules or {}
    for name, module in known.items():
        if not module.enabled or module.embedded or not _is_chosen(name, choice):
            continue
        reason = _left_out(name, module, choice)
        yield reason if reason is not None else Asked(name, module.version, module.channel or facts.channel)
    for name in sorted(choice.include or ()):
        there = known.get(name)
        if name not in choice.exclude and (there is None or not there.enabled):
            yield Asked(name, None, (there.channel if there is not None else None) or facts.channel)


def migrating(facts: ClusterFacts, names: set[str], choice: ModuleChoice) -> Iterator[Asked]:
    """Of the modules `names`, which leave the platform, those that have to come from a source then (§4.2).

    They are those that the cluster uses. One that it does not know has to be listed by a source as well, or it refuses
    the release.
    """
    for name in sorted(names - choice.exclude):
        module = (facts.modules or {}).get(name)
        uses = module is not None and module.enabled and module.embedded
        misses = module is None and None not in (facts.modules, facts.sources) and not facts.lists_module(name)
        if uses or misses:
            yield Asked(name, None, (module.channel if module is not None else None) or facts.channel)


def _is_chosen(name: str, choice: ModuleChoice) -> bool:
    return name not in choice.exclude and (choice.include is None or name in choice.include)


def _left_out(name: str, module: ModuleFacts, choice: ModuleChoice) -> Finding | None:
    if module.conflict:
        offering = f"the sources {listed(module.conflict)} all offer module {name}"
        message = f"{offering}, and none is chosen: it gets no updates"
        return Finding("conflict", "warning", name, message, f"Set source in the ModuleConfig {name}")
    if module.override is not None:
        message = f"module {name} is held at the tag {module.override} by a ModulePullOverride: it gets no updates"
        hint = f"See that the private registry has {name}:{module.override}, or remove the override"
        return Finding("M11", "info", name, message, hint)
    if module.update_mode == "Ignore":
        message = f"the update policy {module.policy} of module {name} has mode Ignore: it gets no updates"
        return Finding("ignored", "info", name, message, "Nothing to do if that is meant")
    if module.source is not None and module.source != choice.source:
        message = f"module {name} comes from the ModuleSource {module.source}, not from {choice.source}"
        hint = f"Plan it with module_source: {module.source}, and the releases of the registry behind that source"
        return Finding("module_source", "unknown", name, message, hint)
    return None


def _names(words: Sequence[str], option: str) -> frozenset[str]:
    filters = [parse_filter(word, where=option) for word in words]
    for each in filters:
        if each.constraint is not None:
            raise InvalidInput(
                f"{option}: {each.name}@{each.constraint.text} has a constraint; a plan takes versions from channels, "
                f"so write {each.name}"
            )
    return frozenset(each.name for each in filters)
