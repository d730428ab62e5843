# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a bundle promises: what it carries, the digests of its images, and what its releases consist of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from .._bundle.delivery import parse
from .._bundle.directory import DELIVERY_NAME
from .._dkp import tree
from .._dkp.channels import is_channel
from .._dkp.content import Content, Releases, parse_content
from .._dkp.fields import mapping, texts
from .._dkp.findings import Finding
from .._oci.errors import InvalidInput
from .._oci.reference import RepositoryAddress
from .._registry.stopping import Stopping
from .check_asking import Asker, Place
from .inspection import inspect
from .memory import HostMemory

Components = Mapping["str | None", Mapping[str, tuple[str, ...]]]
"""What releases consist of (digests or tags), by module (None: the platform) and tag."""


@dataclass(frozen=True)
class Promised:
    """What a bundle says that it holds. `images`: digests by layout and tag. `components` are known of bundles with
    delivery.json only. `bytes`: of all its archives. `dangling`: its pointers to versions that it does not hold, as
    bundles of d8 have them; a push leaves them out, so they are not in `content`."""

    content: Content
    components: Components = field(default_factory=dict)
    images: Mapping[Place, str] = field(default_factory=dict)
    bytes: int | None = None
    dangling: tuple[Finding, ...] = ()


def read_bundle(source: Path, memory: HostMemory, stopping: Stopping) -> Promised:
    """What the bundle at `source` holds: by its delivery.json, else by the archives themselves, as those of d8.

    Raises InvalidInput for what is no bundle or an unfinished one, BundleDamaged.
    """
    where = f"src: {source}"
    file = source / DELIVERY_NAME
    if file.is_file():
        delivery = parse(file.read_bytes(), str(file))
        content = parse_content(delivery.content, where=f"{file}: content")
        images = {(image.repository, image.tag): image.digest for image in delivery.images}
        size = sum(archive.bytes for archive in delivery.archives)
        return Promised(content, _components(delivery.releases, f"{file}: releases"), images, size)
    found = inspect(source, memory, stopping, verify="none")
    if not found.ok:
        problems = "; ".join(finding.message for finding in found.findings if finding.severity == "error")
        raise InvalidInput(f"{where} is no whole bundle: {problems}")
    content, dangling = _without_dangling(parse_content(found.content, where=where))
    held = {(image.repository, image.tag): image.digest for image in found.images}
    return Promised(content, {}, held, sum(archive.bytes for archive in found.archives), dangling)


def _without_dangling(content: Content) -> tuple[Content, tuple[Finding, ...]]:
    """`content` with those pointers alone that lead to what is in it, and remarks about the others."""
    platform, found = _kept("", "P1", content.platform)
    modules = {}
    for name, releases in content.modules.items():
        modules[name], told = _kept(f"{name} ", "M2", releases)
        found += told
    return replace(content, platform=platform, modules=modules), tuple(found)


def _kept(prefix: str, check: str, releases: Releases) -> tuple[Releases, list[Finding]]:
    kept = {channel: version for channel, version in releases.channels.items() if version in releases.versions}
    hint = "Nothing to do if no cluster follows it"
    found = [
        Finding(
            check,
            "info",
            f"{prefix}{channel}",
            f"the bundle's channel {channel} points at {version}, which is not in it",
            hint,
        )
        for channel, version in releases.channels.items()
        if channel not in kept
    ]
    return replace(releases, channels=kept), found


@dataclass(frozen=True)
class PlacedBundle:
    """A bundle as it lies in one registry. `fixed`: digests that tags have to have; `pointers`: those of tags that may
    have moved on. `components` as in Promised, `extras`: places of extra images by module."""

    fixed: Mapping[Place, str] = field(default_factory=dict)
    pointers: Mapping[Place, str] = field(default_factory=dict)
    components: Components = field(default_factory=dict)
    extras: Mapping[str, tuple[Place, ...]] = field(default_factory=dict)
    listing: Mapping[tuple[str | None, str], str] = field(default_factory=dict)
    """Digests of the images that list components, by module and tag."""

    def teach(self, asker: Asker) -> None:
        """Let the host remember what releases consist of, so that nobody has to read their layers for it.

        Of modules with extra images it is not known which version has which.
        """
        for name, versions in self.components.items():
            for tag, references in versions.items():
                if name is None or name not in self.extras:
                    asker.remember(self.listing.get((name, tag)), references)


def placed(bundle: Promised | None, root: RepositoryAddress, modules_path: str) -> PlacedBundle:
    """The bundle as it lies below `root`; one that is not there promises nothing."""
    if bundle is None:
        return PlacedBundle()
    fixed: dict[Place, str] = {}
    pointers: dict[Place, str] = {}
    extras: dict[str, list[Place]] = {}
    listing: dict[tuple[str | None, str], str] = {}
    for (layout, tag), digest in bundle.images.items():
        repository, place = root.child(tree.repository_of(layout, modules_path=modules_path)), tree.place_of(layout)
        is_pointer = is_channel(tag) or place.area == "security" or (place.area == "installer" and tag == "latest")
        (pointers if is_pointer else fixed)[repository, tag] = digest
        if place.area == "module" and place.part.startswith("extra/"):
            extras.setdefault(place.name, []).append((repository, tag))
        elif layout == tree.INSTALL or (place.area == "module" and not place.part):
            listing[None if layout == tree.INSTALL else place.name, tag] = digest
    by_module = {name: tuple(places) for name, places in extras.items()}
    return PlacedBundle(fixed, pointers, bundle.components, by_module, listing)


def _components(releases: Mapping[str, Any], where: str) -> dict[str | None, dict[str, tuple[str, ...]]]:
    found: dict[str | None, dict[str, tuple[str, ...]]] = {None: _lists(releases.get("platform"), f"{where}.platform")}
    for name, versions in mapping(releases.get("modules"), f"{where}.modules").items():
        found[name] = _lists(versions, f"{where}.modules.{name}")
    return found


def _lists(versions: Any, where: str) -> dict[str, tuple[str, ...]]:
    return {tag: texts(references, f"{where}.{tag}") for tag, references in mapping(versions, where).items()}
