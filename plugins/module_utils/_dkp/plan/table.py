# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The plan as people read it: one block per cluster, then what is to be downloaded, then the verdict."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ..counting import counted
from ..findings import SEVERITIES, finding_lines

_MOST_MODULES = 30
"""Modules shown for one cluster; the rest are counted."""
_UNITS = ("bytes", "kB", "MB", "GB", "TB")


def plan_table(plan: Mapping[str, Any], sizes: Mapping[str, Any] | None = None) -> list[str]:
    """Lines of text. `plan` is the plan's document, `sizes` what a pull by it told in check mode, if it was asked."""
    lines: list[str] = []
    for name, cluster in plan["clusters"].items():
        lines += [*_cluster(name, cluster, sizes or {}), ""]
    lines += finding_lines(plan["findings"])
    lines += _download(plan["content"], sizes)
    lines.append(_verdict(plan))
    return lines


def _cluster(name: str, cluster: Mapping[str, Any], sizes: Mapping[str, Any]) -> Iterator[str]:
    where = ", ".join(each for each in (cluster["edition"], cluster["registry"]) if each)
    yield f"Cluster {name}" + (f" ({where})" if where else "")
    rows = [("platform", cluster["platform"], sizes.get("platform", {}))]
    modules = list(cluster["modules"].items())
    by_module = sizes.get("modules", {})
    rows += [(module, route, by_module.get(module, {})) for module, route in modules[:_MOST_MODULES]]
    width = max(len(title) for title, _route, _bytes in rows)
    for title, route, of_step in rows:
        yield f"  {title:<{width}}  {_way(route, of_step)}"
    if len(modules) > _MOST_MODULES:
        yield f"  and {len(modules) - _MOST_MODULES} more modules"
    counts = cluster["requirements"]
    yield f"  requirements: {counts['met']} met, {counts['not_met']} not met, {counts['unknown']} unknown"
    yield from finding_lines(cluster["findings"], indent="  ")


def _way(route: Mapping[str, Any], of_step: Mapping[str, int]) -> str:
    """``v1.68.11 -> v1.68.13 (12 MB) -> v1.69.7 (340 MB), channel stable``."""
    channel = f", channel {route['channel']}" if route["channel"] else ", no channel"
    start = route["from"] or "not there yet"
    if not route["steps"]:
        return f"{start}{channel}, nothing to do"
    steps = [f"{step} ({readable(of_step[step])})" if step in of_step else step for step in route["steps"]]
    return " -> ".join([start, *steps]) + channel


def _download(content: Mapping[str, Any], sizes: Mapping[str, Any] | None) -> Iterator[str]:
    platform, modules = content["platform"], content["modules"]
    if not platform["versions"] and not modules and not content["security_db"] and not content["installer"]:
        yield "To download: nothing"
        return
    parts = []
    if platform["versions"]:
        parts.append(("platform " + ", ".join(platform["versions"]), _total((sizes or {}).get("platform"))))
    if modules:
        of_modules = (sizes or {}).get("modules", {}).values()
        parts.append((counted(len(modules), "module"), sum(map(_total, of_modules))))
    if content["security_db"]:
        parts.append(("security databases", _total((sizes or {}).get("security_db"))))
    if content["installer"]:
        parts.append(("installer", int((sizes or {}).get("installer") or 0)))
    told = "; ".join(f"{what} ({readable(size)})" if sizes else what for what, size in parts)
    whole = f" {readable(sum(size for _what, size in parts))}" if sizes else ""
    yield f"To download{whole}: {told}"


def _total(sizes: Mapping[str, int] | None) -> int:
    return sum((sizes or {}).values())


def _verdict(plan: Mapping[str, Any]) -> str:
    told = [*plan["findings"], *(each for cluster in plan["clusters"].values() for each in cluster["findings"])]
    counts = {severity: sum(each["severity"] == severity for each in told) for severity in SEVERITIES}
    named = ", ".join(
        f"{count} {severity}{'s' if count > 1 and severity in ('error', 'warning') else ''}"
        for severity, count in counts.items()
        if count and severity != "info"
    )
    verdict = "The plan can be carried out" if plan["ok"] else "The plan cannot be carried out"
    return f"{verdict}: {named}" if named else verdict


def readable(size: int) -> str:
    """``1.3 GB``: decimal units, as media are sold."""
    value, unit = float(size), 0
    while value >= 1000 and unit < len(_UNITS) - 1:
        value, unit = value / 1000, unit + 1
    return f"{value:.0f} {_UNITS[unit]}" if unit == 0 or value >= 100 else f"{value:.1f} {_UNITS[unit]}"
