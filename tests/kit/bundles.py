# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Bundles written without any code of the collection, in the shapes of either engine of d8 (d8-mirror.md §5).

>>> write_bundle(build(SMALL), tmp_path)                       # platform.tar, module-*.tar, …
>>> write_archive(tmp_path / "platform.tar", {"": [("v1.70.0", image)]}, shape=Shape(prefix="./"))
"""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .images import DOCKER_MANIFEST, OCI_CONFIG, OCI_INDEX, OCI_MANIFEST, Image
from .shape import Channel, ModuleShape, TreeShape
from .tree import Repository, Tree

TINY = TreeShape(
    channels=(Channel("alpha", "v1.70.0"), Channel("stable", "v1.69.0"), Channel("rock-solid", "v1.69.0")),
    versions=("v1.69.0", "v1.70.0"),
    components=3,
    vex_share=0.4,
    installer_index=True,
    modules=(
        ModuleShape(
            "console",
            ("v1.36.2", "v1.37.0"),
            (Channel("alpha", "v1.37.0"), Channel("stable", "v1.36.2")),
            runtime_images=1,
            extra_images=(("scanner", "v2"),),
        ),
        ModuleShape("sdn", ("v0.4.2",), (Channel("stable", "v0.4.2"),), runtime_images=1),
    ),
)
"""A tree with one of everything and not much more: pushes of it take a fraction of a second."""
Tagged = tuple[str, Image]
_SHORT_TAG = "io.deckhouse.image.short_tag"
_REFERENCE = "org.opencontainers.image.ref.name"
_MARKER = b'{\n    "imageLayoutVersion": "1.0.0"\n}'
_SOURCE = "registry.example/deckhouse/ee"
_PLATFORM = ("", "install", "install-standalone", "release-channel")


@dataclass(frozen=True)
class Shape:
    """How an archive is written. `prefix` stands before every entry, `chunk` is bytes per part (0: one file)."""

    prefix: str = ""
    chunk: int = 0
    null_when_empty: bool = True
    """An empty layout has ``"manifests": null``."""


def write_bundle(
    tree: Tree,
    directory: Path,
    *,
    shape: Shape = Shape(),
    keep: Iterable[str] | None = None,
    delivery: bool = False,
) -> None:
    """All of `tree` as a bundle in `directory`: what d8 makes of it, component images under their 64 hex digits.

    `keep` names the archives to write; `delivery` adds our ``delivery.json``.
    """
    directory.mkdir(parents=True, exist_ok=True)
    archives = {name: layouts for name, layouts in archives_of(tree).items() if keep is None or name in keep}
    for name, layouts in archives.items():
        write_archive(directory / name, layouts, shape=shape)
    if delivery:
        write_delivery(directory, archives)


def archives_of(tree: Tree) -> dict[str, dict[str, list[Tagged]]]:
    """Layouts by archive, each with its tagged images."""
    archives: dict[str, dict[str, list[Tagged]]] = {}
    root = tree.shape.edition_root
    for path, repository in tree.repositories.items():
        below = path[len(root) :].lstrip("/") if (path + "/").startswith(root + "/") else path.rpartition("/")[2]
        modules = tree.shape.modules_path
        if below in _PLATFORM:
            archive = "platform.tar"
        elif below.startswith("security/"):
            archive = "security.tar"
        elif below == "installer":
            archive = "installer.tar"
        elif below.startswith(f"{modules}/"):
            archive = f"module-{below[len(modules) + 1 :].partition('/')[0]}.tar"
        else:
            continue  # the catalogue: its tags are made by whoever pushes
        archives.setdefault(archive, {})[below] = tagged_of(repository)
    return archives


def tagged_of(repository: Repository) -> list[Tagged]:
    """The tags of a repository, and every image that has none under its 64 hex digits."""
    tagged = list(repository.tags.items())
    named = {one.digest for image in repository.tags.values() for one in image.closure()}
    tagged += [
        (digest.partition(":")[2], image) for digest, image in repository.manifests.items() if digest not in named
    ]
    return sorted(tagged, key=lambda pair: pair[0])


def write_archive(path: Path, layouts: Mapping[str, Sequence[Tagged]], *, shape: Shape = Shape()) -> None:
    """One archive; with `shape.chunk`, as parts beside `path`."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for name, data in entries_of(layouts, shape):
            add(archive, name, data)
    data = stream.getvalue()[: _end(stream.getvalue())]
    if not shape.chunk:
        path.write_bytes(data)
        return
    for number, start in enumerate(range(0, len(data), shape.chunk)):
        path.with_name(f"{path.name}.{number:04d}.chunk").write_bytes(data[start : start + shape.chunk])


