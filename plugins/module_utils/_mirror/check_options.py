# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The options of `mirror_check_info`, checked without any network."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .._dkp.cluster.facts import ClusterFacts
from .._dkp.fields import items, parse_record
from .._dkp.plan.document import PlanDocument, parse_plan
from .._oci.errors import InvalidInput
from .options import read_plan_file


def parse_subject(
    plan: Any, plan_file: Path | None, source: Path | None, clusters: Any
) -> tuple[PlanDocument | None, tuple[ClusterFacts, ...]]:
    """The plan and the clusters that options name. Raises InvalidInput naming the option or the field."""
    if plan is not None and plan_file is not None:
        raise InvalidInput("plan and plan_file both say what has to be there; set one of them")
    facts = parse_clusters(clusters)
    if plan is None and plan_file is None and source is None and not facts:
        raise InvalidInput("nothing says what has to be there; set plan, plan_file, src or clusters")
    if source is not None and not source.exists():
        raise InvalidInput(f"src: {source} does not exist; it has to be on the host that the module runs on")
    if plan_file is not None:
        return parse_plan(read_plan_file(plan_file), "plan_file"), facts
    return (parse_plan(plan) if plan is not None else None), facts


def parse_clusters(clusters: Any) -> tuple[ClusterFacts, ...]:
    """Facts of clusters, each of another name."""
    facts: Sequence[ClusterFacts] = [
        parse_record(ClusterFacts, item, where) for item, where in items(clusters, "clusters")
    ]
    names = [each.name for each in facts]
    for name in names:
        if names.count(name) > 1:
            raise InvalidInput(f"clusters: the name {name} occurs more than once; give each cluster its own")
    return tuple(facts)
