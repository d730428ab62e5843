# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a bundle holds, sorted by what it means to a cluster: content, versions, pointers (design §4, idea 4)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field

from .._bundle.layout import TaggedImage
from .._dkp import tree
from .._dkp.channels import is_channel
from .._dkp.version import version_of_tag
from .._oci import manifest as manifests
from .._oci.digest import digest_of
from .._oci.manifest import DOCKER_MANIFEST, Manifest
from .._oci.reference import RepositoryAddress
from .bundle import JoinedLayout, OpenBundle

_HEX_LENGTH = 64
EMPTY_LAYER = bytes(1024)
"""An empty tar archive: the layer of a discovery image, the same bytes whoever makes it."""


@dataclass(frozen=True)
class Item:
    """One tagged image of the bundle on its way: `repository` without host, `path` of it below the root."""

    layout: JoinedLayout
    image: TaggedImage
    repository: str
    path: str

    @property
    def tag(self) -> str:
        return self.image.short_tag

    @property
    def is_technical(self) -> bool:
        """A tag that only keeps an image from being collected, or an attestation: results count these."""
        return is_component_tag(self.tag) or tree.is_attestation(self.tag)


@dataclass
class Group:
    """What has to be complete before its pointers may be written: the platform, a module, a database, …

    `content` may go in any order; `versions` in this one; `pointers` are channels (or what replaces a database).
    """

    name: str
    content: list[Item] = field(default_factory=list)
    unordered: list[Item] = field(default_factory=list)
    """Version images that nothing lists (installers): after the content, before the ordered ones."""
    versions: list[Item] = field(default_factory=list)
    pointers: list[Item] = field(default_factory=list)

    def items(self) -> Iterator[Item]:
        yield from (*self.content, *self.unordered, *self.versions, *self.pointers)


def is_component_tag(tag: str) -> bool:
    """Whether `tag` is d8's name of an image that is known by digest: its 64 hex digits."""
    return len(tag) == _HEX_LENGTH and all(character in "0123456789abcdef" for character in tag)


def sort_freight(bundle: OpenBundle, root: RepositoryAddress, modules_path: str) -> dict[str, Group]:
    """The groups of a bundle by name, for a target rooted at `root`."""
    groups: dict[str, Group] = {}
    for layout in bundle.layouts.values():
        place = tree.place_of(layout.path)
        name = "platform" if place.area == "platform" else f"{place.area} {place.name}".strip()
        path = tree.repository_of(layout.path, modules_path=modules_path)
        group = groups.setdefault(name, Group(name))
        views = {tag: view for view in layout.views() for tag in view.images}  # of several that have a tag, the last
        for tag, image in layout.images.items():
            _assign(group, place, Item(views[tag], image, root.child(path), path))
    for group in groups.values():
        group.versions.sort(key=_version_order)
    return {name: groups[name] for name in sorted(groups)}


def _assign(group: Group, place: tree.Place, item: Item) -> None:
    releases = place.part in ("release", "version") or item.path == tree.RELEASE_CHANNEL
    if item.is_technical:
        group.content.append(item)
    elif place.area == "security" or (place.area == "installer" and item.tag == "latest"):
        group.pointers.append(item)
    elif place.area == "platform":
        if is_channel(item.tag):
            group.pointers.append(item)
        elif releases or item.path == tree.ROOT:
            group.versions.append(item)
        else:
            group.unordered.append(item)
    elif place.area in ("module", "package") and (releases or not place.part):
        (group.pointers if releases and is_channel(item.tag) else group.versions).append(item)
    else:
        group.content.append(item)


def _version_order(item: Item) -> tuple[object, ...]:
    """Ascending; a platform's root before its `release-channel`, a module's `release` before the module itself."""
    version = version_of_tag(item.tag)
    place = tree.place_of(item.layout.path)
    last = item.path == tree.RELEASE_CHANNEL if place.area == "platform" else not place.part
    return (version is None, version if version is not None else item.tag, last)


def discovery_image() -> tuple[Manifest, dict[str, bytes]]:
    """The image behind a name in a catalogue, and its blobs by digest. Only the tag matters; the bytes never change."""
    layer_digest = digest_of(EMPTY_LAYER)
    config = json.dumps(
        {
            "architecture": "amd64",
            "config": {},
            "os": "linux",
            "rootfs": {"diff_ids": [layer_digest], "type": "layers"},
        },
        separators=(",", ":"),
    ).encode()
    config_digest = digest_of(config)
    document = {
        "schemaVersion": 2,
        "mediaType": DOCKER_MANIFEST,
        "config": {
            "mediaType": "application/vnd.docker.container.image.v1+json",
            "size": len(config),
            "digest": config_digest,
        },
        "layers": [
            {
                "mediaType": "application/vnd.docker.image.rootfs.diff.tar",
                "size": len(EMPTY_LAYER),
                "digest": layer_digest,
            }
        ],
    }
    manifest = manifests.parse(json.dumps(document, separators=(",", ":")).encode(), where="discovery image")
    return manifest, {config_digest: config, layer_digest: EMPTY_LAYER}
