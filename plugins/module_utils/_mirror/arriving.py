# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The receiver's side of every way of transfer: what is there, room for the rest, and the proof at the end."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .._bundle.arrival import (
    DAMAGED,
    INCOMING_NAME,
    OK,
    PREVIOUS_NAME,
    Arrival,
    PartState,
    Shipment,
    hash_of,
    is_finished,
)
from .._bundle.delivery import Part, parse
from .._bundle.directory import DELIVERY_NAME
from .._bundle.errors import NoSpace
from .._bundle.lock import DirectoryLock
from .._bundle.ownership import Ownership
from .._bundle.parts import parse_part_name
from .._bundle.reserve import free_bytes
from .._dkp.counting import counted
from .._dkp.findings import Finding
from .._registry.stopping import Stopping
from .memory import HostMemory
from .proofs import identity_of, is_proven, remember_proof

_KIND = "parts"
_LOCK_NAME = "transfer.lock"


@dataclass(frozen=True)
class Arrived:
    """How far a shipment has come. `states` are those at the end; in check mode, those at the start."""

    changed: bool
    complete: bool
    states: tuple[PartState, ...]
    free: int
    findings: tuple[Finding, ...] = ()
    incoming: str = ""
    missing: tuple[PartState, ...] = field(default=())

    def as_dict(self) -> dict[str, Any]:
        there = [state for state in self.states if state.state == OK]
        return {
            "changed": self.changed,
            "complete": self.complete,
            "ok": self.complete and not self.findings,
            "present": {"bytes": sum(state.part.bytes for state in there), "parts": len(there)},
            "remaining": {
                "bytes": sum(state.missing_bytes for state in self.missing),
                "parts": [
                    {
                        **state.part.as_dict(),
                        "state": state.state,
                        "have": state.part.bytes - state.missing_bytes,
                    }
                    for state in self.missing
                ],
            },
            "free": self.free,
            "findings": [finding.as_dict() for finding in self.findings],
            "incoming": self.incoming,
        }


class Hashes:
    """What files of this host hash to, remembered while they are unchanged (as `proofs`)."""

    def __init__(self, memory: HostMemory, stopping: Stopping) -> None:
        self._memory = memory
        self._stopping = stopping

    def verdict(self, path: Path, part: Part) -> bool:
        """Whether the file has the hash of the part."""
        identity = identity_of([path])
        known = self._memory.get(_KIND, str(path))
        if isinstance(known, list) and len(known) == 2 and known[0] == identity:
            return bool(known[1] == part.sha256)
        found = hash_of(path, check=self._stopping.check)
        self._memory.put(_KIND, str(path), [identity, found])
        return found == part.sha256

    def remember(self, path: Path, part: Part) -> None:
        """This host has just written the part to `path`, and it is right."""
        self._memory.put(_KIND, str(path), [identity_of([path]), part.sha256])

    def forget(self, path: Path) -> None:
        self._memory.forget(_KIND, str(path))


def states_of(arrival: Arrival, memory: HostMemory, stopping: Stopping) -> list[PartState]:
    """The states of all files of the shipment; what this host has not proven before is read. Raises BundleError."""
    hashes = Hashes(memory, stopping)
    proven = _proven_before(arrival, memory)

    def verdict(path: Path, part: Part) -> bool:
        return (path.parent == arrival.directory and part.name in proven) or hashes.verdict(path, part)

    with ThreadPoolExecutor(max(os.cpu_count() or 1, 1), thread_name_prefix="prove") as pool:
        return list(pool.map(lambda part: arrival.state(part, verdict), arrival.shipment.files))


def _proven_before(arrival: Arrival, memory: HostMemory) -> frozenset[str]:
    """Parts of archives that this host has written or read in full, by a pull or by an earlier transfer."""
    if not arrival.is_same_bundle:
        return frozenset()
    archives: dict[str, list[Path]] = {}
    for part in arrival.shipment.parts:
        archive = (parse_part_name(part.name) or (part.name,))[0]
        archives.setdefault(archive, []).append(arrival.directory / part.name)
    there = (paths for paths in archives.values() if all(path.is_file() for path in paths))
    return frozenset(path.name for paths in there if is_proven(memory, paths) for path in paths)


def check_room(arrival: Arrival, states: Sequence[PartState], *, reserve: int) -> None:
    """Raise NoSpace when what is missing does not fit beside what lies there."""
    needed = sum(state.missing_bytes for state in states if state.state != DAMAGED or not state.path.is_file())
    free = free_bytes(arrival.directory)
    if needed + reserve > free:
        old = sum(
            (arrival.directory / name).stat().st_size
            for name in arrival.previous
            if (arrival.directory / name).is_file()
        )
        hint = f". The bundle that lies there has {old} bytes; remove it if it is not needed any more" if old else ""
        raise NoSpace(
            f"{arrival.directory}: {needed} bytes are needed and {free} are free"
            + (f", of which {reserve} are to stay so" if reserve else "")
            + f"; free space there or choose another place{hint}",
            needed=needed + reserve,
            free=free,
        )


def observed(arrival: Arrival, memory: HostMemory, stopping: Stopping) -> Arrived:
    """What is there, and nothing else."""
    states = states_of(arrival, memory, stopping)
    return _arrived(arrival, states, changed=False, complete=is_finished(states))


