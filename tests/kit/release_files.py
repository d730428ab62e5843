# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later


"""The small files inside images that Deckhouse and mirrors read (d8-mirror.md §2, dkp-cluster.md §4.3, §4.4)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

ComponentList = Mapping[str, Mapping[str, str]]
"""Group, name, and what it is known by: a digest or a tag."""


def minor_of(version: str) -> int:
    """The second number of ``vX.Y.Z``."""
    return int(version.split(".")[1])


def platform_version_json(version: str, *, suspended: bool = False) -> bytes:
    minor = minor_of(version)
    document: dict[str, Any] = {
        "version": version,
        "canary": {
            "alpha": {"enabled": True, "waves": 2, "interval": "5m"},
            "beta": {"enabled": False, "waves": 1, "interval": "1m"},
            "early-access": {"enabled": True, "waves": 6, "interval": "30m"},
            "stable": {"enabled": True, "waves": 6, "interval": "30m"},
            "rock-solid": {"enabled": False, "waves": 5, "interval": "5m"},
        },
        "requirements": {
            "k8s": "1.29" if minor >= 70 else "1.28",
            "autoK8sVersion": "1.31" if minor >= 70 else "1.30",
            "disabledModules": "delivery,l2-load-balancer" + (",ceph-csi" if minor >= 71 else ""),
            "nodesMinimalLinuxKernelVersion": "5.8.0",
        },
        "disruptions": {f"1.{minor}": ["ingressNginx"]} if minor % 2 else {},
    }
    if suspended:
        document["suspend"] = True
    return json.dumps(document, indent=2).encode()


def module_version_json(version: str) -> bytes:
    return json.dumps({"version": version}).encode()


def module_yaml(name: str, *, deckhouse: str) -> bytes:
    """Requirements on the platform and on Kubernetes; the constraint is quoted, it starts with ``>`` as a rule."""
    return f"""\
name: {name}
weight: 900
stage: General Availability
descriptions:
  en: A module of the tests' tree.
requirements:
  deckhouse: "{deckhouse}"
  kubernetes: ">= 1.27"
""".encode()


def changelog_yaml(version: str, *, subject: str) -> bytes:
    return f"""\
{subject}:
  features:
    - summary: "What {version} brings: more of the same."
      pull_request: https://github.com/deckhouse/deckhouse/pull/{minor_of(version)}01
  fixes:
    - summary: Repaired in {version}.
      pull_request: https://github.com/deckhouse/deckhouse/pull/{minor_of(version)}02
""".encode()


def component_list(components: ComponentList) -> bytes:
    """``images_digests.json`` or ``images_tags.json``, by what the leaves are."""
    return json.dumps(components, indent=2).encode()


def runtime_list(digests: Mapping[str, str]) -> bytes:
    """A module's ``images_digests.json``."""
    return json.dumps(digests, indent=2).encode()


def extra_list(tags: Mapping[str, str]) -> bytes:
    """A module's ``extra_images.json``; a tag that is a number stands there as one, as some modules write it."""
    return json.dumps({name: int(tag) if tag.isdigit() else tag for name, tag in tags.items()}).encode()
