# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From selectors to archives: reads what the source offers and decides what is carried (d8-mirror.md §3, §4, §7)."""

from __future__ import annotations

from collections.abc import Iterable

from .._dkp import release as releases
from .._dkp import tree
from .._dkp.channels import KNOWN_CHANNELS
from .._dkp.content import Content, Releases, releases_of
from .._dkp.editions import bare_root
from .._dkp.findings import Finding
from .._dkp.modules import ModuleSelector, choose_modules, module_wants_tag_list, select_module
from .._dkp.platform import PlatformSelector, select_platform, wants_tag_list
from .._dkp.selection import Selection, SelectionError, missing_tag
from .._oci.reference import RepositoryAddress
from .._registry.errors import AccessDenied, NotFound
from .offer import ReleaseImage, list_tags, module_states, platform_states, read_channels, read_release_image
from .reading import ImageReader
from .request import ArchiveOrder, ReleaseOrder, Resolution, Selectors, TaggedManifest

_RELEASE_FILES = (releases.VERSION_FILE,)
_PLATFORM_ORDER = (tree.INSTALL, tree.ROOT, tree.INSTALL_STANDALONE, tree.RELEASE_CHANNEL)
"""Install images come first: they list the components (design §4, idea 1)."""


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
    wanted = [
        (layout, tag, layout == tree.INSTALL_STANDALONE or (layout == tree.RELEASE_CHANNEL and tag in custom))
        for tag in selection.references
        for layout in _PLATFORM_ORDER
    ]
    images = _fetch(reader, root, wanted, subject="platform")
    images += _pointers(selection, channels, images, tree.RELEASE_CHANNEL, repository)
    images.sort(key=lambda image: _PLATFORM_ORDER.index(image.layout))  # stable: versions stay ascending
    resolution.archives.append(
        ArchiveOrder(
            name=tree.PLATFORM_ARCHIVE,
            layouts={layout: root.child(layout) for layout in _PLATFORM_ORDER},
            images=tuple(images),
            releases=tuple(
                ReleaseOrder("platform", image.tag, image) for image in images if image.layout == tree.INSTALL
            ),
        )
    )
    return releases_of(selection)


def _fetch(
    reader: ImageReader, root: RepositoryAddress, wanted: Iterable[tuple[str, str, bool]], *, subject: str
) -> list[TaggedManifest]:
    """The manifests of (path, tag, optional) below `root`; SelectionError names what is missing and not optional."""

    def fetch(item: tuple[str, str, bool]) -> TaggedManifest | None:
        path, tag, _optional = item
        try:
            return TaggedManifest(path, root.child(path), tag, reader.manifest(root.child(path), tag))
        except NotFound:
            return None

    items = list(wanted)
    found = reader.gather(fetch, items)
    missing = [
        f"{root.child(path)}:{tag}"
        for (path, tag, optional), image in zip(items, found)
        if image is None and not optional
    ]
    if missing:
        raise SelectionError(
            f"{subject}: the source lacks {', '.join(missing)}, which what was asked for needs. The vendor's tree is "
            "incomplete there or the licence does not cover it; choose other versions or ask the vendor",
            missing=missing,
        )
    return [image for image in found if image is not None]


def _pointers(
    selection: Selection,
    channels: dict[str, ReleaseImage],
    images: Iterable[TaggedManifest],
    layout: str,
    repository: str,
) -> list[TaggedManifest]:
    """The channel images to carry: as the source has them, or that of the version where the selection says so."""
    by_tag = {image.tag: image.manifest for image in images if image.layout == layout}
    pointers = []
    for name, version in selection.channels.items():
        own = channels.get(name)
        manifest = own.manifest if own is not None and name not in selection.repointed else by_tag[str(version)]
        pointers.append(TaggedManifest(layout, repository, name, manifest))
    return pointers


