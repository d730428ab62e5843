# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From selectors to archives: reads what the source offers and decides what is carried (d8-mirror.md §3, §4, §7)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from .._dkp import release as releases
from .._dkp import tree
from .._dkp.channels import KNOWN_CHANNELS
from .._dkp.content import Content, Releases, releases_of
from .._dkp.findings import Finding
from .._dkp.modules import ModuleSelector, choose_modules, module_wants_tag_list, select_module
from .._dkp.platform import PlatformSelector, select_platform, wants_tag_list
from .._dkp.selection import Selection, missing_tag
from .._oci.reference import RepositoryAddress
from .._registry.errors import AccessDenied, NotFound
from .offer import ReleaseImage, list_tags, module_states, platform_states, read_channels, read_release_image
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
from .request import Resolution, Selectors, TaggedManifest

_RELEASE_FILES = (releases.VERSION_FILE,)


def resolve(reader: ImageReader, root: RepositoryAddress, selectors: Selectors) -> Resolution:
    """Read the source as far as tags and metadata go. Nothing is written.

    Raises SelectionError for what was asked for and is not there, and what the registry raises.
    """
    resolution = Resolution(content={})
    platform, modules, security, installer = Releases(), {}, {}, []
    if selectors.platform is not None:
        platform = _resolve_platform(reader, root, selectors.platform, resolution)
    if selectors.installer_tag is not None:
        installer = _resolve_installer(reader, root, selectors, resolution)
    if selectors.security_db:
        security = _resolve_security(reader, root, resolution)
    if not selectors.modules.takes_nothing:
        modules = _resolve_modules(reader, root, selectors, resolution)
    content = Content(platform=platform, modules=modules, security_db=security, installer=tuple(installer))
    resolution.content = content.as_dict()
    return resolution


def _resolve_platform(
    reader: ImageReader, root: RepositoryAddress, selector: PlatformSelector, resolution: Resolution
) -> Releases:
    repository = root.child(tree.RELEASE_CHANNEL)
    channels = read_channels(reader, repository, releases.PLATFORM_RELEASE_FILES)
    states = platform_states(channels)
    tags = list_tags(reader, repository) if wants_tag_list(selector, states) else []
    selection = select_platform(selector, states, tags)
    resolution.findings += selection.warnings
    custom = frozenset(selection.tags)
    images = _fetch(
        reader,
        [image for tag in selection.references for image in platform_images(root, tag, custom=tag in custom)],
        subject="platform",
    )
    pointers = _pointers(selection, channels, images, tree.RELEASE_CHANNEL, repository)
    resolution.archives.append(platform_order(root, [*images.values(), *pointers], selection.channels))
    return releases_of(selection)


def _fetch(reader: ImageReader, wanted: Sequence[Wanted], *, subject: str) -> Found:
    """The `wanted` images; SelectionError names what is missing and not optional."""
    found = fetch(reader, wanted)
    missing = lacking(wanted, found)
    if missing:
        raise missing_images(missing, subject=subject)
    return found


def _pointers(
    selection: Selection, channels: dict[str, ReleaseImage], images: Found, layout: str, repository: str
) -> list[TaggedManifest]:
    """The channel images to carry: as the source has them, or that of the version where the selection says so."""
    pointers = []
    for name, version in selection.channels.items():
        own = channels.get(name)
        repointed = own is None or name in selection.repointed
        manifest = images[layout, str(version)].manifest if own is None or repointed else own.manifest
        pointers.append(TaggedManifest(layout, repository, name, manifest))
    return pointers


def _resolve_installer(
    reader: ImageReader, root: RepositoryAddress, selectors: Selectors, resolution: Resolution
) -> list[str]:
    tag = str(selectors.installer_tag)
    candidates = installer_repositories(root)
    for repository in candidates:
        try:
            manifest = reader.manifest(repository, tag)
        except NotFound:
            continue
        except AccessDenied as error:
            if selectors.installer_named or repository != candidates[0]:
                raise
            resolution.findings.append(_not_covered("installer", f"{repository}:{tag}", str(error)))
            return []
        resolution.archives.append(installer_order([TaggedManifest(tree.INSTALLER, repository, tag, manifest)]))
        return [tag]
    if selectors.installer_named:
        raise missing_tag(tag, list_tags(reader, candidates[0]), subject="installer")
    problem = f"the source has no installer under the tag {tag} ({' nor '.join(candidates)})"
    resolution.findings.append(_absent("installer", "installer", problem, "Set installer: false if that is meant"))
    return []


