# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Judgements of single requirements, and the situation they are judged in (dkp-cluster.md §4)."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..._oci.errors import InvalidInput
from ..cluster.facts import AUTOMATIC, ClusterFacts, ModuleFacts
from ..constraint import parse_range
from ..nearest import listed
from ..version import Version, parse_version

MET, NOT_MET, UNKNOWN = "met", "not_met", "unknown"
ASK = "Only the cluster can tell: approve the release in a server-side dry run, or look at its message once it is there"


@dataclass(frozen=True)
class Verdict:
    """`state` is met, not_met or unknown; `message` says why, `hint` what to do."""

    state: str
    message: str = ""
    hint: str = ""


FINE = Verdict(MET)


@dataclass(frozen=True)
class Situation:
    """The cluster at the moment before a step.

    `deckhouse`: the version it runs by then. `modules`: those that by then are other than the facts say, by name, and
    `stated` what they then require. `automatic`: the Kubernetes version that ``Automatic`` may have led to by then, by
    the steps before (a minor). `migrated`: modules that the plan brings to a ModuleSource.
    """

    facts: ClusterFacts
    deckhouse: Version
    modules: Mapping[str, Version] = field(default_factory=dict)
    stated: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    automatic: str | None = None
    migrated: frozenset[str] = frozenset()

    @property
    def is_automatic(self) -> bool | None:
        """Whether Kubernetes follows DKP; None when that was not observed."""
        setting = self.facts.kubernetes.version
        return None if setting is None else setting == AUTOMATIC

    def module(self, name: str) -> ModuleFacts | None:
        """What is known of a module; None when it is not known."""
        return (self.facts.modules or {}).get(name)

    def is_enabled(self, name: str) -> bool | None:
        """Whether the module runs; None when modules were not observed."""
        if self.facts.modules is None:
            return None
        module = self.module(name)
        return module is not None and module.enabled

    def version_of(self, name: str) -> Version | None:
        """The version that the module has by then; that of an embedded one is DKP's (§4.4)."""
        module = self.module(name)
        if module is not None and module.embedded and name not in self.modules:
            return self.deckhouse
        return self.modules.get(name) or (module.version if module is not None else None)

    def requirement_of(self, name: str, key: str) -> str | None:
        """What the module requires of ``deckhouse`` or ``kubernetes`` by then; None for nothing."""
        if name in self.stated:
            constraint = self.stated[name].get(key)
            return constraint if isinstance(constraint, str) else None
        module = self.module(name)
        if module is None:
            return None
        return module.requirements.deckhouse if key == "deckhouse" else module.requirements.kubernetes

    def dependencies_of(self, name: str) -> Mapping[str, str]:
        """What the module requires of other modules by then: constraint by name."""
        if name in self.stated:
            return self.stated[name].get("modules") or {}
        module = self.module(name)
        return module.requirements.modules if module is not None else {}


def not_observed(what: str) -> Verdict:
    """The verdict about something that the facts do not tell."""
    return Verdict(UNKNOWN, f"{what} was not observed", f"Read it into the facts ({what}), or ask the cluster")


def named(offenders: Iterable[str]) -> str:
    """Offending nodes, modules or controllers, for messages."""
    return listed(sorted(offenders))


@functools.lru_cache(maxsize=65536)
def admits(constraint: str, version: Version) -> bool | None:
    """Whether a constraint of module.yaml holds for `version`; None when it cannot be read.

    Only the release counts: a suffix of the cluster's own build (``1.29.3-eks-1``) makes it no pre-release here.
    """
    try:
        return parse_range(constraint, where="requirement").admits(Version(*version.release))
    except InvalidInput:
        return None


@functools.lru_cache(maxsize=4096)
def release_of(text: str | None) -> tuple[int, int, int] | None:
    """Major, minor and patch of a version as requirements and nodes write it (``1.29``, ``v1.31.6``); None if none."""
    version = parse_version(text.strip().partition("-")[0]) if text else None
    return version.release if version is not None else None
