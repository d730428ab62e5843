# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whole journeys that are killed at random moments, until each of them arrives: ``make kills KILLS=50``.

A kill ends the playbook and every module that it has started, on all hosts. Afterwards nothing may be lost: the same
command run again arrives where the journey leads, the registry holds what the bundle holds, and at no moment a pointer
led to what was not there. ``SEED`` repeats the moments of another run.
"""

from __future__ import annotations

import os
import random
import shutil
import sys
import tempfile
import time
from pathlib import Path

from ansible_collections.dkp.airgap.tests.kit.cluster import KubeServer
from ansible_collections.dkp.airgap.tests.kit.journey import Journey
from ansible_collections.dkp.airgap.tests.kit.playbooks import Run
from ansible_collections.dkp.airgap.tests.kit.programs import MissingProgram

UPDATE = "dkp.airgap.update"
TARGET = "v1.69.0"
TOPOLOGIES = ("path", "jump", "controller")
LONGEST = 600.0
"""Seconds that a run may take which nobody kills."""


class Lost(Exception):
    """Something did not survive; the text says what."""


def main() -> int:
    kills = int(os.environ.get("KILLS") or 50)
    seed = int(os.environ.get("SEED") or random.randrange(10**6))  # noqa: S311 - moments, no secrets
    print(f"{kills} kills, SEED={seed}", flush=True)
    moments = random.Random(seed)  # noqa: S311
    done, journeys = 0, 0
    started = time.monotonic()
    try:
        while done < kills:
            topology = TOPOLOGIES[journeys % len(TOPOLOGIES)]
            done += _journey(topology, moments, most=kills - done)
            journeys += 1
    except (Lost, MissingProgram) as problem:
        print(f"\nAfter {done} kills: {problem}", flush=True)
        return 1
    print(f"\n{done} kills in {journeys} journeys, {time.monotonic() - started:.0f} s: nothing was lost", flush=True)
    return 0


def _journey(topology: str, moments: random.Random, *, most: int) -> int:
    """One journey from its start to its end; returns how often it was killed."""
    directory = Path(tempfile.mkdtemp(prefix="dkp-airgap-kills-"))
    try:
        with KubeServer() as cluster:
            cluster.install_crds()
            with Journey(directory, cluster, python=sys.executable, topology=topology) as journey:
                return _walk(journey, moments, most=most)
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def _walk(journey: Journey, moments: random.Random, *, most: int) -> int:
    killed = 0
    length = 90.0
    while killed < most:
        after = moments.uniform(1, length)
        began = time.monotonic()
        run = _update(journey, kill_after=after)
        if run.code == 0:
            break
        if run.code != -9:
            raise Lost(f"{journey.topology}: a run that followed {killed} kills failed:\n{run.output[-6000:]}")
        killed += 1
        print(f"  {journey.topology}: killed after {time.monotonic() - began:.1f} s, in {_last_task(run)}", flush=True)
        _nothing_exposed(journey)
    run = _update(journey)
    if run.code != 0:
        raise Lost(f"{journey.topology}: the run after {killed} kills failed:\n{run.output[-6000:]}")
    _arrived(journey)
    again = _update(journey)
    if again.code != 0 or set(again.changed.values()) != {0}:
        raise Lost(f"{journey.topology}: the run after the last one still changed something:\n{again.output[-6000:]}")
    print(f"  {journey.topology}: arrived at {TARGET} after {killed} kills", flush=True)
    return killed


def _update(journey: Journey, *, kill_after: float | None = None) -> Run:
    return journey.play(UPDATE, timeout=LONGEST, kill_after=kill_after, dkp_approve="always")


def _nothing_exposed(journey: Journey) -> None:
    if journey.exposures:
        raise Lost(f"{journey.topology}: {'; '.join(map(str, journey.exposures))}")


def _arrived(journey: Journey) -> None:
    journey.wait_for_version(TARGET)
    _nothing_exposed(journey)
    checked = journey.play("dkp.airgap.check", dkp_check_stage="published", dkp_check_depth="blobs", timeout=LONGEST)
    if checked.code != 0:
        raise Lost(f"{journey.topology}: the registry lacks something:\n{checked.output[-6000:]}")


def _last_task(run: Run) -> str:
    headings = [line for line in run.output.splitlines() if line.startswith("TASK [")]
    return headings[-1].strip("* ") if headings else "the start"


if __name__ == "__main__":
    sys.exit(main())
