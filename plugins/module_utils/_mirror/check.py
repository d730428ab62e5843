# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The check of a private registry: what has to be there, what is there, and what that means (dkp-cluster.md §5.5)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from .._dkp import tree
from .._dkp.check.clusters import judge_addresses, walks_of_leaving
from .._dkp.check.gathered import Findings
from .._dkp.check.observed import THERE, Image, Line, Observed
from .._dkp.check.verdict import judge
from .._dkp.check.wanted import PREFLIGHT, PUBLISHED, Wanted, likely_content, wanted_of
from .._dkp.cluster.facts import ClusterFacts
from .._dkp.content import Content
from .._dkp.findings import Finding
from .._dkp.plan.document import PlanDocument
from .._oci.reference import RepositoryAddress
from .._registry.client import Registry
from .._registry.stopping import Stopping
from .check_asking import Asker, Place, asking
from .check_bundle import PlacedBundle, Promised, placed, read_bundle
from .check_lines import LineReader
from .demand import demand_of
from .memory import HostMemory
from .preflight import preflight


@dataclass(frozen=True)
class CheckRequest:
    """What `mirror_check_info` was asked for. At least one of `plan`, `source` (a bundle) and `clusters` is there.

    `modules_path` is normalised, `stage` is ``preflight``, ``content`` or ``published``, `blobs` also looks for every
    blob. `probe_tags` lets preflight write to pointers what they point at already. `as_cluster`: the registry is asked
    with the cluster's own credentials.
    """

    plan: PlanDocument | None
    source: Path | None
    clusters: tuple[ClusterFacts, ...]
    modules_path: str
    scheme: str
    stage: str = PUBLISHED
    blobs: bool = False
    probe_tags: bool = False
    as_cluster: bool = False


@dataclass(frozen=True)
class Checked:
    """What came of a check: findings, and how many manifests and blobs were looked at."""

    findings: tuple[Finding, ...] = ()
    manifests: int = 0
    blobs: int = 0
    nothing: bool = False
    """Whether there was nothing to look at."""


def check(request: CheckRequest, registry: Registry, memory: HostMemory, stopping: Stopping) -> Checked:
    """Look at the registry and judge. Nothing is written.

    Raises InvalidInput for a plan or bundle that cannot be right, AccessDenied when nothing may be read, and what
    reaching the registry raises.
    """
    bundle = read_bundle(request.source, memory, stopping) if request.source is not None else None
    carrying = request.plan or bundle
    content = carrying.content if carrying is not None else Content()
    wanted = wanted_of(content, request.plan, request.clusters, address=str(registry.address))
    if carrying is not None and content.is_empty and not any(line.carried for line in wanted.lines.values()):
        return Checked(nothing=True)
    if request.stage == PREFLIGHT:
        return _preflight(request, registry, bundle, content if carrying is not None else None)
    promised = placed(bundle, registry.address, request.modules_path)
    with asking(registry, memory, blobs=request.blobs, delivered=promised.fixed) as asker:
        promised.teach(asker)
        observed = _observe(request, asker, registry.address, wanted, promised)
    planned = request.plan.clusters if request.plan is not None else {}
    findings = judge(wanted, observed, planned, stage=request.stage)
    dangling = bundle.dangling if bundle is not None and request.plan is None else ()
    return Checked((*findings, *dangling), asker.manifests, asker.blobs)


def _preflight(request: CheckRequest, registry: Registry, bundle: Promised | None, content: Content | None) -> Checked:
    """Whether the registry can take what is to come; where nothing is planned yet, what the clusters run."""
    demand = demand_of(
        content if content is not None else likely_content(request.clusters),
        modules_path=request.modules_path,
        layouts={layout for layout, _tag in bundle.images} if bundle is not None else (),
        size=bundle.bytes if bundle is not None else None,
    )
    found = Findings()
    for finding in preflight(registry, demand, probe_tags=request.probe_tags):
        found.add(finding)
    seen = Observed(str(registry.address), request.scheme, as_cluster=request.as_cluster)
    found.join(judge_addresses(seen, request.clusters))
    return Checked(found.all())


def _observe(
    request: CheckRequest, asker: Asker, root: RepositoryAddress, wanted: Wanted, promised: PlacedBundle
) -> Observed:
    """Everything that was wanted, the platform first: its releases say which modules have to come from elsewhere."""
    lines = LineReader(asker, root, modules_path=request.modules_path, stage=request.stage, promised=promised)
    known: dict[str | None, Line] = lines.begin([line for name, line in wanted.lines.items() if name is None])
    for facts in request.clusters:
        for name, walk in walks_of_leaving(facts, wanted, known).items():
            wanted.line(name).walks.append(walk)
    known.update(lines.begin([line for name, line in sorted(wanted.lines.items(), key=str) if name is not None]))
    untagged = lines.finish(wanted.lines, known)
    databases, installer = _published(request, asker, wanted, root, promised.pointers)
    return Observed(
        str(root), request.scheme, known, databases, installer, untagged, asker.refusals, request.as_cluster
    )


def _published(
    request: CheckRequest, asker: Asker, wanted: Wanted, root: RepositoryAddress, delivered: Mapping[Place, str]
) -> tuple[dict[str, Image], dict[str, Image]]:
    """Databases and installers, once they are published."""
    if request.stage != PUBLISHED:
        return {}, {}
    databases = {
        f"{name}:{tag}": (root.child(tree.security_repository(name)), tag)
        for name, tags in wanted.databases.items()
        for tag in tags
    }
    installer = {tag: (root.child(tree.INSTALLER), tag) for tag in wanted.installer}
    images = asker.images([*databases.values(), *installer.values()])

    def compared(place: Place) -> Image:
        image = images[place]
        if image.state != THERE or image.digest == delivered.get(place, image.digest):
            return image
        return Image(THERE, image.digest, f"is {image.digest}, and in the bundle it is {delivered[place]}")

    return (
        {name: compared(place) for name, place in databases.items()},
        {tag: compared(place) for tag, place in installer.items()},
    )
