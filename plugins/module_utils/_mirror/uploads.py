# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Blobs and manifests on their way to the private registry, straight from the archives (design §4, ideas 2 and 3)."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice

from .._bundle.donors import is_intact
from .._bundle.errors import BundleDamaged
from .._oci import digest as digests
from .._oci.manifest import Descriptor, Manifest
from .._registry.client import Registry
from .._registry.errors import BlobUnknown, DigestMismatch
from .._registry.upload_body import Body, BytesBody
from .bundle import BlobPlace, JoinedLayout, unreadable
from .freight import Item
from .target import Target

_BUFFER_SIZE = 256 * 1024
_REPAIRS = 2
_MOST_ASKED = 8
"""Repositories asked for a blob that an interrupted push may have left there."""


@dataclass
class Tally:
    """A number of blobs, and their bytes."""

    blobs: int = 0
    bytes: int = 0

    def as_dict(self) -> dict[str, int]:
        return {"blobs": self.blobs, "bytes": self.bytes}


class BundleBody:
    """A blob in an archive as the body of an upload; it can be read again from any byte."""

    def __init__(self, place: BlobPlace) -> None:
        self.place = place
        self.size = place.size

    def chunks(self, start: int, stop: int) -> Iterator[memoryview]:
        buffer = memoryview(bytearray(min(_BUFFER_SIZE, max(stop - start, 1))))
        return self.place.space.chunks(self.place.offset + start, stop - start, buffer)


