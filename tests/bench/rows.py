# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The rows of the table. Each function measures some of them; A and B alternate, ratios are taken pair by pair."""

from __future__ import annotations

import os
import re
import shutil
import statistics
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

from ansible_collections.dkp.airgap.tests.bench.place import (
    TOTAL_RATE,
    Place,
    image_directories,
    long_line,
    narrow_line,
    pull,
    pull_once,
    push,
)
from ansible_collections.dkp.airgap.tests.bench.planning import (
    clusters,
    plan_by_function,
    planning_tasks,
    reading_tasks,
    time_playbook,
    vendor,
    write_requests,
)
from ansible_collections.dkp.airgap.tests.bench.processes import Copy, ModuleRun, time_curl, time_skopeo
from ansible_collections.dkp.airgap.tests.bench.table import MIB, Row
from ansible_collections.dkp.airgap.tests.kit.servers import Access
from ansible_collections.dkp.airgap.tests.kit.shape import BENCH, BENCH_MANY, BENCH_TEN_TIMES, TreeShape

REPEATS = 3
_SMALL_WRITES = MIB
_PEAK = 96.0


@dataclass
class Bench:
    """What was measured, kept for the rows that need it again."""

    place: Place
    say: Callable[[str], None]
    hash_rate: float
    """Bytes per second on one processor."""

    @cached_property
    def small_pulls(self) -> list[tuple[float, ModuleRun]]:
        return self._pulls(BENCH)

    @cached_property
    def large_pulls(self) -> list[tuple[float, ModuleRun]]:
        return self._pulls(BENCH_TEN_TIMES)

    def _pulls(self, shape: TreeShape) -> list[tuple[float, ModuleRun]]:
        """Seconds of curl, and the pull after it."""
        with self.place.source(shape) as (tree, server):
            return [
                (
                    self.note(
                        "curl, 8 connections", time_curl(tree, server.host, self.place.fresh("curl"), parallel=8)
                    ),
                    self.noted("pull", pull_once(self.place, tree, server.host)),
                )
                for _unused in range(REPEATS)
            ]

    def note(self, what: str, seconds: float) -> float:
        self.say(f"  {what}: {seconds:.2f} s")
        return seconds

    def noted(self, what: str, run: ModuleRun) -> ModuleRun:
        self.say(f"  {what}: {run.seconds:.2f} s, {run.peak / MIB:.0f} MiB, {run.transferred['requests']} requests")
        return run


def pull_loopback(bench: Bench) -> list[Row]:
    pairs = bench.small_pulls
    seconds = _seconds("pull", [run.seconds for _curl, run in pairs], "curl", [curl for curl, _run in pairs])
    twice = 2 * pairs[0][1].transferred["bytes"] / bench.hash_rate / (os.cpu_count() or 1)
    return [
        Row(
            "pull, loopback ÷ curl with 8 connections",
            1.35,
            "≤ 1.35",
            [run.seconds / curl for curl, run in pairs],
            note=f"{seconds}, two hashes of every byte at least {twice:.1f} s",
        )
    ]


def pull_bytes(bench: Bench) -> list[Row]:
    runs = [run for _curl, run in bench.small_pulls]
    tree, _directory = bench.place.tree(BENCH)
    unique = sum(blob.size for blob in tree.blobs().values())
    unique += sum(len(image.raw) for one in tree.repositories.values() for image in one.manifests.values())
    written = [run.written / run.result["bundle"]["bytes"] for run in runs]
    received = [run.transferred["bytes"] / unique for run in runs]
    return [
        Row("pull, bytes written ÷ archive bytes", 1.01, "≤ 1.01", written),
        Row("pull, bytes received ÷ unique bytes", 1.01, "≤ 1.01", received),
    ]


def pull_long(bench: Bench) -> list[Row]:
    curls, pulls = [], []
    with bench.place.source(BENCH) as source, long_line(source[1]) as line:
        tree = source[0]
        for _unused in range(REPEATS):
            curl = time_curl(tree, line.host, bench.place.fresh("curl"), parallel=32)
            curls.append(bench.note("curl, 32 connections, long line", curl))
            pulls.append(bench.noted("pull, long line", pull_once(bench.place, tree, line.host)).seconds)
    return [
        Row(
            "pull, 50 ms round trip and 80 MB/s per connection ÷ curl with 32",
            1.6,
            "≤ 1.6",
            [pull / curl for pull, curl in zip(pulls, curls)],
            note=_seconds("pull", pulls, "curl", curls),
        )
    ]


