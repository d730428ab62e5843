# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The option of modules that write to a private registry, one at a time. Private to this collection."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  lock_wait:
    description:
      - How many seconds to wait for another run that writes to the same O(images_repo) from this host. With V(0), the
        task fails at once and names the other run.
      - Runs know of each other by a file in the directory that E(DKP_AIRGAP_STATE_DIR) names, or else in
        C(dkp-airgap) below E(XDG_STATE_HOME) (C(~/.local/state)). Runs of other users and hosts are not noticed; they
        cannot do harm, but both may send the same.
    type: int
    default: 0
"""
