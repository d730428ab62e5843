# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The demonstration: the whole journey on one machine, from what a cluster runs to the updated cluster.

A vendor's registry, a private one that the cluster lives on, an API server with a Deckhouse that takes releases as the
real one does, and the playbook `dkp.airgap.update`, twice. Where no API server can be had, a described cluster takes
its place, and the journey ends when its releases are published. ``make demo`` starts it with a Python that has
ansible-core, and with the collections on PYTHONPATH and ANSIBLE_COLLECTIONS_PATH.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from ansible_collections.dkp.airgap.tests.demo.stage import TARGET, Stage, set_up
from ansible_collections.dkp.airgap.tests.kit.programs import MissingProgram

UPDATE = "dkp.airgap.update"
RECAP = re.compile(r"^(\S+)\s+: ok=\d+\s+changed=(\d+)", re.MULTILINE)


class DemoFailed(Exception):
    """The text says which task failed."""


def main() -> int:
    # Both end in the same clean-up, also where whoever started us ignores Ctrl-C.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with tempfile.TemporaryDirectory(prefix="dkp-airgap-demo-") as directory:
            _demonstrate(Path(directory))
    except (DemoFailed, MissingProgram) as failure:
        print(f"\nThe demo failed: {failure}", flush=True)
        return 1
    except KeyboardInterrupt:
        print("\nStopped; registries and files of the demo are gone.", flush=True)
        return 130
    return 0


def _demonstrate(directory: Path) -> None:
    started = time.monotonic()
    running = ExitStack()
    try:
        stage = set_up(directory, running)
        print("\n".join(stage.told), flush=True)
        output, seconds = _play(directory, stage)
        # The second run makes a plan of its own.
        plan = json.loads((directory / "plan.json").read_text())
        print("\nOnce more: nothing may change.", flush=True)
        again, _seconds = _play(directory, stage)
        changed = sum(int(count) for _host, count in RECAP.findall(again))
        if changed:
            raise DemoFailed(f"the second run changed {changed} things")
        _summarise(plan, json.loads((directory / "bundle/delivery.json").read_text()), stage, seconds)
        if stage.cluster_version() not in (None, TARGET):
            raise DemoFailed(f"the cluster runs {stage.cluster_version()}, and not {TARGET}:\n{output[-3000:]}")
    finally:
        # Without handing on an error: the registries would print their logs, which say nothing to a newcomer.
        running.close()
    print(f"\nAll of it took {time.monotonic() - started:.0f} seconds; everything of it is gone again.", flush=True)


def _play(directory: Path, stage: Stage) -> tuple[str, dict[str, float]]:
    """Run the playbook with its output on the screen; return that, and the seconds of each task."""
    (directory / "inventory.json").write_text(json.dumps(stage.inventory))
    print(f"\n$ ansible-playbook -i inventory.json {UPDATE} -e dkp_approve=always", flush=True)
    program = Path(sys.executable).parent / "ansible-playbook"
    command = [str(program), "-i", str(directory / "inventory.json"), UPDATE, "-e", "dkp_approve=always"]
    environment = {**os.environ, "HOME": str(directory), "ANSIBLE_DISPLAY_SKIPPED_HOSTS": "False"}
    with subprocess.Popen(
        command, env=environment, cwd=directory, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as play:
        try:
            lines, seconds, last = _follow(play)
        except BaseException:
            play.terminate()
            raise
    if play.returncode:
        raise DemoFailed(f"the task {last!r} did not succeed, see its message above (exit code {play.returncode})")
    return "".join(lines), seconds


def _follow(play: subprocess.Popen[str]) -> tuple[list[str], dict[str, float], str]:
    """Show what the playbook prints; return it, the seconds of each task, and the name of the last one."""
    lines: list[str] = []
    seconds: dict[str, float] = {}
    name, since = "", time.monotonic()
    for line in play.stdout or ():
        print(line, end="", flush=True)
        lines.append(line)
        heading = re.match(r"(?:TASK|PLAY) (?:\[(.*)\])?", line)
        if heading:
            seconds[name] = seconds.get(name, 0.0) + time.monotonic() - since
            name, since = heading.group(1) or name, time.monotonic()
    return lines, seconds, name


def _summarise(
    plan: Mapping[str, Any], delivery: Mapping[str, Any], stage: Stage, seconds: Mapping[str, float]
) -> None:
    route = plan["clusters"]["prod"]["platform"]
    size = sum(archive["bytes"] for archive in delivery["archives"])
    modules = ", ".join(f"{name} {module['versions'][-1]}" for name, module in delivery["content"]["modules"].items())
    rows: dict[str, Any] = {
        "Cluster": f"ran {route['from']}; its channel {route['channel']} offers {route['to']}",
        "Plan": " -> ".join(route["steps"]),
        "Modules, newest": modules,
        "Bundle": f"{len(delivery['images'])} tags in {len(delivery['archives'])} archives, {size / 1e6:.1f} MB",
        "Pull": _task(seconds, "dkp.airgap.pull : Pull"),
        "Push": _task(seconds, "dkp.airgap.push : Push"),
        "Rollout": stage.outcome(),
        "Second run": "changed=0",
    }
    print("\nSummary")
    for title, text in rows.items():
        print(f"  {title:<16} {text}")


def _task(seconds: Mapping[str, float], start: str) -> str:
    return f"{next(time for name, time in seconds.items() if name.startswith(start)):.1f} s"


if __name__ == "__main__":
    sys.exit(main())
