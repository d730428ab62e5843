# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later


"""Writes a tree straight into the storage directory of a Distribution registry: no upload, as fast as the disk.

The layout (``docker/registry/v2/…``) is the same for Distribution 2.8 and 3.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
from collections.abc import Iterable
from pathlib import Path

from .content import Blob
from .shape import TreeShape
from .tree import GENERATOR_VERSION, Repository, Tree, build

_TOP = Path("docker/registry/v2")
_STAMP = "dkp-tree.stamp"
_VERSION = re.compile(r"v\d+\.\d+\.\d+")


def stored(shape: TreeShape, directory: Path) -> Tree:
    """The tree of `shape`, present in `directory`: kept when a stamp says that it is there already, else made anew.

    Only for directories that nobody pushes into; `directory` is emptied when it holds another tree.
    """
    tree = build(shape)
    stamp = directory / _STAMP
    wanted = f"{GENERATOR_VERSION} {shape!r}\n"
    if stamp.exists() and stamp.read_text() == wanted:
        return tree
    if directory.exists():
        shutil.rmtree(directory)
    write(tree, directory)
    stamp.write_text(wanted)
    return tree


def stored_under(shape: TreeShape, parent: Path) -> tuple[Tree, Path]:
    """As `stored`, in a directory below `parent` whose name is made of `shape`: one place for many trees."""
    name = hashlib.sha256(f"{GENERATOR_VERSION} {shape!r}".encode()).hexdigest()[:16]
    directory = parent / f"tree-{shape.seed}-{name}"
    return stored(shape, directory), directory


def write(tree: Tree, directory: Path) -> None:
    """Write all of `tree` into `directory`, which may hold other repositories already: first content, then tags.

    Of the tags, versions come first: no pointer is there before what it leads to.
    """
    blobs_directory = directory / _TOP / "blobs/sha256"
    for blob in tree.blobs().values():
        _write_blob(blob, blobs_directory)
    tags = []
    for repository in tree.repositories.values():
        _write_repository(repository, directory / _TOP / "repositories" / repository.path, blobs_directory)
        tags += [(repository.path, tag, image.digest) for tag, image in repository.tags.items()]
    for path, tag, digest in sorted(tags, key=lambda one: _VERSION.fullmatch(one[1]) is None):
        write_tag(directory, path, tag, digest)


def write_tag(directory: Path, repository: str, tag: str, digest: str) -> None:
    """Let `tag` of a repository (a full path) lead to a manifest, which may or may not be there."""
    tags = directory / _TOP / "repositories" / repository / "_manifests/tags" / tag
    _write_link(tags / "index/sha256" / _hex(digest), digest)
    _write_link(tags / "current", digest)


def remove_manifest(directory: Path, repository: str, digest: str) -> None:
    """Take one manifest out of a repository, as somebody who cleans up does."""
    revisions = directory / _TOP / "repositories" / repository / "_manifests/revisions/sha256"
    shutil.rmtree(revisions / _hex(digest))


def _write_repository(repository: Repository, directory: Path, blobs_directory: Path) -> None:
    manifests = directory / "_manifests"
    for image in repository.manifests.values():
        data = _data_path(image.digest, blobs_directory)
        if not data.exists():
            _write_file(data, [image.raw])
        _write_link(manifests / "revisions/sha256" / _hex(image.digest), image.digest)
    for digest in {blob.digest for image in repository.manifests.values() for blob in image.blobs}:
        _write_link(directory / "_layers/sha256" / _hex(digest), digest)
    (directory / "_uploads").mkdir(parents=True, exist_ok=True)


def _write_blob(blob: Blob, blobs_directory: Path) -> None:
    path = _data_path(blob.digest, blobs_directory)
    if not path.exists():
        _write_file(path, blob.chunks())


def _write_link(directory: Path, digest: str) -> None:
    _write_file(directory / "link", [digest.encode()])


def _write_file(path: Path, chunks: Iterable[bytes | memoryview]) -> None:
    os.makedirs(path.parent, exist_ok=True)
    with open(path, "wb") as file:
        file.writelines(chunks)


def _data_path(digest: str, blobs_directory: Path) -> Path:
    return blobs_directory / _hex(digest)[:2] / _hex(digest) / "data"


def _hex(digest: str) -> str:
    return digest.split(":", 1)[1]
