# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a cluster acts upon: channels and databases, judged before anything is sent and again before the first write."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timezone

from .._bundle.errors import BundleDamaged
from .._dkp import release as releases
from .._dkp import tree
from .._dkp.findings import Finding
from .._dkp.version import Version
from .._oci.errors import InvalidContent
from .._oci.manifest import Manifest
from .._registry.errors import NotFound
from .freight import Group, Item
from .reading import ImageReader
from .target import Target

DANGLING = "dangling"
_RFC3339 = re.compile(
    r"(?P<date>[0-9]{4}-[0-9]{2}-[0-9]{2})[Tt ](?P<time>[0-9]{2}:[0-9]{2}:[0-9]{2})(?:\.(?P<fraction>[0-9]+))?"
    r"(?P<offset>[Zz]|[+-][0-9]{2}:[0-9]{2})"
)
_FILES = frozenset({releases.VERSION_FILE})


@dataclass(frozen=True)
class Verdict:
    """What becomes of a pointer: `before` is what the target has, `refusal` ends the run, `withheld` leaves it out."""

    item: Item
    group: str
    before: str | None
    refusal: str | None = None
    withheld: Finding | None = None

    @property
    def write(self) -> bool:
        """Whether the pointer has to be written: it may, and it is not what it should be."""
        return self.refusal is None and self.withheld is None and self.before != self.item.image.digest


class Judge:
    """Compares the pointers of a bundle with those of the target, as it is when this is made or, `fresh`, asked."""

    def __init__(
        self,
        target: Target,
        reader: ImageReader,
        groups: dict[str, Group],
        *,
        allow_downgrade: bool,
        fresh: bool = False,
    ) -> None:
        self._ask = target.fresh_digest if fresh else target.digest
        self._root = target.registry.address
        self._reader = reader
        self._groups = groups
        self._allow_downgrade = allow_downgrade

    def judge(self, item: Item, group: str) -> Verdict:
        """Judge one pointer. Raises RegistryError; BundleDamaged for a pointer that says nothing."""
        before = self._ask(item.repository, item.tag)
        if before == item.image.digest:
            return Verdict(item, group, before)
        place = tree.place_of(item.layout.path)
        if place.area in ("platform", "module", "package"):
            return self._judge_channel(item, group, before)
        if place.area == "security" and before is not None and not self._allow_downgrade:
            return Verdict(item, group, before, refusal=self._older(item))
        return Verdict(item, group, before)

    def _judge_channel(self, item: Item, group: str, before: str | None) -> Verdict:
        version = _bundle_version(item)
        if version is None:  # channel tags of install images in old bundles say nothing of a version
            return Verdict(item, group, before)
        lacking = [path for path in self._needed(item, group) if not self._will_have(path, str(version), group)]
        if lacking:
            message = (
                f"{item.path}:{item.tag} points at {version}, and neither the bundle nor the registry has "
                f"{', '.join(f'{path or item.repository}:{version}' for path in lacking)}; the pointer is not written"
            )
            hint = f"Pull {version} too, or a bundle without this channel"
            return Verdict(
                item, group, before, withheld=Finding(DANGLING, "warning", f"{item.path}:{item.tag}", message, hint)
            )
        refusal = None
        if before is not None and not self._allow_downgrade:
            present = self._target_version(item)
            if present is not None and version < present:
                refusal = (
                    f"{item.path}:{item.tag} points at {present} in the registry and would go back to {version}; "
                    "set allow_downgrade: true if that is meant"
                )
        return Verdict(item, group, before, refusal=refusal)

    def _needed(self, item: Item, group: str) -> list[str]:
        """Repositories, below the root, that must have a version before a channel may point at it."""
        place = tree.place_of(item.layout.path)
        if place.area == "platform":
            return [tree.ROOT, tree.RELEASE_CHANNEL]
        main = item.path.rpartition("/")[0]
        return [main, item.path]

    def _will_have(self, path: str, tag: str, group: str) -> bool:
        if any(item.path == path and item.tag == tag for item in self._groups[group].versions):
            return True
        return self._ask(self._root.child(path), tag) is not None

    def _target_version(self, item: Item) -> Version | None:
        """What the target's pointer says; None where it is no release image."""
        try:
            manifest = self._reader.manifest(item.repository, item.tag)
        except (NotFound, InvalidContent):
            return None  # what is there cannot be a release of DKP, so nothing can be lower than it
        return stated_version(self._reader, item.repository, manifest)

    def _older(self, item: Item) -> str | None:
        try:
            there = self._reader.manifest(item.repository, item.tag)
        except NotFound:
            return None
        mine = item.layout.manifest(item.image.key, item.image.size)
        made, newest = _moment(mine.created), _moment(there.created)
        if made is not None and newest is not None and made < newest:
            return (
                f"{item.path}:{item.tag} was made at {there.created} in the registry, the bundle's is older "
                f"({mine.created}); set allow_downgrade: true if that is meant"
            )
        return None


