# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What modules that write or read whole archives leave on the host. Private to this collection."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options: {}
notes:
  - The host remembers which archives it has written or read in full, in the directory that E(DKP_AIRGAP_STATE_DIR)
    names, or else in C(dkp-airgap) below E(XDG_STATE_HOME) (C(~/.local/state)). Losing it costs time and nothing else.
"""
