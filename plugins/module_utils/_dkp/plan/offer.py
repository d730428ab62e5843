# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the vendor offers: the results of `release_channel_info` and `module_releases_info`, read back (contract §2).

Results may have come through files, so they are checked as they are read; keys that a plan has no use for are passed
over. What was not asked for is not the same as what does not exist.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..._oci.errors import InvalidInput
from .. import fields
from ..release import Jump
from ..version import Version


@dataclass(frozen=True)
class ChannelOffer:
    """A channel that exists, and the digest of its image where that is known."""

    version: Version
    digest: str | None = None
    suspended: bool = False


@dataclass(frozen=True)
class ReleaseOffer:
    """Metadata of one version. `version` is what the image itself says, null where that was not told.

    `requirements`: for the platform text by key; for a module `deckhouse`, `kubernetes` and `modules`.
    """

    digest: str | None = None
    version: Version | None = None
    requirements: Mapping[str, Any] = field(default_factory=dict)
    jumps: tuple[Jump, ...] = ()


NO_RELEASE = ReleaseOffer()
"""What is known of a version that nobody asked about."""


@dataclass(frozen=True)
class Offer:
    """The platform, or one module. `channels` has null for a channel that was asked for and does not exist.

    `versions`: the version tags, ascending. `stray`: those of them without a release image. `releases`: metadata of
    the versions that were asked for. `listed`: whether `versions` are all that was listed; a long result may leave them
    out, and then they are those of `releases`, which are what a plan needs.
    """

    channels: Mapping[str, ChannelOffer | None] = field(default_factory=dict)
    versions: tuple[Version, ...] = ()
    releases: Mapping[Version, ReleaseOffer] = field(default_factory=dict)
    stray: frozenset[Version] = frozenset()
    exists: bool = True
    listed: bool = True

    @functools.cached_property
    def ascending(self) -> tuple[Version, ...]:
        """The versions that can be steps."""
        return tuple(version for version in self.versions if version not in self.stray)

    @functools.cached_property
    def available(self) -> frozenset[Version]:
        """The same, to look in."""
        return frozenset(self.ascending)

    @functools.cached_property
    def jumps(self) -> dict[Version, tuple[Jump, ...]]:
        """The jumps by the version that states them."""
        return {version: release.jumps for version, release in self.releases.items() if release.jumps}

    @property
    def existing(self) -> tuple[str, ...]:
        """Names of the channels that exist."""
        return tuple(name for name, channel in self.channels.items() if channel is not None)


@dataclass(frozen=True)
class Vendor:
    """All that was read of the source. `platform` is null when only modules were."""

    images_repo: str | None = None
    edition: str | None = None
    platform: Offer | None = None
    modules: Mapping[str, Offer] = field(default_factory=dict)


def parse_vendor(platform: object, modules: object) -> Vendor:
    """Read the two results (either may be None). Raises InvalidInput with the path of what cannot be right."""
    first = fields.mapping(platform, "platform_releases")
    second = fields.mapping(modules, "module_releases")
    if not first and not second:
        raise InvalidInput(
            "platform_releases: nothing was read of the vendor; give the result of release_channel_info, that of "
            "module_releases_info as module_releases, or both"
        )
    for key, where in (("channels", "platform_releases"), ("modules", "module_releases")):
        result = first if where == "platform_releases" else second
        if result and key not in result:
            raise InvalidInput(f"{where}.{key}: is missing; give the whole result of the module that read it")
    offers = fields.mapping(second.get("modules"), "module_releases.modules")
    return Vendor(
        images_repo=_stated(first, second, "images_repo"),
        edition=_stated(first, second, "edition"),
        platform=_offer(first, "platform_releases") if first else None,
        modules={name: _offer(value, f"module_releases.modules.{name}") for name, value in offers.items()},
    )


def _stated(platform: Mapping[str, Any], modules: Mapping[str, Any], key: str) -> str | None:
    """What the results say of their source; they have to agree."""
    said = {
        where: fields.text(result[key], f"{where}.{key}")
        for where, result in (("platform_releases", platform), ("module_releases", modules))
        if result.get(key) is not None
    }
    if len(set(said.values())) > 1:
        named = " and ".join(f"{where} of {value}" for where, value in said.items())
        raise InvalidInput(f"{named} do not belong together: read both from one images_repo")
    return next(iter(said.values()), None)


def _offer(value: object, where: str) -> Offer:
    result = fields.mapping(value, where)
    if result.get("exists") is False:
        return Offer(exists=False)
    channels = fields.mapping(result.get("channels"), f"{where}.channels")
    releases = {
        fields.version(tag, f"{where}.releases (key)"): _release(item, f"{where}.releases.{tag}")
        for tag, item in fields.mapping(result.get("releases"), f"{where}.releases").items()
        if _is_version(tag)
    }
    for name, item in channels.items():
        if isinstance(item, Mapping) and "requirements" in item:  # a channel tells of its own version, too
            told = _release({"requirements": item["requirements"]}, f"{where}.channels.{name}")
            releases.setdefault(fields.version(item.get("version"), f"{where}.channels.{name}.version"), told)
    listed = "versions" in result
    return Offer(
        channels={name: _channel(item, f"{where}.channels.{name}") for name, item in channels.items()},
        versions=fields.versions(result["versions"], f"{where}.versions") if listed else tuple(sorted(releases)),
        releases=releases,
        stray=frozenset(fields.versions(result.get("stray"), f"{where}.stray")),
        listed=listed,
    )


def _is_version(tag: str) -> bool:
    """Custom tags have metadata too, and are no releases."""
    return fields.version_of(tag) is not None


def _channel(value: object, where: str) -> ChannelOffer | None:
    state = fields.mapping(value, where)
    if not state.get("exists", True):
        return None
    digest = state.get("digest")
    return ChannelOffer(
        fields.version(state.get("version"), f"{where}.version"),
        fields.digest(digest, f"{where}.digest") if digest is not None else None,
        fields.flag(state.get("suspended", False), f"{where}.suspended"),
    )


def _release(value: object, where: str) -> ReleaseOffer:
    metadata = fields.mapping(value, where)
    digest, version = metadata.get("digest"), metadata.get("version")
    return ReleaseOffer(
        fields.digest(digest, f"{where}.digest") if digest is not None else None,
        fields.version(version, f"{where}.version") if version is not None else None,
        _requirements(metadata.get("requirements"), f"{where}.requirements"),
        tuple(_jump(item, place) for item, place in fields.items(metadata.get("jumps"), f"{where}.jumps")),
    )


def _requirements(value: object, where: str) -> dict[str, Any]:
    """Requirements by key; only what is required of other modules has a mapping of its own."""
    return {
        key: (fields.mapping_of(fields.text) if key == "modules" else fields.text)(item, f"{where}.{key}")
        for key, item in fields.mapping(value, where).items()
        if item is not None
    }


def _jump(value: object, where: str) -> Jump:
    return _jump_of(*(fields.text(fields.mapping(value, where).get(key), f"{where}.{key}") for key in ("from", "to")))


_jump_of = functools.lru_cache(maxsize=4096)(Jump)
