# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later


"""From a plan to archives: exactly its content, with the images that were seen when it was made (contract §2)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from .._dkp import release as releases
from .._dkp import tree
from .._dkp.channels import in_order
from .._dkp.content import Content, Releases
from .._dkp.editions import edition_of
from .._dkp.findings import Finding
from .._dkp.plan.document import PlanDocument
from .._dkp.selection import ChannelState
from .._oci.errors import InvalidContent, InvalidInput
from .._oci.reference import RepositoryAddress
from .._registry.errors import AccessDenied
from .offer import ReleaseImage, module_states, platform_states
from .orders import (
    Found,
    Wanted,
    fetch,
    installer_order,
    installer_repositories,
    lacking,
    missing_images,
    module_images,
    module_order,
    platform_images,
    platform_order,
    security_order,
)
from .reading import ImageReader
from .request import Planned, Resolution, TaggedManifest

_Pins = Mapping[tuple[str, str], str]
"""Digests that the plan has seen, by layout and tag."""


@dataclass(frozen=True)
class _Group:
    """The platform or one module: `layout` and `repository` hold its channels and the metadata of its versions."""

    releases: Releases
    layout: str
    repository: str
    files: tuple[str, ...]
    states: Callable[[Mapping[str, ReleaseImage]], Mapping[str, ChannelState]]

    @property
    def channels(self) -> tuple[str, ...]:
        return in_order(self.releases.channels)


def resolve_plan(reader: ImageReader, root: RepositoryAddress, planned: Planned) -> Resolution:
    """Find what the plan carries. Nothing is written.

    Raises InvalidInput for a plan that cannot be carried out from here, before any request; SelectionError that names
    all images that are missing; what the registry raises.
    """
    plan, content = planned.plan, planned.plan.content
    _check_carried(content)
    resolution = Resolution(content=content.as_dict(), findings=[*planned.accepted, *_source_findings(plan, root)])
    pins = {(pin.repository, pin.tag): pin.digest for pin in content.pins}
    base = RepositoryAddress(root.host, root.child(planned.modules_path))
    groups = _groups(content, root, base)
    wanted = [image.pinned(pins.get((image.layout, image.tag))) for image in _images(content, root, base)]
    channels = [
        Wanted(group.layout, group.repository, channel, optional=True) for group in groups for channel in group.channels
    ]
    found = _fetched(reader, wanted, channels, pins)
    installer, missing = _installer(reader, root, content.installer, pins)
    missing = [*lacking(wanted, found), *missing]
    if missing:
        raise missing_images(missing, subject="plan")
    pointers = _pointers(reader, groups, found, pins, resolution)
    carried: dict[tuple[str, str], list[TaggedManifest]] = {}
    images = [found[item.layout, item.tag] for item in wanted if (item.layout, item.tag) in found]
    for image in (*images, *pointers):
        place = tree.place_of(image.layout)
        carried.setdefault((place.area, place.name if place.area == "module" else ""), []).append(image)
    if ("platform", "") in carried:
        resolution.archives.append(platform_order(root, carried["platform", ""], content.platform.channels))
    if installer:
        resolution.archives.append(installer_order(installer))
    if ("security", "") in carried:
        resolution.archives.append(security_order(root, carried["security", ""]))
    for name in sorted(content.modules):
        if ("module", name) in carried:
            each = carried["module", name]
            resolution.archives.append(module_order(base, name, each, content.modules[name].channels))
    return resolution


def _fetched(reader: ImageReader, wanted: Sequence[Wanted], channels: Sequence[Wanted], pins: _Pins) -> Found:
    """All of them that exist. A version that a channel pointed at is not asked for again if it still does."""
    seen = {(channel.layout, pins.get((channel.layout, channel.tag))) for channel in channels}
    pointed = dict.fromkeys(item for item in wanted if item.digest and (item.layout, item.digest) in seen)
    found = fetch(reader, [*(item for item in wanted if item not in pointed), *channels])
    known = {(image.layout, image.manifest.digest): image.manifest for image in found.values()}
    for item in pointed:
        manifest = known.get((item.layout, str(item.digest)))
        if manifest is not None:
            found[item.layout, item.tag] = TaggedManifest(item.layout, item.repository, item.tag, manifest)
    return {**found, **fetch(reader, [item for item in pointed if (item.layout, item.tag) not in found])}


def _check_carried(content: Content) -> None:
    for key, value in (("packages", content.packages), ("plugins", content.plugins)):
        if value:
            names = ", ".join(sorted(value))
            raise InvalidInput(
                f"plan.content.{key}: this version of the collection cannot carry {key} ({names}). Take them out of "
                "the plan and carry them with d8, or use a version that can"
            )


def _source_findings(plan: PlanDocument, root: RepositoryAddress) -> list[Finding]:
    """What it means that the plan was made at another source. Raises InvalidInput for one of another edition."""
    edition, source = edition_of(root), plan.source
    if edition is not None and source.edition is not None and edition != source.edition:
        raise InvalidInput(
            f"plan.source.edition: the plan is for edition {source.edition}, and images_repo {root} is that of "
            f"{edition}. Give the images_repo of {source.edition}, or make a plan for {edition}"
        )
    if source.images_repo is None or source.images_repo.rstrip("/") == str(root):
        return []
    return [
        Finding(
            "other_source",
            "warning",
            str(root),
            f"the plan was made from {source.images_repo}, and this pull is from {root}",
            "Nothing to do if the one is a proxy or a mirror of the other; otherwise make the plan from the source "
            "that is pulled from",
        )
    ]


def _groups(content: Content, root: RepositoryAddress, base: RepositoryAddress) -> list[_Group]:
    platform = _Group(
        content.platform,
        tree.RELEASE_CHANNEL,
        root.child(tree.RELEASE_CHANNEL),
        releases.PLATFORM_RELEASE_FILES,
        platform_states,
    )
    modules = [
        _Group(
            content.modules[name],
            tree.module_release_repository(name),
            base.child(f"{name}/release"),
            (releases.VERSION_FILE,),
            module_states,
        )
        for name in sorted(content.modules)
    ]
    return [platform, *modules]


def _images(content: Content, root: RepositoryAddress, base: RepositoryAddress) -> Iterator[Wanted]:
    """All images that the content names by tag, but for the installer, of which one does not know where it lies."""
    for version in content.platform.versions:
        yield from platform_images(root, str(version))
    for tag in sorted(set(content.platform.tags)):
        yield from platform_images(root, tag, custom=True)
    known = [*tree.SECURITY_TAGS, *sorted(content.security_db.keys() - tree.SECURITY_TAGS.keys())]
    for name in known:
        for tag in dict.fromkeys(content.security_db.get(name, ())):
            layout = tree.security_repository(name)
            yield Wanted(layout, root.child(layout), tag)
    for name in sorted(content.modules):
        for version in content.modules[name].versions:
            yield from module_images(base, name, str(version))
        for tag in sorted(set(content.modules[name].tags)):
            yield from module_images(base, name, tag, custom=True)


def _installer(
    reader: ImageReader, root: RepositoryAddress, tags: Sequence[str], pins: _Pins
) -> tuple[list[TaggedManifest], list[Wanted]]:
    """The installers with `tags`, all out of one repository; and those that are missing there."""
    missing: list[Wanted] = []
    denied: AccessDenied | None = None
    for repository in installer_repositories(root) if tags else ():
        each = [
            Wanted(tree.INSTALLER, repository, tag).pinned(pins.get((tree.INSTALLER, tag)))
            for tag in dict.fromkeys(tags)
        ]
        try:
            found = fetch(reader, each)
        except AccessDenied as error:  # also what the vendor's registry answers for a repository that is not there
            denied = denied or error
            continue
        if found and not lacking(each, found):
            return list(found.values()), []
        missing = missing or each
    if denied is not None:
        raise denied
    return [], missing


@dataclass(frozen=True)
class _Channel:
    """A channel to carry: the image under its name now (None: there is none), and that of the version it has to be."""

    group: _Group
    name: str
    own: TaggedManifest | None
    of_version: TaggedManifest
    pin: str | None

    @property
    def moved(self) -> bool:
        return self.pin is not None and (self.own is None or self.own.manifest.digest != self.pin)

    @property
    def is_plain(self) -> bool:
        """Whether the channel has the very image of its version, as most have."""
        return self.own is not None and self.own.manifest.digest == self.of_version.manifest.digest

    @property
    def version(self) -> str:
        return str(self.group.releases.channels[self.name])


def _pointers(
    reader: ImageReader, groups: Sequence[_Group], found: Found, pins: _Pins, resolution: Resolution
) -> list[TaggedManifest]:
    """The pointer of each channel: the channel's own image where it is what the plan has seen, or, without a pin, of
    the planned version; else the image of ``release-channel:<version>``, for the plan decides."""
    channels = [
        _Channel(
            group=group,
            name=name,
            own=found.get((group.layout, name)),
            of_version=found[group.layout, str(group.releases.channels[name])],
            pin=pins.get((group.layout, name)),
        )
        for group in groups
        for name in group.channels
    ]
    states = reader.gather(lambda channel: _state(reader, channel), channels)
    pointers = []
    for channel, state in zip(channels, states):
        fits = state is not None and str(state.version) == channel.version and not state.suspended
        image = channel.own if channel.own is not None and fits and not channel.moved else channel.of_version
        pointers.append(TaggedManifest(image.layout, image.repository, channel.name, image.manifest))
        if channel.moved:
            resolution.findings.append(_moved(channel, state))
    return pointers


def _state(reader: ImageReader, channel: _Channel) -> ChannelState | None:
    """What the channel's own image says; None where nobody has to know, or where it can no longer be read."""
    if channel.own is None or channel.is_plain:
        return None
    group, image = channel.group, channel.own
    try:
        files = reader.files(image.repository, image.manifest, frozenset(group.files))
        release = ReleaseImage(channel.name, image.manifest, files, f"{image.repository}:{channel.name}")
        return group.states({channel.name: release})[channel.name]
    except InvalidContent:
        if channel.moved:  # what it has become does not matter to the plan
            return None
        raise


def _moved(channel: _Channel, state: ChannelState | None) -> Finding:
    suspended = state is not None and state.suspended
    if channel.own is None:
        now = "does not exist any more"
    else:
        version = channel.version if channel.is_plain else str(state.version) if state is not None else "no release"
        halted = ", which the vendor has suspended" if suspended else ""
        now = f"points at {version} now ({channel.own.manifest.digest}){halted}"
    return Finding(
        "channel_moved",
        "warning" if suspended else "info",
        f"{channel.group.layout}:{channel.name}",
        f"the channel {channel.name} pointed at {channel.version} when the plan was made ({channel.pin}) and {now}. "
        f"In the bundle it points at {channel.version}, as planned",
        "Make the plan anew to carry what the channel points at now",
    )
