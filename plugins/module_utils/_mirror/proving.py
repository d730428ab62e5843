# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The proof of a bundle: every manifest's closure is there, and every byte of it has its hash (contract, `verify`)."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from .._bundle.donors import HashingReader
from .._bundle.errors import BundleDamaged
from .._bundle.index import ArchiveIndex
from .._oci import digest as digests
from .._oci.errors import AirgapError, Stopped
from .._registry.stopping import Stopping
from .bundle import BlobPlace, JoinedLayout, OpenBundle, unreadable
from .memory import HostMemory
from .proofs import identity_of, is_proven, put_proof

_BUFFER_SIZE = 1024 * 1024
Needed = tuple[bytes, BlobPlace]
"""Key of a blob, and where its bytes must be."""


def prove(bundle: OpenBundle, memory: HostMemory, *, always: bool, stopping: Stopping | None = None) -> int:
    """Prove every archive that this host has not proven before (`always`: all of them).

    Returns the bytes that were read. Raises BundleDamaged with the archive's name and the first thing that is wrong,
    BundleError for files that cannot be read, Stopped.
    """
    check = _Check(stopping or Stopping())
    read = 0
    with ThreadPoolExecutor(check.workers, thread_name_prefix="prove") as pool:
        try:
            for files, archive in bundle.archives:
                if not always and is_proven(memory, files.paths):
                    continue
                identity = identity_of(files.paths)  # before the first byte is read: a later change has to show
                alone = True
                for view in _views_from(bundle, archive):
                    count, spaces = check.all_of(view, pool)
                    read += count
                    alone = alone and spaces <= {id(archive.space)}
                if alone:  # one that others complete is read again: those may not be there next time
                    put_proof(memory, files.paths, identity)
        except BaseException as error:
            check.end(error)
            raise
    return read


def _views_from(bundle: OpenBundle, archive: ArchiveIndex) -> Iterator[JoinedLayout]:
    for path in archive.layouts:
        if path in bundle.layouts:
            yield from (view for view in bundle.layouts[path].views() if view.sources[0][0] is archive)


def _closure(layout: JoinedLayout) -> Iterator[Needed]:
    """Every blob that the layout's images need, each once; manifests are read and checked on the way."""
    seen: set[bytes] = set()
    pending = [(image.key, image.size) for image in layout.images.values()]
    while pending:
        key, size = pending.pop()
        if key in seen:
            continue
        seen.add(key)
        manifest = layout.manifest(key, size)
        pending += [(digests.to_key(child.digest), child.size) for child in manifest.children]
        for blob in manifest.blobs():
            blob_key = digests.to_key(blob.digest)
            if blob_key not in seen:
                seen.add(blob_key)
                yield blob_key, _place_of(layout, blob_key, blob.size)


def _place_of(layout: JoinedLayout, key: bytes, size: int) -> BlobPlace:
    place = layout.place(key)
    if place.size != size:
        problem = f"{layout.where}: blob sha256:{key.hex()} has {place.size} bytes, its manifest says {size}"
        raise BundleDamaged(place.archive, problem)
    return place


class _Check:
    """Hashes blobs on as many workers as there are processors."""

    def __init__(self, stopping: Stopping) -> None:
        self.workers = max(os.cpu_count() or 1, 1)
        self.failure: AirgapError | None = None
        """The first one; it ends the reading of all workers."""
        self._stopping = stopping

    def end(self, error: BaseException) -> None:
        """Let nobody read on: the run is over."""
        self.failure = self.failure or Stopped(f"reading the bundle was given up ({type(error).__name__})")

    def all_of(self, layout: JoinedLayout, pool: ThreadPoolExecutor) -> tuple[int, set[int]]:
        """Read what the layout's images need; returns the bytes, and the identities of the spaces they lie in."""
        needed = sorted(_closure(layout), key=lambda pair: pair[1].offset)
        # every worker takes each nth blob: all of them advance through the archive together
        shares = [needed[number :: self.workers] for number in range(self.workers)]
        read = sum(pool.map(partial(self._share, layout), shares))
        if self.failure is not None:
            raise self.failure
        return read, {id(place.space) for _key, place in needed}

    def _share(self, layout: JoinedLayout, needed: Sequence[Needed]) -> int:
        buffer = memoryview(bytearray(_BUFFER_SIZE))
        read = 0
        try:
            for key, place in needed:
                if self._hash(place, buffer) != key:
                    raise BundleDamaged(
                        place.archive,
                        f"{layout.where}: blob sha256:{key.hex()} is damaged, its bytes have another hash; "
                        "copy the archive again",
                    )
                read += place.size
        except AirgapError as error:
            self.failure = self.failure or error
        except OSError as error:
            self.failure = self.failure or unreadable(place.archive, error)
        return read

    def _hash(self, place: BlobPlace, buffer: memoryview) -> bytes:
        reader = HashingReader(place.space, place.offset, place.size)
        while reader.readinto(buffer):
            if self._stopping.is_set() or self.failure is not None:
                raise Stopped("stopped while the bundle was read; nothing was uploaded")
        return reader.key()
