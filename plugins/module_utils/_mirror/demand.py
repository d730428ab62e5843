# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What content asks of a registry: repositories to write to, tags that move, kinds of images (registry-quirks §19)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from .._dkp import tree
from .._dkp.content import Content


@dataclass(frozen=True)
class Demand:
    """Paths are below the root, ``""`` being the root itself.

    `pointers`: the tags, by path, that will be moved again and again. `databases`: paths of artifacts that are no
    container images. `bytes`: what will be sent at most, None where that is not known.
    """

    paths: tuple[str, ...]
    pointers: tuple[tuple[str, str], ...]
    databases: tuple[str, ...]
    bytes: int | None = None

    @property
    def deepest(self) -> int:
        """How many names the longest path has."""
        return max((depth_of(path) for path in self.paths), default=0)


def depth_of(path: str) -> int:
    """How many names a path has below the root."""
    return len(path.split("/")) if path else 0


def demand_of(content: Content, *, modules_path: str, layouts: Iterable[str] = (), size: int | None = None) -> Demand:
    """What `content` asks for. `layouts` are those of a bundle, where there is one, and name extra images too."""
    paths: set[str] = {tree.repository_of(layout, modules_path=modules_path) for layout in layouts}
    pointers = [(tree.RELEASE_CHANNEL, channel) for channel in content.platform.channels]
    if content.platform.versions or content.platform.tags:
        paths.update(tree.PLATFORM_LAYOUTS)
    for name, releases in content.modules.items():
        release = tree.module_release_repository(name, modules_path=modules_path)
        paths.update((modules_path, tree.module_repository(name, modules_path=modules_path), release))
        pointers += [(release, channel) for channel in releases.channels]
    databases = [tree.security_repository(name) for name in content.security_db]
    pointers += [(tree.security_repository(name), tag) for name, tags in content.security_db.items() for tag in tags]
    if content.installer:
        paths.add(tree.INSTALLER)
        pointers += [(tree.INSTALLER, tag) for tag in content.installer if tag == "latest"]
    for parent, names, part in ((tree.PACKAGES, content.packages, "/version"), (tree.PLUGINS, content.plugins, "")):
        for name in names:
            paths.update((parent, f"{parent}/{name}", f"{parent}/{name}{part}"))
    paths.update(databases)
    return Demand(tuple(sorted(paths)), tuple(sorted(pointers)), tuple(sorted(databases)), size)
