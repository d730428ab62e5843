# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Files inside of images: layers from the top, whiteouts, compression, and layers that are damaged."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import tarfile
import tracemalloc
from collections.abc import Callable, Mapping

import pytest
from ansible_collections.dkp.airgap.plugins.module_utils._oci import files
from ansible_collections.dkp.airgap.plugins.module_utils._oci.errors import InvalidContent
from ansible_collections.dkp.airgap.plugins.module_utils._oci.files import ImageFiles

WANTED = "deckhouse/candi/images_digests.json"


def short(value: object) -> str:
    """The name of a test's row: older pytest would take all the bytes."""
    return repr(value)[:40]


def tar(*entries: tuple[str, bytes], tar_format: int = tarfile.GNU_FORMAT) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tar_format) as archive:
        for name, data in entries:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def special(name: str, kind: bytes, target: str = "") -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        info = tarfile.TarInfo(name)
        info.type = kind
        info.linkname = target
        archive.addfile(info)
    return buffer.getvalue()


class Trickle(io.RawIOBase):
    """A stream as a network gives it: a few bytes at a time; `taken` counts them."""

    def __init__(self, data: bytes, step: int = 3) -> None:
        super().__init__()
        self._data = io.BytesIO(data)
        self._step = step
        self.taken = 0

    def read(self, size: int = -1) -> bytes:
        data = self._data.read(min(size, self._step) if size >= 0 else self._step)
        self.taken += len(data)
        return data


def scan(*layers: bytes, wanted: tuple[str, ...] = (WANTED,)) -> ImageFiles:
    """Read layers given from the top."""
    image = ImageFiles(frozenset(wanted))
    for number, layer in enumerate(layers):
        image.scan(io.BytesIO(layer), where=f"install:v1: layer {number}")
    return image


def in_members(data: bytes) -> bytes:
    """Gzip as eStargz has it: many members in a row, and zeros behind them."""
    parts = [data[start : start + 1000] for start in range(0, len(data), 1000)]
    return b"".join(map(gzip.compress, parts)) + b"\0" * 700


@pytest.mark.parametrize("pack", [bytes, gzip.compress, in_members])
def test_a_file_is_found_in_a_layer_of_any_usual_compression(pack: Callable[[bytes], bytes]) -> None:
    image = scan(pack(tar(("bin/dhctl", b"x" * 100_000), (WANTED, b"{}"))))
    assert image.found == {WANTED: b"{}"}
    assert not image.missing


@pytest.mark.parametrize("name", [WANTED, f"./{WANTED}", f"/{WANTED}", f"deckhouse/./candi//{WANTED[16:]}"])
@pytest.mark.parametrize("tar_format", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT, tarfile.USTAR_FORMAT])
def test_names_are_compared_clean(name: str, tar_format: int) -> None:
    assert scan(tar((name, b"1"), tar_format=tar_format)).found == {WANTED: b"1"}


def test_a_higher_layer_wins() -> None:
    assert scan(tar((WANTED, b"new")), tar((WANTED, b"old"))).found == {WANTED: b"new"}


def test_files_of_several_layers_come_together() -> None:
    image = scan(tar(("a", b"1")), tar(("b", b"2"), ("a", b"0")), tar(("c", b"3")), wanted=("a", "b", "d"))
    assert image.found == {"a": b"1", "b": b"2"}
    assert image.missing == {"d"}


@pytest.mark.parametrize(
    "whiteout",
    [
        "deckhouse/candi/.wh.images_digests.json",
        "./deckhouse/candi/.wh.images_digests.json",
        "deckhouse/.wh.candi",
        ".wh.deckhouse",
        "deckhouse/candi/.wh..wh..opq",
        "deckhouse/.wh..wh..opq",
        ".wh..wh..opq",
        "./.wh..wh..opq",
    ],
)
def test_a_whiteout_hides_what_lies_in_lower_layers(whiteout: str) -> None:
    image = scan(tar((whiteout, b"")), tar((WANTED, b"old")))
    assert image.found == {}
    assert image.hidden == {WANTED}
    assert not image.missing


