# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later


"""What archives begin with: images under tags, fetched and put in order, for pulls by selectors and by plan."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from .._dkp import tree
from .._dkp.editions import bare_root
from .._dkp.selection import SelectionError
from .._dkp.version import Version
from .._oci.reference import RepositoryAddress
from .._registry.errors import NotFound
from .reading import ImageReader
from .request import ArchiveOrder, ReleaseOrder, TaggedManifest

_PLATFORM_ORDER = (tree.INSTALL, tree.ROOT, tree.INSTALL_STANDALONE, tree.RELEASE_CHANNEL)
"""Install images come first: they list the components (design §4, idea 1)."""
Found = dict[tuple[str, str], TaggedManifest]
"""Images by layout and tag, in the order in which they were asked for."""


@dataclass(frozen=True)
class Wanted:
    """An image to fetch. With a `digest` it is that one, whatever the tag names by now."""

    layout: str
    repository: str
    tag: str
    optional: bool = False
    digest: str | None = None

    @property
    def name(self) -> str:
        """``repository:tag``, or ``repository@digest``."""
        return f"{self.repository}@{self.digest}" if self.digest else f"{self.repository}:{self.tag}"

    def pinned(self, digest: str | None) -> Wanted:
        """The same with a digest that was seen, so that it has to be there."""
        return replace(self, digest=digest, optional=False) if digest else self


def platform_images(root: RepositoryAddress, tag: str, *, custom: bool = False) -> Iterator[Wanted]:
    """The images of one release of the platform; a `custom` tag may have no metadata."""
    for layout in _PLATFORM_ORDER:
        optional = layout == tree.INSTALL_STANDALONE or (layout == tree.RELEASE_CHANNEL and custom)
        yield Wanted(layout, root.child(layout), tag, optional)


def module_images(base: RepositoryAddress, name: str, tag: str, *, custom: bool = False) -> Iterator[Wanted]:
    """The images of one version of a module; `base` is where modules live."""
    yield Wanted(tree.module_repository(name), base.child(name), tag)
    yield Wanted(tree.module_release_repository(name), base.child(f"{name}/release"), tag, custom)


def fetch(reader: ImageReader, wanted: Sequence[Wanted]) -> Found:
    """Those of the `wanted` images that exist. Raises what the registry raises but for NotFound."""

    def read(item: Wanted) -> TaggedManifest | None:
        try:
            manifest = reader.manifest(item.repository, item.digest or item.tag)
        except NotFound:
            return None
        return TaggedManifest(item.layout, item.repository, item.tag, manifest)

    images = reader.gather(read, wanted)
    return {(image.layout, image.tag): image for image in images if image is not None}


def lacking(wanted: Iterable[Wanted], found: Found) -> list[Wanted]:
    """What was not found and has to be there."""
    return [item for item in wanted if not item.optional and (item.layout, item.tag) not in found]


def missing_images(missing: Sequence[Wanted], *, subject: str) -> SelectionError:
    """The error that names all of the `missing` images."""
    texts = []
    tags = [item.name for item in missing if item.digest is None]
    if tags:
        texts.append(
            f"the source lacks {', '.join(tags)}, which what was asked for needs. The vendor's tree is incomplete "
            "there or the licence does not cover it; choose other versions or ask the vendor"
        )
    gone = [f"{item.name} (it was {item.layout}:{item.tag})" for item in missing if item.digest is not None]
    if gone:
        texts.append(f"the source no longer has {', '.join(gone)}, which the plan has seen there; make the plan anew")
    return SelectionError(f"{subject}: {'. Also, '.join(texts)}", missing=[item.name for item in missing])


def platform_order(
    root: RepositoryAddress, images: Iterable[TaggedManifest], channels: Mapping[str, Version]
) -> ArchiveOrder:
    """The platform's archive; `images` are releases ascending, then the pointers of `channels`."""
    ordered = sorted(images, key=lambda image: _PLATFORM_ORDER.index(image.layout))  # stable: still ascending
    return ArchiveOrder(
        name=tree.PLATFORM_ARCHIVE,
        layouts={layout: root.child(layout) for layout in _PLATFORM_ORDER},
        images=tuple(ordered),
        releases=tuple(ReleaseOrder("platform", image.tag, image) for image in ordered if image.layout == tree.INSTALL),
        channels={name: str(version) for name, version in channels.items()},
    )


def module_order(
    base: RepositoryAddress, name: str, images: Iterable[TaggedManifest], channels: Mapping[str, Version]
) -> ArchiveOrder:
    """A module's archive; `images` are releases ascending, then the pointers of `channels`."""
    main, release = tree.module_repository(name), tree.module_release_repository(name)
    ordered = sorted(images, key=lambda image: image.layout != main)
    return ArchiveOrder(
        name=tree.module_archive(name),
        layouts={main: base.child(name), release: base.child(f"{name}/release")},
        images=tuple(ordered),
        releases=tuple(ReleaseOrder(name, image.tag, image) for image in ordered if image.layout == main),
        module=name,
        channels={channel: str(version) for channel, version in channels.items()},
    )


def security_order(root: RepositoryAddress, images: Iterable[TaggedManifest]) -> ArchiveOrder:
    """The archive of the databases, with a layout for each that DKP knows, also where it stays empty."""
    images = tuple(images)
    layouts = dict.fromkeys((*tree.SECURITY_LAYOUTS, *(image.layout for image in images)))
    return ArchiveOrder(tree.SECURITY_ARCHIVE, {layout: root.child(layout) for layout in layouts}, images)


def installer_repositories(root: RepositoryAddress) -> tuple[str, ...]:
    """Where an installer may lie: beside the editions (d8-mirror.md §1.3), or below the root, as d8 mirrors it."""
    parent = bare_root(root)
    return tuple(dict.fromkeys([parent.child(tree.INSTALLER).lstrip("/"), root.child(tree.INSTALLER)]))


def installer_order(images: Sequence[TaggedManifest]) -> ArchiveOrder:
    """The archive of the installer; all `images` are of one repository."""
    return ArchiveOrder(tree.INSTALLER_ARCHIVE, {tree.INSTALLER: images[0].repository}, tuple(images))
