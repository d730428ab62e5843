# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What kind of registry answers, as far as its answers give that away (registry-quirks §18)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from urllib.parse import urlsplit

from .challenge import Challenge

ARTIFACTORY = "Artifactory"
DOCKER_HUB = "Docker Hub"
ECR = "Amazon ECR"
GITEA = "Gitea"
GITLAB = "GitLab"
HARBOR = "Harbor"
NEXUS = "Nexus"
QUAY = "Quay"
ZOT = "zot"
UNKNOWN = ""

_HEADERS = (
    ("gitlab-container-registry-version", GITLAB),
    ("x-jfrog-version", ARTIFACTORY),
    ("x-artifactory-id", ARTIFACTORY),
    ("x-gitea-version", GITEA),
)
_SERVERS = (("nexus", NEXUS), ("artifactory", ARTIFACTORY), ("zot", ZOT), ("gitea", GITEA), ("forgejo", GITEA))
_SERVICES = {"harbor-registry": HARBOR, "registry.docker.io": DOCKER_HUB}
_REALMS = (("/jwt/auth", GITLAB), ("/v2/auth", QUAY), ("/service/token", HARBOR), ("/v2/token", GITEA))
_ECR_HOST = re.compile(r"\.dkr\.ecr(-fips)?\.[a-z0-9-]+\.amazonaws\.com")


def kind_of(host: str, headers: Mapping[str, str], challenges: Sequence[Challenge]) -> str:
    """One of the names above; UNKNOWN also for Distribution, which says nothing of itself.

    `headers` are those of the answer to ``/v2/``, with lower-case names.
    """
    if _ECR_HOST.search(host.lower()):
        return ECR
    for name, kind in _HEADERS:
        if name in headers:
            return kind
    server = headers.get("server", "").lower()
    for word, kind in _SERVERS:
        if word in server:
            return kind
    for challenge in challenges:
        service = challenge.parameters.get("service", "").lower()
        path = _path_of(challenge.parameters.get("realm", ""))
        if service in _SERVICES:
            return _SERVICES[service]
        for ending, kind in _REALMS:
            if path == ending or (ending == "/service/token" and path.endswith(ending)):
                return NEXUS if kind == GITEA and "nexus" in service else kind
    return UNKNOWN


def _path_of(realm: str) -> str:
    try:
        return urlsplit(realm).path.rstrip("/")
    except ValueError:
        return ""
