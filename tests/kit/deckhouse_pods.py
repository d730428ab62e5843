# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later


"""Pods that tell what a registry lacks: one that waits with ImagePullBackOff for every image that is not there."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ansible_collections.dkp.airgap.plugins.module_utils._dkp.version import Version

from . import cluster_objects as objects
from .cluster_content import apply_objects
from .cluster_objects import SYSTEM
from .deckhouse_view import View
from .kube_client import KubeClient, KubeError
from .registry_content import Content, RegistryContent

PLATFORM_LISTS = ("deckhouse/candi/images_digests.json", "deckhouse/candi/images_tags.json")
MODULE_LISTS = ("images_digests.json", "extra_images.json")
_WAITS = "ImagePullBackOff"


class Pods:
    """Keeps the pods of Deckhouse itself and of what could not be started."""

    def __init__(self, client: KubeClient) -> None:
        self._client = client
        self._checked: dict[str, str] = {}
        """What was complete when it was looked at, by what it is of: images on a node are not pulled again."""
        self._waiting: dict[str, set[tuple[str, str]]] = {}

    def replace_leader(self, *, image: str, ready: bool, waiting: str = "") -> None:
        """The one pod of Deckhouse with `image`; only one that works is the leader."""
        name = f"deckhouse-{hashlib.sha256(image.encode()).hexdigest()[:9]}-x2x7k"
        for pod in self._client.list("Pod", namespace=SYSTEM, label_selector="app=deckhouse"):
            if pod["metadata"]["name"] != name:
                self._delete(SYSTEM, pod["metadata"]["name"])
        labels = {"app": "deckhouse", **({"leader": "true"} if ready else {})}
        pod = objects.pod(name, image=image, labels=labels, waiting=waiting or ("" if ready else "ContainerCreating"))
        pod["spec"]["containers"][0]["name"] = pod["status"]["containerStatuses"][0]["name"] = "deckhouse"
        try:
            held = self._client.get("Pod", name, namespace=SYSTEM)
        except KubeError as error:
            if error.status != 404:
                raise
        else:
            if held["metadata"].get("labels") == labels and held["status"].get("phase") == pod["status"]["phase"]:
                return
            # Of a pod that is there, little may be changed.
            self._delete(SYSTEM, name)
        apply_objects(self._client, [pod])

    def components(self, view: View, content: RegistryContent, version: Version) -> None:
        """Pods of the platform's components."""
        root = content.access.path
        self._keep("platform", str(version), SYSTEM, platform_images(content, root, str(version)), content)

    def module(self, name: str, version: Version, content: RegistryContent, modules_root: str) -> None:
        """Pods of one module."""
        needed = module_images(content, modules_root, name, str(version))
        self._keep(name, str(version), f"d8-{name}", needed, content)

    def _keep(
        self, what: str, version: str, namespace: str, needed: Iterable[tuple[str, str]] | None, content: Content
    ) -> None:
        waiting = self._waiting.setdefault(what, set())
        if self._checked.get(what) == version and not waiting:
            return
        missing = {one for one in needed or () if content.digest(*one) is None}
        for repository, reference in waiting - missing:
            self._delete(namespace, _name_of(what, repository, reference))
        for repository, reference in missing - waiting:
            image = f"registry/{repository}{'@' if ':' in reference else ':'}{reference}"
            name = _name_of(what, repository, reference)
            apply_objects(self._client, [objects.pod(name, image=image, namespace=namespace, waiting=_WAITS)])
        self._waiting[what] = missing
        if needed is not None:
            self._checked[what] = version

    def _delete(self, namespace: str, name: str) -> None:
        try:
            self._client.delete("Pod", name, namespace=namespace)
        except KubeError as error:
            if error.status != 404:
                raise


def platform_images(content: Content, root: str, version: str) -> list[tuple[str, str]] | None:
    """Repository and reference of the components of a platform release; None where its own image is not there."""
    files = content.files(root, version, PLATFORM_LISTS)
    if files is None:
        return None
    return [(root, reference) for raw in files.values() for reference in _leaves(json.loads(raw))]


def module_images(content: Content, modules_root: str, name: str, version: str) -> list[tuple[str, str]] | None:
    """Repository and reference of the images of a module's version; None where the module's own is not there."""
    files = content.files(f"{modules_root}/{name}", version, MODULE_LISTS)
    if files is None:
        return None
    own = json.loads(files.get("images_digests.json", b"{}"))
    extra = json.loads(files.get("extra_images.json", b"{}"))
    return [
        *((f"{modules_root}/{name}", digest) for digest in _leaves(own)),
        *((f"{modules_root}/{name}/extra/{image}", str(tag)) for image, tag in extra.items()),
    ]


def _leaves(document: Mapping[str, Any]) -> Iterator[str]:
    for value in document.values():
        if isinstance(value, Mapping):
            yield from _leaves(value)
        else:
            yield str(value)


def _name_of(what: str, repository: str, reference: str) -> str:
    return f"{what}-{hashlib.sha256(f'{repository}{reference}'.encode()).hexdigest()[:10]}"
