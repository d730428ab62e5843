# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Puts pointers back to what they were: first what clusters were shown last (issue 5, §1.4)."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

from .._dkp import tree
from .._dkp.channels import KNOWN_CHANNELS
from .._dkp.findings import Finding
from .._dkp.mirror_pointers import MirrorPointers, SavedPointer, released_in
from .._oci.errors import AirgapError
from .._registry.client import Registry
from .._registry.errors import BlobUnknown
from .._registry.stopping import Stopping
from .outcome import TagChange, named
from .stages import Lane, Stages
from .target import Target

KEPT, NEWER = "kept", "newer"


@dataclass(frozen=True)
class RestoreResult:
    """What came of it; in check mode, what would."""

    tags: tuple[TagChange, ...]
    findings: tuple[Finding, ...]

    @property
    def changed(self) -> bool:
        return any(change.before != change.after for change in self.tags)


def restore_pointers(
    saved: MirrorPointers, registry: Registry, stopping: Stopping, *, modules_path: str, check_mode: bool
) -> RestoreResult:
    """Let every pointer of `saved` be what it was. One that was not there stays, for nothing is ever deleted.

    Raises AirgapError, before anything is written, naming pointers to versions that the registry has lost; and naming
    those that it refused, with the ones after them, which are then left alone. RegistryError, Stopped.
    """
    with ThreadPoolExecutor(registry.ceiling, thread_name_prefix="ask") as pool:
        current = _current(saved.pointers, Target(registry, pool), modules_path)
    before = {pointer: current[pointer.repository, pointer.tag] for pointer in saved.pointers}
    newer = {pointer for pointer, digest in before.items() if _is_newer(pointer, digest)}
    moved = [one for one, digest in before.items() if one.digest not in (None, digest) and one not in newer]
    _refuse_incomplete(moved, current, modules_path)
    if not check_mode:
        _write(moved, registry, stopping)
    after = {**before, **{pointer: pointer.digest for pointer in moved}}
    return RestoreResult(
        tuple(TagChange(one.repository, one.tag, digest, after[one]) for one, digest in before.items()),
        (
            *(_stays(pointer) for pointer, digest in before.items() if pointer.digest is None and digest is not None),
            *(_is_left(pointer) for pointer in saved.pointers if pointer in newer),
        ),
    )


def _current(pointers: Sequence[SavedPointer], target: Target, modules_path: str) -> dict[tuple[str, str], str | None]:
    """What the pointers, and the versions that they are to point at, are in the registry; by path and tag."""
    wanted = {(pointer.repository, pointer.tag) for pointer in pointers}
    wanted.update(need for pointer in pointers for need in _needs(pointer, modules_path))
    root = target.registry.address
    target.load({root.child(path) for path, _tag in wanted})
    asked = sorted(wanted)
    return dict(zip(asked, target.digests((root.child(path), tag) for path, tag in asked)))


def _needs(pointer: SavedPointer, modules_path: str) -> list[tuple[str, str]]:
    if pointer.version is None:
        return []
    return [(path, str(pointer.version)) for path in released_in(pointer.repository, modules_path=modules_path)]


def _refuse_incomplete(
    moved: Sequence[SavedPointer], current: Mapping[tuple[str, str], str | None], modules_path: str
) -> None:
    lost = {
        pointer.name: [f"{path}:{tag}" for path, tag in _needs(pointer, modules_path) if current[path, tag] is None]
        for pointer in moved
    }
    texts = [f"{name} (lacks {', '.join(lacks)})" for name, lacks in lost.items() if lacks]
    if texts:
        raise AirgapError(
            f"the registry has lost versions that pointers would go back to: {named(texts)}; nothing was written. Push "
            "the bundle that brought them again, or take these pointers out of the document",
            missing=[lack for lacks in lost.values() for lack in lacks][:1000],
        )


def _write(moved: Sequence[SavedPointer], registry: Registry, stopping: Stopping) -> None:
    done: set[str] = set()

    def put(pointer: SavedPointer) -> None:
        _put_back(pointer, registry)
        done.add(pointer.name)

    for lanes in _phases(moved, put):
        failures = Stages(registry, stopping).run(lanes)
        if failures:
            waiting = [pointer.name for pointer in moved if pointer.name not in done]
            reasons = "; ".join(str(error) for _name, error in sorted(failures.items()))
            raise AirgapError(
                f"not everything could be put back: {reasons}. Of the pointers, {len(done)} went back and "
                f"{len(waiting)} did not ({named(waiting)}). Mend that and run it again; until then the registry shows "
                "some of the old and some of the new",
                pending=waiting[:1000],
            )


def _phases(moved: Sequence[SavedPointer], put: Callable[[SavedPointer], None]) -> Iterator[list[Lane]]:
    """The publish order (`publishing.phases`) turned round: no cluster sees an old module under a new platform."""
    by_area: dict[str, list[SavedPointer]] = {}
    for pointer in moved:
        by_area.setdefault(tree.place_of(pointer.repository).area, []).append(pointer)
    platform = by_area.pop("platform", [])
    platform.sort(key=lambda pointer: (-KNOWN_CHANNELS.index(pointer.tag), pointer.repository), reverse=True)
    late = [pointer for area in ("security", "installer") for pointer in by_area.pop(area, [])]
    early = [pointer for pointers in by_area.values() for pointer in pointers]
    yield [Lane("platform", deque([[partial(put, pointer)] for pointer in platform]))]
    for pointers in (late, early):
        yield [Lane(pointer.name, deque([[partial(put, pointer)]])) for pointer in pointers]


def _put_back(pointer: SavedPointer, registry: Registry) -> None:
    manifest = pointer.image()
    if manifest is None:
        return
    try:
        registry.put_manifest(registry.address.child(pointer.repository), pointer.tag, manifest)
    except BlobUnknown as error:
        raise AirgapError(
            f"{pointer.name}: the registry no longer has what {manifest.digest} consists of ({error}); push the bundle "
            "that brought it again"
        ) from error


def _is_newer(pointer: SavedPointer, digest: str | None) -> bool:
    """Whether it is a database that somebody has moved on since: clusters have no use for an older one."""
    is_database = tree.place_of(pointer.repository).area == "security"
    known = (None, pointer.digest, pointer.published)
    return is_database and pointer.published is not None and digest not in known


def _is_left(pointer: SavedPointer) -> Finding:
    return Finding(
        NEWER,
        "info",
        pointer.name,
        f"{pointer.name} is neither what it was nor what was published then; it stays as it is",
        "Databases have a schedule of their own; push an older one with allow_downgrade: true if that is meant",
    )


def _stays(pointer: SavedPointer) -> Finding:
    return Finding(
        KEPT,
        "warning",
        pointer.name,
        f"{pointer.name} did not exist when the pointers were saved; it stays as it is, for nothing is ever deleted",
        "What it points at is complete. Delete the tag in the registry if no cluster may see it",
    )
