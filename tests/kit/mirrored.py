# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later


"""Parts of a vendor's tree, as a private registry holds them: the versions that a cluster runs, and its channels."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from .storage import write
from .tree import Repository, Tree


@dataclass(frozen=True)
class Held:
    """Versions and, by channel, the one that it says: of the platform or of one module."""

    versions: tuple[str, ...]
    channels: Mapping[str, str] = field(default_factory=dict)


def mirrored(tree: Tree, platform: Held, modules: Mapping[str, Held], *, root: str = "", security: bool = True) -> Tree:
    """What of `tree` belongs to the versions held, whole and with the vendor's bytes; below `root` if it is given."""
    shape = tree.shape
    keep: dict[str, Repository] = {}
    components = [digest for version in platform.versions for digest in tree.component_digests(version)]
    _add(keep, tree, "", digests=components, tags=platform.versions)
    for path in ("install", "install-standalone", "release-channel"):
        _add(keep, tree, path, tags=platform.versions, channels=platform.channels)
    for name, held in modules.items():
        main = f"{shape.modules_path}/{name}" if shape.modules_path else name
        content = tree.modules[name]
        runtime = [digest for version in held.versions for digest in content.runtime[version].values()]
        _add(keep, tree, main, digests=runtime, tags=held.versions)
        _add(keep, tree, f"{main}/release", tags=held.versions, channels=held.channels)
        _add(keep, tree, shape.modules_path, tags=(name,))
        for extra, tag in content.extra.items():
            _add(keep, tree, f"{main}/extra/{extra}", tags=(tag,))
    if security:
        for path in [path for path in tree.repositories if path.startswith(f"{shape.edition_root}/security/")]:
            below = path[len(shape.edition_root) + 1 :]
            _add(keep, tree, below, tags=tree.repositories[path].tags)
    return moved(Tree(shape, keep, tree.releases, tree.modules), root=root or shape.root)


def moved(tree: Tree, *, root: str) -> Tree:
    """The same content of the edition below another root."""
    held, shape = tree.shape.edition_root, replace(tree.shape, root=root)
    repositories = {}
    for path, repository in tree.repositories.items():
        if path == held or path.startswith(f"{held}/"):
            new = f"{shape.edition_root}{path[len(held) :]}"
            repositories[new] = Repository(new, repository.tags, repository.manifests)
    return replace(tree, shape=shape, repositories=repositories)


def _add(
    keep: dict[str, Repository],
    tree: Tree,
    below: str,
    *,
    digests: Iterable[str] = (),
    tags: Iterable[str] = (),
    channels: Mapping[str, str] | None = None,
) -> None:
    source = tree.repository(below)
    target = keep.setdefault(source.path, Repository(source.path))
    for digest in digests:
        target.add(source.manifests[digest])
    for tag in tags:
        target.add(source.tags[tag], tag)
    for channel, version in (channels or {}).items():
        target.add(source.tags[version], channel)


def point(directory: Path, tree: Tree, below: str = "release-channel", **channels: str) -> None:
    """Let channels of the repository `below` say other versions, whatever of these `directory` holds besides."""
    repository = tree.repository(below)
    for channel, version in channels.items():
        alone = Repository(repository.path)
        alone.add(repository.tags[version], channel.replace("_", "-"))
        write(replace(tree, repositories={repository.path: alone}), directory)
