# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later


"""A vendor's registry tree in the shape of DKP's (d8-mirror.md §1.3), made from a `TreeShape`.

>>> tree = build(SMALL)
>>> tree.tags("release-channel")["stable"]        # digest, repository below the edition root
>>> tree.releases["v1.69.0"]["group00"]["image0"] # digest of one component of a release
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from . import release_files
from .content import Blob, Noise, Recipe, blob_of, layer_of
from .images import OCI_CONFIG, Image, artifact_of, image_of, index_of
from .shape import Channel, ModuleShape, TreeShape

GENERATOR_VERSION = 1
"""Counts up whenever equal shapes begin to give other bytes; what was stored before is made anew."""

SECURITY_DATABASES = {
    "trivy-db": (
        "2",
        "application/vnd.aquasec.trivy.config.v1+json",
        "application/vnd.aquasec.trivy.db.layer.v1.tar+gzip",
    ),
    "trivy-java-db": (
        "1",
        "application/vnd.aquasec.trivy.config.v1+json",
        "application/vnd.aquasec.trivy.javadb.layer.v1.tar+gzip",
    ),
    "trivy-bdu": ("1", "application/octet-stream", "application/deckhouse.io.bdu.layer.v1.tar+gzip"),
    "trivy-checks": ("0", "application/octet-stream", "application/vnd.cncf.openpolicyagent.layer.v1.tar+gzip"),
}
"""Tag, config type and layer type by repository below ``security/``."""
_VEX_LAYER = "application/vnd.dsse.envelope.v1+json"
_GROUP = 8
_COMMON_BASES = 4


@dataclass
class Repository:
    """One repository: `tags`, and every manifest it holds by digest (tagged ones and children of indexes included)."""

    path: str
    tags: dict[str, Image] = field(default_factory=dict)
    manifests: dict[str, Image] = field(default_factory=dict)

    def add(self, image: Image, *tags: str) -> None:
        for one in image.closure():
            self.manifests[one.digest] = one
        self.tags.update(dict.fromkeys(tags, image))


@dataclass(frozen=True)
class ModuleContent:
    """What each version of a module consists of: `runtime` digests by version, `extra` tags by name."""

    runtime: Mapping[str, Mapping[str, str]]
    extra: Mapping[str, str]


@dataclass(frozen=True)
class Tree:
    """What `build` made, and thereby what a mirror of it has to hold."""

    shape: TreeShape
    repositories: Mapping[str, Repository]
    """By full path without host (``deckhouse/ee/release-channel``)."""
    releases: Mapping[str, Mapping[str, Mapping[str, str]]]
    """Per platform version (or custom tag) the component list: group, name, digest (tag with `component_tags`)."""
    modules: Mapping[str, ModuleContent]

    def repository(self, path: str = "") -> Repository:
        """The repository `path` below the edition root, ``""`` being the edition root itself."""
        return self.repositories[f"{self.shape.edition_root}/{path}" if path else self.shape.edition_root]

    def tags(self, path: str = "") -> dict[str, str]:
        """Digests by tag of a repository below the edition root."""
        return {tag: image.digest for tag, image in self.repository(path).tags.items()}

    def blobs(self) -> dict[str, Blob]:
        """Every config and layer once, by digest."""
        return {blob.digest: blob for _unused, image in self.manifests() for blob in image.blobs}

    def manifests(self) -> Iterator[tuple[str, Image]]:
        """Every manifest with the path of its repository; one that is in two repositories comes twice."""
        for path, repository in self.repositories.items():
            for image in repository.manifests.values():
                yield path, image

    def component_digests(self, version: str) -> frozenset[str]:
        """Digests of the component images of a platform release."""
        known_by = [one for group in self.releases[version].values() for one in group.values()]
        if self.shape.component_tags:
            return frozenset(self.tags()[tag] for tag in known_by)
        return frozenset(known_by)

    def summary(self) -> dict[str, int]:
        """Counts of the whole tree: `manifests`, `tags`, `blobs`, and `bytes` of the blobs (each once)."""
        blobs = self.blobs().values()
        return {
            "manifests": len({image.digest for _unused, image in self.manifests()}),
            "tags": sum(len(repository.tags) for repository in self.repositories.values()),
            "blobs": len(blobs),
            "bytes": sum(blob.size for blob in blobs),
        }


def build(shape: TreeShape) -> Tree:
    """Make the tree of `shape`; bytes are generated once to learn the digests, and again by whoever reads them."""
    builder = _Builder(shape)
    releases = builder.platform()
    modules = {module.name: builder.module(module) for module in shape.modules}
    builder.installer()
    if shape.security:
        builder.security()
    for name in shape.missing:
        path, tag = name.rsplit(":", 1)
        del builder.below(path).tags[tag]
    return Tree(shape, builder.repositories, releases, modules)


class _Builder:
    """Fills `repositories`; remembers component images, which several releases share."""

    def __init__(self, shape: TreeShape) -> None:
        self._shape = shape
        self.repositories: dict[str, Repository] = {}
        self._components: dict[tuple[int, str], Image] = {}
        self._bases = [self._noise(f"base/{number}", shape.base_layer) for number in range(_COMMON_BASES)]

    def below(self, path: str) -> Repository:
        """The repository `path` below the edition root, made when it is asked for first."""
        return self._at(f"{self._shape.edition_root}/{path}" if path else self._shape.edition_root)

    def _at(self, path: str) -> Repository:
        return self.repositories.setdefault(path, Repository(path))

    def _noise(self, name: str, size: int) -> Blob:
        return blob_of(Noise(f"{self._shape.seed}/{name}", size))

    def _layer_noise(self, name: str, mean: int) -> Blob:
        share = 0.2 + 2.4 * random.Random(f"{self._shape.seed}/{name}/size").random() ** 2
        return self._noise(name, max(64, round(mean * share)))

    # The platform

    def platform(self) -> dict[str, dict[str, dict[str, str]]]:
        """Releases with their components, then the channels; returns the component list of each release."""
        shape = self._shape
        steps = (*shape.versions, *shape.custom_tags)
        releases = {}
        for version, generations in _generations(shape, "platform", shape.components, steps):
            releases[version] = self._components_of(generations)
            self._release(version, releases[version])
        for version in shape.versions:
            files = _release_files(version)
            self.below("release-channel").add(image_of([layer_of(files)]), version)
        for channel in shape.channels:
            self._channel(channel)
        return releases

    def _components_of(self, generations: list[str]) -> dict[str, dict[str, str]]:
        groups: dict[str, dict[str, str]] = {}
        for number, generation in enumerate(generations):
            image = self._components.get((number, generation))
            if image is None:
                image = self._components[number, generation] = self._component(number, generation)
            known_by = _component_tag(number, generation) if self._shape.component_tags else image.digest
            groups.setdefault(f"group{number // _GROUP:02d}", {})[f"image{number % _GROUP}"] = known_by
        return groups

    def _component(self, number: int, generation: str) -> Image:
        shape, name = self._shape, f"component/{number}/{generation}"
        base = [self._bases[number % _COMMON_BASES]] if _chosen(number, shape.shared_base_share) else []
        own = [self._layer_noise(f"{name}/{layer}", shape.component_layer) for layer in range(shape.component_layers)]
        image = image_of(
            base + own,
            docker=not _chosen(number + 5, shape.oci_share),
            labels={"component": str(number), "generation": generation},
        )
        tag = _component_tag(number, generation) if shape.component_tags else None
        self.below("").add(image, *([tag] if tag else []))
        if _chosen(number, shape.vex_share):
            self.below("").add(_vex(image.digest), f"{tag or image.digest.replace(':', '-')}.att")
        return image

    def _release(self, version: str, components: Mapping[str, Mapping[str, str]]) -> None:
        shape = self._shape
        name = "images_tags.json" if shape.component_tags else "images_digests.json"
        listed: dict[str, Recipe | bytes] = {
            "deckhouse/candi/bashible/bashbooster.sh": Noise(f"{shape.seed}/candi/{version}", shape.install_layer // 3),
            f"deckhouse/candi/{name}": release_files.component_list(components),
            "deckhouse/version": version.encode(),
        }
        controller = Noise(f"{shape.seed}/controller/{version}", shape.main_layer)
        dhctl = Noise(f"{shape.seed}/dhctl/{version}", shape.install_layer - shape.install_layer // 3)
        carried = {name: content for name, content in listed.items() if "bashbooster" not in name}
        main = layer_of({**carried, "usr/bin/deckhouse-controller": controller})
        self.below("").add(image_of([self._bases[0], main], labels={"version": version}), version)
        self.below("install").add(image_of([self._bases[1], layer_of({**listed, "usr/bin/dhctl": dhctl})]), version)
        if shape.standalone:
            layer = self._noise(f"standalone/{version}", shape.main_layer // 4)
            self.below("install-standalone").add(image_of([self._bases[2], layer]), version)

    def _channel(self, channel: Channel) -> None:
        releases = self.below("release-channel")
        if channel.suspended:
            files = _release_files(channel.version, suspended=True)
            releases.add(image_of([layer_of(files)]), channel.name)
        else:
            releases.add(releases.tags[channel.version], channel.name)
        for path in ("install", "install-standalone"):
            repository = self.below(path)
            if channel.version in repository.tags:
                repository.add(repository.tags[channel.version], channel.name)

    # Everything else

    def module(self, module: ModuleShape) -> ModuleContent:
        """The module's repositories below the modules root, and its entry in the catalogue there."""
        shape = self._shape
        path = f"{shape.modules_root}/{module.name}"
        self._at(shape.modules_root).add(image_of([layer_of({"name": module.name.encode()})]), module.name)
        extra = dict(module.extra_images)
        for name, tag in extra.items():
            layer = self._noise(f"{module.name}/extra/{name}/{tag}", shape.extra_layer)
            self._at(f"{path}/extra/{name}").add(image_of([layer]), tag)
        runtime = {}
        for version, generations in _generations(shape, module.name, module.runtime_images, module.versions):
            runtime[version] = {
                f"image{number}": self._runtime_image(path, module.name, number, generation)
                for number, generation in enumerate(generations)
            }
            self._module_version(module, version, runtime[version])
        releases = self._at(f"{path}/release")
        for channel in module.channels:
            releases.add(releases.tags[channel.version], channel.name)
        if shape.vex_share and module.versions:
            newest = module.versions[-1]
            self._at(path).add(_vex(f"{module.name}:{newest}"), f"{newest}.att")
        return ModuleContent(runtime, extra)

    def _runtime_image(self, path: str, module: str, number: int, generation: str) -> str:
        layer = self._layer_noise(f"{module}/{number}/{generation}", self._shape.module_layer)
        image = image_of([self._bases[3], layer])
        self._at(path).add(image)
        if _chosen(number, self._shape.vex_share):
            self._at(path).add(_vex(image.digest), f"{image.digest.replace(':', '-')}.att")
        return image.digest

    def _module_version(self, module: ModuleShape, version: str, runtime: Mapping[str, str]) -> None:
        path = f"{self._shape.modules_root}/{module.name}"
        description: dict[str, Recipe | bytes] = {
            "version.json": release_files.module_version_json(version),
            "changelog.yaml": release_files.changelog_yaml(version, subject=module.name),
            "module.yaml": release_files.module_yaml(module.name, deckhouse=module.deckhouse),
        }
        files: dict[str, Recipe | bytes] = {**description, "images_digests.json": release_files.runtime_list(runtime)}
        if module.extra_images:
            files["extra_images.json"] = release_files.extra_list(dict(module.extra_images))
        charts = {"templates/controller.yaml": Noise(f"{self._shape.seed}/{path}/{version}", self._shape.module_layer)}
        self._at(path).add(image_of([layer_of(charts), layer_of(files)]), version)
        self._at(f"{path}/release").add(image_of([layer_of(description)]), version)

    def installer(self) -> None:
        """``R/installer``, one image per tag, or an index of two."""
        repository = self._at(f"{self._shape.root}/installer")
        for tag in self._shape.installer_tags:
            built = {
                architecture: image_of(
                    [self._noise(f"installer/{tag}/{architecture}", self._shape.main_layer)],
                    docker=False,
                    architecture=architecture,
                )
                for architecture in (("amd64", "arm64") if self._shape.installer_index else ("amd64",))
            }
            repository.add(index_of(built) if self._shape.installer_index else built["amd64"], tag)

    def security(self) -> None:
        """The databases, artifacts all; the java database has a config of zero bytes (registry-quirks.md §6)."""
        for name, (tag, config_type, layer_type) in SECURITY_DATABASES.items():
            content = Noise(f"{self._shape.seed}/{name}/{self._shape.security_created}", self._shape.security_layer)
            image = artifact_of(
                [(layer_type, layer_of({"db/trivy.db": content}))],
                config_type=config_type,
                config=b"" if name == "trivy-java-db" else b"{}",
                annotations={"org.opencontainers.image.created": self._shape.security_created},
            )
            self.below(f"security/{name}").add(image, tag)


