# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The files of a bundle in a directory: archives plain or in chunks, found by name (d8-mirror.md §6.1)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from .._oci.errors import InvalidInput
from .errors import BundleDamaged
from .parts import PartSpace, parse_part_name

DELIVERY_NAME = "delivery.json"
JOURNAL_NAME = "pull.journal"
LOCK_NAME = "pull.lock"


@dataclass(frozen=True)
class ArchiveFiles:
    """One archive: `name` without chunk suffix, and the files it consists of, in order."""

    name: str
    paths: tuple[Path, ...]

    def open(self) -> PartSpace:
        return PartSpace(list(self.paths))


def archives_in(directory: Path) -> list[ArchiveFiles]:
    """Archives that lie directly in `directory`, sorted by name; links and other files are left alone, as d8 does.

    A plain archive hides chunks of the same name. Raises BundleDamaged for a chunk that is missing.
    """
    files = [path for path in sorted(directory.iterdir()) if path.is_file() and not path.is_symlink()]
    return _group(files)


def archives_of(sources: Iterable[Path]) -> list[ArchiveFiles]:
    """Archives that `sources` name: directories, ``X.tar`` files, or any chunk of a set (then the whole set).

    Raises InvalidInput for a source that is not there or is no archive.
    """
    found: dict[Path, ArchiveFiles] = {}
    for source in sources:
        if source.is_dir():
            archives = archives_in(source)
            if not archives:
                raise InvalidInput(f"src: {source} holds no archive (*.tar or *.tar.NNNN.chunk)")
        elif source.is_file():
            archives = [_archive_around(source)]
        else:
            raise InvalidInput(f"src: {source} does not exist")
        for archive in archives:
            found.setdefault(archive.paths[0].resolve(), archive)
    return list(found.values())


def _archive_around(path: Path) -> ArchiveFiles:
    parsed = parse_part_name(path.name)
    if parsed is None:
        raise InvalidInput(f"src: {path} is no archive; name a directory, a .tar file or a .tar.0000.chunk file")
    archive, number = parsed
    if number is None:
        return ArchiveFiles(archive, (path,))
    siblings = [file for file in path.parent.iterdir() if file.name.startswith(f"{archive}.") and file.is_file()]
    return _group(siblings)[0]


def _group(files: Iterable[Path]) -> list[ArchiveFiles]:
    plain: dict[str, Path] = {}
    chunks: dict[str, dict[int, Path]] = {}
    for path in files:
        parsed = parse_part_name(path.name)
        if parsed is None:
            continue
        archive, number = parsed
        if number is None:
            plain[archive] = path
        else:
            chunks.setdefault(archive, {})[number] = path
    grouped = {name: ArchiveFiles(name, (path,)) for name, path in plain.items()}
    for name, numbered in chunks.items():
        if name not in grouped:
            for expected, number in enumerate(sorted(numbered)):
                if number != expected:
                    raise BundleDamaged(name, f"chunk {expected:04d} of {max(numbered) + 1} is missing; copy it again")
            grouped[name] = ArchiveFiles(name, tuple(numbered[number] for number in sorted(numbered)))
    return [grouped[name] for name in sorted(grouped)]
