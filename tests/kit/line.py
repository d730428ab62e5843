# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later


"""A long line in front of a server on this machine: latency, a rate per connection, a rate for all together.

>>> with Line(server.host, round_trip=0.05, connection_rate=80_000_000) as line:
...     ...                        # use line.host in place of server.host
...     line.statistics().peak     # the most connections that were open at one time
"""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from types import TracebackType

from .programs import ensure_longline


@dataclass(frozen=True)
class LineStatistics:
    """What a line has carried: bytes `up` (to the server) and `down`, and connections."""

    up: int
    down: int
    connections: int
    open: int
    peak: int


class Line:
    """A proxy to `target` (``host:port``) on a free port of 127.0.0.1, as a context manager.

    `round_trip` in seconds (opening a connection costs one as well), rates in bytes per second for each direction,
    0 for no limit. Slow start and loss are not part of it. Raises MissingProgram when it cannot be built.
    """

    def __init__(
        self, target: str, *, round_trip: float = 0, connection_rate: float = 0, total_rate: float = 0
    ) -> None:
        self._command = [
            str(ensure_longline()),
            f"-target={target}",
            f"-rtt={round(round_trip * 1e6)}us",
            f"-connection-rate={connection_rate:f}",
            f"-total-rate={total_rate:f}",
        ]
        self._process: subprocess.Popen[str] | None = None
        self.host = ""
        """``127.0.0.1:<port>``, known once the line is entered."""

    def __enter__(self) -> Line:
        self._process = subprocess.Popen(
            self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
        )
        self.host = self._said().removeprefix("listening ")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        process = self._running()
        assert process.stdin is not None and process.stdout is not None
        process.stdin.close()
        process.wait(10)
        process.stdout.close()

    def statistics(self) -> LineStatistics:
        process = self._running()
        assert process.stdin is not None
        process.stdin.write("statistics\n")
        return LineStatistics(**json.loads(self._said()))

    def _said(self) -> str:
        process = self._running()
        assert process.stdout is not None
        line = process.stdout.readline().strip()
        if not line:
            raise RuntimeError(f"{' '.join(self._command)} ended with {process.wait(10)}")
        return line

    def _running(self) -> subprocess.Popen[str]:
        if self._process is None:
            raise RuntimeError("the line is not entered")
        return self._process
