# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""DeckhouseReleases and ModuleReleases that a cluster holds, with the phase they are in (dkp-cluster.md §1, §2.1)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..._oci.errors import InvalidContent
from ..fields import text
from ..version import Version
from .facts import ModuleRequirements, ReleaseFacts
from .objects import KubernetesObject, Observed, Readable
from .values import label_texts, lenient_version, truth, word

PENDING = "Pending"
DEPLOYED = "Deployed"
PLATFORM_PREFIX = "release.deckhouse.io"
MODULES_PREFIX = "modules.deckhouse.io"


def platform_releases(observed: Observed) -> tuple[ReleaseFacts, ...] | None:
    """The DeckhouseReleases, ascending; None when they were not read."""
    if not observed.has("DeckhouseRelease"):
        return None
    stated = (release_facts(each, PLATFORM_PREFIX) for each in observed.all("DeckhouseRelease"))
    return tuple(sorted(stated, key=_order))


@dataclass(frozen=True)
class ModuleRelease:
    """One ModuleRelease: the object and what it says."""

    content: KubernetesObject
    facts: ReleaseFacts


def releases_by_module(observed: Observed) -> dict[str, list[ModuleRelease]]:
    """The ModuleReleases of each module, ascending by version."""
    found: dict[str, list[ModuleRelease]] = {}
    for each in observed.all("ModuleRelease"):
        found.setdefault(_module_of(each), []).append(ModuleRelease(each, release_facts(each, MODULES_PREFIX)))
    return {name: sorted(each, key=lambda one: _order(one.facts)) for name, each in found.items()}


def requirements(stated: Readable, *, below: str = "spec.requirements") -> ModuleRequirements:
    """What a ModuleRelease requires, or what a Module shows `below` another path."""
    return ModuleRequirements(
        deckhouse=stated.read(f"{below}.deckhouse", word),
        kubernetes=stated.read(f"{below}.kubernetes", word),
        modules=stated.read(f"{below}.modules", label_texts) or {},
    )


def _order(release: ReleaseFacts) -> tuple[Version, str, str]:
    """By version; the rest makes it the same whatever order they came in."""
    return (release.version, release.phase, release.message)


def release_facts(release: KubernetesObject, prefix: str) -> ReleaseFacts:
    """What a release says of itself; its annotations begin with `prefix`.

    Approved is what an operator has said: the field (of the platform's releases only) or the annotation.
    """
    version = release.read("spec.version", lenient_version)
    if version is None:
        raise InvalidContent(f"{release.label}: spec.version: is missing")
    return ReleaseFacts(
        version=version,
        phase=release.read("status.phase", word) or PENDING,
        message=release.read("status.message", text) or "",
        approved=bool(release.read("approved", truth)) or _annotated(release, f"{prefix}/approved"),
        apply_after=release.read("spec.applyAfter", word),
        updating=_annotated(release, f"{prefix}/isUpdating"),
    )


def _annotated(release: KubernetesObject, annotation: str) -> bool:
    return bool(release.read(f'metadata.annotations."{annotation}"', truth))


def _module_of(release: KubernetesObject) -> str:
    module: Any = release.read("spec.moduleName", word) or release.read("metadata.labels.module", word)
    if not module:
        raise InvalidContent(f"{release.label}: spec.moduleName: is missing")
    return str(module)
