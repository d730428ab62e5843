# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later


"""Where clusters stand, as people read it: one block for each, with a row for the platform and one for each module."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from ..counting import counted
from ..version import Version
from .document import ClusterStatus, Part, Track

_MOST_MODULES = 60
"""Rows for one cluster; of more modules those that are up to date are counted."""
_MOST_FINDINGS = 20
_HEAD = ("", "channel", "runs", "private", "vendor", "")
_PARTS = {
    "cluster": "the cluster",
    "progress": "progress",
    "registry": "the private registry",
    "vendor": "the vendor",
    "vendor_modules": "the vendor's modules",
}


def status_table(clusters: Mapping[str, ClusterStatus]) -> list[str]:
    """Lines of text."""
    lines: list[str] = []
    for name, status in clusters.items():
        lines += [*([""] if lines else []), *_cluster(name, status)]
    return lines


def _cluster(name: str, status: ClusterStatus) -> Iterator[str]:
    where = ", ".join(each for each in (status.edition, status.part("registry").where) if each)
    mode = f", update mode {status.update_mode}" if status.update_mode else ""
    yield f"Cluster {name}" + (f" ({where})" if where else "") + mode
    if status.part("cluster").known:
        yield from _rows(status)
    else:
        for part, title in (("registry", "private registry"), ("vendor", "vendor")):
            if status.part(part).known:
                yield f"  {title}: {_channels(status.part(part))}"
    if status.queue.readable:
        rest = max((status.queue.total or 0) - (status.queue.main or 0), 0)
        yield f"  queue: {counted(status.queue.main or 0, 'task')} in main, {rest} in others"
    elif status.part("progress").known:
        yield "  queue: not readable from here, or not now"
    yield from _findings(status)
    yield from _unknown(status)
    yield f"  {_verdict(status)}. Next: {status.next.message}"


def _rows(status: ClusterStatus) -> Iterator[str]:
    shown = sorted(status.modules.items(), key=lambda each: _needs_nothing(each[1]))[:_MOST_MODULES]
    tracks = [("platform", status.platform), *sorted(shown)]
    rows = [_HEAD, *((name, *_cells(track, status), _remark(track, status)) for name, track in tracks)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEAD) - 1)]
    for row in rows:
        cells = [cell.ljust(width) for cell, width in zip(row, widths)]
        yield f"  {'  '.join([*cells, row[-1]])}".rstrip()
    if len(status.modules) > len(shown):
        yield f"  and {len(status.modules) - len(shown)} more modules"


def _needs_nothing(track: Track) -> bool:
    return bool(track.up_to_date) or not track.followed


def _cells(track: Track, status: ClusterStatus) -> tuple[str, str, str, str]:
    modules = "vendor" if track is status.platform else "vendor_modules"
    runs = str(track.runs) if track.runs is not None else "not yet"
    if not track.followed:
        return track.channel or "-", runs, "", ""
    return (
        track.channel or "-",
        runs,
        _cell(track.registry, status.part("registry")),
        _cell(track.vendor, status.part(modules)),
    )


def _cell(version: Version | None, part: Part) -> str:
    """``?`` is not known, ``-`` is not there."""
    return str(version) if version is not None else "-" if part.known else "?"


def _remark(track: Track, status: ClusterStatus) -> str:
    told = []
    if track is status.platform and status.updating is not None:
        told.append(f"updating to {status.updating}")
    if not track.followed:
        return f"left alone: {track.note}"
    words = {True: "up to date", False: "behind", None: ""}
    behind = f" by {counted(len(track.steps), 'step')}" if track.up_to_date is False and track.steps else ""
    told += [words[track.up_to_date] + behind, track.note]
    told += [f"the private registry lacks images of {_listed(track.incomplete)}"] if track.incomplete else []
    for each in track.waiting:
        until = f" until {each.until}" if each.until else ""
        state = f" ({each.state})" if each.state else ""
        told.append(f"{each.version} waits{until}{state}" + (f": {each.message}" if each.message else ""))
    told += [f"module is {track.phase}"] if track.phase not in (None, "Ready") else []
    return "; ".join(each for each in told if each)


def _listed(versions: Sequence[Version]) -> str:
    return ", ".join(map(str, versions))


def _channels(part: Part) -> str:
    return ", ".join(f"{name} {version}" for name, version in part.channels.items()) or "no release channels"


def _findings(status: ClusterStatus) -> Iterator[str]:
    for finding in status.findings[:_MOST_FINDINGS]:
        yield f"  {finding.severity.upper()} {finding.id} [{finding.subject}] {finding.message}"
    if len(status.findings) > _MOST_FINDINGS:
        yield f"  and {len(status.findings) - _MOST_FINDINGS} more findings"


def _unknown(status: ClusterStatus) -> Iterator[str]:
    """Why parts are missing; parts that share a reason share a line."""
    reasons: dict[str, list[str]] = {}
    for part, title in _PARTS.items():
        if not status.part(part).known:
            reasons.setdefault(status.part(part).reason, []).append(title)
    for reason, titles in reasons.items():
        yield f"  not known: {' and '.join(titles)}: {reason}"


def _verdict(status: ClusterStatus) -> str:
    if not status.part("cluster").known:
        return "Whether it is up to date is not known"
    if status.updating is not None:
        return "An update is under way"
    verdicts = {True: "Up to date", False: "Not up to date", None: "Whether it is up to date is not known"}
    return verdicts[status.up_to_date]
