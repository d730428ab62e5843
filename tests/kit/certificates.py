# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later


"""A certification authority for tests, made with the openssl program."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

from .programs import find

_DAYS = "30"


@dataclass(frozen=True)
class Certificate:
    """Files of a certificate and of its key, both PEM."""

    path: Path
    key: Path


class Authority:
    """An own CA in `directory`; what it issues is good for 127.0.0.1, localhost and as a client certificate."""

    def __init__(self, directory: Path, *, name: str = "dkp.airgap tests' authority") -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self._directory = directory
        self._openssl = str(find("openssl", package="openssl"))
        self.certificate = Certificate(directory / "ca.pem", directory / "ca.key")
        self._run("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", _DAYS, "-subj", f"/CN={name}",
                  "-addext", "keyUsage=critical,keyCertSign,cRLSign", "-addext", "basicConstraints=critical,CA:TRUE",
                  "-keyout", str(self.certificate.key), "-out", str(self.certificate.path))  # fmt: skip

    @property
    def path(self) -> Path:
        """What clients take as their ``ca_path``."""
        return self.certificate.path

    def issue(self, name: str, *, days: str = _DAYS, hosts: str = "IP:127.0.0.1,DNS:localhost") -> Certificate:
        """A certificate for `hosts` (as openssl writes alternative names)."""
        issued = Certificate(self._directory / f"{name}.pem", self._directory / f"{name}.key")
        request, extensions = self._directory / f"{name}.csr", self._directory / f"{name}.ext"
        extensions.write_text(
            f"subjectAltName={hosts}\nkeyUsage=digitalSignature,keyEncipherment\nextendedKeyUsage=serverAuth,clientAuth\n"
        )
        self._run("req", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={name}",
                  "-keyout", str(issued.key), "-out", str(request))  # fmt: skip
        self._run("x509", "-req", "-in", str(request), "-CA", str(self.path), "-CAkey", str(self.certificate.key),
                  "-CAcreateserial", "-days", days, "-extfile", str(extensions), "-out", str(issued.path))  # fmt: skip
        return issued

    def _run(self, *arguments: str) -> None:
        subprocess.run([self._openssl, *arguments], check=True, capture_output=True)
