# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Files inside images: small files are read out of layer streams, top layer first (d8-mirror.md §2.5)."""

from __future__ import annotations

import io
import posixpath
import tarfile
import zlib
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import BinaryIO

from .errors import InvalidContent

LARGEST_FILE = 64 * 1024 * 1024
"""Bytes of one wanted file. The component list of a platform release has some 60 KB."""
_READ_SIZE = 256 * 1024
_WHITEOUT = ".wh."
_OPAQUE = ".wh..wh..opq"
_ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
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

    def scan(self, layer: BinaryIO, *, where: str, enough: Enough | None = None) -> None:
        """`read_layer` and `add` in one."""
        self.add(read_layer(layer, self.missing, where=where, enough=enough))


def read_layer(layer: BinaryIO, wanted: Collection[str], *, where: str, enough: Enough | None = None) -> LayerFiles:
    """Read one `layer` (as served: gzip, bzip2, xz or plain tar) until all `wanted` names were seen.

    `enough(found)` may end the reading early; it is asked at the first entry after a wanted one, so that
    wanted neighbours in one directory are seen together. The rest of the stream is left unread.
    Raises InvalidContent naming `where` when the layer is no tar, is damaged, or a wanted file is too large.
    """
    found: dict[str, bytes] = {}
    gone: set[str] = set()
    try:
        _scan_tar(layer, wanted, found, gone, enough, where)
    except (tarfile.TarError, EOFError, zlib.error) as error:
        raise InvalidContent(f"{where}: the layer cannot be read as a tar archive ({error})") from error
    return LayerFiles(found, frozenset(gone))


def _scan_tar(
    layer: BinaryIO,
    names: Collection[str],
    found: dict[str, bytes],
    gone: set[str],
    enough: Enough | None,
    where: str,
) -> None:
    head = layer.read(4)
    if head == _ZSTD_MAGIC:
        raise InvalidContent(
            f"{where}: the layer is compressed with zstd, which cannot be read here; ask the vendor for gzip"
        )
    if not head:
        return
    with tarfile.open(fileobj=_Rejoined(head, layer), mode="r|*", bufsize=_READ_SIZE) as archive:
        for member in archive:
            archive.members.clear()  # a stream keeps every header it has seen otherwise
            name = posixpath.normpath("/" + member.name).lstrip("/")
            base = posixpath.basename(name)
            if base.startswith(_WHITEOUT):
                folder = posixpath.dirname(name)
                gone.add(folder + "/" if base == _OPAQUE else posixpath.join(folder, base[len(_WHITEOUT) :]))
            elif name in names:
                found[name] = _content(archive, member, f"{where}: {name}")
                if len(found.keys() & set(names)) == len(names):
                    return
            elif enough is not None and enough(found):
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
    """Whether a whiteout names `name`, a folder above it, or makes such a folder opaque (ends in ``/``)."""
    folders = [name]
    while folders[-1]:
        folders.append(posixpath.dirname(folders[-1]))
    return any(folder in gone or folder + "/" in gone for folder in folders if folder != "" or "/" in gone)


class _Rejoined(io.RawIOBase):
    """A stream whose first bytes were already taken off to look at them."""

    def __init__(self, head: bytes, rest: BinaryIO) -> None:
        super().__init__()
        self._head = head
        self._rest = rest

    def read(self, size: int = -1) -> bytes:
        if self._head:
            head, self._head = self._head, b""
            return head + (self._rest.read(size - len(head)) if size > len(head) else b"")
        return self._rest.read(size)
