# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Metadata files of releases: what is read, and that nothing hostile in them gets through."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ansible_collections.dkp.airgap.plugins.module_utils._dkp import documents
from ansible_collections.dkp.airgap.plugins.module_utils._dkp.release import (
    Jump,
    parse_changelog,
    parse_module_definition,
    parse_module_version,
    parse_platform_release,
)
from ansible_collections.dkp.airgap.plugins.module_utils._oci.errors import AirgapError, InvalidContent

WHERE = "release-channel:stable: version.json"


def short(value: object) -> str:
    """The name of a test's row: older pytest would take all the bytes."""
    return repr(value)[:40]


def as_json(**document: Any) -> bytes:
    return json.dumps(document).encode()


def test_a_platform_release_is_read_whole() -> None:
    release = parse_platform_release(
        as_json(
            version="v1.73.4",
            canary={"alpha": {"enabled": True, "waves": 2, "interval": "5m"}},
            requirements={"k8s": "1.30", "migratedModules": "operator-trivy"},
            disruptions={"1.36": ["ingressNginx"]},
            suspend=True,
        ),
        where=WHERE,
    )
    assert str(release.version) == "v1.73.4"
    assert release.suspended
    assert release.requirements == {"k8s": "1.30", "migratedModules": "operator-trivy"}
    assert release.disruptions == {"1.36": ("ingressNginx",)}
    assert release.canary == {"alpha": {"enabled": True, "waves": 2, "interval": "5m"}}


@pytest.mark.parametrize("extra", [{}, {"suspend": None, "requirements": None, "disruptions": None, "canary": None}])
def test_everything_but_the_version_is_optional(extra: dict[str, None]) -> None:
    release = parse_platform_release(as_json(version="1.69.0", **extra), where=WHERE)
    assert str(release.version) == "v1.69.0"
    assert not release.suspended
    assert (release.requirements, release.disruptions, release.canary) == ({}, {}, {})


def test_the_kubernetes_requirement_of_module_yaml_joins_the_others() -> None:
    module = b"requirements:\n  kubernetes: '>= 1.29'\n"
    release = parse_platform_release(
        as_json(version="v1.75.0", requirements={"k8s": "1.29"}), where=WHERE, module_yaml=module
    )
    assert release.requirements == {"k8s": "1.29", "kubernetes": ">= 1.29"}


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b"", "not valid JSON"),
        (b"{", "not valid JSON"),
        (b"[]", "expected a JSON object, found a list"),
        (b"{}", "version is null"),
        (b'{"version": ""}', "version is the string ''"),
        (b'{"version": "latest"}', "version is the string 'latest'"),
        (b'{"version": 1.69}', "version is the number 1.69"),
        (b'{"version": "v1.69.0", "suspend": "false"}', "suspend is the string 'false'"),
        (b'{"version": "v1.69.0", "requirements": ["k8s"]}', "requirements: expected a mapping"),
        (b'{"version": "v1.69.0", "requirements": {"k8s": 1.29}}', "requirements: 'k8s' is the number 1.29"),
        (b'{"version": "v1.69.0", "disruptions": {"1.36": "x"}}', "disruptions: '1.36' has the string 'x'"),
        (b'{"version": "v1.69.0", "canary": 5}', "canary: expected a mapping, found the number 5"),
        (b'{"version": "v1.69.0", "x": NaN}', "NaN is no JSON number"),
        (b'{"version": "v1.69.0", "x": "\\ud800"}', "half a character"),
        (b'{"version": "\xff"}', "not valid JSON"),
        (b'{"version": ' + b"9" * 6000 + b"}", WHERE),
        (b"[" * 100_000, "not valid JSON"),
        (b'{"x": ' + b"[" * 100 + b"]" * 100 + b"}", "refused as hostile"),
        (b" " * (5 * 1024 * 1024), "more than the"),
    ],
    ids=short,
)
def test_what_breaks_the_format_is_named(raw: bytes, said: str) -> None:
    with pytest.raises(InvalidContent) as caught:
        parse_platform_release(raw, where=WHERE)
    assert str(caught.value).startswith(WHERE)
    assert said in str(caught.value)


@pytest.mark.parametrize("text", ["v1.39.4", "1.39.4"])
def test_a_modules_version_may_lack_the_v(text: str) -> None:
    raw = as_json(version=text, requirements="what else is in it does not count")
    assert str(parse_module_version(raw, where="release:stable")) == "v1.39.4"


