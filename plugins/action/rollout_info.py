# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One look at a cluster, with modules on its host (documentation: `plugins/modules/rollout_info.py`)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.dkp.airgap.plugins.module_utils._dkp.rollout.goal import Goal, parse_goal
from ansible_collections.dkp.airgap.plugins.module_utils._dkp.rollout.observation import Observation
from ansible_collections.dkp.airgap.plugins.module_utils._dkp.rollout.reasons import is_explained, refusal_of, stop_of
from ansible_collections.dkp.airgap.plugins.module_utils._dkp.rollout.report import (
    cluster_result,
    module_results,
    platform_result,
    queue_result,
    summary,
    text_lines,
    unplanned_platform,
    unplanned_states,
)
from ansible_collections.dkp.airgap.plugins.module_utils._dkp.rollout.situation import PLATFORM, situate
from ansible_collections.dkp.airgap.plugins.module_utils._dkp.rollout.states import DISCOVERY, State
from ansible_collections.dkp.airgap.plugins.plugin_utils.watching import ClusterAction, cluster_name


class ActionModule(ClusterAction):
    """What Ansible looks for."""

    def made(self, arguments: Mapping[str, Any], task_vars: Mapping[str, Any]) -> dict[str, Any]:
        """Look at the cluster once."""
        plan = self.plan(arguments)
        name = cluster_name(arguments, task_vars)
        goal = parse_goal(plan, name, modules=arguments["modules"]) if plan else None
        observation = self.watcher(arguments, task_vars).look()
        platform, modules = _states(observation, goal)
        return {
            "cluster": cluster_result(observation),
            "platform": platform_result(observation, platform),
            "modules": module_results(observation, modules),
            "queue": queue_result(observation.queue),
            "findings": _findings(observation, platform, modules),
            "msg": summary(observation, platform),
            "text": text_lines(observation, platform, modules),
        }


def _states(observation: Observation, goal: Goal | None) -> tuple[State, Mapping[str, State]]:
    situation = situate(observation, goal or Goal())
    if goal is None:
        return unplanned_platform(observation, situation.rest), unplanned_states(observation)
    return situation.platform, situation.modules


def _findings(observation: Observation, platform: State, modules: Mapping[str, State]) -> list[dict[str, str]]:
    """What would stop a rollout; that releases are not there yet is nothing to tell of one look."""
    refused = refusal_of(observation)
    found = [refused] if refused is not None else []
    for name, state in {PLATFORM: platform, **modules}.items():
        if is_explained(state) and state.name != DISCOVERY:
            found.append(stop_of(name, state, observation))
    return [each.as_dict() for each in found]
