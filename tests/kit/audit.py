# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who asked the API server for what, from its audit log."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

_MARK = "/version?mark="
_PATIENCE = 5


class KubeRequest(NamedTuple):
    """One answered request: the verb as Kubernetes names it (``list``, ``patch``), path and query, the user's name."""

    verb: str
    uri: str
    user: str


class AuditLog:
    """The log at `path`; requests of the user `left_out`, and of the server to itself, are not told."""

    def __init__(self, path: Path, *, left_out: str) -> None:
        self.path = path
        self._left_out = left_out
        self._from = 0
        self._marks = 0

    def write_policy(self, path: Path) -> None:
        """What the server is to log."""
        path.write_text(
            json.dumps(
                {
                    "apiVersion": "audit.k8s.io/v1",
                    "kind": "Policy",
                    "omitStages": ["RequestReceived"],
                    "rules": [
                        {"level": "None", "users": ["system:apiserver"]},
                        {"level": "Metadata", "users": [self._left_out], "nonResourceURLs": ["/version"]},
                        {"level": "None", "users": [self._left_out]},
                        {"level": "None", "nonResourceURLs": ["/readyz*", "/livez*"]},
                        {"level": "Metadata"},
                    ],
                }
            )
        )

    def settle(self, ask: Callable[[int], Any]) -> None:
        """Make one more request and wait for its line: lines are written behind the answers they tell of."""
        self._marks += 1
        ask(self._marks)
        awaited = f"{_MARK}{self._marks}".encode()
        until = time.monotonic() + _PATIENCE
        while time.monotonic() < until and not (self.path.exists() and awaited in self.path.read_bytes()[-8192:]):
            time.sleep(0.01)

    def requests(self) -> list[KubeRequest]:
        """Everything since the start or the last `forget`."""
        events: dict[str, KubeRequest] = {}
        with open(self.path, "rb") as log:
            log.seek(self._from)
            for line in log:
                event = json.loads(line)
                user = event["user"].get("username", "")
                if user != self._left_out:
                    # A watch is told when it begins and when it ends.
                    events.setdefault(event["auditID"], KubeRequest(event["verb"], event["requestURI"], user))
        return list(events.values())

    def forget(self) -> None:
        """Do not tell of what is in the log now."""
        self._from = self.path.stat().st_size
