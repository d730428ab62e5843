# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs a module in this process, then writes what it cost to a file: ``child.py <module> <file>``, arguments on stdin.

The peak is the kernel's VmHWM: `ru_maxrss` of a child may be that of the parent it was forked from.
"""

from __future__ import annotations

import json
import runpy
import sys
from pathlib import Path

from ansible.module_utils import basic

module, report = sys.argv[1:]
basic._ANSIBLE_ARGS = sys.stdin.buffer.read()
basic._ANSIBLE_PROFILE = "legacy"  # asked for since ansible-core 2.19, ignored before
try:
    runpy.run_module(f"ansible_collections.dkp.airgap.plugins.modules.{module}", run_name="__main__", alter_sys=True)
finally:
    sys.stdout.flush()
    fields = {}
    for name in ("status", "io"):
        for line in Path("/proc/self", name).read_text().splitlines():
            key, _colon, value = line.partition(":")
            fields[key] = value.split()
    Path(report).write_text(json.dumps({"peak": int(fields["VmHWM"][0]) * 1024, "written": int(fields["wchar"][0])}))
