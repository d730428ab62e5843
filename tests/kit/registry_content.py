# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later


"""What a registry holds, as one who has to run it needs to know: over HTTP as a cluster asks, or from its storage.

Both answer alike: `RegistryContent` asks the registry, `StoredContent` reads the directory of a Distribution registry,
which costs next to nothing and no line of the access log.
"""

from __future__ import annotations

import base64
import io
import json
import tarfile
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import requests

_MANIFESTS = (
    "application/vnd.docker.distribution.manifest.v2+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.oci.image.index.v1+json",
)
_TOP = Path("docker/registry/v2")
_GZIP = b"\x1f\x8b"
_TIMEOUT = 10
_ATTEMPTS = 100


class RegistryTrouble(Exception):
    """The registry did not answer, or not as it should; asking again later may help."""


class Content(Protocol):
    """Repositories are full paths without a host; references are tags or digests."""

    def tags(self, repository: str) -> frozenset[str]:
        """All tags; none where there is no such repository."""

    def digest(self, repository: str, reference: str) -> str | None:
        """The digest of a manifest, None if it is not there."""

    def files(self, repository: str, reference: str, names: Collection[str]) -> dict[str, bytes] | None:
        """Those of the files `names` that the image holds; None if the image is not there."""


@dataclass(frozen=True)
class Access:
    """How a cluster gets to its registry: ``host/path`` and what its Secret says of it."""

    images_repo: str
    scheme: str = "http"
    username: str = ""
    password: str = ""
    authority: Path | None = None

    @property
    def host(self) -> str:
        return self.images_repo.partition("/")[0]

    @property
    def path(self) -> str:
        """The repository that is the edition's root."""
        return self.images_repo.partition("/")[2]


def access_of(secret: Mapping[str, Any], *, directory: Path) -> Access:
    """What the Secret ``deckhouse-registry`` says; its authority is written into `directory`."""
    said = {key: base64.b64decode(value).decode() for key, value in secret["data"].items()}
    auth = json.loads(said[".dockerconfigjson"]).get("auths", {}).get(said["address"], {}).get("auth", "")
    username, _unused, password = base64.b64decode(auth).decode().partition(":")
    authority = None
    if said.get("ca"):
        authority = directory / "registry-authority.pem"
        authority.write_text(said["ca"])
    return Access(said["imagesRegistry"], said["scheme"], username, password, authority)


class RegistryContent:
    """Asks the registry of `access`; what is known by digest is asked for once."""

    def __init__(self, access: Access) -> None:
        self.access = access
        self._url = f"{access.scheme}://{access.host}/v2/"
        self._session = requests.Session()
        # Proxies, credentials and certificate bundles of the machine have no say here.
        self._session.trust_env = False
        self._session.verify = str(access.authority) if access.authority else True
        self._session.headers.update({"Accept": ", ".join(_MANIFESTS), "User-Agent": "deckhouse-of-the-tests"})
        if access.username:
            self._session.auth = (access.username, access.password)
        self._files: dict[tuple[str, frozenset[str]], dict[str, bytes]] = {}

    def tags(self, repository: str) -> frozenset[str]:
        """See `Content.tags`; follows pages."""
        found: set[str] = set()
        url: str | None = f"{self._url}{repository}/tags/list"
        while url:
            answer = self._asked("GET", url)
            if answer is None:
                break
            found.update(answer.json().get("tags") or ())
            further = answer.links.get("next", {}).get("url")
            url = requests.compat.urljoin(url, further) if further else None
        return frozenset(found)

    def digest(self, repository: str, reference: str) -> str | None:
        """See `Content.digest`."""
        answer = self._asked("HEAD", f"{self._url}{repository}/manifests/{reference}")
        return None if answer is None else answer.headers["Docker-Content-Digest"]

    def files(self, repository: str, reference: str, names: Collection[str]) -> dict[str, bytes] | None:
        """See `Content.files`."""
        digest = self.digest(repository, reference)
        if digest is None:
            return None
        key = (digest, frozenset(names))
        if key not in self._files:
            manifest = self._asked("GET", f"{self._url}{repository}/manifests/{digest}")
            if manifest is None:
                return None
            found: dict[str, bytes] = {}
            for layer in manifest.json().get("layers", ()):
                blob = self._asked("GET", f"{self._url}{repository}/blobs/{layer['digest']}")
                if blob is None:
                    return None
                found.update(_files_of(blob.content, names))
            self._files[key] = found
        return self._files[key]

    def _asked(self, method: str, url: str) -> requests.Response | None:
        """The answer, None for 404; raises RegistryTrouble."""
        try:
            answer = self._session.request(method, url, timeout=_TIMEOUT)
        except requests.RequestException as error:
            raise RegistryTrouble(f"{method} {url}: {error}") from error
        if answer.status_code == 404:
            return None
        if answer.status_code >= 400:
            raise RegistryTrouble(f"{method} {url}: {answer.status_code} {answer.text[:200]}")
        return answer


