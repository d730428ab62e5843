# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later


"""The tree in real registries, read by an independent reader."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from ansible_collections.dkp.airgap.tests.kit.certificates import Authority
from ansible_collections.dkp.airgap.tests.kit.images import DOCKER_MANIFEST, OCI_MANIFEST
from ansible_collections.dkp.airgap.tests.kit.programs import MissingProgram, find, find_registry
from ansible_collections.dkp.airgap.tests.kit.servers import LICENSE_TOKEN, PASSWORD, USERNAME, Server
from ansible_collections.dkp.airgap.tests.kit.shape import SMALL
from ansible_collections.dkp.airgap.tests.kit.storage import stored
from ansible_collections.dkp.airgap.tests.kit.token_server import TokenServer
from ansible_collections.dkp.airgap.tests.kit.tree import Tree

TAGS = "/v2/deckhouse/ee/release-channel/tags/list"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("servers")


@pytest.fixture(scope="module")
def tree(home: Path) -> Tree:
    return stored(SMALL, home / "source")


@pytest.fixture(scope="module")
def authority(home: Path) -> Authority:
    return Authority(home / "authority")


@pytest.fixture(params=[2, 3])
def version(request: pytest.FixtureRequest) -> Iterator[int]:
    number: int = request.param
    try:
        find_registry(number)
    except MissingProgram as missing:
        pytest.skip(str(missing))
    yield number


def test_every_manifest_and_blob_is_served_as_made(version: int, home: Path, tree: Tree) -> None:
    accepted = {"Accept": f"{OCI_MANIFEST},{DOCKER_MANIFEST}"}
    with Server(home / "source", version=version) as server, requests.Session() as session:
        for path, repository in tree.repositories.items():
            tags = session.get(f"{server.url}/v2/{path}/tags/list", params={"n": 1000})
            assert sorted(tags.json()["tags"] or []) == sorted(repository.tags)
        for path, image in tree.manifests():
            answer = session.get(f"{server.url}/v2/{path}/manifests/{image.digest}", headers=accepted)
            assert (answer.content, answer.headers["Content-Type"]) == (image.raw, image.media_type)
            for blob in image.blobs:
                assert session.get(f"{server.url}/v2/{path}/blobs/{blob.digest}").content == blob.read()


@pytest.mark.parametrize("reference", ["/release-channel:stable", ":v1.70.0", "/security/trivy-java-db:1"])
def test_skopeo_copies_from_it(version: int, reference: str, home: Path, tree: Tree, tmp_path: Path) -> None:
    try:
        skopeo = find("skopeo", package="skopeo")
    except MissingProgram as missing:
        pytest.skip(str(missing))
    with Server(home / "source", version=version) as server:
        source = f"docker://{server.host}/deckhouse/ee{reference}"
        subprocess.run([skopeo, "copy", "-q", "--src-tls-verify=false", source, f"dir:{tmp_path}"], check=True)
    copied = json.loads((tmp_path / "manifest.json").read_bytes())
    assert {layer["digest"][len("sha256:") :] for layer in copied["layers"]} <= {
        path.name for path in tmp_path.iterdir()
    }


def test_it_accepts_and_keeps_what_is_pushed(version: int, tmp_path: Path) -> None:
    with Server(tmp_path / "target", version=version, delete=True) as server:
        opened = requests.post(f"{server.url}/v2/new/blobs/uploads/")
        empty = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        assert requests.put(f"{opened.headers['Location']}&digest={empty}").status_code == 201
        server.restart()
        assert requests.head(f"{server.url}/v2/new/blobs/{empty}").status_code == 200
        assert server.count("PUT", r"/blobs/uploads/") == 1
        assert requests.delete(f"{server.url}/v2/new/blobs/{empty}").status_code == 202


def test_htpasswd_wants_one_of_two_users(version: int, home: Path, tree: Tree) -> None:
    with Server(home / "source", version=version, htpasswd=True) as server:
        address = server.url + TAGS
        assert requests.get(address).headers["WWW-Authenticate"].startswith("Basic ")
        assert requests.get(address, auth=(USERNAME, "wrong")).status_code == 401
        assert requests.get(address, auth=(USERNAME, PASSWORD)).status_code == 200
        assert requests.get(address, auth=("license-token", LICENSE_TOKEN)).status_code == 200


def test_tls_by_an_own_authority(version: int, home: Path, tree: Tree, authority: Authority) -> None:
    with Server(home / "source", version=version, certificate=authority.issue("server")) as server:
        assert requests.get(server.url + TAGS, verify=str(authority.path)).status_code == 200
        with pytest.raises(requests.exceptions.SSLError):
            requests.get(server.url + TAGS)


def test_client_certificates(version: int, home: Path, tree: Tree, authority: Authority) -> None:
    client = authority.issue("client")
    certificate = authority.issue("server")
    with Server(home / "source", version=version, certificate=certificate, client_ca=authority.path) as server:
        pair = (str(client.path), str(client.key))
        assert requests.get(server.url + TAGS, verify=str(authority.path), cert=pair).status_code == 200
        with pytest.raises(requests.exceptions.ConnectionError):
            requests.get(server.url + TAGS, verify=str(authority.path))


def test_read_only_refuses_to_write(version: int, home: Path, tree: Tree) -> None:
    with Server(home / "source", version=version, read_only=True) as server:
        assert requests.post(f"{server.url}/v2/new/blobs/uploads/").status_code == 405
        assert requests.get(server.url + TAGS).status_code == 200


def test_tokens_are_checked_for_user_scope_and_life(version: int, home: Path, tree: Tree, tmp_path: Path) -> None:
    scope = "repository:deckhouse/ee/release-channel:pull"
    with (
        TokenServer(tmp_path, users={"puller": "secret"}, life=1) as tokens,
        Server(home / "source", version=version, token=tokens) as server,
    ):
        assert scope in requests.get(server.url + TAGS).headers["WWW-Authenticate"]
        query = {"service": "tests-registry", "scope": scope}
        assert requests.get(tokens.realm, params=query, auth=("puller", "wrong")).status_code == 401
        document = requests.get(tokens.realm, params=query, auth=("puller", "secret")).json()
        headers = {"Authorization": f"Bearer {document['token']}"}
        assert requests.get(server.url + TAGS, headers=headers).status_code == 200
        assert requests.get(f"{server.url}/v2/deckhouse/ee/tags/list", headers=headers).status_code == 401
        time.sleep(2.1)
        assert requests.get(server.url + TAGS, headers=headers).status_code == 401
    assert [(one.scopes, one.user, one.granted) for one in tokens.requests] == [
        ((scope,), "puller", False),
        ((scope,), "puller", True),
    ]


def test_a_registry_that_does_not_start_says_why(version: int, tmp_path: Path) -> None:
    server = Server(tmp_path / "target", version=version)
    server._configuration["storage"] = {"nonsense": {}}
    with pytest.raises(RuntimeError, match="nonsense"):
        server.start()
