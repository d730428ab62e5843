# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What went over the wire, for results and progress."""

from __future__ import annotations

import threading


class Counters:
    """Requests sent, and bytes of blob and manifest bodies. Thread-safe; values only grow."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.requests = 0
        self.bytes_received = 0
        self.bytes_sent = 0
        self.blobs_received = 0
        self.blobs_sent = 0
        self.retries = 0

    def count(
        self, *, requests: int = 0, received: int = 0, sent: int = 0, blobs_received: int = 0, blobs_sent: int = 0
    ) -> None:
        with self._lock:
            self.requests += requests
            self.bytes_received += received
            self.bytes_sent += sent
            self.blobs_received += blobs_received
            self.blobs_sent += blobs_sent

    def count_retry(self) -> None:
        with self._lock:
            self.retries += 1
