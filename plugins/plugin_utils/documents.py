# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Documents (requests, plans, inventories) as files on the controller: YAML or JSON, reviewable, never half written.

Used by action plugins. Paths are as the loader of Ansible gives them; ``~`` and relative ones are taken as a shell
would take them.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible_collections.dkp.airgap.plugins.module_utils._dkp.documents import (
    LARGEST_HANDED_ON,
    YAML_IMPORT_ERROR,
    kind_of,
    load_handed_on,
)
from ansible_collections.dkp.airgap.plugins.module_utils._oci.errors import AirgapError, InvalidContent, InvalidInput

if YAML_IMPORT_ERROR is None:  # the controller has it: Ansible itself needs it
    import yaml

DEFAULT_MODE = 0o600
_JSON = ".json"
_WIDEST = 4096
"""Characters in a line of YAML: long texts stay on one line, so that a change of one word is a change of one line."""


def read_document(path: str | Path) -> Any:
    """The plain data in the YAML or JSON file at `path`; numbers with a fraction come as they are.

    Raises AirgapError naming the file when it cannot be read, InvalidContent when it is neither.
    """
    source = Path(path).expanduser()
    try:
        if source.stat().st_size > LARGEST_HANDED_ON:
            raise InvalidContent(f"{source}: larger than the {LARGEST_HANDED_ON} bytes that are read")
        raw = source.read_bytes()
    except OSError as error:
        raise AirgapError(f"{source}: cannot be read: {error.strerror or error}") from error
    return load_handed_on(raw, where=str(source))


def write_document(path: str | Path, document: Mapping[str, Any], *, mode: int = DEFAULT_MODE) -> bool:
    """Write `document` as JSON to a file named ``*.json``, else as YAML; returns whether the file changed.

    The same content under the same `mode` leaves the file alone. The file is complete or not there, whatever
    happens. Raises AirgapError naming the file.
    """
    target = checked_target(path)
    content = document_bytes(document, as_json=target.suffix == _JSON)
    try:
        if _holds(target, content, mode):
            return False
        _replace(target, content, mode)
    except OSError as error:
        raise AirgapError(f"{target}: cannot be written: {error.strerror or error}") from error
    return True


def checked_target(path: str | Path) -> Path:
    """Where a document can be written. Raises InvalidInput for a directory, and where there is none to hold it."""
    target = Path(path).expanduser()
    if target.is_dir():
        raise InvalidInput(f"{target}: is a directory; name a file in it")
    if not target.parent.is_dir():
        raise InvalidInput(f"{target}: the directory {target.parent} does not exist on the controller; make it first")
    return target


def document_bytes(document: Mapping[str, Any], *, as_json: bool) -> bytes:
    """`document` as it is written: in its own order, each value once, the same bytes for the same document."""
    content = plain_data(document, "document")
    if as_json:
        return (json.dumps(content, indent=2, ensure_ascii=False) + "\n").encode("utf-8")
    dumped = yaml.dump(
        content,
        Dumper=_dumper(),
        sort_keys=False,
        default_flow_style=False,
        allow_unicode=True,
        explicit_start=True,
        width=_WIDEST,
    )
    return str(dumped).encode("utf-8")


def plain_data(value: Any, where: str) -> Any:
    """`value` in the types of JSON alone: Ansible's own strings and mappings are subclasses that dumpers do not know.

    Copied throughout, so that YAML has no anchors. Raises InvalidInput with the path of what has no such type.
    """
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return _exact_text(value, where)
    if isinstance(value, (int, float)):
        return int(value) if isinstance(value, int) else float(value)
    if isinstance(value, Mapping):
        return {plain_data(key, where): plain_data(item, f"{where}.{key}") for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain_data(item, f"{where}[{position}]") for position, item in enumerate(value)]
    raise InvalidInput(f"{where}: cannot be written into a document ({kind_of(value)}, {type(value).__name__})")


def _exact_text(value: str, where: str) -> str:
    try:
        value.encode("utf-8")
    except UnicodeEncodeError as error:
        raise InvalidInput(f"{where}: text with half a character (a lone surrogate)") from error
    return "".join((value,))  # noqa: FLY002 - a string, and of no subclass


def _dumper() -> Any:
    """The safe dumper, in C where there is one; it quotes every text that would be read as something else."""

    class Dumper(getattr(yaml, "CSafeDumper", yaml.SafeDumper)):  # type: ignore[misc]
        def ignore_aliases(self, data: object) -> bool:
            return True

    Dumper.add_representer(str, _represent_text)
    return Dumper


def _represent_text(dumper: Any, value: str) -> Any:
    """Texts of several lines, such as certificates, line by line."""
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style="|" if "\n" in value else None)


def _holds(target: Path, content: bytes, mode: int) -> bool:
    try:
        return target.read_bytes() == content and target.stat().st_mode & 0o777 == mode
    except FileNotFoundError:
        return False


def _replace(target: Path, content: bytes, mode: int) -> None:
    descriptor, draft = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(draft).chmod(mode)
        Path(draft).replace(target)
    except BaseException:
        Path(draft).unlink(missing_ok=True)
        raise