def observed_sizes(arrival: Arrival, _memory: HostMemory, stopping: Stopping) -> Arrived:
    """The same by sizes alone: at the sender, for the receiver proves everything."""
    stopping.check()
    states = [arrival.state(part, lambda _path, _part: True) for part in arrival.shipment.files]
    return _arrived(arrival, states, changed=False, complete=is_finished(states))


def receive(
    arrival: Arrival, memory: HostMemory, stopping: Stopping, *, ownership: Ownership, reserve: int, dry: bool
) -> Arrived:
    """Make ready for what is missing, after a look whether there is room. What needs no transfer is finished at once.

    `dry` changes nothing and says in `changed` whether a transfer would. Raises NoSpace, BundleError.
    """
    states = states_of(arrival, memory, stopping)
    if is_finished(states):
        return settled(arrival, states, memory, ownership=ownership, dry=dry)
    missing = [state for state in states if state.state != OK]
    check_room(arrival, missing, reserve=reserve)
    if dry:
        return _arrived(arrival, states, changed=True, complete=False)
    arrival.directory.mkdir(parents=True, exist_ok=True)
    with held(arrival):
        arrival.begin(states)
        if not missing:
            return finished(arrival, states, memory, ownership=ownership)
    arrival.incoming.mkdir(exist_ok=True)  # empty as it is, whoever held it has taken it away
    return _arrived(arrival, states, changed=True, complete=False)


def received(arrival: Arrival, memory: HostMemory, stopping: Stopping, *, ownership: Ownership) -> Arrived:
    """Prove what has come; make the bundle visible once all of it is proven."""
    states = states_of(arrival, memory, stopping)
    if is_finished(states):
        return settled(arrival, states, memory, ownership=ownership, dry=False)
    with held(arrival):
        if all(state.state == OK for state in states):
            return finished(arrival, states, memory, ownership=ownership)
    return _arrived(arrival, states, changed=False, complete=False)


def finished(arrival: Arrival, states: Sequence[PartState], memory: HostMemory, *, ownership: Ownership) -> Arrived:
    """Every file is proven: give them their owner and their names."""
    incoming = [state.path for state in states if state.path.parent == arrival.incoming]
    ownership.apply([state.path for state in states])
    arrival.finish(states)
    for path in incoming:
        memory.forget(_KIND, str(path))
    _remember(arrival, memory)
    final = [PartState(state.part, OK, arrival.directory / state.part.name, state.part.bytes) for state in states]
    return _arrived(arrival, final, changed=True, complete=True)


def settled(
    arrival: Arrival, states: Sequence[PartState], memory: HostMemory, *, ownership: Ownership, dry: bool
) -> Arrived:
    """It is there already; only its owner may have to change, or what a kill at the very end left."""
    paths = [state.path for state in states]
    changed = bool(ownership.differing(paths))
    if not dry:
        ownership.apply(paths)
        (arrival.incoming / PREVIOUS_NAME).unlink(missing_ok=True)
        _remember(arrival, memory)
    return _arrived(arrival, states, changed=changed, complete=True)


def _remember(arrival: Arrival, memory: HostMemory) -> None:
    """The hashes of all parts are those of the pull that proved what is in them."""
    document = arrival.directory / DELIVERY_NAME
    delivery = parse(document.read_bytes(), str(document))
    remember_proof(memory, arrival.directory, delivery.archives)


def _arrived(arrival: Arrival, states: Sequence[PartState], *, changed: bool, complete: bool) -> Arrived:
    missing = tuple(state for state in states if state.state != OK)
    findings = tuple(damage(arrival.directory, state) for state in missing if state.state == DAMAGED)
    incoming = str(arrival.directory / INCOMING_NAME)
    return Arrived(changed, complete, tuple(states), free_bytes(arrival.directory), findings, incoming, missing)


def damage(directory: Path, state: PartState) -> Finding:
    """A part that has arrived with other bytes than it was sent with."""
    return Finding(
        "damaged",
        "warning",
        state.part.name,
        f"{directory}: {state.part.name} is damaged, its bytes have another hash than {DELIVERY_NAME} says",
        "Run the transfer again: only such parts are sent. If it stays so, look into the bundle where it comes from",
    )


def summary(directory: Path, arrived: Arrived, shipment: Shipment) -> str:
    """How far it has come, in one sentence."""
    whole = f"{counted(len(shipment.parts), 'part')}, {shipment.bytes} bytes"
    if arrived.complete:
        return f"{directory}: all of the bundle is there and proven ({whole})"
    missing = sum(state.missing_bytes for state in arrived.missing)
    return f"{directory}: {counted(len(arrived.missing), 'file')} of {whole} missing, {missing} bytes to carry"


@contextmanager
def held(arrival: Arrival) -> Iterator[None]:
    """One run at a time changes what arrives there; raises BundleBusy."""
    arrival.incoming.mkdir(parents=True, exist_ok=True)
    lock = DirectoryLock(arrival.incoming / _LOCK_NAME)
    lock.acquire()
    try:
        yield
    finally:
        lock.release()
        _tidy(arrival.incoming)


def _tidy(incoming: Path) -> None:
    if incoming.is_dir() and not any(incoming.iterdir()):
        incoming.rmdir()
