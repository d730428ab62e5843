# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A vendor's registry filled with a tree, and the options that lead a module there."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from .certificates import Certificate
from .programs import MissingProgram
from .servers import PASSWORD, USERNAME, Server
from .tree import Tree


@dataclass(frozen=True)
class Vendor:
    """The running `server`, which asks for a password, and the `tree` it holds."""

    server: Server
    tree: Tree

    @property
    def address(self) -> dict[str, str]:
        """The registry options without credentials."""
        return {"images_repo": f"{self.server.host}/{self.tree.shape.edition_root}", "scheme": "http"}

    @property
    def options(self) -> dict[str, str]:
        return {**self.address, "username": USERNAME, "password": PASSWORD}


def any_server(
    directory: Path,
    *,
    htpasswd: bool = False,
    certificate: Certificate | None = None,
    address: str = "127.0.0.1",
    namespace: str = "",
) -> Server:
    """A Distribution registry over `directory`, 3 if it is there, else 2.8; raises MissingProgram."""

    def server(version: int) -> Server:
        return Server(
            directory,
            version=version,
            htpasswd=htpasswd,
            certificate=certificate,
            address=address,
            namespace=namespace,
        )

    try:
        return server(3)
    except MissingProgram:
        return server(2)
