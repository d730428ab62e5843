# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Fields of documents that people write and review: read with their path, written in a fixed order (contract §3).

A document is a frozen dataclass whose fields are declared with `described(reader)`. `parse_record` reads one out of
plain data and names the path of whatever is wrong; `plain` gives the plain data back. A reader is a function of a
value and its path.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

from .._oci.digest import is_digest
from .._oci.errors import InvalidInput
from .channels import check_channel
from .documents import kind_of
from .nearest import did_you_mean
from .version import Version, version_of_tag

Reader = Callable[[Any, str], Any]
Record = TypeVar("Record")
_REQUIRED: Any = dataclasses.MISSING


def described(reader: Reader, default: Any = _REQUIRED, *, key: str | None = None) -> Any:
    """A field of a document. Without a `default` it has to be there; `key` is its name where Python has no such one.

    A field that is null counts as absent.
    """
    return _declared(dataclasses.field, default, {"reader": reader, "key": key})


def _declared(field: Callable[..., Any], default: Any, metadata: Mapping[str, Any]) -> Any:
    """A call of `field`, which linters take for a mistake anywhere but in a dataclass."""
    if callable(default):
        return field(default_factory=default, metadata=metadata)
    return field(default=default, metadata=metadata)


def parse_record(kind: type[Record], value: object, where: str) -> Record:
    """The `kind` that the mapping `value` describes.

    Raises InvalidInput with the field's path for a wrong type, for a field that is missing, and for one nobody knows.
    """
    fields = mapping(value, where)
    shape: type = kind
    known = _fields_of(shape)
    for key in fields:
        if key not in known:
            near = did_you_mean(key, known)
            raise InvalidInput(f"{where}.{key}: not a known field{near}; known are {', '.join(sorted(known))}")
    found = {}
    for key, (name, reader, required) in known.items():
        item = fields.get(key)
        if item is not None:
            found[name] = reader(item, f"{where}.{key}")
        elif required:
            raise InvalidInput(f"{where}.{key}: is missing, and nothing can be said without it")
    return kind(**found)


def plain(value: Any) -> Any:
    """`value` as documents and results hold it: records as mappings in the order of their fields, versions as text."""
    if dataclasses.is_dataclass(value) and not isinstance(value, (type, Version)):
        known = _fields_of(type(value))
        return {key: plain(getattr(value, name)) for key, (name, _reader, _required) in known.items()}
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return str(value) if isinstance(value, Version) else value


@functools.cache
def _fields_of(kind: type) -> dict[str, tuple[str, Reader, bool]]:
    known = {}
    for each in dataclasses.fields(kind):
        required = each.default is dataclasses.MISSING and each.default_factory is dataclasses.MISSING
        known[each.metadata["key"] or each.name] = (each.name, each.metadata["reader"], required)
    return known


def record_of(kind: type) -> Reader:
    """A reader of records of `kind`."""
    return functools.partial(parse_record, kind)


def mapping_of(reader: Reader) -> Reader:
    """A reader of mappings from names to what `reader` reads, ordered by name."""

    def read(value: Any, where: str) -> dict[str, Any]:
        return {key: reader(item, f"{where}.{key}") for key, item in sorted(mapping(value, where).items())}

    return read


def tuple_of(reader: Reader) -> Reader:
    """A reader of lists of what `reader` reads."""

    def read(value: Any, where: str) -> tuple[Any, ...]:
        return tuple(reader(item, place) for item, place in items(value, where))

    return read


def choice_of(*words: str) -> Reader:
    """A reader of one of `words`."""

    def read(value: Any, where: str) -> str:
        word = text(value, where)
        if word not in words:
            raise InvalidInput(f"{where}: {word[:100]!r} is none of {', '.join(words)}{did_you_mean(word, words)}")
        return word

    return read


def text(value: Any, where: str) -> str:
    """A string. A number is refused: written without quotes, 1.30 has become 1.3 already."""
    if isinstance(value, str):
        return value
    hint = "; quote it" if isinstance(value, (int, float)) and not isinstance(value, bool) else ""
    raise InvalidInput(f"{where}: expected a string, found {kind_of(value)}{hint}")


def texts(value: Any, where: str) -> tuple[str, ...]:
    """A list of strings."""
    return tuple(text(item, place) for item, place in items(value, where))


def flag(value: Any, where: str) -> bool:
    """True or false."""
    if isinstance(value, bool):
        return value
    raise InvalidInput(f"{where}: expected true or false, found {kind_of(value)}")


def number(value: Any, where: str) -> int:
    """A whole number."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    raise InvalidInput(f"{where}: expected a whole number, found {kind_of(value)}")


def version(value: Any, where: str) -> Version:
    """A version vX.Y.Z."""
    found = version_of(text(value, where))
    if found is None:
        raise InvalidInput(f"{where}: {str(value)[:100]!r} is not a version; write it like v1.69.4")
    return found


version_of = functools.lru_cache(maxsize=65536)(version_of_tag)  # a fleet names few versions many times


def versions(value: Any, where: str) -> tuple[Version, ...]:
    """A list of versions, returned ascending and each once."""
    return tuple(sorted({version(item, place) for item, place in items(value, where)}))


def channel(value: Any, where: str) -> str:
    """A release channel."""
    return check_channel(text(value, where), where=where)


def digest(value: Any, where: str) -> str:
    """A digest ``sha256:<64 hex>``."""
    found = text(value, where)
    if not is_digest(found):
        raise InvalidInput(f"{where}: {found[:100]!r} is not a digest (sha256:<64 lower-case hex digits>)")
    return found


def anything(value: Any, _where: str) -> Any:
    """Plain data that is handed on as it is."""
    return value


def items(value: Any, where: str) -> Iterable[tuple[Any, str]]:
    """The items of a list with their paths; null is an empty list."""
    if value is None:
        return []
    if not isinstance(value, (list, tuple)):
        raise InvalidInput(f"{where}: expected a list, found {kind_of(value)}")
    return [(item, f"{where}[{position}]") for position, item in enumerate(value)]


def mapping(value: Any, where: str) -> dict[str, Any]:
    """A mapping with names as keys; null is an empty one."""
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise InvalidInput(f"{where}: expected a mapping, found {kind_of(value)}")
    return {text(key, f"{where} (key)"): item for key, item in value.items()}
