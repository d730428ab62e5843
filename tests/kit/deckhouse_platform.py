# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later


"""The platform's half of the tests' Deckhouse: finds releases, orders and deploys them (dkp-cluster.md §1, §5.2)."""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from ansible_collections.dkp.airgap.plugins.module_utils._dkp.version import Version, versions_of_tags

from . import cluster_objects as objects
from .cluster_content import apply_objects
from .cluster_objects import CLUSTER_UUID, SYSTEM
from .deckhouse_chain import Offer, Waiting, follows, platform_chain, turn_of
from .deckhouse_pods import Pods
from .deckhouse_timing import now, stamp, unmet_by_platform, waits_for
from .deckhouse_view import (
    PENDING,
    View,
    annotate,
    annotations_of,
    deployed_of,
    pending_of,
    phase_of,
    put_status,
    version_in,
    version_of,
)
from .kube_client import KubeClient, KubeError, KubeObject
from .registry_content import RegistryContent, RegistryTrouble

PREFIX = "release.deckhouse.io"
_APPROVAL = f"{PREFIX}/approved"
_FAILED = "DeckhouseUpdatingFailed"


@dataclass(frozen=True)
class Behaviour:
    """What differs between clusters. Times are seconds."""

    generation: str = "B"
    deploy_seconds: float = 1.0
    """From the switch of the image until the new version has started."""
    module_seconds: float = 0.3
    canary: bool = False
    """Whether new releases wait for the wave of this cluster."""
    frozen_chain: bool = False
    """A target's release that exists already keeps what lies before it from being made (§5.3)."""


