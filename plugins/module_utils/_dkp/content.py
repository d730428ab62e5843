# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a bundle carries, in the shape of the contract (`content` of plans, results and delivery.json)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .._oci.errors import InvalidInput
from .channels import check_channel, in_order
from .fields import digest, items, mapping, text, texts, version, versions
from .selection import Selection
from .version import Version


@dataclass(frozen=True)
class Releases:
    """Releases of the platform or of one module. `channels`: the pointers carried; `tags`: custom tags."""

    versions: tuple[Version, ...] = ()
    channels: Mapping[str, Version] = field(default_factory=dict)
    tags: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Versions ascending, channels from the highest risk, all as text."""
        return {
            "versions": [str(version) for version in sorted(self.versions)],
            "channels": {name: str(self.channels[name]) for name in in_order(self.channels)},
            "tags": sorted(self.tags),
        }


@dataclass(frozen=True)
class PinnedTag:
    """The digest under a tag when it was looked at; `repository` is relative to images_repo."""

    repository: str
    tag: str
    digest: str

    def as_dict(self) -> dict[str, str]:
        """The pin as documents show it."""
        return {"repository": self.repository, "tag": self.tag, "digest": self.digest}


@dataclass(frozen=True)
class Content:
    """Everything a bundle carries. `packages` and `plugins` are plain data that is handed on as it is.

    `security_db`: database -> tags. `installer`: tags.
    """

    platform: Releases = field(default_factory=Releases)
    modules: Mapping[str, Releases] = field(default_factory=dict)
    packages: Mapping[str, Any] = field(default_factory=dict)
    plugins: Mapping[str, Any] = field(default_factory=dict)
    security_db: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    installer: tuple[str, ...] = ()
    pins: tuple[PinnedTag, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether nothing at all is carried."""
        parts = (
            self.platform.versions,
            self.platform.tags,
            self.packages,
            self.plugins,
            self.security_db,
            self.installer,
        )
        return not any(parts) and not any(each.versions or each.tags for each in self.modules.values())

    def as_dict(self) -> dict[str, Any]:
        """The exact shape of the contract: every key is there, in an order that depends on nothing but the content."""
        return {
            "platform": self.platform.as_dict(),
            "modules": {name: _module_as_dict(self.modules[name]) for name in sorted(self.modules)},
            "packages": dict(sorted(self.packages.items())),
            "plugins": dict(sorted(self.plugins.items())),
            "security_db": {name: list(self.security_db[name]) for name in sorted(self.security_db)},
            "installer": list(self.installer),
            "pins": [pin.as_dict() for pin in self.pins],
        }


def releases_of(selection: Selection) -> Releases:
    """What `selection` takes, as content."""
    return Releases(selection.versions, dict(selection.channels), selection.tags)


def parse_content(document: object, *, where: str = "content") -> Content:
    """Read what `as_dict` gave, out of a document a user may have edited; keys that are not there are empty.

    Raises InvalidInput with the field's path: for a wrong type (a number where a version belongs: quote it), a
    version that is not vX.Y.Z, an unknown channel, and a key that nobody knows.
    """
    top = mapping(document, where)
    known = set(Content().as_dict())
    unknown = sorted(set(top) - known)
    if unknown:
        raise InvalidInput(f"{where}.{unknown[0]}: not a key of content; known are {', '.join(sorted(known))}")
    modules = mapping(top.get("modules"), f"{where}.modules")
    databases = mapping(top.get("security_db"), f"{where}.security_db")
    return Content(
        platform=_releases(top.get("platform"), f"{where}.platform"),
        modules={name: _releases(value, f"{where}.modules.{name}") for name, value in modules.items()},
        packages=mapping(top.get("packages"), f"{where}.packages"),
        plugins=mapping(top.get("plugins"), f"{where}.plugins"),
        security_db={name: texts(value, f"{where}.security_db.{name}") for name, value in databases.items()},
        installer=texts(top.get("installer"), f"{where}.installer"),
        pins=tuple(_pin(value, place) for value, place in items(top.get("pins"), f"{where}.pins")),
    )


def _module_as_dict(releases: Releases) -> dict[str, Any]:
    """Modules have a key `tags` only where custom tags were asked for."""
    shape = releases.as_dict()
    if not releases.tags:
        del shape["tags"]
    return shape


def _releases(value: object, where: str) -> Releases:
    fields = mapping(value, where)
    channels = mapping(fields.get("channels"), f"{where}.channels")
    return Releases(
        versions=versions(fields.get("versions"), f"{where}.versions"),
        channels={
            check_channel(name, where=f"{where}.channels"): version(item, f"{where}.channels.{name}")
            for name, item in channels.items()
        },
        tags=texts(fields.get("tags"), f"{where}.tags"),
    )


def _pin(value: object, where: str) -> PinnedTag:
    fields = mapping(value, where)
    pinned = digest(fields.get("digest"), f"{where}.digest")
    return PinnedTag(
        text(fields.get("repository"), f"{where}.repository"), text(fields.get("tag"), f"{where}.tag"), pinned
    )
