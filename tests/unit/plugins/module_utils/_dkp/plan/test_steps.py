# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Chains of releases: rows from dkp-cluster.md §1.5, §2.1, §5.2, §5.3 and §5.5, and what must hold for any tags."""

from __future__ import annotations

import pytest
from ansible_collections.dkp.airgap.plugins.module_utils._dkp.plan.steps import (
    direct_chain,
    module_chain,
    platform_chain,
    series_name,
)
from ansible_collections.dkp.airgap.plugins.module_utils._dkp.release import Jump
from ansible_collections.dkp.airgap.plugins.module_utils._dkp.version import Version, require_version
from hypothesis import given
from hypothesis import strategies as st


def v(text: str) -> Version:
    return require_version(text, where="test")


def vs(text: str) -> list[Version]:
    return [v(word) for word in text.split()]


VENDOR = "v1.67.4 v1.68.0 v1.68.11 v1.68.13 v1.69.2 v1.69.7 v1.70.3 v1.70.17 v1.70.19 v1.71.0"

CHAINS = [
    # the contract's example
    ("v1.68.11", "v1.70.17", VENDOR, "v1.68.13 v1.69.7 v1.70.17"),
    ("v1.68.13", "v1.70.17", VENDOR, "v1.69.7 v1.70.17"),
    ("v1.70.3", "v1.70.17", VENDOR, "v1.70.17"),
    ("v1.70.17", "v1.70.17", VENDOR, ""),
    # below the deployed one nothing counts
    ("v1.70.19", "v1.70.17", VENDOR, ""),
    # pre-releases and higher tags are no steps
    ("v1.68.13", "v1.69.7", VENDOR + " v1.69.9-rc.1 v1.69.9", "v1.69.7"),
    # 0 to 1 is the one major that is crossed, whatever number the last minor had
    ("v0.8.1", "v1.1.0", "v0.8.3 v0.9.0 v1.0.2 v1.1.0", "v0.8.3 v0.9.0 v1.0.2 v1.1.0"),
    ("v0.9.0", "v1.0.0", "v0.9.0 v1.0.0", "v1.0.0"),
]


@pytest.mark.parametrize(("deployed", "target", "tags", "steps"), CHAINS)
def test_the_chain_takes_the_newest_patch_of_each_minor_capped_at_the_target(
    deployed: str, target: str, tags: str, steps: str
) -> None:
    chain = platform_chain(v(deployed), v(target), vs(tags))
    assert list(chain.steps) == vs(steps)
    assert chain.reaches and not chain.missing and not chain.majors


@pytest.mark.parametrize(
    ("deployed", "target", "tags", "missing"),
    [
        ("v1.67.0", "v1.70.1", "v1.68.2 v1.70.1", "v1.69"),
        ("v1.66.0", "v1.70.1", "v1.70.1", "v1.67 v1.68 v1.69"),
        # only a pre-release of the minor is there
        ("v1.68.0", "v1.70.0", "v1.69.0-rc.1 v1.70.0", "v1.69"),
        ("v0.7.0", "v1.1.0", "v0.9.0 v1.0.0 v1.1.0", "v0.8"),
        ("v0.9.0", "v1.2.0", "v1.0.0 v1.2.0", "v1.1"),
        # the target's own minor is not there at all
        ("v1.68.0", "v1.69.4", "v1.68.2", "v1.69"),
    ],
)
def test_every_missing_minor_is_named(deployed: str, target: str, tags: str, missing: str) -> None:
    chain = platform_chain(v(deployed), v(target), vs(tags))
    assert " ".join(map(series_name, chain.missing)) == missing


def test_a_source_that_lacks_the_target_itself_ends_at_a_lower_patch_and_says_so() -> None:
    chain = platform_chain(v("v1.68.0"), v("v1.69.4"), vs("v1.69.1 v1.69.9"))
    assert list(chain.steps) == vs("v1.69.1") and not chain.reaches


def test_other_majors_are_not_crossed() -> None:
    assert platform_chain(v("v1.70.0"), v("v2.0.0"), vs("v2.0.0")).majors
    assert platform_chain(v("v0.70.0"), v("v2.0.0"), vs("v1.0.0 v2.0.0")).majors


