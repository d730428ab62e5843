# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Lanes side by side: nothing is lost, nothing hangs, and the error that is told is the one that happened."""

from __future__ import annotations

import signal
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import pytest
from ansible_collections.dkp.airgap.plugins.module_utils._mirror.stages import Lane, Stages
from ansible_collections.dkp.airgap.plugins.module_utils._oci.errors import AirgapError, Stopped
from ansible_collections.dkp.airgap.plugins.module_utils._registry.stopping import Stopping


@dataclass
class Host:
    """As much of a registry as the stages look at."""

    ceiling: int = 8
    parallel: int = 8


def run(lanes: list[Lane], host: Host | None = None, stopping: Stopping | None = None) -> dict[str, AirgapError]:
    return Stages(host or Host(), stopping or Stopping()).run(lanes)  # type: ignore[arg-type]


def lane(name: str, *stages: list[Callable[[], None]]) -> Lane:
    return Lane(name, deque(stages))


def failing(error: BaseException) -> Callable[[], None]:
    def fail() -> None:
        raise error

    return fail


@pytest.mark.parametrize("parallel", [0, 1, 3, 8])
def test_stages_of_a_lane_follow_one_another(parallel: int) -> None:
    done: list[tuple[str, int]] = []
    lanes = [
        lane(name, *([lambda name=name, stage=stage: done.append((name, stage))] * 20 for stage in range(4)))
        for name in "abc"
    ]
    assert run(lanes, Host(parallel=parallel)) == {}
    for name in "abc":
        stages = [stage for one, stage in done if one == name]
        assert stages == sorted(stages) and len(stages) == 80


def test_empty_lanes_and_stages_are_nothing_to_wait_for() -> None:
    done: list[int] = []
    assert run([]) == run([lane("a")]) == run([lane("a", [], [])]) == {}
    assert run([lane("a", [], [lambda: done.append(1)], [], [lambda: done.append(2)])]) == {}
    assert done == [1, 2]


def test_a_lane_that_fails_ends_and_the_others_go_on() -> None:
    done: list[str] = []
    error = AirgapError("refused")
    failures = run(
        [
            lane("bad", [failing(error), failing(AirgapError("another"))], [lambda: done.append("bad")]),
            lane("good", [lambda: time.sleep(0.05)], [lambda: done.append("good")]),
        ],
        Host(parallel=1),
    )
    assert failures == {"bad": error} and done == ["good"]


@pytest.mark.parametrize("error", [RuntimeError("a defect"), OSError(5, "Input/output error"), MemoryError()])
def test_a_defect_ends_everything_and_is_told(error: BaseException) -> None:
    done: list[int] = []
    lanes = [
        lane("a", [failing(error)]),
        lane("b", *([lambda: done.append(1) or time.sleep(0.02)] for _unused in range(500))),
    ]
    started = time.monotonic()
    with pytest.raises(type(error)):
        run(lanes)
    assert time.monotonic() - started < 3 and len(done) < 500


def test_stopping_is_told_as_such() -> None:
    stopping = Stopping()
    lanes = [lane("a", [stopping.set], [failing(AssertionError("later stages are not begun"))])]
    with pytest.raises(Stopped, match="run it again"):
        run(lanes, stopping=stopping)


def test_a_signal_does_not_wait_for_the_rest() -> None:
    done: list[int] = []
    stopping = Stopping()
    lanes = [lane("a", *([lambda: done.append(1) or time.sleep(0.02)] for _unused in range(500)))]

    def interrupt(*_arguments: object) -> None:
        raise KeyboardInterrupt

    previous = signal.signal(signal.SIGALRM, interrupt)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.2)
        with pytest.raises(KeyboardInterrupt):
            run(lanes, stopping=stopping)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)
    assert stopping.is_set() and len(done) < 100


def test_workers_beyond_what_the_registry_takes_rest_until_it_takes_more() -> None:
    host = Host(ceiling=8, parallel=2)
    running, most, lock = [0], [0], threading.Lock()

    def step() -> None:
        with lock:
            running[0] += 1
            most[0] = max(most[0], running[0])
        time.sleep(0.01)
        with lock:
            running[0] -= 1

    run([lane("a", [step] * 30)], host)
    assert most[0] <= 2
    host.parallel = 8
    run([lane("a", [step] * 60)], host)
    assert most[0] > 2
