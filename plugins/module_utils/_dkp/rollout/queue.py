# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The queue of Deckhouse, as its debug API tells of it (dkp-cluster.md §10.2): information, never a reason to fail."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_MAIN = re.compile(r"'main' queue: (?:(\d+) task|empty)")
_TOTAL = re.compile(r"(\d+) tasks? in total|total(?:Tasks)?\D+(\d+)", re.IGNORECASE)


@dataclass(frozen=True)
class Queue:
    """How many tasks wait in the main queue, and in all of them; `task` is what the main one is at."""

    main: int
    total: int
    task: str = ""


def parse_queue(text: str) -> Queue | None:
    """Read the answer of ``/queue/list.json``, or the text form of ``queue list``; None for anything else."""
    try:
        document = json.loads(text)
    except ValueError:
        return _of_text(text)
    summary = document.get("summary") if isinstance(document, Mapping) else None
    if not isinstance(summary, Mapping):
        return None
    main, total = _count(summary.get("mainQueueTasks")), _count(summary.get("totalTasks"))
    if main is None:
        return None
    return Queue(main, main if total is None else total, _first_task(document))


def _first_task(document: Mapping[str, Any]) -> str:
    """What the main queue is at. The shape is no contract, so that anything else is nothing."""
    active = document.get("active")
    for queue in active if isinstance(active, list) else ():
        tasks = queue.get("tasks") if isinstance(queue, Mapping) and queue.get("name") == "main" else None
        first = tasks[0] if isinstance(tasks, list) and tasks else None
        if isinstance(first, Mapping) and isinstance(first.get("description"), str):
            return str(first["description"])[:200]
    return ""


def _of_text(text: str) -> Queue | None:
    found = _MAIN.search(text)
    if found is None:
        return None
    main = int(found[1] or 0)
    total = _TOTAL.search(text, found.end())
    return Queue(main, max(main, int(total[1] or total[2])) if total else main)


def _count(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None
