# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a private registry holds: the document that `mirror_inventory_info` writes (contract §2)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ..._oci.errors import InvalidInput
from ..fields import channel, described, mapping, mapping_of, parse_record, record_of, text, texts
from ..fields import number as number_field
from ..fields import version as version_field
from ..fields import versions as versions_field
from ..version import Version

KIND = "MirrorInventory"
VERSION = 1


@dataclass(frozen=True)
class Held:
    """The platform, or one module, in the private registry.

    `versions`: the version tags that Deckhouse lists there. `incomplete`: what each of them lacks, by version tag:
    names of images or digests; a version that is not named lacks nothing. `channels`: what the pointers say.
    """

    versions: tuple[Version, ...] = described(versions_field, ())
    incomplete: Mapping[str, tuple[str, ...]] = described(mapping_of(texts), dict)
    channels: Mapping[str, Version] = described(mapping_of(version_field), dict)

    def is_complete(self, version: Version) -> bool:
        """Whether the version is there with everything it needs."""
        return version in self.versions and not self.incomplete.get(str(version))

    def lacks(self, version: Version) -> tuple[str, ...]:
        """What of the version is missing; the version itself where its tag is not there."""
        if version not in self.versions:
            return (str(version),)
        return self.incomplete.get(str(version), ())


NOTHING = Held()


@dataclass(frozen=True)
class Inventory:
    """All of one private registry. `security_db`: database -> digest."""

    kind: str = described(text, KIND)
    version: int = described(number_field, VERSION)
    images_repo: str | None = described(text, None)
    platform: Held = described(record_of(Held), Held)
    modules: Mapping[str, Held] = described(mapping_of(record_of(Held)), dict)
    security_db: Mapping[str, str] = described(mapping_of(text), dict)

    def module(self, name: str) -> Held:
        """What is held of a module; of one that is not there nothing."""
        return self.modules.get(name, NOTHING)


def parse_inventory(document: object, *, where: str) -> Inventory:
    """Read the document; raises InvalidInput with the path of the field, for another kind, and for unknown versions."""
    top = mapping(document, where)
    if top.get("kind") != KIND:
        raise InvalidInput(f"{where}.kind: expected {KIND}, found {top.get('kind')!r}")
    if top.get("version") != VERSION:
        raise InvalidInput(f"{where}.version: {top.get('version')!r} is not known; this collection reads {VERSION}")
    inventory = parse_record(Inventory, top, where)
    for place, held in (("platform", inventory.platform), *inventory.modules.items()):
        for name in held.channels:
            channel(name, f"{where}.{place}.channels")
    return inventory
