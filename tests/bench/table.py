# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The table: one row per measure, with its limit and what was measured."""

from __future__ import annotations

import hashlib
import statistics
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

MIB = 1024 * 1024


@dataclass(frozen=True)
class Row:
    """A measure and its values, one per repetition; their median must not be beyond `limit`.

    `least` turns it round: the median must reach the limit. `limit_text` and `unit` are for reading.
    """

    measure: str
    limit: float
    limit_text: str
    values: Sequence[float]
    unit: str = ""
    least: bool = False
    note: str = ""

    @property
    def median(self) -> float:
        return statistics.median(self.values)

    @property
    def is_met(self) -> bool:
        return self.median >= self.limit if self.least else self.median <= self.limit

    def cells(self) -> tuple[str, str, str, str, str]:
        ends = (min(self.values), self.median, max(self.values)) if len(self.values) > 1 else (self.median,)
        measured = " / ".join(_number(value) for value in ends)
        return self.measure, self.limit_text, f"{measured}{self.unit}", "ok" if self.is_met else "**over**", self.note


def _number(value: float) -> str:
    if value == int(value):
        return str(int(value))
    return f"{value:.1f}" if value >= 20 else f"{value:.2f}" if abs(value) >= 0.2 else f"{value:.4f}"


def render(rows: Iterable[Row]) -> str:
    """Markdown that is readable as it is."""
    table = [("Measure", "Limit", "Measured: least / median / most", "", "In this run"), *(row.cells() for row in rows)]
    widths = [max(len(line[column]) for line in table) for column in range(5)]
    lines = ["| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths)) + " |" for line in table]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(lines)


def hash_rate() -> float:
    """Bytes per second that one processor of this machine hashes with sha256."""
    data = memoryview(bytearray(MIB))
    best = 0.0
    for _unused in range(5):
        hashing, started = hashlib.sha256(), time.perf_counter()
        for _piece in range(128):
            hashing.update(data)
        best = max(best, 128 * MIB / (time.perf_counter() - started))
    return best
