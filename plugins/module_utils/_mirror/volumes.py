# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which parts a medium takes this time: not those that the far side has, nor those that other media carry."""

from __future__ import annotations

import os
from collections.abc import Sequence, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .._bundle.arrival import OK, PREVIOUS_NAME, Arrival, PartState
from .._bundle.delivery import Part
from .._bundle.directory import DELIVERY_NAME
from .._bundle.errors import NoSpace
from .._bundle.medium import check_largest, fitting, medium_name, read_received, room_at
from .memory import HostMemory

_KIND = "carried"


@dataclass(frozen=True)
class Volume:
    """What one medium takes. Names of parts that the far side has, that other media carry, and that have to go here."""

    todo: tuple[PartState, ...]
    received: frozenset[str]
    elsewhere: frozenset[str]
    superseded: frozenset[str]


def plan_volume(
    arrival: Arrival, states: Sequence[PartState], memory: HostMemory, source: Path, *, reserve: int
) -> Volume:
    """Choose parts for the medium `arrival.directory`. Raises NoSpace, BundleError when it cannot take any part."""
    medium, document = arrival.directory, arrival.shipment.document
    carried = _carried(memory, source, document.sha256)
    received = frozenset(carried["received"]) | read_received(medium, document.sha256).parts
    here = {state.part.name for state in states if state.state == OK}
    name = medium_name(medium, make=False)
    elsewhere = frozenset(
        part for part, other in carried["media"].items() if other != name and part not in received and part not in here
    )
    gone = _superseded(arrival, here, received)
    wanted = [state for state in states[1:] if state.part.name not in received | here]
    fresh = [state for state in wanted if state.part.name not in elsewhere]
    if not fresh and not here - received - {DELIVERY_NAME}:
        fresh, elsewhere = wanted, frozenset()  # an empty medium, and nothing new for it: another one may be lost
    room = room_at(medium)
    check_largest([state.part for state in wanted], room, medium, reserve=reserve)
    paper = [states[0]] if states[0].state != OK else []
    gained = sum(_blocks(path) for path in gone) + sum(_blocks(state.path) for state in wanted if state.path.is_file())
    chosen = fitting([state.part for state in (*paper, *fresh)], room, gained=gained, reserve=reserve)
    if fresh and len(chosen) <= len(paper) and not here - received - {DELIVERY_NAME}:
        raise _full(medium, [state.part for state in fresh], room.free + gained, reserve)
    names = {part.name for part in chosen}
    todo = tuple(state for state in (*paper, *fresh) if state.part.name in names)
    return Volume(todo if fresh else (), received, elsewhere, frozenset(path.name for path in gone))


def _full(medium: Path, parts: Sequence[Part], free: int, reserve: int) -> NoSpace:
    least = min(parts, key=lambda part: part.bytes)
    return NoSpace(
        f"{medium}: not one of the {len(parts)} parts that are to be carried fits on the medium: the smallest, "
        f"{least.name}, needs {least.bytes} bytes, and {max(free - reserve, 0)} are free. Remove other files from it, "
        "take another medium, or pull again with a smaller chunk_size",
        needed=least.bytes,
        free=max(free - reserve, 0),
    )


def _superseded(arrival: Arrival, here: Set[str], received: Set[str]) -> list[Path]:
    """Files of ours on the medium that nobody needs there any more: a medium is not where a bundle is kept."""
    directories = (arrival.directory, arrival.incoming)
    arrived = [directory / name for directory in directories for name in received - {DELIVERY_NAME}]
    old = [arrival.directory / name for name in arrival.previous - here]
    return sorted({path for path in (*arrived, *old, *arrival.leftovers()) if path.is_file()})


def _blocks(path: Path) -> int:
    return path.stat().st_blocks * 512


def retire_for_volume(arrival: Arrival, states: Sequence[PartState], volume: Volume) -> list[PartState]:
    """Remove what nobody needs on the medium, and hide what stays of the bundle that lay there."""
    arrival.retire(state.part.name for state in states if state.state == OK)
    kept, set_aside = [], arrival.incoming / PREVIOUS_NAME
    for state in states:
        path = arrival.incoming / state.part.name
        if state.part.name in volume.received and state.part.name != DELIVERY_NAME:
            for place in (path, arrival.directory / state.part.name):
                place.unlink(missing_ok=True)
        elif state.state == OK and state.path.parent == arrival.directory:
            os.replace(set_aside if state.part.name == DELIVERY_NAME else state.path, path)
            kept.append(PartState(state.part, OK, path, state.have))
        elif state.state == OK:
            kept.append(state)
    set_aside.unlink(missing_ok=True)
    return kept


def carry(memory: HostMemory, source: Path, arrival: Arrival, volume: Volume, here: Set[str]) -> None:
    """Remember what this medium carries, so that the next one is filled with other parts."""
    document = arrival.shipment.document.sha256
    name = medium_name(arrival.directory, make=True) if arrival.incoming.is_dir() else "whole"
    media = _carried(memory, source, document)["media"]
    media = {part: other for part, other in media.items() if other != name and part not in volume.received}
    media.update(dict.fromkeys(here - volume.received - {DELIVERY_NAME}, name))
    noted = {"document": document, "media": media, "received": sorted(volume.received)}
    memory.put(_KIND, str(source.resolve()), noted)


def _carried(memory: HostMemory, source: Path, document: str) -> dict[str, Any]:
    known = memory.get(_KIND, str(source.resolve()))
    if isinstance(known, dict) and known.get("document") == document:
        return known
    return {"document": document, "media": {}, "received": []}
