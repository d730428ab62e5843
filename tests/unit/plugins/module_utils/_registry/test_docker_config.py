# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Credentials from docker's config.json: places, keys, shapes, helpers; and nothing secret in an error."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.dkp.airgap.plugins.module_utils._oci.errors import InvalidInput
from ansible_collections.dkp.airgap.plugins.module_utils._registry.docker_config import read_keyring

HOST = "registry.example:5000"


def auth(username: str, password: str) -> dict[str, str]:
    return {"auth": base64.b64encode(f"{username}:{password}".encode()).decode()}


def found(
    tmp_path: Path, document: dict[str, Any], *, host: str = HOST, repository: str = "dkp/ee", **environment: str
) -> tuple[str, str, str] | None:
    (tmp_path / "config.json").write_text(json.dumps(document))
    keyring = read_keyring(host, auth_file=str(tmp_path / "config.json"), environment=environment)
    one = keyring.find(repository)
    return (one.username, one.password, one.identity_token) if one else None


@pytest.mark.parametrize(
    "key",
    [HOST, f"https://{HOST}", f"https://{HOST}/v1/", f"https://{HOST}/v2/", f"{HOST}/", "REGISTRY.example:5000",
     f"{HOST}/dkp", f"{HOST}/dkp/ee", f"http://{HOST}"],
)  # fmt: skip
def test_a_key_in_any_usual_shape_belongs_to_the_host(tmp_path: Path, key: str) -> None:
    assert found(tmp_path, {"auths": {key: auth("u", "p")}}) == ("u", "p", "")


@pytest.mark.parametrize(
    "key", ["registry.example", f"other.{HOST}", f"{HOST}/dkp/e", f"{HOST}/dkp/ee/more", "[::1", ""]
)
def test_a_key_of_another_place_does_not(tmp_path: Path, key: str) -> None:
    assert found(tmp_path, {"auths": {key: auth("u", "p")}}) is None


@pytest.mark.parametrize("key", ["registry.example:443", "https://registry.example", "registry.example"])
@pytest.mark.parametrize("host", ["registry.example:443", "registry.example"])
def test_the_default_port_makes_no_difference(tmp_path: Path, key: str, host: str) -> None:
    assert found(tmp_path, {"auths": {key: auth("u", "p")}}, host=host) == ("u", "p", "")


@pytest.mark.parametrize(
    ("repository", "expected"),
    [("dkp/ee/modules/x", "modules"), ("dkp/ee", "ee"), ("dkp/eex", "host"), ("dkp", "host")],
)
def test_the_longest_path_wins(tmp_path: Path, repository: str, expected: str) -> None:
    auths = {HOST: auth("host", "p"), f"{HOST}/dkp/ee": auth("ee", "p"), f"{HOST}/dkp/ee/modules": auth("modules", "p")}
    one = found(tmp_path, {"auths": auths}, repository=repository)
    assert one is not None
    assert one[0] == expected


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        (auth("u", "with:colon"), ("u", "with:colon", "")),
        ({"auth": base64.b64encode(b"u:p\0\0").decode()}, ("u", "p", "")),
        ({"username": "u", "password": "p"}, ("u", "p", "")),
        ({**auth("u", "ignored"), "identitytoken": "t"}, ("u", "", "t")),
        ({"identitytoken": "t"}, ("", "", "t")),
        (auth("robot$proj+name", "pä"), ("robot$proj+name", "pä", "")),
        ({}, None),
        ({"auth": ""}, None),
    ],
)
def test_an_entry_in_any_usual_shape_is_read(tmp_path: Path, entry: Any, expected: tuple[str, str, str] | None) -> None:
    assert found(tmp_path, {"auths": {HOST: entry}}) == expected


@pytest.mark.parametrize(
    "content",
    [
        "[]",
        "not json with hidden-secret",
        '{"auths": []}',
        json.dumps({"auths": {HOST: "hidden-secret"}}),
        json.dumps({"auths": {HOST: {"auth": "hidden-secret!"}}}),
        json.dumps({"auths": {HOST: {"auth": base64.b64encode(b"hidden-secret").decode()}}}),
        json.dumps({"credHelpers": {HOST: "../hidden"}}),
        json.dumps({"credHelpers": {HOST: 3}}),
        "[" * 100_000,
    ],
)
def test_a_damaged_file_is_named_without_its_secrets(tmp_path: Path, content: str) -> None:
    (tmp_path / "config.json").write_text(content)
    with pytest.raises(InvalidInput, match=r"auth_file: .*config\.json") as raised:
        read_keyring(HOST, auth_file=str(tmp_path / "config.json"), environment={})
    assert "hidden-secret" not in str(raised.value)


