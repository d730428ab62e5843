# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Pulls as `oci_bundle_pull` makes them, without Ansible; and what a bundle then holds.

As a program it pulls in a process of its own, which a test can kill: ``python -m ….pulling <address> <dest> <state>``,
then ``name=value`` for `chunk_size`, `platform_versions`, `since_version`.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...plugins.module_utils._bundle.delivery import Delivery, parse
from ...plugins.module_utils._bundle.directory import archives_in
from ...plugins.module_utils._bundle.index import scan
from ...plugins.module_utils._dkp.modules import parse_module_choice
from ...plugins.module_utils._dkp.plan.document import accept_findings, parse_plan
from ...plugins.module_utils._dkp.platform import parse_platform_selector
from ...plugins.module_utils._mirror.memory import HostMemory
from ...plugins.module_utils._mirror.pull import PullRequest, PullResult, pull
from ...plugins.module_utils._mirror.request import Planned, Selectors
from ...plugins.module_utils._oci.reference import RepositoryAddress, parse_address
from ...plugins.module_utils._registry.client import Registry
from ...plugins.module_utils._registry.options import RegistryOptions
from ...plugins.module_utils._registry.stopping import Stopping

_PLATFORM = {"platform_versions", "since_version", "release"}
_REQUEST = {"chunk_size", "force", "resume", "check_mode"}
_SELECTORS = set(Selectors.__dataclass_fields__)


def selectors(*, platform: bool = True, modules: Sequence[str] | None = None, **options: Any) -> Selectors:
    """The selectors of `oci_bundle_pull` under their names there."""
    named = {name: options.pop(name) for name in _PLATFORM & set(options)}
    chosen = parse_platform_selector(**named, ignore_suspend=options.get("ignore_suspend", False))
    choice = parse_module_choice(modules, options.pop("exclude_modules", None))
    return Selectors(chosen if platform else None, choice, options.pop("modules_path", "modules"), **options)


def pull_bundle(
    address: str, dest: Path, *, state: Path | None = None, stopping: Stopping | None = None, **options: Any
) -> PullResult:
    """Pull from ``host/path``. `options` are selectors, fields of PullRequest, or fields of RegistryOptions."""
    stopping = stopping or Stopping()
    request = {name: options.pop(name) for name in _REQUEST & set(options)}
    known = _PLATFORM | _SELECTORS | {"modules", "exclude_modules"}
    chosen = selectors(**{name: options.pop(name) for name in known & set(options)})
    settings = {"scheme": "http", "timeout": 10, **options}
    return _pulled(PullRequest(chosen, dest, **request), parse_address(address), settings, state, stopping)


def pull_planned(
    address: str, dest: Path, document: Any, *, state: Path | None = None, accepted: Sequence[str] = (), **options: Any
) -> PullResult:
    """Pull from ``host/path`` by a plan. `options` are fields of PullRequest, `modules_path` and `vex`."""
    plan = parse_plan(document)
    findings = accept_findings(plan, accepted)
    wanted = Planned(plan, options.pop("modules_path", "modules"), findings, options.pop("vex", True))
    settings = {"scheme": "http", "timeout": 10}
    return _pulled(PullRequest(wanted, dest, **options), parse_address(address), settings, state, Stopping())


def _pulled(
    request: PullRequest,
    address: RepositoryAddress,
    settings: dict[str, Any],
    state: Path | None,
    stopping: Stopping,
) -> PullResult:
    registry = Registry(RegistryOptions(address, **settings), stopping=stopping)
    try:
        return pull(request, registry, HostMemory(state, read_only=request.check_mode), stopping)
    finally:
        registry.close()


@dataclass(frozen=True)
class Held:
    """What a finished bundle holds: digests by tag of each layout, and the digests of all its blobs."""

    delivery: Delivery
    tags: dict[str, dict[str, str]]
    blobs: dict[str, set[str]]


def held(dest: Path) -> Held:
    """Read a bundle; AssertionError when a blob is not what its name says, or a part not what delivery.json says."""
    delivery = parse((dest / "delivery.json").read_bytes(), "delivery.json")
    tags: dict[str, dict[str, str]] = {}
    blobs: dict[str, set[str]] = {}
    for files in archives_in(dest):
        archive = scan(files.name, files.open())
        assert not archive.warnings
        for path, layout in archive.layouts.items():
            tags.setdefault(path, {}).update({image.short_tag: image.digest for image in layout.images})
            for key in layout.blobs:
                offset, size = layout.blobs.get(key) or (0, 0)
                assert hashlib.sha256(archive.space.read_at(offset, size)).digest() == key
                blobs.setdefault(path, set()).add(f"sha256:{key.hex()}")
        archive.space.close()
    names = set()
    for summary in delivery.archives:
        for part in summary.parts:
            names.add(part.name)
            assert hashlib.sha256((dest / part.name).read_bytes()).hexdigest() == part.sha256
    assert {path.name for path in dest.iterdir()} == {*names, "delivery.json"}
    listed: dict[str, dict[str, str]] = {path: {} for path in tags}
    for image in delivery.images:
        listed[image.repository][image.tag] = image.digest
    assert listed == tags
    return Held(delivery, tags, blobs)


def files_of(dest: Path) -> dict[str, str]:
    """Hash of every file of a directory."""
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(dest.iterdir())}


if __name__ == "__main__":
    _address, _dest, _state, *_rest = sys.argv[1:]
    _options: dict[str, Any] = dict(text.split("=", 1) for text in _rest)
    if "chunk_size" in _options:
        _options["chunk_size"] = int(_options["chunk_size"])
    print(pull_bundle(_address, Path(_dest), state=Path(_state), **_options).changed)
