# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The option for results that are too long for Ansible. Private to this collection."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  report_file:
    description:
      - File on the host that the module runs on, for the whole result as JSON. It is written by the module itself, so
        that nothing in it is masked or left out, and it holds no secrets.
      - Its directory has to exist. Writing it is no change, and it is not written in check mode.
    type: path
"""
