# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where every byte of an archive goes, before it is written (design §4, idea 1)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from . import tar
from .blobmap import BlobMap
from .layout import INDEX_NAME, MARKER, MARKER_NAME, TaggedImage, blob_name, in_layout, render_index


@dataclass(frozen=True)
class Placement:
    """A blob's entry: its header begins at `start`, its content at `offset`."""

    layout: str
    key: bytes
    start: int
    offset: int
    size: int

    @property
    def name(self) -> str:
        return blob_name(self.layout, self.key)

    @property
    def stop(self) -> int:
        return self.offset + tar.padded(self.size)


@dataclass(frozen=True)
class TailEntry:
    """A file that is known only at the end: an index or the layout marker. `pieces()` yields its content."""

    name: str
    start: int
    offset: int
    size: int
    pieces: Callable[[], Iterator[bytes]]


@dataclass
class LayoutPlan:
    """One layout: what it holds so far. `source` is the full repository its images come from, for ref.name."""

    source: str
    blobs: BlobMap = field(default_factory=BlobMap)
    images: dict[str, TaggedImage] = field(default_factory=dict)

    def holds_manifest(self, short_tag: str) -> bool:
        return short_tag in self.images


class ArchivePlan:
    """Entries in the order they were placed; the same calls in the same order give the same bytes."""

    def __init__(self, name: str, layouts: dict[str, str]) -> None:
        """`layouts` maps each layout path to the source repository of its images; all are written, also empty ones."""
        self.name = name
        self.layouts = {path: LayoutPlan(source) for path, source in layouts.items()}
        self.size = 0
        """Bytes placed so far; after `close` those of the whole archive."""
        self.images = 0
        self.distinct_bytes = 0
        """Bytes of blobs placed so far, of one that lies in several layouts once."""

    @property
    def blobs(self) -> int:
        """Blob entries that are no manifests."""
        return sum(len(layout.blobs) for layout in self.layouts.values()) - self.images

    def add_layout(self, path: str, source: str) -> None:
        """Make room for a layout that became known later (the extra images of a module)."""
        self.layouts.setdefault(path, LayoutPlan(source))

    def place(self, layout: str, key: bytes, size: int) -> Placement | None:
        """Give a blob its place at the end; None when `layout` holds it already."""
        blobs = self.layouts[layout].blobs
        if key in blobs:
            return None
        if not any(key in other.blobs for other in self.layouts.values()):
            self.distinct_bytes += size
        start = self.size
        offset = start + len(tar.header(blob_name(layout, key), size))
        blobs.put(key, offset, size)
        placement = Placement(layout, key, start, offset, size)
        self.size = placement.stop
        return placement

    def place_manifest(self, layout: str, key: bytes, size: int) -> Placement | None:
        """As `place`, and counts it as a manifest."""
        placement = self.place(layout, key, size)
        self.images += placement is not None
        return placement

    def tag(self, layout: str, image: TaggedImage) -> None:
        """Let `short_tag` of the layout name the image; a later call for the same tag replaces it."""
        self.layouts[layout].images[image.short_tag] = image

    def placements(self) -> Iterator[Placement]:
        """Everything placed so far, layout by layout."""
        for path, layout in self.layouts.items():
            for key in layout.blobs:
                offset, size = layout.blobs.get(key) or (0, 0)
                yield Placement(path, key, offset - len(tar.header(blob_name(path, key), size)), offset, size)

    def close(self) -> list[TailEntry]:
        """Place marker and index of each layout; `size` is final afterwards (end-of-archive marker included)."""
        tail = []
        for path, layout in self.layouts.items():
            images, source = tuple(layout.images.values()), layout.source
            tail.append(self._place_tail(in_layout(path, MARKER_NAME), lambda: iter([MARKER])))
            tail.append(self._place_tail(in_layout(path, INDEX_NAME), _index_pieces(images, source)))
        self.size += len(tar.END)
        return tail

    def _place_tail(self, name: str, pieces: Callable[[], Iterator[bytes]]) -> TailEntry:
        size = sum(len(piece) for piece in pieces())
        start = self.size
        offset = start + len(tar.header(name, size))
        self.size = offset + tar.padded(size)
        return TailEntry(name, start, offset, size, pieces)


def _index_pieces(images: tuple[TaggedImage, ...], source: str) -> Callable[[], Iterator[bytes]]:
    return lambda: render_index(images, source)
