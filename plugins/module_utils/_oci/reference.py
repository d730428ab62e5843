# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Addresses of repositories: ``host[:port]/path``, and what may stand for a tag."""

from __future__ import annotations

import re
from dataclasses import dataclass

from .errors import InvalidInput

_HOST = re.compile(r"(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?")
_COMPONENT = re.compile(r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
_LONGEST_PATH = 255


def is_tag(text: str) -> bool:
    """Whether `text` may be a tag (distribution spec: 1 to 128 characters)."""
    return _TAG.fullmatch(text) is not None


def is_repository_path(path: str) -> bool:
    """Whether `path` is a repository name: lower-case components joined by ``/``."""
    return 0 < len(path) <= _LONGEST_PATH and all(_COMPONENT.fullmatch(part) for part in path.split("/"))


def _has_possible_port(host: str) -> bool:
    _name, colon, port = host.rpartition(":")
    return not colon or port.endswith("]") or 0 < int(port) < 65536


@dataclass(frozen=True)
class RepositoryAddress:
    """Where a tree of repositories is rooted: the registry's `host` (with port) and the root's `path`.

    The path is empty only for the root shared by editions that lie directly below the host (``host/ee``).
    """

    host: str
    path: str

    def __str__(self) -> str:
        return f"{self.host}/{self.path}" if self.path else self.host

    def child(self, path: str) -> str:
        """The repository `path` below this root (``""`` is the root itself), without the host."""
        return f"{self.path}/{path}" if self.path and path else self.path or path


def parse_address(text: str, *, option: str = "images_repo") -> RepositoryAddress:
    """Parse ``host[:port]/path``; raise InvalidInput that says what is wrong and shows a right one."""
    example = "for example registry.deckhouse.io/deckhouse/ee"
    value = text.strip().rstrip("/")
    if "@" in value:  # whatever stands before it may be a password: the text is not repeated
        raise InvalidInput(
            f"{option}: neither credentials nor a digest belong into the address: write host[:port]/path, "
            f"and use username and password; {example}"
        )
    if "://" in value:
        scheme, rest = value.split("://", 1)
        raise InvalidInput(
            f"{option}: {text!r} has a scheme; write {rest or 'host/path'!r}"
            + (" and set scheme: http" if scheme.lower() == "http" else "")
        )
    host, slash, path = value.partition("/")
    if not slash or not path:
        raise InvalidInput(f"{option}: {text!r} has no path; write host[:port]/path, {example}")
    if not _HOST.fullmatch(host) or not _has_possible_port(host):
        raise InvalidInput(f"{option}: {host!r} is not a host name with an optional port; {example}")
    if not is_repository_path(path):
        raise InvalidInput(
            f"{option}: {path!r} is not a repository path "
            f"(lower-case letters, digits, and . _ - between them); {example}"
        )
    return RepositoryAddress(host, path)