@pytest.mark.parametrize(
    "whiteout",
    ["deckhouse/.wh.can", "deckhouse/candi/.wh.images_digests", "candi/.wh..wh..opq", "deckhouse/candi/x/.wh..wh..opq",
     ".wh.", "deckhouse/candi/.wh."],
)  # fmt: skip
def test_a_whiteout_of_something_else_hides_nothing(whiteout: str) -> None:
    assert scan(tar((whiteout, b"")), tar((WANTED, b"old"))).found == {WANTED: b"old"}


@pytest.mark.parametrize("whiteout", ["deckhouse/candi/.wh..wh..opq", "deckhouse/candi/.wh.images_digests.json"])
@pytest.mark.parametrize("first", [True, False])
def test_a_whiteout_does_not_hide_what_its_own_layer_brings(whiteout: str, first: bool) -> None:
    entries = [(whiteout, b""), (WANTED, b"new")]
    layer = tar(*(entries if first else reversed(entries)))
    assert scan(layer, tar((WANTED, b"old"))).found == {WANTED: b"new"}


def test_a_file_in_place_of_a_folder_hides_what_lay_in_it() -> None:
    image = scan(tar(("deckhouse/candi", b"now a file")), tar((WANTED, b"old")))
    assert image.found == {}
    assert image.hidden == {WANTED}


def test_nothing_is_read_behind_the_last_wanted_file() -> None:
    layer = Trickle(tar((WANTED, b"{}"), ("large", b"x" * 5_000_000)), step=65536)
    image = ImageFiles(frozenset({WANTED}))
    image.scan(layer, where="layer")
    assert image.found
    assert layer.taken < 1_000_000


def test_enough_ends_the_reading_after_wanted_neighbours() -> None:
    wanted = frozenset({"candi/images_digests.json", "candi/images_tags.json"})
    asked: list[set[str]] = []

    def enough(found: Mapping[str, bytes]) -> bool:
        asked.append(set(found))
        return "candi/images_digests.json" in found

    layer = Trickle(
        tar(("a", b""), ("candi/images_digests.json", b"{}"), ("candi/z", b""), ("large", b"x" * 5_000_000)), step=65536
    )
    image = ImageFiles(wanted)
    image.scan(layer, where="layer", enough=enough)
    assert image.found == {"candi/images_digests.json": b"{}"}
    assert image.missing == {"candi/images_tags.json"}
    assert asked == [set(), {"candi/images_digests.json"}]
    assert layer.taken < 1_000_000
    both = ImageFiles(wanted)
    both.scan(
        io.BytesIO(tar(("candi/images_digests.json", b"1"), ("candi/images_tags.json", b"2"))), where="x", enough=enough
    )
    assert both.found == {"candi/images_digests.json": b"1", "candi/images_tags.json": b"2"}


@pytest.mark.parametrize("pack", [bytes, gzip.compress, in_members])
def test_a_stream_may_give_a_few_bytes_at_a_time(pack: Callable[[bytes], bytes]) -> None:
    image = ImageFiles(frozenset({WANTED}))
    image.scan(Trickle(pack(tar(("a", b"x" * 2000), (WANTED, b"{}")))), where="layer")
    assert image.found == {WANTED: b"{}"}


def test_a_trickling_zstd_layer_is_still_recognised() -> None:
    with pytest.raises(InvalidContent, match="compressed with zstd"):
        ImageFiles(frozenset({WANTED})).scan(Trickle(b"\x28\xb5\x2f\xfd" + b"\0" * 600, step=1), where="layer")


@pytest.mark.parametrize("layer", [b"", tar(), gzip.compress(tar()), b"\0" * 1024], ids=short)
def test_an_empty_layer_brings_nothing(layer: bytes) -> None:
    assert scan(layer).missing == {WANTED}


WHOLE = gzip.compress(tar(("other", bytes(range(256)) * 400), (WANTED, b"x" * 9000)))


