# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""JSON and YAML, read without trust and returned as plain data (the one place that imports yaml)."""

from __future__ import annotations

import json
import math
import traceback
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, NoReturn

from .._oci.errors import AirgapError, InvalidContent

try:
    import yaml

    YAML_IMPORT_ERROR = None
except ImportError:
    YAML_IMPORT_ERROR = traceback.format_exc()

LARGEST_DOCUMENT = 4 * 1024 * 1024
"""Bytes. The largest metadata file of a release, its component list, has some 60 KB."""
LARGEST_HANDED_ON = 64 * 1024 * 1024
"""Bytes. A plan for two hundred clusters with some dozen modules each has a few megabytes."""
_MOST_NODES = 500_000
_MOST_NODES_HANDED_ON = 5_000_000
_DEEPEST = 60
_MOST_ALIASES = 20
_TIMESTAMP = "tag:yaml.org,2002:timestamp"


def load_json(raw: bytes, *, where: str) -> Any:
    """Read JSON; numbers with a fraction or exponent come as Decimal, so that they can be printed exactly.

    Raises InvalidContent naming `where` for anything that is no JSON, too large, too deep, or holds half characters.
    """
    _check_size(raw, where)
    try:
        document = json.loads(raw, parse_float=Decimal, parse_constant=_no_number)
    except (ValueError, RecursionError, InvalidOperation) as error:
        raise InvalidContent(f"{where}: not valid JSON ({_brief(error)})") from error
    return _Plain(where).copy(document)


def load_json_object(raw: bytes, *, where: str) -> dict[str, Any]:
    """Read JSON that has to be an object; raises InvalidContent."""
    document = load_json(raw, where=where)
    if not isinstance(document, dict):
        raise InvalidContent(f"{where}: expected a JSON object, found {kind_of(document)}")
    return document


def load_yaml(raw: bytes, *, where: str) -> Any:
    """Read one YAML document as plain data: what JSON has no type for (dates) stays text.

    Raises InvalidContent naming `where`; AirgapError when PyYAML is not installed.
    """
    return _Plain(where).copy(_load(raw, where, _safe_loader))


def load_yaml_texts(raw: bytes, *, where: str) -> Any:
    """The same with every scalar as the text that was written: ``1.70`` without quotes is still "1.70"."""
    return _Plain(where).copy(_load(raw, where, _text_loader))


def load_handed_on(raw: bytes, *, where: str) -> Any:
    """Read a document that one step hands on to another, JSON or YAML, as plain data that can be written again.

    Raises InvalidContent naming `where`; AirgapError when it takes PyYAML and that is not installed.
    """
    _check_size(raw, where, LARGEST_HANDED_ON)
    if raw.lstrip()[:1] == b"{":
        try:
            document = json.loads(raw, parse_constant=_no_number)
        except (ValueError, RecursionError):
            pass  # a mapping in YAML may begin so, too
        else:
            return _Plain(where, _MOST_NODES_HANDED_ON).copy(document)
    loaded = _load(raw, where, _safe_loader, largest=LARGEST_HANDED_ON)
    return _Plain(where, _MOST_NODES_HANDED_ON).copy(loaded)


def kind_of(value: object) -> str:
    """What JSON calls the type of `value`, for error texts."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float, Decimal)):
        return f"the number {str(value)[:40]}"
    if isinstance(value, str):
        return f"the string {value[:80]!r}"
    return "an object" if isinstance(value, Mapping) else "a list"


def _text_loader() -> Any:
    return getattr(yaml, "CBaseLoader", yaml.BaseLoader)


def _safe_loader() -> Any:
    """The safe loader, in C where there is one, that leaves dates as they are written."""

    class Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
        yaml_implicit_resolvers = {
            first: [(tag, pattern) for tag, pattern in resolvers if tag != _TIMESTAMP]
            for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
        }

    return Loader


def _load(raw: bytes, where: str, loader: Callable[[], Any], *, largest: int = LARGEST_DOCUMENT) -> Any:
    if YAML_IMPORT_ERROR is not None:
        raise AirgapError(f"{where}: reading YAML needs the Python package PyYAML, which is not installed")
    _check_size(raw, where, largest)
    try:
        _check_events(yaml.parse(raw, Loader=loader()), where)
        return yaml.load(raw, Loader=loader())  # noqa: S506 - both loaders are safe ones
    except (yaml.YAMLError, ValueError, TypeError, RecursionError, OverflowError) as error:
        raise InvalidContent(f"{where}: not valid YAML ({_brief(error)})") from error


def _check_events(events: Iterable[Any], where: str) -> None:
    """Refuse by its events, which come one by one, what cannot be built safely.

    Nested values are built by recursion, which in C ends the process; merged aliases of aliases multiply.
    """
    depth = aliases = 0
    for event in events:
        aliases += isinstance(event, yaml.AliasEvent)
        if aliases > _MOST_ALIASES:
            raise InvalidContent(f"{where}: more than {_MOST_ALIASES} aliases; refused as hostile")
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > _DEEPEST:
                raise InvalidContent(f"{where}: more than {_DEEPEST} levels; refused as hostile")
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1


def _check_size(raw: bytes, where: str, largest: int = LARGEST_DOCUMENT) -> None:
    if len(raw) > largest:
        raise InvalidContent(f"{where}: {len(raw)} bytes, more than the {largest} that are read")


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON number")


def _brief(error: BaseException) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__


class _Plain:
    """Copies a parsed document; stops at what few bytes can blow up to: nesting, and aliases of aliases in YAML."""

    def __init__(self, where: str, most_nodes: int = _MOST_NODES) -> None:
        self._where = where
        self._most_nodes = most_nodes
        self._nodes = 0

    def copy(self, value: object, depth: int = 0) -> Any:
        self._nodes += 1
        if self._nodes > self._most_nodes or depth > _DEEPEST:
            raise InvalidContent(
                f"{self._where}: more than {self._most_nodes} values or {_DEEPEST} levels; refused as hostile"
            )
        if isinstance(value, dict):
            return {self._text(key): self.copy(item, depth + 1) for key, item in value.items()}
        if isinstance(value, (list, tuple, set)):
            return [self.copy(item, depth + 1) for item in value]
        if value is None or isinstance(value, (bool, int, Decimal)):
            return value
        if isinstance(value, float) and math.isfinite(value):
            return value
        return self._text(value)

    def _text(self, value: object) -> str:
        text = value if isinstance(value, str) else str(value)
        try:
            text.encode("utf-8")
        except UnicodeEncodeError as error:
            raise InvalidContent(f"{self._where}: text with half a character (a lone surrogate)") from error
        return text
