# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The registry client against real registries of both generations, with every way to authenticate."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.dkp.airgap.plugins.module_utils._oci import manifest as manifests
from ansible_collections.dkp.airgap.plugins.module_utils._oci.reference import parse_address
from ansible_collections.dkp.airgap.plugins.module_utils._registry import upload
from ansible_collections.dkp.airgap.plugins.module_utils._registry.client import Registry
from ansible_collections.dkp.airgap.plugins.module_utils._registry.credentials import Credentials
from ansible_collections.dkp.airgap.plugins.module_utils._registry.errors import (
    AccessDenied,
    BlobUnknown,
    NotFound,
    ReadOnly,
)
from ansible_collections.dkp.airgap.plugins.module_utils._registry.options import RegistryOptions
from ansible_collections.dkp.airgap.plugins.module_utils._registry.upload_body import BytesBody
from ansible_collections.dkp.airgap.tests.kit.certificates import Authority
from ansible_collections.dkp.airgap.tests.kit.programs import MissingProgram, find_registry
from ansible_collections.dkp.airgap.tests.kit.servers import PASSWORD, USERNAME, Server
from ansible_collections.dkp.airgap.tests.kit.token_server import TokenServer

REPOSITORY = "dkp/ee"
DATA = b"".join(hashlib.sha256(str(number).encode()).digest() for number in range(100_000))
CONFIG = b"{}"


@pytest.fixture(params=[2, 3])
def version(request: pytest.FixtureRequest) -> Iterator[int]:
    try:
        find_registry(request.param)
    except MissingProgram as missing:
        pytest.skip(str(missing))
    yield request.param


def client(server: Server, **options: Any) -> Registry:
    settings = {"scheme": server.scheme, "timeout": 10, **options}
    return Registry(RegistryOptions(parse_address(f"{server.host}/{REPOSITORY}"), **settings))


def digest_of(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def image(layer: bytes = DATA) -> manifests.Manifest:
    document = {
        "schemaVersion": 2,
        "mediaType": manifests.OCI_MANIFEST,
        "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": digest_of(CONFIG), "size": 2},
        "layers": [{"mediaType": "application/x", "digest": digest_of(layer), "size": len(layer)}],
    }
    return manifests.parse(json.dumps(document, indent=2).encode())


def exercise(registry: Registry) -> None:
    """Write an image and read it back in every way there is."""
    with pytest.raises(NotFound):
        registry.tags(REPOSITORY)
    assert registry.manifest_digest(REPOSITORY, "v1.0.0") is None
    for data in (DATA, CONFIG, b""):
        assert not registry.blob_exists(REPOSITORY, digest_of(data)) or not data
        registry.upload_blob(REPOSITORY, digest_of(data), BytesBody(data))
        assert registry.blob_exists(REPOSITORY, digest_of(data))
    with pytest.raises(BlobUnknown) as raised:
        registry.put_manifest(REPOSITORY, "v1.0.0", image(b"not there"))
    assert raised.value.digests == (digest_of(b"not there"),)
    for tag in ("v1.0.0", "v1.1.0", image().digest):
        registry.put_manifest(REPOSITORY, tag, image())
    assert sorted(registry.tags(REPOSITORY)) == ["v1.0.0", "v1.1.0"]
    assert registry.manifest_digest(REPOSITORY, "v1.1.0") == image().digest
    assert registry.manifest(REPOSITORY, image().digest).raw == image().raw
    with registry.open_blob(REPOSITORY, digest_of(DATA), len(DATA)) as blob:
        assert blob.read() == DATA
    assert registry.mount_blob("dkp/ee/other", digest_of(DATA), source=REPOSITORY)
    assert registry.blob_exists("dkp/ee/other", digest_of(DATA))


def test_plain(version: int, tmp_path: Path) -> None:
    with Server(tmp_path / "storage", version=version) as server:
        exercise(client(server))


def test_basic(version: int, tmp_path: Path) -> None:
    with Server(tmp_path / "storage", version=version, htpasswd=True) as server:
        exercise(client(server, credentials=Credentials(USERNAME, PASSWORD)))
        with pytest.raises(AccessDenied, match="credentials were refused"):
            client(server, credentials=Credentials(USERNAME, "wrong-password")).tags(REPOSITORY)
        with pytest.raises(AccessDenied, match="none were given"):
            client(server).tags(REPOSITORY)


def test_tokens(version: int, tmp_path: Path) -> None:
    tokens = TokenServer(tmp_path, users={USERNAME: PASSWORD}, life=5)
    with tokens, Server(tmp_path / "storage", version=version, token=tokens) as server:
        exercise(client(server, credentials=Credentials(USERNAME, PASSWORD)))
        with pytest.raises(AccessDenied):
            client(server, credentials=Credentials(USERNAME, "wrong-password")).tags(REPOSITORY)


def test_tls(version: int, tmp_path: Path) -> None:
    authority = Authority(tmp_path / "authority")
    with Server(
        tmp_path / "storage", version=version, certificate=authority.issue("server"), client_ca=authority.path
    ) as server:
        own = authority.issue("client")
        exercise(client(server, ca_path=str(authority.path), client_cert=str(own.path), client_key=str(own.key)))


def test_uploads_in_pieces(version: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upload, "SMALLEST_PIECE", 1000)
    with Server(tmp_path / "storage", version=version) as server:
        registry = client(server)
        assert registry._habits.shrink(1_000_000)
        exercise(registry)
        assert server.count("PATCH") == -(-len(DATA) // 500_000)


def test_uploads_by_one_patch(version: int, tmp_path: Path) -> None:
    with Server(tmp_path / "storage", version=version) as server:
        registry = client(server)
        registry._habits.whole_patch = True
        exercise(registry)
        assert server.count("PATCH") == 2, "an empty blob needs none"


def test_a_read_only_registry(version: int, tmp_path: Path) -> None:
    with Server(tmp_path / "storage", version=version) as server:
        exercise(client(server))
    with Server(tmp_path / "storage", version=version, read_only=True) as server:
        registry = client(server, read_only_wait=1)
        assert registry.manifest(REPOSITORY, "v1.0.0").raw == image().raw
        with pytest.raises(ReadOnly, match="repeat the run"):
            registry.upload_blob(REPOSITORY, digest_of(b"new"), BytesBody(b"new"))


def test_a_registry_that_restarts_in_the_middle_of_an_upload(version: int, tmp_path: Path) -> None:
    with Server(tmp_path / "storage", version=version) as server:
        registry = client(server, bandwidth_limit=2_000_000)
        registry._habits.piece = 700_000
        restart = threading.Timer(0.8, server.restart)
        restart.start()
        registry.upload_blob(REPOSITORY, digest_of(DATA), BytesBody(DATA))
        restart.join()
        assert registry.blob_exists(REPOSITORY, digest_of(DATA))