@pytest.mark.parametrize(
    ("layer", "said"),
    [
        (b"no tar" * 200, "cannot be read as a tar archive"),
        (b"short", "cannot be read as a tar archive"),
        (WHOLE[: len(WHOLE) // 2], "cannot be read as a tar archive"),
        (WHOLE[:20], "cannot be read as a tar archive"),
        (WHOLE[:30] + b"\xff" * 30 + WHOLE[60:], "cannot be read as a tar archive"),
        (tar((WANTED, b"x" * 9000))[:4096], "cannot be read as a tar archive|ends in the middle"),
        (tar(("other", b"x" * 9000), (WANTED, b"y"))[:4096], "cannot be read as a tar archive"),
        (b"\x28\xb5\x2f\xfd" + b"\0" * 600, "compressed with zstd, which cannot be read here"),
        (lzma.compress(tar()), "compressed with xz"),
        (bz2.compress(tar()), "compressed with bzip2"),
        (gzip.compress(tar(("other", b"x" * 9000)))[:-8] + b"12345678", "cannot be read as a tar archive"),
        (special(WANTED, tarfile.LNKTYPE, "elsewhere"), f"{WANTED}: not a regular file"),
        (special(WANTED, tarfile.SYMTYPE, "elsewhere"), f"{WANTED}: not a regular file"),
        (special(WANTED, tarfile.DIRTYPE), f"{WANTED}: not a regular file"),
    ],
    ids=short,
)
def test_a_layer_that_cannot_be_trusted_is_named(layer: bytes, said: str) -> None:
    with pytest.raises(InvalidContent, match=f"^install:v1: layer 0.*({said})"):
        scan(layer)


def test_a_metadata_file_has_a_size_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "LARGEST_FILE", 10)
    with pytest.raises(InvalidContent, match="11 bytes, more than the 10"):
        scan(tar((WANTED, b"x" * 11)))
    assert scan(tar((WANTED, b"x" * 10))).found


def header(name: bytes, size: int, kind: bytes) -> bytes:
    info = tarfile.TarInfo(name.decode())
    info.size, info.type = size, kind
    return info.tobuf(tarfile.GNU_FORMAT)


@pytest.mark.parametrize("kind", [b"L", b"K", b"x", b"g"], ids=short)
def test_an_oversized_extended_header_is_refused_before_it_is_read(kind: bytes) -> None:
    layer = Trickle(header(b"long", 50_000_000, kind) + b"a" * 50_000_000, step=65536)
    with pytest.raises(InvalidContent, match="cannot be read as a tar archive"):
        ImageFiles(frozenset({WANTED})).scan(layer, where="layer")
    assert layer.taken < 2_000_000


def test_a_senseless_extended_header_is_refused() -> None:
    record = b"GNU.sparse.size=many\n"
    record = f"{len(record) + 3} ".encode() + record
    sparse = b"22 GNU.sparse.major=0\n" + b"22 GNU.sparse.minor=0\n" + record
    layer = header(b"pax", len(sparse), b"x") + sparse.ljust(512, b"\0") + tar((WANTED, b"{}"))
    with pytest.raises(InvalidContent, match="cannot be read as a tar archive"):
        scan(layer)


def test_a_chain_of_extended_headers_is_refused() -> None:
    link = header(b"long", 5, b"L") + b"name".ljust(512, b"\0")
    with pytest.raises(InvalidContent, match="cannot be read as a tar archive"):
        scan(link * 5000 + tar((WANTED, b"{}")))


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
@pytest.mark.parametrize(
    "content", [tar(*((f"f{number}", b"") for number in range(20_000))), tar(("zeros", bytes(30_000_000)))], ids=short
)
def test_memory_does_not_grow_with_a_layer(content: bytes, pack: Callable[[bytes], bytes]) -> None:
    layer = io.BytesIO(pack(content))
    tracemalloc.start()
    ImageFiles(frozenset({WANTED})).scan(layer, where="layer")
    _now, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 3 * 1024 * 1024
