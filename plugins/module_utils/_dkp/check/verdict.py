# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The judgement: from what was wanted and what was seen to findings (dkp-cluster.md §5.5)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..findings import Finding
from ..nearest import listed
from .clusters import judge_addresses, judge_requirements, not_looked_at
from .gathered import Findings
from .line import judge_line
from .observed import Observed
from .registry import judge_databases, judge_registry
from .wanted import Wanted

_NAME_CLUSTERS = "Give the facts of the clusters (clusters), or a plan that was made from them"


def judge(wanted: Wanted, observed: Observed, planned: Mapping[str, Any], *, stage: str) -> tuple[Finding, ...]:
    """Every finding, errors first. `planned`: the plan's clusters. `stage`: ``content`` or ``published``."""
    every = [judge_line(wanted.lines[name], line, stage=stage) for name, line in observed.lines.items()]
    every.append(judge_requirements(wanted, observed.lines, planned))
    every.append(judge_addresses(observed, wanted.clusters.values()))
    every += [not_looked_at(wanted), _not_here(wanted, observed), _unjudged(wanted, observed, planned)]
    every += [judge_registry(observed), judge_databases(wanted, observed, stage=stage)]
    joined = Findings()
    for found in every:
        joined.join(found)
    return joined.all()


def _not_here(wanted: Wanted, observed: Observed) -> Findings:
    """What clusters run and nobody ever brought here: it comes from elsewhere, or is about to be missing."""
    found = Findings()
    absent = [line for name, line in wanted.lines.items() if name not in observed.lines]
    modules = sorted(line.name for line in absent if line.name is not None)
    hint = "Pull and push them too if the clusters take them, or will take them, from here"
    if modules:
        clusters = dict.fromkeys(walk.cluster for line in absent if line.name is not None for walk in line.walks)
        message = f"clusters run modules of which nothing is here or to come: {listed(modules)}"
        found.tell("M8", "unknown", "modules", message, hint, *clusters)
    for line in absent:
        if line.name is None:
            message = "no release of the platform is here or to come"
            found.tell("P8", "unknown", "platform", message, hint, *(walk.cluster for walk in line.walks))
    return found


def _unjudged(wanted: Wanted, observed: Observed, planned: Mapping[str, Any]) -> Findings:
    """What cannot be said without knowing clusters: once for all."""
    found = Findings()
    modules = [name for name in observed.lines if name is not None]
    if None in observed.lines and not wanted.lines[None].walks:
        message = "whether clusters get there without a gap (P3, P4, P9, P12) is not known: none is named"
        found.tell("P3", "unknown", "platform", message, _NAME_CLUSTERS)
        message = "what clusters run is not known, nor whether it is there in full"
        found.tell("P8", "unknown", "platform", message, _NAME_CLUSTERS)
    if modules and not any(wanted.lines[name].walks for name in modules):
        message = "whether clusters get there without a gap (M3, M9) is not known: none is named"
        found.tell("M3", "unknown", "modules", message, _NAME_CLUSTERS)
        message = "what clusters run of the modules is not known, nor whether it is there in full"
        found.tell("M8", "unknown", "modules", message, _NAME_CLUSTERS)
    if observed.lines and not wanted.clusters and not planned:
        if None in observed.lines:
            message = "whether clusters meet the requirements of the releases (P10, P11) is not known: none is named"
            found.tell("P10", "unknown", "platform", message, _NAME_CLUSTERS)
        if modules:
            message = "whether clusters meet the requirements of the modules is not known: none is named"
            found.tell("M10", "unknown", "modules", message, _NAME_CLUSTERS)
            message = "whether a ModulePullOverride needs a tag of its own is not known: no facts were given"
            found.tell("M11", "unknown", "modules", message, _NAME_CLUSTERS)
    return found
