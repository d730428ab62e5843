# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later


"""nginx in front of a registry, as many private registries have it: body limits, and reading timeouts."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import time
import weakref
from pathlib import Path
from types import TracebackType

from .programs import find
from .servers import answers, free_port

_PATIENCE = 10
_CONFIGURATION = """\
daemon off;
master_process off;
worker_processes 1;
pid {home}/nginx.pid;
error_log {home}/error.log;
events {{ worker_connections 512; }}
http {{
    access_log {home}/access.log;
    client_body_temp_path {home}/body;
    proxy_temp_path {home}/proxy;
    fastcgi_temp_path {home}/fastcgi;
    uwsgi_temp_path {home}/uwsgi;
    scgi_temp_path {home}/scgi;
    server {{
        listen 127.0.0.1:{port};
        client_max_body_size {largest_body};
        location / {{
            proxy_pass http://{target};
            proxy_http_version 1.1;
            proxy_request_buffering off;
            proxy_buffering off;
            proxy_read_timeout {timeout}s;
            proxy_set_header Host $http_host;
        }}
    }}
}}
"""


class Nginx:
    """nginx on a free port of 127.0.0.1 before the registry at `target` (``host:port``), as a context manager.

    `largest_body` as nginx writes it (``1m``, its default; ``0`` is no limit). Raises MissingProgram.
    """

    def __init__(self, target: str, *, largest_body: str = "1m", timeout: int = 60) -> None:
        self._program = find("nginx", package="nginx-light")
        self._home = Path(tempfile.mkdtemp(prefix="dkp-nginx-"))
        weakref.finalize(self, shutil.rmtree, self._home, ignore_errors=True)
        self._settings = {"target": target, "largest_body": largest_body, "timeout": timeout, "home": self._home}
        self._process: subprocess.Popen[bytes] | None = None
        self.host = ""

    @property
    def url(self) -> str:
        return f"http://{self.host}"

    def __enter__(self) -> Nginx:
        for _unused in range(3):
            if self._started(free_port()):
                return self
        raise RuntimeError(f"nginx did not start:\n{(self._home / 'error.log').read_text()[-2000:]}")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()
        shutil.rmtree(self._home)

    def _started(self, port: int) -> bool:
        self.host = f"127.0.0.1:{port}"
        path = self._home / "nginx.conf"
        path.write_text(_CONFIGURATION.format(port=port, **self._settings))
        command = [str(self._program), "-p", str(self._home), "-e", str(self._home / "error.log"), "-c", str(path)]
        self._process = subprocess.Popen(command)
        until = time.monotonic() + _PATIENCE
        while time.monotonic() < until and self._process.poll() is None:
            if answers(port):
                return True
            time.sleep(0.02)
        self._stop()
        return False

    def _stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(10)
            self._process = None
