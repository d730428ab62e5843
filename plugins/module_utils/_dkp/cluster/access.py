# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How a cluster reads its registry: address, authority, credentials (dkp-cluster.md §3.3, R1). All of it is secret."""

from __future__ import annotations

from dataclasses import dataclass, field

from ..fields import text
from .facts import UNMANAGED
from .objects import Observed, secret_value
from .platform import SYSTEM, settings
from .registry import registry
from .values import word

_LICENSE_USER = "license-token"


@dataclass(frozen=True)
class RegistryAccess:
    """`docker_config` is the text of a docker ``config.json``; in managed modes name and password are set instead."""

    images_repo: str
    scheme: str
    ca: str = ""
    docker_config: str = field(default="", repr=False)
    username: str = ""
    password: str = field(default="", repr=False)


def registry_access(observed: Observed) -> RegistryAccess | None:
    """The access; None where no registry outside of the cluster is known (mode Local, or nothing was read)."""
    found = registry(observed)
    if found is None or found.images_repo is None:
        return None
    if found.mode == UNMANAGED:
        secret = observed.get("Secret", "deckhouse-registry", namespace=SYSTEM)
        config = secret_value(secret, ".dockerconfigjson", text) or ""
        return RegistryAccess(found.images_repo, found.scheme, found.ca or "", docker_config=config)
    block = f"spec.settings.registry.{found.mode.lower()}"
    configured = settings(observed, "deckhouse")
    license_key = configured.read(f"{block}.license", word)
    username = configured.read(f"{block}.username", word)
    return RegistryAccess(
        found.images_repo,
        found.scheme,
        found.ca or "",
        username=(_LICENSE_USER if license_key else username) or "",
        password=license_key or configured.read(f"{block}.password", word) or "",
    )
