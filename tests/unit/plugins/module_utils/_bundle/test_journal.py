# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The journal after every kind of end: what it says is complete is complete."""

from __future__ import annotations

import errno
import hashlib
from pathlib import Path

import pytest
from ansible_collections.dkp.airgap.plugins.module_utils._bundle.errors import NoSpace
from ansible_collections.dkp.airgap.plugins.module_utils._bundle.journal import Journal, Journaled, SpaceRecord, load

KEYS = [hashlib.sha256(bytes([number])).digest() for number in range(6)]


def record(number: int = 1, archive: str = "platform.tar", kind: str = "partial") -> SpaceRecord:
    return SpaceRecord(number, archive, f".{kind}-{number}", 0)


def offsets(journaled: Journaled, number: int = 1) -> tuple[list[int], list[int]]:
    space = journaled.spaces[number]
    return sorted(space.blobs), sorted(space.unsynced)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "pull.journal"


def test_a_full_disk_is_told_as_such(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = Journal(path)

    def refuse(*_arguments: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.write", refuse)
    with pytest.raises(NoSpace, match="while pull.journal was written"):
        journal.blob(1, 0, 7, KEYS[0])
    assert journal.records == 0


def test_nothing_is_read_where_nothing_is(path: Path) -> None:
    assert load(path) == Journaled()


def test_only_what_lies_before_a_barrier_is_synced(path: Path) -> None:
    journal = Journal(path)
    journal.space(record())
    for number in range(4):
        journal.blob(1, number * 1000, 7, KEYS[number])
    journal.barrier(3)
    journal.close()
    found = load(path)
    assert offsets(found) == ([0, 1000, 2000], [3000])
    assert found.spaces[1].blobs[1000] == (KEYS[1], 7) and found.records == 4


def test_barriers_count_on_over_runs(path: Path) -> None:
    journal = Journal(path)
    journal.space(record())
    journal.blob(1, 0, 7, KEYS[0])
    journal.close()
    journal = Journal(path, records=load(path).records)
    journal.blob(1, 1000, 7, KEYS[1])
    journal.blob(1, 2000, 7, KEYS[2])
    journal.barrier(journal.records - 1)
    journal.close()
    assert offsets(load(path)) == ([0, 1000], [2000])


def test_any_torn_end_costs_one_line_at_most(path: Path) -> None:
    journal = Journal(path)
    journal.space(record())
    journal.blob(1, 0, 7, KEYS[0])
    journal.blob(1, 1000, 70, KEYS[1])
    journal.barrier(2)
    journal.close()
    whole = path.read_bytes()
    for size in range(len(whole)):
        path.write_bytes(whole[:size])
        found = load(path)
        again = Journal(path, records=found.records)
        again.space(record(2, "security.tar"))
        again.blob(2, 0, 9, KEYS[2])
        again.close()
        after = load(path)
        assert after.spaces[2].unsynced == {0: (KEYS[2], 9)}
        first = after.spaces.get(1)
        entries = {**first.blobs, **first.unsynced} if first else {}
        assert entries.items() <= {0: (KEYS[0], 7), 1000: (KEYS[1], 70)}.items()


@pytest.mark.parametrize(
    "line",
    [
        b"blob 1 0 7 " + b"z" * 64,
        b"blob 1 0 x " + b"a" * 64,
        "blob 1 ² 7 ".encode() + b"a" * 64,
        b"blob 1 0 7 " + b"a" * 63,
        b"blob 9 0 7 " + b"a" * 64,
        b"blob 1 " + b"9" * 5000 + b" 7 " + b"a" * 64,
        b"\0" * 4096,
        b"\xff\xfe\x00",
        b"barrier x",
        b"barrier",
        b"cut 9 0",
        b"final 9",
        b"space 5 0 ../../etc/passwd.tar .partial-5",
        b"space 5 0 /etc/x.tar .partial-5",
        b"space 5 0 x.tar /../y",
        b"space 5 0 x.tar .keep",
    ],
)
def test_senseless_lines_say_nothing(path: Path, line: bytes) -> None:
    path.write_bytes(b"space 1 0 platform.tar .partial-1\n" + line + b"\nblob 1 5000 7 " + b"a" * 64 + b"\n")
    found = load(path)
    assert list(found.spaces) == [1]
    assert offsets(found) == ([], [5000])


def test_what_is_written_over_is_not_said_to_lie_there(path: Path) -> None:
    journal = Journal(path)
    journal.space(record())
    for number in range(3):
        journal.blob(1, number * 1000, 7, KEYS[number])
    journal.barrier(2)
    journal.cut(1, 1000)
    journal.blob(1, 1000, 9, KEYS[4])
    journal.close()
    assert offsets(load(path)) == ([0], [1000])
    assert load(path).spaces[1].unsynced == {1000: (KEYS[4], 9)}


def test_a_barrier_for_the_old_blob_says_nothing_of_the_new_one(path: Path) -> None:
    journal = Journal(path)
    journal.space(record())
    journal.blob(1, 1000, 7, KEYS[0])
    journal.cut(1, 0)
    journal.blob(1, 1000, 7, KEYS[0])
    journal.barrier(1)
    journal.close()
    assert offsets(load(path)) == ([], [1000])


def test_the_last_to_get_final_names_owns_them(path: Path) -> None:
    journal = Journal(path)
    for number in (1, 2):
        journal.space(record(number))
    journal.space(record(3, "security.tar"))
    for number in (2, 3, 1):
        journal.final(number)
    journal.close()
    assert [load(path).spaces[number].final for number in (1, 2, 3)] == [True, False, True]
