# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An archive between its plan and its bytes: unchanged until it differs, then written (design §4, ideas 1 and 5)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from .._bundle import tar
from .._bundle.delivery import ArchiveSummary
from .._bundle.journal import SpaceRecord
from .._bundle.layout import TaggedImage
from .._bundle.parts import part_name, part_sizes
from .._bundle.plan import ArchivePlan, Placement
from .._bundle.reserve import check_space
from .._bundle.work import WorkFile
from .._bundle.workspace import Workspace
from .._oci import digest as digests
from .._oci.manifest import Manifest
from .downloads import Downloads, Job


class Builder:
    """Places images one after another. As long as everything lies where a finished archive of the same name has it,
    nothing is written; at the first difference a work file is opened and everything goes there.

    Without `downloads` (check mode) nothing is ever written, only counted.
    """

    def __init__(
        self,
        plan: ArchivePlan,
        workspace: Workspace,
        *,
        repositories: dict[str, str],
        host: str,
        chunk_size: int,
        downloads: Downloads | None,
    ) -> None:
        """`repositories` maps layout paths to the repositories, below `host`, that hold their blobs."""
        self.plan = plan
        self.work: WorkFile | None = None
        self.repositories = repositories
        self._host = host
        self._workspace = workspace
        self._chunk_size = chunk_size
        self._downloads = downloads
        self._existing = workspace.existing.get(plan.name)
        self._expected: Iterator[tar.Member] | None = self._members()
        self._resumed: list[tuple[int, bytes]] = []
        self._record: SpaceRecord | None = None
        self._reserved = 0
        self._pending: list[tuple[Placement, bytes | None, bool]] = []
        self._withheld: dict[bytes, Placement] = {}
        self.image_bytes: dict[tuple[str, str], int] = {}
        """Bytes of each tagged image, by layout and short tag: manifest, config and layers."""

    @property
    def differs(self) -> bool:
        """Whether the archive is not the one that lies here already."""
        return self._expected is None

    def add(self, layout: str, short_tag: str | None, manifest: Manifest, *, withhold: bool = False) -> None:
        """Place an image's manifest and blobs; with `short_tag` None it is the child of an index.

        The layers of an image that is to be read while it is downloaded are withheld: `take_withheld` gives them out.
        """
        key = digests.to_key(manifest.digest)
        placement = self.plan.place_manifest(layout, key, manifest.size)
        if placement is not None:
            self._put(placement, raw=manifest.raw)
        total = manifest.size
        for descriptor in manifest.blobs():
            total += descriptor.size
            blob = self.plan.place(layout, digests.to_key(descriptor.digest), descriptor.size)
            if blob is not None:
                self._put(blob, withhold=withhold and descriptor != manifest.config)
        if short_tag is not None:
            self.plan.tag(
                layout, TaggedImage(short_tag, key, manifest.size, manifest.media_type, manifest.artifact_type)
            )
            self.image_bytes[layout, short_tag] = total

    def add_layout(self, layout: str, repository: str) -> None:
        """Make room for a layout that a list has named."""
        self.repositories[layout] = repository
        self.plan.add_layout(layout, f"{self._host}/{repository}")

    def take_withheld(self, key: bytes) -> Job | None:
        """The job of a withheld layer, for the one who asks first."""
        placement = self._withheld.pop(key, None)
        if placement is None or self.work is None:
            return None
        return Job(self.work, placement, self.repositories[placement.layout])

    def release_withheld(self) -> None:
        """Download the withheld layers that nobody wanted to read."""
        for key in list(self._withheld):
            job = self.take_withheld(key)
            if job is not None and self._downloads is not None:
                self._downloads.request(job)

    def close(self) -> None:
        """Place and write what comes last; `summary` is final when the downloads are done."""
        self.flush()
        self.release_withheld()
        tail = self.plan.close()
        if self._existing is not None and self._expected is not None:
            space = self._existing.index.space
            same = all(self._same_bytes(entry.offset, entry.pieces()) for entry in tail) and self._same_files()
            if not same or space.size != self.plan.size:
                self._expected = None
        self.flush()
        if self.work is not None:
            self.work.write_tail(tail, self.plan.size)

    def summary(self) -> ArchiveSummary:
        """What delivery.json says of the archive. Before it is written, the parts have no hashes yet."""
        if self.differs:
            if self.work is not None:
                parts = self.work.parts()
                return ArchiveSummary(self.plan.name, self.plan.size, self.plan.images, self.plan.blobs, parts)
            return ArchiveSummary(self.plan.name, self.plan.size, self.plan.images, self.plan.blobs, ())
        assert self._existing is not None
        return self._existing.summary

    def _members(self) -> Iterator[tar.Member] | None:
        return tar.members(self._existing.index.space, self.plan.name) if self._existing else None

    def _put(self, placement: Placement, *, raw: bytes | None = None, withhold: bool = False) -> None:
        if self._expected is not None:
            member = next(self._expected, None)
            if member is not None and (member.start, member.name, member.size) == (
                placement.start,
                placement.name,
                placement.size,
            ):
                return
            self._expected = None
        if self._downloads is not None:
            self._pending.append((placement, raw, withhold))

    def flush(self) -> None:
        """Reserve the space of what was added since the last time, and order it. Raises NoSpace."""
        if self._downloads is None or not self.differs:
            return
        if self.work is None:
            self._open_work_file()
            first = self._pending[0][0].start if self._pending else self.plan.size
            earlier = [(placement, None, False) for placement in self.plan.placements() if placement.start < first]
            self._pending[:0] = earlier
        for placement, _raw, _withhold in self._pending:
            self.work.expect(placement)
        self._reserve()
        for placement, raw, withhold in self._pending:
            self._order(placement, raw, withhold)
        self._pending.clear()

    def _open_work_file(self) -> None:
        self._record = self._workspace.resumable(self.plan.name, self._chunk_size)
        self.work = self._workspace.work_file(self.plan.name, self._chunk_size, self._record)
        if self._record is not None:
            self._resumed = sorted(((offset, key) for offset, (key, _size) in self._record.blobs.items()), reverse=True)

    def _order(self, placement: Placement, raw: bytes | None, withhold: bool) -> None:
        work, downloads = self.work, self._downloads
        assert work is not None and downloads is not None
        if self._lies_in_place(placement):
            work.accept(placement)
            downloads.landed(work, placement)
            return
        if raw is not None:
            entry = tar.header(placement.name, placement.size) + raw
            work.write(placement.start, memoryview(entry))
            work.pad(placement)
            work.complete(placement)
            downloads.landed(work, placement)
        elif withhold:
            self._withheld[placement.key] = placement
        else:
            downloads.request(Job(work, placement, self.repositories[placement.layout]))

    def _lies_in_place(self, placement: Placement) -> bool:
        """Whether an interrupted run has written just this entry; what it wrote across its place is rescued first."""
        while self._resumed and self._resumed[-1][0] < placement.stop:
            offset, key = self._resumed[-1]
            if (offset, key) == (placement.offset, placement.key):
                self._resumed.pop()
                return True
            assert self._record is not None
            self._workspace.salvage(self._record, min(offset, placement.start))
            self._resumed.clear()
        return False

    def _reserve(self) -> None:
        """Take the space of what was placed since the last time; what a resumed file has already counts as there."""
        assert self.work is not None
        start, stop = self._reserved, self.plan.size
        present = sum(_allocated(self.work, number) for number in range(len(part_sizes(stop, self._chunk_size))))
        check_space(self._workspace.path, max(0, stop - max(start, present)))
        self.work.reserve(start, stop)
        self._reserved = stop

    def _same_bytes(self, offset: int, pieces: Iterator[bytes]) -> bool:
        assert self._existing is not None
        for piece in pieces:
            if self._existing.index.space.read_at(offset, len(piece)) != piece:
                return False
            offset += len(piece)
        return True

    def _same_files(self) -> bool:
        assert self._existing is not None
        wanted = [(part_name(self.plan.name, number, self._chunk_size), size)
                  for number, size in enumerate(part_sizes(self.plan.size, self._chunk_size))]  # fmt: skip
        return [(part.name, part.bytes) for part in self._existing.summary.parts] == wanted


def _allocated(work: WorkFile, number: int) -> int:
    path: Path = work.space.path(number)
    return path.stat().st_blocks * 512 if path.exists() else 0