def pull_limited(bench: Bench) -> list[Row]:
    with bench.place.source(BENCH) as source, narrow_line(source[1]) as line:
        tree = source[0]
        run = bench.noted("pull, 40 MB/s in all", pull_once(bench.place, tree, line.host))
        peak = line.statistics().peak
    used = 100 * run.transferred["bytes"] / (run.seconds * TOTAL_RATE)
    return [
        Row("pull over 40 MB/s in all, share of the line", 95, "≥ 95 %", [used], " %", least=True),
        Row("the same, connections at one time", 32, "≤ 32", [peak], note=f"{run.seconds:.1f} s"),
    ]


def push_loopback(bench: Bench) -> list[Row]:
    loops, proven, unproven = [], [], []
    with bench.place.bundle(BENCH) as (bundle, home):
        images = image_directories(bench.place, BENCH, bundle)
        for _unused in range(REPEATS):
            with bench.place.target() as target:
                copies = [Copy(source, f"docker://{target.host}/{path}") for source, path in images]
                loops.append(bench.note("skopeo copy, one image after another", time_skopeo(copies)))
            with bench.place.target() as target:
                proven.append(bench.noted("push, pulled on this host", push(target.host, bundle, home)))
            with bench.place.target() as target:
                stranger = bench.place.fresh("home")
                unproven.append(bench.noted("push, to be proven", push(target.host, bundle, stranger)))
    written = [run.written for run in proven + unproven]
    return [
        Row(
            "push, loopback, pulled on this host ÷ loop of skopeo copy",
            0.35,
            "≤ 0.35",
            [run.seconds / loop for run, loop in zip(proven, loops)],
            note=_seconds("push", [run.seconds for run in proven], "skopeo", loops),
        ),
        Row(
            "push, loopback, still to be proven ÷ loop of skopeo copy",
            0.5,
            "≤ 0.5",
            [run.seconds / loop for run, loop in zip(unproven, loops)],
            note=_seconds("push", [run.seconds for run in unproven], "skopeo", loops),
        ),
        Row(
            "push, KiB written (journal and proof)",
            _SMALL_WRITES / 1024,
            f"≤ {_SMALL_WRITES // 1024} KiB",
            [written_bytes / 1024 for written_bytes in written],
            " KiB",
        ),
    ]


def push_long(bench: Bench) -> list[Row]:
    near, far = [], []
    with bench.place.bundle(BENCH) as (bundle, home):
        for _unused in range(REPEATS):
            with bench.place.target() as target:
                near.append(bench.noted("push, loopback", push(target.host, bundle, home)).seconds)
            with bench.place.target() as target, long_line(target) as line:
                far.append(bench.noted("push, long line", push(line.host, bundle, home)).seconds)
    return [
        Row(
            "push over the long line, less 3 s ÷ push on loopback",
            1.8,
            "≤ 1.8",
            [(long - 3) / short for long, short in zip(far, near)],
            note=_seconds("long line", far, "loopback", near),
        )
    ]


def again(bench: Bench) -> list[Row]:
    dest, home = bench.place.fresh("bundle"), bench.place.fresh("home")
    with bench.place.source(BENCH, log=True) as (tree, source):
        first = bench.noted("first pull", pull(tree, source.host, dest, home))
        before = len(source.accesses())
        second = bench.noted("second pull", pull(tree, source.host, dest, home))
        asked = source.accesses()[before:]
    with bench.place.target(log=True) as target:
        sent = bench.noted("first push", push(target.host, dest, home))
        before = len(target.accesses())
        resent = bench.noted("second push", push(target.host, dest, home))
        compared = target.accesses()[before:]
    images = first.result["bundle"]["images"]
    lists = _count(compared, r"/tags/list")
    return [
        Row("second pull, changed or by digest", 0, "0", [_count(asked, r"@?sha256:") + second.result["changed"]]),
        Row("second pull, requests per tag", 1, "≤ 1", [_most_often(asked)], note=f"{len(asked)} requests in all"),
        Row("second pull, bytes ÷ those of the first", 0.1, "≤ 0.1 %", [_percent(second, first)], " %"),
        Row("second push, changed or written", 0, "0", [_writes(compared) + resent.result["changed"]]),
        Row(
            "second push, requests but lists ÷ images",
            1,
            "≤ 1",
            [(len(compared) - lists) / images],
            note=f"{len(compared)} requests, {lists} of them lists, {images} images",
        ),
        Row("second push, bytes ÷ those of the first", 0.1, "≤ 0.1 %", [_percent(resent, sent)], " %"),
    ]


