# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An archive in parts is one space of bytes."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.dkp.airgap.plugins.module_utils._bundle.directory import archives_in, archives_of
from ansible_collections.dkp.airgap.plugins.module_utils._bundle.errors import BundleDamaged
from ansible_collections.dkp.airgap.plugins.module_utils._bundle.parts import (
    PartSpace,
    SpaceReader,
    parse_chunk_size,
    parse_part_name,
    part_name,
    part_sizes,
)
from ansible_collections.dkp.airgap.plugins.module_utils._oci.errors import InvalidInput
from hypothesis import given
from hypothesis import strategies as st

DATA = bytes(range(256)) * 4


def parts(directory: Path, sizes: list[int]) -> list[Path]:
    paths, start = [], 0
    for number, size in enumerate(sizes):
        path = directory / f"x.tar.{number:04d}.chunk"
        path.write_bytes(DATA[start : start + size])
        paths.append(path)
        start += size
    return paths


@pytest.mark.parametrize(
    ("text", "size"),
    [("", 0), (" ", 0), ("4GB", 4_000_000_000), ("4gib", 4 << 30), ("3900 MiB", 3900 << 20), ("1000000", 1_000_000)],
)
def test_chunk_sizes_are_read(text: str, size: int) -> None:
    assert parse_chunk_size(text) == size


@pytest.mark.parametrize("text", ["4G", "-1", "999999", "0.9MB", "1e9", "four", "0"])
def test_senseless_chunk_sizes_are_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match="chunk_size"):
        parse_chunk_size(text)


@given(st.integers(0, 5000), st.integers(1, 700))
def test_parts_hold_everything_and_none_is_empty(size: int, chunk: int) -> None:
    sizes = part_sizes(size, chunk)
    assert sum(sizes) == size
    assert all(0 < one <= chunk for one in sizes) and all(one == chunk for one in sizes[:-1])


@pytest.mark.parametrize("number", [0, 7, 9999, 10000])
def test_part_names_come_back(number: int) -> None:
    assert parse_part_name(part_name("module-x.tar", number, 5)) == ("module-x.tar", number)


@pytest.mark.parametrize("name", ["x.tar.001.chunk", "x.tar.0001.chunk.tmp", "x.chunk", "x.tar.gostsum", ".tar.delta"])
def test_other_files_are_no_parts(name: str) -> None:
    assert parse_part_name(name) is None


def test_reads_cross_boundaries(tmp_path: Path) -> None:
    space = PartSpace(parts(tmp_path, [300, 1, 0, 299, 200, 0]))
    edges = [0, 1, 299, 300, 301, 302, 599, 600, 601, 799, 800, 900]
    for offset in edges:
        for size in (0, 1, 2, 3, 299, 300, 301, 1000):
            buffer = memoryview(bytearray(size))
            assert space.read_at(offset, size) == DATA[offset : min(offset + size, 800)]
            count = space.read_into(buffer, offset)
            assert bytes(buffer[:count]) == DATA[offset : min(offset + size, 800)]
    space.close()


def test_writes_cross_boundaries(tmp_path: Path) -> None:
    paths = parts(tmp_path, [300, 100, 300])
    space = PartSpace(paths, writable=True)
    space.write_at(250, memoryview(b"w" * 200))
    assert [path.stat().st_size for path in paths] == [300, 100, 300]
    assert b"".join(path.read_bytes() for path in paths) == DATA[:250] + b"w" * 200 + DATA[450:700]
    space.close()


def test_a_stream_ends_where_its_stretch_ends(tmp_path: Path) -> None:
    space = PartSpace(parts(tmp_path, [100, 100]))
    stream = SpaceReader(space, 90, 20)
    assert stream.read(15) == DATA[90:105] and stream.read() == DATA[105:110] and stream.read(5) == b""
    assert SpaceReader(space, 90, 20).readinto(memoryview(bytearray(64))) == 20
    space.close()


def test_a_part_that_became_shorter_is_named(tmp_path: Path) -> None:
    paths = parts(tmp_path, [100, 100])
    space = PartSpace(paths)
    paths[1].write_bytes(b"")
    for read in (lambda: space.read_at(50, 100), lambda: space.read_into(memoryview(bytearray(100)), 50)):
        with pytest.raises(BundleDamaged, match="x.tar.0001.chunk.*became shorter"):
            read()
    space.close()


def test_archives_of_a_directory(tmp_path: Path) -> None:
    parts(tmp_path, [5, 5])
    for name in ("platform.tar", "platform.tar.0000.chunk", "delivery.json", "a.tar.partial-1", "b.tar.previous"):
        (tmp_path / name).write_bytes(b"")
    (tmp_path / "link.tar").symlink_to("platform.tar")
    found = archives_in(tmp_path)
    assert [(one.name, len(one.paths)) for one in found] == [("platform.tar", 1), ("x.tar", 2)]
    assert archives_of([tmp_path / "x.tar.0001.chunk", tmp_path])[0].paths == found[1].paths


@pytest.mark.parametrize("left", [[1], [0, 2], [0, 1, 3], [99999999]])
def test_a_missing_chunk_is_named(tmp_path: Path, left: list[int]) -> None:
    for number in left:
        (tmp_path / f"x.tar.{number:04d}.chunk").write_bytes(b"")
    missing = next(number for number in range(9) if number not in left)
    with pytest.raises(BundleDamaged, match=rf"x.tar: chunk {missing:04d} of \d+ is missing"):
        archives_in(tmp_path)


@pytest.mark.parametrize("name", ["nothing", "file.txt", "empty"])
def test_sources_that_are_no_archives(tmp_path: Path, name: str) -> None:
    (tmp_path / "file.txt").write_bytes(b"")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InvalidInput, match="src: "):
        archives_of([tmp_path / name])
