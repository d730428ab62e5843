# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The request: what is known of a cluster and what is wished for it, as it crosses the gap (contract §3)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from ..._oci.errors import InvalidInput
from ..documents import kind_of
from ..fields import choice_of, described, flag, mapping, parse_record, plain, record_of, text
from ..findings import Finding, parse_findings
from .facts import ClusterFacts

KIND = "UpdateRequest"
VERSION = 1
INCLUDE_RUNNING = ("auto", "always", "never")


@dataclass(frozen=True)
class Wishes:
    """What of a plan the cluster's side decides; null is left to whoever makes the plan.

    `target`: a channel or version. `include_running`: whether the running version is carried too. `ignore_suspend`:
    whether releases that the vendor has suspended are taken.
    """

    target: str | None = described(text, None)
    include_running: str | None = described(choice_of(*INCLUDE_RUNNING), None)
    ignore_suspend: bool | None = described(flag, None)


@dataclass(frozen=True)
class UpdateRequest:
    """One cluster, the path of its private registry's inventory if there is one, and wishes.

    `preflight`: what was found when its private registry was asked whether it can take releases.
    """

    cluster: ClusterFacts = described(record_of(ClusterFacts))
    inventory: str | None = described(text, None)
    wishes: Wishes = described(record_of(Wishes), Wishes)
    preflight: tuple[Finding, ...] = described(parse_findings, ())


def parse_request(document: object, where: str = "request") -> UpdateRequest:
    """Read a request, also one written by hand, which needs no more of the cluster than its name and version.

    Raises InvalidInput: for another kind, for a version that is not known, naming those that are, and with the path
    of the field for whatever else is wrong.
    """
    fields = mapping(document, where)
    _check_kind(fields, where)
    found: UpdateRequest = parse_record(
        UpdateRequest, {key: item for key, item in fields.items() if key not in ("kind", "version")}, where
    )
    return found


def request_document(request: UpdateRequest) -> dict[str, Any]:
    """The document of `request`: plain data in a fixed order, the same for the same request."""
    told = [finding.as_dict() for finding in request.preflight]
    return {"kind": KIND, "version": VERSION, **plain(replace(request, preflight=())), "preflight": told}


def parse_wishes(document: object, where: str = "wishes") -> Wishes:
    """Read wishes alone; null is none. Raises InvalidInput with the path of the field."""
    found: Wishes = parse_record(Wishes, document, where)
    return found


def _check_kind(fields: dict[str, Any], where: str) -> None:
    kind, version = fields.get("kind"), fields.get("version")
    if kind is None:
        raise InvalidInput(f"{where}.kind: is missing; a request begins with kind: {KIND} and version: {VERSION}")
    if kind != KIND:
        raise InvalidInput(f"{where}.kind: expected {KIND!r}, found {kind_of(kind)}")
    if version is None:
        raise InvalidInput(f"{where}.version: is missing; this collection knows version {VERSION}")
    if version != VERSION or isinstance(version, (bool, float)):
        raise InvalidInput(f"{where}.version: {kind_of(version)} is not known; this collection knows version {VERSION}")
