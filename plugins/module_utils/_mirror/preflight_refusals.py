# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Sorts refused uploads by what has to be done about them: one finding for each sort, naming repositories."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from .._dkp.findings import Finding
from .._dkp.nearest import listed
from .._registry.errors import AccessDenied, NotFound, ReadOnly, RegistryError, Throttled, TransportFailure, Unavailable
from .._registry.kinds import DOCKER_HUB, ECR, GITLAB, HARBOR, NEXUS, QUAY
from .demand import Demand, depth_of
from .preflight_answers import Answers

_READ_ONLY = re.compile(r"read[-_ ]?only|maintenance|garbage[-_ ]?collect", re.IGNORECASE)
CREDENTIALS, RIGHTS, DEPTH, PLACE, READ_ONLY, NO_WRITES, ROOM, UNCLEAR = (
    *("R1", "push_rights", "R4", "no_project", "read_only", "no_uploads", "R6", "unclear"),
)
_NO_PLACE = re.compile(
    r"(?:project|repository|namespace|organi[sz]ation)\b.{0,80}\b(?:not found|not exist|unknown)", re.IGNORECASE
)


@dataclass(frozen=True)
class _Sort:
    severity: str
    says: str
    hint: str


_SORTS = {
    CREDENTIALS: _Sort(
        "error", "refuses the credentials", "Check user name, password and auth_file; nothing else was asked"
    ),
    RIGHTS: _Sort(
        "error",
        "gives these credentials no right to push to",
        "Grant the account the right to push (write, deploy) there and to all repositories below images_repo",
    ),
    DEPTH: _Sort(
        "error",
        "does not take paths as deep as",
        "DKP needs nested paths up to <images_repo>/modules/<name>/extra/<image>; use a kind of repository or a "
        "registry that has them, or an images_repo nearer to the root",
    ),
    PLACE: _Sort(
        "error",
        "does not know the place of",
        "Make the project or repository that images_repo begins with, and check its spelling",
    ),
    READ_ONLY: _Sort(
        "error",
        "is read-only at the moment, for",
        "End its maintenance, or wait until its garbage collection is over; then run this again",
    ),
    NO_WRITES: _Sort(
        "error",
        "takes no uploads at all (HTTP 405) to",
        "It is in read-only mode, or a pull-through cache (proxy): use a hosted, writable repository as images_repo",
    ),
    ROOM: _Sort(
        "error", "has no room left for", "Raise the quota or make room, then run this again: nothing was sent yet"
    ),
    UNCLEAR: _Sort(
        "error",
        "did not open an upload to",
        "Look into the registry's log; if it works again, run this again",
    ),
}
_HINTS = {
    (RIGHTS, HARBOR): "Give the account, or robot account, the role Developer or higher in the project",
    (RIGHTS, NEXUS): "Give the account the privileges nx-repository-view-docker-<name>-add, -edit and -read",
    (RIGHTS, QUAY): "Give the robot account the right to create repositories in the organization",
    (RIGHTS, GITLAB): "Use a deploy or access token with read_registry and write_registry, or check the depth of paths",
    (PLACE, HARBOR): "Make the project in Harbor: the first name of images_repo after the host is its name",
    (PLACE, ECR): "Make every repository first, or a repository creation template for this prefix",
    (PLACE, NEXUS): "Write the connector's host:port (or its sub-domain), and not the address /repository/<name>",
    (DEPTH, GITLAB): "GitLab takes two names below a project: modules_path: / and a project of its own take modules as "
    "far as they have no extra images; otherwise use another registry",
    (DEPTH, QUAY): "Set FEATURE_EXTENDED_REPOSITORY_NAMES: true in the configuration of Quay",
    (DEPTH, DOCKER_HUB): "Docker Hub has no nested paths; use another registry",
    (NO_WRITES, HARBOR): "The project is a proxy cache; make a project that is none for DKP",
}


def refuses_credentials(answers: Answers) -> bool:
    """Whether asking on is of no use: the password is wrong, or one is wanted and there is none."""
    return any(_is_about_credentials(error, answers) for error in answers.refused.values())


def _is_about_credentials(error: RegistryError, answers: Answers) -> bool:
    if not isinstance(error, AccessDenied) or error.status != 401:
        return False
    return answers.anonymous or error.purpose == "get a token" or "bearer" not in answers.greeting.schemes


def judge_refusals(answers: Answers, demand: Demand, address: str) -> tuple[Finding, ...]:
    """One finding for each sort of refusal. Raises TransportFailure when no upload could even be asked for."""
    refused = answers.refused
    if refused and all(isinstance(error, TransportFailure) for error in refused.values()):
        raise next(iter(refused.values()))
    sorted_paths: dict[str, list[str]] = {}
    deep = _too_deep(refused, demand)
    for path, error in refused.items():
        sort = DEPTH if path in deep else _sort_of(error, answers)
        sorted_paths.setdefault(sort, []).append(path)
    return tuple(
        _finding(sort, paths, refused[paths[0]], answers, address) for sort, paths in sorted(sorted_paths.items())
    )


def _sort_of(error: RegistryError, answers: Answers) -> str:
    if _is_about_credentials(error, answers):
        return CREDENTIALS
    if isinstance(error, ReadOnly):
        return READ_ONLY if error.status != 405 or _READ_ONLY.search(error.text) else NO_WRITES
    if isinstance(error, (Throttled, Unavailable, TransportFailure)) or error.status is None:
        return ROOM if error.status == 507 else UNCLEAR
    if error.status == 507 or "quota" in error.text.lower():
        return ROOM
    if isinstance(error, NotFound) or _NO_PLACE.search(error.text):
        return PLACE
    if error.status == 400:
        return DEPTH
    return RIGHTS if isinstance(error, AccessDenied) else UNCLEAR


def _too_deep(refused: Mapping[str, RegistryError], demand: Demand) -> set[str]:
    """The refused paths, if they are just those that are deeper than all others."""
    by_place = {
        path for path, error in refused.items() if isinstance(error, (AccessDenied, NotFound)) or error.status == 400
    }
    taken = [depth_of(path) for path in demand.paths if path not in refused]
    if not by_place or not taken or min(map(depth_of, by_place)) <= max(taken):
        return set()
    return by_place


def _finding(sort: str, paths: list[str], error: RegistryError, answers: Answers, address: str) -> Finding:
    shape = _SORTS[sort]
    hint = _HINTS.get((sort, answers.greeting.kind), shape.hint)
    says = f"{shape.says} {listed([path or 'the root' for path in paths])}"
    if sort == CREDENTIALS:
        says = "wants credentials" if answers.anonymous else shape.says
        if answers.anonymous:
            hint = "Set username and password, or auth_file: none were given for this registry"
    answer = " ".join(part for part in (f"HTTP {error.status}" if error.status else "", error.code, error.text) if part)
    return Finding(sort, shape.severity, address, f"{address} {says} ({answer or 'no reason given'})", hint)
