# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Manifests and small files of images, from wherever they are nearest: this host's memory, its disk, the registry."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from typing import TypeVar

from .._bundle.donors import Donors, is_intact
from .._bundle.parts import SpaceReader
from .._oci import digest as digests
from .._oci import manifest as manifests
from .._oci.compression import ByteSource
from .._oci.errors import InvalidContent, Stopped
from .._oci.files import Enough, ImageFiles, LayerFiles, read_layer
from .._oci.manifest import Descriptor, Manifest
from .._registry.client import Registry
from .._registry.download import BlobReader
from .memory import HostMemory

_SMALL_LAYER = 4 * 1024 * 1024
Item = TypeVar("Item")
Result = TypeVar("Result")
LayerOpener = Callable[[Descriptor, Callable[[ByteSource], None]], bool]
"""Streams a layer through a reader in its own way; False when it leaves that to the registry."""


class ImageReader:
    """Reads one registry's images, local copies first. Safe to use from many threads."""

    def __init__(self, registry: Registry, donors: Donors, memory: HostMemory) -> None:
        self.registry = registry
        self.pool, self._streams = self._threads()
        self._donors = donors
        self._memory = memory
        self._learnt: dict[str, dict[str, bytes]] = {}
        self._lock = threading.Lock()
        self._layers: dict[tuple[str, frozenset[str]], Future[LayerFiles]] = {}

    def _threads(self) -> tuple[ThreadPoolExecutor, ThreadPoolExecutor]:
        most = self.registry.ceiling
        return ThreadPoolExecutor(most, thread_name_prefix="read"), ThreadPoolExecutor(
            most, thread_name_prefix="stream"
        )

    def renew(self) -> None:
        """End what is under way and begin anew. Call it when a run was stopped, and before it is told to go on: what
        has not ended would stop it again."""
        self.close()
        self.pool, self._streams = self._threads()

    def manifest(self, repository: str, reference: str) -> Manifest:
        """The manifest of a tag (always asked of the registry) or of a digest (from this disk if it is here)."""
        if digests.is_digest(reference):
            raw = self._donors.read(digests.to_key(reference))
            if raw is not None:
                return manifests.parse(raw, where=f"{repository}@{reference}")
        return self.registry.manifest(repository, reference)

    def files(
        self,
        repository: str,
        manifest: Manifest,
        wanted: frozenset[str],
        *,
        enough: Enough | None = None,
        opener: LayerOpener | None = None,
    ) -> dict[str, bytes]:
        """The `wanted` files of an image, those that it has. Remembered by the image's digest, which never lies.

        Raises InvalidContent for a layer that cannot be read, and what the registry raises.
        """
        if manifest.is_index:
            raise InvalidContent(
                f"{repository}@{manifest.digest}: an index of several platforms stands where one image with "
                "metadata is expected"
            )
        name = "\n".join([manifest.digest, *sorted(wanted)])
        remembered = self._memory.get("files", name)
        if isinstance(remembered, dict) and all(isinstance(text, str) for text in remembered.values()):
            return {path: text.encode("utf-8", "surrogateescape") for path, text in remembered.items()}
        image = ImageFiles(wanted)
        for layer in reversed(manifest.layers):
            image.add(self._layer_files(repository, layer, wanted, enough, opener))
            if not image.missing or (enough is not None and enough(image.found)):
                break
        self._learnt[name] = image.found
        return image.found

    def gather(self, function: Callable[[Item], Result], items: Iterable[Item]) -> list[Result]:
        """`function` of every item, many at a time, results in order; the first error is raised, the rest not begun."""
        futures = [self.pool.submit(function, item) for item in items]
        try:
            raise_first(wait(futures, return_when=FIRST_EXCEPTION).done)
            return [future.result() for future in futures]
        finally:
            for future in futures:
                future.cancel()

    def remember(self) -> None:
        """Let the host remember the files that were read, now that the layers they came from were verified."""
        while self._learnt:
            name, found = self._learnt.popitem()
            texts = {path: data.decode("utf-8", "surrogateescape") for path, data in found.items()}
            self._memory.put("files", name, texts)

    def close(self) -> None:
        """End the threads; what has not begun is dropped."""
        self.pool.shutdown(wait=True, cancel_futures=True)
        self._streams.shutdown(wait=True, cancel_futures=True)

    def _layer_files(
        self,
        repository: str,
        layer: Descriptor,
        wanted: frozenset[str],
        enough: Enough | None,
        opener: LayerOpener | None,
    ) -> LayerFiles:
        """What one layer says; images that share it read it once."""
        key = (layer.digest, wanted)
        with self._lock:
            known = self._layers.get(key)
            if known is not None and known.done() and known.exception() is not None:
                known = None
            result: Future[LayerFiles] = known or Future()
            self._layers[key] = result
        if known is None:
            where = f"{repository}@{layer.digest}"

            def read(stream: ByteSource) -> None:
                layer_files = read_layer(stream, wanted, where=where, enough=enough)
                if isinstance(stream, BlobReader) and layer.size <= _SMALL_LAYER:
                    while stream.read(_SMALL_LAYER):
                        pass  # to its end, where the digest is verified
                result.set_result(layer_files)

            _settle(self._streams.submit(self._stream, repository, layer, read, opener), result)
        return result.result()

    def _stream(
        self, repository: str, layer: Descriptor, read: Callable[[ByteSource], None], opener: LayerOpener | None
    ) -> None:
        if opener is not None and opener(layer, read):
            return
        for found in self._donors.find(digests.to_key(layer.digest)):
            if is_intact(found.space, found.offset, found.size, digests.to_key(layer.digest)):
                read(SpaceReader(found.space, found.offset, found.size))
                return
        with self.registry.open_blob(repository, layer.digest, layer.size) as blob:
            read(blob)


def _settle(work: Future[None], result: Future[LayerFiles]) -> None:
    """An error of the work that ended before there was a result becomes the result."""

    def ended(done: Future[None]) -> None:
        if not result.done():
            error = done.exception() if not done.cancelled() else InvalidContent("reading a layer was given up")
            result.set_exception(error or InvalidContent("a layer ended before it was read"))

    work.add_done_callback(ended)


def raise_first(done: Iterable[Future[Result]]) -> None:
    """Raise the error of one of `done` that failed; one with a reason of its own before one that was stopped."""
    errors = [error for future in done if not future.cancelled() and (error := future.exception()) is not None]
    for error in sorted(errors, key=lambda error: isinstance(error, Stopped)):
        raise error
