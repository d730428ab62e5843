# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a rollout decides from look to look, by a clock of the tests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timezone
from typing import Any

import pytest
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
from ansible_collections.dkp.airgap.plugins.module_utils._dkp.rollout.observation import Observation, look
from ansible_collections.dkp.airgap.plugins.module_utils._dkp.rollout.queue import Queue
from ansible_collections.dkp.airgap.plugins.module_utils._dkp.rollout.report import step_results
from ansible_collections.dkp.airgap.plugins.module_utils._dkp.rollout.situation import Situation, Wanted, situate
from ansible_collections.dkp.airgap.plugins.module_utils._dkp.version import Version
from ansible_collections.dkp.airgap.plugins.module_utils._oci.errors import InvalidInput
from ansible_collections.dkp.airgap.tests.kit import cluster_objects as objects
from ansible_collections.dkp.airgap.tests.kit import clusters, module_objects
from ansible_collections.dkp.airgap.tests.kit.cluster_objects import SINCE, WAITS_FOR_APPROVAL
from ansible_collections.dkp.airgap.tests.kit.kube_client import KubeObject
from ansible_collections.dkp.airgap.tests.kit.module_objects import MODULE_WAITS_FOR_APPROVAL
from ansible_collections.dkp.airgap.tests.kit.rollouts import update_plan

WINDOW = "Release is waiting for the update window until 02 Mar 26 20:00 UTC"
LONG_AFTER = datetime(2026, 6, 1, tzinfo=timezone.utc)
JUST_AFTER = datetime.fromisoformat(SINCE.replace("Z", "+00:00"))
PATIENCE = Patience(timeout=1000, poll=10, settle=30, discovery=600, grace=600)
EVERYTHING = frozenset(
    {("platform", "v1.68.4"), ("platform", "v1.69.0"), ("module", "console-v1.36.2"), ("platform", "v1.69.2")}
)


def cluster(
    at: str, *more: KubeObject, console: str = "v1.35.4", queue: Queue | None = None, **platform: Any
) -> Observation:
    """A cluster at rest with the platform `at`, the module console, and whatever else."""
    found = clusters.Platform(at, **platform)
    base = [
        *found.objects(),
        *found.embedded("prometheus"),
        objects.release(at, phase="Deployed", approved=True),
        module_objects.module_config("console"),
        module_objects.module("console", source="deckhouse", version=console),
        module_objects.module_release("console", console, phase="Deployed"),
    ]
    by_key = {(one["kind"], one["metadata"]["name"]): one for one in (*base, *more)}
    by_kind: dict[str, list[KubeObject]] = {}
    for (kind, _name), one in by_key.items():
        by_kind.setdefault(kind, []).append(one)
    return look(by_kind, name="prod", queue=queue)


def pending(version: str, message: str = WAITS_FOR_APPROVAL, **more: Any) -> KubeObject:
    return objects.release(version, phase="Pending", message=message, **more)


def pending_console(message: str = MODULE_WAITS_FOR_APPROVAL) -> KubeObject:
    return module_objects.module_release("console", "v1.36.2", phase="Pending", message=message)


def goal(**plan: Any) -> Goal:
    until = plan.pop("until", None)
    modules = plan.pop("look_after_modules", True)
    return parse_goal(update_plan(cluster="prod", **plan), "prod", until=until, modules=modules)


