# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The pull: resolve, plan, download to planned places, finish (design §4)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .._bundle.delivery import ArchiveSummary, DeliveredImage, Delivery, render
from .._bundle.directory import DELIVERY_NAME
from .._bundle.errors import NoSpace
from .._bundle.plan import ArchivePlan
from .._bundle.reserve import free_bytes
from .._bundle.workspace import Workspace
from .._dkp import tree
from .._dkp.editions import edition_of
from .._dkp.findings import Finding
from .._oci import digest as digests
from .._oci.errors import AirgapError, Stopped
from .._oci.reference import RepositoryAddress
from .._registry.client import Registry
from .._registry.stopping import Stopping
from .building import Builder
from .downloads import Downloads
from .keeping import Keeper
from .memory import HostMemory
from .planned import resolve_plan
from .planning import ArchivePlanner
from .proofs import is_proven, remember_proof
from .reading import ImageReader, raise_first
from .request import Planned, Resolution, Selectors
from .resolve import resolve

_PLANNERS = 8


@dataclass(frozen=True)
class PullRequest:
    """What `oci_bundle_pull` was asked for. `chunk_size` is bytes, 0 for plain archives."""

    wanted: Selectors | Planned
    dest: Path
    chunk_size: int = 0
    force: bool = False
    resume: bool = True
    check_mode: bool = False
    ignored_names: tuple[str, ...] = ()
    """Files in `dest` that the caller put there (a report)."""


@dataclass(frozen=True)
class PullResult:
    """What came of it; `archives` have no parts in check mode where they would be written anew."""

    changed: bool
    content: dict[str, Any]
    archives: tuple[ArchiveSummary, ...]
    blobs_transferred: int
    findings: tuple[Finding, ...] = field(default=())
    sizes: dict[str, Any] = field(default_factory=dict)
    """Bytes that each version adds to those below it, in the shape of the module's result."""


def pull(request: PullRequest, registry: Registry, memory: HostMemory, stopping: Stopping) -> PullResult:
    """Bring what the selectors take, or the plan carries, into a bundle at `request.dest`.

    Raises InvalidInput, SelectionError, RegistryError, BundleError, InvalidContent or Stopped. Whatever ends a run,
    what it wrote is used by the next one.
    """
    workspace = Workspace(request.dest, force=request.force, ignored=request.ignored_names)
    reader = ImageReader(registry, workspace.donors, memory)
    try:
        resolution = _resolved(reader, registry.address, request.wanted)
        if not resolution.archives:
            return PullResult(False, resolution.content, (), 0, tuple(resolution.findings), _sizes(()))
        run = _Run(request, registry, reader, workspace, resolution, stopping)
        if request.check_mode:
            return run.estimate()
        workspace.lock()
        if not request.resume:
            workspace.forget_interrupted()
        unproven = _unproven(workspace, memory)
        try:
            result = run.carry_out()
        except NoSpace as shortage:
            raise run.exact_shortage(shortage) from shortage
        reader.remember()
        remember_proof(memory, request.dest, [archive for archive in result.archives if archive not in unproven])
        return result
    except BaseException:
        stopping.set()  # whatever still waits or retries ends now
        raise
    finally:
        reader.close()
        workspace.close()


def _resolved(reader: ImageReader, root: RepositoryAddress, wanted: Selectors | Planned) -> Resolution:
    return resolve_plan(reader, root, wanted) if isinstance(wanted, Planned) else resolve(reader, root, wanted)


def _unproven(workspace: Workspace, memory: HostMemory) -> list[ArchiveSummary]:
    """Archives that lie there and whose bytes this host has neither written nor read; that they fit proves nothing."""
    unproven = []
    for existing in workspace.existing.values():
        paths = [workspace.path / part.name for part in existing.summary.parts]
        if not all(path.exists() for path in paths) or not is_proven(memory, paths):
            unproven.append(existing.summary)
    return unproven


