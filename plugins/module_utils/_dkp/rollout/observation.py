# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One look at a cluster in the middle of its update: what the states of a rollout are made of (dkp-cluster.md §10)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..cluster import platform
from ..cluster.conditions import alerts, approval_webhook
from ..cluster.facts import ModuleFacts, ReleaseFacts
from ..cluster.modules import modules as modules_of
from ..cluster.objects import KINDS, KubernetesObject, Observed, observe
from ..cluster.registry import registry
from ..cluster.releases import (
    DEPLOYED,
    MODULES_PREFIX,
    PENDING,
    PLATFORM_PREFIX,
    platform_releases,
    release_facts,
    releases_by_module,
)
from ..cluster.values import truth, version_or_none, word
from ..fields import items, mapping, number, text
from ..version import Version
from .queue import Queue

SUSPENDED = "Suspended"
_PULL_FAILURES = frozenset({"ImagePullBackOff", "ErrImagePull"})
_SYSTEM_PREFIX = "d8-"
_UPDATING = "UpdatingFailed"
_OBSERVED_KINDS = (*KINDS, "Pod", "Namespace")


@dataclass(frozen=True)
class Release:
    """A DeckhouseRelease or ModuleRelease and the name of its object. `changed_at`: of its phase, as written there."""

    name: str
    facts: ReleaseFacts
    apply_now: bool = False
    changed_at: str | None = None

    @property
    def version(self) -> Version:
        return self.facts.version

    @property
    def phase(self) -> str:
        return self.facts.phase


@dataclass(frozen=True)
class Rollout:
    """The Deployment of Deckhouse: whether what it was switched to runs, and if not, how far it is."""

    is_complete: bool
    told: str = ""


@dataclass(frozen=True)
class ModuleLook:
    """A module. `shown` is the version that its Module shows, `releases` those that exist, ascending."""

    facts: ModuleFacts
    releases: tuple[Release, ...] = ()
    shown: Version | None = None
    is_critical: bool = False
    message: str = ""


@dataclass(frozen=True)
class SourceLook:
    """A ModuleSource: when it was read last, and what went wrong then, in all and by module."""

    sync_time: str | None = None
    message: str = ""
    errors: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class PullFailure:
    """A container whose image cannot be pulled."""

    namespace: str
    pod: str
    image: str
    reason: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.pod}: {self.image} ({self.reason})"


@dataclass(frozen=True)
class Observation:
    """All that one look tells. `version` is the one that is reconciled, `switched` that of the Deployment's image.

    `pull_failures` are those of DKP itself, `queue` is None where it could not be read.
    """

    name: str
    version: Version | None = None
    switched: Version | None = None
    uuid: str | None = None
    resource_version: str | None = None
    channel: str | None = None
    update_mode: str = platform.DEFAULT_MODE
    registry_mode: str | None = None
    releases: tuple[Release, ...] = ()
    rollout: Rollout = Rollout(True)
    modules: Mapping[str, ModuleLook] = field(default_factory=dict)
    sources: Mapping[str, SourceLook] = field(default_factory=dict)
    pull_failures: tuple[PullFailure, ...] = ()
    queue: Queue | None = None

    @property
    def deployed(self) -> Release | None:
        """The release of the platform that is deployed."""
        return highest_deployed(self.releases)

    @property
    def at(self) -> Version | None:
        """How far the platform is: what is deployed, or what runs where no release tells."""
        return self.deployed.version if self.deployed is not None else self.version


def highest_deployed(releases: Iterable[Release]) -> Release | None:
    """The release that is deployed; the highest, should two say so (§1.2)."""
    return max((each for each in releases if each.phase == DEPLOYED), key=lambda one: one.version, default=None)


def next_release(releases: Iterable[Release], after: Version | None) -> Release | None:
    """The one release that may be deployed next.

    Of the lowest minor with something above `after`: the highest patch that is pending, else the highest suspended one
    (§1.5: of one minor the highest patch wins, and a lower minor goes first).
    """
    ahead = [
        each for each in releases if each.phase in (PENDING, SUSPENDED) and (after is None or each.version > after)
    ]
    if not ahead:
        return None
    lowest = min(each.version.series for each in ahead)
    return max(
        (each for each in ahead if each.version.series == lowest), key=lambda one: (one.phase == PENDING, one.version)
    )


def look(objects: Any, *, name: str, queue: Queue | None = None) -> Observation:
    """What lists of objects by kind tell (as `cluster.reading.cluster_facts` takes them, and Pods and Namespaces).

    Raises InvalidContent naming object and field for a value of a wrong type.
    """
    observed = observe(objects, _OBSERVED_KINDS)
    known_registry = registry(observed)
    return Observation(
        name=name,
        version=platform.platform_version(observed, platform_releases(observed)),
        switched=platform.switched_version(observed),
        uuid=platform.cluster_uuid(observed),
        resource_version=platform.resource_version(observed),
        channel=platform.platform_channel(observed),
        update_mode=platform.update_mode(observed),
        registry_mode=known_registry.mode if known_registry is not None else None,
        releases=_ascending(_release(each, PLATFORM_PREFIX) for each in observed.all("DeckhouseRelease")),
        rollout=_rollout(platform.deployment(observed)),
        modules=_modules(observed),
        sources={each.name: _source(each) for each in observed.all("ModuleSource")},
        pull_failures=_pull_failures(observed),
        queue=queue,
    )