def stated_version(reader: ImageReader, repository: str, manifest: Manifest) -> Version | None:
    """The version that a release image in the registry says it is; None for any other image. Raises RegistryError."""
    try:
        return _version(reader.files(repository, manifest, _FILES), f"{repository}@{manifest.digest}")
    except (NotFound, InvalidContent):
        return None


def follow_releases(verdicts: Iterable[Verdict]) -> list[Verdict]:
    """Channels of old bundles in other repositories of the platform share the fate of `release-channel` (§5.9)."""
    judged = list(verdicts)
    withheld = {
        verdict.item.tag: verdict.withheld
        for verdict in judged
        if verdict.item.path == tree.RELEASE_CHANNEL and verdict.withheld is not None
    }
    return [
        replace(verdict, withheld=_withheld_too(verdict.item, withheld[verdict.item.tag]))
        if verdict.group == "platform" and verdict.withheld is None and verdict.item.tag in withheld
        else verdict
        for verdict in judged
    ]


def _withheld_too(item: Item, finding: Finding) -> Finding:
    name = f"{item.path or item.repository}:{item.tag}"
    return Finding(DANGLING, "warning", name, f"{name} is not written, because {finding.subject} is not", finding.hint)


def _moment(text: str | None) -> tuple[datetime, str] | None:
    """A time of RFC 3339 as something to compare: whole seconds in UTC, and the digits of the fraction."""
    match = _RFC3339.fullmatch(text or "")
    if match is None:
        return None
    offset = match["offset"].upper().replace("Z", "+00:00")
    try:
        whole = datetime.fromisoformat(f"{match['date']}T{match['time']}{offset}")
    except ValueError:
        return None
    return whole.astimezone(timezone.utc), (match["fraction"] or "").rstrip("0")


def _bundle_version(item: Item) -> Version | None:
    place = tree.place_of(item.layout.path)
    if place.area == "platform" and item.path != tree.RELEASE_CHANNEL:
        return None
    where = f"{item.path}:{item.tag}"
    try:
        manifest = item.layout.manifest(item.image.key, item.image.size)
        version = _version(item.layout.files(manifest, _FILES), where)
    except InvalidContent as error:
        raise BundleDamaged(item.layout.sources[0][0].name, f"{where} is no release image: {error}") from error
    if version is None:
        raise BundleDamaged(
            item.layout.sources[0][0].name, f"{where} has no {releases.VERSION_FILE}; it is no release image of DKP"
        )
    return version


def _version(files: dict[str, bytes], where: str) -> Version | None:
    data = files.get(releases.VERSION_FILE)
    return None if data is None else releases.parse_module_version(data, where=where)


def restrict_channels(groups: Iterable[Group], channels: tuple[str, ...] | None) -> list[tuple[Item, str]]:
    """The pointers of `groups` with their group's name; of channels only those asked for."""
    pointers = [(item, group.name) for group in groups for item in group.pointers]
    if channels is None:
        return pointers
    return [
        (item, group)
        for item, group in pointers
        if item.tag in channels or tree.place_of(item.layout.path).area in ("security", "installer")
    ]