class _Run:
    """One pull after its resolution."""

    def __init__(
        self,
        request: PullRequest,
        registry: Registry,
        reader: ImageReader,
        workspace: Workspace,
        resolution: Resolution,
        stopping: Stopping,
    ) -> None:
        self._stopping = stopping
        self._request = request
        self._registry = registry
        self._reader = reader
        self._workspace = workspace
        self._resolution = resolution

    def estimate(self) -> PullResult:
        """What a run would do, without writing anything."""
        planners = self._planners(None)
        self._plan(planners)
        archives = tuple(planner.builder.summary() for planner in planners)
        changed = any(planner.builder.differs for planner in planners) or not self._is_delivered(planners, archives)
        return self._result(changed, planners, archives, 0)

    def exact_shortage(self, shortage: NoSpace) -> NoSpace:
        """How much space the whole bundle needs beside what is there, for the message; `shortage` if that is not it."""
        self._reader.renew()
        self._stopping.clear()  # it was set to end the transfers
        planners = self._planners(None)
        try:
            self._plan(planners)
        except AirgapError:
            return shortage
        need = sum(planner.builder.plan.size for planner in planners if planner.builder.differs)
        free = free_bytes(self._request.dest) + self._workspace.work_bytes()
        if need <= free:
            return shortage
        return NoSpace(
            f"{self._request.dest}: the bundle needs {need} bytes and {free} are free there (with what an interrupted "
            f"run left), {need - free} are missing. Free that much or choose another dest; what was downloaded is "
            "kept and used again",
            needed=need,
            free=free,
        )

    def carry_out(self) -> PullResult:
        """Write what differs from the bundle that lies there."""
        stopping = self._stopping
        downloads = Downloads(self._registry, self._workspace.donors, stopping)
        planners = self._planners(downloads)
        keeper = Keeper(planners, stopping)
        try:
            self._plan(planners)
            downloads.wait()
            keeper.finish()
        except BaseException as error:
            stopping.set()
            keeper.close()
            downloads.close()
            if isinstance(error, Stopped):  # by whom?
                downloads.raise_failure()
                keeper.raise_failure()
            raise
        downloads.close()
        archives = tuple(planner.builder.summary() for planner in planners)
        work = [planner.builder.writer.work for planner in planners if planner.builder.writer is not None]
        if not work and self._is_delivered(planners, archives):
            self._workspace.clean()
            return self._result(False, planners, archives, downloads.blobs)
        for file in work:
            file.space.sync()
        kept = [archive for planner, archive in zip(planners, archives) if planner.builder.writer is None]
        self._workspace.finish(work, kept, render(self._delivery(planners, archives)))
        return self._result(True, planners, archives, downloads.blobs)

    def _planners(self, downloads: Downloads | None) -> list[ArchivePlanner]:
        host = self._registry.address.host
        planners = []
        for order in self._resolution.archives:
            plan = ArchivePlan(order.name, {path: f"{host}/{repository}" for path, repository in order.layouts.items()})
            builder = Builder(
                plan,
                self._workspace,
                repositories=dict(order.layouts),
                host=host,
                chunk_size=self._request.chunk_size,
                downloads=downloads,
            )
            planners.append(
                ArchivePlanner(order, builder, self._reader, downloads=downloads, vex=self._request.wanted.vex)
            )
        return planners

    def _plan(self, planners: list[ArchivePlanner]) -> None:
        with ThreadPoolExecutor(_PLANNERS, thread_name_prefix="plan") as pool:
            futures = [pool.submit(planner.run) for planner in planners]
            try:
                done, waiting = wait(futures, return_when=FIRST_EXCEPTION)
                if waiting:
                    self._stopping.set()  # the others need not go on
                raise_first(done)
            finally:
                for future in futures:
                    future.cancel()

    def _result(
        self, changed: bool, planners: list[ArchivePlanner], archives: tuple[ArchiveSummary, ...], blobs: int
    ) -> PullResult:
        resolution = self._resolution
        return PullResult(
            changed, resolution.content, archives, blobs, tuple(resolution.findings), sizes=_sizes(planners)
        )

    def _delivery(self, planners: list[ArchivePlanner], archives: tuple[ArchiveSummary, ...]) -> Delivery:
        releases: dict[str, Any] = {"platform": {}, "modules": {}}
        for planner in planners:
            module = planner.order.module
            if module is not None:
                releases["modules"][module] = planner.releases
            elif planner.order.releases:
                releases["platform"] = planner.releases
        address = self._registry.address
        source = {"images_repo": str(address), "edition": edition_of(address)}
        wanted = self._request.wanted
        plan = dict(wanted.plan.document) if isinstance(wanted, Planned) else None
        return Delivery(source, self._resolution.content, archives, _images(planners), releases, plan)

    def _is_delivered(self, planners: list[ArchivePlanner], archives: tuple[ArchiveSummary, ...]) -> bool:
        """Whether the delivery.json that lies there is just what would be written."""
        path = self._request.dest / DELIVERY_NAME
        if not self._workspace.is_finished or not path.exists():
            return False
        with path.open("rb") as file:
            same = all(file.read(len(piece)) == piece for piece in render(self._delivery(planners, archives)))
            return same and not file.read(1)


def _sizes(planners: Iterable[ArchivePlanner]) -> dict[str, Any]:
    sizes: dict[str, Any] = {"platform": {}, "modules": {}, "security_db": {}, "installer": 0}
    for planner in planners:
        order = planner.order
        if order.module is not None:
            sizes["modules"][order.module] = planner.sizes
        elif order.name == tree.PLATFORM_ARCHIVE:
            sizes["platform"] = planner.sizes
        elif order.name == tree.SECURITY_ARCHIVE:
            sizes["security_db"] = planner.sizes
        else:
            sizes["installer"] = sum(planner.sizes.values())
    return sizes


def _images(planners: list[ArchivePlanner]) -> Iterator[DeliveredImage]:
    for planner in planners:
        for path, layout in planner.builder.plan.layouts.items():
            for tag, image in sorted(layout.images.items()):
                size = planner.builder.image_bytes[path][tag]
                yield DeliveredImage(path, tag, digests.from_key(image.key), size)
