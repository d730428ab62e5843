# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The push: prove, compare, content first, pointers last (design §4, idea 4)."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from .._bundle.donors import Donors
from .._dkp import tree
from .._dkp.channels import KNOWN_CHANNELS, is_channel, lowest_risk_first
from .._dkp.findings import Finding
from .._oci.errors import AirgapError, InvalidInput
from .._registry.client import Registry
from .bundle import OpenBundle, open_bundle, prove
from .freight import Group, Item, discovery_image, is_component_tag, sort_freight
from .memory import HostMemory
from .pointers import Judge, Verdict, restrict_channels
from .reading import ImageReader
from .stages import Lane, Stages
from .target import Target
from .uploads import Tally, Uploads

_MARK = "pushes"
_NAMED = 5


@dataclass(frozen=True)
class PushRequest:
    """What `oci_bundle_push` was asked for. `publish` is ``all``, ``content`` or ``pointers``."""

    sources: tuple[Path, ...]
    modules_path: str
    publish: str = "all"
    channels: tuple[str, ...] | None = None
    allow_downgrade: bool = False
    repair: bool = False
    verify_always: bool = False
    check_mode: bool = False


@dataclass(frozen=True)
class TagChange:
    """A tag before and after; `repository` below the root."""

    repository: str
    tag: str
    before: str | None
    after: str | None

    def as_dict(self) -> dict[str, str | None]:
        return {"repository": self.repository, "tag": self.tag, "before": self.before, "after": self.after}


@dataclass(frozen=True)
class PushResult:
    """What came of it; in check mode, what would."""

    changed: bool
    uploaded: Tally
    mounted: Tally
    present: Tally
    tags: tuple[TagChange, ...]
    other_tags_written: int
    other_tags_present: int
    findings: tuple[Finding, ...]


