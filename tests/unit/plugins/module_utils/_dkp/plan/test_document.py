# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later


"""Reading a plan: what is wrong in it is named by its path, and its errors stop whoever carries it out."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
import yaml
from ansible_collections.dkp.airgap.plugins.module_utils._dkp.documents import load_handed_on
from ansible_collections.dkp.airgap.plugins.module_utils._dkp.plan.document import (
    PlanRefused,
    accept_findings,
    parse_plan,
)
from ansible_collections.dkp.airgap.plugins.module_utils._oci.errors import InvalidContent, InvalidInput
from ansible_collections.dkp.airgap.tests.kit.plans import content, finding, plan

DIGEST = "sha256:" + "5d20c808" * 8
OTHER = "sha256:" + "00c808ff" * 8


def changed(path: str, value: Any) -> dict[str, Any]:
    """A plan with `value` at the dotted `path`."""
    document: dict[str, Any] = json.loads(json.dumps(plan(content(installer=["latest"]))))
    *way, last = path.split(".")
    place = document
    for key in way:
        place = place[key]
    place[last] = value
    return document


def pin(digest: str) -> dict[str, str]:
    return {"repository": "release-channel", "tag": "stable", "digest": digest}


def test_a_plan_is_read() -> None:
    document = plan(content(pins=[pin(DIGEST)]), source={"images_repo": "registry.example/dkp/ee", "edition": "EE"})
    document["clusters"]["prod"]["findings"] = [finding("P8", "unknown")]
    read = parse_plan(document)
    assert (read.source.images_repo, read.source.edition, read.ok) == ("registry.example/dkp/ee", "EE", True)
    assert read.content.as_dict() == document["content"]
    assert read.document == document and read.clusters == document["clusters"]
    assert [(found.cluster, found.finding.as_dict()) for found in read.findings] == [("prod", finding("P8", "unknown"))]
    assert not read.errors and accept_findings(read, []) == ()


def test_what_a_plan_may_leave_out() -> None:
    read = parse_plan({"kind": "UpdatePlan", "version": 1, "content": {}})
    assert read.ok and not read.findings and read.content.is_empty and read.source.edition is None


@pytest.mark.parametrize(
    ("path", "value", "texts"),
    [
        ("kind", "UpdateRequest", ("plan.kind", "UpdatePlan", "UpdateRequest")),
        ("kind", None, ("plan.kind", "null")),
        ("version", 2, ("plan.version", "2", "version 1")),
        ("version", "1", ("plan.version",)),
        ("version", True, ("plan.version",)),
        ("contents", {}, ("plan.contents", "content")),
        ("content", None, ("plan.content", "missing")),
        ("ok", "yes", ("plan.ok",)),
        ("ok", False, ("plan.ok", "anew")),
        ("source.images_repo", 5, ("plan.source.images_repo",)),
        ("source.repo", "x", ("plan.source.repo",)),
        ("clusters", [], ("plan.clusters", "mapping")),
        ("clusters.prod", "x", ("plan.clusters.prod", "mapping")),
        ("clusters.prod.findings", {}, ("plan.clusters.prod.findings", "list")),
        ("clusters.prod.findings", [{"id": "P3"}], ("plan.clusters.prod.findings[0].severity", "missing")),
        ("findings", [finding(severity="fatal")], ("plan.findings[0].severity", "fatal", "error")),
        ("content.platform.versions", [1.7], ("plan.content.platform.versions[0]", "quote it")),
        ("content.platform.versions", ["1.70"], ("plan.content.platform.versions[0]", "v1.69.4")),
        ("content.platform.channels", {"stable": "v1.70.0"}, ("plan.content.platform.channels.stable", "v1.70.0")),
        ("content.platform.channels", {"stabel": "v1.69.0"}, ("stabel", "stable")),
        ("content.platform.tags", ["v1.69.9"], ("plan.content.platform.tags", "v1.69.9")),
        ("content.platform.tags", ["stable"], ("plan.content.platform.tags", "stable")),
        ("content.platform.tags", ["a b"], ("plan.content.platform.tags", "a b")),
        ("content.modules.console.channels", {"beta": "v9.0.0"}, ("plan.content.modules.console.channels.beta",)),
        ("content.modules", {"../evil": {"versions": ["v1.0.0"]}}, ("plan.content.modules", "../evil")),
        ("content.modules", {"a/b": {"versions": ["v1.0.0"]}}, ("plan.content.modules", "a/b")),
        ("content.security_db", {"a/../b": ["2"]}, ("plan.content.security_db",)),
        ("content.security_db", {"trivy-db": ["/2"]}, ("plan.content.security_db.trivy-db", "/2")),
        ("content.installer", ["../latest"], ("plan.content.installer",)),
        ("content.plugin", {}, ("plan.content.plugin",)),
        ("content.pins", [pin("sha256:abc")], ("plan.content.pins[0].digest",)),
        ("content.pins", [pin(DIGEST), pin(OTHER)], ("plan.content.pins[1]", "release-channel:stable")),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named_by_its_path(path: str, value: Any, texts: tuple[str, ...]) -> None:
    with pytest.raises(InvalidInput) as caught:
        parse_plan(changed(path, value))
    assert all(text in str(caught.value) for text in texts), str(caught.value)


@pytest.mark.parametrize("document", [None, [], "UpdatePlan", 7])
def test_what_is_no_plan_at_all_is_called_that(document: Any) -> None:
    with pytest.raises(InvalidInput, match="plan"):
        parse_plan(document)


def test_errors_have_to_be_accepted_one_by_one() -> None:
    clusters = {
        name: {"findings": [finding("P3"), finding("P5", subject=name), finding("P9", "warning")]}
        for name in ("prod", "test")
    }
    read = parse_plan(plan(content(), ok=False, clusters=clusters, findings=[finding("F1", subject="stable")]))
    with pytest.raises(PlanRefused) as caught:
        accept_findings(read, ["P3", "nobody"])
    text = str(caught.value)
    assert "P3" not in text and "P9" not in text
    for told in (
        "F1 stable: F1 says no to stable",
        "P5 prod (cluster prod): P5 says no to prod",
        "(cluster test)",
        "accept_findings: [F1, P5]",
    ):
        assert told in text, told
    assert [found["subject"] for found in caught.value.details["findings"]] == ["stable", "prod", "test"]
    accepted = accept_findings(read, ["P3", "P5", "F1"])
    assert [found.as_dict() for found in accepted] == [
        finding("F1", subject="stable"),
        finding("P3"),
        *(finding("P5", subject=name) for name in clusters),
    ], "what two clusters share is told once"


def test_a_fleet_of_errors_is_not_told_without_end() -> None:
    clusters = {f"c{number}": {"findings": [finding(subject=f"c{number}")]} for number in range(300)}
    with pytest.raises(PlanRefused, match="and 200 more"):
        accept_findings(parse_plan(plan(content(), ok=False, clusters=clusters)), [])


@pytest.mark.parametrize(
    "dumped",
    [json.dumps, lambda document: json.dumps(document, indent=2), yaml.safe_dump,
     lambda document: yaml.safe_dump(document, default_flow_style=True)],
    ids=["json", "indented json", "yaml", "flow yaml"],
)  # fmt: skip
def test_files_in_either_language_give_the_same_document(dumped: Callable[[Any], str]) -> None:
    document = plan(content(), clusters={"prod": {"share": 0.25, "count": 3, "none": None, "name": "Прод"}})
    read = load_handed_on(dumped(document).encode(), where="plan.yml")
    assert parse_plan(read).document == document
    assert json.dumps(parse_plan(read).document, sort_keys=True) == json.dumps(document, sort_keys=True)


@pytest.mark.parametrize("raw", [b"{", b"a: b: c", b"\xff\xfe\x00", b"[" * 1000, b"a: &a [1]\n" + b"b: *a\n" * 30])
def test_files_that_cannot_be_read_are_named(raw: bytes) -> None:
    with pytest.raises(InvalidContent, match=r"plan\.yml"):
        load_handed_on(raw, where="plan.yml")


def test_a_plan_may_be_larger_than_what_lies_in_images() -> None:
    clusters = {f"cluster-{number}": {"text": "x" * 30_000} for number in range(200)}
    raw = json.dumps(plan(content(), clusters=clusters)).encode()
    assert len(parse_plan(load_handed_on(raw, where="plan.json")).clusters) == 200
