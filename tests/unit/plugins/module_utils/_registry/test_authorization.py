# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Credentials: which header goes where, tokens that are asked for once, and errors that name what is wrong."""

from __future__ import annotations

import base64
import hashlib
import json
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from ansible_collections.dkp.airgap.plugins.module_utils._registry.client import Registry
from ansible_collections.dkp.airgap.plugins.module_utils._registry.credentials import Credentials
from ansible_collections.dkp.airgap.plugins.module_utils._registry.errors import AccessDenied, RegistryError
from ansible_collections.dkp.airgap.plugins.module_utils._registry.tokens import Token, TokenCache, TokenKey, read_token
from ansible_collections.dkp.airgap.plugins.module_utils._registry.upload_body import BytesBody
from ansible_collections.dkp.airgap.tests.kit import behaviour as quirks
from ansible_collections.dkp.airgap.tests.kit.behaviour import Basic, Bearer, Behaviour
from ansible_collections.dkp.airgap.tests.kit.faults import Headers, Redirect, Slow, Status
from ansible_collections.dkp.airgap.tests.kit.faulty import FaultyRegistry
from ansible_collections.dkp.airgap.tests.kit.store import Store

Connect = Callable[..., Registry]
REPOSITORY = "dkp/ee"
DATA = b"content of a blob " * 10_000
DIGEST = f"sha256:{hashlib.sha256(DATA).hexdigest()}"
RIGHT = Credentials(Basic().username, Basic().password)
WRONG = Credentials(Basic().username, "hidden-wrong-password")


def filled() -> Store:
    store = Store()
    for repository in (REPOSITORY, "dkp/ee/other"):
        store.put_blob(repository, DATA)
    return store


def read(registry: Registry, repository: str = REPOSITORY) -> None:
    with registry.open_blob(repository, DIGEST, len(DATA)) as blob:
        assert blob.read() == DATA


def test_basic_is_sent_unasked_after_the_first_challenge(connect: Connect) -> None:
    with FaultyRegistry(filled(), auth=Basic()) as server:
        registry = connect(server.host, credentials=RIGHT)
        for _unused in range(3):
            read(registry)
        assert [one.status for one in server.requests()] == [401, 200, 200, 200]


@pytest.mark.parametrize("auth", [Basic(), Bearer()], ids=["basic", "bearer"])
def test_wrong_credentials_are_called_that_and_tried_once(connect: Connect, auth: Basic | Bearer) -> None:
    with FaultyRegistry(filled(), auth=auth) as server:
        with pytest.raises(AccessDenied, match="credentials were refused") as raised:
            read(connect(server.host, credentials=WRONG))
        assert "hidden-wrong-password" not in str(raised.value)
        assert server.count() == 2


@pytest.mark.parametrize("auth", [Basic(), Bearer()], ids=["basic", "bearer"])
def test_missing_credentials_are_called_that(connect: Connect, auth: Basic | Bearer) -> None:
    with FaultyRegistry(filled(), auth=auth) as server, pytest.raises(AccessDenied, match="none were given"):
        read(connect(server.host))


@pytest.mark.parametrize(
    "bearer",
    [
        Bearer(),
        Bearer(field="access_token"),
        Bearer(told_life=0),
        Bearer(realm=quirks.RELATIVE),
        Bearer(realm="null"),
        Bearer(with_basic=True),
        Bearer(checks_root=False),
        Bearer(checks_scope=False),
    ],
    ids=str,
)
def test_a_token_is_asked_for_once(connect: Connect, bearer: Bearer) -> None:
    with FaultyRegistry(filled(), auth=bearer) as server:
        registry = connect(server.host, credentials=RIGHT)
        for _unused in range(3):
            read(registry)
        assert server.count("GET", "/token") == 1
        asked = server.requests("GET", "/token")[0]
        assert "scope=repository%3Adkp%2Fee%3Apull" in asked.target
        assert "service=tests-registry" in asked.target
        assert "account=puller" in asked.target
        assert asked.headers["authorization"] == "Basic"


def test_anonymous_tokens_need_no_credentials(connect: Connect) -> None:
    with FaultyRegistry(filled(), auth=Bearer(username="")) as server:
        read(connect(server.host))
        assert "authorization" not in server.requests("GET", "/token")[0].headers


