# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""ModuleSources: where modules come from, and what each lists (dkp-cluster.md §2.4)."""

from __future__ import annotations

from typing import Any

from ..fields import items, mapping, text
from .addresses import repository_address
from .facts import SourceFacts, SourceModule
from .objects import KubernetesObject, Observed
from .values import channel_word, scheme_word, word


def sources(observed: Observed) -> dict[str, SourceFacts] | None:
    """The ModuleSources by name; None when they were not read. Their credentials are left where they are."""
    if not observed.has("ModuleSource"):
        return None
    return {each.name: _source(each) for each in observed.all("ModuleSource")}


def _source(source: KubernetesObject) -> SourceFacts:
    listed: dict[str, SourceModule] = source.read("status.modules", _listed) or {}
    for name, error in (source.read("status.moduleErrors", _errors) or {}).items():  # of older versions
        known = listed.get(name, SourceModule())
        listed[name] = SourceModule(known.version, known.error or error)
    return SourceFacts(
        repo=source.read("spec.registry.repo", repository_address),
        scheme=source.read("spec.registry.scheme", scheme_word) or "https",
        ca=source.read("spec.registry.ca", word),
        channel=source.read("spec.releaseChannel", channel_word),
        phase=source.read("status.phase", word),
        message=source.read("status.message", text) or "",
        modules=dict(sorted(listed.items())),
    )


def _listed(value: Any, where: str) -> dict[str, SourceModule]:
    found = {}
    for item, place in items(value, where):
        module = mapping(item, place)
        stated = [_text(module, key, place) for key in ("error", "pullError")]
        version = _text(module, "version", place)
        found[text(module.get("name"), f"{place}.name")] = SourceModule(version or None, next(filter(None, stated), ""))
    return found


def _errors(value: Any, where: str) -> dict[str, str]:
    found = {}
    for item, place in items(value, where):
        module = mapping(item, place)
        found[text(module.get("name"), f"{place}.name")] = _text(module, "error", place)
    return found


def _text(module: dict[str, Any], key: str, where: str) -> str:
    value = module.get(key)
    return "" if value is None else text(value, f"{where}.{key}")