def _resolve_security(
    reader: ImageReader, root: RepositoryAddress, resolution: Resolution
) -> dict[str, tuple[str, ...]]:
    wanted = [Wanted(layout, root.child(layout), tag, optional=True) for layout, tag in _databases()]
    try:
        images = fetch(reader, wanted)
    except AccessDenied as error:
        resolution.findings.append(_not_covered("security_db", root.child(tree.SECURITY_LAYOUTS[0]), str(error)))
        return {}
    layouts = {layout for layout, _tag in images}
    if tree.SECURITY_LAYOUTS[0] not in layouts:
        database = root.child(tree.SECURITY_LAYOUTS[0])
        problem = f"the source has no vulnerability databases ({database}:2 is not there)"
        hint = "Editions CE, BE and SE have none; set security_db: false to say so"
        resolution.findings.append(_absent("security_db", "security_db", problem, hint))
        return {}
    for item in wanted:
        if item.layout not in layouts:
            problem = f"the source has no {item.name}"
            resolution.findings.append(
                _absent("security_db", item.layout, problem, "Nothing to do if the edition lacks it")
            )
    resolution.archives.append(security_order(root, images.values()))
    return {layout.rpartition("/")[2]: (tag,) for layout, tag in images}


def _databases() -> list[tuple[str, str]]:
    return [(tree.security_repository(name), tag) for name, tag in tree.SECURITY_TAGS.items()]


def _absent(identity: str, subject: str, problem: str, hint: str) -> Finding:
    return Finding(f"{identity}_absent", "info", subject, f"{problem}. The bundle carries nothing of it", hint)


def _not_covered(identity: str, subject: str, problem: str) -> Finding:
    hint = "Ask the vendor whether the licence covers it, or leave it out of the selection"
    return Finding(f"{identity}_denied", "warning", subject, f"{problem}. The bundle carries nothing of it", hint)


def _resolve_modules(
    reader: ImageReader, root: RepositoryAddress, selectors: Selectors, resolution: Resolution
) -> dict[str, Releases]:
    base = RepositoryAddress(root.host, root.child(selectors.modules_path))
    named = selectors.modules.include is not None
    try:
        catalogue = tree.module_names(reader.registry.tags(base.path))
    except (NotFound, AccessDenied) as error:
        if named:
            raise
        resolution.findings.append(_absent("modules", base.path, str(error), "Set modules: [] to say so"))
        return {}
    chosen = choose_modules(selectors.modules, catalogue)
    return _resolve_each(reader, base, chosen, resolution)


def _resolve_each(
    reader: ImageReader, base: RepositoryAddress, chosen: Iterable[ModuleSelector], resolution: Resolution
) -> dict[str, Releases]:
    """Stage by stage over all modules at once, so that the number of modules costs no round trips."""
    selectors, offers = _offers(reader, base, list(chosen), resolution)
    repositories = [base.child(selector.name) for selector in selectors]
    tags = reader.gather(
        lambda number: list_tags(reader, repositories[number]) if module_wants_tag_list(selectors[number]) else [],
        range(len(selectors)),
    )
    selections = [
        select_module(selector, module_states(offer), listed)
        for selector, offer, listed in zip(selectors, offers, tags)
    ]
    wanted = [
        image
        for selector, selection in zip(selectors, selections)
        for tag in selection.references
        for image in module_images(base, selector.name, tag, custom=tag in selection.tags)
    ]
    found = _fetch(reader, wanted, subject="modules")
    by_module: dict[str, Found] = {}
    for place, image in found.items():
        by_module.setdefault(tree.place_of(image.layout).name, {})[place] = image
    contents = {}
    for selector, selection, offer in zip(selectors, selections, offers):
        resolution.findings += selection.warnings
        if selection.references:
            name, layout = selector.name, tree.module_release_repository(selector.name)
            images = by_module[name]
            pointers = _pointers(selection, offer, images, layout, base.child(f"{name}/release"))
            resolution.archives.append(module_order(base, name, [*images.values(), *pointers], selection.channels))
            contents[name] = releases_of(selection)
    return contents


def _offers(
    reader: ImageReader, base: RepositoryAddress, chosen: list[ModuleSelector], resolution: Resolution
) -> tuple[list[ModuleSelector], list[dict[str, ReleaseImage]]]:
    """What the channels of each module have. A module that nobody named and that the licence does not cover is left out
    with a warning that names it; a named one raises AccessDenied."""

    def read(item: tuple[ModuleSelector, str]) -> ReleaseImage | AccessDenied | None:
        selector, channel = item
        try:
            return read_release_image(reader, base.child(f"{selector.name}/release"), channel, _RELEASE_FILES)
        except AccessDenied as error:
            if selector.named:
                raise
            return error

    found = reader.gather(read, [(selector, channel) for selector in chosen for channel in KNOWN_CHANNELS])
    selectors, offers = [], []
    for number, selector in enumerate(chosen):
        answers = found[number * len(KNOWN_CHANNELS) : (number + 1) * len(KNOWN_CHANNELS)]
        denied = next((answer for answer in answers if isinstance(answer, AccessDenied)), None)
        if denied is not None:
            resolution.findings.append(_not_covered("module", selector.subject, str(denied)))
            continue
        selectors.append(selector)
        images = zip(KNOWN_CHANNELS, answers)
        offers.append({channel: image for channel, image in images if isinstance(image, ReleaseImage)})
    return selectors, offers