def test_every_repository_and_right_has_its_own_token(connect: Connect) -> None:
    with FaultyRegistry(filled(), auth=Bearer()) as server:
        registry = connect(server.host, credentials=RIGHT)
        for _unused in range(2):
            read(registry)
            read(registry, "dkp/ee/other")
            registry.upload_blob(REPOSITORY, f"sha256:{hashlib.sha256(b'{}').hexdigest()}", BytesBody(b"{}"))
        scopes = [one.target.rpartition("scope=")[2].partition("&")[0] for one in server.requests("GET", "/token")]
        assert scopes == [
            "repository%3Adkp%2Fee%3Apull",
            "repository%3Adkp%2Fee%2Fother%3Apull",
            "repository%3Adkp%2Fee%3Apull%2Cpush",
        ]


def test_a_mount_asks_for_both_repositories_the_target_first(connect: Connect) -> None:
    with FaultyRegistry(filled(), auth=Bearer()) as server:
        assert connect(server.host, credentials=RIGHT).mount_blob("dkp/new", DIGEST, source=REPOSITORY)
        target = server.requests("GET", "/token")[-1].target
        first, second = target.index("dkp%2Fnew%3Apull%2Cpush"), target.index("dkp%2Fee%3Apull")
        assert first < second


@pytest.mark.parametrize("bearer", [Bearer(first_scope_only=True), Bearer(pull_only=True)], ids=str)
def test_a_mount_without_the_rights_is_no_error(connect: Connect, bearer: Bearer) -> None:
    with FaultyRegistry(filled(), auth=bearer) as server:
        assert not connect(server.host, credentials=RIGHT).mount_blob("dkp/new", DIGEST, source=REPOSITORY)


def test_a_token_without_the_right_ends_in_an_error(connect: Connect) -> None:
    with FaultyRegistry(filled(), auth=Bearer(pull_only=True)) as server:
        with pytest.raises(AccessDenied, match="upload"):
            connect(server.host, credentials=RIGHT).upload_blob(REPOSITORY, DIGEST, BytesBody(DATA))
        assert server.count("POST") == 3