class Walk:
    """A run over observations that the test makes up, one after the other."""

    def __init__(self, aim: Goal, *, allowed: frozenset[tuple[str, str]] = frozenset(), **options: Any) -> None:
        self.aim = aim
        self.choice = Choice(allowed, options.pop("windows", "wait"))
        self.today = options.pop("today", LONG_AFTER)
        self.options = options
        self.memory = Memory()
        self.now = 1000.0
        self.situation: Situation | None = None

    def see(self, observation: Observation, *, after: float = 0.0) -> Decision:
        """One more look, `after` seconds."""
        self.now += after
        self.situation = situate(observation, self.aim, **self.options)
        self.memory = remember(self.memory, observation, self.situation, self.now)
        found = decide(
            observation,
            self.situation,
            self.memory,
            goal=self.aim,
            choice=self.choice,
            patience=PATIENCE,
            now=self.now,
            today=self.today,
        )
        for wanted in found.approve:
            version = wanted.version if wanted.kind == "platform" else None
            self.memory = approved(self.memory, wanted.release, version, self.now)
        return found

    def steps(self, observation: Observation) -> list[tuple[str, str, bool]]:
        assert self.situation is not None
        found = step_results(observation, self.situation, self.aim, self.memory)
        return [(each["version"], each["state"], each["approved"]) for each in found]


def done(at: str = "v1.69.0") -> Observation:
    return cluster(at, console="v1.36.2")


def asked(found: Decision) -> list[str]:
    return [each.release for each in found.wants]


def approving(found: Decision) -> list[str]:
    assert found.do == "approve"
    return [each.release for each in found.approve]


def test_a_chain_is_approved_one_step_at_a_time_and_each_is_done_twice() -> None:
    walk = Walk(goal(), allowed=EVERYTHING)
    two = (pending("v1.68.4"), pending("v1.69.0", "awaiting for v1.68.4 release to be deployed"))
    assert approving(walk.see(cluster("v1.68.0", *two))) == ["v1.68.4"]
    taken = pending("v1.68.4", approved=True)
    assert walk.see(cluster("v1.68.0", taken, two[1]), after=10).state == "approved"
    switching = objects.release("v1.68.4", phase="Deployed", isUpdating="true")
    assert walk.see(cluster("v1.68.0", switching, two[1]), after=10).state == "switching"
    rest = cluster("v1.68.4", pending("v1.69.0"))
    found = walk.see(rest, after=300)
    assert (found.do, found.state, found.pause) == ("wait", "waiting-approval", 10)
    assert walk.see(rest, after=29).do == "wait"
    assert approving(walk.see(rest, after=1)) == ["v1.69.0"]
    assert walk.see(cluster("v1.69.0", pending_console()), after=300).do == "wait"
    assert approving(walk.see(cluster("v1.69.0", pending_console()), after=30)) == ["console-v1.36.2"]
    assert walk.see(done(), after=10).do == "wait"
    found = walk.see(done(), after=30)
    assert (found.do, found.state) == ("end", "done")
    assert walk.steps(cluster("v1.69.0", objects.release("v1.68.4", phase="Superseded"), console="v1.36.2")) == [
        ("v1.68.4", "done", True),
        ("v1.69.0", "done", True),
    ]


def test_without_an_approval_it_ends_and_says_what_to_type() -> None:
    found = Walk(goal()).see(cluster("v1.68.0", pending("v1.68.4"), pending("v1.69.0", "")))
    assert (found.do, found.state, asked(found)) == ("end", "waiting-approval", ["v1.68.4"])
    assert "kubectl patch deckhouserelease v1.68.4" in found.message
    # A later one that may be approved is not what comes next.
    later = frozenset({("platform", "v1.69.0")})
    assert asked(Walk(goal(), allowed=later).see(cluster("v1.68.0", pending("v1.68.4")))) == ["v1.68.4"]


def test_steps_that_later_ones_overtake_are_done() -> None:
    walk = Walk(goal(), allowed=EVERYTHING)
    # The older generation goes straight to the next minor, and a higher patch has come meanwhile.
    assert approving(walk.see(cluster("v1.68.0", pending("v1.69.2")))) == ["v1.69.2"]
    ended = done("v1.69.2")
    walk.see(ended, after=300)
    assert walk.see(ended, after=30).state == "done"
    assert walk.steps(ended) == [
        ("v1.68.4", "overtaken", False),
        ("v1.69.0", "overtaken", False),
        ("v1.69.2", "done", True),
    ]


