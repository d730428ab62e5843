# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What lies in a bundle directory before a pull: a finished bundle, one that was set aside, work of a killed run."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from .._oci.errors import InvalidInput
from .delivery import ArchiveSummary, Delivery, parse
from .directory import DELIVERY_NAME, JOURNAL_NAME, LOCK_NAME
from .donors import Donors
from .errors import BundleDamaged
from .index import ArchiveIndex, scan
from .interrupted import DRAFT_NAME, PREVIOUS, is_previous, is_work_file, open_interrupted
from .journal import Journaled, load
from .parts import PartSpace, parse_part_name
from .work import WorkSpace

_HARMLESS = frozenset({".incoming", "lost+found", "System Volume Information", "$RECYCLE.BIN"})


@dataclass
class ExistingArchive:
    """A finished archive of the bundle that lies here: its index, and what its delivery.json says of it."""

    summary: ArchiveSummary
    index: ArchiveIndex


class Present:
    """The directory `path` as it was found. Nothing is changed there; blobs that lie there are `donors`."""

    def __init__(self, path: Path, *, force: bool, ignored: Iterable[str]) -> None:
        """Raises InvalidInput when `path` is a file, or holds something that is not ours and `force` is off.

        `ignored` are file names that the caller put there.
        """
        self.path = path
        self.donors = Donors()
        self.existing: dict[str, ExistingArchive] = {}
        self.delivery: Delivery | None = None
        self.damaged: list[str] = []
        """Archives of the previous bundle that cannot be used, each with what is wrong."""
        self.listed: tuple[str, ...] = ()
        """Files that `delivery` names."""
        self.foreign: set[str] = set()
        self.journaled = Journaled()
        self.interrupted: dict[int, WorkSpace] = {}
        """Work files that an interrupted run left, by number."""
        self._suffix = ""
        if path.exists() and not path.is_dir():
            raise InvalidInput(f"dest: {path} is a file; name a directory")
        self.seen = snapshot(path)
        """To find out whether somebody else has worked here since."""
        if path.is_dir():
            self._look(force, frozenset(ignored))

    @property
    def has_delivery(self) -> bool:
        """Whether a sound `delivery.json` lay there under its own name."""
        return self.delivery is not None and not self._suffix

    @property
    def archives(self) -> tuple[ArchiveSummary, ...]:
        """What `delivery` lists."""
        return self.delivery.archives if self.delivery else ()

    def _look(self, force: bool, ignored: frozenset[str]) -> None:
        names = names_in(self.path)
        self._read_delivery(names)
        self.listed = tuple(part.name for archive in self.archives for part in archive.parts)
        ours = {DELIVERY_NAME, DELIVERY_NAME + PREVIOUS, DRAFT_NAME, JOURNAL_NAME, LOCK_NAME, *self.listed}
        ours |= {name + PREVIOUS for name in self.listed} | {name for name in names if is_previous(name, names)}
        if not self.has_delivery:  # beside a finished bundle a journal is only what a late kill left
            self.journaled = load(self.path / JOURNAL_NAME)
        archives = {record.archive for record in self.journaled.spaces.values()}
        ours |= {name for name in names if (parse_part_name(name) or ("",))[0] in archives}
        foreign = sorted(
            name
            for name in names - ours - ignored - _HARMLESS
            if not is_work_file(name) and not name.startswith(".Trash")
        )
        self.foreign = {*foreign, *ignored}
        if foreign and not force:
            raise InvalidInput(
                f"dest: {self.path} holds {foreign[0]!r}{f' and {len(foreign) - 1} more' if len(foreign) > 1 else ''}, "
                "which no pull of this collection made; name an empty directory, or set force: true to leave it there"
            )
        for archive in self.archives:
            self._open_existing(archive)
        self._open_work_files()

    def _read_delivery(self, names: set[str]) -> None:
        for name, suffix in ((DELIVERY_NAME, ""), (DELIVERY_NAME + PREVIOUS, PREVIOUS)):
            if name in names:
                try:
                    self.delivery, self._suffix = parse((self.path / name).read_bytes(), name), suffix
                except BundleDamaged as error:
                    self.damaged.append(str(error))
                else:
                    return

    def _open_existing(self, archive: ArchiveSummary) -> None:
        paths = [self._part(part.name) for part in archive.parts]
        try:
            for path, part in zip(paths, archive.parts):
                size = path.stat().st_size if path.exists() else -1
                if size != part.bytes:
                    problem = "is missing" if size < 0 else f"has {size} bytes, delivery.json says {part.bytes}"
                    raise BundleDamaged(archive.name, f"{part.name} {problem}")
            index = scan(archive.name, PartSpace(paths))
        except BundleDamaged as error:
            self.damaged.append(str(error))
            return
        self.existing[archive.name] = ExistingArchive(archive, index)
        for layout in index.layouts.values():
            self.donors.add(index.space, layout.blobs)

    def _part(self, name: str) -> Path:
        """Where a finished part lies: an interrupted run may or may not have renamed it yet."""
        path = self.path / name
        previous = self.path / (name + PREVIOUS)
        return previous if previous.exists() and (self._suffix or not path.exists()) else path

    def _open_work_files(self) -> None:
        for record in self.journaled.spaces.values():
            space, blobs = open_interrupted(self.path, record)
            self.interrupted[record.number] = space
            self.donors.add(space, blobs)


def names_in(path: Path) -> set[str]:
    """The names of all that lies in a directory that may not exist."""
    return {entry.name for entry in path.iterdir()} if path.is_dir() else set()


def snapshot(path: Path) -> list[tuple[str, int, int]]:
    """Names, sizes and times of what lies in a directory, to notice that somebody else has worked there since."""
    if not path.is_dir():
        return []
    entries = [(entry.name, entry.stat()) for entry in path.iterdir() if entry.name != LOCK_NAME]
    return sorted((name, stats.st_size, stats.st_mtime_ns) for name, stats in entries)
