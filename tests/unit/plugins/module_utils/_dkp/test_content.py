# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""`content`: the contract's exact shape, and documents that a user has edited."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.dkp.airgap.plugins.module_utils._dkp.content import (
    Content,
    PinnedTag,
    Releases,
    parse_content,
    releases_of,
)
from ansible_collections.dkp.airgap.plugins.module_utils._dkp.findings import Finding
from ansible_collections.dkp.airgap.plugins.module_utils._dkp.selection import make_selection
from ansible_collections.dkp.airgap.plugins.module_utils._dkp.version import Version
from ansible_collections.dkp.airgap.plugins.module_utils._oci.errors import InvalidInput

DIGEST = f"sha256:{'a' * 64}"
EMPTY: dict[str, Any] = {
    "platform": {"versions": [], "channels": {}, "tags": []},
    "modules": {},
    "packages": {},
    "plugins": {},
    "security_db": {},
    "installer": [],
    "pins": [],
}
FULL: dict[str, Any] = {
    "platform": {"versions": ["v1.9.0", "v1.10.0"], "channels": {"stable": "v1.10.0"}, "tags": ["pr123"]},
    "modules": {
        "console": {"versions": ["v1.35.4"], "channels": {"alpha": "v1.35.4", "lts": "v1.35.4"}},
        "stronghold": {"versions": [], "channels": {}, "tags": ["pr7"]},
    },
    "packages": {},
    "plugins": {},
    "security_db": {"trivy-checks": ["0"], "trivy-db": ["2"]},
    "installer": ["latest"],
    "pins": [{"repository": "release-channel", "tag": "stable", "digest": DIGEST}],
}


def test_nothing_selected_has_every_key_and_is_empty() -> None:
    assert Content().as_dict() == EMPTY
    assert list(Content().as_dict()) == list(EMPTY)
    assert Content().is_empty
    assert parse_content(None) == parse_content({}) == Content()


def test_what_is_written_is_read_back() -> None:
    content = parse_content(FULL)
    assert content.as_dict() == FULL
    assert not content.is_empty
    assert content.platform.versions == (Version(1, 9, 0), Version(1, 10, 0))
    assert content.pins == (PinnedTag("release-channel", "stable", DIGEST),)


def test_the_order_depends_on_the_content_alone() -> None:
    low, high = Version(1, 9, 0), Version(1, 10, 0)
    content = Content(
        platform=Releases((high, low), {"stable": low, "alpha": high}, ("b", "a")),
        modules={"z": Releases(), "a": Releases()},
        security_db={"trivy-db": ("2",), "trivy-bdu": ("1",)},
    ).as_dict()
    assert content["platform"]["versions"] == ["v1.9.0", "v1.10.0"]
    assert list(content["platform"]["channels"]) == ["alpha", "stable"]
    assert content["platform"]["tags"] == ["a", "b"]
    assert list(content["modules"]) == ["a", "z"]
    assert list(content["security_db"]) == ["trivy-bdu", "trivy-db"]


def test_a_selection_becomes_content_without_dangling_pointers() -> None:
    low, high = Version(1, 9, 0), Version(1, 10, 0)
    selection = make_selection([high], {"alpha": high, "stable": low}, tags=["pr1"], repointed=["alpha", "stable"])
    assert releases_of(selection) == Releases((high,), {"alpha": high}, ("pr1",))
    assert selection.repointed == {"alpha"}


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ([], "content: expected a mapping, found a list"),
        ({"platfrom": {}}, "content.platfrom: not a key of content; known are"),
        ({"platform": []}, "content.platform: expected a mapping"),
        ({"platform": {"versions": "v1.2.3"}}, "content.platform.versions: expected a list"),
        (
            {"platform": {"versions": ["v1.2.3", 1.7]}},
            r"content.platform.versions\[1\]: expected a string, found the number 1.7; quote it",
        ),
        ({"platform": {"versions": ["1.2.3"]}}, r"content.platform.versions\[0\]: '1.2.3' is not a version"),
        ({"platform": {"channels": {"stabel": "v1.2.3"}}}, "content.platform.channels: 'stabel' is no release channel"),
        ({"platform": {"channels": {"stable": 1.7}}}, "content.platform.channels.stable: .*quote it"),
        ({"platform": {"tags": [None]}}, r"content.platform.tags\[0\]: expected a string, found null$"),
        ({"modules": {"a": {"versions": [True]}}}, r"content.modules.a.versions\[0\]: expected a string, found true$"),
        ({"modules": {1: {}}}, r"content.modules \(key\): expected a string, found the number 1"),
        ({"security_db": {"trivy-db": [2]}}, r"content.security_db.trivy-db\[0\]: .*quote it"),
        ({"installer": "latest"}, "content.installer: expected a list"),
        ({"pins": [{"repository": "", "tag": "x", "digest": "y"}]}, r"content.pins\[0\].digest: 'y' is not a digest"),
        ({"pins": [{"tag": "x", "digest": DIGEST}]}, r"content.pins\[0\].repository: expected a string, found null"),
    ],
)
def test_a_document_that_cannot_be_right_is_refused_with_the_path(document: object, said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        parse_content(document)


def test_a_finding_has_the_shape_of_the_contract() -> None:
    finding = Finding("P3", "error", "v1.69", "what", "how")
    assert finding.as_dict() == {"id": "P3", "severity": "error", "subject": "v1.69", "message": "what", "hint": "how"}
    with pytest.raises(ValueError, match="severity"):
        Finding("P3", "fatal", "", "", "")
