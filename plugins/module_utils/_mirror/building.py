# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An archive between its plan and its bytes: unchanged until it differs, then written (design §4, ideas 1 and 5)."""

from __future__ import annotations

from collections.abc import Iterator

from .._bundle import tar
from .._bundle.delivery import ArchiveSummary
from .._bundle.layout import TaggedImage
from .._bundle.parts import part_name, part_sizes
from .._bundle.plan import ArchivePlan, Placement, TailEntry
from .._bundle.present import ExistingArchive
from .._bundle.workspace import Workspace
from .._oci import digest as digests
from .._oci.manifest import Manifest
from .downloads import Downloads
from .writing import ArchiveWriter, Entry


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
        self.writer: ArchiveWriter | None = None
        self.repositories = repositories
        self._host = host
        self._workspace = workspace
        self._chunk_size = chunk_size
        self._downloads = downloads
        self._existing = workspace.existing.get(plan.name)
        self._expected: Iterator[tar.Member] | None = None
        if self._existing is not None:
            self._expected = tar.members(self._existing.index.space, plan.name)
        self._pending: list[Entry] = []
        self.image_bytes: dict[str, dict[str, int]] = {}
        """Bytes of each tagged image, by layout and short tag: manifest, config, layers; of an index all its images."""

    @property
    def differs(self) -> bool:
        """Whether the archive is not the one that lies here already."""
        return self._expected is None

    def add(self, layout: str, short_tag: str | None, manifest: Manifest, *, withhold: bool = False) -> int:
        """Place an image's manifest and blobs; returns their bytes. With `short_tag` None it is the child of an index.

        The layers of an image that is to be read while it is downloaded are withheld: `take_withheld` gives them out.
        """
        key = digests.to_key(manifest.digest)
        placement = self.plan.place_manifest(layout, key, manifest.size)
        if placement is not None:
            self._put(Entry(placement, raw=manifest.raw))
        total = manifest.size
        for descriptor in manifest.blobs():
            total += descriptor.size
            blob = self.plan.place(layout, digests.to_key(descriptor.digest), descriptor.size)
            if blob is not None:
                self._put(Entry(blob, withhold=withhold and descriptor != manifest.config))
        if short_tag is not None:
            self.plan.tag(
                layout, TaggedImage(short_tag, key, manifest.size, manifest.media_type, manifest.artifact_type)
            )
            self.image_bytes.setdefault(layout, {})[short_tag] = total
        return total

    def add_layout(self, layout: str, repository: str) -> None:
        """Make room for a layout that a list has named."""
        self.repositories[layout] = repository
        self.plan.add_layout(layout, f"{self._host}/{repository}")

    def release_withheld(self) -> None:
        """Nobody reads any more: what is still withheld is downloaded like everything else."""
        if self.writer is not None:
            self.writer.release_withheld()

    def close(self) -> None:
        """Place and write what comes last; `summary` is final when the downloads are done."""
        self.flush()
        self.release_withheld()
        tail = self.plan.close()
        if self._existing is not None and not _ends_alike(self._existing, tail, self.plan, self._chunk_size):
            self._expected = None
        self.flush()
        if self.writer is not None:
            self.writer.write_tail(tail, self.plan.size)

    def summary(self) -> ArchiveSummary:
        """What delivery.json says of the archive. Before it is written, the parts have no hashes yet."""
        if self._existing is not None and not self.differs:
            return self._existing.summary
        parts = self.writer.work.parts() if self.writer is not None else ()
        return ArchiveSummary(self.plan.name, self.plan.size, self.plan.images, self.plan.blobs, parts)

    def flush(self) -> None:
        """Reserve the space of what was added since the last time, and order it. Raises NoSpace."""
        if self._downloads is None or not self.differs:
            return
        if self.writer is None:
            self.writer = ArchiveWriter(
                self.plan.name,
                self._workspace,
                self._downloads,
                repositories=self.repositories,
                chunk_size=self._chunk_size,
            )
            first = self._pending[0].placement.start if self._pending else self.plan.size
            earlier = [placement for placement in self.plan.placements() if placement.start < first]
            earlier.sort(key=lambda placement: placement.start)
            self._pending[:0] = [Entry(placement) for placement in earlier]
        self.writer.order(self._pending, self.plan.size)
        self._pending.clear()

    def _put(self, entry: Entry) -> None:
        if self._expected is not None:
            member = next(self._expected, None)
            if member is not None and _is_at(member, entry.placement) and self._is_unchanged(entry):
                return
            self._expected = None
        if self._downloads is not None:
            self._pending.append(entry)

    def _is_unchanged(self, entry: Entry) -> bool:
        """Whether a manifest lies there byte for byte; layers can be fetched again, as what they are."""
        if self._existing is None or entry.raw is None:
            return True
        return self._existing.index.space.read_at(entry.placement.offset, len(entry.raw)) == entry.raw


def _is_at(member: tar.Member, placement: Placement) -> bool:
    return (member.start, member.name, member.size) == (placement.start, placement.name, placement.size)


def _ends_alike(existing: ExistingArchive, tail: list[TailEntry], plan: ArchivePlan, chunk_size: int) -> bool:
    """Whether the finished archive has the same indexes, the same size, and is cut into the same parts."""
    space = existing.index.space
    if space.size != plan.size:
        return False
    for entry in tail:
        offset = entry.offset
        for piece in entry.pieces():
            if space.read_at(offset, len(piece)) != piece:
                return False
            offset += len(piece)
    sizes = enumerate(part_sizes(plan.size, chunk_size))
    wanted = [(part_name(plan.name, number, chunk_size), size) for number, size in sizes]
    return [(part.name, part.bytes) for part in existing.summary.parts] == wanted
