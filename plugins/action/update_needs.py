# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What has to be read for a plan, on the controller (documentation: `plugins/modules/update_needs.py`)."""

from __future__ import annotations

from typing import Any

from ansible.plugins.action import ActionBase
from ansible_collections.dkp.airgap.plugins.module_utils._dkp.plan.needs import needs_of
from ansible_collections.dkp.airgap.plugins.module_utils._dkp.plan.offer import parse_vendor
from ansible_collections.dkp.airgap.plugins.module_utils._oci.errors import AirgapError
from ansible_collections.dkp.airgap.plugins.plugin_utils.arguments import validated
from ansible_collections.dkp.airgap.plugins.plugin_utils.documents import plain_data
from ansible_collections.dkp.airgap.plugins.plugin_utils.fleet import FLEET_ARGUMENTS, fleet_members, module_choice


class ActionModule(ActionBase):
    """What Ansible looks for."""

    TRANSFERS_FILES = False
    _requires_connection = False
    _supports_check_mode = True
    _supports_async = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Check the arguments, and say what they need."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        try:
            arguments = validated(self._task.args, FLEET_ARGUMENTS)
            vendor = parse_vendor(plain_data(arguments["platform_releases"], "platform_releases"), None)
            members = fleet_members(arguments, self._loader.path_dwim)
            needs = needs_of(members, module_choice(arguments), vendor.platform)
        except AirgapError as error:
            result.update(failed=True, msg=str(error))
            return result
        platform, modules = len(needs["platform"]), len(needs["modules"])
        ways = "way" if platform == 1 else "ways"
        result.update(changed=False, msg=f"to read: {platform} {ways} of the platform, {modules} of modules", **needs)
        return result