def entries_of(layouts: Mapping[str, Sequence[Tagged]], shape: Shape = Shape()) -> Iterator[tuple[str, bytes]]:
    """Names and contents of the entries of an archive, in lexical order as d8 walks a directory."""
    for layout, images in sorted(layouts.items()):
        head = f"{shape.prefix}{layout}/" if layout else shape.prefix
        blobs: dict[str, bytes] = {}
        for _tag, image in images:
            for one in image.closure():
                blobs[one.digest] = one.raw
                blobs.update({blob.digest: blob.read() for blob in one.blobs})
        for digest, data in sorted(blobs.items()):
            yield f"{head}blobs/sha256/{digest.partition(':')[2]}", data
        yield f"{head}index.json", index_json(layout, images, shape)
        yield f"{head}oci-layout", _MARKER


def index_json(layout: str, images: Sequence[Tagged], shape: Shape = Shape()) -> bytes:
    """The index of a layout, descriptors in the order of `images`."""
    rows: Any = [descriptor(layout, tag, image) for tag, image in images]
    document = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.layout.v1+json",
        "manifests": rows or (None if shape.null_when_empty else []),
    }
    return json.dumps(document, indent=2).encode()


def descriptor(layout: str, tag: str, image: Image) -> dict[str, Any]:
    """An image's entry in the index."""
    repository = f"{_SOURCE}/{layout}".rstrip("/")
    name = f"{repository}@{image.digest}" if image.digest == f"sha256:{tag}" else f"{repository}:{tag}"
    row: dict[str, Any] = {"mediaType": image.media_type, "size": len(image.raw), "digest": image.digest}
    row["annotations"] = {_SHORT_TAG: tag, _REFERENCE: name}
    if image.media_type != OCI_INDEX:
        row["platform"] = {"architecture": "", "os": ""}
    config = json.loads(image.raw).get("config", {}).get("mediaType", OCI_CONFIG)
    if image.media_type in (OCI_MANIFEST, DOCKER_MANIFEST) and "image" not in config:
        row["artifactType"] = config
    return row


def add(archive: tarfile.TarFile, name: str, data: bytes) -> None:
    """A regular file as d8 writes it: mode 0777, no owner, no time."""
    member = tarfile.TarInfo(name)
    member.size, member.mode = len(data), 0o777
    archive.addfile(member, io.BytesIO(data))


def write_delivery(directory: Path, archives: Mapping[str, Mapping[str, Sequence[Tagged]]]) -> None:
    """``delivery.json`` for the files that lie in `directory`."""
    rows, images = [], []
    for name, layouts in archives.items():
        files = sorted(path for path in directory.iterdir() if path.name == name or path.name.startswith(f"{name}."))
        parts = [
            {"name": file.name, "bytes": file.stat().st_size, "sha256": hashlib.sha256(file.read_bytes()).hexdigest()}
            for file in files
        ]
        total = sum(file.stat().st_size for file in files)
        manifests = {one.digest for tagged in layouts.values() for _tag, image in tagged for one in image.closure()}
        rows.append({"name": name, "bytes": total, "images": len(manifests), "blobs": 0, "parts": parts})
        images += [
            {"repository": layout, "tag": tag, "digest": image.digest, "bytes": len(image.raw)}
            for layout, tagged in layouts.items()
            for tag, image in dict(tagged).items()
        ]
    document = {
        "kind": "Delivery",
        "version": 1,
        "source": {"images_repo": _SOURCE, "edition": "EE"},
        "content": {},
        "plan": None,
        "archives": rows,
        "images": images,
        "releases": {},
        "requires": [],
    }
    (directory / "delivery.json").write_text(json.dumps(document))


def _end(data: bytes) -> int:
    """Where d8's archives end: right behind two empty blocks, where tarfile fills up to 10 KiB."""
    length = len(data)
    while length > 1024 and not any(data[length - 1536 : length - 1024]):
        length -= 512
    return length
