# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The push: prove, compare, content first, pointers last (design §4, idea 4)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from .._bundle.donors import Donors
from .._bundle.errors import BundleDamaged
from .._dkp import tree
from .._dkp.channels import KNOWN_CHANNELS, is_channel
from .._dkp.findings import Finding
from .._oci.errors import AirgapError, InvalidInput
from .._registry.client import Registry
from .._registry.errors import RegistryError
from .._registry.stopping import Stopping
from .bundle import OpenBundle, open_bundle
from .freight import Group, Item, discovery_image, is_component_tag, sort_freight
from .memory import HostMemory
from .outcome import PushResult, TagChange, named, refused
from .pointers import Judge, Verdict, follow_releases, restrict_channels
from .proofs import forget_proof
from .proving import prove
from .publishing import CatalogueName, catalogue_names, phases
from .push_lock import push_lock
from .reading import ImageReader
from .stages import Lane, Stages
from .target import Target, is_refusal
from .unfinished import UnfinishedPushes
from .uploads import Uploads

__all__ = ["PushRequest", "PushResult", "TagChange", "push"]
Tag = tuple[str, str]
"""Repository and tag."""


@dataclass(frozen=True)
class PushRequest:
    """What `oci_bundle_push` was asked for. `publish`: ``all``, ``content`` or ``pointers``; `lock_wait`: seconds."""

    sources: tuple[Path, ...]
    modules_path: str
    publish: str = "all"
    channels: tuple[str, ...] | None = None
    allow_downgrade: bool = False
    repair: bool = False
    verify_always: bool = False
    check_mode: bool = False
    lock_wait: int = 0


def push(request: PushRequest, registry: Registry, memory: HostMemory, stopping: Stopping) -> PushResult:
    """Bring a bundle into the registry, unless another run of this host does just that.

    Raises PushBusy, InvalidInput, BundleError, InvalidContent before the first upload; RegistryError, Stopped; and
    AirgapError naming the repositories that refused, after everything else was done.
    """
    lock = push_lock(memory, registry.address, stopping, wait=request.lock_wait, dry=request.check_mode)
    with lock as findings:
        result = _push(request, registry, memory, stopping)
    return replace(result, findings=(*findings, *result.findings))


def _push(request: PushRequest, registry: Registry, memory: HostMemory, stopping: Stopping) -> PushResult:
    bundle = open_bundle(request.sources)
    reader = ImageReader(registry, Donors(), memory)
    try:
        prove(bundle, memory, always=request.verify_always, stopping=stopping)
        with ThreadPoolExecutor(registry.ceiling, thread_name_prefix="ask") as pool:
            try:
                return _Push(request, registry, memory, stopping, bundle, reader, pool).run()
            except BaseException:
                stopping.set()  # before the pool waits for its threads: what still waits or retries ends now
                pool.shutdown(wait=False, cancel_futures=True)
                raise
    finally:
        reader.close()
        bundle.close()


