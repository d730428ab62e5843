# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Documents as files: reviewable, the same bytes for the same content, never half written."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.dkp.airgap.plugins.module_utils._dkp.file_mode import parse_mode
from ansible_collections.dkp.airgap.plugins.module_utils._oci.errors import AirgapError, InvalidContent, InvalidInput
from ansible_collections.dkp.airgap.plugins.plugin_utils import documents
from ansible_collections.dkp.airgap.plugins.plugin_utils.documents import read_document, write_document

PEM = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----"
SHARED = {"versions": ["v1.70.1"]}
DOCUMENT: dict[str, Any] = {
    "kind": "UpdateRequest",
    "version": 1,
    "cluster": {
        "name": "prod",
        "kubelet_min": "1.30",
        "looks": [
            "1.30",
            "0600",
            "20:00",
            "yes",
            "off",
            "null",
            "~",
            "",
            "2026-03-02",
            "1e3",
            "0x1f",
            "=",
            "- a",
            "a: b",
        ],
        "message": "word " * 60,
        "ca": PEM,
        "umlaut": "Übergang → v1.70",
        "a": SHARED,
        "b": SHARED,
    },
    "inventory": None,
    "wishes": {"ignore_suspend": False},
}


class Tagged(str):
    """As Ansible hands on strings."""


@pytest.mark.parametrize("name", ["request.yml", "request.yaml", "request.json", "request"])
def test_what_is_written_is_read_back(tmp_path: Path, name: str) -> None:
    assert write_document(tmp_path / name, DOCUMENT)
    assert read_document(tmp_path / name) == DOCUMENT
    assert (tmp_path / name).stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [tmp_path / name]


def test_yaml_is_for_people(tmp_path: Path) -> None:
    path = tmp_path / "request.yml"
    write_document(path, DOCUMENT)
    text = path.read_text(encoding="utf-8")
    assert yaml.safe_load(text) == DOCUMENT, "whoever reads YAML reads the same"
    assert text.startswith("---\nkind: UpdateRequest\nversion: 1\ncluster:\n  name: prod\n  kubelet_min: '1.30'\n")
    assert "Übergang → v1.70" in text
    assert "&id" not in text, "no anchors"
    assert "    MIIB\n" in text, "certificates line by line"
    assert f"message: '{'word ' * 60}'\n" in text, "texts are not folded"


def test_json_is_for_programs(tmp_path: Path) -> None:
    path = tmp_path / "request.json"
    write_document(path, DOCUMENT)
    assert list(json.loads(path.read_text(encoding="utf-8"))) == list(DOCUMENT)


def test_without_the_c_dumper_the_bytes_mean_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(documents.yaml, "CSafeDumper", raising=False)
    write_document(tmp_path / "request.yml", DOCUMENT)
    assert read_document(tmp_path / "request.yml") == DOCUMENT


def test_the_same_content_leaves_the_file_alone(tmp_path: Path) -> None:
    path = tmp_path / "request.yml"
    assert write_document(path, DOCUMENT)
    before = path.stat()
    assert not write_document(path, DOCUMENT)
    after = path.stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert write_document(path, DOCUMENT, mode=0o644)
    assert path.stat().st_mode & 0o777 == 0o644
    assert write_document(path, {**DOCUMENT, "inventory": "x"}, mode=0o644)


def test_strings_of_ansible_become_strings(tmp_path: Path) -> None:
    write_document(tmp_path / "request.yml", {Tagged("name"): Tagged("prod"), "list": (Tagged("a"),)})
    assert read_document(tmp_path / "request.yml") == {"name": "prod", "list": ["a"]}


@pytest.mark.parametrize("value", [object(), b"x", {1, 2}, "\ud800"])
def test_what_no_document_can_hold_is_named(tmp_path: Path, value: Any) -> None:
    with pytest.raises(InvalidInput, match=r"document\.cluster\.nodes\[0\]"):
        write_document(tmp_path / "request.yml", {"cluster": {"nodes": [value]}})
    assert not list(tmp_path.iterdir())


def test_a_missing_directory_and_a_directory_are_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=f"the directory {tmp_path}/missing does not exist"):
        write_document(tmp_path / "missing/request.yml", DOCUMENT)
    with pytest.raises(InvalidInput, match=f"{tmp_path}: is a directory"):
        write_document(tmp_path, DOCUMENT)


def test_a_write_that_fails_leaves_the_old_file_and_no_draft(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "request.yml"
    write_document(path, DOCUMENT)
    before = path.read_bytes()

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(documents.os, "fsync", full)
    with pytest.raises(AirgapError, match=r"request\.yml: cannot be written: No space left on device"):
        write_document(path, {"kind": "UpdateRequest"})
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_home_is_where_it_is_in_a_shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    write_document("~/request.yml", DOCUMENT)
    assert read_document("~/request.yml") == read_document(tmp_path / "request.yml") == DOCUMENT


def test_what_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(AirgapError, match=r"request\.yml: cannot be read: No such file"):
        read_document(tmp_path / "request.yml")
    (tmp_path / "broken.yml").write_text("a: [")
    with pytest.raises(InvalidContent, match=r"broken\.yml: not valid YAML"):
        read_document(tmp_path / "broken.yml")


@pytest.mark.parametrize(("value", "mode"), [("0600", 0o600), ("644", 0o644), (" 0640 ", 0o640), (384, 0o600)])
def test_modes(value: object, mode: int) -> None:
    assert parse_mode(value) == mode


@pytest.mark.parametrize("value", ["u=rw", "0800", "", "07777", 0, -1, 4095, True, None, 6.0])
def test_modes_that_are_none(value: object) -> None:
    with pytest.raises(InvalidInput, match="mode: .*'0600'"):
        parse_mode(value)
