# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later


"""Real registries on 127.0.0.1: Distribution 2.8 and 3 in the variants that users run.

>>> with Server(tmp_path / "storage", version=2, delete=True) as server:
...     requests.get(f"{server.url}/v2/")
...     server.count("GET", r"/blobs/")
"""

from __future__ import annotations

import http.client
import json
import os
import re
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
import time
import weakref
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from .certificates import Certificate
from .programs import ensure_registry, find_registry
from .token_server import TokenServer

USERNAME = "puller"
PASSWORD = "correct-horse-puller"
LICENSE_TOKEN = "correct-horse-licence"
_HTPASSWD = """\
puller:$2y$04$Nztk5tWmMgXC2j4PCEc2Ve.IuthdYSNPY2RlFPbxDr03o.TGOXVi6
license-token:$2y$04$6Sz9N86GRFp8zpH2lEt4leHe2zqbDFWv0p.X1r/wGY5fc1v/1umoW
"""
"""The users above with bcrypt at its lowest cost: a registry checks the hash at every request."""
_PATIENCE = 15
_ACCESS = re.compile(
    r'^\S+ \S+ \S+ \[[^]]*\] "(?P<method>[A-Z]+) (?P<target>\S+) [^"]*" (?P<status>\d+) (?P<size>\d+|-)'
)


@dataclass(frozen=True)
class Access:
    """One line of the access log; `target` is path and query, `size` the bytes of the answer's body."""

    method: str
    target: str
    status: int
    size: int


