# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A bundle on its way into a directory: what of it is there, and when it counts as arrived (design §4, idea 6).

While parts arrive they lie in `.incoming` below the directory, with the sender's `delivery.json`. A bundle that was
there before stays whole meanwhile. Once every part is proven, the old `delivery.json` goes, parts get their names
(highest first), and `delivery.json` comes last. A part that has not changed is never moved.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .._oci.errors import InvalidInput
from .delivery import Part, parse
from .directory import DELIVERY_NAME, JOURNAL_NAME
from .errors import BundleDamaged, BundleError, BundleUnfinished
from .parts import parse_part_name
from .workspace import sync_directory

INCOMING_NAME = ".incoming"
PREVIOUS_NAME = DELIVERY_NAME + ".previous"
SLICE_NAME = "slice"
"""What the role brings through the controller, on its way into a part."""
OK, MISSING, PARTIAL, DAMAGED = "ok", "missing", "partial", "damaged"
Verdict = Callable[[Path, Part], bool]
"""Whether the file, which has the size of the part, holds its bytes."""


@dataclass(frozen=True)
class Shipment:
    """What has to arrive: the sender's `delivery.json` as a file, and the parts that it lists."""

    document: Part
    parts: tuple[Part, ...]

    @property
    def files(self) -> tuple[Part, ...]:
        """All of it, the document first: who has that much knows the rest."""
        return (self.document, *self.parts)

    @property
    def bytes(self) -> int:
        return sum(part.bytes for part in self.files)

    def as_dict(self) -> dict[str, Any]:
        return {"document": self.document.as_dict(), "parts": [part.as_dict() for part in self.parts]}


@dataclass(frozen=True)
class PartState:
    """One file of a shipment in a directory: `state`, where it lies or is to arrive, how many bytes are there."""

    part: Part
    state: str
    path: Path
    have: int = 0

    @property
    def missing_bytes(self) -> int:
        """What has to be carried at least."""
        return 0 if self.state == OK else self.part.bytes - (self.have if self.state == PARTIAL else 0)


def shipment_of(document: Path) -> Shipment:
    """The shipment that a `delivery.json` describes. Raises BundleDamaged, OSError."""
    data = document.read_bytes()
    delivery = parse(data, str(document))
    parts = tuple(part for archive in delivery.archives for part in archive.parts)
    return Shipment(Part(DELIVERY_NAME, len(data), hashlib.sha256(data).hexdigest()), parts)


def parse_shipment(value: Mapping[str, Any]) -> Shipment:
    """The shipment as `Shipment.as_dict` writes it; names lead to no other place. Raises InvalidInput."""
    try:
        document = _part(value["document"])
        parts = tuple(_part(row) for row in value["parts"])
    except (KeyError, TypeError, ValueError) as error:
        raise InvalidInput(f"shipment: this is not what oci_bundle_parts returns at the sender ({error!r})") from error
    strange = [part.name for part in parts if "/" in part.name or parse_part_name(part.name) is None]
    if strange or document.name != DELIVERY_NAME:
        raise InvalidInput(f"shipment: {(strange or [document.name])[0]!r} is no file of a bundle")
    return Shipment(document, parts)


def _part(row: Mapping[str, Any]) -> Part:
    return Part(str(row["name"]), int(row["bytes"]), str(row["sha256"]))


def document_in(directory: Path) -> Path | None:
    """The `delivery.json` of what lies in `directory`: of a whole bundle, else of what arrived of one, else None."""
    for path in (directory / DELIVERY_NAME, directory / INCOMING_NAME / DELIVERY_NAME):
        if path.is_file():
            return path
    return None


def check_not_arriving(directory: Path) -> None:
    """Raise BundleUnfinished where a bundle has not arrived in full; call where there is no `delivery.json`."""
    if any((directory / INCOMING_NAME / name).is_file() for name in (DELIVERY_NAME, PREVIOUS_NAME)):
        raise BundleUnfinished(
            f"{directory}: the bundle has not arrived in full, a transfer into it is under way or was interrupted; "
            "run the transfer again until it succeeds (a medium in volumes: carry it on)"
        )