def _release(release: KubernetesObject, prefix: str) -> Release:
    return Release(
        release.name,
        release_facts(release, prefix),
        apply_now=bool(release.read(f'metadata.annotations."{prefix}/apply-now"', truth)),
        changed_at=release.read("status.transitionTime", word),
    )


def _ascending(releases: Iterable[Release]) -> tuple[Release, ...]:
    return tuple(sorted(releases, key=lambda one: (one.version, one.name)))


def _rollout(deployment: KubernetesObject | None) -> Rollout:
    """Complete when all replicas are of the newest generation and ready (§10.3); without a Deployment nothing is."""
    if deployment is None:
        return Rollout(False, "there is no Deployment d8-system/deckhouse")
    wanted = deployment.read("spec.replicas", number)
    desired = 1 if wanted is None else wanted
    updated, ready = (deployment.read(f"status.{key}Replicas", number) or 0 for key in ("updated", "ready"))
    generation = deployment.read("metadata.generation", number)
    seen = deployment.read("status.observedGeneration", number)
    if None not in (generation, seen) and seen < generation:
        return Rollout(False, "the Deployment of Deckhouse was changed a moment ago")
    if updated == ready == desired:
        return Rollout(True)
    return Rollout(False, f"of {desired} pods of Deckhouse {updated} are of the new version and {ready} ready")


def _modules(observed: Observed) -> dict[str, ModuleLook]:
    known, released = observed.by_name("Module"), releases_by_module(observed)
    return {name: _module(facts, known.get(name), released.get(name, ())) for name, facts in _facts(observed).items()}


def _facts(observed: Observed) -> Mapping[str, ModuleFacts]:
    return modules_of(observed) or {}


def _module(facts: ModuleFacts, module: KubernetesObject | None, released: Iterable[Any]) -> ModuleLook:
    releases = _ascending(_release(each.content, MODULES_PREFIX) for each in released)
    if module is None:
        return ModuleLook(facts, releases)
    not_ready = "status.conditions[?type=='IsReady' && status!='True'].message | [0]"
    return ModuleLook(
        facts,
        releases,
        shown=module.read("properties.version", version_or_none),
        is_critical=bool(module.read("properties.critical", truth)),
        message=module.read(f"{not_ready} || status.message", word) or "",
    )


def _source(source: KubernetesObject) -> SourceLook:
    errors = {**_errors(source, "status.modules"), **_errors(source, "status.moduleErrors")}
    return SourceLook(
        sync_time=source.read("status.syncTime", word), message=source.read("status.message", word) or "", errors=errors
    )


def _errors(source: KubernetesObject, expression: str) -> dict[str, str]:
    """What a ModuleSource says went wrong with modules (§2.4), in the places of older and newer versions."""

    def read(value: Any, where: str) -> dict[str, str]:
        found = {}
        for item, place in items(value, where):
            module = mapping(item, place)
            error = module.get("error") or module.get("pullError")
            if error:
                found[text(module.get("name"), f"{place}.name")] = text(error, f"{place}.error")
        return found

    return source.read(expression, read) or {}


def _pull_failures(observed: Observed) -> tuple[PullFailure, ...]:
    """Those in namespaces of DKP: named d8-*, or labelled so where Namespaces were read."""
    heritage = {each.name for each in observed.all("Namespace") if each.read("metadata.labels.heritage", text)}
    found = []
    for each in observed.all("Pod"):
        if each.namespace.startswith(_SYSTEM_PREFIX) or each.namespace in heritage:
            found += [PullFailure(each.namespace, each.name, *failure) for failure in failures_of(each)]
    return tuple(found)


def failures_of(pod: KubernetesObject) -> list[tuple[str, str]]:
    """Image and reason of the containers of a pod whose image cannot be pulled."""

    def read(value: Any, where: str) -> list[tuple[str, str]]:
        found = []
        for item, place in items(value, where):
            container = mapping(item, place)
            waiting = mapping(container.get("state") or {}, f"{place}.state").get("waiting") or {}
            reason = mapping(waiting, f"{place}.state.waiting").get("reason")
            if reason in _PULL_FAILURES:
                found.append((str(container.get("image") or "image unknown"), str(reason)))
        return found

    stated = (pod.read(f"status.{key}", read) or [] for key in ("initContainerStatuses", "containerStatuses"))
    return [each for some in stated for each in some]


def judges_approvals(objects: Mapping[str, Any]) -> bool:
    """Whether the cluster has the webhook that judges approvals (§1.8); without it every dry run is a success."""
    return approval_webhook(observe(objects, ("ValidatingWebhookConfiguration",))) is True


def update_alerts(objects: Mapping[str, Any]) -> tuple[str, ...]:
    """What alerts say that fire because of updates."""
    found = alerts(observe(objects, ("ClusterAlert",))) or ()
    return tuple(f"{each.name}: {each.summary}" for each in found if _UPDATING in each.name)


def has_failure_elsewhere(objects: Mapping[str, Any]) -> bool:
    """Whether a pod outside of namespaces d8-* lacks its image, so that it matters whose namespace that is."""
    pods = observe({"Pod": objects.get("Pod") or []}, ("Pod",)).all("Pod")
    return any(not each.namespace.startswith(_SYSTEM_PREFIX) and failures_of(each) for each in pods)
