# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A bundle from one directory of a host to another, also in volumes: media that are carried in turns.

A directory that takes volumes (a medium) is filled with whole parts that the far side has not acknowledged. They lie in
`.incoming`, where nobody takes them for a bundle; only when all parts are there the medium becomes one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .._bundle.arrival import (
    INCOMING_NAME,
    OK,
    PARTIAL,
    Arrival,
    PartState,
    Shipment,
    document_in,
    is_finished,
    shipment_of,
)
from .._bundle.copying import copy_part
from .._bundle.delivery import Part
from .._bundle.directory import DELIVERY_NAME
from .._bundle.medium import Received, read_received, write_received
from .._bundle.ownership import Ownership
from .._dkp.findings import Finding
from .._oci.errors import InvalidInput
from .._registry.stopping import Stopping
from .arriving import Hashes, check_room, finished, held, settled, states_of
from .memory import HostMemory
from .volumes import Volume, carry, plan_volume, retire_for_volume


@dataclass(frozen=True)
class CopyRequest:
    """What to copy where. `volumes`: `destination` may hold less than all; `reserve`: bytes to leave free there;
    `acknowledge`: note on `source`, a medium, what has arrived."""

    source: Path
    destination: Path
    volumes: bool = False
    reserve: int = 0
    acknowledge: bool = False
    ownership: Ownership = field(default_factory=Ownership)
    dry: bool = False


@dataclass
class Copied:
    """What was done, or (`dry`) would be. `remaining` is what the destination lacks, or no medium carries yet."""

    shipment: Shipment
    changed: bool = False
    complete: bool = False
    copied: list[Part] = field(default_factory=list)
    present: list[Part] = field(default_factory=list)
    remaining: list[Part] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        return {
            "changed": self.changed,
            "complete": self.complete,
            "copied": self._sum(self.copied),
            "present": self._sum(self.present),
            "remaining": {
                "bytes": sum(part.bytes for part in self.remaining),
                "parts": [part.name for part in self.remaining],
            },
            "bundle": {"bytes": self.shipment.bytes, "parts": len(self.shipment.parts)},
            "findings": [finding.as_dict() for finding in self.findings],
        }

    def _sum(self, files: Sequence[Part]) -> dict[str, int]:
        parts = [part for part in files if part is not self.shipment.document]
        return {"bytes": sum(part.bytes for part in parts), "parts": len(parts)}


def _all_ok(states: Sequence[PartState]) -> bool:
    return all(state.state == OK for state in states)


def copy_bundle(request: CopyRequest, memory: HostMemory, stopping: Stopping) -> Copied:
    """Copy what is missing. Raises InvalidInput for a source without a delivery, NoSpace, BundleError, Stopped."""
    document = document_in(request.source)
    if document is None:
        raise InvalidInput(
            f"src: {request.source} holds no {DELIVERY_NAME}, so nothing tells what belongs to the bundle; name the "
            "directory of a bundle that oci_bundle_pull has finished, or a medium that this collection has filled"
        )
    if request.source.resolve() == request.destination.resolve():
        raise InvalidInput(f"dest: {request.destination} is src itself; there is nothing to copy")
    copy = _Copy(request, Arrival(request.destination, shipment_of(document)), memory, stopping)
    copy.run()
    if request.acknowledge:
        copy.acknowledge()
    return copy.result


