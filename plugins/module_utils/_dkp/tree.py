# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where everything lies: repositories below the edition's root, layouts, archives (d8-mirror.md §1.3, §5.1).

Paths are relative to ``images_repo``, ``""`` being the root itself. A layout in a bundle has the path of its
repository, but for modules: those are always below ``modules`` there, wherever `modules_path` puts them in a registry.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from .._oci.digest import ALGORITHM, hex_of
from .._oci.errors import InvalidInput
from .._oci.reference import is_repository_path
from .version import parse_version

ROOT = ""
INSTALL = "install"
INSTALL_STANDALONE = "install-standalone"
RELEASE_CHANNEL = "release-channel"
PLATFORM_LAYOUTS = (ROOT, INSTALL, INSTALL_STANDALONE, RELEASE_CHANNEL)
SECURITY = "security"
SECURITY_TAGS = {"trivy-db": "2", "trivy-bdu": "1", "trivy-java-db": "1", "trivy-checks": "0"}
"""Database -> its one tag. An edition without ``trivy-db`` has none of them."""
SECURITY_LAYOUTS = tuple(f"{SECURITY}/{name}" for name in SECURITY_TAGS)
INSTALLER = "installer"
MODULES = "modules"
PACKAGES = "packages"
PLUGINS = "deckhouse-cli/plugins"

PLATFORM_ARCHIVE = "platform.tar"
SECURITY_ARCHIVE = "security.tar"
INSTALLER_ARCHIVE = "installer.tar"
_MODULE_ARCHIVE = "module-"
_ATTESTATION = ".att"


@dataclass(frozen=True)
class Place:
    """What a layout holds. `area`: platform, security, installer, module, package, plugin or other.

    `name`: the database, module, package or plugin; for the platform and others the path itself. `part`: what lies
    below a module or package (``release``, ``version``, ``extra/<name>``), ``""`` for its main repository.
    """

    area: str
    name: str
    part: str = ""


def normalise_modules_path(text: str, *, where: str = "modules_path") -> str:
    """The path of the modules below the root: ``""`` means ``modules``, ``/`` the root itself (returned as ``""``).

    Raises InvalidInput for what cannot be a repository path.
    """
    if not text.strip():
        return MODULES
    path = text.strip().strip("/")
    if path and not is_repository_path(path):
        raise InvalidInput(
            f"{where}: {text!r} is not a repository path (lower-case letters, digits, and . _ - between them); "
            'for example "modules", "custom/modules", or "/" for the root itself'
        )
    return path


def module_repository(name: str, *, modules_path: str = MODULES) -> str:
    """The main repository of a module; with the default path also its layout in a bundle."""
    return f"{modules_path}/{name}" if modules_path else name


def module_release_repository(name: str, *, modules_path: str = MODULES) -> str:
    """Where a module's channels and release images lie."""
    return f"{module_repository(name, modules_path=modules_path)}/release"


def module_extra_repository(name: str, extra: str, *, modules_path: str = MODULES) -> str:
    """Where the image `extra` of a module's ``extra_images.json`` lies."""
    return f"{module_repository(name, modules_path=modules_path)}/extra/{extra}"


def security_repository(name: str) -> str:
    """The repository of one vulnerability database."""
    return f"{SECURITY}/{name}"


def attestation_of_digest(digest: str) -> str:
    """The tag of the VEX attestation of an image known by digest, in the image's own repository (d8-mirror.md §7.1)."""
    return f"{ALGORITHM}-{hex_of(digest)}{_ATTESTATION}"


def attestation_of_tag(tag: str) -> str:
    """The tag of the VEX attestation of an image known by tag, in the image's own repository."""
    return f"{tag}{_ATTESTATION}"


def is_attestation(tag: str) -> bool:
    """Whether `tag` is that of an attestation."""
    return tag.endswith(_ATTESTATION)


def module_names(tags: Iterable[str]) -> tuple[str, ...]:
    """The names in a catalogue, sorted: the tags of the repository at `modules_path` that can be names of modules.

    Versions, attestations, ``<64 hex>`` tags and what is no path segment (``d8WriteCheck``) are not; they occur where
    modules share a repository with the platform (`modules_path` ``/``), or where d8 has pushed.
    """
    return tuple(sorted({tag for tag in tags if _is_module_name(tag)}))


def place_of(layout: str) -> Place:
    """What the layout at this path of a bundle holds."""
    first, _slash, rest = layout.partition("/")
    if layout in PLATFORM_LAYOUTS:
        return Place("platform", layout)
    if first == SECURITY and rest:
        return Place("security", rest)
    if layout == INSTALLER:
        return Place("installer", layout)
    if layout.startswith(PLUGINS + "/"):
        return Place("plugin", layout[len(PLUGINS) + 1 :])
    if first in (MODULES, PACKAGES) and rest:
        name, _slash, part = rest.partition("/")
        return Place("module" if first == MODULES else "package", name, part)
    return Place("other", layout)


def module_archive(name: str) -> str:
    """The archive of one module."""
    return f"{_MODULE_ARCHIVE}{name}.tar"


def layout_in_archive(archive: str, layout: str) -> str:
    """The layout's path in the tree, for the shapes of older bundles too (d8-mirror.md §5.9, §6.3).

    `archive` is the name of the archive, without the number of a chunk. d8 up to v0.28 put a module's layouts
    and the databases at the top of their archives.
    """
    if archive.startswith(_MODULE_ARCHIVE) and archive.endswith(".tar") and place_of(layout).area != "module":
        root = f"{MODULES}/{archive[len(_MODULE_ARCHIVE) : -len('.tar')]}"
        return f"{root}/{layout}" if layout else root
    if layout.partition("/")[0] in SECURITY_TAGS:
        return f"{SECURITY}/{layout}"
    return layout


def repository_of(layout: str, *, modules_path: str = MODULES) -> str:
    """The repository, below the root of a registry, that a layout of a bundle belongs to."""
    if layout == MODULES or layout.startswith(MODULES + "/"):
        return f"{modules_path}{layout[len(MODULES) :]}".lstrip("/")
    return layout


def _is_module_name(tag: str) -> bool:
    if not is_repository_path(tag) or is_attestation(tag) or parse_version(tag) is not None:
        return False
    return not (len(tag) == 64 and all(character in "0123456789abcdef" for character in tag))
