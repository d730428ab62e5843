# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""pytest calls the folder ``tests/ansible`` ``ansible``; where Ansible itself is installed it has to come first."""

from __future__ import annotations

import importlib
import importlib.util

if importlib.util.find_spec("ansible") is not None:
    importlib.import_module("ansible")