@pytest.mark.parametrize(("today", "looks"), [(LONG_AFTER, 1), (JUST_AFTER, 2)])
def test_what_was_done_long_ago_needs_one_look(today: datetime, looks: int) -> None:
    walk = Walk(goal(), today=today)
    found = walk.see(done())
    assert (found.do, found.state) == ("end" if looks == 1 else "wait", "done")
    assert walk.see(done(), after=30).do == "end"


def test_a_relapse_between_two_looks_begins_anew() -> None:
    walk = Walk(goal(), today=JUST_AFTER)
    walk.see(done())
    assert walk.see(cluster("v1.69.0", console="v1.36.2", queue=Queue(2, 2)), after=29).state == "converging"
    assert walk.see(done(), after=1).do == "wait"
    assert walk.see(done(), after=29).do == "wait"
    assert walk.see(done(), after=1).do == "end"


def test_nobody_saw_what_happened_while_the_api_was_away() -> None:
    walk = Walk(goal(), today=JUST_AFTER)
    walk.see(done())
    walk.memory = missed(walk.memory, walk.now + 29)
    assert walk.see(done(), after=31).do == "wait"
    assert walk.memory.counted == 31


@pytest.mark.parametrize(
    ("observation", "state", "finding"),
    [
        (cluster("v1.69.0"), "done", None),
        (cluster("v1.68.0", channel=""), "done", None),
        (
            cluster("v1.69.0", objects.pod("p", image="i", namespace="d8-x", waiting="ErrImagePull")),
            "done",
            "image_pull",
        ),
    ],
)
def test_a_plan_with_nothing_to_do_is_done_at_once(observation: Observation, state: str, finding: str | None) -> None:
    found = Walk(goal(steps=(), modules={}), today=JUST_AFTER).see(observation)
    assert (found.do, found.state) == ("end", state)
    assert [(each.id, each.severity) for each in found.findings] == ([(finding, "warning")] if finding else [])


def test_nothing_to_do_waits_for_what_is_under_way() -> None:
    walk = Walk(goal(steps=(), modules={}))
    assert walk.see(cluster("v1.69.0", queue=Queue(9, 9))).state == "converging"
    assert walk.see(cluster("v1.69.0"), after=10).do == "wait"
    assert walk.see(cluster("v1.69.0"), after=30).do == "end"


ERROR = module_objects.module("prometheus", version="v1.68.0", phase="Error")
UNPULLED = objects.pod("some-1", image="registry.example/dkp/ee@sha256:ab", waiting="ImagePullBackOff")
FROZEN = module_objects.module_release(
    "console", "v1.36.2", phase="Pending", message="minor version is greater than deployed v1.34.0 by one"
)
NOT_MET = 'requirement for DeckhouseRelease "v1.68.4" not met: k8s is too old'


@pytest.mark.parametrize(
    ("more", "after", "identity", "told"),
    [
        ([pending("v1.68.4", NOT_MET)], 30, "requirements", "k8s is too old"),
        ([pending("v1.68.4", "requirement not met: k8s version is not set")], 600, "requirements", "is not set"),
        ([pending("v1.70.0", "minor version is greater than deployed v1.68.0 by one")], 30, "gap", "missing v1.69"),
        ([objects.release("v1.69.0", phase="Suspended")], 30, "suspended", "withdrawn"),
        (
            [pending("v1.68.4", "release blocked, disruption approval required")],
            30,
            "disruption",
            "disruption-approved",
        ),
        ([pending("v1.71.0")], 30, "beyond_plan", "nobody has checked it"),
        ([UNPULLED], 120, "image_pull", "d8-system/some-1: registry.example/dkp/ee@sha256:ab (ImagePullBackOff)"),
        ([ERROR], 120, "module_error", "module prometheus is in phase Error"),
        ([], 600, "no_release", "(P2)"),
        ([pending("v1.68.4", "something new")], 1000, "timeout", "platform is at pending v1.68.4: something new"),
    ],
)
def test_what_waiting_does_not_cure_stops_with_the_reason(
    more: Sequence[KubeObject], after: float, identity: str, told: str
) -> None:
    walk = Walk(goal(), allowed=EVERYTHING)
    observation = cluster("v1.68.0", *more)
    assert walk.see(observation).do == "wait"
    assert walk.see(observation, after=after - 1).do == "wait"
    found = walk.see(observation, after=1)
    assert (found.do, found.state, [each.id for each in found.findings]) == ("stop", "stopped", [identity])
    assert told in f"{found.findings[0].message} {found.findings[0].hint}"


