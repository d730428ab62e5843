# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""TLS, proxies, and servers that speak badly or with evil intent."""

from __future__ import annotations

import base64
import hashlib
import select
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from ansible_collections.dkp.airgap.plugins.module_utils._registry import connections
from ansible_collections.dkp.airgap.plugins.module_utils._registry.client import Registry
from ansible_collections.dkp.airgap.plugins.module_utils._registry.credentials import Credentials
from ansible_collections.dkp.airgap.plugins.module_utils._registry.errors import (
    DigestMismatch,
    NotFound,
    RegistryError,
    TransportFailure,
)
from ansible_collections.dkp.airgap.plugins.module_utils._registry.upload_body import BytesBody
from ansible_collections.dkp.airgap.tests.kit.behaviour import Basic
from ansible_collections.dkp.airgap.tests.kit.certificates import Authority
from ansible_collections.dkp.airgap.tests.kit.faults import Action, EarlyStatus, Redirect, Reset, Silence, Stall
from ansible_collections.dkp.airgap.tests.kit.faulty import FaultyRegistry
from ansible_collections.dkp.airgap.tests.kit.programs import MissingProgram
from ansible_collections.dkp.airgap.tests.kit.stops import stopped
from ansible_collections.dkp.airgap.tests.kit.store import Store

Connect = Callable[..., Registry]
REPOSITORY = "dkp/ee"
DATA = b"content " * 50_000
DIGEST = f"sha256:{hashlib.sha256(DATA).hexdigest()}"
RIGHT = Credentials(Basic().username, Basic().password)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    try:
        return Authority(tmp_path_factory.mktemp("authority"))
    except MissingProgram as missing:
        pytest.skip(str(missing))


def filled() -> Store:
    store = Store()
    store.put_blob(REPOSITORY, DATA)
    return store


def read(registry: Registry) -> bytes:
    with registry.open_blob(REPOSITORY, DIGEST, len(DATA)) as blob:
        return blob.read()


def test_tls_with_an_own_authority(connect: Connect, authority: Authority, tmp_path: Path) -> None:
    (tmp_path / "authorities").mkdir()
    (tmp_path / "authorities/own.crt").write_bytes(authority.path.read_bytes())
    with FaultyRegistry(filled(), certificate=authority.issue("server")) as server:
        for place in (authority.path, tmp_path / "authorities"):
            registry = connect(server.host, scheme="https", ca_path=str(place))
            assert read(registry) == DATA
            data = b"up" * 3_000_000
            registry.upload_blob(REPOSITORY, f"sha256:{hashlib.sha256(data).hexdigest()}", BytesBody(data))
            assert registry.counters.requests == 3


@pytest.mark.parametrize("fault", [Silence(), Stall(after=100_000)])
def test_a_stop_ends_a_tls_connection_that_waits(connect: Connect, authority: Authority, fault: Action) -> None:
    with FaultyRegistry(filled(), certificate=authority.issue("server")) as server:
        server.fail(fault, path="/blobs/")
        with stopped(within=3) as stopping:
            read(connect(server.host, scheme="https", ca_path=str(authority.path), timeout=60, stopping=stopping))


def test_a_certificate_of_an_unknown_authority_is_refused_at_once(connect: Connect, authority: Authority) -> None:
    with FaultyRegistry(filled(), certificate=authority.issue("server")) as server:
        started = time.monotonic()
        with pytest.raises(TransportFailure, match=r"certificate of .* is not trusted.*Set ca_path"):
            read(connect(server.host, scheme="https"))
        assert time.monotonic() - started < 2
        assert server.count() == 0


def test_a_certificate_for_another_host_is_refused(connect: Connect, authority: Authority) -> None:
    certificate = authority.issue("elsewhere", hosts="DNS:elsewhere.example")
    with FaultyRegistry(filled(), certificate=certificate) as server, pytest.raises(TransportFailure, match="trusted"):
        read(connect(server.host, scheme="https", ca_path=str(authority.path)))


@pytest.mark.filterwarnings("error")
def test_certificates_are_not_looked_at_where_told_so(connect: Connect, authority: Authority) -> None:
    certificate = authority.issue("elsewhere", hosts="DNS:elsewhere.example")
    with FaultyRegistry(filled(), certificate=certificate) as server:
        assert read(connect(server.host, scheme="https", validate_certs=False)) == DATA


def test_plain_http_is_never_spoken_unasked(connect: Connect) -> None:
    with FaultyRegistry(filled()) as server:
        with pytest.raises(TransportFailure, match="does not speak TLS.*scheme: http"):
            read(connect(server.host, scheme="https"))
        assert server.count() == 0


def test_tls_where_plain_http_was_asked_for_is_explained(connect: Connect, authority: Authority) -> None:
    with FaultyRegistry(filled(), certificate=authority.issue("server")) as server, pytest.raises(RegistryError):
        read(connect(server.host, scheme="http", timeout=1))


