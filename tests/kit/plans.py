# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later


"""Plans as `update_plan` writes them, over a `Tree`, for what carries them out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .tree import Tree

VERSIONS = ("v1.68.4", "v1.69.0")
CHANNELS = {"stable": "v1.69.0"}
MODULES: dict[str, dict[str, Any]] = {
    "console": {"versions": ["v1.35.4", "v1.36.2"], "channels": {"stable": "v1.36.2"}}
}
SECURITY = {"trivy-db": ["2"], "trivy-java-db": ["1"], "trivy-checks": ["0"], "trivy-bdu": ["1"]}


def content(
    *,
    versions: Sequence[str] = VERSIONS,
    channels: Mapping[str, str] | None = None,
    modules: Mapping[str, Mapping[str, Any]] | None = None,
    **more: Any,
) -> dict[str, Any]:
    """What a plan carries: the platform and a module on `SMALL`, and whatever else is given."""
    platform = {"versions": list(versions), "channels": dict(CHANNELS if channels is None else channels), "tags": []}
    modules = MODULES if modules is None else modules
    nothing: dict[str, Any] = {"packages": {}, "plugins": {}, "security_db": {}, "installer": [], "pins": []}
    return {"platform": platform, "modules": {name: dict(each) for name, each in modules.items()}, **nothing, **more}


def pins(tree: Tree, carried: Mapping[str, Any]) -> list[dict[str, str]]:
    """What one sees in `tree` of the metadata of what is carried."""
    groups = {"release-channel": carried["platform"]}
    groups |= {f"modules/{name}/release": each for name, each in carried["modules"].items()}
    return [
        {"repository": repository, "tag": tag, "digest": tree.tags(repository)[tag]}
        for repository, each in groups.items()
        for tag in (*each["channels"], *each["versions"])
    ]


def plan(carried: Mapping[str, Any], **fields: Any) -> dict[str, Any]:
    """A plan for one cluster that carries it; `fields` are put in place of its own."""
    prod = {
        "platform": {"from": "v1.67.1", "to": "v1.69.0", "channel": "stable", "steps": list(VERSIONS)},
        "modules": {},
        "findings": [],
        "resource_version": "4711",
    }
    return {
        "kind": "UpdatePlan",
        "version": 1,
        "source": {"images_repo": None, "edition": None},
        "ok": True,
        "clusters": {"prod": prod},
        "content": dict(carried),
        **fields,
    }


def finding(identity: str = "P3", severity: str = "error", subject: str = "v1.69") -> dict[str, str]:
    """A finding with a text of its own."""
    message, hint = f"{identity} says no to {subject}", "do something about it"
    return {"id": identity, "severity": severity, "subject": subject, "message": message, "hint": hint}