def _generations(shape: TreeShape, what: str, count: int, steps: tuple[str, ...]) -> Iterator[tuple[str, list[str]]]:
    """For each version in `steps`: for each of `count` images the version in which it changed last."""
    current = ["initial"] * count
    changed = min(count, max(1, round(count * shape.changed_share))) if shape.changed_share else 0
    for version in steps:
        for number in random.Random(f"{shape.seed}/{what}/{version}").sample(range(count), changed):
            current[number] = version
        yield version, list(current)


def _chosen(number: int, share: float) -> bool:
    """Whether image `number` is among the `share` of images that have some property; the first always is, if any."""
    thousandths = round(share * 1000)
    return number * thousandths % 1000 < thousandths


def _component_tag(number: int, generation: str) -> str:
    return f"component-{number}-{generation}"


def _release_files(version: str, *, suspended: bool = False) -> dict[str, bytes]:
    return {
        "version.json": release_files.platform_version_json(version, suspended=suspended),
        "changelog.yaml": release_files.changelog_yaml(version, subject="candi"),
    }


def _vex(subject: str) -> Image:
    """An attestation as cosign attaches it: an image of one DSSE envelope."""
    return artifact_of(
        [(_VEX_LAYER, blob_of(f'{{"payloadType":"application/vnd.in-toto+json","subject":"{subject}"}}'.encode()))],
        config_type=OCI_CONFIG,
        config=b'{"architecture":"","os":"","config":{},"rootfs":{"type":"layers","diff_ids":[]}}',
    )
