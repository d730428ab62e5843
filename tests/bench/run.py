# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""``make bench``: speed and memory against curl and skopeo, as a table; docs/benchmarks.md tells how to read it.

``ROWS=pull-loopback,memory`` measures only these, ``REGISTRY=2`` takes Distribution 2.8, ``SAVE=yes`` writes the
table into docs/benchmarks.md. The exit code is 1 when a limit is exceeded.
"""

from __future__ import annotations

import os
import platform
import signal
import sys
import tempfile
import time
from pathlib import Path

from ansible_collections.dkp.airgap.tests.bench.place import Place
from ansible_collections.dkp.airgap.tests.bench.processes import BenchFailed
from ansible_collections.dkp.airgap.tests.bench.rows import ROWS, Bench
from ansible_collections.dkp.airgap.tests.bench.table import Row, hash_rate, render
from ansible_collections.dkp.airgap.tests.kit.programs import MissingProgram, cache_directory

_PAGE = Path(__file__).resolve().parents[2] / "docs/benchmarks.md"
_BEGIN, _END = "<!-- table -->\n", "<!-- end of table -->\n"


def main() -> int:
    signal.signal(signal.SIGTERM, lambda *_unused: sys.exit(143))
    names = os.environ.get("ROWS", "").replace(",", " ").split() or list(ROWS)
    unknown = sorted(set(names) - set(ROWS))
    if unknown:
        print(f"ROWS: there is no {', '.join(unknown)}; there are {', '.join(ROWS)}")
        return 2
    cache_directory().mkdir(parents=True, exist_ok=True)
    try:
        with tempfile.TemporaryDirectory(prefix="bench-", dir=cache_directory()) as directory:
            measured, failures = _measure(names, Path(directory))
    except MissingProgram as missing:
        print(f"The benchmarks need a program that is not here: {missing}")
        return 1
    except KeyboardInterrupt:
        print("Stopped; everything that was written is gone.")
        return 130
    over = [row.measure for row in measured if not row.is_met]
    print("\n".join(["", *(f"FAILED {failure}" for failure in failures), *(f"OVER {measure}" for measure in over)]))
    return 1 if over or failures else 0


def _measure(names: list[str], directory: Path) -> tuple[list[Row], list[str]]:
    started = time.monotonic()
    place = Place(directory, version=int(os.environ.get("REGISTRY") or 3))
    _say("Warming memory")
    place.warm()
    bench = Bench(place, _say, hash_rate())
    heading = _heading(place.version, bench.hash_rate)
    measured, failures = [], []
    for name in names:
        _say(f"{name} ({time.monotonic() - started:.0f} s since the start)")
        try:
            measured += ROWS[name](bench)
        except BenchFailed as failure:
            failures.append(f"{name}: {failure}")
    table = f"{heading}\n\n{render(measured)}\n"
    print(f"\n{table}\nAll of it took {time.monotonic() - started:.0f} s.", flush=True)
    if os.environ.get("SAVE") and not failures:
        before, _begin, rest = _PAGE.read_text().partition(_BEGIN)
        _PAGE.write_text(f"{before}{_BEGIN}\n{table}\n{_END}{rest.partition(_END)[2]}")
    return measured, failures


def _heading(version: int, rate: float) -> str:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / (1 << 30)
    return (
        f"{os.cpu_count()} processors, {memory:.0f} GiB, sha256 at {rate / 1e6:.0f} MB/s each; Python "
        f"{platform.python_version()}, Distribution {version}; load before the start {os.getloadavg()[0]:.1f}"
    )


def _say(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    sys.exit(main())