class _Push:
    """One push after its bundle was proven."""

    def __init__(
        self,
        request: PushRequest,
        registry: Registry,
        memory: HostMemory,
        stopping: Stopping,
        bundle: OpenBundle,
        reader: ImageReader,
        pool: ThreadPoolExecutor,
    ) -> None:
        self._request = request
        self._registry = registry
        self._memory = memory
        self._stopping = stopping
        self._bundle = bundle
        self._reader = reader
        self._pool = pool
        self._root = registry.address
        self._groups = sort_freight(bundle, registry.address, request.modules_path)
        self._names = catalogue_names(self._groups.values(), registry.address, request.modules_path)
        self._target = Target(registry, pool)
        self._findings = [
            Finding("bundle", "warning", "bundle", warning, "Pull the bundle again if that is not meant")
            for warning in bundle.warnings
        ]
        self._unfinished = UnfinishedPushes(memory, registry.address, dry=request.check_mode)
        self._uploads = Uploads(
            registry,
            self._target,
            may_hold=self._unfinished.may_have_left,
            homes_of=self._homes_of,
            dry=request.check_mode,
        )
        self._written: set[Tag] = set()
        self._before: dict[Tag, str | None] = {}

    def run(self) -> PushResult:
        """Compare, send, publish; returns what changed."""
        self._check_channels()
        self._target.load({item.repository for item in self._items()} | {name.repository for name in self._names})
        absent = self._compare()
        verdicts = [] if self._request.publish == "content" else self._judge({})
        if self._request.publish == "pointers":
            self._refuse_incomplete(absent, verdicts)
        if not self._request.repair:
            self._note_present(absent)
        repositories = {name: self._written_to(group) for name, group in self._groups.items()}
        self._unfinished.begin(set().union(*repositories.values()))
        failures: dict[str, AirgapError] = {}
        if self._request.publish != "pointers":
            failures = self._send(absent)
        if self._request.publish != "content":
            verdicts = self._publish(verdicts, failures)
        self._unfinished.end(set().union(*(repositories[name] for name in failures)))
        if failures:
            self._forget_proofs(failures)
            raise refused(failures, parts=len(self._groups), target=str(self._root))
        return self._result(absent)

    def _items(self) -> Iterator[Item]:
        for group in self._groups.values():
            yield from group.items()

    def _written_to(self, group: Group) -> set[str]:
        """The repositories of a group that this `publish` writes to."""
        content = () if self._request.publish == "pointers" else (*group.content, *group.unordered, *group.versions)
        pointers = () if self._request.publish == "content" else group.pointers
        return {item.repository for item in (*content, *pointers)}

    def _homes_of(self, key: bytes) -> Iterator[str]:
        """Every repository that needs the blob `key`."""
        for path, layout in self._bundle.layouts.items():
            if layout.find(key) is not None:
                yield self._root.child(tree.repository_of(path, modules_path=self._request.modules_path))

    def _check_channels(self) -> None:
        there = {item.tag for group in self._groups.values() for item in group.pointers if is_channel(item.tag)}
        unknown = [name for name in self._request.channels or () if name not in there]
        if unknown:
            shown = ", ".join(name for name in KNOWN_CHANNELS if name in there) or "none"
            raise InvalidInput(f"channels: the bundle does not have {', '.join(unknown)}; it has {shown}")

    def _compare(self) -> set[Tag]:
        """Every image that is not there yet; digests are asked for where a list cannot tell."""
        absent = set()
        asked = []
        for item in self._items():
            listed = self._target.lists(item.repository, item.tag)
            if listed is False:
                absent.add((item.repository, item.tag))
            elif self._request.repair or not (listed and is_component_tag(item.tag)):
                asked.append(item)  # of the others the tag is the digest's name: being there is enough
        for item, digest in zip(asked, self._target.digests((item.repository, item.tag) for item in asked)):
            self._before[item.repository, item.tag] = digest
            if digest != item.image.digest:
                absent.add((item.repository, item.tag))
        return absent

    def _judge(self, failures: dict[str, AirgapError], *, fresh: bool = False) -> list[Verdict]:
        """Every pointer's verdict; `fresh`: on the values of this moment, and groups that cannot be asked have failed.

        Raises AirgapError naming all that would go back.
        """
        judge = Judge(
            self._target,
            self._reader,
            self._groups,
            allow_downgrade=self._request.allow_downgrade,
            fresh=fresh,
        )
        pointers = restrict_channels(self._groups.values(), self._request.channels)
        futures = [(group, self._pool.submit(judge.judge, item, group)) for item, group in pointers]
        verdicts = []
        for group, future in futures:
            try:
                verdicts.append(future.result())
            except RegistryError as error:
                if not fresh or not is_refusal(error):
                    raise
                failures.setdefault(group, error)
        refusals = [verdict.refusal for verdict in verdicts if verdict.refusal]
        if refusals:
            also = "".join(f"; {name}: {error}" for name, error in sorted(failures.items()))
            raise AirgapError("; ".join(refusals) + also, refused=refusals)
        return follow_releases(verdicts)

    def _refuse_incomplete(self, absent: set[Tag], verdicts: Iterable[Verdict]) -> None:
        """`publish: pointers` writes nothing when content of a group whose pointers it would write is not there."""
        groups = {verdict.group for verdict in verdicts if verdict.write}
        groups.update(name.group for name in self._new_names())
        missing = [
            f"{item.repository}:{item.tag}"
            for name in sorted(groups)
            for item in (*self._groups[name].content, *self._groups[name].unordered, *self._groups[name].versions)
            if (item.repository, item.tag) in absent
        ]
        if missing:
            raise AirgapError(
                f"publish: pointers was asked for, and the registry lacks {named(missing)}, which they need; "
                "push with publish: content first",
                missing=missing[:1000],
            )

    def _note_present(self, absent: set[Tag]) -> None:
        for item in self._items():
            if (item.repository, item.tag) not in absent:
                self._uploads.note_present(item)
        manifest = discovery_image()[0]
        for name in self._names:
            if self._target.digest(name.repository, name.tag) == manifest.digest:
                self._uploads.note_small(name.repository, manifest)

    def _send(self, absent: set[Tag]) -> dict[str, AirgapError]:
        lanes = [self._lane(group, absent) for group in self._groups.values()]
        if not any(any(lane.stages) for lane in lanes):
            return {}
        return Stages(self._registry, self._stopping).run(lanes)

    def _lane(self, group: Group, absent: set[Tag]) -> Lane:
        """Content, then installers, then versions one after another; their blobs, the largest of all, start first."""

        def wanted(items: Iterable[Item]) -> list[Item]:
            return [item for item in items if (item.repository, item.tag) in absent]

        lane = Lane(group.name)
        if self._request.repair:
            here = [item for item in group.items() if (item.repository, item.tag) not in absent]
            lane.stages.append([partial(self._uploads.put_blobs, item, check=True) for item in here])
        content, unordered, versions = wanted(group.content), wanted(group.unordered), wanted(group.versions)
        lane.stages.append(
            [
                *(partial(self._uploads.put_blobs, item) for item in (*unordered, *versions)),
                *(partial(self._put_image, item) for item in content),
            ]
        )
        lane.stages.append([partial(self._put_manifest, item) for item in unordered])
        lane.stages.extend([partial(self._put_manifest, item)] for item in versions)
        return lane

    def _put_image(self, item: Item) -> None:
        self._uploads.put_blobs(item)
        self._put_manifest(item)

    def _put_manifest(self, item: Item) -> None:
        self._uploads.put_manifest(item)
        self._written.add((item.repository, item.tag))

    def _publish(self, verdicts: list[Verdict], failures: dict[str, AirgapError]) -> list[Verdict]:
        """Write the pointers, judged on fresh values when content was sent since; adds to `failures`."""
        sent = bool(self._written) and not self._request.check_mode
        if sent and any(verdict.write for verdict in verdicts):
            verdicts = self._judge(failures, fresh=True)
            self._before.update({(v.item.repository, v.item.tag): v.before for v in verdicts})
        self._findings += [verdict.withheld for verdict in verdicts if verdict.withheld is not None]
        ready = (verdict for verdict in verdicts if verdict.write)
        for lanes in phases(ready, self._new_names(), self._put_pointer, self._put_name):
            able = [lane for lane in lanes if lane.name not in failures]
            failures.update(Stages(self._registry, self._stopping).run(able) if able else {})
        return verdicts

    def _put_pointer(self, verdict: Verdict) -> None:
        """Write it unless another run, of another host, has moved it since it was judged."""
        item = verdict.item
        self._uploads.put_blobs(item)
        now = self._target.fresh_digest(item.repository, item.tag)
        if now == item.image.digest:
            self._before[item.repository, item.tag] = now
        elif now != verdict.before:
            raise AirgapError(
                f"{item.repository}:{item.tag} was moved to {now} while this run pushed, by another one; look which of "
                "them is right and run that again"
            )
        else:
            self._put_manifest(item)

    def _new_names(self) -> list[CatalogueName]:
        digests = self._target.digests((name.repository, name.tag) for name in self._names)
        return [name for name, digest in zip(self._names, digests) if digest is None]

    def _put_name(self, name: CatalogueName) -> None:
        manifest, blobs = discovery_image()
        self._uploads.put_small(name.repository, name.tag, manifest, blobs)
        self._written.add((name.repository, name.tag))

    def _forget_proofs(self, failures: dict[str, AirgapError]) -> None:
        """An archive that changed under its proof is read again by the next push."""
        damaged = {error.archive for error in failures.values() if isinstance(error, BundleDamaged)}
        for files, archive in self._bundle.archives:
            if archive.name in damaged:
                forget_proof(self._memory, files.paths)

    def _result(self, absent: set[Tag]) -> PushResult:
        tags, other_written, other_present = [], 0, 0
        for item in self._items():
            place = (item.repository, item.tag)
            written = place in self._written
            if item.is_technical:
                other_written += written
                other_present += not written and place not in absent
            else:
                before = self._before.get(place)
                tags.append(TagChange(item.path, item.tag, before, item.image.digest if written else before))
        manifest = discovery_image()[0]
        for name in self._names:
            written = (name.repository, name.tag) in self._written
            before = self._target.digest(name.repository, name.tag)
            tags.append(TagChange(name.path, name.tag, before, manifest.digest if written else before))
        uploads = self._uploads
        return PushResult(
            bool(self._written) or bool(uploads.uploaded.blobs) or bool(uploads.children),
            uploads.uploaded,
            uploads.mounted,
            uploads.present,
            tuple(tags),
            other_written,
            other_present,
            tuple(self._findings),
        )
