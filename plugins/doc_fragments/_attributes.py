# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Texts of the attributes that our modules state their support for. Private to this collection."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options: {}
attributes:
  check_mode:
    description: Can run in C(check_mode) and return what would change, without changing anything.
  diff_mode:
    description: Returns details on what has changed, or would change in C(check_mode), when run with C(--diff).
  idempotent:
    description: When run twice in a row with the same arguments, the second run changes nothing and says so.
  platform:
    description: Operating systems of the host that the module runs on.
    platforms: posix
"""

    # For modules that only read.
    INFO_MODULE = r"""
options: {}
attributes:
  check_mode:
    support: full
    details:
      - This module changes nothing.
  diff_mode:
    support: N/A
    details:
      - This module changes nothing.
  idempotent:
    support: full
    details:
      - This module changes nothing.
  platform:
    support: full
"""

    # For members of the action group that the registry options can be set for.
    ACTIONGROUP_REGISTRY = r"""
options: {}
attributes:
  action_group:
    description:
      - Use C(group/dkp.airgap.registry) in C(module_defaults) to set the registry options of all these modules.
    support: full
    membership:
      - dkp.airgap.registry
"""

    # For action plugins that do their work on the controller.
    CONTROLLER = r"""
options: {}
attributes:
  check_mode:
    support: full
    details:
      - Writes no file.
  diff_mode:
    support: none
  idempotent:
    support: full
    details:
      - A document records an observation; writing it is not a change. One that holds the same is left alone.
  platform:
    support: full
    details:
      - Runs on the controller, and connects to no host.
"""
