# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What was seen in a private registry, before anybody says what it means."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..release import Jump
from ..version import Version

THERE, ABSENT, BROKEN, UNKNOWN = "there", "absent", "broken", "unknown"


@dataclass(frozen=True)
class Image:
    """An image under a tag or digest.

    `state`: there; absent; broken (the manifest is there, and it, what it names or its content is not what it should
    be); unknown (the registry refuses to tell). `note` says what is broken, or what the registry said.
    """

    state: str = THERE
    digest: str | None = None
    note: str = ""


@dataclass(frozen=True)
class Metadata:
    """A release image, and what it says. `version` is None where it cannot be read: then the image is not there."""

    image: Image
    version: Version | None = None
    suspended: bool = False
    requirements: Mapping[str, Any] = field(default_factory=dict)
    jumps: tuple[Jump, ...] = ()


@dataclass(frozen=True)
class Parts:
    """The images that a release consists of. `total`: how many it lists. `missing`, `unknown`: names of those that are
    not there, and of those that the registry refuses to tell about.

    `problem` says why the list itself could not be read; then nothing is known. `refused`: because the registry does
    not tell, and not because there is none.
    """

    total: int = 0
    missing: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()
    problem: str = ""
    refused: bool = False


NO_PARTS = Parts()


@dataclass(frozen=True)
class Release:
    """One version: its release image, its main image, what it consists of. `install` is None where nobody looked;
    custom tags have no `metadata`. `installs`: whether the bundle brings that install image."""

    image: Image
    metadata: Metadata | None = None
    parts: Parts = NO_PARTS
    extras: Parts = NO_PARTS
    install: Image | None = None
    installs: bool = False


@dataclass(frozen=True)
class Line:
    """The platform (`name` is None), or one module, as the registry has it.

    `listed`: the versions among the tags that Deckhouse lists, None where the registry refuses the list. `channels`:
    those that were looked at. `indexed`: whether the catalogue names the module, None where that is not known.
    `releases`: by tag. `overrides`: images of ModulePullOverrides by tag.
    """

    name: str | None
    repository: str
    listed: tuple[Version, ...] | None = ()
    channels: Mapping[str, Metadata] = field(default_factory=dict)
    indexed: bool | None = True
    releases: Mapping[str, Release] = field(default_factory=dict)
    overrides: Mapping[str, Image] = field(default_factory=dict)

    def jumps(self) -> dict[Version, tuple[Jump, ...]]:
        """The jumps by the version that states them."""
        found = {}
        for release in self.releases.values():
            metadata = release.metadata
            if metadata is not None and metadata.version is not None and metadata.jumps:
                found[metadata.version] = metadata.jumps
        return found


@dataclass(frozen=True)
class Refusal:
    """A repository that the registry refused: `what` is ``list`` or ``image``, `text` what it said."""

    repository: str
    what: str
    status: int | None
    text: str


@dataclass(frozen=True)
class Observed:
    """Everything that was seen. `databases`: images of vulnerability databases by name. `untagged`: component images
    without a tag of their own, by repository; those of repositories that list no tags are not among them. `as_cluster`:
    whether it was seen with the cluster's own credentials."""

    address: str
    scheme: str
    lines: Mapping[str | None, Line] = field(default_factory=dict)
    databases: Mapping[str, Image] = field(default_factory=dict)
    installer: Mapping[str, Image] = field(default_factory=dict)
    untagged: Mapping[str, int] = field(default_factory=dict)
    refusals: tuple[Refusal, ...] = ()
    as_cluster: bool = False
