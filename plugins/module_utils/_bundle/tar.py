# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tar entries as d8 writes them: GNU format, regular files only, mode 0777, no times, no names (d8-mirror.md §5.2)."""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from .errors import BundleDamaged

BLOCK = 512
END = bytes(2 * BLOCK)
MOST_ENTRIES = 1_000_000
"""Entries that an archive may have. A release tree of 20,000 images has some 60,000."""
_LONGEST_NAME = 4096
_LARGEST_EXTENSION = 64 * 1024
_LONGEST_NUMBER = 20
"""Decimal digits of a size or length in an extended header."""
_REGULAR = (tarfile.REGTYPE, tarfile.AREGTYPE)
_EXTENSIONS = {tarfile.GNUTYPE_LONGNAME: _LONGEST_NAME, tarfile.XHDTYPE: _LARGEST_EXTENSION}


class Readable(Protocol):
    """Random access to the bytes of an archive, whatever files they lie in."""

    @property
    def size(self) -> int:
        """Bytes of the whole."""

    def read_at(self, offset: int, size: int) -> bytes:
        """Up to `size` bytes at `offset`; fewer only at the end."""


@dataclass(frozen=True)
class Member:
    """One regular file in an archive: its header starts at `start`, its content at `offset`."""

    name: str
    start: int
    offset: int
    size: int

    @property
    def stop(self) -> int:
        """Where the next entry begins."""
        return self.offset + padded(self.size)


def padded(size: int) -> int:
    """`size` rounded up to whole blocks."""
    return -(-size // BLOCK) * BLOCK


def header(name: str, size: int) -> bytes:
    """The header of a regular file, with a GNU long-name record before it when `name` exceeds 100 bytes."""
    entry = tarfile.TarInfo(name)
    entry.size = size
    entry.mode = 0o777
    return entry.tobuf(tarfile.GNU_FORMAT, "utf-8", "surrogateescape")


def members(space: Readable, archive: str) -> Iterator[Member]:
    """Every regular file of `space`, in order, read from the headers alone.

    Raises BundleDamaged for anything that an archive of a bundle cannot have: a bad header, links, devices, sparse
    files, absolute names, ``..``, a file cut short, more than MOST_ENTRIES entries, or no end-of-archive marker.
    """
    offset = 0
    count = 0
    while True:
        block = space.read_at(offset, BLOCK)
        if len(block) < BLOCK:
            raise BundleDamaged(
                archive, f"ends at byte {space.size} without the end-of-archive marker; it is truncated"
            )
        if not any(block):
            _check_end(space, offset, archive)
            return
        member, directory = _entry(space, offset, archive)
        count += 1
        if count > MOST_ENTRIES:
            raise BundleDamaged(archive, f"has more than {MOST_ENTRIES} entries")
        if not directory:
            yield member
        offset = member.stop


def _check_end(space: Readable, offset: int, archive: str) -> None:
    if len(space.read_at(offset, len(END))) < len(END) or any(space.read_at(offset, len(END))):
        raise BundleDamaged(archive, f"has a broken end-of-archive marker at byte {offset}; it is truncated or damaged")


def _entry(space: Readable, start: int, archive: str) -> tuple[Member, bool]:
    """The entry that begins at `start`, with its GNU or PAX extension records; and whether it is a directory."""
    offset = start
    overrides: dict[str, str] = {}
    for _record in range(4):
        info = _parse(space, offset, archive)
        offset += BLOCK
        limit = _EXTENSIONS.get(info.type)
        if limit is None:
            return _member(info, overrides, start, offset, space, archive)
        if info.size > limit:
            raise BundleDamaged(archive, f"has an oversized header ({info.size} bytes) at byte {start}")
        overrides.update(_extension(info.type, space.read_at(offset, info.size), archive, start))
        offset += padded(info.size)
    raise BundleDamaged(archive, f"has more header records than a file can need at byte {start}")


def _parse(space: Readable, offset: int, archive: str) -> tarfile.TarInfo:
    try:
        info = tarfile.TarInfo.frombuf(space.read_at(offset, BLOCK), "utf-8", "surrogateescape")
    except tarfile.HeaderError as error:
        raise BundleDamaged(archive, f"has a damaged header at byte {offset} ({error})") from error
    if info.size < 0:
        raise BundleDamaged(archive, f"has a damaged header at byte {offset} (a size of {info.size} bytes)")
    return info


def _member(
    info: tarfile.TarInfo, overrides: dict[str, str], start: int, offset: int, space: Readable, archive: str
) -> tuple[Member, bool]:
    name = _safe_name(overrides.get("path", info.name), archive)
    if info.type == tarfile.DIRTYPE:
        return Member(name, start, offset, 0), True
    if info.type not in _REGULAR:
        raise BundleDamaged(
            archive, f"entry {name!r} is a link, a device or another special file; only regular files belong there"
        )
    if any(key.startswith("GNU.sparse.") for key in overrides):
        raise BundleDamaged(archive, f"entry {name!r} is a sparse file; only regular files belong there")
    size = _number(overrides["size"], archive, start) if "size" in overrides else info.size
    if offset + padded(size) > space.size:
        raise BundleDamaged(archive, f"is truncated: entry {name!r} has {size} bytes, {space.size - offset} are left")
    return Member(name, start, offset, size), False


def _extension(kind: bytes, data: bytes, archive: str, start: int) -> dict[str, str]:
    if kind == tarfile.GNUTYPE_LONGNAME:
        return {"path": data.rstrip(b"\0").decode("utf-8", "surrogateescape")}
    records: dict[str, str] = {}
    while data:
        length, space, _rest = data.partition(b" ")
        size = _number(length.decode("ascii", "replace"), archive, start)
        record = data[len(length) + 1 : size]
        key, equals, value = record.rstrip(b"\n").partition(b"=")
        if not space or not equals or size <= len(length) + 1:
            raise BundleDamaged(archive, f"has a damaged extended header at byte {start}")
        records[key.decode("utf-8", "replace")] = value.decode("utf-8", "surrogateescape")
        data = data[size:]
    return records


def _number(text: str, archive: str, start: int) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= _LONGEST_NUMBER):
        raise BundleDamaged(archive, f"has a damaged extended header at byte {start}")
    return int(text)


def _safe_name(name: str, archive: str) -> str:
    """`name` without a leading ``./``; refused when it could lead out of the place it is read into."""
    if len(name) > _LONGEST_NAME:
        raise BundleDamaged(archive, f"has an entry name of {len(name)} characters")
    parts = name.split("/")
    if name.startswith("/") or ".." in parts or "\0" in name:
        raise BundleDamaged(archive, f"entry {name!r} has an absolute name or leads out of the archive")
    return "/".join(part for part in parts if part not in ("", "."))