@pytest.mark.parametrize(
    ("observation", "identity"),
    [
        (cluster("v1.68.0", channel=""), "no_channel"),
        (replace(cluster("v1.68.0"), registry_mode="Local"), "local_registry"),
    ],
)
def test_a_cluster_that_looks_for_no_releases_is_refused(observation: Observation, identity: str) -> None:
    found = Walk(goal()).see(observation)
    assert (found.do, [each.id for each in found.findings]) == ("stop", [identity])


def test_a_module_in_error_is_waited_for_while_deckhouse_is_at_work() -> None:
    walk = Walk(goal())
    busy = cluster("v1.68.0", ERROR, queue=Queue(4, 4))
    walk.see(busy)
    assert walk.see(busy, after=900).do == "wait"


def test_a_module_that_stands_still_does_not_stop_others_that_move() -> None:
    aim = goal(steps=(), modules={"console": ["v1.36.2"], "sdn": ["v0.5.0"]})
    sdn = [
        module_objects.module("sdn", source="deckhouse", version="v0.4.2"),
        module_objects.module_release("sdn", "v0.4.2", phase="Deployed"),
    ]
    both = cluster(
        "v1.69.0", FROZEN, *sdn, module_objects.module_release("sdn", "v0.5.0", phase="Pending", approved="true")
    )
    walk = Walk(aim)
    walk.see(both)
    assert walk.see(both, after=40).do == "wait"
    stuck = cluster("v1.69.0", FROZEN, *sdn, module_objects.module_release("sdn", "v0.5.0", phase="Suspended"))
    walk.see(stuck, after=10)
    found = walk.see(stuck, after=30)
    assert [each.id for each in found.findings] == ["gap", "suspended"]


@pytest.mark.parametrize(
    ("message", "state"),
    [
        (WINDOW, "waiting-window"),
        ("Release is postponed", "canary"),
        ("Release is postponed by notification", "notification"),
    ],
)
def test_what_the_cluster_waits_for_on_purpose(message: str, state: str) -> None:
    observation = cluster("v1.68.0", pending("v1.68.4", message), mode="Auto")
    walk = Walk(goal())
    walk.see(observation)
    found = walk.see(observation, after=100_000)
    assert (found.do, found.state) == ("wait", state) and walk.memory.counted == 0
    ended = Walk(goal(), windows="stop").see(observation)
    assert (ended.do, ended.state, asked(ended)) == ("end", state, [])
    assert message in ended.message
    # apply-now is a kind of approval, and wanted as one.
    assert asked(Walk(goal(), apply_now=True).see(observation)) == ["v1.68.4"]
    assert approving(Walk(goal(), apply_now=True, allowed=EVERYTHING).see(observation)) == ["v1.68.4"]
    applied = cluster("v1.68.0", pending("v1.68.4", message, **{"apply-now": "true"}))
    assert Walk(goal(), apply_now=True, allowed=EVERYTHING).see(applied).do == "wait"


