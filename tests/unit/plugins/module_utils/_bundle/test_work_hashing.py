# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The hashes of an archive's parts are those of the bytes on disk, however the writers went about it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.dkp.airgap.plugins.module_utils._bundle import tar
from ansible_collections.dkp.airgap.plugins.module_utils._bundle.journal import Journal, SpaceRecord
from ansible_collections.dkp.airgap.plugins.module_utils._bundle.plan import Placement
from ansible_collections.dkp.airgap.plugins.module_utils._bundle.work import WorkFile

MIB = 1024 * 1024
SIZE = 6 * MIB
FIRST = Placement("", b"\1" * 32, 0, tar.BLOCK, SIZE)
SECOND = Placement("", b"\2" * 32, FIRST.stop, FIRST.stop + tar.BLOCK, SIZE)


@pytest.fixture(params=[0, 5_000_000], ids=["plain", "chunks"])
def work(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[WorkFile]:
    journal = Journal(tmp_path / "journal")
    record = SpaceRecord(1, "platform.tar", ".partial-1", request.param)
    file = WorkFile(tmp_path, record, journal)
    file.expect(FIRST)
    file.expect(SECOND)
    yield file
    file.space.close()
    journal.close()


def write(work: WorkFile, placement: Placement, fill: bytes, *, upto: int = SIZE) -> None:
    """The entry's header and the first `upto` bytes of its content, in pieces as a download brings them."""
    buffer = memoryview(bytearray(MIB))
    length = work.begin(placement, buffer)
    work.write(placement.start, buffer[:length])
    for offset in range(0, upto, MIB):
        work.write(placement.offset + offset, memoryview(fill * MIB))


def finish(work: WorkFile) -> None:
    work.complete(FIRST)
    work.complete(SECOND)
    work.write_tail([], SECOND.stop + len(tar.END))


def hashes_on_disk(work: WorkFile) -> list[str]:
    return [hashlib.sha256(path.read_bytes()).hexdigest() for path in work.space.paths]


def test_hashing_goes_along_with_an_entry_that_is_not_complete(work: WorkFile) -> None:
    write(work, FIRST, b"a", upto=5 * MIB)
    assert work.follow(memoryview(bytearray(MIB))) == 5 * MIB + tar.BLOCK
    write(work, SECOND, b"b")
    assert work.follow(memoryview(bytearray(MIB))) == 0  # the rest of the first one lies before it
    work.write(FIRST.offset + 5 * MIB, memoryview(b"a" * MIB))
    finish(work)
    assert [part.sha256 for part in work.parts()] == hashes_on_disk(work)


def test_an_entry_that_is_written_anew_is_hashed_anew(work: WorkFile) -> None:
    write(work, FIRST, b"x", upto=5 * MIB)
    work.follow(memoryview(bytearray(MIB)))
    write(work, SECOND, b"b")
    write(work, FIRST, b"a")
    finish(work)
    assert [part.sha256 for part in work.parts()] == hashes_on_disk(work)
