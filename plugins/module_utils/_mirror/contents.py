# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a bundle without `delivery.json` carries, read out of its layouts (d8-mirror.md §5, §6.3)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from .._bundle.errors import BundleDamaged
from .._dkp import release as releases
from .._dkp import tree
from .._dkp.channels import KNOWN_CHANNELS, is_channel
from .._dkp.content import Content, Releases
from .._dkp.version import Version, version_of_tag, versions_of_tags
from .._oci.errors import InvalidContent
from .bundle import JoinedLayout

Report = Callable[[str, str], None]
"""Takes the name of an archive and what is wrong with it."""
_COMPONENT_TAG = re.compile(r"[0-9a-f]{64}")


def content_of(layouts: Mapping[str, JoinedLayout], report: Report) -> dict[str, Any]:
    """Content in the contract's shape. A channel whose version cannot be read is told to `report` and left out."""
    platform = Releases()
    if tree.RELEASE_CHANNEL in layouts:
        install = layouts.get(tree.INSTALL)
        channels = _channels(layouts[tree.RELEASE_CHANNEL], releases_version, report)
        platform = _releases([layouts[tree.RELEASE_CHANNEL]], [install] if install else [], channels)
    names: dict[str, dict[str, list[str]]] = {"module": {}, "package": {}, "plugin": {}}
    for path in layouts:
        place = tree.place_of(path)
        if place.area in names:
            names[place.area].setdefault(place.name, []).append(path)
    modules = {name: _module(layouts, name, report) for name in names["module"]}
    return Content(
        platform=platform,
        modules={name: found for name, found in modules.items() if found.versions or found.tags},
        packages=_versions_by_name(layouts, names["package"]),
        plugins=_versions_by_name(layouts, names["plugin"]),
        security_db={
            path.rpartition("/")[2]: tuple(sorted(layouts[path].images))
            for path in tree.SECURITY_LAYOUTS
            if path in layouts and layouts[path].images
        },
        installer=tuple(sorted(layouts[tree.INSTALLER].images)) if tree.INSTALLER in layouts else (),
    ).as_dict()


def releases_version(raw: bytes, where: str) -> Version:
    """The version in a platform's ``version.json``."""
    return releases.parse_platform_release(raw, where=where).version


def module_version(raw: bytes, where: str) -> Version:
    """The version in a module's ``version.json``."""
    return releases.parse_module_version(raw, where=where)


def _module(layouts: Mapping[str, JoinedLayout], name: str, report: Report) -> Releases:
    own = layouts.get(tree.module_repository(name))
    metadata = layouts.get(tree.module_release_repository(name))
    channels = _channels(metadata, module_version, report) if metadata else {}
    return _releases([own] if own else [], [metadata] if metadata else [], channels)


def _releases(
    versioned: Iterable[JoinedLayout], tagged: Iterable[JoinedLayout], channels: Mapping[str, Version]
) -> Releases:
    """`versioned` layouts name versions by their tags, `tagged` ones also custom tags."""
    versions = versions_of_tags(tag for layout in versioned for tag in layout.images)
    custom = {tag for layout in tagged for tag in layout.images if _is_custom(tag)}
    return Releases(versions, channels, tuple(sorted(custom)))


def _is_custom(tag: str) -> bool:
    return not (is_channel(tag) or version_of_tag(tag) or tree.is_attestation(tag) or _COMPONENT_TAG.fullmatch(tag))


def _channels(layout: JoinedLayout, version_of: Callable[[bytes, str], Version], report: Report) -> dict[str, Version]:
    """The channels of a layout with release images, and the versions that those say."""
    channels = {}
    for name in KNOWN_CHANNELS:
        image = layout.images.get(name)
        if image is None:
            continue
        where = f"{layout.path}:{name}"
        try:
            files = layout.files(layout.manifest(image.key, image.size), frozenset({releases.VERSION_FILE}))
            if releases.VERSION_FILE not in files:
                raise InvalidContent(f"{where}: the image has no {releases.VERSION_FILE}")
            channels[name] = version_of(files[releases.VERSION_FILE], f"{where}: {releases.VERSION_FILE}")
        except BundleDamaged as error:
            report(error.archive, error.problem)
        except InvalidContent as error:
            report(layout.sources[-1][0].name, str(error))
    return channels


def _versions_by_name(
    layouts: Mapping[str, JoinedLayout], names: Mapping[str, Iterable[str]]
) -> dict[str, dict[str, list[str]]]:
    return {
        name: {
            "versions": [str(one) for one in versions_of_tags(tag for path in paths for tag in layouts[path].images)]
        }
        for name, paths in names.items()
    }
