# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Pushes as `oci_bundle_push` makes them, without Ansible; and what a registry then holds.

As a program it pushes in a process of its own, which a test can kill: ``python -m ….pushing <host> <state> <source>…``.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import requests

from ...plugins.module_utils._mirror.memory import HostMemory
from ...plugins.module_utils._mirror.push import PushRequest, PushResult, push
from ...plugins.module_utils._oci.reference import parse_address
from ...plugins.module_utils._registry.client import Registry
from ...plugins.module_utils._registry.credentials import Credentials
from ...plugins.module_utils._registry.options import RegistryOptions
from ...plugins.module_utils._registry.stopping import Stopping
from .faulty import FaultyRegistry
from .images import DOCKER_MANIFEST, OCI_INDEX, OCI_MANIFEST

ROOT = "mirror/dkp"
"""Where bundles are pushed to, below the host."""
_REQUEST = set(PushRequest.__dataclass_fields__)


def push_bundle(
    host: str,
    *sources: Path,
    state: Path | None,
    login: tuple[str, str] | None = None,
    stopping: Stopping | None = None,
    **options: Any,
) -> PushResult:
    """Push `sources` to ``host/ROOT``. `options` are fields of PushRequest or of RegistryOptions."""
    stopping = stopping or Stopping()
    asked = {name: value for name, value in options.items() if name in _REQUEST}
    settings: dict[str, Any] = {"scheme": "http", "timeout": 10, "read_only_wait": 5}
    settings.update({name: value for name, value in options.items() if name not in _REQUEST})
    if login:
        settings["credentials"] = Credentials(*login)
    registry = Registry(RegistryOptions(parse_address(f"{host}/{ROOT}"), **settings), stopping=stopping)
    memory = HostMemory(state, read_only=bool(asked.get("check_mode")))
    try:
        return push(PushRequest(sources, asked.pop("modules_path", "modules"), **asked), registry, memory, stopping)
    finally:
        registry.close()


def held(url: str, repository: str = "", *, auth: Any = None) -> dict[str, str]:
    """Digests by tag of a repository below ROOT; nothing for one that is not there."""
    path = f"{url}/v2/{ROOT}/{repository}".rstrip("/")
    listed = requests.get(f"{path}/tags/list", auth=auth, timeout=10)
    if listed.status_code == 404:
        return {}
    accept = {"Accept": f"{DOCKER_MANIFEST}, {OCI_MANIFEST}, {OCI_INDEX}"}
    digests = {}
    for tag in listed.json()["tags"] or []:
        answer = requests.head(f"{path}/manifests/{tag}", headers=accept, auth=auth, timeout=10)
        digests[tag] = answer.headers["Docker-Content-Digest"]
    return digests


def tags(registry: FaultyRegistry, path: str) -> dict[str, str]:
    """As `held`, of a registry in this process."""
    return registry.store.repository(f"{ROOT}/{path}".rstrip("/")).tags


if __name__ == "__main__":
    push_bundle(sys.argv[1], *map(Path, sys.argv[3:]), state=Path(sys.argv[2]), timeout=5)
