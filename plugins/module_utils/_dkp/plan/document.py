# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later


"""The plan as a document: `kind: UpdatePlan` (contract §2, `update_plan`)."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ..._oci.errors import InvalidInput
from ..._oci.reference import is_repository_path, is_tag
from ..channels import is_channel
from ..content import Content, PinnedTag, Releases, parse_content
from ..documents import kind_of
from ..fields import anything, described, flag, mapping, mapping_of, parse_record, record_of, text
from ..findings import Finding, parse_findings
from ..version import version_of_tag

KIND = "UpdatePlan"
VERSION = 1
_MOST_TOLD = 100
"""Findings that one message names; a fleet may have more."""


class PlanRefused(InvalidInput):
    """The plan has findings of severity error that nobody accepted; `details` has them as `findings`."""


@dataclass(frozen=True)
class PlanSource:
    """Where the releases of the plan were seen."""

    images_repo: str | None = described(text, None)
    edition: str | None = described(text, None)


@dataclass(frozen=True)
class PlanFinding:
    """A finding of the plan and the cluster it is about, None for one about the whole fleet."""

    cluster: str | None
    finding: Finding


@dataclass(frozen=True)
class PlanDocument:
    """A plan that was read. `clusters` is what it says of each, as it was read; `document` is the whole of it."""

    source: PlanSource
    ok: bool
    clusters: Mapping[str, Any]
    findings: tuple[PlanFinding, ...]
    content: Content
    document: Mapping[str, Any]

    @property
    def errors(self) -> tuple[PlanFinding, ...]:
        """The findings that speak against carrying out the plan."""
        return tuple(found for found in self.findings if found.finding.severity == "error")


def parse_plan(document: object, where: str = "plan") -> PlanDocument:
    """Read a plan out of plain data, which a user may have edited.

    Raises InvalidInput with the field's path: for another kind or version of document, for a field that nobody knows
    or that has a wrong type, for what cannot be the name of a module, database or tag, and for a channel that points
    at a version which the plan does not carry. Of clusters only the findings are read.
    """
    whole = _copied(mapping(document, where))
    _check_kind(whole, where)
    fields = parse_record(_Fields, whole, where)
    content = fields.content
    findings = [PlanFinding(None, finding) for finding in fields.findings]
    for name, found in fields.clusters.items():
        findings += [PlanFinding(name, finding) for finding in found]
    plan = PlanDocument(fields.source, fields.ok, whole.get("clusters") or {}, tuple(findings), content, whole)
    if not plan.ok and not plan.errors:
        raise InvalidInput(f"{where}.ok: is false, and no finding of severity error says why; make the plan anew")
    return plan


def accept_findings(plan: PlanDocument, accepted: Collection[str], *, where: str = "plan") -> tuple[Finding, ...]:
    """The plan's findings of severity error, each once. Raises PlanRefused unless the ids of all are `accepted`."""
    clusters: dict[Finding, list[str]] = {}
    for found in plan.errors:
        names = clusters.setdefault(found.finding, [])
        if found.cluster is not None:
            names.append(found.cluster)
    refused = [finding for finding in clusters if finding.id not in accepted]
    if refused:
        told = [_told(finding, clusters[finding]) for finding in refused[:_MOST_TOLD]]
        if len(refused) > _MOST_TOLD:
            told.append(f"and {len(refused) - _MOST_TOLD} more")
        identities = ", ".join(dict.fromkeys(finding.id for finding in refused))
        raise PlanRefused(
            f"{where}: the clusters would not take what it carries. {'; '.join(told)}. Mend what is named and make the "
            f"plan anew, or accept these findings by their ids (accept_findings: [{identities}])",
            findings=[finding.as_dict() for finding in refused[:_MOST_TOLD]],
        )
    return tuple(clusters)


def _told(finding: Finding, clusters: Iterable[str]) -> str:
    names = ", ".join(clusters)
    subject = f" {finding.subject}" if finding.subject else ""
    return f"{finding.id}{subject}{f' (cluster {names})' if names else ''}: {finding.message.rstrip('.')}"


def _check_kind(document: Mapping[str, Any], where: str) -> None:
    kind, version = document.get("kind"), document.get("version")
    if kind != KIND:
        raise InvalidInput(f"{where}.kind: expected {KIND}, found {kind_of(kind)}; this is no plan")
    if isinstance(version, bool) or version != VERSION:
        raise InvalidInput(f"{where}.version: {kind_of(version)} is not known; this collection reads version {VERSION}")


def _copied(value: Any) -> Any:
    """Plain data: Ansible hands over texts and mappings of its own types."""
    if isinstance(value, Mapping):
        return {str(key): _copied(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_copied(item) for item in value]
    return str(value) if isinstance(value, str) else value


def _findings_of_cluster(value: Any, where: str) -> tuple[Finding, ...]:
    return parse_findings(mapping(value, where).get("findings"), f"{where}.findings")


def _content(value: Any, where: str) -> Content:
    content = parse_content(value, where=where)
    _check_releases(content.platform, f"{where}.platform")
    for name, releases in content.modules.items():
        _check_name(name, f"{where}.modules")
        _check_releases(releases, f"{where}.modules.{name}")
    for name, tags in content.security_db.items():
        _check_name(name, f"{where}.security_db")
        _check_tags(tags, f"{where}.security_db.{name}")
    _check_tags(content.installer, f"{where}.installer")
    _check_pins(content.pins, f"{where}.pins")
    return content


def _check_releases(releases: Releases, where: str) -> None:
    for channel, version in releases.channels.items():
        if version not in releases.versions:
            raise InvalidInput(
                f"{where}.channels.{channel}: {version} is not among {where}.versions, and a bundle never carries a "
                "channel that points at a release it does not hold"
            )
    for tag in releases.tags:
        if is_channel(tag) or version_of_tag(tag):
            raise InvalidInput(f"{where}.tags: {tag} is no custom tag; it belongs to channels or versions")
    _check_tags(releases.tags, f"{where}.tags")


def _check_name(name: str, where: str) -> None:
    if "/" in name or not is_repository_path(name):
        raise InvalidInput(f"{where}: {name[:100]!r} cannot be the name of a repository")


def _check_tags(tags: Iterable[str], where: str) -> None:
    for tag in tags:
        if not is_tag(tag):
            raise InvalidInput(f"{where}: {tag[:100]!r} cannot be a tag")


def _check_pins(pins: Iterable[PinnedTag], where: str) -> None:
    known: dict[tuple[str, str], str] = {}
    for position, pin in enumerate(pins):
        if known.setdefault((pin.repository, pin.tag), pin.digest) != pin.digest:
            raise InvalidInput(f"{where}[{position}]: {pin.repository}:{pin.tag} is pinned to two digests")


@dataclass(frozen=True)
class _Fields:
    """The document's own fields; `kind` and `version` were looked at before the others."""

    content: Content = described(_content)
    source: PlanSource = described(record_of(PlanSource), PlanSource())
    ok: bool = described(flag, True)
    clusters: Mapping[str, tuple[Finding, ...]] = described(mapping_of(_findings_of_cluster), dict)
    findings: tuple[Finding, ...] = described(parse_findings, ())
    kind: str = described(text, KIND)
    version: int = described(anything, VERSION)
