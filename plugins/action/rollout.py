# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Waits for the update of a cluster, and approves what may be (documentation: `plugins/modules/rollout.py`)."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timezone
from typing import Any

from ansible.utils.display import Display
from ansible_collections.dkp.airgap.plugins.module_utils._dkp.findings import Finding
from ansible_collections.dkp.airgap.plugins.module_utils._dkp.rollout import decision as deciding
from ansible_collections.dkp.airgap.plugins.module_utils._dkp.rollout import reading
from ansible_collections.dkp.airgap.plugins.module_utils._dkp.rollout.decision import (
    Choice,
    Decision,
    Patience,
    approval_command,
    approval_patch,
    decide,
)
from ansible_collections.dkp.airgap.plugins.module_utils._dkp.rollout.goal import Goal, parse_goal
from ansible_collections.dkp.airgap.plugins.module_utils._dkp.rollout.memory import Memory, approved, missed, remember
from ansible_collections.dkp.airgap.plugins.module_utils._dkp.rollout.observation import (
    Observation,
    judges_approvals,
    update_alerts,
)
from ansible_collections.dkp.airgap.plugins.module_utils._dkp.rollout.reasons import STATE_OF_FINDING
from ansible_collections.dkp.airgap.plugins.module_utils._dkp.rollout.report import (
    cluster_result,
    module_results,
    platform_result,
    progress_line,
    queue_result,
    step_results,
    text_lines,
)
from ansible_collections.dkp.airgap.plugins.module_utils._dkp.rollout.situation import (
    MODULE,
    PLATFORM,
    Situation,
    Wanted,
    situate,
)
from ansible_collections.dkp.airgap.plugins.module_utils._dkp.rollout.states import APPROVAL, may_pass
from ansible_collections.dkp.airgap.plugins.module_utils._oci.errors import AirgapError, InvalidInput
from ansible_collections.dkp.airgap.plugins.plugin_utils.kubernetes import Denied, Outage
from ansible_collections.dkp.airgap.plugins.plugin_utils.watching import ClusterAction, Watcher, cluster_name

_SECONDS: dict[str, float] = {
    "timeout": 3600.0,
    "poll": 15.0,
    "settle": 30.0,
    "discovery_timeout": 600.0,
    "grace": 600.0,
}
ARGUMENTS: dict[str, Any] = {
    **ClusterAction.arguments,
    "approved": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {
            "kind": {"type": "str", "choices": [PLATFORM, MODULE], "required": True},
            "name": {"type": "str", "required": True},
            "version": {"type": "str"},
        },
    },
    "apply_now": {"type": "bool", "default": False},
    "windows": {"type": "str", "choices": ["wait", "stop"], "default": "wait"},
    "until": {"type": "str"},
    "accept_findings": {"type": "list", "elements": "str", "default": []},
    **{key: {"type": "float", "default": value} for key, value in _SECONDS.items()},
}
_ATTEMPTS = 3
"""How often the first look is tried: later ones know that the access is right, and are tried until the timeout."""
_KINDS = {PLATFORM: "DeckhouseRelease", MODULE: "ModuleRelease"}
_display = Display()


class ActionModule(ClusterAction):
    """What Ansible looks for."""

    arguments = ARGUMENTS

    def made(self, arguments: Mapping[str, Any], task_vars: Mapping[str, Any]) -> dict[str, Any]:
        """Wait until done, until an approval is wanted, or until nothing but a human can help."""
        plan = self.plan(arguments)
        if plan is None:
            raise InvalidInput("plan: give the plan to carry out, or its file in plan_file")
        name = cluster_name(arguments, task_vars)
        goal = parse_goal(plan, name, until=arguments["until"], modules=arguments["modules"])
        walk = Walk(self.watcher(arguments, task_vars), goal, name, arguments)
        return walk.tried() if self._task.check_mode else walk.walked()


