# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Files inside images: small files are read out of layer streams, top layer first (d8-mirror.md §2.5)."""

from __future__ import annotations

import posixpath
import tarfile
import zlib
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import BinaryIO, cast

from .compression import ByteSource, uncompressed
from .errors import InvalidContent

_LARGEST_HEADER = 1024 * 1024
"""Bytes of a long name or of extended attributes; Linux ends names at 4 KB and attributes at 64 KB."""
LARGEST_FILE = 64 * 1024 * 1024
"""Bytes of one wanted file. The component list of a platform release has some 60 KB."""
_READ_SIZE = 256 * 1024
_EXTENSIONS = frozenset(
    {tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK, tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE}
)
_WHITEOUT = ".wh."
_OPAQUE = ".wh..wh..opq"
Enough = Callable[[Mapping[str, bytes]], bool]


@dataclass(frozen=True)
class LayerFiles:
    """What one layer says of the wanted files: content of those it brings, names it removes (whiteouts)."""

    found: Mapping[str, bytes]
    gone: frozenset[str] = frozenset()


@dataclass
class ImageFiles:
    """The wanted files of one image, gathered layer by layer from the top.

    `found` holds the content of those seen so far; `hidden` the names that a whiteout of a higher layer removed.
    """

    wanted: frozenset[str]
    found: dict[str, bytes] = field(default_factory=dict)
    hidden: set[str] = field(default_factory=set)

    @property
    def missing(self) -> frozenset[str]:
        """Names that a lower layer may still bring."""
        return self.wanted - self.found.keys() - self.hidden

    def add(self, layer: LayerFiles) -> None:
        """Take in the next lower layer."""
        missing = self.missing
        self.found.update({name: data for name, data in layer.found.items() if name in missing})
        self.hidden |= {name for name in missing - self.found.keys() if _is_hidden(name, layer.gone)}

    def scan(self, layer: ByteSource, *, where: str, enough: Enough | None = None) -> None:
        """`read_layer` and `add` in one."""
        self.add(read_layer(layer, self.missing, where=where, enough=enough))


def read_layer(layer: ByteSource, wanted: Collection[str], *, where: str, enough: Enough | None = None) -> LayerFiles:
    """Read one `layer` (as served: gzip or plain tar) until all `wanted` names were seen.

    `enough(found)` may end the reading early; it is asked at every entry that is not wanted, so that
    wanted neighbours in one directory are seen together. The rest of the stream is left unread.
    Raises InvalidContent naming `where` when the layer is no tar, is damaged, or a wanted file is too large.
    """
    found: dict[str, bytes] = {}
    gone: set[str] = set()
    try:
        _scan_tar(layer, wanted, found, gone, enough, where)
    except (tarfile.TarError, EOFError, zlib.error, RecursionError) as error:
        # tarfile follows a chain of extended headers by recursion
        raise InvalidContent(f"{where}: the layer cannot be read as a tar archive ({error})") from error
    return LayerFiles(found, frozenset(gone))


def _scan_tar(
    layer: ByteSource,
    names: Collection[str],
    found: dict[str, bytes],
    gone: set[str],
    enough: Enough | None,
    where: str,
) -> None:
    stream = uncompressed(layer, where=where)
    if stream is None:
        return
    folders = {folder for name in names for folder in _folders_above(name) if folder}
    with tarfile.open(fileobj=cast(BinaryIO, stream), mode="r|", bufsize=_READ_SIZE, tarinfo=_BoundedHeader) as archive:
        for member in archive:
            archive.members.clear()  # type: ignore[attr-defined]  # a stream keeps every header it has seen otherwise
            name = posixpath.normpath("/" + member.name).lstrip("/")
            base = posixpath.basename(name)
            if base.startswith(_WHITEOUT) and base != _WHITEOUT:
                folder = posixpath.dirname(name)
                gone.add(folder + "/" if base == _OPAQUE else posixpath.join(folder, base[len(_WHITEOUT) :]))
            elif name in names:
                found[name] = _content(archive, member, f"{where}: {name}")
                if len(found.keys() & set(names)) == len(names):
                    return
            else:
                if name in folders and not member.isdir():
                    gone.add(name)
                if enough is not None and enough(found):
                    return


def _content(archive: tarfile.TarFile, member: tarfile.TarInfo, where: str) -> bytes:
    if not member.isreg():
        raise InvalidContent(f"{where}: not a regular file")
    if member.size > LARGEST_FILE:
        raise InvalidContent(f"{where}: {member.size} bytes, more than the {LARGEST_FILE} a metadata file may have")
    stream = archive.extractfile(member)
    data = stream.read() if stream else b""
    if len(data) != member.size:
        raise InvalidContent(f"{where}: the layer ends in the middle of the file")
    return data


def _is_hidden(name: str, gone: Collection[str]) -> bool:
    """Whether something of a higher layer takes the place of `name` or of a folder above it, or makes one opaque."""
    return name in gone or any(folder in gone or folder + "/" in gone for folder in (name, *_folders_above(name)))


def _folders_above(name: str) -> list[str]:
    """The folders `name` lies in, the nearest first; the last is the root, ``""``."""
    folders = [posixpath.dirname(name)]
    while folders[-1]:
        folders.append(posixpath.dirname(folders[-1]))
    return folders


class _BoundedHeader(tarfile.TarInfo):
    """A header whose extensions are not read into memory whatever size they claim."""

    def _proc_member(self, *archive: tarfile.TarFile) -> tarfile.TarInfo:
        if self.type in _EXTENSIONS and self.size > _LARGEST_HEADER:
            raise tarfile.ReadError(f"an extended header of {self.size} bytes")
        try:
            return cast(tarfile.TarInfo, super()._proc_member(*archive))  # type: ignore[misc]
        except (ValueError, OverflowError) as error:
            raise tarfile.ReadError(f"a senseless extended header ({error})") from error
