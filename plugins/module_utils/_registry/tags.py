# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tag lists over all their pages, with ``Link`` in all the shapes registries give it (registry-quirks §8)."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

from .._oci.reference import is_tag
from .authorization import Scope
from .errors import RegistryError
from .exchange import Answer, Call, Exchange
from .locations import BadLocation, Target, resolve

MOST_TAGS = 2_000_000
MOST_PAGES = 10_000
LARGEST_PAGE = 64 * 1024 * 1024
_MOST_BARREN_PAGES = 100
_LINK = re.compile(r"<([^<>]*)>((?:\s*;\s*[^=;,\s]+\s*(?:=\s*(?:\"[^\"]*\"|[^\";,\s]*))?)*)")
_NEXT = re.compile(r";\s*rel\s*=\s*(?:\"[^\"]*\bnext\b[^\"]*\"|'?next'?\b)", re.IGNORECASE)


def list_tags(exchange: Exchange, repository: str) -> list[str]:
    """Every tag of `repository`, in the order of the registry, each once. Raises NotFound, RegistryError."""
    first = Target(exchange.own, f"/v2/{repository}/tags/list")
    page: Target | None = first
    found: dict[str, None] = {}
    visited: set[str] = set()
    barren = 0
    while page is not None:
        visited.add(page.path)
        answer = exchange.fetch(_call(repository, page), limit=LARGEST_PAGE)
        before = len(found)
        listed = _tags_of(answer, repository)
        found.update(dict.fromkeys(tag for tag in listed if is_tag(tag)))
        following = next_page(answer.all_links(), page, first=first)
        if following is None:
            break
        barren = barren + 1 if len(found) == before else 0
        if following.path in visited or (listed and barren) or barren > _MOST_BARREN_PAGES:
            # what was read so far may be only the beginning: nothing may be silently missing
            raise _broken(repository, page, "its pages repeat themselves and never end")
        if len(visited) >= MOST_PAGES or len(found) > MOST_TAGS:
            raise _broken(repository, page, f"it has more than {MOST_PAGES} pages or {MOST_TAGS} tags")
        page = following
    return list(found)


def next_page(links: Sequence[str], page: Target, *, first: Target) -> Target | None:
    """The page after `page` by its Link headers; always on the registry's own host, whatever the link names."""
    for header in links:
        for match in _LINK.finditer(header):
            if not _NEXT.search(match.group(2)) or not match.group(1).strip():
                continue
            try:
                target = resolve(page, match.group(1))
            except BadLocation:
                return None
            path, mark, query = target.path.partition("?")
            own_path = first.path
            if path != own_path and (path.endswith(own_path) or path.endswith("/tags/list")):
                # a proxy's path before ours; what matters is the query
                path = own_path
            return Target(first.origin, path + mark + query)
    return None


def _call(repository: str, page: Target) -> Call:
    return Call(
        f"list the tags of {repository}",
        "GET",
        page,
        scopes=(Scope(repository, "pull"),),
        headers={"Accept": "application/json"},
        first=True,
    )


def _tags_of(answer: Answer, repository: str) -> list[str]:
    try:
        document = json.loads(answer.content(LARGEST_PAGE))
    except (ValueError, RecursionError) as error:
        raise _broken(repository, answer.target, "the answer is not JSON") from error
    tags = document.get("tags") if isinstance(document, dict) else None
    if tags is None and isinstance(document, dict):
        return []
    if not isinstance(tags, list):
        raise _broken(repository, answer.target, "the answer is not a tag list")
    return [tag for tag in tags if isinstance(tag, str)]


def _broken(repository: str, page: Target, text: str) -> RegistryError:
    return RegistryError(
        f"list the tags of {repository}",
        method="GET",
        url=page.shown,
        text=text,
        hint="Something between here and the registry does not serve tag lists as the distribution spec says",
    )