def _resolve_installer(
    reader: ImageReader, root: RepositoryAddress, selectors: Selectors, resolution: Resolution
) -> list[str]:
    """The installer lies beside the editions (d8-mirror.md §1.3); a tree that was mirrored by d8 has it below."""
    tag = str(selectors.installer_tag)
    parent = bare_root(root)
    candidates = dict.fromkeys([parent.child(tree.INSTALLER).lstrip("/"), root.child(tree.INSTALLER)])
    for repository in candidates:
        try:
            manifest = reader.manifest(repository, tag)
        except NotFound:
            continue
        except AccessDenied as error:
            if selectors.installer_named or repository != next(iter(candidates)):
                raise
            resolution.findings.append(_not_covered("installer", f"{repository}:{tag}", str(error)))
            return []
        image = TaggedManifest(tree.INSTALLER, repository, tag, manifest)
        resolution.archives.append(ArchiveOrder(tree.INSTALLER_ARCHIVE, {tree.INSTALLER: repository}, (image,)))
        return [tag]
    if selectors.installer_named:
        raise missing_tag(tag, list_tags(reader, next(iter(candidates))), subject="installer")
    problem = f"the source has no installer under the tag {tag} ({' nor '.join(candidates)})"
    resolution.findings.append(_absent("installer", "installer", problem, "Set installer: false if that is meant"))
    return []


def _resolve_security(
    reader: ImageReader, root: RepositoryAddress, resolution: Resolution
) -> dict[str, tuple[str, ...]]:
    wanted = [(tree.security_repository(name), tag, True) for name, tag in tree.SECURITY_TAGS.items()]
    try:
        images = _fetch(reader, root, wanted, subject="security databases")
    except AccessDenied as error:
        resolution.findings.append(_not_covered("security_db", root.child(tree.SECURITY_LAYOUTS[0]), str(error)))
        return {}
    if tree.SECURITY_LAYOUTS[0] not in {image.layout for image in images}:
        database = root.child(tree.SECURITY_LAYOUTS[0])
        problem = f"the source has no vulnerability databases ({database}:2 is not there)"
        hint = "Editions CE, BE and SE have none; set security_db: false to say so"
        resolution.findings.append(_absent("security_db", "security_db", problem, hint))
        return {}
    for path, tag, _optional in wanted:
        if path not in {image.layout for image in images}:
            problem = f"the source has no {root.child(path)}:{tag}"
            resolution.findings.append(_absent("security_db", path, problem, "Nothing to do if the edition lacks it"))
    layouts = {path: root.child(path) for path, _tag, _optional in wanted}
    resolution.archives.append(ArchiveOrder(tree.SECURITY_ARCHIVE, layouts, tuple(images)))
    return {image.layout.rpartition("/")[2]: (image.tag,) for image in images}


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
        (path, tag, path.endswith("/release") and tag in selection.tags)
        for selector, selection in zip(selectors, selections)
        for tag in selection.references
        for path in (selector.name, f"{selector.name}/release")
    ]
    fetched = _fetch(reader, base, wanted, subject="modules")
    by_layout: dict[str, list[TaggedManifest]] = {}
    for tagged in fetched:
        by_layout.setdefault(tagged.layout, []).append(tagged)
    contents = {}
    for selector, selection, offer in zip(selectors, selections, offers):
        resolution.findings += selection.warnings
        if selection.references:
            resolution.archives.append(_module_archive(selector.name, base, selection, offer, by_layout))
            contents[selector.name] = releases_of(selection)
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


def _module_archive(
    name: str,
    base: RepositoryAddress,
    selection: Selection,
    offer: dict[str, ReleaseImage],
    by_layout: dict[str, list[TaggedManifest]],
) -> ArchiveOrder:
    main, release = tree.module_repository(name), tree.module_release_repository(name)
    repository = base.child(name)
    images = [TaggedManifest(main, repository, image.tag, image.manifest) for image in by_layout.get(name, [])]
    metadata = [
        TaggedManifest(release, f"{repository}/release", image.tag, image.manifest)
        for image in by_layout.get(f"{name}/release", [])
    ]
    metadata += _pointers(selection, offer, metadata, release, f"{repository}/release")
    return ArchiveOrder(
        name=tree.module_archive(name),
        layouts={main: repository, release: f"{repository}/release"},
        images=(*images, *metadata),
        releases=tuple(ReleaseOrder(name, image.tag, image) for image in images),
        module=name,
    )
