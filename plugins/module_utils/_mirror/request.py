# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a pull was asked for, and what it means: archives with the images known before any list is read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .._dkp.findings import Finding
from .._dkp.modules import ModuleChoice
from .._dkp.plan.document import PlanDocument
from .._dkp.platform import PlatformSelector
from .._oci.manifest import Manifest


@dataclass(frozen=True)
class Selectors:
    """The selectors of `oci_bundle_pull` (contract), read and checked without any network."""

    platform: PlatformSelector | None
    modules: ModuleChoice
    modules_path: str
    """Normalised: ``""`` is the root itself."""
    security_db: bool = True
    installer_tag: str | None = "latest"
    installer_named: bool = False
    """Whether the tag was given by the user: then it has to be there."""
    vex: bool = True
    ignore_suspend: bool = False


@dataclass(frozen=True)
class Planned:
    """A pull by plan: its content, no more and no less. `accepted` are the findings it is carried out in spite of."""

    plan: PlanDocument
    modules_path: str
    """Normalised: ``""`` is the root itself."""
    accepted: tuple[Finding, ...] = ()
    vex: bool = True


@dataclass(frozen=True)
class TaggedManifest:
    """An image under a tag: `layout` and `repository` (without host) it belongs to."""

    layout: str
    repository: str
    tag: str
    manifest: Manifest


@dataclass(frozen=True)
class ReleaseOrder:
    """One version whose image lists further images; `group` and `version` are its key in delivery.json."""

    group: str
    version: str
    image: TaggedManifest


@dataclass(frozen=True)
class ArchiveOrder:
    """One archive: `layouts` maps layout paths to repositories, `images` come first, `releases` bring more.

    `module` is the module's name, None for other archives. `channels` says which version each pointer is of.
    """

    name: str
    layouts: dict[str, str]
    images: tuple[TaggedManifest, ...]
    releases: tuple[ReleaseOrder, ...] = ()
    module: str | None = None
    channels: Mapping[str, str] = field(default_factory=dict)


@dataclass
class Resolution:
    """What was asked for, at this source: `content` in the contract's shape, the archives, and remarks."""

    content: dict[str, Any]
    archives: list[ArchiveOrder] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