def ten_times(bench: Bench) -> list[Row]:
    small = [run.seconds / curl for curl, run in bench.small_pulls]
    large = [run.seconds / curl for curl, run in bench.large_pulls]
    return [
        Row(
            "ten times the images: ratio to curl ÷ that of the small tree",
            1.05,
            "≤ 1.05",
            [ratio / statistics.median(small) for ratio in large],
            note=f"{statistics.median(large):.2f} and {statistics.median(small):.2f}",
        )
    ]


def memory(bench: Bench) -> list[Row]:
    peaks: dict[str, dict[str, float]] = {"pull": {}, "push": {}}
    for name, shape in (("small", BENCH), ("ten times", BENCH_TEN_TIMES), ("20,000 images", BENCH_MANY)):
        dest, home = bench.place.fresh("bundle"), bench.place.fresh("home")
        with bench.place.source(shape) as (tree, source):
            run = bench.noted(f"pull, {name}", pull(tree, source.host, dest, home))
        with bench.place.target() as target:
            sent = bench.noted(f"push, {name}", push(target.host, dest, home))
        shutil.rmtree(dest)
        peaks["pull"][name], peaks["push"][name] = run.peak / MIB, sent.peak / MIB
    rows = []
    for what, found in peaks.items():
        note = ", ".join(f"{peak:.0f} MiB {name}" for name, peak in found.items())
        rows.append(Row(f"{what}, peak memory", _PEAK, "≤ 96 MiB", [max(found.values())], " MiB", note=note))
        ratio = found["ten times"] / found["small"]
        rows.append(Row(f"{what}, peak memory with ten times the images", 1.2, "≤ 1.2 ×", [ratio]))
    return rows


def plan(bench: Bench) -> list[Row]:
    facts, results = clusters(), vendor()
    alone = [bench.note("plan, the function", plan_by_function(facts, results)) for _unused in range(REPEATS)]
    directory = bench.place.fresh("requests")
    write_requests(directory, facts, results)
    planned, read = [], []
    for _unused in range(REPEATS):
        planned.append(bench.note("plan from files", time_playbook(directory, "plan", planning_tasks(directory))))
        read.append(bench.note("include_vars", time_playbook(directory, "read", reading_tasks(directory))))
    size = sum(path.stat().st_size for path in directory.glob("cluster-*.json")) / MIB
    return [
        Row("plan of 200 clusters with 500 modules of 40 versions", 2.0, "≤ 2 s", alone, " s", note="the function"),
        Row(
            "the same through Ansible from request files ÷ include_vars of these files",
            1.0,
            "≤ 1",
            [ours / theirs for ours, theirs in zip(planned, read)],
            note=f"{_seconds('update_plan', planned, 'include_vars', read)}, {size:.0f} MiB",
        ),
    ]


def _seconds(what: str, measured: Sequence[float], reference: str, compared: Sequence[float]) -> str:
    return f"{what} {statistics.median(measured):.1f} s, {reference} {statistics.median(compared):.1f} s"


def _percent(run: ModuleRun, first: ModuleRun) -> float:
    return 100 * run.transferred["bytes"] / first.transferred["bytes"]


def _count(accesses: Sequence[Access], path: str) -> int:
    return sum(1 for access in accesses if re.search(path, access.target))


def _writes(accesses: Sequence[Access]) -> int:
    return sum(1 for access in accesses if access.method not in ("GET", "HEAD"))


def _most_often(accesses: Sequence[Access]) -> int:
    """How often the tag was asked for that was asked for most."""
    return max(Counter(access.target for access in accesses if "/manifests/" in access.target).values(), default=0)


ROWS: dict[str, Callable[[Bench], list[Row]]] = {
    "pull-loopback": pull_loopback,
    "pull-long": pull_long,
    "pull-limited": pull_limited,
    "push-loopback": push_loopback,
    "push-long": push_long,
    "memory": memory,
    "bytes": pull_bytes,
    "again": again,
    "ten-times": ten_times,
    "plan": plan,
}