class Walk:
    """One run: looks, decides, approves, and waits, over and over."""

    def __init__(self, watcher: Watcher, goal: Goal, name: str, arguments: Mapping[str, Any]) -> None:
        self._watcher = watcher
        self._goal = goal
        self._name = name
        self._apply_now = bool(arguments["apply_now"])
        self._accepted = _accepted(arguments["accept_findings"])
        allowed = frozenset((each["kind"], each["name"]) for each in arguments["approved"])
        self._choice = Choice(allowed, arguments["windows"])
        self._patience = Patience(
            arguments["timeout"],
            arguments["poll"],
            arguments["settle"],
            arguments["discovery_timeout"],
            arguments["grace"],
        )
        self._memory = Memory()
        self._shown: tuple[str, ...] = ()
        self._refused_since: float | None = None

    def walked(self) -> dict[str, Any]:
        """The result of a run."""
        observation = self._first_look()
        while True:
            situation = self._situation(observation)
            now = time.monotonic()
            self._memory = remember(self._memory, observation, situation, now)
            found = self._decide(observation, situation, now)
            self._show(observation, situation, found)
            if found.do == deciding.APPROVE:
                found = self._approve(found.approve[0], now)
            if found.do in (deciding.END, deciding.STOP):
                return self._result(observation, situation, found)
            time.sleep(found.pause)
            try:
                observation = self._next_look()
            except (Outage, Denied) as error:
                return self._result(observation, situation, _unreachable(self._name, error))

    def tried(self) -> dict[str, Any]:
        """What a run would do first: the cluster's own verdict, in a dry run that changes nothing."""
        observation = self._first_look()
        situation = self._situation(observation)
        self._memory = remember(self._memory, observation, situation, time.monotonic())
        found = self._decide(observation, situation, time.monotonic())
        verdicts = [self._verdict(each) for each in situation.wants]
        would = [each for each in situation.wants if (each.kind, each.release) in self._choice.approved]
        refused = [each for each in verdicts if each["accepted"] is False]
        told = "; ".join(f"{each['name']} would be refused: {each['message']}" for each in refused)
        if situation.wants:
            listed = ", ".join(each.release for each in would or situation.wants)
            message = told or (f"would approve {listed}" if would else f"{listed} waits for an approval")
            found = Decision(deciding.END, APPROVAL, message, wants=situation.wants)
        result = self._result(observation, situation, found)
        return {
            **result,
            "failed": False,
            "ok": result["ok"] and not refused,
            "changed": bool(would),
            "verdicts": verdicts,
        }

    def _situation(self, observation: Observation) -> Situation:
        return situate(observation, self._goal, accepted=self._accepted, apply_now=self._apply_now)

    def _decide(self, observation: Observation, situation: Situation, now: float) -> Decision:
        return decide(
            observation,
            situation,
            self._memory,
            goal=self._goal,
            choice=self._choice,
            patience=self._patience,
            now=now,
            today=datetime.now(timezone.utc),
        )

    def _first_look(self) -> Observation:
        for _attempt in range(_ATTEMPTS - 1):
            try:
                return self._watcher.look()
            except Outage as outage:
                self._tell(f"no answer yet: {outage}")
                time.sleep(self._patience.poll)
        return self._watcher.look()

    def _next_look(self) -> Observation:
        """One more observation, however long the cluster does not answer, as its API does not when it is updated.

        Raises Outage after the timeout, Denied when that lasts: rights are not known right after a start either.
        """
        denied_since: float | None = None
        while True:
            now = time.monotonic()
            try:
                return self._watcher.look()
            except Outage as outage:
                problem: AirgapError = outage
            except Denied as denied:
                denied_since = denied_since if denied_since is not None else now
                problem = denied
                if now - denied_since >= self._patience.settle * 2:
                    raise
            self._memory = missed(self._memory, now)
            if self._memory.counted >= self._patience.timeout:
                raise problem
            self._change("no-answer", f"the cluster does not answer, trying again: {problem}")
            time.sleep(self._patience.poll)

    def _approve(self, wanted: Wanted, now: float) -> Decision:
        """Approve one release. What may pass is left for the next look; what the cluster denies is the end."""
        patch = approval_patch(wanted, apply_now=self._apply_now)
        self._tell(f"approving {wanted.release}")
        wait = Decision(deciding.WAIT, APPROVAL, "", pause=self._patience.poll)
        try:
            denial = self._watcher.access.patch(_KINDS[wanted.kind], wanted.release, patch)
        except Outage as outage:
            self._change("no-approval", f"approving {wanted.release} did not work, trying again: {outage}")
            self._memory = missed(self._memory, now)
            return wait
        except Denied as denied:
            finding = Finding("denied", "error", wanted.release, str(denied), "")
            return Decision(deciding.STOP, deciding.STOPPED, str(denied), findings=(finding,))
        if not denial:
            version = wanted.version if wanted.kind == PLATFORM else None
            self._memory = approved(self._memory, wanted.release, version, now)
            return wait
        self._refused_since = self._refused_since if self._refused_since is not None else now
        if may_pass(denial) and now - self._refused_since < self._patience.grace:
            self._change(denial, f"{wanted.release} is refused for now: {denial}")
            return wait
        hint = "Meet the requirements in the cluster, then run the rollout again"
        finding = Finding(
            "requirements", "error", wanted.release, f"the cluster refuses {wanted.release}: {denial}", hint
        )
        return Decision(deciding.STOP, deciding.STOPPED, finding.message, findings=(finding,))

    def _verdict(self, wanted: Wanted) -> dict[str, Any]:
        """What the cluster says to an approval; modules have no webhook that would judge them."""
        told: dict[str, Any] = {**wanted.as_dict(), "accepted": None, "message": "is not judged before it is approved"}
        if wanted.kind == MODULE:
            return told
        patch = approval_patch(wanted, apply_now=False)
        try:
            if not judges_approvals(self._watcher.access.read((reading.WEBHOOKS,))):
                return {**told, "message": "this version of DKP has no webhook that judges approvals"}
            denial = self._watcher.access.patch(_KINDS[wanted.kind], wanted.release, patch, dry_run=True)
        except AirgapError as error:
            return {**told, "message": str(error)}
        return {**told, "accepted": not denial, "message": denial}

    def _result(self, observation: Observation, situation: Situation, found: Decision) -> dict[str, Any]:
        steps = step_results(observation, situation, self._goal, self._memory)
        found = self._with_alerts(found)
        failed = found.do == deciding.STOP
        if not failed:
            self._tell(found.message)
        return {
            "changed": bool(self._memory.approved),
            "failed": failed,
            "ok": not failed,
            "state": found.state,
            "approved": list(self._memory.approved),
            "wants": [each.as_dict() for each in found.wants],
            "commands": [approval_command(each) for each in found.wants],
            "steps": steps,
            "cluster": cluster_result(observation),
            "platform": platform_result(observation, situation.platform),
            "modules": module_results(observation, situation.modules),
            "queue": queue_result(observation.queue),
            "findings": [each.as_dict() for each in found.findings],
            "msg": f"{self._name}: {found.message}{_hints(found)}",
            "text": text_lines(observation, situation.platform, situation.modules, steps),
        }

    def _with_alerts(self, found: Decision) -> Decision:
        """Where the cluster creates no release, its alerts may say why; that they cannot be read is no matter."""
        if all(each.id != "no_release" for each in found.findings):
            return found
        try:
            alerts = update_alerts(self._watcher.access.read((reading.ALERTS,)))
        except (Outage, Denied):
            return found
        said = "".join(f". Alert {each}" for each in alerts)
        findings = tuple(replace(each, message=f"{each.message}{said}") for each in found.findings)
        return replace(found, findings=findings, message=f"{found.message}{said}")

    def _show(self, observation: Observation, situation: Situation, found: Decision) -> None:
        """Show what has changed since the last time."""
        line = progress_line(observation, situation, self._goal, self._memory)
        self._change(line, line)

    def _change(self, key: str, line: str) -> None:
        if self._shown != (key,):
            self._shown = (key,)
            self._tell(line)

    def _tell(self, line: str) -> None:
        moment = datetime.now(timezone.utc).strftime("%H:%M:%SZ")
        _display.display(f"{moment} {self._name}: {line}")


def _accepted(identities: list[str]) -> frozenset[str]:
    """The states of findings that are accepted. Raises InvalidInput for others than those of pods and modules."""
    known = {key: STATE_OF_FINDING[key] for key in ("image_pull", "module_error")}
    for each in identities:
        if each not in known:
            raise InvalidInput(f"accept_findings: {each!r} cannot be accepted; {' and '.join(known)} can")
    return frozenset(known[each] for each in identities)


def _unreachable(name: str, error: AirgapError) -> Decision:
    hint = "When the cluster can be reached, run the rollout again, which goes on where the cluster is"
    message = f"the cluster does not answer any more: {error}"
    finding = Finding("unreachable", "error", name, message, hint)
    return Decision(deciding.STOP, deciding.STOPPED, message, findings=(finding,))


def _hints(found: Decision) -> str:
    hints = dict.fromkeys(each.hint for each in found.findings if each.hint)
    return "".join(f". {hint}" for hint in hints)
