# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Asks a registry what it has. What one repository refuses is noted, and the others are asked all the same."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TypeVar

from .._bundle.donors import Donors
from .._dkp import release as releases
from .._dkp.check.observed import ABSENT, BROKEN, THERE, UNKNOWN, Image, Metadata, Refusal
from .._oci.errors import InvalidContent
from .._oci.files import Enough
from .._oci.manifest import Manifest
from .._registry.client import Registry
from .._registry.errors import DigestMismatch, NotFound, RegistryError, Throttled, TransportFailure
from .memory import HostMemory
from .reading import ImageReader

Place = tuple[str, str]
"""A repository, and a tag or digest of it."""
Consists = tuple["list[str]", "list[tuple[str, str]]"]
"""References of components (digests or tags), and extra images by name and tag."""
Item = TypeVar("Item")
Result = TypeVar("Result")
_MOST_REFUSALS = 5
"""Of one repository, which has answered nothing else: then it is asked no more."""
_DEEPEST_INDEX = 3
_UNAUTHORIZED = 401
_CONSISTS = "consists"


@contextmanager
def asking(
    registry: Registry, memory: HostMemory, *, blobs: bool = False, delivered: Mapping[Place, str] | None = None
) -> Iterator[Asker]:
    """An Asker of the registry. Raises what it was refused where it was told nothing else."""
    # What a pull takes from memory was verified to the end, and long lists here are not: they are kept apart.
    reader, lists = ImageReader(registry, Donors(), memory), ImageReader(registry, Donors(), memory)
    try:
        asker = Asker(reader, lists, memory, blobs=blobs, delivered=delivered)
        yield asker
        asker.check_served()
        reader.remember()
    finally:
        reader.close()
        lists.close()


