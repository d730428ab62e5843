# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""No result with default options exceeds 256 KiB, at 500 modules with 40 versions each (contract §2)."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ansible_collections.dkp.airgap.plugins.module_utils._module import fit
from ansible_collections.dkp.airgap.plugins.modules import (
    mirror_check_info,
    mirror_inventory_info,
    module_releases_info,
    oci_bundle_info,
    oci_bundle_pull,
    oci_bundle_push,
    release_channel_info,
)

LIMIT = 256 * 1024
CHANNELS = ("alpha", "beta", "early-access", "stable", "rock-solid", "lts")
VERSIONS = [f"v1.{minor}.{patch}" for minor in range(60, 68) for patch in range(10, 15)]
NAMES = [f"some-module-{number}" for number in range(500)]
DIGEST = "sha256:" + "5d20c808" * 8

ARCHIVES = [
    {
        "name": f"module-{name}.tar",
        "bytes": 123456789,
        "images": 1234,
        "blobs": 12345,
        "parts": [{"name": f"module-{name}.tar", "bytes": 123456789, "sha256": "5d20c808" * 8}],
    }
    for name in NAMES
]
CONTENT = {
    "platform": {"versions": VERSIONS, "channels": dict.fromkeys(CHANNELS, "v1.67.14"), "tags": []},
    "modules": {name: {"versions": VERSIONS, "channels": dict.fromkeys(CHANNELS, "v1.67.14")} for name in NAMES},
    "packages": {},
    "plugins": {},
    "security_db": {},
    "installer": ["latest"],
    "pins": [],
}
SIZES = {
    "platform": dict.fromkeys(VERSIONS, 123456789),
    "modules": {name: dict.fromkeys(VERSIONS, 123456789) for name in NAMES},
}
TAGS = [
    {"repository": f"modules/{name}/release", "tag": version, "before": None, "after": DIGEST}
    for name in NAMES
    for version in VERSIONS
]
FINDINGS = [
    {"id": "x", "severity": "info", "subject": name, "message": "what was found " * 9, "hint": "what to do"}
    for name in NAMES
]
OFFERED = {
    name: {
        "exists": True,
        "channels": {channel: {"exists": True, "version": "v1.67.14", "digest": DIGEST} for channel in CHANNELS},
        "versions": VERSIONS,
        "releases": {},
    }
    for name in NAMES
}

# module, what it returns for such a registry, the keys that have to stay
RESULTS: list[tuple[Any, dict[str, Any], set[str]]] = [
    (
        release_channel_info,
        {"channels": {}, "versions": VERSIONS, "releases": {}},
        {"channels", "versions", "releases"},
    ),
    (module_releases_info, {"modules": OFFERED}, {"modules"}),
    (oci_bundle_pull, {"content": CONTENT, "bundle": {"path": "x", "archives": ARCHIVES}, "findings": []}, {"bundle"}),
    (
        oci_bundle_pull,
        {"content": CONTENT, "bundle": {"archives": ARCHIVES}, "findings": FINDINGS, "sizes": SIZES},
        {"bundle", "sizes"},
    ),
    (oci_bundle_info, {"content": CONTENT, "archives": ARCHIVES, "findings": FINDINGS, "ok": True}, {"content", "ok"}),
    (mirror_check_info, {"ok": False, "findings": FINDINGS * 20}, {"ok", "findings"}),
    (mirror_inventory_info, {"inventory": CONTENT, "findings": FINDINGS * 20}, {"findings"}),
    (oci_bundle_push, {"tags": TAGS, "diff": {"before": {}, "after": {}}, "findings": FINDINGS}, {"findings"}),
]
# The same registry as a plan reads it: three steps each, and the versions between.
STEPS = ("v1.65.14", "v1.66.14", "v1.67.14")
FOLLOWED = {
    name: {
        "exists": True,
        "channels": {"stable": {"exists": True, "version": "v1.67.14", "digest": DIGEST}},
        "versions": VERSIONS[-16:],
        "releases": {
            step: {
                "version": step,
                "digest": DIGEST,
                "requirements": {"deckhouse": ">= 1.67", "kubernetes": ">= 1.27"},
                "jumps": [],
            }
            for step in STEPS
        },
        "stray": [],
    }
    for name in NAMES
}


@pytest.mark.parametrize("module, result, kept", RESULTS)
def test_the_largest_result_fits(module: Any, result: dict[str, Any], kept: set[str]) -> None:
    values = json.loads(json.dumps({**result, "omitted": []}))
    before = len(json.dumps(values))
    omitted = fit(values, module.LONG_LISTS)
    assert len(json.dumps(values)) < LIMIT
    assert bool(omitted) == (before > LIMIT), "nothing is left out of what fits"
    assert omitted == [path for path in module.LONG_LISTS if path in omitted], "the order is stated"
    assert kept <= values.keys()


def test_what_a_plan_needs_of_modules_goes_last() -> None:
    values = {"modules": {name: json.loads(json.dumps(OFFERED[name])) for name in NAMES[:230]}}
    assert fit(values, module_releases_info.LONG_LISTS) == ["modules.*.channels.*.digest"]
    assert values["modules"]["some-module-0"]["versions"] == VERSIONS
    assert values["modules"]["some-module-0"]["channels"]["stable"] == {"exists": True, "version": "v1.67.14"}


@pytest.mark.parametrize("number", [200, 500])
def test_the_steps_that_a_plan_asked_for_are_never_left_out(number: int) -> None:
    values: dict[str, Any] = {
        "modules": {name: json.loads(json.dumps(FOLLOWED[name])) for name in NAMES[:number]},
        "omitted": [],
    }
    omitted = fit(values, module_releases_info.LONG_LISTS_OF_UPDATES)
    assert len(json.dumps(values)) < LIMIT
    assert bool(omitted) == (number > 200)
    module = values["modules"]["some-module-0"]
    assert tuple(module["releases"]) == STEPS and module["stray"] == []
    assert all(release.keys() >= {"version", "requirements", "jumps"} for release in module["releases"].values())


def test_of_many_findings_the_first_are_told() -> None:
    values: dict[str, Any] = {"findings": [{"message": "x" * 1000, "number": number} for number in range(500)]}
    assert fit(values, mirror_check_info.LONG_LISTS) == ["findings[200:]"]
    assert [each["number"] for each in values["findings"]] == list(range(200))


def test_a_list_that_is_not_there_is_not_named() -> None:
    values = {"tags": ["x" * 1000]}
    assert fit(values, ["diff", "tags"], largest=100) == ["tags"]
    assert not values
