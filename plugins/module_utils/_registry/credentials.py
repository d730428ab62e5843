# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Credentials, and the keyring that knows which of them belong to a repository."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Credentials:
    """A user's name and password, or an identity token (a refresh token of the token endpoint). Never printed."""

    username: str
    password: str = field(repr=False)
    identity_token: str = field(default="", repr=False)

    @property
    def basic(self) -> str:
        """The value of an Authorization header."""
        pair = f"{self.username}:{self.password or self.identity_token}"
        return "Basic " + base64.b64encode(pair.encode()).decode()


class Keyring:
    """Credentials by path: the longest prefix of a repository's path wins; ``""`` is the whole host."""

    def __init__(self, entries: Iterable[tuple[str, Credentials]] = ()) -> None:
        self._entries = sorted(entries, key=lambda entry: len(entry[0]), reverse=True)

    def find(self, repository: str) -> Credentials | None:
        """The credentials for `repository`, None for anonymous access."""
        for prefix, credentials in self._entries:
            if not prefix or repository == prefix or repository.startswith(prefix + "/"):
                return credentials
        return None

    def all(self) -> list[Credentials]:
        return [credentials for prefix, credentials in self._entries]
