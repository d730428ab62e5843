# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Writes every task result as a line of JSON, as Ansible would hand it to any callback (secrets already masked)."""

from __future__ import annotations

import json
import os
from typing import Any

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = r"""
name: record
type: notification
short_description: Write task results for the tests of this collection
description:
  - Writes every task result as a line of JSON to the file that E(DKP_TEST_RECORD) names.
"""


class CallbackModule(CallbackBase):
    """Its four events are all that a run on one host can end with."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "notification"
    CALLBACK_NAME = "record"
    CALLBACK_NEEDS_ENABLED = True

    def _record(self, result: Any, status: str) -> None:
        # Until ansible-core 2.19 these two had names with an underscore only.
        task = result.task if hasattr(result, "task") else result._task
        values = result.result if hasattr(result, "result") else result._result
        host = result.host if hasattr(result, "host") else result._host
        told = {"host": host.get_name(), "task": task.get_name(), "status": status, "result": values}
        line = json.dumps(told, default=str)
        with open(os.environ["DKP_TEST_RECORD"], "a", encoding="utf-8") as file:
            file.write(f"{line}\n")

    def v2_runner_on_ok(self, result: Any) -> None:
        self._record(result, "ok")

    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:
        self._record(result, "failed")

    def v2_runner_on_skipped(self, result: Any) -> None:
        self._record(result, "skipped")

    def v2_runner_on_unreachable(self, result: Any) -> None:
        self._record(result, "unreachable")