def test_a_redirect_to_plain_http_is_refused(connect: Connect, authority: Authority) -> None:
    with FaultyRegistry(filled(), certificate=authority.issue("server")) as server, FaultyRegistry(filled()) as plain:
        server.fail(
            Redirect(f"{plain.url}/v2/{REPOSITORY}/blobs/{DIGEST}".replace("127.0.0.1", "localhost")), times=None
        )
        with pytest.raises(TransportFailure, match="from https to plain http://localhost"):
            read(connect(server.host, scheme="https", ca_path=str(authority.path)))
        assert plain.count() == 0


def test_an_early_answer_under_tls_is_heard(connect: Connect, authority: Authority) -> None:
    data = b"x" * 20_000_000
    with FaultyRegistry(certificate=authority.issue("server")) as server:
        server.fail(EarlyStatus(413, text="too large"), method="PUT")
        registry = connect(server.host, scheme="https", ca_path=str(authority.path))
        digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
        registry.upload_blob(REPOSITORY, digest, BytesBody(data))
        assert digest in server.store.repository(REPOSITORY).blobs


class Proxy:
    """A forward proxy: CONNECT, and plain requests by whole addresses. Remembers the heads of what it saw."""

    def __init__(self, *, credentials: str = "") -> None:
        self.heads: list[bytes] = []
        self._wanted = base64.b64encode(credentials.encode()) if credentials else b""
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                client, _unused = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client:
            head = b""
            while b"\r\n\r\n" not in head:
                head += client.recv(65536)
            self.heads.append(head)
            if self._wanted not in head:
                client.sendall(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
                return
            method, target, _unused = head.split(b" ", 2)
            authority = target if method == b"CONNECT" else target.split(b"/")[2]
            host, _unused, port = authority.rpartition(b":")
            with socket.create_connection(("127.0.0.1", int(port))) as server:
                if method == b"CONNECT":
                    client.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
                else:
                    path = target.split(host + b":" + port, 1)[1]
                    server.sendall(head.replace(target, path, 1))
                _relay(client, server)

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()


def _relay(one: socket.socket, other: socket.socket) -> None:
    while True:
        for ready in select.select([one, other], [], [], 5)[0]:
            data = ready.recv(65536)
            if not data:
                return
            (other if ready is one else one).sendall(data)


@contextmanager
def proxy(credentials: str = "") -> Iterator[Proxy]:
    made = Proxy(credentials=credentials)
    yield made
    made.close()


@pytest.mark.parametrize("credentials", ["", "proxy-user:p%40ss"])
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_the_proxy_of_the_environment_is_used(
    connect: Connect, authority: Authority, monkeypatch: pytest.MonkeyPatch, scheme: str, credentials: str
) -> None:
    certificate = authority.issue("server", hosts="DNS:registry.test") if scheme == "https" else None
    with proxy(credentials.replace("%40", "@")) as through, FaultyRegistry(filled(), certificate=certificate) as server:
        user = f"{credentials}@" if credentials else ""
        monkeypatch.setenv(f"{scheme}_proxy", f"http://{user}{through.address}")
        host = server.host.replace("127.0.0.1", "registry.test")
        registry = connect(host, scheme=scheme, ca_path=str(authority.path), credentials=RIGHT)
        assert read(registry) == DATA
        seen = b"".join(through.heads)
        assert (b"CONNECT registry.test:" if scheme == "https" else b"GET http://registry.test:") in seen
        assert b"Authorization: Basic " + base64.b64encode(b"puller") not in seen
        if credentials:
            assert "p@ss" in registry.secrets.values()


def test_a_proxy_that_wants_credentials_is_explained(
    connect: Connect, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    with proxy("user:password") as through:
        monkeypatch.setenv("https_proxy", f"http://{through.address}")
        with pytest.raises(TransportFailure, match="proxy.*407.*HTTPS_PROXY"):
            read(connect("registry.test:5000", scheme="https"))
        monkeypatch.setenv("http_proxy", f"http://{through.address}")
        with pytest.raises(RegistryError, match="407.*proxy wants credentials"):
            read(connect("registry.test:5000"))


def test_a_proxy_that_is_not_there_is_explained(connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    with proxy() as through:
        address = through.address
    monkeypatch.setenv("http_proxy", f"http://user:hidden-secret@{address}")
    with pytest.raises(TransportFailure, match="proxy") as raised:
        read(connect("registry.test:5000"))
    assert "hidden-secret" not in str(raised.value)


def test_no_proxy_is_kept(connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("no_proxy", "127.0.0.0/8")
    with FaultyRegistry(filled()) as server:
        assert read(connect(server.host)) == DATA


def test_a_name_that_does_not_exist_is_explained(connect: Connect) -> None:
    with pytest.raises(TransportFailure, match=r"registry\.invalid cannot be resolved"):
        read(connect("registry.invalid"))


def test_a_refused_connection_is_explained(connect: Connect) -> None:
    with FaultyRegistry() as server:
        host = server.host
    with pytest.raises(TransportFailure, match=rf"{host} refused the connection"):
        read(connect(host))


def test_a_name_that_leads_to_a_link_local_address_is_not_followed(
    connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    # as with a name that an attacker lets point to a metadata service
    monkeypatch.setattr(connections, "is_forbidden_address", lambda host: True)
    with FaultyRegistry(filled()) as server, FaultyRegistry(filled()) as other:
        assert read(connect(server.host)) == DATA, "the registry itself was named by the user"
        location = f"{other.url}/v2/{REPOSITORY}/blobs/{DIGEST}".replace("127.0.0.1", "localhost")
        server.fail(Redirect(location), times=None)
        with pytest.raises(TransportFailure, match="link-local"):
            read(connect(server.host))
        assert other.count() == 0


class Speaker:
    """A server that answers every request with the same bytes, `pieces` of them, and closes."""

    def __init__(self, *pieces: bytes, endless: bytes = b"", pause: float = 0) -> None:
        self._pieces, self._endless, self._pause = pieces, endless, pause
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.host = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self.connections = 0
        self.sent = 0

    def __enter__(self) -> Speaker:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_reason: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _unused = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._speak, args=(client,), daemon=True).start()

    def _speak(self, client: socket.socket) -> None:
        with client:
            try:
                client.recv(65536)
                for piece in self._pieces:
                    client.sendall(piece)
                    time.sleep(self._pause)
                while self._endless:
                    client.sendall(self._endless)
                    self.sent += len(self._endless)
            except OSError:
                return


OK_HEAD = b"HTTP/1.1 200 OK\r\n"


@pytest.mark.parametrize(
    "speaker",
    [
        Speaker(b"220 ready to serve mail\r\n"),
        Speaker(b""),
        Speaker(b"HTTP/1.1 abc\r\n\r\n"),
        Speaker(OK_HEAD, endless=b"X-Fill: " + b"x" * 8000 + b"\r\n"),
        Speaker(OK_HEAD, endless=b"x" * 8000),
        Speaker(OK_HEAD + b"Content-Length: -5\r\n\r\n"),
        Speaker(OK_HEAD + b"Content-Length: many\r\n\r\n"),
        Speaker(OK_HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n"),
        Speaker(OK_HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\nab"),
        Speaker(b"HTTP/1.1 302 Found\r\nLocation: \xff\xfe\r\nContent-Length: 0\r\n\r\n"),
        Speaker(b"HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Bearer realm=\xff\r\nContent-Length: 0\r\n\r\n"),
        Speaker(b"HTTP/1.1 500 Oops\r\n\r\n", endless=b"<p>" * 10_000),
        Speaker(b"HTTP/1.1 100 Continue\r\n\r\n" * 50),
    ],
    ids=range(13),
)
def test_nonsense_ends_in_an_error(connect: Connect, speaker: Speaker) -> None:
    with speaker, pytest.raises(RegistryError, match="Cannot"):
        connect(speaker.host, timeout=2).tags(REPOSITORY)


def test_an_endless_list_is_not_read_on(connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    from ansible_collections.dkp.airgap.plugins.module_utils._registry import tags

    monkeypatch.setattr(tags, "LARGEST_PAGE", 1_000_000)
    with Speaker(OK_HEAD + b"\r\n", endless=b'["tag",' * 10_000) as speaker:
        with pytest.raises(RegistryError, match="more than 1000000 bytes"):
            connect(speaker.host).tags(REPOSITORY)
        assert speaker.sent < 20_000_000


@pytest.mark.parametrize("head", [b"\r\n", b"Transfer-Encoding: chunked\r\n\r\n"], ids=["until close", "chunks"])
def test_an_endless_blob_is_not_read_on(connect: Connect, head: bytes) -> None:
    endless = b"x" * 65536 if head == b"\r\n" else b"10000\r\n" + b"x" * 65536 + b"\r\n"
    with Speaker(OK_HEAD + head, endless=endless) as speaker:
        started = time.monotonic()
        with pytest.raises(DigestMismatch):
            read(connect(speaker.host))
        assert time.monotonic() - started < 3
        assert speaker.connections == 1


def test_a_body_until_the_end_of_the_connection_is_read(connect: Connect) -> None:
    with Speaker(b"HTTP/1.0 200 OK\r\n\r\n", DATA) as speaker:
        assert read(connect(speaker.host)) == DATA


def test_an_answer_in_drops_is_put_together(connect: Connect) -> None:
    answer = OK_HEAD + b"Content-Length: %d\r\n\r\n" % len(DATA) + DATA
    pieces = [answer[start : start + 50_000] for start in range(0, len(answer), 50_000)]
    with Speaker(*pieces, pause=0.05) as speaker:
        assert read(connect(speaker.host, timeout=1)) == DATA


def test_an_error_without_end_is_cut(connect: Connect) -> None:
    with Speaker(b"HTTP/1.1 404 Not Found\r\n\r\n", endless=b"long text " * 1000) as speaker:
        with pytest.raises(NotFound) as raised:
            connect(speaker.host).tags(REPOSITORY)
        assert len(str(raised.value)) < 600
        assert speaker.sent < 20_000_000


def test_the_client_works_after_any_of_it(connect: Connect) -> None:
    with FaultyRegistry(filled()) as server:
        registry = connect(server.host, connections=2)
        server.fail(Reset(10), times=5)
        for _unused in range(5):
            assert read(registry) == DATA