class Arrival:
    """A `shipment` on its way into `directory`. Looking changes nothing; `begin`, `retire` and `finish` do."""

    def __init__(self, directory: Path, shipment: Shipment) -> None:
        """Raises InvalidInput, BundleError for a directory that something else is in the way in."""
        self.directory = directory
        self.incoming = directory / INCOMING_NAME
        self.shipment = shipment
        if directory.exists() and not directory.is_dir():
            raise InvalidInput(f"{directory} is a file; name a directory")
        if (directory / JOURNAL_NAME).exists():
            raise BundleUnfinished(
                f"{directory}: a pull into it was interrupted; run that again, or name another place"
            )
        self.previous = self._previous_parts()
        self.is_same_bundle = self._is_same_bundle()
        """Whether the bundle that lies here calls itself the same."""
        self._half_renamed = (self.incoming / DELIVERY_NAME).is_file()
        self._check_foreign()

    def _previous_parts(self) -> frozenset[str]:
        """Files of the bundle that lies here, or whose end an interrupted run has begun."""
        names: set[str] = set()
        for path in (self.directory / DELIVERY_NAME, self.incoming / PREVIOUS_NAME):
            if path.is_file():
                try:
                    names |= {part.name for part in shipment_of(path).parts}
                except BundleDamaged:
                    continue  # nothing of it can be told to be ours
        return frozenset(names)

    def _check_foreign(self) -> None:
        """Nothing but ours may have the name of a part, or be taken for one of its archive (d8-mirror.md §6.1)."""
        ours = {part.name for part in self.shipment.parts}
        archives = {(parse_part_name(name) or ("",))[0] for name in ours}
        for path in sorted(self.directory.iterdir()) if self.directory.is_dir() else ():
            parsed = parse_part_name(path.name)
            if parsed is None or parsed[0] not in archives:
                continue
            if (path.name not in ours or not path.is_file()) and path.name not in self.previous:
                raise _foreign(path)

    def state(self, part: Part, verdict: Verdict) -> PartState:
        """The state of one file of the shipment, by what `verdict` says if it has its size; raises BundleError."""
        arriving, final = self.incoming / part.name, self.directory / part.name
        size = arriving.stat().st_size if arriving.is_file() else None
        if size == part.bytes and verdict(arriving, part):
            return PartState(part, OK, arriving, size)
        if final.is_file():
            if final.stat().st_size == part.bytes and verdict(final, part):
                return PartState(part, OK, final, part.bytes)
            ours = part.name == DELIVERY_NAME or part.name in self.previous or self._half_renamed
            if not ours:
                raise _foreign(final)
        if size is not None:
            return PartState(part, PARTIAL if size < part.bytes else DAMAGED, arriving, size)
        return PartState(part, DAMAGED if final.is_file() and self.is_same_bundle else MISSING, arriving)

    def _is_same_bundle(self) -> bool:
        document = self.directory / DELIVERY_NAME
        return document.is_file() and hash_of(document) == self.shipment.document.sha256

    def leftovers(self) -> list[Path]:
        """What arrived of another shipment and is of no use for this one."""
        if not self.incoming.is_dir():
            return []
        names = {part.name for part in self.shipment.parts}
        parts = [path for path in self.incoming.iterdir() if parse_part_name(path.name) and path.name not in names]
        document = self.incoming / DELIVERY_NAME
        stale = [document] if document.is_file() and hash_of(document) != self.shipment.document.sha256 else []
        return [*stale, *sorted(parts)]

    def begin(self, states: Sequence[PartState]) -> None:
        """Make the place where parts arrive, without what is of no use; the bundle that lies here stays whole."""
        self.incoming.mkdir(parents=True, exist_ok=True)
        useless = [
            state.part.name
            for state in states
            if state.state == DAMAGED or (state.state == OK and state.path.parent == self.directory)
        ]
        for path in [*self.leftovers(), *(self.incoming / name for name in useless)]:
            path.unlink(missing_ok=True)

    def retire(self, keep: Iterable[str]) -> None:
        """Take the bundle that lies here away: from here on nobody takes the directory for one.

        Its parts whose names are in `keep` stay where they are, the others are removed.
        """
        document = self.directory / DELIVERY_NAME
        if document.is_file():
            os.replace(document, self.incoming / PREVIOUS_NAME)
            sync_directory(self.directory)
        for name in sorted(self.previous - frozenset(keep)):
            path = self.directory / name
            if path.is_file() and not path.is_symlink():
                path.unlink()

    def finish(self, states: Sequence[PartState]) -> None:
        """Make the bundle visible; every one of `states` is proven. What dies in here is done by the next run."""
        if any(state.state != OK for state in states):
            raise BundleError(f"{self.directory}: parts are missing still; nothing was put under its name")
        moved = [state.path for state in states if state.path.parent == self.incoming]
        for path in moved:
            _sync_file(path)
        parts = [part.name for part in self.shipment.parts]
        if any(path.name != DELIVERY_NAME for path in moved) or self.previous - set(parts):
            self.retire(parts)
        waiting = {path.name for path in moved}
        for name in sorted(waiting - {DELIVERY_NAME}, reverse=True):
            os.replace(self.incoming / name, self.directory / name)
        sync_directory(self.directory)
        back = next(path for path in (self.incoming / DELIVERY_NAME, self.incoming / PREVIOUS_NAME) if path.is_file())
        os.replace(back, self.directory / DELIVERY_NAME)
        sync_directory(self.directory)
        for name in (PREVIOUS_NAME, SLICE_NAME):
            (self.incoming / name).unlink(missing_ok=True)
        if not any(self.incoming.iterdir()):
            self.incoming.rmdir()


def _foreign(path: Path) -> BundleError:
    return BundleError(
        f"{path}: this file is of no bundle of ours, and whoever reads the directory would take it for one of the new "
        "bundle; move it away"
    )


def is_finished(states: Sequence[PartState]) -> bool:
    """Whether all of it is proven and lies under its own name."""
    return all(state.state == OK and state.path.parent.name != INCOMING_NAME for state in states)


def hash_of(path: Path, *, check: Callable[[], None] = lambda: None) -> str:
    """The SHA-256 of a file; `check` is called now and then and ends it by raising."""
    found = hashlib.sha256()
    buffer = memoryview(bytearray(1024 * 1024))
    with open(path, "rb", buffering=0) as file:
        while count := file.readinto(buffer):
            check()
            found.update(buffer[:count])
    return found.hexdigest()


def _sync_file(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
