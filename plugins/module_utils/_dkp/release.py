# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Metadata of releases, as it lies in their images (d8-mirror.md §2, dkp-cluster.md §4.3 and §4.4).

`where` is what messages call the file, e.g. ``release-channel:stable: version.json``. All functions raise
InvalidContent for what breaks the format.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from .._oci.errors import InvalidContent
from .documents import kind_of, load_json_object, load_yaml, load_yaml_texts
from .version import Version, parse_version

VERSION_FILE = "version.json"
CHANGELOG_FILE = "changelog.yaml"
MODULE_FILE = "module.yaml"
PLATFORM_RELEASE_FILES = (VERSION_FILE, CHANGELOG_FILE, MODULE_FILE)
MODULE_RELEASE_FILES = PLATFORM_RELEASE_FILES


@dataclass(frozen=True)
class PlatformRelease:
    """What a ``release-channel`` image says. `canary` and `requirements` are as published."""

    version: Version
    suspended: bool = False
    requirements: Mapping[str, str] = field(default_factory=dict)
    disruptions: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    canary: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Jump:
    """A way from one minor to another past those between (``update.versions`` of a module)."""

    start: str
    end: str

    def as_dict(self) -> dict[str, str]:
        """The jump as results show it."""
        return {"from": self.start, "to": self.end}


@dataclass(frozen=True)
class ModuleDefinition:
    """What matters here of ``module.yaml``: constraints on the cluster and on other modules, and jumps."""

    deckhouse: str | None = None
    kubernetes: str | None = None
    modules: Mapping[str, str] = field(default_factory=dict)
    jumps: tuple[Jump, ...] = ()

    def requirements(self) -> dict[str, Any]:
        """The requirements as results show them; only those that were stated."""
        stated: dict[str, Any] = {}
        if self.deckhouse is not None:
            stated["deckhouse"] = self.deckhouse
        if self.kubernetes is not None:
            stated["kubernetes"] = self.kubernetes
        if self.modules:
            stated["modules"] = dict(self.modules)
        return stated


def parse_platform_release(version_json: bytes, *, where: str, module_yaml: bytes | None = None) -> PlatformRelease:
    """Read the platform's ``version.json``, and ``module.yaml`` whose kubernetes requirement joins the others."""
    document = load_json_object(version_json, where=where)
    requirements = _texts(document.get("requirements"), f"{where}: requirements")
    if module_yaml is not None:
        kubernetes = parse_module_definition(module_yaml, where=f"{where}, {MODULE_FILE}").kubernetes
        if kubernetes is not None:
            requirements.setdefault("kubernetes", kubernetes)
    suspended = document.get("suspend")
    if suspended is not None and not isinstance(suspended, bool):
        raise InvalidContent(f"{where}: suspend is {kind_of(suspended)}, not true or false")
    canary = _plain_numbers(_mapping(document.get("canary"), f"{where}: canary"))
    return PlatformRelease(
        version=_version(document, where),
        suspended=bool(suspended),
        requirements=requirements,
        disruptions=_disruptions(document.get("disruptions"), f"{where}: disruptions"),
        canary=canary,
    )


def parse_module_version(version_json: bytes, *, where: str) -> Version:
    """Read a module's ``version.json``, whose version may lack the ``v``; nothing else in it counts."""
    return _version(load_json_object(version_json, where=where), where)


def parse_changelog(raw: bytes, *, where: str) -> dict[str, Any]:
    """Read ``changelog.yaml``: module -> fixes, features, ...; an empty file is an empty changelog."""
    document = load_yaml(raw, where=where)
    if document is None:
        return {}
    if not isinstance(document, dict):
        raise InvalidContent(f"{where}: expected a mapping, found {kind_of(document)}")
    return document


def parse_module_definition(raw: bytes, *, where: str) -> ModuleDefinition:
    """Read ``module.yaml``. Constraints are kept as written, without quotes in the file too (``1.70`` stays "1.70")."""
    document = load_yaml_texts(raw, where=where)
    if document in (None, ""):
        return ModuleDefinition()
    requirements = _mapping(_mapping(document, where).get("requirements"), f"{where}: requirements")
    update = _mapping(document.get("update"), f"{where}: update")
    return ModuleDefinition(
        deckhouse=_stated(requirements, "deckhouse", where),
        kubernetes=_stated(requirements, "kubernetes", where),
        modules=_texts(requirements.get("modules"), f"{where}: requirements.modules"),
        jumps=_jumps(update.get("versions"), f"{where}: update.versions"),
    )


def _version(document: Mapping[str, Any], where: str) -> Version:
    text = document.get("version")
    version = parse_version(text) if isinstance(text, str) else None
    if version is None:
        raise InvalidContent(f"{where}: version is {kind_of(text)}, not a version like v1.69.4")
    return version


def _jumps(value: object, where: str) -> tuple[Jump, ...]:
    if value in (None, ""):
        return ()
    if not isinstance(value, list):
        raise InvalidContent(f"{where}: expected a list, found {kind_of(value)}")
    jumps = []
    for position, item in enumerate(value):
        place = f"{where}[{position}]"
        entry = _mapping(item, place)
        start, end = _stated(entry, "from", place), _stated(entry, "to", place)
        if start is None or end is None:
            raise InvalidContent(f"{place}: a jump needs from and to")
        jumps.append(Jump(start, end))
    return tuple(jumps)


def _stated(mapping: Mapping[str, Any], key: str, where: str) -> str | None:
    value = mapping.get(key)
    if value in (None, ""):
        return None
    if not isinstance(value, str):
        raise InvalidContent(f"{where}: {key} is {kind_of(value)}, not a text")
    return value


def _disruptions(value: object, where: str) -> dict[str, tuple[str, ...]]:
    disruptions = {}
    for minor, names in _mapping(value, where).items():
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise InvalidContent(f"{where}: {minor!r} has {kind_of(names)}, not a list of strings")
        disruptions[minor] = tuple(names)
    return disruptions


def _texts(value: object, where: str) -> dict[str, str]:
    mapping = _mapping(value, where)
    for key, text in mapping.items():
        if not isinstance(text, str):
            raise InvalidContent(f"{where}: {key!r} is {kind_of(text)}, not a string")
    return mapping


def _mapping(value: object, where: str) -> dict[str, Any]:
    """`value` if it is a mapping; an absent, null or (in texts of YAML) empty one is empty."""
    if value in (None, ""):
        return {}
    if not isinstance(value, dict):
        raise InvalidContent(f"{where}: expected a mapping, found {kind_of(value)}")
    return value


def _plain_numbers(value: Any) -> Any:
    """Decimals of JSON as floats, which results can hold."""
    if isinstance(value, dict):
        return {key: _plain_numbers(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain_numbers(item) for item in value]
    if isinstance(value, Decimal):
        return float(value) if abs(value.adjusted()) < 300 else str(value)
    return value