class Uploads:
    """Puts images into the registry: each blob once, mounted where another repository has it."""

    def __init__(
        self,
        registry: Registry,
        target: Target,
        *,
        may_hold: Callable[[str], bool],
        homes_of: Callable[[bytes], Iterable[str]],
        dry: bool = False,
    ) -> None:
        """`may_hold` tells of a repository without tags whether it may hold blobs all the same (of an earlier push),
        `homes_of` which repositories need a blob. `dry` counts and asks, but sends nothing."""
        self.uploaded = Tally()
        self.mounted = Tally()
        self.present = Tally()
        self.children = 0
        """Manifests written that have no tag of their own: parts of indexes."""
        self._registry = registry
        self._target = target
        self._may_hold = may_hold
        self._homes_of = homes_of
        self._dry = dry
        self._changed = threading.Condition()
        self._homes: dict[bytes, str] = {}
        self._elsewhere: dict[str, set[bytes]] = {}
        self._flying: set[bytes] = set()

    def put_blobs(self, item: Item, *, check: bool = False) -> None:
        """Bring the image's blobs, and those and the manifests of an index's children, to the item's repository.

        `check` asks for each blob first, whatever is known of the repository (`repair`).
        Raises RegistryError; BundleDamaged when the bytes changed since they were proven.
        """
        manifest = item.layout.manifest(item.image.key, item.image.size)
        self._put_blobs_of(item.layout, item.repository, manifest, check)

    def _put_blobs_of(self, layout: JoinedLayout, repository: str, manifest: Manifest, check: bool) -> None:
        for child in manifest.children:
            inner = layout.manifest(digests.to_key(child.digest), child.size)
            self._put_blobs_of(layout, repository, inner, check)
            if not check or self._registry.manifest_digest(repository, inner.digest) is None:
                self._put(repository, inner.digest, inner, lambda blob: _body(layout, blob))
                with self._changed:
                    self.children += 1
        blobs = list(manifest.blobs())
        with self._changed:
            blobs.sort(key=lambda blob: digests.to_key(blob.digest) in self._flying)  # others' flights come last
        for blob in blobs:
            self._ensure(repository, blob, _body(layout, blob), check)

    def put_manifest(self, item: Item) -> None:
        """Write the image's manifest under its tag; its blobs must be there."""
        manifest = item.layout.manifest(item.image.key, item.image.size)
        self._put(item.repository, item.tag, manifest, lambda blob: _body(item.layout, blob))

    def put_small(self, repository: str, tag: str, manifest: Manifest, blobs: dict[str, bytes]) -> None:
        """Write an image that lies in memory (a discovery image)."""
        for blob in manifest.blobs():
            self._ensure(repository, blob, BytesBody(blobs[blob.digest]), check=False)
        self._put(repository, tag, manifest, lambda blob: BytesBody(blobs[blob.digest]))

    def note_present(self, item: Item) -> None:
        """The image is there already, so its blobs are, too: nobody asks for them, others may be mounted from here."""
        self._note_all(item.layout, item.repository, item.layout.manifest(item.image.key, item.image.size))

    def _note_all(self, layout: JoinedLayout, repository: str, manifest: Manifest) -> None:
        for child in manifest.children:
            self._note_all(layout, repository, layout.manifest(digests.to_key(child.digest), child.size))
        self.note_small(repository, manifest)

    def note_small(self, repository: str, manifest: Manifest) -> None:
        """As `note_present`, for an image that lies in memory."""
        for blob in manifest.blobs():
            key = digests.to_key(blob.digest)
            with self._changed:
                if not self._is_in(repository=repository, key=key):
                    self._note(repository, key)
                    _count(self.present, blob.size)

    def _put(self, repository: str, reference: str, manifest: Manifest, body: Callable[[Descriptor], Body]) -> None:
        """PUT, and when the registry lacks blobs that it claimed to have, send these whatever it says (quirks §9)."""
        for attempt in range(0 if self._dry else _REPAIRS + 1):
            try:
                self._registry.put_manifest(repository, reference, manifest)
                return
            except BlobUnknown as error:
                if attempt == _REPAIRS:
                    raise
                for blob in manifest.blobs():
                    if not error.digests or blob.digest in error.digests:
                        self._send(repository, blob, body(blob))

    def _ensure(self, repository: str, blob: Descriptor, body: Body, check: bool) -> None:
        key = digests.to_key(blob.digest)
        with self._changed:
            self._changed.wait_for(lambda: key not in self._flying)
            if self._is_in(repository=repository, key=key):
                return
            home = self._homes.get(key)
            self._flying.add(key)
        try:
            self._bring(repository, blob, body, home, check)
            with self._changed:
                self._note(repository, key)
        finally:
            with self._changed:
                self._flying.discard(key)
                self._changed.notify_all()

    def _bring(self, repository: str, blob: Descriptor, body: Body, home: str | None, check: bool) -> None:
        ask = check or not self._target.is_empty(repository) or self._may_hold(repository)
        if ask and self._registry.blob_exists(repository, blob.digest):
            tally = self.present
        elif (home := home or self._left_elsewhere(repository, blob)) is not None and (
            self._dry or self._registry.mount_blob(repository, blob.digest, source=home)
        ):
            tally = self.mounted
        else:
            self._send(repository, blob, body)
            return
        with self._changed:
            _count(tally, blob.size)

    def _left_elsewhere(self, repository: str, blob: Descriptor) -> str | None:
        """A repository into which an earlier push, that did not end, has brought the blob already."""
        homes = self._homes_of(digests.to_key(blob.digest))
        left = (home for home in homes if home != repository and self._may_hold(home))
        return next((home for home in islice(left, _MOST_ASKED) if self._registry.blob_exists(home, blob.digest)), None)

    def _send(self, repository: str, blob: Descriptor, body: Body) -> None:
        if not self._dry:
            try:
                self._registry.upload_blob(repository, blob.digest, body)
            except DigestMismatch as error:
                _check_source(body, blob.digest, error)
                raise
            except OSError as error:  # of reading: those of the line are told as TransportFailure
                raise unreadable(body.place.archive if isinstance(body, BundleBody) else "a blob", error) from error
        with self._changed:
            _count(self.uploaded, blob.size)

    def _is_in(self, *, repository: str, key: bytes) -> bool:
        return self._homes.get(key) == repository or key in self._elsewhere.get(repository, ())

    def _note(self, repository: str, key: bytes) -> None:
        if self._homes.setdefault(key, repository) != repository:
            self._elsewhere.setdefault(repository, set()).add(key)


def _body(layout: JoinedLayout, blob: Descriptor) -> BundleBody:
    return BundleBody(layout.place(digests.to_key(blob.digest)))


def _check_source(body: Body, digest: str, refusal: DigestMismatch) -> None:
    """The registry says that other bytes arrived: find out whether they have changed in the archive."""
    if isinstance(body, BundleBody):
        place = body.place
        if not is_intact(place.space, place.offset, place.size, digests.to_key(digest)):
            raise BundleDamaged(
                place.archive,
                f"blob {digest} has changed since the archive was proven; push with verify: always to see all damage, "
                "and copy the archive again",
            ) from refusal


def _count(tally: Tally, size: int) -> None:
    tally.blobs += 1
    tally.bytes += size