@pytest.mark.parametrize("raw", [b"{}", b'{"version": null}', b'{"version": ""}', b'{"version": "main"}'], ids=short)
def test_a_module_release_without_a_version_is_an_error(raw: bytes) -> None:
    with pytest.raises(InvalidContent, match="not a version like"):
        parse_module_version(raw, where="release:stable")


def test_a_changelog_is_plain_data() -> None:
    raw = b"""
candi:
  fixes:
    - summary: Fix containerd start.
      pull_request: https://example.org/pull/6329
  released: 2024-01-31
  1.36: .inf
"""
    assert parse_changelog(raw, where="changelog.yaml") == {
        "candi": {
            "fixes": [{"summary": "Fix containerd start.", "pull_request": "https://example.org/pull/6329"}],
            "released": "2024-01-31",
            "1.36": "inf",
        }
    }
    assert parse_changelog(b"", where="changelog.yaml") == {}


LAUGHS = b"a: &a [x, x, x, x, x, x, x, x, x, x]\n" + b"".join(
    f"{name}: &{name} [{', '.join([f'*{below}'] * 3)}]\n".encode() for below, name in zip("abcdefgh", "bcdefghi")
)
MERGES = b"a: &a {x: 1}\n" + b"".join(
    f"{name}: &{name} {{<<: [{', '.join([f'*{below}'] * 9)}]}}\n".encode()
    for below, name in zip("abcdefgh", "bcdefghi")
)


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b"- one", "expected a mapping, found a list"),
        (b"text", "expected a mapping, found the string"),
        (b"a: [", "not valid YAML"),
        (b"a: \xff", "not valid YAML"),
        (b"a: 1\n---\nb: 2\n", "not valid YAML"),
        (b"a: !!python/object/apply:os.system ['true']", "not valid YAML"),
        (b"a: " + b"9" * 6000, "not valid YAML"),
        (b"a: &a [*a]", "refused as hostile"),
        (LAUGHS, "refused as hostile"),
        (MERGES, "refused as hostile"),
        (b"[" * 100_000, "refused as hostile"),
        (b"- " * 100_000, "refused as hostile"),
        (b"a" * (5 * 1024 * 1024), "more than the"),
    ],
    ids=short,
)
def test_a_hostile_changelog_is_refused(raw: bytes, said: str) -> None:
    with pytest.raises(InvalidContent, match=said):
        parse_changelog(raw, where="changelog.yaml")


def test_a_module_definition_keeps_constraints_as_they_are_written() -> None:
    raw = b"""
name: console
weight: 900
requirements:
  deckhouse: 1.70
  kubernetes: ">= 1.28"
  modules: {user-authn: ">= 0.0.0", prometheus: ">= 0.0.0 !optional"}
update:
  versions:
    - {from: 1.30, to: "1.36"}
"""
    definition = parse_module_definition(raw, where="module.yaml")
    assert definition.requirements() == {
        "deckhouse": "1.70",
        "kubernetes": ">= 1.28",
        "modules": {"user-authn": ">= 0.0.0", "prometheus": ">= 0.0.0 !optional"},
    }
    assert definition.jumps == (Jump("1.30", "1.36"),)
    assert definition.jumps[0].as_dict() == {"from": "1.30", "to": "1.36"}


@pytest.mark.parametrize(
    "raw",
    [b"", b"name: console\n", b"requirements:\nupdate:\n", b"requirements: {}\nupdate: {versions: []}"],
    ids=short,
)
def test_a_module_definition_may_ask_for_nothing(raw: bytes) -> None:
    definition = parse_module_definition(raw, where="module.yaml")
    assert definition.requirements() == {}
    assert definition.jumps == ()


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b"- a", "expected a mapping"),
        (b"requirements: [a]", "requirements: expected a mapping"),
        (b"requirements: {deckhouse: [a]}", "deckhouse is a list"),
        (b"requirements: {modules: {a: {b: c}}}", "'a' is an object"),
        (b"update: {versions: {from: 1}}", r"update.versions: expected a list"),
        (b"update: {versions: [{from: '1.30'}]}", r"update.versions\[0\]: a jump needs from and to"),
    ],
    ids=short,
)
def test_a_broken_module_definition_is_named(raw: bytes, said: str) -> None:
    with pytest.raises(InvalidContent, match=said):
        parse_module_definition(raw, where="module.yaml")


def test_without_pyyaml_the_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(documents, "YAML_IMPORT_ERROR", "ImportError")
    with pytest.raises(AirgapError, match="changelog.yaml: reading YAML needs the Python package PyYAML"):
        parse_changelog(b"{}", where="changelog.yaml")