class _Copy:
    """One run."""

    def __init__(self, request: CopyRequest, arrival: Arrival, memory: HostMemory, stopping: Stopping) -> None:
        self.request = request
        self.arrival = arrival
        self.memory = memory
        self.stopping = stopping
        self.result = Copied(arrival.shipment)
        self._hashes = Hashes(memory, stopping)
        self._is_volume = not (request.source / DELIVERY_NAME).is_file()

    def run(self) -> None:
        if self.request.volumes:
            self._distrust()
        states = states_of(self.arrival, self.memory, self.stopping)
        self.result.present = [state.part for state in states if state.state == OK]
        if is_finished(states):
            done = settled(self.arrival, states, self.memory, ownership=self.request.ownership, dry=self.request.dry)
            self.result.changed, self.result.complete = done.changed, True
            return
        volume = None
        if self.request.volumes:
            volume = plan_volume(self.arrival, states, self.memory, self.request.source, reserve=self.request.reserve)
            todo = list(volume.todo)
        else:
            todo = [state for state in states if state.state != OK]
            check_room(self.arrival, todo, reserve=self.request.reserve)
        nothing = volume is not None and not todo and not volume.superseded and not _all_ok(states)
        if self.request.dry or nothing:
            self._foretell(states, todo, volume)
        else:
            self._copy(states, todo, volume)

    def _distrust(self) -> None:
        """What the far side found damaged on this medium is read again, whatever this host remembers."""
        noted = read_received(self.request.destination, self.arrival.shipment.document.sha256)
        for name in noted.damaged:
            for directory in (self.request.destination, self.arrival.incoming):
                self._hashes.forget(directory / name)

    def _foretell(self, states: Sequence[PartState], todo: Sequence[PartState], volume: Volume | None) -> None:
        coming = [state for state in todo if self._source_of(state.part) is not None]
        self.result.copied = [state.part for state in coming]
        names = {state.part.name for state in coming}
        self._tell_remaining([s.part for s in states if s.state != OK and s.part.name not in names], volume)
        done = all(state.state == OK or state.part.name in names for state in states)
        self.result.changed = bool(coming) or done or (volume is not None and bool(volume.superseded))

    def _copy(self, states: Sequence[PartState], todo: Sequence[PartState], volume: Volume | None) -> None:
        self.request.destination.mkdir(parents=True, exist_ok=True)
        with held(self.arrival):
            self.arrival.begin(states)
            if volume is not None:
                states = retire_for_volume(self.arrival, states, volume)
            arrived = {state.part.name: state for state in states if state.state == OK}
            for state in todo:
                if self._copy_one(state):
                    arrived[state.part.name] = PartState(state.part, OK, self._target(state.part), state.part.bytes)
                    self.result.copied.append(state.part)
            files = self.arrival.shipment.files
            self.result.changed = bool(self.result.copied) or (volume is not None and bool(volume.superseded))
            if all(part.name in arrived for part in files):
                in_order = [arrived[part.name] for part in files]
                finished(self.arrival, in_order, self.memory, ownership=self.request.ownership)
                self.result.changed = True
            if volume is not None:
                carry(self.memory, self.request.source, self.arrival, volume, set(arrived))
            self._tell_remaining([part for part in files if part.name not in arrived], volume)

    def _tell_remaining(self, missing: Sequence[Part], volume: Volume | None) -> None:
        """What is to come still; for a medium without what the far side has, or another medium carries."""
        elsewhere = (volume.received | volume.elsewhere) if volume is not None else frozenset()
        self.result.remaining = [part for part in missing if part.name not in elsewhere]
        self.result.complete = not self.result.remaining

    def _copy_one(self, state: PartState) -> bool:
        """Whether the part is there, whole and sound, afterwards."""
        part, target = state.part, self._target(state.part)
        source = self._source_of(part)
        if source is None:
            if not self._is_volume:
                self._tell("missing", "error", part, "is missing or has another size")
            return False
        start = state.have if state.state == PARTIAL else 0
        if not copy_part(source, target, part, start=start, check=self.stopping.check):
            self._tell(
                "damaged", "warning" if self._is_volume else "error", part, "is damaged, its bytes have another hash"
            )
            return False
        self._hashes.remember(target, part)
        return True

    def _tell(self, identity: str, severity: str, part: Part, problem: str) -> None:
        hint = (
            "Carry the medium back: the next run outside puts this part on it again"
            if self._is_volume
            else "Copy or pull the bundle again where it came from"
        )
        message = f"{self.request.source}: {part.name} {problem}"
        self.result.findings.append(Finding(identity, severity, part.name, message, hint))

    def _target(self, part: Part) -> Path:
        return self.arrival.incoming / part.name

    def _source_of(self, part: Part) -> Path | None:
        """Where the source has the part, as far as its size tells."""
        for directory in (self.request.source, self.request.source / INCOMING_NAME):
            path = directory / part.name
            if path.is_file() and path.stat().st_size == part.bytes:
                return path
        return None

    def acknowledge(self) -> None:
        """Note on the medium what this side holds by now, for the next run outside."""
        here = frozenset(part.name for part in (*self.result.present, *self.result.copied))
        damaged = frozenset(finding.subject for finding in self.result.findings if finding.id == "damaged")
        if self.request.dry or not (self._is_volume or damaged):
            return
        try:
            write_received(self.request.source, self.arrival.shipment.document.sha256, Received(here, damaged))
        except OSError as error:
            self.result.findings.append(
                Finding(
                    "not_acknowledged",
                    "info" if self.result.complete else "warning",
                    str(self.request.source),
                    f"{self.request.source}: what arrived cannot be noted on the medium ({error.strerror or error})",
                    "Mount the medium for writing, so that the next run outside knows what to put on it",
                )
            )
