# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Running steps one after another or side by side, and counting what came out.

A step is a function that returns a Tally, raises Failed with the text to show, or raises Unavailable with the
reason why this machine cannot run it (with CI=true that is a failure too).
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

CONTINUOUS_INTEGRATION = os.environ.get("CI", "").lower() in ("1", "true", "yes")


class Failed(Exception):
    """A step that failed; the text is what a developer needs to see."""


class Unavailable(Exception):
    """A step that this machine cannot run; the text is the reason."""


@dataclass(frozen=True)
class Tally:
    """What a step counted. `skipped` holds one reason per skipped test, `failures` the text of what failed."""

    passed: int = 1
    failed: int = 0
    skipped: tuple[str, ...] = ()
    failures: str = ""


@dataclass(frozen=True)
class Step:
    layer: str
    name: str
    run: Callable[[], Tally | None]


@dataclass(frozen=True)
class Outcome:
    step: Step
    tally: Tally
    seconds: float


_screen = threading.Lock()


def say(text: str) -> None:
    """Print at once, also when several steps run side by side."""
    with _screen:
        print(text, flush=True)


def run_steps(steps: Iterable[Step], *, side_by_side: int = 1) -> list[Outcome]:
    """Run `steps`, at most `side_by_side` at a time; every step runs, whatever became of those before it."""
    with ThreadPoolExecutor(max_workers=max(1, side_by_side)) as pool:
        return list(pool.map(_run_step, steps))


def _run_step(step: Step) -> Outcome:
    started = time.monotonic()
    say(f"==> {step.layer}: {step.name}")
    tally = _tally_of(step)
    outcome = Outcome(step, tally, time.monotonic() - started)
    say(_closing_line(outcome))
    return outcome


def _tally_of(step: Step) -> Tally:
    try:
        tally = step.run() or Tally()
    except Unavailable as reason:
        tally = Tally(passed=0, skipped=(str(reason),))
    except Failed as failure:
        return Tally(passed=0, failed=1, failures=str(failure))
    if CONTINUOUS_INTEGRATION and tally.skipped:
        reasons = ["skipped, which CI does not allow:", *sorted(set(tally.skipped))]
        failures = "\n".join(filter(None, (tally.failures, *reasons)))
        return Tally(tally.passed, tally.failed + len(tally.skipped), failures=failures)
    return tally


def _closing_line(outcome: Outcome) -> str:
    tally = outcome.tally
    word = "FAILED" if tally.failed else "ok" if tally.passed else "skipped"
    lines = [f"    {word}: {outcome.step.layer}: {outcome.step.name} ({_counts(tally)}; {outcome.seconds:.1f} s)"]
    lines += [f"    skipped: {reason}" for reason in sorted(set(tally.skipped))]
    if tally.failures:
        lines.append(tally.failures.rstrip())
    return "\n".join(lines)


def _counts(tally: Tally) -> str:
    return f"{tally.passed} passed, {tally.failed} failed, {len(tally.skipped)} skipped"


def total(tallies: Iterable[Tally]) -> Tally:
    """The sum of the counts, with all reasons."""
    everything = list(tallies)
    return Tally(
        sum(tally.passed for tally in everything),
        sum(tally.failed for tally in everything),
        tuple(reason for tally in everything for reason in tally.skipped),
    )


def print_summary(outcomes: Sequence[Outcome]) -> bool:
    """Print counts per layer and the line that CI reads; return whether nothing failed."""
    layers = dict.fromkeys(outcome.step.layer for outcome in outcomes)
    say("\nSummary")
    for layer in layers:
        mine = [outcome for outcome in outcomes if outcome.step.layer == layer]
        seconds = sum(outcome.seconds for outcome in mine)
        say(f"  {layer:<12} {_counts(total(outcome.tally for outcome in mine))} ({seconds:.0f} s of work)")
    overall = total(outcome.tally for outcome in outcomes)
    for reason in sorted(set(overall.skipped)):
        say(f"  skipped {overall.skipped.count(reason)} x: {reason}")
    for outcome in outcomes:
        if outcome.tally.failed:
            say(f"  failed: {outcome.step.layer}: {outcome.step.name}")
    say(_counts(overall))
    return overall.failed == 0
