# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later


"""The modules' half of the tests' Deckhouse: sources, releases, what becomes of modules (dkp-cluster.md §2, §5.3)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from ansible_collections.dkp.airgap.plugins.module_utils._dkp.release import parse_module_definition
from ansible_collections.dkp.airgap.plugins.module_utils._dkp.version import Version, versions_of_tags

from . import module_objects as objects
from .cluster_content import apply_objects
from .deckhouse_chain import Jumps, Offer, Waiting, module_chain, turn_of
from .deckhouse_platform import Behaviour
from .deckhouse_pods import Pods
from .deckhouse_timing import Policy, now, stamp, unmet_by_module, waits_for
from .deckhouse_view import (
    PENDING,
    View,
    annotate,
    annotations_of,
    deployed_of,
    is_enabled,
    is_ready,
    pending_of,
    phase_of,
    put_status,
    version_in,
    version_of,
)
from .kube_client import KubeClient, KubeObject, KubeObjects
from .registry_content import RegistryContent

PREFIX = "modules.deckhouse.io"
_APPROVAL = f"{PREFIX}/approved"
_FILES = ("version.json", "module.yaml")
_BROKEN = "Some errors occurred. Inspect status for details"


class ModuleController:
    """Acts on one `View` after the other."""

    def __init__(self, client: KubeClient, behaviour: Behaviour) -> None:
        self._client = client
        self._behaviour = behaviour
        self._pods = Pods(client)
        self._since: dict[str, datetime] = {}
        self.deployed: list[str] = []
        """Names of releases in the order in which they were deployed."""

    def discover(self, view: View, content: RegistryContent) -> None:
        """Bring the status of every source up to date, and make objects of what its channels offer."""
        for source in view.objects["ModuleSource"]:
            repository = _path(view, content, source)
            held = {one["name"]: one for one in (source.get("status") or {}).get("modules") or ()}
            modules = [
                self._offered(view, content, source, f"{repository}/{name}", held.get(name, {}))
                for name in sorted(content.tags(repository))
            ]
            message = _BROKEN if any(one.get("error") for one in modules) else ""
            status = {"modules": modules, "modulesCount": len(modules), "message": message, "phase": "Active"}
            if "moduleErrors" in (source.get("status") or {}):
                # Old clusters keep them in a place of their own.
                status["moduleErrors"] = [
                    {"name": one["name"], "error": one.pop("error")} for one in modules if "error" in one
                ]
            put_status(self._client, source, **status, syncTime=stamp())

    def _offered(
        self, view: View, content: RegistryContent, source: KubeObject, repository: str, held: Mapping[str, Any]
    ) -> dict[str, Any]:
        """The entry of one module in the status of its source."""
        name, origin = repository.rpartition("/")[2], source["metadata"]["name"]
        policy = view.policy_of(name)
        overridden = name in view.overridden
        entry = {"name": name, "policy": policy.name, "overridden": overridden}
        self._present(view, name, origin)
        if overridden or not view.is_wanted(name) or not policy.channel or policy.mode == "Ignore":
            return {**entry, "version": held.get("version", ""), "checksum": held.get("checksum", "")}
        digest = content.digest(f"{repository}/release", policy.channel)
        files = content.files(f"{repository}/release", policy.channel, _FILES) if digest else None
        if digest is None or not files or "version.json" not in files:
            return {**entry, "version": "", "checksum": "", "error": f"release:{policy.channel}: not found"}
        offered = version_in(json.loads(files["version.json"])["version"])
        releases = view.releases_of(name)
        entry.update(version=str(offered), checksum=digest)
        if releases and held.get("checksum") == digest and not held.get("error"):
            return entry
        if self._behaviour.frozen_chain and any(_stems_from(one, digest) for one in releases):
            return {**entry, **({"error": held["error"]} if held.get("error") else {})}
        error = self._make_releases(content, source, repository, policy, (offered, digest, files), releases)
        return {**entry, **({"error": error} if error else {})}

    def _make_releases(
        self,
        content: RegistryContent,
        source: KubeObject,
        repository: str,
        policy: Policy,
        offer: tuple[Version, str, Mapping[str, bytes]],
        releases: KubeObjects,
    ) -> str:
        """Make the chain up to the `offer`; returns what is wrong with it."""
        offered, checksum, files = offer
        jumps = _jumps_in(files, repository)
        start = _start(releases)
        chain = module_chain(
            self._behaviour.generation,
            Offer(policy.channel, offered, start, jumps),
            lambda: versions_of_tags(content.tags(repository)),
        )
        for version in chain.versions:
            of_step, digest = files, checksum
            if version != offered:
                digest = content.digest(f"{repository}/release", str(version)) or ""
                of_step = content.files(f"{repository}/release", str(version), _FILES) or {}
            if "version.json" not in of_step:
                return f"module is corrupted: release:{version} is not in the registry"
            if all(version_of(one) != version for one in releases):
                cause = chain.cause
                self._make(source, repository, version, of_step, digest, policy, cause, first=not releases)
        return chain.error

    def _make(
        self,
        source: KubeObject,
        repository: str,
        version: Version,
        files: Mapping[str, bytes],
        digest: str,
        policy: Policy,
        cause: str,
        *,
        first: bool,
    ) -> None:
        name = repository.rpartition("/")[2]
        definition = parse_module_definition(files.get("module.yaml", b""), where=f"{repository}:{version}")
        made = objects.module_release(
            name,
            str(version),
            phase="Pending",
            source=source["metadata"]["name"],
            policy=policy.name,
            requirements=definition.requirements(),
            jumps=[(jump.start, jump.end) for jump in definition.jumps],
            cause=cause,
            **({"apply-now": "true"} if first else {}),
        )
        made["metadata"]["labels"]["release-checksum"] = _checksum(digest)
        made["metadata"]["ownerReferences"][0]["uid"] = source["metadata"]["uid"]
        made["status"]["transitionTime"] = stamp()
        apply_objects(self._client, [made])

    def _present(self, view: View, name: str, origin: str) -> None:
        """The Module of what a source offers, as soon as it does."""
        if view.module(name) is None:
            enabled = view.is_wanted(name)
            phase = "Downloading" if enabled else "Available"
            made = objects.module(name, source=origin, version="", phase=phase, enabled=enabled)
            apply_objects(self._client, [made])

    def reconcile(self, view: View, content: RegistryContent) -> None:
        """Go through what waits, module by module, and bring modules to what is deployed."""
        for name in sorted({one["spec"]["moduleName"] for one in view.objects["ModuleRelease"]} - view.overridden):
            releases = view.releases_of(name)
            repository = self._repository(view, content, releases[-1])
            for release in pending_of(releases):
                if self._judge(view, release, releases):
                    self._deploy(view, release, releases)
                    break
            self._converge(view, content, name, repository)

    def _repository(self, view: View, content: RegistryContent, release: KubeObject) -> str:
        """The repository that holds the modules of the source of `release`."""
        origin = release["metadata"]["labels"]["source"]
        for source in view.objects["ModuleSource"]:
            if source["metadata"]["name"] == origin:
                return _path(view, content, source)
        return ""

    def _judge(self, view: View, release: KubeObject, releases: KubeObjects) -> bool:
        """Whether to deploy `release` now; else its status says why not."""
        name, told = release["spec"]["moduleName"], annotations_of(release)
        policy = view.policy_of(name)
        approved = told.get(_APPROVAL) == "true"
        put_status(self._client, release, phase="Pending", approved=approved)
        if told.get(f"{PREFIX}/force") == "true":
            return True
        deployed = deployed_of(releases)
        pending = [Waiting(version_of(one), _jumps_of(one)) for one in pending_of(releases)]
        this = Waiting(version_of(release), _jumps_of(release))
        start = version_of(deployed) if deployed else None
        turn = turn_of(this, pending, start, channel=policy.channel, is_module=True)
        if turn.verdict == "skip":
            self._put(release, phase="Skipped", message="")
            return False
        module = view.module(name)
        message = turn.message
        if not message and start and not turn.is_patch and module and not is_ready(module):
            message = f"awaiting for module {start} to be ready"
        message = message or unmet_by_module(release["spec"].get("requirements") or {}, view.state)
        if not message and told.get(f"{PREFIX}/apply-now") != "true":
            message = waits_for(policy, is_patch=turn.is_patch, approved=approved, annotation=_APPROVAL, moment=now())
        put_status(self._client, release, message=message)
        return not message

    def _deploy(self, view: View, release: KubeObject, releases: Sequence[KubeObject]) -> None:
        version, name = version_of(release), release["spec"]["moduleName"]
        for other in releases:
            if phase_of(other) == "Deployed":
                self._put(other, phase="Superseded", message="")
            elif phase_of(other) in PENDING and version_of(other) < version:
                self._put(other, phase="Skipped", message="")
        annotate(self._client, release, PREFIX, isUpdating="true", notified="false", apply_now=None, force=None)
        self._put(release, phase="Deployed", approved=True, message="")
        self.deployed.append(release["metadata"]["name"])
        self._since[name] = now()
        module = view.module(name)
        if module:
            put_status(self._client, module, phase="Downloading")

    def _put(self, release: KubeObject, **status: Any) -> None:
        """The phase stands in a label too."""
        label = str(status["phase"]).lower()
        if release["metadata"].get("labels", {}).get("status") != label:
            patch = {"metadata": {"labels": {"status": label}}}
            self._client.patch("ModuleRelease", release["metadata"]["name"], patch=patch)
        put_status(self._client, release, **status)

    def _converge(self, view: View, content: RegistryContent, name: str, repository: str) -> None:
        """Bring the Module to its deployed release."""
        release, module = deployed_of(view.releases_of(name)), view.module(name)
        if release is None or module is None or not is_enabled(module):
            return
        version, properties = version_of(release), module.get("properties") or {}
        told = annotations_of(release).get(f"{PREFIX}/isUpdating") == "true"
        if told or properties.get("version") not in (None, str(version)) or phase_of(module) == "DownloadingError":
            since = self._since.setdefault(name, now())
            if content.digest(f"{repository}/{name}", str(version)) is None:
                self._phase(module, "DownloadingError", f"{repository}/{name}:{version} is not in the registry")
                return
            if now() - since < timedelta(seconds=self._behaviour.module_seconds):
                return
            if (module.get("status") or {}).get("conditions"):
                patch = {"properties": {"version": str(version)}}
                self._client.patch("Module", name, patch=patch)
                self._phase(module, "Ready", "")
            annotate(self._client, release, PREFIX, isUpdating="false", notified="true")
        self._pods.module(name, version, content, repository)

    def _phase(self, module: KubeObject, phase: str, message: str) -> None:
        conditions = [dict(one) for one in (module.get("status") or {}).get("conditions") or ()]
        for condition in conditions:
            if condition["type"] in ("IsReady", "LastReleaseDeployed"):
                condition.update(status=str(phase == "Ready"), message=message)
        put_status(self._client, module, phase=phase, conditions=conditions)


def _path(view: View, content: RegistryContent, source: KubeObject) -> str:
    """The repository of a source's modules; what a cluster calls its registry may be a virtual name."""
    repo = str(source["spec"]["registry"]["repo"])
    if repo.startswith(f"{view.images_repo}/"):
        return content.access.path + repo[len(view.images_repo) :]
    return repo.partition("/")[2]


def _start(releases: KubeObjects) -> Version | None:
    """The deployed release; before there is one, the lowest that waits."""
    deployed = deployed_of(releases)
    return version_of(deployed) if deployed else min(map(version_of, releases), default=None)


def _jumps_in(files: Mapping[str, bytes], where: str) -> Jumps:
    definition = parse_module_definition(files.get("module.yaml", b""), where=where)
    return [(jump.start, jump.end) for jump in definition.jumps]


def _jumps_of(release: KubeObject) -> Jumps:
    return [(one["from"], one["to"]) for one in (release["spec"].get("update") or {}).get("versions") or ()]


def _checksum(digest: str) -> str:
    return hashlib.md5(digest.encode()).hexdigest()


def _stems_from(release: KubeObject, digest: str) -> bool:
    return release["metadata"].get("labels", {}).get("release-checksum") == _checksum(digest)
