# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where it is measured: trees in storage, registries over them, lines to these, directories for what is written."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ansible_collections.dkp.airgap.tests.bench.processes import Copy, ModuleRun, run_module, time_skopeo
from ansible_collections.dkp.airgap.tests.kit.line import Line
from ansible_collections.dkp.airgap.tests.kit.servers import Server
from ansible_collections.dkp.airgap.tests.kit.shape import TreeShape
from ansible_collections.dkp.airgap.tests.kit.storage import stored
from ansible_collections.dkp.airgap.tests.kit.tree import Tree

ROUND_TRIP = 0.05
CONNECTION_RATE = 80e6
TOTAL_RATE = 40e6
_WARM_BYTES = 4 << 30
_MIRROR = "mirror/ee"


class Place:
    """A directory for one run of the benchmarks; everything in it may be removed at any time."""

    def __init__(self, directory: Path, *, version: int) -> None:
        """`version` is that of the registries (Distribution 2 or 3)."""
        self.version = version
        self._directory = directory
        self._trees: dict[TreeShape, tuple[Tree, Path]] = {}
        self._made = 0

    def fresh(self, name: str) -> Path:
        """A path below the directory at which nothing is."""
        self._made += 1
        return self._directory / f"{name}-{self._made}"

    def warm(self) -> None:
        """Touch memory once: on virtual machines the first touch of a page is many times slower than any later one."""
        path = self.fresh("warm")
        piece = bytes(1 << 20)
        with path.open("wb") as file:
            for _unused in range(_WARM_BYTES // len(piece)):
                file.write(piece)
        path.unlink()

    def tree(self, shape: TreeShape) -> tuple[Tree, Path]:
        """The tree of `shape` and the storage directory that holds it."""
        if shape not in self._trees:
            directory = self.fresh("tree")
            self._trees[shape] = stored(shape, directory), directory
        return self._trees[shape]

    @contextmanager
    def source(self, shape: TreeShape, *, log: bool = False) -> Iterator[tuple[Tree, Server]]:
        """A registry that has the tree of `shape`; only with `log` it writes an access log."""
        tree, directory = self.tree(shape)
        with Server(directory, version=self.version, access_log=log) as server:
            yield tree, server

    @contextmanager
    def target(self, *, log: bool = False) -> Iterator[Server]:
        """An empty registry; what was pushed is removed at its end."""
        directory = self.fresh("target")
        try:
            with Server(directory, version=self.version, access_log=log) as server:
                yield server
        finally:
            shutil.rmtree(directory, ignore_errors=True)

    @contextmanager
    def bundle(self, shape: TreeShape) -> Iterator[tuple[Path, Path]]:
        """A bundle of `shape` and the home of the host that pulled it; removed at the end."""
        dest, home = self.fresh("bundle"), self.fresh("home")
        try:
            with self.source(shape) as (tree, server):
                pull(tree, server.host, dest, home)
            yield dest, home
        finally:
            shutil.rmtree(dest, ignore_errors=True)
            shutil.rmtree(home, ignore_errors=True)


def long_line(server: Server) -> Line:
    return Line(server.host, round_trip=ROUND_TRIP, connection_rate=CONNECTION_RATE)


def narrow_line(server: Server) -> Line:
    return Line(server.host, total_rate=TOTAL_RATE)


def pull(tree: Tree, host: str, dest: Path, home: Path) -> ModuleRun:
    """Everything that a pull without selectors takes."""
    options = {"images_repo": f"{host}/{tree.shape.edition_root}", "scheme": "http", "dest": str(dest)}
    return run_module("oci_bundle_pull", {**options, "ignore_suspend": True}, home=home)


def pull_once(place: Place, tree: Tree, host: str) -> ModuleRun:
    """A pull whose bundle is removed again."""
    dest, home = place.fresh("bundle"), place.fresh("home")
    try:
        return pull(tree, host, dest, home)
    finally:
        shutil.rmtree(dest, ignore_errors=True)
        shutil.rmtree(home, ignore_errors=True)


def push(host: str, bundle: Path, home: Path) -> ModuleRun:
    options = {"images_repo": f"{host}/{_MIRROR}", "scheme": "http", "src": [str(bundle)]}
    return run_module("oci_bundle_push", options, home=home)


def image_directories(place: Place, shape: TreeShape, bundle: Path) -> list[tuple[str, str]]:
    """Every image of `bundle` in a directory of its own, for skopeo: its ``dir:`` name, and repository with tag."""
    images = json.loads((bundle / "delivery.json").read_text())["images"]
    parent = place.fresh("images")
    parent.mkdir()
    with place.source(shape) as (tree, server):
        homes = {digest: one.path for one in tree.repositories.values() for digest in one.manifests}
        named = []
        for number, image in enumerate(images):
            source = f"docker://{server.host}/{homes[image['digest']]}@{image['digest']}"
            time_skopeo([Copy(source, f"dir:{parent}/{number}")])
            path = "/".join(filter(None, (_MIRROR, image["repository"])))
            named.append((f"dir:{parent}/{number}", f"{path}:{image['tag']}"))
    return named