class Asker:
    """Asks once for each list and image. Safe to use from many threads; failures of the whole registry are raised."""

    def __init__(
        self,
        reader: ImageReader,
        lists: ImageReader,
        memory: HostMemory,
        *,
        blobs: bool = False,
        delivered: Mapping[Place, str] | None = None,
    ) -> None:
        """`lists` reads lists of components. `blobs`: an image is there only if all that its manifest names is there
        too. `delivered`: the digests that tags have to have."""
        self.manifests = 0
        """How many manifests were asked for."""
        self.blobs = 0
        self._reader = reader
        self._list_reader = lists
        self._memory = memory
        self._registry = reader.registry
        self._asks_blobs = blobs
        self._delivered = delivered or {}
        self._lock = threading.Lock()
        self._lists: dict[str, frozenset[str] | None] = {}
        self._images: dict[Place, Image] = {}
        self._blobs: dict[Place, bool] = {}
        self._refusals: dict[tuple[str, str], Refusal] = {}
        self._refused: dict[str, int] = {}
        self._served: set[str] = set()
        self._errors: list[RegistryError] = []

    def gather(self, function: Callable[[Item], Result], items: Iterable[Item]) -> list[Result]:
        """`function` of every item, many at a time."""
        return self._reader.gather(function, items)

    @property
    def refusals(self) -> tuple[Refusal, ...]:
        """What was refused, by repository."""
        return tuple(self._refusals[key] for key in sorted(self._refusals))

    def lists(self, repositories: Iterable[str]) -> dict[str, frozenset[str] | None]:
        """The tags of each repository; None for one that refuses. Raises AccessDenied when the credentials are refused
        for all of them: asking on would only lock the account."""
        names = sorted(set(repositories))
        new = [name for name in names if name not in self._lists]
        errors = self._list(new)
        for name, error in errors.items():
            self._refuse(name, "list", error)
        if errors and all(tags is None for tags in self._lists.values()):
            denied = [error for error in errors.values() if error.status == _UNAUTHORIZED]
            if len(denied) == len(new):
                raise denied[0]
        return {name: self._lists[name] for name in names}

    def check_served(self) -> None:
        """Raise the first refusal where the registry has answered nothing else."""
        if self._errors and not self._served and all(tags is None for tags in self._lists.values()):
            raise self._errors[0]

    def lists_by_the_way(self, repositories: Iterable[str]) -> dict[str, frozenset[str] | None]:
        """The same of repositories whose lists nobody needs: a refusal is no matter."""
        names = sorted(set(repositories))
        self._list([name for name in names if name not in self._lists])
        return {name: self._lists[name] for name in names}

    def _list(self, repositories: Sequence[str]) -> dict[str, RegistryError]:
        """Read lists; returns the errors."""
        answers = dict(zip(repositories, self.gather(self._tags, repositories)))
        errors = {name: answer for name, answer in answers.items() if isinstance(answer, RegistryError)}
        for name, answer in answers.items():
            self._lists[name] = None if isinstance(answer, RegistryError) else answer
        return errors

    def _tags(self, repository: str) -> frozenset[str] | RegistryError:
        try:
            tags = frozenset(self._registry.tags(repository))
        except NotFound:
            tags = frozenset()
        except RegistryError as error:
            return error
        return tags

    def image(self, place: Place) -> Image:
        """What is known of the image at `place`, from one request if nothing below it has to be looked at."""
        known = self._images.get(place)
        if known is None:
            known = self._images[place] = self._look(place)
        return known

    def images(self, places: Iterable[Place]) -> dict[Place, Image]:
        """`image` of many."""
        wanted = list(dict.fromkeys(places))
        return dict(zip(wanted, self.gather(self.image, wanted)))

    def _look(self, place: Place) -> Image:
        if self._asks_blobs:
            return self.manifest(place)[0]

        def ask() -> Image:
            digest = self._registry.manifest_digest(*place)
            return Image(ABSENT) if digest is None else self._compared(place, digest)

        return self._asked(place[0], ask)

    def _compared(self, place: Place, digest: str) -> Image:
        delivered = self._delivered.get(place, digest)
        if digest == delivered:
            return Image(THERE, digest)
        return Image(BROKEN, digest, f"it is {digest}, and in the bundle it is {delivered}")

    def manifest(self, place: Place) -> tuple[Image, Manifest | None]:
        """The image at `place` with its manifest, None where it is not there or cannot be read."""
        found: list[Manifest] = []

        def ask() -> Image:
            manifest = self._registry.manifest(*place)
            found.append(manifest)
            return self._compared(place, manifest.digest)

        image = self._asked(place[0], ask)
        if found and self._asks_blobs:
            lacking = self._lacking(place[0], found[0], _DEEPEST_INDEX)
            if lacking:
                image = Image(BROKEN, image.digest, lacking)
        self._images[place] = image
        return image, found[0] if found else None

    def _asked(self, repository: str, ask: Callable[[], Image]) -> Image:
        if repository not in self._served and self._refused.get(repository, 0) >= _MOST_REFUSALS:
            return Image(UNKNOWN, note=self._refusals[repository, "image"].text)
        with self._lock:
            self.manifests += 1
        try:
            image = ask()
        except NotFound:
            image = Image(ABSENT)
        except (InvalidContent, DigestMismatch) as error:
            image = Image(BROKEN, note=str(error))
        except RegistryError as error:
            return Image(UNKNOWN, note=self._refuse(repository, "image", error))
        with self._lock:
            self._served.add(repository)
        return image

    def _refuse(self, repository: str, what: str, error: RegistryError) -> str:
        """Note what is this repository's own affair; raise what concerns the registry or the way to it."""
        if isinstance(error, (TransportFailure, Throttled)):
            raise error
        with self._lock:
            self._errors.append(error)
            self._refused[repository] = self._refused.get(repository, 0) + (what == "image")
            refusal = self._refusals.setdefault((repository, what), Refusal(repository, what, error.status, str(error)))
        return refusal.text

    def _lacking(self, repository: str, manifest: Manifest, depth: int) -> str:
        """What is missing below a manifest; nothing when all of it is there."""
        for blob in manifest.blobs():
            if not self._has_blob(repository, blob.digest):
                return f"its blob {blob.digest} is missing"
        for child in manifest.children:
            image, below = self.manifest((repository, child.digest)) if depth else (Image(BROKEN), None)
            if image.state != THERE or below is None:
                return image.note or f"{child.digest}, which it names, is missing"
        return ""

    def _has_blob(self, repository: str, digest: str) -> bool:
        """Whether a blob is there. What is refused counts as there: its manifest was served, and R3 tells of it."""
        key = (repository, digest)
        if key not in self._blobs:
            with self._lock:
                self.blobs += 1
            try:
                self._blobs[key] = self._registry.blob_exists(repository, digest)
            except NotFound:
                self._blobs[key] = False
            except RegistryError as error:
                self._refuse(repository, "image", error)
                self._blobs[key] = True
        return self._blobs[key]

    def files(
        self, place: Place, wanted: Collection[str], *, enough: Enough | None = None
    ) -> tuple[Image, Mapping[str, bytes], str]:
        """The image at `place`, those of the `wanted` files that it has, and why they could not be read.

        With `enough` a layer may be left in its middle, unproven.
        """
        reader = self._reader if enough is None else self._list_reader
        image, manifest = self.manifest(place)
        if manifest is None or image.state != THERE:
            return image, {}, image.note or "the image is not there"
        try:
            return image, reader.files(place[0], manifest, frozenset(wanted), enough=enough), ""
        except (NotFound, DigestMismatch) as error:
            image = Image(BROKEN, image.digest, f"a layer is missing or damaged: {error}")
        except InvalidContent as error:
            return image, {}, str(error)
        except RegistryError as error:
            image = Image(UNKNOWN, image.digest, self._refuse(place[0], "image", error))
        self._images[place] = image
        return image, {}, image.note

    def recall(self, digest: str | None) -> Consists | None:
        """What the image with this digest is known to list."""
        found = self._memory.get(_CONSISTS, digest) if digest is not None else None
        parts, extras = (found.get("parts"), found.get("extras")) if isinstance(found, dict) else (None, None)
        if not isinstance(parts, list) or not isinstance(extras, list):
            return None
        return [str(part) for part in parts], [(str(name), str(tag)) for name, tag in extras]

    def remember(self, digest: str | None, parts: Iterable[str], extras: Iterable[tuple[str, str]] = ()) -> None:
        """Let the host remember what the image with this digest lists: references, and names with tags."""
        if digest is not None:
            self._memory.put(_CONSISTS, digest, {"parts": list(parts), "extras": [list(extra) for extra in extras]})

    def metadata(self, place: Place, *, of_module: bool) -> Metadata:
        """The release image at `place`, and what it says."""
        wanted: Sequence[str] = releases.MODULE_RELEASE_FILES if of_module else releases.PLATFORM_RELEASE_FILES
        image, files, problem = self.files(place, wanted)
        if image.state != THERE:
            return Metadata(image)
        try:
            if problem:
                raise InvalidContent(problem)
            return _read(files, image, f"{place[0]}:{place[1]}", of_module=of_module)
        except InvalidContent as error:
            return Metadata(Image(BROKEN, image.digest, str(error)))


def _read(files: Mapping[str, bytes], image: Image, where: str, *, of_module: bool) -> Metadata:
    raw, definition = files.get(releases.VERSION_FILE), files.get(releases.MODULE_FILE)
    if raw is None:
        raise InvalidContent(f"{where}: the image has no {releases.VERSION_FILE}")
    if not of_module:
        release = releases.parse_platform_release(raw, where=where, module_yaml=definition)
        return Metadata(image, release.version, release.suspended, release.requirements)
    described = releases.parse_module_definition(definition or b"", where=f"{where}: {releases.MODULE_FILE}")
    version = releases.parse_module_version(raw, where=where)
    return Metadata(image, version, requirements=described.requirements(), jumps=described.jumps)
