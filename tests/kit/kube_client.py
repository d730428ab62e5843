# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A small client of the Kubernetes API: plain dicts in and out, resources found through discovery."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests

KubeObject = dict[str, Any]
KubeObjects = list[KubeObject]
_DISCOVERY = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
_MERGE_PATCH = "application/merge-patch+json"
_TIMEOUT = 30


class KubeError(Exception):
    """The API server refused: `status` of HTTP, `reason` as Kubernetes names it, the message as text."""

    def __init__(self, status: int, reason: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason


@dataclass(frozen=True)
class Resource:
    """One kind in one version, as the server serves it."""

    kind: str
    api_version: str
    plural: str
    namespaced: bool
    verbs: frozenset[str]
    subresources: frozenset[str]

    @property
    def group(self) -> str:
        return self.api_version.rpartition("/")[0]

    def path(self, name: str = "", *, namespace: str = "", subresource: str = "") -> str:
        prefix = f"/apis/{self.api_version}" if self.group else f"/api/{self.api_version}"
        scope = f"/namespaces/{namespace}" if namespace and self.namespaced else ""
        return "/".join(filter(None, (f"{prefix}{scope}/{self.plural}", name, subresource)))


class KubeClient:
    """The API at `url` for whoever has `token`. A kind is ``Deployment`` or ``deckhouse.io/v1alpha1/Module``."""

    def __init__(self, url: str, *, ca_file: Path, token: str) -> None:
        self._url = url
        self._session = requests.Session()
        # Proxies and certificate bundles of the machine have no say on 127.0.0.1.
        self._session.trust_env = False
        self._session.verify = str(ca_file)
        self._session.headers["Authorization"] = f"Bearer {token}"
        self._resources: tuple[Resource, ...] = ()

    def request(
        self,
        method: str,
        path: str,
        *,
        body: Any = None,
        accept: str = "application/json",
        content_type: str = "application/json",
        **query: str,
    ) -> Any:
        """The decoded answer to one request; raises KubeError for any status of 400 and above."""
        answer = self._session.request(
            method,
            self._url + path,
            data=None if body is None else json.dumps(body),
            headers={"Accept": accept, "Content-Type": content_type},
            params={name: value for name, value in query.items() if value},
            timeout=_TIMEOUT,
        )
        if answer.status_code >= 400:
            raise _error_of(answer)
        return answer.json() if "json" in answer.headers.get("Content-Type", "") else answer.text

    def get(self, kind: str, name: str, *, namespace: str = "", subresource: str = "") -> KubeObject:
        path = self.resource(kind).path(name, namespace=namespace, subresource=subresource)
        return dict(self.request("GET", path))

    def list(self, kind: str, *, namespace: str = "", label_selector: str = "") -> KubeObjects:
        """All objects of a kind, in all namespaces where none is given."""
        resource = self.resource(kind)
        found = self.request("GET", resource.path(namespace=namespace), labelSelector=label_selector)
        return [{"apiVersion": resource.api_version, "kind": resource.kind, **item} for item in found["items"]]

    def create(self, thing: KubeObject, *, dry_run: bool = False) -> KubeObject:
        path = self._resource_of(thing).path(namespace=_namespace(thing))
        return dict(self.request("POST", path, body=thing, dryRun="All" if dry_run else ""))

    def replace(self, thing: KubeObject, *, subresource: str = "") -> KubeObject:
        """Put `thing` in place of what is there, which it need not know."""
        resource, metadata = self._resource_of(thing), dict(thing["metadata"])
        if "resourceVersion" not in metadata:
            held = self.request("GET", resource.path(metadata["name"], namespace=_namespace(thing)))
            # Custom resources are only replaced by who says what is replaced.
            metadata["resourceVersion"] = held["metadata"]["resourceVersion"]
        path = resource.path(metadata["name"], namespace=_namespace(thing), subresource=subresource)
        return dict(self.request("PUT", path, body={**thing, "metadata": metadata}))

    def patch(
        self,
        kind: str,
        name: str,
        *,
        patch: Mapping[str, Any],
        namespace: str = "",
        subresource: str = "",
        dry_run: bool = False,
    ) -> KubeObject:
        """A merge patch."""
        path = self.resource(kind).path(name, namespace=namespace, subresource=subresource)
        query = {"dryRun": "All" if dry_run else ""}
        return dict(self.request("PATCH", path, body=patch, content_type=_MERGE_PATCH, **query))

    def delete(self, kind: str, name: str, *, namespace: str = "") -> None:
        """Delete at once: nothing that would wait for a kubelet or a controller runs here."""
        path = self.resource(kind).path(name, namespace=namespace)
        self.request("DELETE", path, gracePeriodSeconds="0")

    def resource(self, kind: str) -> Resource:
        """How `kind` is served; raises KubeError (404) where the server does not know it."""
        found = self._known(kind)
        if found is None:
            # Definitions of resources come and go.
            self.discover()
            found = self._known(kind)
        if found is None:
            raise KubeError(404, "NotFound", f"the API server serves no {kind}")
        return found

    def discover(self) -> tuple[Resource, ...]:
        """Ask again what the server serves; the preferred version of a group comes first."""
        answers = [self.request("GET", root, accept=_DISCOVERY) for root in ("/api", "/apis")]
        self._resources = tuple(
            _resource(group["metadata"].get("name", ""), version["version"], entry)
            for answer in answers
            for group in answer["items"]
            for version in group.get("versions", ())
            for entry in version.get("resources", ())
        )
        return self._resources

    def _resource_of(self, thing: KubeObject) -> Resource:
        return self.resource(f"{thing['apiVersion']}/{thing['kind']}")

    def _known(self, kind: str) -> Resource | None:
        api_version, _unused, name = kind.rpartition("/")
        for resource in self._resources:
            if resource.kind == name and api_version in ("", resource.api_version):
                return resource
        return None


def _resource(group: str, version: str, entry: Mapping[str, Any]) -> Resource:
    return Resource(
        entry["responseKind"]["kind"],
        f"{group}/{version}" if group else version,
        entry["resource"],
        entry["scope"] == "Namespaced",
        frozenset(entry["verbs"]),
        frozenset(one["subresource"] for one in entry.get("subresources", ())),
    )


def _namespace(thing: KubeObject) -> str:
    return str(thing["metadata"].get("namespace", ""))


def _error_of(answer: requests.Response) -> KubeError:
    try:
        document = answer.json()
    except requests.JSONDecodeError:
        document = {}
    if not isinstance(document, dict):
        document = {}
    return KubeError(answer.status_code, document.get("reason", ""), document.get("message") or answer.text)
