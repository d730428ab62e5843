# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later


"""What a tree shall look like: `TreeShape` with its presets. `tree.build` makes the content (d8-mirror.md §1, §2)."""

from __future__ import annotations

from dataclasses import dataclass, replace

KIB = 1024
MIB = 1024 * KIB


@dataclass(frozen=True)
class Channel:
    """A release channel and the version it points to; a suspended one has an image of its own that says so."""

    name: str
    version: str
    suspended: bool = False


@dataclass(frozen=True)
class ModuleShape:
    """One module. `versions` ascending; `runtime_images` per version, of which each changes the share of the tree."""

    name: str
    versions: tuple[str, ...]
    channels: tuple[Channel, ...]
    runtime_images: int = 3
    extra_images: tuple[tuple[str, str], ...] = ()
    """Name and tag of what ``extra_images.json`` lists."""
    deckhouse: str = ">= 1.67"
    """The constraint on the platform in ``module.yaml``."""


@dataclass(frozen=True)
class TreeShape:
    """The vendor's tree. Equal shapes give equal bytes.

    Content depends on `seed`, version and name only, so that a shape with one more version shares everything else with
    the one without: that is how a source moves on. Sizes are bytes, shares lie between 0 and 1. Component layers
    vary between a fifth and two and a half times their mean size.
    """

    seed: str = "dkp"
    root: str = "deckhouse"
    edition: str = "ee"
    """``""``: the edition root is the bare root (CSE, own mirrors)."""
    channels: tuple[Channel, ...] = ()
    versions: tuple[str, ...] = ()
    """All version tags, ascending; those of the channels among them."""
    custom_tags: tuple[str, ...] = ()
    """Platform tags that are no versions, such as ``pr123``; they have no image in release-channel."""
    components: int = 6
    changed_share: float = 0.15
    shared_base_share: float = 1 / 3
    """Components that have one of four common base layers below their own."""
    component_layers: int = 2
    """Layers of its own that every component has."""
    oci_share: float = 0.1
    """Components with OCI manifests; everything else of the platform is docker schema 2."""
    vex_share: float = 0.1
    component_layer: int = 2 * KIB
    base_layer: int = 4 * KIB
    main_layer: int = 8 * KIB
    install_layer: int = 32 * KIB
    module_layer: int = 2 * KIB
    extra_layer: int = 4 * KIB
    security_layer: int = 16 * KIB
    component_tags: bool = False
    """Component images are tagged and listed in ``images_tags.json``, as releases of old did."""
    standalone: bool = True
    installer_tags: tuple[str, ...] = ("latest",)
    installer_index: bool = False
    """The installer is a multi-platform index (amd64, arm64)."""
    modules: tuple[ModuleShape, ...] = ()
    modules_path: str = "modules"
    """Below the edition root; ``""`` is the edition root itself."""
    security: bool = True
    security_created: str = "2026-01-10T06:00:00Z"
    missing: frozenset[str] = frozenset()
    """Tags left out, as ``repository:tag`` below the edition root (``release-channel:stable``, ``:v1.70.0``)."""

    @property
    def edition_root(self) -> str:
        """The repository that d8-mirror.md calls E, without a host."""
        return f"{self.root}/{self.edition}" if self.edition else self.root

    @property
    def modules_root(self) -> str:
        return f"{self.edition_root}/{self.modules_path}" if self.modules_path else self.edition_root

    def scaled(self, factor: float, *, layers: float = 1.0) -> TreeShape:
        """The same tree with `factor` times the component and runtime images, their layers `layers` times as large."""
        return replace(
            self,
            components=round(self.components * factor),
            component_layer=max(64, round(self.component_layer * layers)),
            module_layer=max(64, round(self.module_layer * layers)),
            modules=tuple(replace(one, runtime_images=round(one.runtime_images * factor)) for one in self.modules),
        )


def _channels(**versions: str) -> tuple[Channel, ...]:
    return tuple(Channel(name.replace("_", "-"), version) for name, version in versions.items())


SMALL = TreeShape(
    channels=_channels(
        alpha="v1.72.10", beta="v1.71.0", early_access="v1.70.0", stable="v1.69.0", rock_solid="v1.68.0"
    ),
    versions=(
        *("v1.66.3", "v1.67.1", "v1.68.0", "v1.68.4", "v1.69.0"),
        *("v1.69.2", "v1.70.0", "v1.71.0", "v1.72.9", "v1.72.10"),
    ),
    modules=(
        ModuleShape(
            "console",
            ("v1.34.0", "v1.35.4", "v1.36.2", "v1.37.0"),
            _channels(alpha="v1.37.0", beta="v1.37.0", early_access="v1.36.2", stable="v1.36.2", rock_solid="v1.35.4"),
        ),
        ModuleShape(
            "operator-trivy",
            ("v0.9.1", "v1.0.0", "v1.0.3"),
            _channels(alpha="v1.0.3", beta="v1.0.3", early_access="v1.0.0", stable="v1.0.0", rock_solid="v0.9.1"),
            extra_images=(("trivy-scanner", "0.58"), ("report-db", "v2")),
            deckhouse=">= 1.69",
        ),
        ModuleShape("sdn", ("v0.4.2", "v0.5.0"), _channels(alpha="v0.5.0", stable="v0.4.2"), runtime_images=1),
    ),
)
"""For tests: under 3 MB, ready in a fraction of a second. The platform is the registry of d8-mirror.md §3.6."""

DEMO = replace(
    SMALL,
    seed="demo",
    channels=_channels(
        alpha="v1.72.3", beta="v1.71.8", early_access="v1.71.5", stable="v1.70.17", rock_solid="v1.69.7"
    ),
    versions=(
        *("v1.68.11", "v1.68.13", "v1.69.2", "v1.69.7", "v1.70.9"),
        *("v1.70.17", "v1.71.5", "v1.71.8", "v1.72.0", "v1.72.3"),
    ),
    components=40,
    component_layer=200 * KIB,
    base_layer=600 * KIB,
    main_layer=600 * KIB,
    install_layer=2 * MIB,
    module_layer=100 * KIB,
    extra_layer=300 * KIB,
    security_layer=900 * KIB,
)
"""For the demonstration: a cluster at v1.68.11 that follows stable (v1.70.17)."""

BENCH = replace(
    SMALL,
    seed="bench",
    channels=_channels(
        alpha="v1.71.5", beta="v1.71.5", early_access="v1.70.17", stable="v1.70.17", rock_solid="v1.68.13"
    ),
    versions=("v1.68.13", "v1.69.7", "v1.70.17", "v1.71.5"),
    components=120,
    component_layer=1410 * KIB,
    base_layer=8 * MIB,
    main_layer=8 * MIB,
    install_layer=200 * MIB,
    module_layer=512 * KIB,
    extra_layer=2 * MIB,
    security_layer=16 * MIB,
    modules=tuple(replace(module, runtime_images=4) for module in SMALL.modules),
)
"""For benchmarks: the content of test-servers.md (issue 3 §4), about 1.4 GiB."""

BENCH_TEN_TIMES = BENCH.scaled(10, layers=0.1)
"""Ten times the images of `BENCH` in about as many bytes."""

BENCH_MANY = replace(
    BENCH.scaled(96),
    component_layers=1,
    component_layer=1 * KIB,
    module_layer=1 * KIB,
    base_layer=4 * KIB,
    install_layer=16 * MIB,
    main_layer=1 * MIB,
    security_layer=1 * MIB,
)
"""20,000 images with small blobs, for the memory that a run needs."""