def test_many_workers_ask_for_one_token(connect: Connect) -> None:
    with FaultyRegistry(filled(), auth=Bearer()) as server:
        server.fail(Slow(200), path="/token")
        registry = connect(server.host, credentials=RIGHT)
        workers = [threading.Thread(target=read, args=(registry,)) for _unused in range(16)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        assert server.count("GET", "/token") == 1
        assert server.count("GET", "/blobs/", host="registry") <= 32


def test_many_workers_hear_of_one_refusal(connect: Connect) -> None:
    with FaultyRegistry(filled(), auth=Bearer()) as server:
        registry = connect(server.host, credentials=WRONG)
        denied: list[AccessDenied] = []

        def work() -> None:
            try:
                read(registry)
            except AccessDenied as error:
                denied.append(error)

        workers = [threading.Thread(target=work) for _unused in range(16)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        assert len(denied) == 16
        assert server.count("GET", "/token") == 1


def test_a_token_is_renewed_before_it_ends(connect: Connect) -> None:
    with FaultyRegistry(filled(), auth=Bearer(life=1)) as server:
        registry = connect(server.host, credentials=RIGHT)
        until = time.monotonic() + 2.2
        while time.monotonic() < until:
            read(registry)
            time.sleep(0.05)
        assert [one.status for one in server.requests("GET", "/blobs/")].count(401) == 1
        assert server.count("GET", "/token") in (3, 4)


@pytest.mark.parametrize("told", [None, 0, 3600])
def test_a_token_that_dies_early_is_renewed_after_the_401(connect: Connect, told: int | None) -> None:
    with FaultyRegistry(filled(), auth=Bearer(told_life=told)) as server:
        registry = connect(server.host, credentials=RIGHT)
        read(registry)
        server.expire_tokens()
        read(registry)
        assert server.count("GET", "/token") == 2


def test_a_token_that_dies_in_the_middle_of_an_upload_is_renewed(connect: Connect) -> None:
    with FaultyRegistry(filled(), auth=Bearer()) as server:
        # what POST hands out is no longer good when the body arrives
        server.fail(Headers({}), method="POST", also=server.expire_tokens)
        registry = connect(server.host, credentials=RIGHT)
        data = DATA + b"new"
        digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
        registry.upload_blob(REPOSITORY, digest, BytesBody(data))
        assert digest in server.store.repository(REPOSITORY).blobs
        assert [one.status for one in server.requests("PUT")] == [401, 201]
        assert server.count("POST") == 2, "one that is challenged, one session"


def test_a_token_that_dies_in_the_middle_of_a_download_is_renewed(connect: Connect) -> None:
    from ansible_collections.dkp.airgap.tests.kit.faults import Reset

    with FaultyRegistry(filled(), auth=Bearer()) as server:
        server.fail(Reset(1000), path="/blobs/", also=server.expire_tokens)
        read(connect(server.host, credentials=RIGHT))


@pytest.mark.parametrize("status", [200, 400, 401, 404, 405])
def test_an_identity_token_is_posted_and_else_used_as_a_password(connect: Connect, status: int) -> None:
    with FaultyRegistry(filled(), auth=Bearer(username="puller", password="refresh")) as server:
        body = json.dumps({"access_token": "unknown"}) if status == 200 else ""
        server.fail(Status(status, text=body), method="POST", path="/token")
        registry = connect(server.host, credentials=Credentials("puller", "", "refresh"))
        read(registry)
        # the token of a 200 is unknown to this registry: it was used, refused, and asked for anew
        assert server.count("POST", "/token") == (2 if status == 200 else 1)
        assert "refresh" not in server.requests("POST", "/token")[0].target


def test_a_throttled_token_endpoint_is_asked_again(connect: Connect) -> None:
    with FaultyRegistry(filled(), auth=Bearer()) as server:
        server.fail(Status(429, retry_after=0), path="/token", times=2)
        read(connect(server.host, credentials=RIGHT))


@pytest.mark.parametrize(
    "body", ["", "no json", "[]", "{}", '{"token": 5}', '{"token": ""}', '{"token": "a\\r\\nb: c"}']
)
def test_an_answer_without_a_token_is_an_error(connect: Connect, body: str) -> None:
    with FaultyRegistry(filled(), auth=Bearer()) as server:
        server.fail(Status(200, text=body), path="/token", times=None)
        with pytest.raises(RegistryError, match="holds no token"):
            read(connect(server.host, credentials=RIGHT))


@pytest.mark.parametrize(
    ("scheme", "realm"),
    [
        ("http", "http://169.254.169.254/latest/token"),
        ("http", "http://[fe80::1]/token"),
        ("https", "http://elsewhere.example/token"),
        ("http", "http://a b/"),
    ],
)
def test_a_realm_that_must_not_be_asked_is_not(scheme: str, realm: str) -> None:
    from ansible_collections.dkp.airgap.plugins.module_utils._registry.authorization import Authorizer, Scope
    from ansible_collections.dkp.airgap.plugins.module_utils._registry.challenge import parse_challenges
    from ansible_collections.dkp.airgap.plugins.module_utils._registry.credentials import Keyring
    from ansible_collections.dkp.airgap.plugins.module_utils._registry.locations import origin_of
    from ansible_collections.dkp.airgap.plugins.module_utils._registry.redaction import Secrets

    def ask(*_arguments: object, **_more: object) -> tuple[int, bytes]:
        raise AssertionError("asked")

    authorizer = Authorizer(origin_of(scheme, "r.example"), Keyring([("", RIGHT)]), secrets=Secrets(), ask=ask)
    with pytest.raises(AccessDenied, match="ask for a token"):
        authorizer.learn(parse_challenges([f'Bearer realm="{realm}"']), (Scope("x", "pull"),), used=None)
        authorizer.header((Scope("x", "pull"),))


def test_tokens_may_come_from_another_host(connect: Connect) -> None:
    with FaultyRegistry(auth=Bearer()) as issuer, FaultyRegistry(filled()) as server:
        challenge = f'Bearer realm="{issuer.url}/token",service="tests-registry"'
        server.fail(Status(401, headers={"WWW-Authenticate": challenge}), times=2)
        read(connect(server.host, credentials=RIGHT))
        assert [one.headers["authorization"] for one in issuer.requests()] == ["Basic", "Basic"]
        assert [one.headers.get("authorization") for one in server.requests()] == [None, "Bearer", "Bearer"]
        server.fail(Status(401, headers={"WWW-Authenticate": challenge}), times=None)
        with pytest.raises(AccessDenied, match=rf"get a token \(GET {issuer.url}/token.*credentials were refused"):
            read(connect(server.host, credentials=WRONG))
        with pytest.raises(AccessDenied, match="none were given"):
            read(connect(server.host))


def test_credentials_do_not_follow_a_redirect(connect: Connect) -> None:
    with FaultyRegistry(filled(), auth=Bearer()) as server, FaultyRegistry(filled()) as other:
        server.fail(Redirect(f"{other.url}/v2/{REPOSITORY}/blobs/{DIGEST}"), path="/blobs/")
        read(connect(server.host, credentials=RIGHT))
        assert "authorization" not in other.requests()[0].headers
        server.fail(Redirect(f"{other.url}/token"), path="/token", times=None)
        with pytest.raises(RegistryError):
            read(connect(server.host, credentials=RIGHT))
        assert not any("authorization" in one.headers for one in other.requests())


def test_an_identity_token_does_not_follow_a_redirect(connect: Connect) -> None:
    with FaultyRegistry(filled(), auth=Bearer()) as server, FaultyRegistry() as other:
        server.fail(Redirect(f"{other.url}/token"), method="POST", path="/token", times=None)
        with pytest.raises(RegistryError, match="would take credentials to"):
            read(connect(server.host, credentials=Credentials("", "", "hidden-identity")))
        assert other.count() == 0


def test_signed_storage_refuses_nothing(connect: Connect) -> None:
    with FaultyRegistry(filled(), auth=Bearer(), behaviour=Behaviour(redirects_blobs=True)) as server:
        read(connect(server.host, credentials=RIGHT))
        assert server.requests(host="storage")[0].status == 200


def test_an_auth_file_is_used_and_its_secrets_are_known(connect: Connect, tmp_path: Path) -> None:
    encoded = base64.b64encode(f"{RIGHT.username}:{RIGHT.password}".encode()).decode()
    with FaultyRegistry(filled(), auth=Basic()) as server:
        (tmp_path / "config.json").write_text(json.dumps({"auths": {f"{server.host}/dkp": {"auth": encoded}}}))
        registry = connect(server.host, auth_file=str(tmp_path / "config.json"))
        read(registry)
        assert registry.secrets.values() == {RIGHT.password, encoded}
        assert "correct-horse" not in registry.secrets.redact(f"x {RIGHT.password} y {encoded}")


def test_explicit_credentials_need_no_file(connect: Connect, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "config.json").write_text("damaged")
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    with FaultyRegistry(filled(), auth=Basic()) as server:
        read(connect(server.host, credentials=RIGHT))


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b'{"token": "t"}', ("t", 60)),
        (b'{"access_token": "t", "expires_in": 300}', ("t", 300)),
        (b'{"token": "t", "access_token": "u", "expires_in": "90"}', ("t", 90)),
        (b'{"token": "t", "expires_in": 0, "issued_at": "2001-01-01T00:00:00Z"}', ("t", 60)),
        (b'{"token": "t", "expires_in": -5}', ("t", 60)),
        (b'{"token": "t", "expires_in": null}', ("t", 60)),
        (b'{"token": "t", "expires_in": 1e300}', ("t", 86400)),
        (b'{"token": "t", "expires_in": NaN}', ("t", 60)),
        (b"[]", None),
        (b"[" * 100_000, None),
    ],
)
def test_answers_of_token_endpoints(body: bytes, expected: tuple[str, float] | None) -> None:
    token = read_token(body)
    assert (token and (token.text, token.life)) == expected
    assert "'t'" not in repr(token)


def test_a_failed_fetch_is_not_remembered_for_long() -> None:
    now = [100.0]
    cache = TokenCache(clock=lambda: now[0])
    key = TokenKey("https://r/token", "s", ("repository:x:pull",), "u")

    def refuse() -> Token:
        raise AccessDenied("get a token")

    with pytest.raises(AccessDenied):
        cache.header(key, refuse)
    with pytest.raises(AccessDenied):
        cache.header(key, lambda: Token("t", 60))
    now[0] += 3
    assert cache.header(key, lambda: Token("t", 60)) == "Bearer t"
    now[0] += 51
    assert cache.header(key, lambda: Token("u", 60)) == "Bearer u"
    cache.discard(key, "Bearer t")
    assert cache.header(key, refuse) == "Bearer u"
    cache.discard(key, "Bearer u")
    assert cache.header(key, lambda: Token("v", 60)) == "Bearer v"
