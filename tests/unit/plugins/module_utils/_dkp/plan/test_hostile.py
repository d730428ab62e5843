# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Facts, results and inventories with anything in place of anything: a clear error or a plan, never a traceback."""

from __future__ import annotations

import copy
from typing import Any

from ansible_collections.dkp.airgap.plugins.module_utils._dkp.cluster.facts import ClusterFacts
from ansible_collections.dkp.airgap.plugins.module_utils._dkp.fields import parse_record
from ansible_collections.dkp.airgap.plugins.module_utils._dkp.plan.document import parse_plan
from ansible_collections.dkp.airgap.plugins.module_utils._dkp.plan.fleet import plan_document, plan_fleet
from ansible_collections.dkp.airgap.plugins.module_utils._dkp.plan.members import Defaults, members_of, with_verdicts
from ansible_collections.dkp.airgap.plugins.module_utils._dkp.plan.module_choice import ModuleChoice
from ansible_collections.dkp.airgap.plugins.module_utils._dkp.plan.needs import needs_of
from ansible_collections.dkp.airgap.plugins.module_utils._dkp.plan.offer import parse_vendor
from ansible_collections.dkp.airgap.plugins.module_utils._dkp.plan.table import plan_table
from ansible_collections.dkp.airgap.plugins.module_utils._oci.errors import AirgapError
from ansible_collections.dkp.airgap.tests.kit.planning import channels, cluster, module, modules, platform
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

CLUSTER = cluster(
    kubelet_min="1.31.6",
    kubernetes={"version": "Automatic"},
    registry={"images_repo": "registry.internal/dkp/ee"},
    modules={
        "console": {
            "version": "v1.35.1",
            "channel": "stable",
            "pending": ["v1.36.2"],
            "requirements": {"deckhouse": "< 1.71", "modules": {"sdn": ">= 0.1"}},
        },
        "sdn": {"version": "v0.4.2", "embedded": False},
        "operator-trivy": {"embedded": True},
    },
    sources={"deckhouse": {"repo": "registry.internal/dkp/ee/modules", "modules": {"console": {"error": "x"}}}},
    nodes={"n": {"kubelet": "1.31.6", "group": "worker", "os_image": "Ubuntu 22.04", "kernel": "5.15.0"}},
    releases=[{"version": "v1.69.7", "phase": "Pending"}],
    ingress_controllers={"main": {"version": "1.10"}},
    alerts=[{"name": "X"}],
)
PLATFORM = platform(
    "v1.68.11 v1.69.7 v1.70.17",
    channels(stable="v1.70.17"),
    {"v1.69.7": {"k8s": "1.29", "ingressNginx": "1.9", "migratedModules": "operator-trivy", "autoK8sVersion": "1.31"}},
    stray=["v1.69.9"],
)
MODULES = modules(
    console=module(
        "v1.35.1 v1.36.2",
        channels(stable="v1.36.2"),
        {"v1.36.2": {"deckhouse": ">= 1.69", "kubernetes": ">= 1.28", "modules": {"sdn": ">= 0.4 !optional"}}},
        {"v1.36.2": ("1.30", "1.36")},
    ),
    sdn=module("v0.4.2 v0.5.0", channels(stable="v0.5.0")),
    operator_trivy={"exists": False},
)
INVENTORY = {
    "kind": "MirrorInventory",
    "version": 1,
    "platform": {
        "versions": ["v1.68.11"],
        "incomplete": {"v1.68.11": ["sha256:aa"]},
        "channels": {"stable": "v1.68.11"},
    },
    "modules": {"console": {"versions": ["v1.35.1"]}},
}
VERDICTS = {"prod": [{"version": "v1.69.7", "accepted": None, "message": "no"}]}
WHOLE = {
    "cluster": CLUSTER,
    "platform": PLATFORM,
    "modules": MODULES,
    "inventory": INVENTORY,
    "verdicts": VERDICTS,
    "target": {"prod": "v1.70.17"},
}
STRANGE = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-5, 5),
    st.floats(allow_nan=False),
    st.sampled_from(
        ["", " ", "stable", "v1.69.7", "1.69", "v1", "v99999999999999999999.0.0", ">= x", "\ud800", "lts", "Automatic"]
    ),
    st.text(max_size=8),
    st.lists(st.sampled_from(["v1.0.0", None, 1, {}]), max_size=3),
    st.dictionaries(
        st.sampled_from(["version", "exists", "prod", "x"]), st.sampled_from(["v1.0.0", None, True]), max_size=3
    ),
)


def paths(value: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    below = (
        list(value.items()) if isinstance(value, dict) else list(enumerate(value)) if isinstance(value, list) else []
    )
    return [at, *(path for key, item in below for path in paths(item, (*at, key)))]


PATHS = [path for path in paths(WHOLE) if path]


def plan(whole: dict[str, Any]) -> None:
    facts = parse_record(ClusterFacts, whole.get("cluster"), "clusters[0]")
    vendor = parse_vendor(whole.get("platform"), whole.get("modules"))
    members = members_of([facts], [], Defaults(whole.get("target"), inventory=whole.get("inventory")))
    needs_of(members, ModuleChoice(), vendor.platform)
    document = plan_document(plan_fleet(with_verdicts(members, whole.get("verdicts")), vendor))
    parse_plan(document)
    plan_table(document)


def test_the_example_can_be_planned() -> None:
    plan(copy.deepcopy(WHOLE))


@settings(max_examples=1500, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.tuples(st.sampled_from(PATHS), STRANGE, st.booleans()), min_size=1, max_size=3))
def test_whatever_stands_anywhere_ends_in_a_plan_or_a_clear_error(
    changes: list[tuple[tuple[Any, ...], Any, bool]],
) -> None:
    whole = copy.deepcopy(WHOLE)
    for path, value, remove in changes:
        place: Any = whole
        try:
            for key in path[:-1]:
                place = place[key]
            if remove:
                del place[path[-1]]
            else:
                place[path[-1]] = value
        except (KeyError, IndexError, TypeError):
            continue  # an earlier change took it away
    try:
        plan(whole)
    except AirgapError as error:
        assert str(error)
