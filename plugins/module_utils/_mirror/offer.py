# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a registry offers: the metadata images behind channels and versions (d8-mirror.md §2, §3.3, §4.4)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from .._dkp import release as releases
from .._dkp.channels import KNOWN_CHANNELS
from .._dkp.release import PlatformRelease
from .._dkp.selection import ChannelState
from .._dkp.version import Version
from .._oci.errors import InvalidContent
from .._oci.manifest import Manifest
from .._registry.errors import NotFound
from .reading import ImageReader


@dataclass(frozen=True)
class ReleaseImage:
    """A metadata image as it was seen under a tag: manifest and wanted files, of one and the same moment."""

    tag: str
    manifest: Manifest
    files: Mapping[str, bytes]
    where: str

    def platform_release(self) -> PlatformRelease:
        """Its version.json (and module.yaml) as the platform's. Raises InvalidContent naming the image."""
        module = self.files.get(releases.MODULE_FILE)
        return releases.parse_platform_release(self._version_json(), where=self.where, module_yaml=module)

    def module_version(self) -> Version:
        """The version in it, as a module's. Raises InvalidContent naming the image."""
        return releases.parse_module_version(self._version_json(), where=self.where)

    def _version_json(self) -> bytes:
        if releases.VERSION_FILE not in self.files:
            raise InvalidContent(
                f"{self.where}: the image has no {releases.VERSION_FILE}; it is no release image of DKP"
            )
        return self.files[releases.VERSION_FILE]


def read_release_image(reader: ImageReader, repository: str, tag: str, files: Iterable[str]) -> ReleaseImage | None:
    """The metadata image under `tag`; None when there is none. Raises what the registry raises, InvalidContent."""
    try:
        manifest = reader.manifest(repository, tag)
    except NotFound:
        return None
    return ReleaseImage(tag, manifest, reader.files(repository, manifest, frozenset(files)), f"{repository}:{tag}")


def read_channels(
    reader: ImageReader, repository: str, files: Iterable[str], channels: Iterable[str] = KNOWN_CHANNELS
) -> dict[str, ReleaseImage]:
    """The metadata images of those `channels` that exist, by channel."""
    wanted = tuple(files)
    names = tuple(channels)
    images = reader.gather(lambda channel: read_release_image(reader, repository, channel, wanted), names)
    return {name: image for name, image in zip(names, images) if image is not None}


def platform_states(images: Mapping[str, ReleaseImage]) -> dict[str, ChannelState]:
    """What the platform's channels offer, for the selection."""
    states = {}
    for name, image in images.items():
        release = image.platform_release()
        states[name] = ChannelState(name, release.version, release.suspended)
    return states


def module_states(images: Mapping[str, ReleaseImage]) -> dict[str, ChannelState]:
    """What a module's channels offer, for the selection."""
    return {name: ChannelState(name, image.module_version()) for name, image in images.items()}


def list_tags(reader: ImageReader, repository: str) -> list[str]:
    """Tags of a repository; an absent one has none."""
    try:
        return reader.registry.tags(repository)
    except NotFound:
        return []