def push(request: PushRequest, registry: Registry, memory: HostMemory, stopping: threading.Event) -> PushResult:
    """Bring a bundle into the registry.

    Raises InvalidInput, BundleError, InvalidContent before the first upload; RegistryError, Stopped; and AirgapError
    naming the repositories that refused, after everything else was done.
    """
    bundle = open_bundle(request.sources)
    reader = ImageReader(registry, Donors(), memory)
    try:
        prove(bundle, memory, always=request.verify_always)
        with ThreadPoolExecutor(registry.ceiling, thread_name_prefix="ask") as pool:
            return _Push(request, registry, memory, stopping, bundle, reader, pool).run()
    except BaseException:
        stopping.set()
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
        stopping: threading.Event,
        bundle: OpenBundle,
        reader: ImageReader,
        pool: ThreadPoolExecutor,
    ) -> None:
        self._request = request
        self._registry = registry
        self._memory = memory
        self._stopping = stopping
        self._pool = pool
        self._root = registry.address
        self._groups = sort_freight(bundle, registry.address, request.modules_path)
        self._target = Target(registry, pool)
        self._judge = Judge(self._target, reader, self._groups, allow_downgrade=request.allow_downgrade)
        self._findings = [
            Finding("bundle", "warning", "bundle", warning, "Pull the bundle again if that is not meant")
            for warning in bundle.warnings
        ]
        self._mark = f"{registry.address}"
        probe = memory.get(_MARK, self._mark) is not None
        self._uploads = Uploads(registry, self._target, probe=probe, dry=request.check_mode)
        self._written: set[tuple[str, str]] = set()
        self._before: dict[tuple[str, str], str | None] = {}

    def run(self) -> PushResult:
        """Compare, send, publish; returns what changed."""
        request = self._request
        self._check_channels()
        discovery = self._discovery()
        self._target.load(
            {item.repository for group in self._groups.values() for item in group.items()} | {r for r, _t in discovery}
        )
        absent = self._compare()
        verdicts = self._judge_pointers() if request.publish != "content" else []
        if request.publish == "pointers":
            self._refuse_incomplete(absent, verdicts)
        failures: dict[str, AirgapError] = {}
        if absent and request.publish != "pointers":
            failures = self._send(absent)
        if request.publish != "content":
            failures.update(self._publish(verdicts, discovery, failures))
        if not request.check_mode:
            self._memory.forget(_MARK, self._mark)
        if failures:
            raise self._failed(failures)
        return self._result(verdicts, discovery, absent)

    def _check_channels(self) -> None:
        there = {item.tag for group in self._groups.values() for item in group.pointers if is_channel(item.tag)}
        unknown = [name for name in self._request.channels or () if name not in there]
        if unknown:
            shown = ", ".join(name for name in KNOWN_CHANNELS if name in there) or "none"
            raise InvalidInput(f"channels: the bundle does not have {', '.join(unknown)}; it has {shown}")

    def _discovery(self) -> list[tuple[str, str]]:
        """Repository and tag of every name that a catalogue must list for the bundle's content to be seen."""
        wanted = []
        for group in self._groups.values():
            place = tree.place_of(next(group.items()).layout.path) if any(True for _item in group.items()) else None
            if place is not None and place.area in ("module", "package", "plugin"):
                areas = {"module": self._request.modules_path, "package": tree.PACKAGES, "plugin": tree.PLUGINS}
                wanted.append((self._root.child(areas[place.area]), place.name))
        return wanted

    def _compare(self) -> set[tuple[str, str]]:
        """Repository and tag of every image that is not there yet; digests are asked for where a list cannot tell."""
        absent = set()
        items = [item for group in self._groups.values() for item in group.items()]
        asked = []
        for item in items:
            listed = self._target.lists(item.repository, item.tag)
            if listed is False:
                absent.add((item.repository, item.tag))
                self._before[item.repository, item.tag] = None
            elif not (listed and is_component_tag(item.tag)):  # such a tag is a digest's name: being there is enough
                asked.append(item)
        for item, digest in zip(asked, self._target.digests((item.repository, item.tag) for item in asked)):
            self._before[item.repository, item.tag] = digest
            if digest != item.image.digest:
                absent.add((item.repository, item.tag))
        return absent

    def _judge_pointers(self, *, fresh: bool = False) -> list[Verdict]:
        """Every pointer's verdict. Raises AirgapError naming all that would go back."""
        pointers = restrict_channels(self._groups.values(), self._request.channels)
        ask = self._target.fresh_digest if fresh else self._target.digest
        befores = list(self._pool.map(lambda pointer: ask(pointer[0].repository, pointer[0].tag), pointers))
        verdicts = list(
            self._pool.map(lambda pair: self._judge.judge(pair[0][0], pair[0][1], pair[1]), zip(pointers, befores))
        )
        refusals = [verdict.refusal for verdict in verdicts if verdict.refusal]
        if refusals:
            raise AirgapError("; ".join(refusals), refused=refusals)
        return verdicts

    def _refuse_incomplete(self, absent: set[tuple[str, str]], verdicts: Iterable[Verdict]) -> None:
        """`publish: pointers` writes nothing when content of a group whose pointers it would write is not there."""
        groups = {verdict.group for verdict in verdicts if verdict.write}
        missing = [
            f"{item.repository}:{item.tag}"
            for name in sorted(groups)
            for item in (*self._groups[name].content, *self._groups[name].unordered, *self._groups[name].versions)
            if (item.repository, item.tag) in absent
        ]
        if missing:
            more = f" and {len(missing) - _NAMED} more" if len(missing) > _NAMED else ""
            raise AirgapError(
                f"publish: pointers was asked for and the registry lacks {', '.join(missing[:_NAMED])}{more}, which they need; "
                "push with publish: content first",
                missing=missing,
            )

    def _send(self, absent: set[tuple[str, str]]) -> dict[str, AirgapError]:
        if not self._request.check_mode:
            self._memory.put(_MARK, self._mark, {})
        lanes = [self._lane(group, absent) for group in self._groups.values()]
        return Stages(self._registry, self._stopping).run(lanes)

    def _lane(self, group: Group, absent: set[tuple[str, str]]) -> Lane:
        def wanted(items: Iterable[Item]) -> list[Item]:
            return [item for item in items if (item.repository, item.tag) in absent]

        lane = Lane(group.name)
        if self._request.repair:
            here = [item for item in group.items() if (item.repository, item.tag) not in absent]
            lane.stages.append([partial(self._uploads.put_blobs, item, check=True) for item in here])
        content, unordered, versions = wanted(group.content), wanted(group.unordered), wanted(group.versions)
        lane.stages.append([partial(self._put_image, item) for item in content])
        lane.stages.append([partial(self._uploads.put_blobs, item) for item in (*unordered, *versions)])
        lane.stages.append([partial(self._put_manifest, item) for item in unordered])
        lane.stages.extend([partial(self._put_manifest, item)] for item in versions)
        return lane

    def _put_image(self, item: Item) -> None:
        self._uploads.put_blobs(item)
        self._put_manifest(item)

    def _put_manifest(self, item: Item) -> None:
        if not self._request.check_mode:
            self._uploads.put_manifest(item)
        self._written.add((item.repository, item.tag))

    def _publish(
        self, verdicts: list[Verdict], discovery: list[tuple[str, str]], failures: dict[str, AirgapError]
    ) -> dict[str, AirgapError]:
        """Write the pointers, on fresh values: modules', catalogue names, databases, the platform's from the lowest risk."""
        sent = bool(self._written) and not self._request.check_mode
        if sent and any(verdict.write for verdict in verdicts):
            verdicts[:] = self._judge_pointers(fresh=True)
        self._findings += [verdict.withheld for verdict in verdicts if verdict.withheld is not None]
        ready = [verdict for verdict in verdicts if verdict.write and verdict.group not in failures]
        risk = {name: rank for rank, name in enumerate(lowest_risk_first(KNOWN_CHANNELS))}
        platform = [verdict for verdict in ready if verdict.group == "platform"]
        databases = [v for v in ready if tree.place_of(v.item.layout.path).area in ("security", "installer")]
        others = [verdict for verdict in ready if verdict not in platform and verdict not in databases]
        new_names = [(repository, tag) for repository, tag in discovery if self._target.digest(repository, tag) is None]
        new_names = [
            name for name in new_names if f"module {name[1]}" not in failures and f"package {name[1]}" not in failures
        ]
        lanes = [_lane_of("module channels", [partial(self._put_pointer, verdict) for verdict in others])]
        lanes[0].stages.append([partial(self._put_discovery, repository, tag) for repository, tag in new_names])
        lanes[0].stages.append([partial(self._put_pointer, verdict) for verdict in databases])
        for verdict in sorted(platform, key=lambda verdict: (risk[verdict.item.tag], verdict.item.path)):
            lanes[0].stages.append([partial(self._put_pointer, verdict)])
        return Stages(self._registry, self._stopping).run(lanes)

    def _put_pointer(self, verdict: Verdict) -> None:
        self._put_image(verdict.item)

    def _put_discovery(self, repository: str, tag: str) -> None:
        manifest, blobs = discovery_image()
        self._uploads.put_small(repository, tag, manifest, blobs)
        self._written.add((repository, tag))

    def _failed(self, failures: dict[str, AirgapError]) -> AirgapError:
        parts = [f"{name}: {error}" for name, error in sorted(failures.items())]
        return AirgapError(
            f"{len(failures)} of {len(self._groups)} parts of the bundle could not be pushed to {self._root}; their channels were not "
            f"written, everything else is there. {' | '.join(parts)}. Mend that and run the push again: what was uploaded is not sent again",
            failures={name: str(error) for name, error in failures.items()},
        )

    def _result(
        self, verdicts: Iterable[Verdict], discovery: list[tuple[str, str]], absent: set[tuple[str, str]]
    ) -> PushResult:
        tags, other_written, other_present = [], 0, 0
        for group in self._groups.values():
            for item in group.items():
                place = (item.repository, item.tag)
                written = place in self._written
                if place not in absent:
                    self._uploads.count_present(item)
                if item.is_technical:
                    other_written += written
                    other_present += not written and place not in absent
                else:
                    before = self._before.get(place)
                    tags.append(TagChange(item.path, item.tag, before, item.image.digest if written else before))
        names = discovery_image()[0].digest
        for repository, tag in discovery:
            before = None if (repository, tag) in self._written else self._target.digest(repository, tag)
            path = repository[len(self._root.path) :].lstrip("/")
            tags.append(TagChange(path, tag, before, names if (repository, tag) in self._written else before))
        uploads = self._uploads
        changed = bool(self._written) or bool(uploads.uploaded.blobs)
        return PushResult(
            changed,
            uploads.uploaded,
            uploads.mounted,
            uploads.present,
            tuple(tags),
            other_written,
            other_present,
            tuple(self._findings),
        )


def _lane_of(name: str, steps: list[Callable[[], None]]) -> Lane:
    return Lane(name, deque([steps]))