class Server:
    """A Distribution registry over the directory `storage`, as a context manager.

    `version` 2 or 3; `htpasswd` asks for `USERNAME`/`PASSWORD` (or ``license-token``/`LICENSE_TOKEN`), `token` for a
    token of that server; `certificate` makes it HTTPS, `client_ca` asks for client certificates; `read_only` refuses
    writing with 405. It listens at `address`, which may be one inside a network `namespace` (`hosts.Host`).
    Raises MissingProgram when the registry's program is not there, RuntimeError with its log when it does not start.
    """

    def __init__(
        self,
        storage: Path,
        *,
        version: int = 3,
        htpasswd: bool = False,
        token: TokenServer | None = None,
        certificate: Certificate | None = None,
        client_ca: Path | None = None,
        delete: bool = False,
        read_only: bool = False,
        access_log: bool = True,
        port: int = 0,
        address: str = "127.0.0.1",
        namespace: str = "",
    ) -> None:
        self.storage = storage
        self.address = address
        self._inside = ["ip", "netns", "exec", namespace] if namespace else []
        self.scheme = "https" if certificate else "http"
        self._program = find_registry(version)
        self._port = port
        self._fixed_port = bool(port)
        self._certificate, self._client_ca = certificate, client_ca
        self._files = Path(tempfile.mkdtemp(prefix="dkp-registry-"))
        weakref.finalize(self, shutil.rmtree, self._files, ignore_errors=True)
        self._process: subprocess.Popen[bytes] | None = None
        self._probes = 0
        self._left: dict[str, str] = {}
        """The logs after the end; the files are gone then."""
        self._configuration: dict[str, Any] = {
            "version": "0.1",
            "log": {"level": "warn", "accesslog": {"disabled": not access_log}},
            "storage": {
                "filesystem": {"rootdirectory": str(storage)},
                "delete": {"enabled": delete},
                "maintenance": {"uploadpurging": {"enabled": False}, "readonly": {"enabled": read_only}},
            },
        }
        if htpasswd:
            self._configuration["auth"] = {"htpasswd": {"realm": "tests", "path": str(self._files / "htpasswd")}}
        if token:
            self._configuration["auth"] = {"token": dict(token.registry_settings())}

    @property
    def host(self) -> str:
        """``127.0.0.1:<port>``, what stands before the first slash of ``images_repo``."""
        return f"{self.address}:{self._port}"

    @property
    def url(self) -> str:
        return f"{self.scheme}://{self.host}"

    def __enter__(self) -> Server:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        self._left = {name: self._said(name) for name in ("stdout", "stderr")}
        shutil.rmtree(self._files)
        if error is not None:
            print(f"log of the registry {self.url}:\n{self.log()[-4000:]}", file=sys.stderr)

    def start(self) -> None:
        """Start it (again, at the same port: what it holds is on disk) and wait until it answers."""
        for _unused in range(5):
            if not self._port:
                self._port = free_port()
            self._launch()
            if self._wait():
                self._fixed_port = True
                return
            self.stop()
            if self._fixed_port or "address already in use" not in self.log():
                break
            self._port = 0
        raise RuntimeError(f"{self._program} did not start:\n{self.log()[-4000:]}")

    def stop(self) -> None:
        """End the process (SIGTERM, after some seconds SIGKILL); nothing happens when it has ended."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None

    def restart(self, **storage_settings: Mapping[str, Any]) -> None:
        """Stop, change settings below ``storage`` (``maintenance={"readonly": {"enabled": True}}``), start."""
        self.stop()
        self._configuration["storage"].update(storage_settings)
        self.start()

    def log(self) -> str:
        """What the registry said on its error channel."""
        return self._said("stderr")

    def accesses(self) -> list[Access]:
        """Every request answered so far, over all starts, in order; the kit's own probes left out."""
        self._settle()
        lines = (_ACCESS.match(line) for line in self._said("stdout").splitlines())
        return [
            Access(line["method"], line["target"], int(line["status"]), int(line["size"].replace("-", "0")))
            for line in lines
            if line and "?probe" not in line["target"]
        ]

    def count(self, method: str = "", path: str = "") -> int:
        """How many requests had this `method` (``""``: any) and a target in which the expression `path` is found."""
        return sum(
            1
            for access in self.accesses()
            if access.method == (method or access.method) and re.search(path, access.target)
        )

    def _said(self, name: str) -> str:
        path = self._files / name
        return path.read_text(errors="replace") if path.exists() else self._left.get(name, "")

    def _settle(self) -> None:
        """Wait for the line of one more request: lines are written behind the answers they tell of."""
        if self._process is None or self._client_ca or self._configuration["log"]["accesslog"]["disabled"]:
            return
        self._probes += 1
        if self._answers(f"/v2/?probe={self._probes}"):
            until = time.monotonic() + 1
            output = self._files / "stdout"
            while time.monotonic() < until and f"?probe={self._probes} ".encode() not in output.read_bytes()[-4096:]:
                time.sleep(0.005)

    def _launch(self) -> None:
        settings: dict[str, Any] = {"addr": self.host, "secret": "the same after every start"}
        if self._certificate:
            settings["tls"] = {"certificate": str(self._certificate.path), "key": str(self._certificate.key)}
            if self._client_ca:
                settings["tls"]["clientcas"] = [str(self._client_ca)]
        self._files.mkdir(exist_ok=True)
        (self._files / "htpasswd").write_text(_HTPASSWD)
        path = self._files / "config.yml"
        path.write_text(json.dumps({**self._configuration, "http": settings}))
        environment = {**os.environ, "OTEL_TRACES_EXPORTER": "none"}
        with open(self._files / "stdout", "ab") as output, open(self._files / "stderr", "ab") as errors:
            command = [*self._inside, str(self._program), "serve", str(path)]
            self._process = subprocess.Popen(command, stdout=output, stderr=errors, env=environment)

    def _wait(self) -> bool:
        """Whether the process came up; false as soon as it has ended."""
        until = time.monotonic() + _PATIENCE
        while time.monotonic() < until and self._process is not None and self._process.poll() is None:
            if self._answers():
                return True
            time.sleep(0.02)
        return False

    def _answers(self, target: str = "/v2/?probe=0") -> bool:
        if self._client_ca:
            return answers(self._port, address=self.address)
        context = ssl._create_unverified_context() if self._certificate else None
        return answers(self._port, target=target, context=context, address=self.address)


def answers(port: int, *, target: str = "", context: ssl.SSLContext | None = None, address: str = "127.0.0.1") -> bool:
    """Whether something at `port` takes connections and, with a `target`, serves it or asks for credentials."""
    try:
        if not target:
            socket.create_connection((address, port), timeout=2).close()
            return True
        connection = (
            http.client.HTTPSConnection(address, port, timeout=2, context=context)
            if context
            else http.client.HTTPConnection(address, port, timeout=2)
        )
        try:
            connection.request("GET", target)
            return connection.getresponse().status in (200, 401)
        finally:
            connection.close()
    except (OSError, http.client.HTTPException):
        return False


def free_port() -> int:
    """A port of 127.0.0.1 that nobody uses at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


if __name__ == "__main__":
    if sys.argv[1:] != ["--ensure"]:
        sys.exit("usage: python -m ansible_collections.dkp.airgap.tests.kit.servers --ensure")
    print(ensure_registry())
