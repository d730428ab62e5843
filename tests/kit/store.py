# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later


"""What a registry holds, in memory; content of trees stays a recipe."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass, field

from .content import Literal, Recipe
from .images import Image
from .tree import Tree


@dataclass(frozen=True)
class StoredManifest:
    """A manifest as it came."""

    raw: bytes
    media_type: str

    def blob_digests(self) -> list[str]:
        """Config and layers; none for an index."""
        document = json.loads(self.raw)
        found = [document["config"], *document.get("layers", [])] if "config" in document else []
        return [descriptor["digest"] for descriptor in found]

    def child_digests(self) -> list[str]:
        return [descriptor["digest"] for descriptor in json.loads(self.raw).get("manifests", [])]


@dataclass
class StoredRepository:
    """One repository: `tags` and `manifests` point to digests, `blobs` are those that were put or mounted here."""

    tags: dict[str, str] = field(default_factory=dict)
    manifests: dict[str, StoredManifest] = field(default_factory=dict)
    blobs: set[str] = field(default_factory=set)

    def find(self, reference: str) -> tuple[str, StoredManifest] | None:
        """Digest and manifest by tag or digest."""
        digest = reference if ":" in reference else self.tags.get(reference, "")
        manifest = self.manifests.get(digest)
        return (digest, manifest) if manifest else None


class Store:
    """Repositories by path, content by digest. Callers of the methods that change something hold one lock."""

    def __init__(self) -> None:
        self.repositories: dict[str, StoredRepository] = {}
        self.content: dict[str, Recipe] = {}

    def repository(self, path: str) -> StoredRepository:
        """The repository, made when it is not there."""
        return self.repositories.setdefault(path, StoredRepository())

    def put_blob(self, path: str, data: bytes) -> str:
        """Store `data` in the repository `path`; returns its digest."""
        digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
        self.content[digest] = Literal(data)
        self.repository(path).blobs.add(digest)
        return digest

    def put_manifest(self, path: str, manifest: StoredManifest, tags: Iterable[str] = ()) -> str:
        """Store `manifest` under its digest and `tags`; whether what it names is there is not looked at."""
        digest = f"sha256:{hashlib.sha256(manifest.raw).hexdigest()}"
        repository = self.repository(path)
        repository.manifests[digest] = manifest
        repository.tags.update(dict.fromkeys(tags, digest))
        return digest

    def missing_of(self, path: str, manifest: StoredManifest) -> list[str]:
        """Digests that `manifest` names and the repository does not hold."""
        repository = self.repository(path)
        blobs = [digest for digest in manifest.blob_digests() if digest not in repository.blobs]
        return blobs + [digest for digest in manifest.child_digests() if digest not in repository.manifests]

    def add_image(self, path: str, image: Image, *tags: str) -> None:
        """Store `image` with everything below it."""
        for one in image.closure():
            repository = self.repository(path)
            for blob in one.blobs:
                self.content[blob.digest] = blob.recipe
                repository.blobs.add(blob.digest)
            self.put_manifest(path, StoredManifest(one.raw, one.media_type), tags if one is image else ())

    def add_tree(self, tree: Tree) -> None:
        for path, repository in tree.repositories.items():
            for image in repository.manifests.values():
                self.add_image(path, image)
            self.repository(path).tags.update({tag: image.digest for tag, image in repository.tags.items()})
