# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whatever tags and jumps there are, and whatever is missing: a plan finds in what was read all that its steps need."""

from __future__ import annotations

from collections.abc import Sequence

from ansible_collections.dkp.airgap.plugins.module_utils._dkp.plan.steps import module_chain
from ansible_collections.dkp.airgap.plugins.module_utils._dkp.plan.updates import Update, Way, span_of
from ansible_collections.dkp.airgap.plugins.module_utils._dkp.release import Jump
from ansible_collections.dkp.airgap.plugins.module_utils._dkp.version import Version
from ansible_collections.dkp.airgap.plugins.module_utils._mirror.updates import Item, Known, follow, stray_of
from hypothesis import given
from hypothesis import strategies as st

MAJORS = st.integers(0, 1)
MINORS = st.integers(0, 6)
VERSIONS = st.builds(Version, MAJORS, MINORS, st.integers(0, 3))
NAMES = st.builds("{}.{}".format, MAJORS, MINORS)
JUMPS = st.builds(Jump, NAMES, NAMES)
Stated = dict[str, tuple[Jump, ...]]


def read_all(tags: set[Version], gone: set[Version], stated: Stated, way: Way) -> tuple[Known[tuple[Jump, ...]], int]:
    """What following `way` reads (by tag the jumps in it), and how often it asked."""
    rounds = 0

    def read(items: Sequence[Item]) -> dict[Item, tuple[Jump, ...] | None]:
        nonlocal rounds
        rounds += 1
        there = {str(version) for version in tags - gone}
        return {item: stated.get(item[1], ()) if item[1] in there else None for item in items}

    known: Known[tuple[Jump, ...]] = {"console": {}}
    follow({"console": [way]}, {"console": sorted(tags)}, known, read)
    return known, rounds


@given(
    st.sets(VERSIONS, max_size=16),
    st.sets(VERSIONS, max_size=6),
    st.dictionaries(VERSIONS.map(str), st.tuples(JUMPS), max_size=8),
    VERSIONS,
    VERSIONS,
)
def test_a_plan_finds_every_step_it_computes(
    tags: set[Version], gone: set[Version], stated: Stated, deployed: Version, target: Version
) -> None:
    way = Way(deployed, target, direct=False, jumps=stated.get(str(target), ()))
    known, rounds = read_all(tags, gone, stated, way)
    stray = stray_of(known["console"])
    read = {version for version in tags if known["console"].get(str(version)) is not None}
    assert rounds <= 1 + len(stray) + 1, "each further question has an answer that was missing"
    assert stray <= gone & tags and not stray & read
    jumps = {version: known["console"][str(version)] or () for version in read}
    shown = span_of([Update(deployed, version=target)], [way], sorted(tags))
    for available in (sorted(tags), shown, sorted(read | stray)):
        # a plan knows the jumps of all that was read, not only those of the target
        steps = module_chain(deployed, target, sorted(set(available) - stray), jumps).steps
        assert set(steps) <= read
        assert steps == module_chain(deployed, target, sorted(tags - stray), jumps).steps


def test_what_cannot_be_read_at_all_is_not_asked_for_again() -> None:
    known: Known[str] = {"console": {}, "sdn": {}}
    asked: list[Item] = []

    def read(items: Sequence[Item]) -> dict[Item, str | None]:
        asked.extend(items)
        return {item: None for item in items if item[0] == "sdn"}

    way = Way(Version(1, 30, 0), Version(1, 31, 1), direct=False)
    available = [Version(1, 31, 0), Version(1, 31, 1)]
    follow({"console": [way], "sdn": [way]}, {"console": available, "sdn": available}, known, read)
    assert sorted(asked) == [("console", "v1.31.1"), ("sdn", "v1.31.0"), ("sdn", "v1.31.1")]
    assert stray_of(known["sdn"]) == set(available) and not known["console"]
