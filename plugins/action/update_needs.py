# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What has to be read for a plan, on the controller (documentation: `plugins/modules/update_needs.py`)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.dkp.airgap.plugins.module_utils._dkp.counting import counted
from ansible_collections.dkp.airgap.plugins.module_utils._dkp.plan.needs import needs_of
from ansible_collections.dkp.airgap.plugins.module_utils._dkp.plan.offer import parse_vendor
from ansible_collections.dkp.airgap.plugins.plugin_utils.controller import ControllerAction
from ansible_collections.dkp.airgap.plugins.plugin_utils.documents import plain_data
from ansible_collections.dkp.airgap.plugins.plugin_utils.fleet import FLEET_ARGUMENTS, fleet_members, module_choice


class ActionModule(ControllerAction):
    """What Ansible looks for."""

    arguments = FLEET_ARGUMENTS

    def made(self, arguments: Mapping[str, Any], task_vars: Mapping[str, Any]) -> dict[str, Any]:
        """Say what the clusters need."""
        read = plain_data(arguments["platform_releases"], "platform_releases")
        platform = parse_vendor(read, None).platform if read else None
        needs = needs_of(fleet_members(arguments, self.located), module_choice(arguments), platform)
        ways = counted(len(needs["platform"]), "way")
        return {"msg": f"to read: {ways} of the platform, {len(needs['modules'])} of modules", **needs}
