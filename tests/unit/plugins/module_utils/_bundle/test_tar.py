# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Archives that are read: what is taken, and what is refused with its name and what is wrong with it."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Callable

import pytest
from ansible_collections.dkp.airgap.plugins.module_utils._bundle import tar
from ansible_collections.dkp.airgap.plugins.module_utils._bundle.errors import BundleDamaged


class Bytes:
    """An archive in memory."""

    def __init__(self, data: bytes) -> None:
        self.data = data

    @property
    def size(self) -> int:
        return len(self.data)

    def read_at(self, offset: int, size: int) -> bytes:
        return self.data[offset : offset + max(size, 0)]


def entry(name: str, data: bytes = b"content") -> bytes:
    return tar.header(name, len(data)) + data + bytes(-len(data) % 512)


def members(data: bytes) -> list[tar.Member]:
    return list(tar.members(Bytes(data), "platform.tar"))


def refusal(data: bytes) -> str:
    with pytest.raises(BundleDamaged) as caught:
        members(data)
    assert caught.value.archive == "platform.tar"
    return str(caught.value)


def special(kind: bytes, name: str = "blobs/x", link: str = "") -> bytes:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, link
    return info.tobuf(tarfile.GNU_FORMAT)


def pax(records: dict[str, str], name: str = "short", data: bytes = b"content") -> bytes:
    """A regular file after an extended header with `records`, whatever they say."""
    body = b""
    for key, value in records.items():
        line = f" {key}={value}\n".encode()
        length = len(line) + len(str(len(line)))
        length = len(line) + len(str(length))
        body += str(length).encode() + line
    return extended(body) + entry(name, data)


def extended(body: bytes, kind: bytes = tarfile.XHDTYPE) -> bytes:
    info = tarfile.TarInfo("././@PaxHeader")
    info.type, info.size = kind, len(body)
    return info.tobuf(tarfile.USTAR_FORMAT) + body + bytes(-len(body) % 512)


def sized(size: int) -> bytes:
    info = tarfile.TarInfo("blobs/x")
    info.size = size
    return info.tobuf(tarfile.GNU_FORMAT)


def negative() -> bytes:
    """A header whose size is a negative number in base 256, its checksum right."""
    block = bytearray(sized(0))
    block[124:136] = b"\xff" * 10 + b"\xf0\x00"
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


def test_what_is_written_is_what_d8_writes() -> None:
    header = tar.header("install/index.json", 423)
    assert len(header) == 512
    assert header[257:265] == b"ustar  \0"
    with tarfile.open(fileobj=io.BytesIO(header + bytes(512) + tar.END)) as archive:
        info = archive.getmembers()[0]
    assert (info.mode, info.uid, info.gid, info.uname, info.gname, info.mtime) == (0o777, 0, 0, "", "", 0)


def test_long_names_come_back_whole() -> None:
    name = "modules/" + "a" * 120 + "/release/index.json"
    assert [member.name for member in members(entry(name) + tar.END)] == [name]


@pytest.mark.parametrize("data", [b"", b"x", b"x" * 511, b"x" * 512, b"x" * 513])
def test_places_are_those_of_the_bytes(data: bytes) -> None:
    archive = entry("a", data) + entry("b", b"second") + tar.END
    first, second = members(archive)
    assert archive[first.offset : first.offset + first.size] == data
    assert archive[second.offset : second.offset + second.size] == b"second"
    assert (first.start, second.start) == (0, first.stop)


def test_leading_dots_and_directories_are_taken_as_d8_takes_them() -> None:
    archive = special(tarfile.DIRTYPE, "./install/") + entry("./install/index.json") + tar.END
    assert [member.name for member in members(archive)] == ["install/index.json"]


def test_padding_to_records_is_taken() -> None:
    assert len(members(entry("a") + tar.END + bytes(8192))) == 1


def test_extended_headers_name_and_size_a_file() -> None:
    archive = pax({"path": "modules/über/index.json", "size": "7"}) + tar.END
    assert [(member.name, member.size) for member in members(archive)] == [("modules/über/index.json", 7)]


@pytest.mark.parametrize(
    "name", ["../escape", "a/../../escape", "/etc/passwd", "//server/share", "a/..", ".."], ids=lambda name: name
)
@pytest.mark.parametrize("make", [entry, lambda name: pax({"path": name})], ids=["plain", "pax"])
def test_names_that_lead_out_are_refused(make: Callable[[str], bytes], name: str) -> None:
    assert "leads out" in refusal(make(name) + tar.END)


@pytest.mark.parametrize(
    "kind",
    [
        *(tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE),
        *(tarfile.CONTTYPE, tarfile.GNUTYPE_SPARSE, tarfile.XGLTYPE, tarfile.GNUTYPE_LONGLINK, b"V"),
    ],
)
def test_anything_but_files_and_directories_is_refused(kind: bytes) -> None:
    assert "special file" in refusal(special(kind, link="/etc/shadow") + tar.END)


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (sized(1 << 62), "truncated"),
        (sized(513), "truncated"),
        (negative(), "damaged header"),
        (pax({"size": "9" * 18}), "truncated"),
        (pax({"size": "9" * 6000}), "damaged extended header"),
        (pax({"size": "²"}), "damaged extended header"),
        (pax({"size": "-1"}), "damaged extended header"),
        (pax({"GNU.sparse.major": "1"}), "sparse"),
        (pax({"path": "x" * 5000}), "name of 5000 characters"),
        (extended(b"no length\n") + entry("a"), "damaged extended header"),
        (extended(b"9" * 6000 + b" a=b\n") + entry("a"), "damaged extended header"),
        (extended(b"3 a\n") + entry("a"), "damaged extended header"),
        (extended(b"x" * 70_000) + entry("a"), "oversized header"),
        (extended(b"x" * 5000, tarfile.GNUTYPE_LONGNAME) + entry("a"), "oversized header"),
        (extended(b"6 a=b\n") * 5 + entry("a"), "more header records"),
        (b"\xff" * 512, "damaged header"),
        (bytes(512) + b"\x01" + bytes(511), "broken end-of-archive"),
    ],
)
def test_senseless_headers_are_refused(data: bytes, text: str) -> None:
    assert text in refusal(data + tar.END)


def test_a_negative_extension_cannot_lead_back() -> None:
    block = bytearray(negative())
    block[156:157] = tarfile.XHDTYPE
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    assert "damaged header" in refusal(entry("a") + bytes(block) + entry("b") + tar.END)


def test_a_flipped_bit_in_a_header_is_seen() -> None:
    archive = bytearray(entry("a") + entry("b") + tar.END)
    archive[1024 + 100] ^= 1
    assert "damaged header at byte 1024" in refusal(bytes(archive))


def test_every_truncation_is_seen() -> None:
    archive = entry("a", b"x" * 700) + entry("modules/" + "n" * 120) + entry("c", b"") + tar.END
    for size in range(0, len(archive), 64):
        refusal(archive[:size])
    for size in (1, len(archive) - 1, len(archive) - 511, len(archive) - 513, len(archive) - 1023, len(archive) - 1025):
        refusal(archive[:size])
    assert len(members(archive)) == 3


def test_more_entries_than_the_limit_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tar, "MOST_ENTRIES", 3)
    assert len(members(entry("a") * 3 + tar.END)) == 3
    assert "more than 3 entries" in refusal(entry("a") * 4 + tar.END)
    assert "more than 3 entries" in refusal(special(tarfile.DIRTYPE, "d/") * 4 + tar.END)