def test_until_stops_after_a_version_and_its_patches() -> None:
    until = goal(steps=("v1.68.4", "v1.69.0", "v1.70.0"), until="v1.69.0")
    assert [str(each) for each in until.steps] == ["v1.68.4", "v1.69.0"] and not until.module_steps
    walk = Walk(until, allowed=EVERYTHING)
    assert approving(walk.see(cluster("v1.68.0", pending("v1.69.2")))) == ["v1.69.2"]
    ended = Walk(until).see(cluster("v1.69.2", pending("v1.70.0")))
    assert (ended.do, ended.state) == ("end", "done")
    # An automatic cluster does not stop there, and is not followed any further.
    assert Walk(until).see(cluster("v1.70.0", queue=Queue(3, 3))).state == "done"


def test_the_order_of_the_plan_is_held() -> None:
    order = [{"modules": {"console": ["v1.36.2"]}}, {"platform": "v1.68.4"}, {"platform": "v1.69.0"}]
    both = cluster("v1.68.0", pending("v1.68.4"), pending_console())
    assert asked(Walk(goal(order=order)).see(both)) == ["console-v1.36.2"]
    assert asked(Walk(goal()).see(both)) == ["v1.68.4"]
    assert asked(Walk(goal(order=order, look_after_modules=False)).see(both)) == ["v1.68.4"]


def test_modules_want_their_approvals_together() -> None:
    aim = goal(steps=(), modules={"console": ["v1.36.2"], "sdn": ["v0.5.0"]})
    sdn = [
        module_objects.module("sdn", source="deckhouse", version="v0.4.2"),
        module_objects.module_release("sdn", "v0.4.2", phase="Deployed"),
        module_objects.module_release("sdn", "v0.5.0", phase="Pending", message=MODULE_WAITS_FOR_APPROVAL),
    ]
    assert asked(Walk(aim).see(cluster("v1.69.0", pending_console(), *sdn))) == ["console-v1.36.2", "sdn-v0.5.0"]


def test_automatic_clusters_are_watched() -> None:
    walk = Walk(goal(modules={}))
    assert walk.see(cluster("v1.68.0", pending("v1.68.4", ""), mode="Auto")).state == "pending"
    # The step was over before anybody saw it.
    passed = cluster("v1.69.0", objects.release("v1.68.4", phase="Superseded"))
    walk.see(passed, after=300)
    assert walk.see(passed, after=30).do == "end"
    assert walk.steps(passed) == [("v1.68.4", "done", False), ("v1.69.0", "done", False)]


def test_approvals_are_patches_and_commands() -> None:
    step = Wanted("platform", "platform", Version(1, 69, 0), "v1.69.0")
    module = Wanted("module", "console", Version(1, 36, 2), "console-v1.36.2")
    assert approval_patch(step, apply_now=False) == {"approved": True}
    assert approval_patch(step, apply_now=True) == {
        "approved": True,
        "metadata": {"annotations": {"release.deckhouse.io/apply-now": "true"}},
    }
    annotations: Mapping[str, Any] = {"modules.deckhouse.io/approved": "true"}
    assert approval_patch(module, apply_now=False) == {"metadata": {"annotations": annotations}}
    assert (
        approval_command(module) == "kubectl annotate modulerelease console-v1.36.2 modules.deckhouse.io/approved=true"
    )


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"clusters": {"prd": {}}}, "plan: knows no cluster 'prod' (did you mean prd?)"),
        ({"kind": "UpdateRequest"}, "plan.kind: expected UpdatePlan"),
        ({"clusters": {"prod": {"platform": {"steps": ["1.69"]}}}}, "plan.clusters.prod.platform.steps[0]"),
        ({"clusters": {"prod": {"order": ["v1.69.0"]}}}, "plan.clusters.prod.order[0]: expected a mapping"),
    ],
)
def test_a_plan_that_is_none_is_named(change: Mapping[str, Any], told: str) -> None:
    with pytest.raises(InvalidInput) as raised:
        parse_goal({**update_plan(cluster="prod"), **change}, "prod")
    assert told in str(raised.value)
