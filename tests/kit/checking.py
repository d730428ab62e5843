# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A private registry with everything that two steps of the platform and of a module need, to be damaged; and checks of
it as `mirror_check_info` makes them, without Ansible."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ...plugins.module_utils._dkp.plan.document import parse_plan
from ...plugins.module_utils._mirror.check import Checked, CheckRequest, check
from ...plugins.module_utils._mirror.check_options import parse_clusters
from ...plugins.module_utils._mirror.inventory import Taken, take_inventory
from ...plugins.module_utils._mirror.memory import HostMemory
from ...plugins.module_utils._oci.reference import parse_address
from ...plugins.module_utils._registry.client import Registry
from ...plugins.module_utils._registry.options import RegistryOptions
from ...plugins.module_utils._registry.stopping import Stopping
from . import plans
from .content import layer_of
from .faulty import FaultyRegistry
from .images import Image, image_of
from .shape import Channel, ModuleShape, TreeShape
from .store import StoredRepository
from .tree import Tree, build

ROOT = "deckhouse/ee"
SHAPE = TreeShape(
    channels=(Channel("stable", "v1.70.0"), Channel("rock-solid", "v1.68.4")),
    versions=("v1.68.0", "v1.68.4", "v1.69.0", "v1.70.0"),
    components=8,
    changed_share=0.6,
    vex_share=0,
    modules=(
        ModuleShape(
            "console",
            ("v1.35.4", "v1.36.2", "v1.37.0"),
            (Channel("stable", "v1.37.0"),),
            runtime_images=2,
            extra_images=(("scanner", "v2"),),
        ),
    ),
)
TREE = build(SHAPE)
CONTENT = plans.content(
    versions=("v1.68.4", "v1.69.0", "v1.70.0"),
    channels={"stable": "v1.70.0"},
    modules={"console": {"versions": ["v1.36.2", "v1.37.0"], "channels": {"stable": "v1.37.0"}}},
    security_db=plans.SECURITY,
)


@dataclass
class Mirror:
    """A registry that holds `TREE` as a push leaves it: every image has a tag."""

    server: FaultyRegistry
    state: Path | None = None

    @property
    def address(self) -> str:
        return f"{self.server.host}/{ROOT}"

    def repository(self, path: str = "") -> StoredRepository:
        """The repository `path` below the root."""
        return self.server.store.repository(f"{ROOT}/{path}".rstrip("/"))

    def delete(self, path: str, reference: str) -> str:
        """Delete a manifest with all its tags, as registries do; returns its digest."""
        repository = self.repository(path)
        digest = reference if ":" in reference else repository.tags[reference]
        del repository.manifests[digest]
        for tag in [tag for tag, other in repository.tags.items() if other == digest]:
            del repository.tags[tag]
        return digest

    def untag(self, path: str, *tags: str) -> None:
        """Take tags away, and leave what they pointed at."""
        for tag in tags:
            del self.repository(path).tags[tag]

    def put(self, path: str, image: Image, *tags: str) -> None:
        """Put an image under tags."""
        self.server.store.add_image(f"{ROOT}/{path}".rstrip("/"), image, *tags)

    def point(self, path: str, tag: str, target: str) -> None:
        """Let a tag point at what another one does."""
        tags = self.repository(path).tags
        tags[tag] = tags[target]

    def plan(self, content: Mapping[str, Any] | None = None, **fields: Any) -> dict[str, Any]:
        """The plan that led here: a cluster that takes its images from here, from v1.68.0 and console v1.35.4."""
        prod = {
            "registry": self.address,
            "platform": _route("v1.68.0", "v1.70.0", CONTENT["platform"]["versions"]),
            "modules": {"console": _route("v1.35.4", "v1.37.0", ["v1.36.2", "v1.37.0"])},
            "findings": [],
        }
        return deepcopy(plans.plan(CONTENT if content is None else content, **{"clusters": {"prod": prod}, **fields}))

    def facts(self, **fields: Any) -> dict[str, Any]:
        """The facts of that cluster."""
        return {
            "name": "prod",
            "version": "v1.68.0",
            "channel": "stable",
            "registry": {"images_repo": self.address, "scheme": "http"},
            "modules": {"console": {"version": "v1.35.4", "channel": "stable", "source": "deckhouse"}},
            "kubernetes_version": "1.31.6",
            "kubelet_min": "1.31.6",
            "kubernetes": {"version": "1.31"},
            "sources": {"deckhouse": {"modules": {}}},
            "nodes": {},
            **fields,
        }

    def check(self, **options: Any) -> Checked:
        """A check by the plan, unless `plan` is another (or None); `clusters` are facts, `source` a bundle."""
        plan = options.pop("plan", self.plan())
        request = CheckRequest(
            parse_plan(plan) if plan is not None else None,
            options.pop("source", None),
            parse_clusters(options.pop("clusters", [])),
            options.pop("modules_path", "modules"),
            "http",
            **options,
        )
        with self.registry() as registry:
            return check(request, registry, HostMemory(self.state), Stopping())

    def inventory(self, **options: Any) -> Taken:
        """What `mirror_inventory_info` tells."""
        settings = {"modules_path": "modules", "scheme": "http", **options}
        with self.registry() as registry:
            return take_inventory(registry, HostMemory(self.state), **settings)

    @contextmanager
    def registry(self) -> Iterator[Registry]:
        registry = Registry(RegistryOptions(parse_address(self.address), scheme="http", timeout=5))
        try:
            yield registry
        finally:
            registry.close()


def _route(start: str, end: str, steps: list[str]) -> dict[str, Any]:
    return {"from": start, "to": end, "channel": "stable", "steps": steps}


@contextmanager
def mirror(tree: Tree = TREE, **options: Any) -> Iterator[Mirror]:
    """A running mirror of `tree`; `options` are those of FaultyRegistry."""
    with FaultyRegistry(tree, **options) as server:
        for repository in server.store.repositories.values():
            named = set(repository.tags.values())
            repository.tags.update({digest[7:]: digest for digest in repository.manifests if digest not in named})
        yield Mirror(server)


def release_image(version: str, **fields: Any) -> Image:
    """A release image that says `version`, and whatever else is given (``suspend``, ``requirements``)."""
    return image_of([layer_of({"version.json": json.dumps({"version": version, **fields}).encode()})])


def with_module(name: str, *versions: str) -> Tree:
    """`TREE` and another module."""
    module = ModuleShape(name, versions, (Channel("stable", versions[-1]),), runtime_images=1)
    return build(replace(SHAPE, modules=(*SHAPE.modules, module)))