class PlatformController:
    """Acts on one `View` after the other; what it remembers is gone after a restart of Deckhouse, as in life."""

    def __init__(self, client: KubeClient, behaviour: Behaviour) -> None:
        self._client = client
        self._behaviour = behaviour
        self._pods = Pods(client)
        self._seen = ""
        self._said = ""
        self._switched: dict[Version, Any] = {}
        self.runs = True
        """Whether there is a pod: without its image, nobody does anything."""
        self.deployed: list[str] = []
        """Versions in the order in which images were switched."""

    def discover(self, view: View, content: RegistryContent) -> None:
        """Make objects of what the channel offers."""
        if not view.policy.channel:
            return
        repository = f"{content.access.path}/release-channel"
        digest = content.digest(repository, view.policy.channel)
        if digest is None:
            self._say(f"release-channel:{view.policy.channel} is not in the registry")
        elif digest != self._seen:
            error = self._follow_channel(view, content, repository)
            self._say("" if error is None else error)
            # Remembered when everything was made, and not before.
            self._seen = digest if error is None else ""

    def _follow_channel(self, view: View, content: RegistryContent, repository: str) -> str | None:
        """None: all is made. A text: what is wrong, empty for what only takes time."""
        document = _document(content, repository, view.policy.channel)
        if document is None:
            return f"release-channel:{view.policy.channel} holds no version.json"
        offered = version_in(document["version"])
        releases = view.objects["DeckhouseRelease"]
        for release in pending_of(releases):
            if version_of(release) > offered:
                self._client.delete("DeckhouseRelease", release["metadata"]["name"])
        kept = [one for one in releases if version_of(one) <= offered or phase_of(one) not in PENDING]
        self._restore(view, content, repository, kept)
        offer = Offer(view.policy.channel, offered, _start(kept))
        by_tags = self._behaviour.generation == "B" and offer.start is not None and offer.channel != "lts"
        if by_tags and offer.start != offered and content.digest(repository, str(offered)) is None:
            # No metric, no object: the silent stall.
            return ""
        chain = platform_chain(self._behaviour.generation, offer, lambda: versions_of_tags(content.tags(repository)))
        for version in chain.versions:
            of_step = document if version == offered else _document(content, repository, str(version))
            if of_step is None:
                return f"release-channel:{version} holds no version.json"
            self._make(view, of_step, chain.cause, known=kept)
        self._suspend(kept, offered, suspended=bool(document.get("suspend")))
        return chain.error or None

    def _make(self, view: View, document: Mapping[str, Any], cause: str, *, known: list[KubeObject]) -> None:
        version = document["version"]
        if any(one["metadata"]["name"] == version for one in known):
            return
        after = ""
        wave = document.get("canary", {}).get(view.policy.channel, {})
        if self._behaviour.canary and wave.get("enabled"):
            number = zlib.crc32(f"{CLUSTER_UUID}{version}".encode()) % wave["waves"]
            after = stamp(now() + timedelta(minutes=number * int(wave["interval"][:-1])))
        made = objects.release(
            version,
            phase="Pending",
            requirements=document.get("requirements") or {},
            apply_after=after,
            cause=cause,
            notified="false",
        )
        if document.get("suspend"):
            made["metadata"]["annotations"][f"{PREFIX}/suspended"] = "true"
        made["status"]["transitionTime"] = stamp()
        apply_objects(self._client, [made])

    def _restore(self, view: View, content: RegistryContent, repository: str, releases: list[KubeObject]) -> None:
        """The object of the running version, where there are others and none of them is deployed."""
        if not releases or deployed_of(releases):
            return
        document = _document(content, repository, str(view.version)) or {}
        made = objects.release(
            str(view.version),
            phase="Deployed",
            approved=True,
            requirements=document.get("requirements") or {},
            cause="check release (restore release)",
        )
        made["metadata"]["annotations"][f"{PREFIX}/current-restored"] = "true"
        apply_objects(self._client, [made])
        releases[:] = [one for one in releases if version_of(one) != view.version] + [made]

    def _suspend(self, releases: list[KubeObject], offered: Version, *, suspended: bool) -> None:
        for release in releases:
            if suspended and version_of(release) == offered and phase_of(release) in PENDING:
                annotate(self._client, release, PREFIX, suspended="true")
            if not suspended and phase_of(release) == "Suspended":
                put_status(self._client, release, phase="Pending", message="")

    def _say(self, error: str) -> None:
        """The alert about what keeps releases from being found."""
        if error == self._said:
            return
        alert = objects.alert(_FAILED, severity=4, summary=error)
        try:
            if error:
                apply_objects(self._client, [alert])
            else:
                self._client.delete("ClusterAlert", alert["metadata"]["name"])
        except KubeError as refused:
            if refused.status != 404:
                raise
        self._said = error

    def reconcile(self, view: View) -> None:
        """Go through what waits, ascending, and deploy at most one."""
        releases = view.objects["DeckhouseRelease"]
        deployed = deployed_of(releases)
        for release in pending_of(releases):
            if annotations_of(release).get(f"{PREFIX}/suspended") == "true":
                annotate(self._client, release, PREFIX, suspended=None)
                put_status(self._client, release, phase="Suspended", message="Release is suspended")
            elif deployed is None and version_of(release) == view.version:
                put_status(self._client, release, phase="Deployed", approved=True, message="")
                return
            elif self._judge(view, release, deployed):
                self._deploy(view, release)
                return

    def _judge(self, view: View, release: KubeObject, deployed: KubeObject | None) -> bool:
        """Whether to deploy `release` now; else its status says why not."""
        told = annotations_of(release)
        approved = bool(release.get("approved")) or told.get(_APPROVAL) == "true"
        put_status(self._client, release, phase="Pending", approved=approved)
        if told.get(f"{PREFIX}/force") == "true":
            return True
        pending = [Waiting(version_of(one)) for one in pending_of(view.objects["DeckhouseRelease"])]
        start = version_of(deployed) if deployed else None
        turn = turn_of(Waiting(version_of(release)), pending, start, channel=view.policy.channel)
        if turn.verdict == "skip":
            put_status(self._client, release, phase="Skipped", message="")
            return False
        message = turn.message
        if not message and not turn.is_patch and not view.pod_is_ready:
            message = f"awaiting for Deckhouse {view.switched_version} pod to be ready"
        name = release["metadata"]["name"]
        message = message or unmet_by_platform(name, release["spec"].get("requirements") or {}, view.state)
        if not message and told.get(f"{PREFIX}/apply-now") != "true":
            message = waits_for(
                view.policy,
                is_patch=turn.is_patch,
                approved=approved,
                annotation=_APPROVAL,
                apply_after=release["spec"].get("applyAfter", ""),
                moment=now(),
            )
        put_status(self._client, release, message=message)
        return not message

    def _deploy(self, view: View, release: KubeObject) -> None:
        version = version_of(release)
        container = {"name": "deckhouse", "image": f"{view.images_repo}:{version}"}
        if view.switched_version != version:
            patch = {"spec": {"template": {"spec": {"containers": [container]}}}}
            self._client.patch("Deployment", "deckhouse", namespace=SYSTEM, patch=patch)
            self.deployed.append(str(version))
        # Deckhouse is on its way down, and with it all that it had in memory.
        self._seen = ""
        self._switched[version] = now()
        self._tell_readiness(ready=False)
        for other in view.objects["DeckhouseRelease"]:
            if phase_of(other) == "Deployed":
                annotate(self._client, other, PREFIX, isUpdating="false")
                put_status(self._client, other, phase="Superseded", message="")
            elif phase_of(other) in PENDING and version_of(other) < version:
                put_status(self._client, other, phase="Skipped", message="")
        consumed = {"apply_now": None, "force": None}
        annotate(self._client, release, PREFIX, isUpdating="true", notified="false", **consumed)
        put_status(self._client, release, phase="Deployed", approved=True, message="")

    def converge(self, view: View, content: RegistryContent) -> None:
        """Let the new pod start, and the version it brings tell of itself."""
        version = view.switched_version
        started = view.version == version and view.pod_is_ready
        if not started:
            self._switched.setdefault(version, now())
            image = f"{view.images_repo}:{version}"
            there = self.runs = content.digest(content.access.path, str(version)) is not None
            late = now() - self._switched[version] >= timedelta(seconds=self._behaviour.deploy_seconds)
            self._pods.replace_leader(image=image, ready=there and late, waiting="" if there else "ImagePullBackOff")
            self._tell_readiness(ready=there and late)
            if not (there and late):
                return
            self._tell_version(view)
        elif view.deployment["status"].get("observedGeneration") != view.deployment["metadata"]["generation"]:
            # What the controller of Deployments would do: annotations count as a generation too.
            self._tell_readiness(ready=True)
        release = deployed_of(view.objects["DeckhouseRelease"])
        if release and annotations_of(release).get(f"{PREFIX}/isUpdating") == "true":
            annotate(self._client, release, PREFIX, isUpdating="false", notified="true")
        self._pods.components(view, content, version)

    def _tell_readiness(self, *, ready: bool) -> None:
        generation = self._client.get("Deployment", "deckhouse", namespace=SYSTEM)["metadata"]["generation"]
        status = {"observedGeneration": generation, "replicas": 1, "updatedReplicas": 1}
        now_ready = {"readyReplicas": 1, "availableReplicas": 1, "unavailableReplicas": None}
        now_down = {"readyReplicas": None, "availableReplicas": None, "unavailableReplicas": 1}
        patch = {"status": {**status, **(now_ready if ready else now_down)}}
        self._client.patch("Deployment", "deckhouse", namespace=SYSTEM, patch=patch, subresource="status")

    def _tell_version(self, view: View) -> None:
        version, annotations = str(view.switched_version), annotations_of(view.deployment)
        edition = annotations.get("core.deckhouse.io/edition", "EE")
        for module in view.objects["Module"]:
            if (module.get("properties") or {}).get("source") == "Embedded":
                properties = {"properties": {"version": version}}
                self._client.patch("Module", module["metadata"]["name"], patch=properties)
        told = {"core.deckhouse.io/version": version, "core.deckhouse.io/edition": edition}
        patch = {"metadata": {"annotations": told}}
        channel = view.settings.get("releaseChannel", "")
        apply_objects(self._client, [objects.version_info(version=version, edition=edition, channel=channel)])
        self._client.patch("Deployment", "deckhouse", namespace=SYSTEM, patch=patch)


def _document(content: RegistryContent, repository: str, tag: str) -> dict[str, Any] | None:
    files = content.files(repository, tag, ("version.json",))
    if not files or "version.json" not in files:
        return None
    document: dict[str, Any] = json.loads(files["version.json"])
    if tag.startswith("v") and document["version"] != tag:
        raise RegistryTrouble(f"{repository}:{tag} says that it is {document['version']}")
    return document


def _start(releases: list[KubeObject]) -> Version | None:
    """The deployed release, or the highest one if no minor is missing on the way there."""
    deployed = deployed_of(releases)
    if deployed is None:
        return max(map(version_of, releases), default=None)
    start = version_of(deployed)
    for release in sorted(releases, key=version_of):
        version = version_of(release)
        if version > start and phase_of(release) in (*PENDING, "Suspended"):
            if not follows(version, start):
                break
            start = version
    return start
