# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The images that a release consists of, as listed inside of its images (d8-mirror.md §2.3 and §2.4)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal

from .._oci.digest import is_digest
from .._oci.errors import InvalidContent
from .._oci.reference import is_repository_path, is_tag
from .documents import kind_of, load_json_object

PLATFORM_TAGS_FILE = "deckhouse/candi/images_tags.json"
PLATFORM_DIGESTS_FILE = "deckhouse/candi/images_digests.json"
PLATFORM_COMPONENT_FILES = (PLATFORM_TAGS_FILE, PLATFORM_DIGESTS_FILE)
"""Where an install image lists the components of its release."""
MODULE_DIGESTS_FILE = "images_digests.json"
EXTRA_IMAGES_FILE = "extra_images.json"
MODULE_COMPONENT_FILES = (MODULE_DIGESTS_FILE, EXTRA_IMAGES_FILE)
"""Where the image of a module version lists its runtime and extra images."""
_DIGEST = re.compile(rb"sha256:[0-9a-f]{64}")
_MOST_DIGITS = 20


@dataclass(frozen=True)
class Components:
    """Component images of one platform release, all in the root repository: known by tag or by digest."""

    tags: tuple[str, ...] = ()
    digests: tuple[str, ...] = ()


def platform_components(files: Mapping[str, bytes], *, where: str) -> Components:
    """Read the component list out of an install image, given those of PLATFORM_COMPONENT_FILES that it has.

    The list by tags wins when it names any image, else the list by digests counts; ``{}`` is a list without images.
    Raises InvalidContent naming `where` (the install image) when neither is there, or one has other content.
    """
    tags = files.get(PLATFORM_TAGS_FILE)
    digests = files.get(PLATFORM_DIGESTS_FILE)
    by_tag = parse_component_tags(tags, where=f"{where}: {PLATFORM_TAGS_FILE}") if tags else ()
    if by_tag:
        return Components(tags=by_tag)
    if digests:
        return Components(digests=parse_component_digests(digests, where=f"{where}: {PLATFORM_DIGESTS_FILE}"))
    if tags:
        return Components()
    raise InvalidContent(
        f"{where}: lists no component images: neither {PLATFORM_DIGESTS_FILE} nor {PLATFORM_TAGS_FILE} is in it"
    )


def has_platform_list(found: Mapping[str, bytes]) -> bool:
    """Whether a list is here that counts; one beside it was seen with it (both lie in one directory)."""
    tags = found.get(PLATFORM_TAGS_FILE)
    if tags and parse_component_tags(tags, where=PLATFORM_TAGS_FILE):
        return True  # a list by tags that names anything wins
    return bool(found.get(PLATFORM_DIGESTS_FILE))


def parse_component_digests(raw: bytes, *, where: str) -> tuple[str, ...]:
    """The digests that are leaves of a platform's ``images_digests.json``, each once, in the order of the file."""
    return _leaves(raw, where, is_digest, "a digest (sha256:<64 lower-case hex digits>)")


def parse_component_tags(raw: bytes, *, where: str) -> tuple[str, ...]:
    """The tags that are leaves of ``images_tags.json``, each once, in the order of the file."""
    return _leaves(raw, where, is_tag, "a tag")


def find_module_digests(raw: bytes) -> tuple[str, ...]:
    """Every digest in the text of a module's ``images_digests.json``, whatever its shape; each once, in order."""
    return tuple(match.decode("ascii") for match in dict.fromkeys(_DIGEST.findall(raw)))


def parse_extra_images(raw: bytes, *, where: str) -> dict[str, str]:
    """Read ``extra_images.json``: name -> tag, the image being ``<module>/extra/<name>:<tag>``.

    A whole number is the tag that it prints as (5 and 5.0 are "5"). Raises InvalidContent naming the entry for a number
    with a fraction and for every other type, for what cannot be a tag, and for a name that cannot be a repository.
    """
    images = {}
    for name, value in load_json_object(raw, where=where).items():
        tag = _tag(value)
        if tag is None or not is_tag(tag):
            raise InvalidContent(f"{where}: {name!r} has {kind_of(value)}, which names no tag")
        if not is_repository_path(name):
            raise InvalidContent(f"{where}: {name!r} cannot be the name of a repository")
        images[name] = tag
    return images


def _tag(value: object) -> str | None:
    if isinstance(value, str):
        return value
    if isinstance(value, bool) or not isinstance(value, (int, Decimal)):
        return None
    if isinstance(value, Decimal) and value.adjusted() > _MOST_DIGITS:
        return None
    return str(int(value)) if value == value // 1 else None


def _leaves(raw: bytes, where: str, accepted: Callable[[str], bool], expected: str) -> tuple[str, ...]:
    found: dict[str, None] = {}
    for path, value in _walk(load_json_object(raw, where=where), ""):
        if not isinstance(value, str) or not accepted(value):
            raise InvalidContent(f"{where}: {path} is {kind_of(value)}, not {expected}")
        found[value] = None
    return tuple(found)


def _walk(value: object, path: str) -> Iterator[tuple[str, object]]:
    if not isinstance(value, dict):
        yield path, value
        return
    for key, item in value.items():
        yield from _walk(item, f"{path}.{key}" if path else key)
