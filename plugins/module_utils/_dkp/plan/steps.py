# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The releases that lead from one version to another (contract `update_plan`; dkp-cluster.md §5.5 P3, P4, P12, M3).

For each minor from the deployed one to the target the highest patch above the deployed version, the last one capped at
the target. That is a superset of what either generation of Deckhouse walks (§5.2, §5.3).
"""

from __future__ import annotations

import functools
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ..release import Jump
from ..version import Version, parse_version

Series = tuple[int, int]
MOST_LTS_MINORS = 10
"""How many minors a cluster on the channel lts may skip at once (§1.5)."""


@dataclass(frozen=True)
class Chain:
    """`steps` ascending. `missing`: minors without a release that would have to be among them. `reaches`: whether
    the last step is the target (or nothing is to be done). `majors`: whether it leads over majors that Deckhouse does
    not cross: all but 0 to 1."""

    steps: tuple[Version, ...] = ()
    missing: tuple[Series, ...] = ()
    reaches: bool = True
    majors: bool = False


def series_name(series: Series) -> str:
    """A minor as people write it: ``v1.69``."""
    return f"v{series[0]}.{series[1]}"


def direct_chain(deployed: Version | None, target: Version) -> Chain:
    """The target alone: how the channel lts, and the first release of a module, are taken."""
    if deployed is None:
        return Chain((target,))
    return Chain((target,), majors=_crosses(deployed, target)) if deployed < target else Chain()


def platform_chain(deployed: Version, target: Version, available: Sequence[Version]) -> Chain:
    """From `deployed` to `target` by the platform's rules; `available`: the version tags of the source, ascending."""
    return _walk(deployed, target, _newest(deployed, target, available), {})


def module_chain(
    deployed: Version, target: Version, available: Sequence[Version], jumps: Mapping[Version, Sequence[Jump]]
) -> Chain:
    """The same for a module: `jumps` (by the version that states them) lead past the minors in between.

    A jump holds where the version reached lies in [from, to) and `to` names the minor of the version that states it.
    The newest patch of the deployed minor stays a step: newer Deckhouse takes it first, and older does not mind.
    """
    return _walk(deployed, target, _newest(deployed, target, available), jumps)


def _newest(deployed: Version, target: Version, available: Sequence[Version]) -> dict[Series, Version]:
    """By minor the highest release above `deployed` and up to `target`; Deckhouse takes no pre-releases."""
    between = available[bisect_right(available, deployed) : bisect_right(available, target)]
    return {version.series: version for version in between if not version.prerelease}


def _walk(
    deployed: Version, target: Version, newest: Mapping[Series, Version], jumps: Mapping[Version, Sequence[Jump]]
) -> Chain:
    if deployed >= target:
        return Chain()
    steps: list[Version] = []
    missing: list[Series] = []
    position = deployed
    patch = newest.get(deployed.series)
    if patch is not None:
        steps.append(patch)
        position = patch
    while position.series < target.series:
        jump = _furthest_jump(position, newest, jumps)
        following = jump.series if jump is not None else _following(position.series, target.series, newest)
        if following in newest:
            steps.append(newest[following])
            position = newest[following]
        else:
            missing.append(following)
            position = Version(*following, 0)
    return Chain(
        tuple(steps),
        tuple(missing),
        reaches=bool(steps) and steps[-1] == target,
        majors=_crosses(deployed, target),
    )


def _crosses(deployed: Version, target: Version) -> bool:
    return target.major > deployed.major and (deployed.major, target.major) != (0, 1)


def _following(series: Series, target: Series, newest: Mapping[Series, Version]) -> Series:
    """The next minor; where the major ends, the first one of the next that there is (how many 0.x there were is
    nowhere said)."""
    major, minor = series
    if major == target[0] or any(other[0] == major and other[1] > minor for other in newest):
        return (major, minor + 1)
    above = min((other for other in newest if other[0] > major), default=target)
    return min(above, target)


def _furthest_jump(
    position: Version, newest: Mapping[Series, Version], jumps: Mapping[Version, Sequence[Jump]]
) -> Version | None:
    """The highest release that states a jump from here, past the next minor."""
    if not jumps:
        return None
    reached = [
        version
        for series, version in newest.items()
        if series > position.series and any(_leads(jump, position, version) for jump in jumps.get(version, ()))
    ]
    return max(reached, default=None)


def _leads(jump: Jump, position: Version, version: Version) -> bool:
    start, end = _bound(jump.start), _bound(jump.end)
    if start is None or end is None:
        return False
    return start <= position < end and end.series == version.series


_bound = functools.lru_cache(maxsize=4096)(parse_version)
