# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a release in a registry consists of, as its own images list it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from .._dkp import components, tree
from .._dkp.check.observed import ABSENT, BROKEN, THERE, UNKNOWN, Image, Parts
from .._oci.digest import is_digest
from .._oci.errors import InvalidContent
from .._oci.reference import RepositoryAddress
from .check_asking import Asker, Place

_PLATFORM_FILES = frozenset(components.PLATFORM_COMPONENT_FILES)
_MODULE_FILES = frozenset(components.MODULE_COMPONENT_FILES)


@dataclass(frozen=True)
class Repositories:
    """Where a line lies: `main` has its images, `releases` its release images, `listing` the tags Deckhouse lists,
    `catalogue` the names of modules."""

    main: str
    releases: str
    listing: str
    catalogue: str | None = None

    @property
    def install(self) -> str:
        """Where install images of the platform lie."""
        return f"{self.main}/{tree.INSTALL}"


def repositories_of(name: str | None, root: RepositoryAddress, modules_path: str) -> Repositories:
    """The repositories of the platform (None) or of a module."""
    if name is None:
        releases = root.child(tree.RELEASE_CHANNEL)
        return Repositories(root.child(tree.ROOT), releases, releases)
    main = root.child(tree.module_repository(name, modules_path=modules_path))
    return Repositories(main, f"{main}/release", main, root.child(modules_path))


@dataclass
class Listed:
    """What a release consists of: places by how messages call them. `problem`: why that is not known; `refused`:
    because the registry does not tell."""

    parts: dict[str, Place] = field(default_factory=dict)
    extras: dict[str, Place] = field(default_factory=dict)
    problem: str = ""
    refused: bool = False


def platform_parts(asker: Asker, place: Repositories, tag: str) -> tuple[Image, Image, Listed]:
    """The main and the install image of a release, and its components: both images list them."""
    image, install = asker.image((place.main, tag)), asker.image((place.install, tag))
    listed = _platform_list(asker, place, (place.install, tag), install)
    if listed.problem and image.state == THERE:
        listed = _platform_list(asker, place, (place.main, tag), image)
    listed.refused = listed.refused or image.state == UNKNOWN
    return asker.image((place.main, tag)), asker.image((place.install, tag)), listed  # reading may have shown more


def _platform_list(asker: Asker, place: Repositories, source: Place, image: Image) -> Listed:
    known = asker.recall(image.digest)
    if known is not None:
        return Listed(named(place.main, known[0]))
    image, files, problem = asker.files(source, _PLATFORM_FILES, enough=components.has_platform_list)

    def read() -> Listed:
        found = components.platform_components(files, where=":".join(source))
        references = (*found.tags, *found.digests)
        asker.remember(image.digest, references)
        return Listed(named(place.main, references))

    return _read(image, problem, read)


def module_parts(asker: Asker, place: Repositories, tag: str) -> tuple[Image, Listed]:
    """The image of a module's version, and the images that it lists."""
    image = asker.image((place.main, tag))
    known = asker.recall(image.digest)
    if known is not None:
        return image, _of_module(place, *known)
    image, files, problem = asker.files((place.main, tag), _MODULE_FILES)

    def read() -> Listed:
        found = components.find_module_digests(files.get(components.MODULE_DIGESTS_FILE, b""))
        raw = files.get(components.EXTRA_IMAGES_FILE, b"{}")
        extras = list(components.parse_extra_images(raw, where=f"{place.main}:{tag}").items())
        asker.remember(image.digest, found, extras)
        return _of_module(place, found, extras)

    return asker.image((place.main, tag)), _read(image, problem, read)


def _of_module(place: Repositories, references: Iterable[str], extras: Iterable[tuple[str, str]]) -> Listed:
    places = [(f"{place.main}/extra/{name}", tag) for name, tag in extras]
    return Listed(named(place.main, references), {":".join(each): each for each in places})


def _read(image: Image, problem: str, read: Callable[[], Listed]) -> Listed:
    if problem:
        return Listed(problem=problem, refused=image.state == UNKNOWN)
    try:
        return read()
    except InvalidContent as error:
        return Listed(problem=str(error))


def named(repository: str, references: Iterable[str]) -> dict[str, Place]:
    """Components as messages call them: by digest, or by repository and tag."""
    return {
        reference if is_digest(reference) else f"{repository}:{reference}": (repository, reference)
        for reference in references
    }


def judged(
    places: Mapping[str, Place], images: Mapping[Place, Image], *, problem: str = "", refused: bool = False
) -> Parts:
    """What of `places` is there, by the `images` that were seen."""
    lacking = [(name, images[place]) for name, place in places.items() if images[place].state in (ABSENT, BROKEN)]
    missing = tuple(f"{name} ({image.note})" if image.note else name for name, image in lacking)
    unknown = tuple(name for name, place in places.items() if images[place].state == UNKNOWN)
    return Parts(len(places), missing, unknown, problem, refused)