class StoredContent:
    """Reads the directory `storage` of a Distribution registry, whether that runs or not.

    A manifest counts as there when all it refers to is there too.
    """

    def __init__(self, storage: Path) -> None:
        self._repositories = storage / _TOP / "repositories"
        self._blobs = storage / _TOP / "blobs/sha256"
        self._files: dict[tuple[str, frozenset[str]], dict[str, bytes]] = {}

    def tags(self, repository: str) -> frozenset[str]:
        """See `Content.tags`."""
        try:
            return frozenset(path.name for path in (self._manifests(repository) / "tags").iterdir())
        except FileNotFoundError:
            return frozenset()

    def digest(self, repository: str, reference: str) -> str | None:
        """See `Content.digest`."""
        digest = self._resolved(repository, reference)
        return digest if digest and self._complete(repository, digest) else None

    def files(self, repository: str, reference: str, names: Collection[str]) -> dict[str, bytes] | None:
        """See `Content.files`."""
        digest = self.digest(repository, reference)
        manifest = self._read(digest) if digest else None
        if digest is None or manifest is None:
            return None
        key = (digest, frozenset(names))
        if key not in self._files:
            found: dict[str, bytes] = {}
            for layer in json.loads(manifest).get("layers", ()):
                content = self._read(layer["digest"])
                if content is None:
                    return None
                found.update(_files_of(content, names))
            self._files[key] = found
        return self._files[key]

    def _resolved(self, repository: str, reference: str) -> str | None:
        if ":" in reference:
            link = self._manifests(repository) / "revisions/sha256" / _hex(reference) / "link"
            return reference if link.exists() else None
        link = self._manifests(repository) / "tags" / reference / "current/link"
        for _unused in range(_ATTEMPTS):
            try:
                digest = link.read_text()
            except FileNotFoundError:
                return None
            if digest:
                return digest
            # Distribution 2 writes in place: this is the moment between two states.
            time.sleep(0.001)
        return None

    def _complete(self, repository: str, digest: str) -> bool:
        raw = self._read(digest) if self._resolved(repository, digest) else None
        if raw is None:
            return False
        manifest = json.loads(raw)
        blobs = [one["digest"] for one in (*filter(None, [manifest.get("config")]), *manifest.get("layers", ()))]
        children = [one["digest"] for one in manifest.get("manifests", ())]
        layers = self._repositories / repository / "_layers/sha256"
        return all((layers / _hex(blob) / "link").exists() and self._data(blob).exists() for blob in blobs) and all(
            self._complete(repository, child) for child in children
        )

    def _manifests(self, repository: str) -> Path:
        return self._repositories / repository / "_manifests"

    def _data(self, digest: str) -> Path:
        return self._blobs / _hex(digest)[:2] / _hex(digest) / "data"

    def _read(self, digest: str) -> bytes | None:
        try:
            return self._data(digest).read_bytes()
        except FileNotFoundError:
            return None


def _hex(digest: str) -> str:
    return digest.partition(":")[2]


def _files_of(layer: bytes, names: Collection[str]) -> dict[str, bytes]:
    """The files `names` in a layer; the last one of a name wins. Layers of noise, as the tests' tree has, hold none."""
    found: dict[str, bytes] = {}
    if not layer.startswith(_GZIP):
        return found
    with tarfile.open(fileobj=io.BytesIO(layer)) as archive:
        for member in archive:
            name = member.name[2:] if member.name.startswith("./") else member.name
            if name in names:
                file = archive.extractfile(member)
                found[name] = file.read() if file else b""
    return found
