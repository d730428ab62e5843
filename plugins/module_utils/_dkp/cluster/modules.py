# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Modules: which are on, what they run, and what they really follow (dkp-cluster.md §2).

What is known of a module lies in up to five objects: the Module (of two generations), its ModuleConfig, its
ModuleReleases, its ModulePullOverride, and the ModuleUpdatePolicies.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..version import Version
from .facts import ModuleFacts, ModuleRequirements
from .following import Follower, Following, followed
from .objects import KubernetesObject, Observed, Readable
from .releases import DEPLOYED, PENDING, ModuleRelease, releases_by_module, requirements
from .values import channel_word, label_texts, lenient_version, truth, version_or_none, word, words

EMBEDDED = "Embedded"
_CONFLICT = "Conflict"
_NOT_MODULES = frozenset({"global"})
_ENABLED = "status.conditions[?type=='EnabledByModuleManager'].status | [0]"


@dataclass(frozen=True)
class _Module:
    """The objects that tell of one module; what there is none of is empty, or None."""

    name: str
    module: Readable
    config: Readable
    override: KubernetesObject | None
    releases: tuple[ModuleRelease, ...]
    is_observed: bool

    @property
    def is_new(self) -> bool:
        """Whether the Module is of the new schema (§2.2), which has conditions and names its policy itself."""
        return bool(self.module.read("status.conditions || properties.availableSources", lambda value, where: value))


def modules(observed: Observed) -> dict[str, ModuleFacts] | None:
    """The modules by name; None when neither Modules nor ModuleReleases were read.

    They are those that have a Module, a ModuleRelease or a ModulePullOverride. Where Modules were not read, those
    count too whose ModuleConfig names a source: of others nothing tells whether they are shipped inside of DKP.
    """
    if not (observed.has("Module") or observed.has("ModuleRelease")):
        return None
    known, configs = observed.by_name("Module"), observed.by_name("ModuleConfig")
    overrides, releases = observed.by_name("ModulePullOverride"), releases_by_module(observed)
    names = {*known, *releases, *overrides}
    if not observed.has("Module"):
        names |= {name for name, config in configs.items() if config.read("spec.source", word)}
    following = Following.of(observed)
    return {
        name: _facts(
            _Module(
                name,
                known.get(name, Readable(f"Module {name}", {})),
                configs.get(name, Readable(f"ModuleConfig {name}", {})),
                overrides.get(name),
                tuple(releases.get(name, ())),
                is_observed=name in known,
            ),
            following,
        )
        for name in sorted(names - _NOT_MODULES)
    }


def _facts(module: _Module, following: Following) -> ModuleFacts:
    embedded = _is_embedded(module)
    conflict = () if embedded else _conflict(module)
    source = None if embedded or conflict else _source(module)
    pulled = module.override
    released = tuple(each.facts for each in module.releases)
    facts = ModuleFacts(
        enabled=_is_enabled(module),
        version=None if embedded else _version(module),
        source=source,
        embedded=embedded,
        pending=tuple(sorted({each.version for each in released if each.phase == PENDING})),
        releases=released,
        override=pulled.read("spec.imageTag", word) or "" if pulled is not None else None,
        conflict=conflict,
        phase=module.module.read("status.phase", word),
        requirements=_requirements(module),
    )
    return facts if embedded else followed(facts, _follower(module, source), following)


def _is_enabled(module: _Module) -> bool:
    """By condition EnabledByModuleManager, else by the state of the old schema, else by ModuleConfig (§2.2)."""
    condition = module.module.read(_ENABLED, truth)
    if condition is not None:
        return bool(condition)
    state = module.module.read("properties.state", word)
    if state is not None:
        return bool(state == "Enabled")
    return bool(module.config.read("spec.enabled", truth))


def _is_embedded(module: _Module) -> bool:
    """Whether it is shipped inside of DKP: its source is ``Embedded`` or empty (§2.2).

    Not when ModuleConfig chooses a source, and an empty one says nothing while sources offer the module.
    """
    if not module.is_observed or _chosen(module) not in (None, EMBEDDED):
        return False
    stated = module.module.read("properties.source", word)
    return stated == EMBEDDED or (stated is None and not _offered(module) and not module.releases)


def _chosen(module: _Module) -> Any:
    return module.config.read("spec.source", word)


def _offered(module: _Module) -> tuple[str, ...]:
    offered: tuple[str, ...] = module.module.read("properties.availableSources", words) or ()
    return tuple(sorted(set(offered) - {EMBEDDED}))


def _conflict(module: _Module) -> tuple[str, ...]:
    """The sources of which none was chosen, so that nothing is updated (§2.8).

    A Module that runs from one of them, in another phase than Conflict, has its choice made.
    """
    offered = _offered(module)
    if len(offered) < 2 or _chosen(module) is not None:
        return ()
    phase = module.module.read("status.phase", word)
    runs_from = module.module.read("properties.source", word)
    return () if runs_from in offered and phase not in (None, _CONFLICT) else offered


def _source(module: _Module) -> str | None:
    """What ModuleConfig chooses, else what the Module says it comes from, else the only one that offers it (§2.8).

    Without a Module: the label of its newest release, or what an override of v1alpha1 names (§2.6).
    """
    stated = _chosen(module) or module.module.read("properties.source", word)
    if stated is None and len(_offered(module)) == 1:
        return _offered(module)[0]
    if stated is None and module.releases:
        stated = module.releases[-1].content.read("metadata.labels.source", word)
    if stated is None and module.override is not None:
        stated = module.override.read("spec.source", word)
    return str(stated) if stated else None


def _version(module: _Module) -> Version | None:
    """The version of the release that is deployed (the highest, should two say so), else what the Module says.

    Where a ModulePullOverride has put its tag there, that need not be a version.
    """
    deployed = _deployed(module)
    if deployed is not None:
        return deployed.facts.version
    reader = lenient_version if module.override is None else version_or_none
    found: Version | None = module.module.read("properties.version", reader)
    return found


def _deployed(module: _Module) -> ModuleRelease | None:
    return next((each for each in reversed(module.releases) if each.facts.phase == DEPLOYED), None)


def _requirements(module: _Module) -> ModuleRequirements:
    """Those of the release that is deployed; of a module without releases those that the Module shows."""
    deployed = _deployed(module)
    if deployed is not None:
        return requirements(deployed.content)
    return requirements(module.module, below="properties.requirements")


def _follower(module: _Module, source: str | None) -> Follower:
    newest = module.releases[-1].content if module.releases else None
    labels: Mapping[str, str] = (newest.read("metadata.labels", label_texts) or {}) if newest is not None else {}
    own = {"module": module.name, "source": source}
    return Follower(
        configured=module.config.read("spec.updatePolicy", word),
        mirrored=module.module.read("properties.updatePolicy", word),
        shown_channel=module.module.read("properties.releaseChannel", channel_word),
        source=source,
        labels={**labels, **{key: value for key, value in own.items() if value}},
        is_new=module.is_new,
    )
