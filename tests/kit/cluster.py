# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A real API server on 127.0.0.1, over an etcd of its own, with the kinds of Deckhouse and nothing that reconciles.

>>> with KubeServer() as server:
...     server.install_crds()
...     server.apply(clusters.manual_ee())
...     server.kubeconfig(tmp_path / "kubeconfig")
...     server.requests()
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
import time
import weakref
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from .audit import AuditLog, KubeRequest
from .certificates import Authority
from .cluster_content import apply_objects, clear_objects
from .custom_resources import KINDS, serve_exactly
from .kube_client import KubeClient, KubeError
from .leash import Leashed
from .programs import find_etcd, find_kube
from .servers import answers, free_port

_PATIENCE = 60
_ATTEMPTS = 3
_KIT_USER = "tests-kit"
_ADMIN_USER = "kubernetes-admin"
_KIT_TOKEN = "token-of-the-tests-kit-itself"
_DISABLED = ("ServiceAccount", "TaintNodesByCondition")
"""Admission that waits for controllers: the account ``default`` of a namespace, the readiness of a node."""


class KubeServer:
    """etcd and kube-apiserver, as a context manager.

    `client` is an administrator whose requests `requests` leaves out; `admin_token` is one for the code under test.
    Raises MissingProgram when a program is not there, RuntimeError with the log when it does not start.
    """

    def __init__(self) -> None:
        self._programs = {"kube-apiserver": find_kube(), "etcd": find_etcd()}
        self._files = Path(tempfile.mkdtemp(prefix="dkp-kube-"))
        weakref.finalize(self, shutil.rmtree, self._files, ignore_errors=True)
        authority = Authority(self._files / "authority")
        self._certificate = authority.issue("kube-apiserver", hosts="IP:127.0.0.1,DNS:localhost,DNS:kubernetes")
        self._signer = authority.issue("service-accounts")
        self.ca_file = authority.path
        self.admin_token = "token-of-the-administrator"
        self._running: dict[str, Leashed] = {}
        self._ports: dict[str, int] = {}
        self._audit = AuditLog(self._files / "audit.log", left_out=_KIT_USER)

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self._ports['kube-apiserver']}"

    @property
    def client(self) -> KubeClient:
        """The kit's own access, as an administrator."""
        return self._client

    def another_client(self) -> KubeClient:
        """As `client`, for another thread."""
        return self.client_of(_KIT_TOKEN)

    def client_of(self, token: str) -> KubeClient:
        """The API as the owner of `token` sees it."""
        return KubeClient(self.url, ca_file=self.ca_file, token=token)

    def __enter__(self) -> KubeServer:
        self._write_settings()
        for remaining in range(_ATTEMPTS, 0, -1):
            try:
                self._start_etcd()
                self._start_server()
            except BaseException as error:
                self.stop()
                # Somebody else took a port between our finding and our using it.
                if "address already in use" not in str(error) or remaining == 1:
                    raise
                self._ports.clear()
            else:
                break
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        if error is not None:
            print(f"log of the API server:\n{self.log()[-4000:]}", file=sys.stderr)
        shutil.rmtree(self._files, ignore_errors=True)

    def stop(self) -> None:
        """End both programs; nothing happens when they have ended."""
        for name in ("kube-apiserver", "etcd"):
            self.halt(name)

    def halt(self, name: str = "kube-apiserver") -> None:
        """End one of the two programs; `restart` brings the API server back."""
        program = self._running.pop(name, None)
        if program:
            program.stop()

    def restart(self) -> None:
        """Stop the API server if it runs, and start it at the same port, with all it held."""
        self.halt()
        self._start_server()

    def log(self) -> str:
        """What the API server said."""
        path = self._files / "kube-apiserver.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def requests(self) -> list[KubeRequest]:
        """Who asked for what since the start or the last `clear`, the kit and the server itself left out, in order."""
        self._audit.settle(lambda mark: self._client.request("GET", f"/version?mark={mark}"))
        return self._audit.requests()

    def install_crds(self, without: Iterable[str] = frozenset()) -> None:
        """Serve exactly the kinds of `custom_resources.KINDS` that are not in `without`, and wait until it is so."""
        serve_exactly(self._client, [kind for kind in KINDS if kind.name not in set(without)])

    def apply(self, objects: Iterable[Mapping[str, Any]]) -> None:
        """Create or replace `objects` with their status and, before them, the namespaces that they need."""
        apply_objects(self._client, objects)

    def clear(self) -> None:
        """Leave nothing of what tests have made but the definitions of `install_crds`, and forget the requests."""
        clear_objects(self._client)
        self.requests()
        self._audit.forget()

    def service_account_token(self, namespace: str, name: str) -> str:
        """A token for the service account, which is made if it is not there."""
        account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"namespace": namespace, "name": name}}
        try:
            self._client.get("ServiceAccount", name, namespace=namespace)
        except KubeError as error:
            if error.status != 404:
                raise
            self.apply([account])
        path = f"/api/v1/namespaces/{namespace}/serviceaccounts/{name}/token"
        asked = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"expirationSeconds": 3600}}
        return str(self._client.request("POST", path, body=asked)["status"]["token"])

    def kubeconfig(self, path: Path, *, token: str | None = None, context: str = "tests") -> Path:
        """Write a kubeconfig for `token` (the administrator's, if not given) to `path`, and return that."""
        document = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": context,
            "contexts": [{"name": context, "context": {"cluster": context, "user": context}}],
            "clusters": [
                {"name": context, "cluster": {"server": self.url, "certificate-authority": str(self.ca_file)}}
            ],
            "users": [{"name": context, "user": {"token": token or self.admin_token}}],
        }
        # JSON is YAML.
        path.write_text(json.dumps(document, indent=2))
        path.chmod(0o600)
        return path

    def _write_settings(self) -> None:
        users = ((_KIT_TOKEN, _KIT_USER), (self.admin_token, _ADMIN_USER))
        lines = (f'{token},{user},{user},"system:masters"\n' for token, user in users)
        (self._files / "tokens.csv").write_text("".join(lines))
        self._audit.write_policy(self._files / "audit-policy.json")

    def _start_etcd(self) -> None:
        for port in ("etcd", "peers"):
            self._ports[port] = free_port()
        serving, peers = (f"http://127.0.0.1:{self._ports[port]}" for port in ("etcd", "peers"))
        self._launch(
            "etcd",
            "--unsafe-no-fsync",
            f"--data-dir={self._files / 'etcd'}",
            f"--listen-client-urls={serving}",
            f"--advertise-client-urls={serving}",
            f"--listen-peer-urls={peers}",
            f"--initial-advertise-peer-urls={peers}",
            f"--initial-cluster=default={peers}",
        )
        self._wait("etcd", lambda: answers(self._ports["etcd"], target="/health"))

    def _start_server(self) -> None:
        port = self._ports.setdefault("kube-apiserver", free_port())
        self._client = self.client_of(_KIT_TOKEN)
        self._launch(
            "kube-apiserver",
            f"--etcd-servers=http://127.0.0.1:{self._ports['etcd']}",
            f"--secure-port={port}",
            "--bind-address=127.0.0.1",
            "--advertise-address=127.0.0.1",
            # A Service must not point to a loopback address, and nobody here asks for one.
            "--endpoint-reconciler-type=none",
            f"--cert-dir={self._files / 'certificates'}",
            f"--tls-cert-file={self._certificate.path}",
            f"--tls-private-key-file={self._certificate.key}",
            f"--service-account-key-file={self._signer.key}",
            f"--service-account-signing-key-file={self._signer.key}",
            "--service-account-issuer=https://kubernetes.default",
            f"--token-auth-file={self._files / 'tokens.csv'}",
            "--authorization-mode=RBAC",
            "--service-cluster-ip-range=10.0.0.0/24",
            f"--disable-admission-plugins={','.join(_DISABLED)}",
            f"--audit-policy-file={self._files / 'audit-policy.json'}",
            f"--audit-log-path={self._audit.path}",
            # Connections that clients left open are no reason to wait at the end.
            "--shutdown-delay-duration=0s",
            "--request-timeout=60s",
        )
        self._wait("kube-apiserver", self._ready)

    def _launch(self, name: str, *arguments: str) -> None:
        command = [str(self._programs[name]), *arguments]
        self._running[name] = Leashed(command, log=self._files / f"{name}.log")

    def _wait(self, name: str, ready: Callable[[], bool]) -> None:
        until = time.monotonic() + _PATIENCE
        while not (self._running[name].running and ready()):
            if not self._running[name].running or time.monotonic() > until:
                log = (self._files / f"{name}.log").read_text(errors="replace")
                raise RuntimeError(f"{self._programs[name]} did not start:\n{log[-4000:]}")
            time.sleep(0.05)

    def _ready(self) -> bool:
        if not answers(self._ports["kube-apiserver"]):
            return False
        try:
            self._client.request("GET", "/readyz")
        except (KubeError, OSError):
            # requests' own errors are OSErrors.
            return False
        return True
