# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later


"""Where clusters stand, as a document: `kind: UpdateStatus` (issue "The whole journey", `status`)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ..._oci.errors import InvalidInput
from ..documents import kind_of
from ..fields import (
    choice_of,
    described,
    flag,
    mapping,
    mapping_of,
    number,
    parse_record,
    plain,
    record_of,
    text,
    texts,
    tuple_of,
)
from ..fields import version as version_field
from ..fields import versions as versions_field
from ..findings import SEVERITIES
from ..version import Version

KIND = "UpdateStatus"
VERSION = 1
PARTS = ("cluster", "progress", "vendor", "vendor_modules", "registry")
"""What a status is made of. Each may be missing, and then says why."""


@dataclass(frozen=True)
class Part:
    """Whether a part is `known`, and the `reason` why not. `where`: the registry it is about. `channels`: of the
    platform there."""

    known: bool = described(flag)
    reason: str = described(text, "")
    where: str | None = described(text, None)
    channels: Mapping[str, Version] = described(mapping_of(version_field), dict)


@dataclass(frozen=True)
class Waiting:
    """A release that the cluster knows and has not taken. `state`: as `rollout_info` names what it waits for, else as
    the message tells it, empty where that says nothing. `message`: the cluster's own words. `until`: a time as the
    cluster writes it."""

    version: Version = described(version_field)
    state: str = described(text, "")
    message: str = described(text, "")
    until: str | None = described(text, None)
    approved: bool = described(flag, False)


@dataclass(frozen=True)
class Track:
    """The platform, or one module.

    `registry` and `vendor`: where the `channel` points there, null where it is not there or not known. `steps`: what
    lies between `runs` and `vendor`. `incomplete`: versions that the cluster would need and of which the private
    registry lacks images. `up_to_date`: null where it cannot be told. `followed`: false for a module that gets no
    updates, and `note` says why; otherwise a note says what stands in the way. `phase`: of a module.
    """

    runs: Version | None = described(version_field, None)
    channel: str | None = described(text, None)
    registry: Version | None = described(version_field, None)
    vendor: Version | None = described(version_field, None)
    steps: tuple[Version, ...] = described(versions_field, ())
    waiting: tuple[Waiting, ...] = described(tuple_of(record_of(Waiting)), ())
    incomplete: tuple[Version, ...] = described(versions_field, ())
    up_to_date: bool | None = described(flag, None)
    followed: bool = described(flag, True)
    phase: str | None = described(text, None)
    note: str = described(text, "")


@dataclass(frozen=True)
class Queue:
    """Deckhouse's own work: tasks of the main queue and of all of them; null where it cannot be read."""

    readable: bool = described(flag, False)
    main: int | None = described(number, None)
    total: int | None = described(number, None)


@dataclass(frozen=True)
class Next:
    """What to do next. `action`: one word for programs (`ACTIONS`); `message`: a sentence for people."""

    action: str = described(text)
    message: str = described(text)
    subjects: tuple[str, ...] = described(texts, ())


ACTIONS = ("connect", "repair", "wait", "push", "approve", "publish", "update", "configure", "none")


@dataclass(frozen=True)
class Noted:
    """A finding. `observed`: about what the cluster does, and not about the way to what the vendor offers."""

    id: str = described(text)
    severity: str = described(choice_of(*SEVERITIES))
    subject: str = described(text, "")
    message: str = described(text, "")
    hint: str = described(text, "")
    observed: bool = described(flag, False)


@dataclass(frozen=True)
class ClusterStatus:
    """One cluster. `updating`: the version that the platform is being switched to, null where none is. `findings`: what
    the observation of the cluster and the way to the vendor's version found."""

    up_to_date: bool | None = described(flag, None)
    next: Next = described(record_of(Next), Next("none", ""))
    edition: str | None = described(text, None)
    update_mode: str | None = described(text, None)
    updating: Version | None = described(version_field, None)
    platform: Track = described(record_of(Track), Track)
    modules: Mapping[str, Track] = described(mapping_of(record_of(Track)), dict)
    queue: Queue = described(record_of(Queue), Queue)
    findings: tuple[Noted, ...] = described(tuple_of(record_of(Noted)), ())
    parts: Mapping[str, Part] = described(mapping_of(record_of(Part)), dict)

    def part(self, name: str) -> Part:
        """One of `PARTS`; one that is not told of is not known."""
        return self.parts.get(name, Part(known=False))

    @property
    def tracks(self) -> Iterable[tuple[str, Track]]:
        """The platform under the name ``platform``, then the modules that get updates."""
        yield "platform", self.platform
        for name, track in self.modules.items():
            if track.followed:
                yield name, track


def status_document(clusters: Mapping[str, ClusterStatus]) -> dict[str, Any]:
    """The document: plain data in a fixed order, the same for the same clusters."""
    return {"kind": KIND, "version": VERSION, "clusters": {name: plain(each) for name, each in clusters.items()}}


def parse_status(document: object, where: str = "status") -> dict[str, ClusterStatus]:
    """Read the document; raises InvalidInput with the path of the field, for another kind, and for unknown versions."""
    top = mapping(document, where)
    if top.get("kind") != KIND:
        raise InvalidInput(f"{where}.kind: expected {KIND}, found {kind_of(top.get('kind'))}; this is no status")
    if top.get("version") != VERSION:
        told = kind_of(top.get("version"))
        raise InvalidInput(f"{where}.version: {told} is not known; this collection reads {VERSION}")
    clusters = mapping(top.get("clusters"), f"{where}.clusters")
    return {name: parse_record(ClusterStatus, each, f"{where}.clusters.{name}") for name, each in clusters.items()}