def test_the_usual_places_are_asked_in_the_order_of_the_contract(tmp_path: Path) -> None:
    environment = {
        "REGISTRY_AUTH_FILE": str(tmp_path / "first.json"),
        "DOCKER_CONFIG": str(tmp_path / "second"),
        "HOME": str(tmp_path / "third"),
        "XDG_RUNTIME_DIR": str(tmp_path / "fourth"),
    }
    places = {
        "first": tmp_path / "first.json",
        "second": tmp_path / "second/config.json",
        "third": tmp_path / "third/.docker/config.json",
        "fourth": tmp_path / "fourth/containers/auth.json",
    }
    for name, place in reversed(list(places.items())):
        place.parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "first.json").write_text("{}")
        place.write_text(json.dumps({"auths": {HOST: auth(name, "p")}}))
        one = read_keyring(HOST, auth_file=None, environment=environment).find("dkp/ee")
        assert one is not None
        assert one.username == name


def test_a_file_for_other_hosts_does_not_hide_the_next_one(tmp_path: Path) -> None:
    (tmp_path / "first.json").write_text(json.dumps({"auths": {"other": auth("other", "p")}}))
    (tmp_path / ".docker").mkdir()
    (tmp_path / ".docker/config.json").write_text(json.dumps({"auths": {HOST: auth("mine", "p")}}))
    environment = {"REGISTRY_AUTH_FILE": str(tmp_path / "first.json"), "HOME": str(tmp_path)}
    one = read_keyring(HOST, auth_file=None, environment=environment).find("dkp/ee")
    assert one is not None
    assert one.username == "mine"


def test_a_named_file_that_is_missing_is_an_error(tmp_path: Path) -> None:
    environment = {"REGISTRY_AUTH_FILE": str(tmp_path / "missing.json"), "HOME": str(tmp_path)}
    with pytest.raises(InvalidInput, match=r"REGISTRY_AUTH_FILE: .*missing\.json"):
        read_keyring(HOST, auth_file=None, environment=environment)


def test_no_file_is_anonymous(tmp_path: Path) -> None:
    assert read_keyring(HOST, auth_file=None, environment={"HOME": str(tmp_path)}).find("dkp/ee") is None


HELPER = """#!/bin/sh
echo "$0 $*" >> {log}
[ "$1" = get ] || exit 9
read server
[ "$server" = {server} ] || {{ echo "credentials not found in native keychain"; exit 1; }}
echo '{answer}'
"""


def helper(tmp_path: Path, answer: str, *, server: str = HOST) -> str:
    program = tmp_path / "docker-credential-kit"
    program.write_text(HELPER.format(log=tmp_path / "log", answer=answer, server=server))
    program.chmod(0o755)
    return f"{tmp_path}:/usr/bin:/bin"


ANSWER = '{"ServerURL": "x", "Username": "u", "Secret": "hidden-secret"}'


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (ANSWER, ("u", "hidden-secret", "")),
        ('{"Username": "<token>", "Secret": "hidden-secret"}', ("", "", "hidden-secret")),
    ],
)
@pytest.mark.parametrize("document", [{"credHelpers": {HOST: "kit"}}, {"credsStore": "kit"}])
def test_a_helper_is_asked_and_the_secret_is_no_argument(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    answer: str,
    expected: tuple[str, str, str],
    document: dict[str, Any],
) -> None:
    monkeypatch.setenv("PATH", helper(tmp_path, answer))
    assert found(tmp_path, document, PATH=helper(tmp_path, answer)) == expected
    assert (tmp_path / "log").read_text().split()[1:2] == ["get"]
    assert "hidden-secret" not in (tmp_path / "log").read_text()


def test_a_store_may_know_the_host_as_a_url(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = helper(tmp_path, ANSWER, server=f"https://{HOST}")
    monkeypatch.setenv("PATH", path)
    assert found(tmp_path, {"credsStore": "kit"}, PATH=path) == ("u", "hidden-secret", "")


def test_a_helper_that_knows_nothing_means_anonymous(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = helper(tmp_path, ANSWER, server="elsewhere")
    monkeypatch.setenv("PATH", path)
    assert found(tmp_path, {"credHelpers": {HOST: "kit"}}, PATH=path) is None


@pytest.mark.parametrize("answer", ["not json hidden-secret", "{}", '{"Username": 1, "Secret": "hidden-secret"}', "[]"])
def test_a_helper_that_talks_nonsense_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: str) -> None:
    path = helper(tmp_path, answer)
    monkeypatch.setenv("PATH", path)
    with pytest.raises(InvalidInput, match="docker-credential-kit") as raised:
        found(tmp_path, {"credHelpers": {HOST: "kit"}}, PATH=path)
    assert "hidden-secret" not in str(raised.value)


@pytest.mark.parametrize(
    ("document", "fails"),
    [
        ({"credHelpers": {HOST: "missing"}}, True),
        ({"credsStore": "missing", "auths": {HOST: {}}}, True),
        ({"credsStore": "missing"}, False),
        ({"credHelpers": {"other": "missing"}}, False),
    ],
)
def test_a_missing_helper_matters_only_where_it_is_needed(
    tmp_path: Path, document: dict[str, Any], fails: bool
) -> None:
    if fails:
        with pytest.raises(InvalidInput, match="docker-credential-missing, which is not on the PATH"):
            found(tmp_path, document, PATH="/nowhere")
    else:
        assert found(tmp_path, document, PATH="/nowhere") is None