def test_lts_and_first_releases_go_straight_to_the_target() -> None:
    assert direct_chain(v("v1.58.2"), v("v1.67.3")).steps == (v("v1.67.3"),)
    assert direct_chain(None, v("v1.0.3")).steps == (v("v1.0.3"),)
    assert direct_chain(v("v1.67.3"), v("v1.67.3")).steps == ()


JUMPS = [
    # from the deployed minor to the target: what lies between is not needed
    ("v1.30.0", "v1.36.2", "v1.31.0 v1.35.4 v1.36.2", {"v1.36.2": ("1.30", "1.36")}, "v1.36.2", ""),
    # the newest patch of the deployed minor comes along: newer Deckhouse makes it a step
    ("v1.30.0", "v1.36.2", "v1.30.4 v1.31.0 v1.36.2", {"v1.36.2": ("1.30", "1.36")}, "v1.30.4 v1.36.2", ""),
    # the interval is half open, and `to` has to be the minor of the release that states it
    ("v1.36.0", "v1.38.0", "v1.37.0 v1.38.0", {"v1.38.0": ("1.30", "1.36")}, "v1.37.0 v1.38.0", ""),
    ("v1.29.9", "v1.32.0", "v1.30.1 v1.31.1 v1.32.0", {"v1.32.0": ("1.30", "1.32")}, "v1.30.1 v1.32.0", ""),
    ("v1.30.0", "v1.33.0", "v1.31.0 v1.32.0 v1.33.0", {"v1.33.0": ("1.30", "1.34")}, "v1.31.0 v1.32.0 v1.33.0", ""),
    # a step in between may jump, the rest is walked
    ("v1.30.0", "v1.34.0", "v1.33.1 v1.34.0", {"v1.33.1": ("1.30", "1.33")}, "v1.33.1 v1.34.0", ""),
    # a jump legalises a gap; without one it stays a gap
    ("v1.30.0", "v1.33.0", "v1.33.0", {"v1.33.0": ("1.29", "1.33")}, "v1.33.0", ""),
    ("v1.30.0", "v1.33.0", "v1.33.0", {}, "v1.33.0", "v1.31 v1.32"),
    # nonsense in module.yaml leads nowhere
    ("v1.30.0", "v1.32.0", "v1.31.0 v1.32.0", {"v1.32.0": ("first", "last")}, "v1.31.0 v1.32.0", ""),
    ("v0.9.0", "v1.4.0", "v1.4.0", {"v1.4.0": ("0.9", "1.4")}, "v1.4.0", ""),
]


@pytest.mark.parametrize(("deployed", "target", "tags", "jumps", "steps", "missing"), JUMPS)
def test_jumps_lead_past_minors(
    deployed: str, target: str, tags: str, jumps: dict[str, tuple[str, str]], steps: str, missing: str
) -> None:
    stated = {v(version): (Jump(*jump),) for version, jump in jumps.items()}
    chain = module_chain(v(deployed), v(target), vs(tags), stated)
    assert list(chain.steps) == vs(steps)
    assert " ".join(map(series_name, chain.missing)) == missing


VERSIONS = st.builds(Version, st.just(1), st.integers(0, 8), st.integers(0, 4))
TAGS = st.sets(VERSIONS, max_size=30).map(sorted)


@given(VERSIONS, VERSIONS, TAGS)
def test_no_minor_is_skipped_unnoticed_and_the_target_is_never_passed(
    deployed: Version, target: Version, tags: list[Version]
) -> None:
    chain = platform_chain(deployed, target, tags)
    seen = [deployed.series, *sorted({step.series for step in chain.steps}.union(chain.missing))]
    assert all(later[1] - earlier[1] <= 1 for earlier, later in zip(seen, seen[1:]))
    assert all(deployed < step <= target for step in chain.steps)
    assert set(chain.steps) <= set(tags)
    assert list(chain.steps) == sorted(chain.steps)
    if deployed < target:
        assert chain.reaches == (target in tags)
        assert seen[-1] == target.series


@given(VERSIONS, VERSIONS, TAGS)
def test_from_a_reached_step_the_rest_of_the_chain_follows(
    deployed: Version, target: Version, tags: list[Version]
) -> None:
    chain = platform_chain(deployed, target, tags)
    for number, step in enumerate(chain.steps):
        assert platform_chain(step, target, tags).steps == chain.steps[number + 1 :]
