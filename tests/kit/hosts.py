# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later


"""Hosts to which Ansible goes by SSH, on this machine: each with its own network, sshd, home and view of the disk.

>>> with Network() as network:
...     outside, inside = network.host("outside"), network.host("inside")
...     network.connect("outside", "inside")     # otherwise they cannot reach each other
...     ansible = Ansible(tmp_path, python=target, network=network)
...     inside.link_down()

Ansible itself runs on a host of its own, `network.controller`, which reaches the others and nothing else. The tests,
in the network they have always been in, reach every host. Needs root.
"""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from .namespaces import Block, Cable, Keeper, end_processes, make_namespace
from .programs import MissingProgram, find
from .relay import Relay

_PATIENCE = 10
_CONNECT_TIMEOUT = 3
_PROGRAMS = "/usr/bin"
# Of the hosts' directories its own one alone; then wait for ever, so that there is something to enter.
_HOLD = """
set -e
mount --make-rprivate /
mount --bind "$OWN" "$ASIDE"
mount -t tmpfs -o mode=755 none "$ALL"
mkdir "$OWN"
mount --move "$ASIDE" "$OWN"
echo ready
exec sleep infinity
"""


class Host:
    """One host. `directory` is its own and looks the same from everywhere, except that other hosts do not see it."""

    def __init__(self, network: Network, name: str, *, python: str) -> None:
        self.name = name
        self.namespace = network.block.prefix + name
        self.address = network.block.address()
        self.directory = network.directory / "hosts" / name
        self.home = self.directory / "home"
        self._network, self._python = network, python
        self._relays: list[Relay] = []
        self._cables: list[Cable] = []
        self.home.mkdir(parents=True)
        (self.directory / "tmp").mkdir()
        make_namespace(self.namespace, self.address)
        self._holder = self._hold()
        self._sshd: subprocess.Popen[bytes] | None = None

    @property
    def variables(self) -> dict[str, Any]:
        """How Ansible gets there."""
        options = {
            "UserKnownHostsFile": self._network.known_hosts,
            "StrictHostKeyChecking": "yes",
            "IdentitiesOnly": "yes",
            "ConnectTimeout": _CONNECT_TIMEOUT,
            # A pulled cable is noticed.
            "ServerAliveInterval": 1,
            "ServerAliveCountMax": 3,
        }
        return {
            "ansible_connection": "ssh",
            "ansible_host": self.address,
            "ansible_user": "root",
            "ansible_ssh_private_key_file": str(self._network.key),
            "ansible_ssh_common_args": " ".join(["-F none", *(f"-o {key}={value}" for key, value in options.items())]),
            "ansible_python_interpreter": self._python,
        }

    @property
    def environment(self) -> dict[str, str]:
        """What those who log in have."""
        own = {"HOME": self.home, "TMPDIR": self.directory / "tmp", "XDG_STATE_HOME": self.home / "state"}
        return {name: str(value) for name, value in own.items()}

    def command(self, *arguments: str) -> list[str]:
        """`arguments` as a command that runs on this host, for whoever starts it here."""
        return ["nsenter", f"--target={self._holder.pid}", "--net", "--mount", "--wd=/", "--", *arguments]

    def run(self, command: Sequence[str], *, timeout: float = 60, check: bool = True) -> str:
        """What `command` prints on this host; raises CalledProcessError if it fails and `check`."""
        done = subprocess.run(
            self.command(*command),
            env={**os.environ, **self.environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=timeout,
            check=False,
        )
        if check and done.returncode:
            raise subprocess.CalledProcessError(done.returncode, list(command), done.stdout)
        return done.stdout

    def reaches(self, address: str, port: int) -> bool:
        """Whether something at `address` takes connections from this host."""
        script = f"import socket; socket.create_connection(({address!r}, {port}), 1)"
        try:
            self.run([sys.executable, "-c", script])
        except subprocess.CalledProcessError:
            return False
        return True

    def seen(self, path: Path) -> Path:
        """`path` as it is on this host, for the tests: disks of its own are there too."""
        return Path(f"/proc/{self._holder.pid}/root{path}")

    def small_disk(self, path: Path, size: str) -> Path:
        """A file system of `size` (as mount has it, ``4m``) at `path`; another one there is replaced."""
        self.run(["mkdir", "-p", str(path)])
        self.run(["umount", "-q", str(path)], check=False)
        self.run(["mount", "-t", "tmpfs", "-o", f"size={size},mode=755", "none", str(path)])
        return path

    def hide(self, program: str) -> None:
        """`program` is not installed on this host any more; nothing happens where it never was."""
        links = self.directory / "links"
        if not links.exists():
            # A directory of links in the place of the real one, from which links can be taken away.
            real = self.directory / "programs"
            for made in (real, links):
                made.mkdir()
            for name in os.listdir(_PROGRAMS):
                (links / name).symlink_to(real / name)
            self.run(["mount", "--bind", _PROGRAMS, str(real)])
            self.run(["mount", "--bind", str(links), _PROGRAMS])
        (links / program).unlink(missing_ok=True)

    def sees(self, port: int) -> Relay:
        """Let this host reach what listens at 127.0.0.1:`port` on this machine, at just that address."""
        relay = Relay(self.namespace, port)
        self._relays.append(relay)
        return relay

    def link_down(self) -> None:
        """Pull all its cables; whoever talks to it hears nothing any more."""
        for cable in self._cables:
            cable.pull(self.namespace)

    def link_up(self) -> None:
        """Put them back."""
        for cable in self._cables:
            cable.plug()

    def plug(self, cable: Cable) -> None:
        self._cables.append(cable)

    def kill_sessions(self) -> None:
        """End at once all that runs on it because somebody has logged in."""
        end_processes(self.namespace, _is_of_session)

    def stop(self) -> None:
        """End everything of it that is of this process."""
        for relay in self._relays:
            relay.stop()
        for process in (self._sshd, self._holder):
            if process:
                process.kill()
                process.wait()

    def listen(self) -> None:
        """Start sshd, and wait until it answers."""
        key = self.directory / "host_key"
        _generate(key)
        name, value = (self.directory / "host_key.pub").read_text().split()[:2]
        with open(self._network.known_hosts, "a") as known:
            known.write(f"{self.address} {name} {value}\n")
        told = " ".join(f"{name}={value}" for name, value in self.environment.items())
        settings = f"""\
ListenAddress {self.address}
HostKey {key}
AuthorizedKeysFile {self._network.key}.pub
PermitRootLogin prohibit-password
AuthenticationMethods publickey
UsePAM no
UseDNS no
StrictModes no
PidFile none
MaxSessions 100
MaxStartups 100
Subsystem sftp internal-sftp
SetEnv {told}
"""
        path, log = self.directory / "sshd_config", self.directory / "sshd.log"
        path.write_text(settings)
        Path("/run/sshd").mkdir(exist_ok=True)
        program = str(find("sshd", package="openssh-server"))
        with open(log, "wb") as output:
            command = self.command(program, "-D", "-e", "-f", str(path))
            self._sshd = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
        _wait(lambda: _answers(self.address), what=f"sshd of {self.name}", log=log)

    def _hold(self) -> subprocess.Popen[bytes]:
        script = ["ip", "netns", "exec", self.namespace, "sh", "-c", _HOLD]
        aside = str(self._network.directory / "aside")
        places = {"OWN": str(self.directory), "ALL": str(self.directory.parent), "ASIDE": aside}
        holder = subprocess.Popen(
            script, env={**os.environ, **places}, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE
        )
        assert holder.stdout is not None
        if holder.stdout.readline() != b"ready\n":
            raise RuntimeError(f"the mounts of {self.name} could not be made")
        holder.stdout.close()
        return holder


class Network:
    """Hosts, and the cables between them, as a context manager; raises MissingProgram where it cannot be."""

    def __init__(self, *, python: str = sys.executable) -> None:
        for program, package in (("ip", "iproute2"), ("sshd", "openssh-server"), ("nsenter", "util-linux")):
            find(program, package=package)
        if os.geteuid():
            raise MissingProgram("network namespaces are made by root only")
        probe = ["unshare", "--net", "--mount", "true"]
        if subprocess.run(probe, capture_output=True, check=False).returncode:
            raise MissingProgram("root may not make network namespaces here")
        self._python = python
        self.block = Block()
        self.directory = Path(tempfile.mkdtemp(prefix="dkp-network-"))
        self.key = self.directory / "key"
        self.known_hosts = self.directory / "known_hosts"
        self.hosts: dict[str, Host] = {}
        self._cables = 0
        self._address = self.block.address()
        """Of the tests themselves."""
        self._keeper: Keeper | None = None

    def __enter__(self) -> Network:
        self._keeper = Keeper(self.block, self.directory)
        try:
            for name in ("hosts", "aside"):
                (self.directory / name).mkdir()
            _generate(self.key)
            self.controller = self._host("controller")
        except BaseException:
            self._keeper.clean()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for host in (*self.hosts.values(), self.controller):
            host.stop()
        assert self._keeper is not None
        self._keeper.clean()
        os.close(self.block.lock)

    def host(self, name: str, *, ssh: bool = True, controller: Host | None = None) -> Host:
        """A new host, which only the tests reach and, with `ssh`, the controller, or another one if it is given."""
        made = self._host(name)
        self.hosts[name] = made
        if ssh:
            self._join(controller or self.controller, made)
            made.listen()
        return made

    def connect(self, first: str, second: str) -> None:
        """A network path between two hosts."""
        self._join(self.hosts[first], self.hosts[second])

    def _host(self, name: str) -> Host:
        made = Host(self, name, python=self._python)
        self._lay(("", self._address), made)
        return made

    def _join(self, first: Host, second: Host) -> None:
        first.plug(self._lay((first.namespace, first.address), second))

    def _lay(self, start: tuple[str, str], host: Host) -> Cable:
        self._cables += 1
        cable = Cable(f"{self.block.prefix}{self._cables}", start, (host.namespace, host.address))
        host.plug(cable)
        return cable


def _generate(key: Path) -> None:
    program = str(find("ssh-keygen", package="openssh-client"))
    subprocess.run([program, "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)


def _is_of_session(process: int) -> bool:
    try:
        directory = Path("/proc", str(process))
        of_sshd = (directory / "cmdline").read_bytes().startswith(b"sshd: root")
        return of_sshd or b"\0SSH_CONNECTION=" in b"\0" + (directory / "environ").read_bytes()
    except OSError:
        # It has ended meanwhile.
        return False


def _answers(address: str) -> bool:
    with contextlib.suppress(OSError), socket.create_connection((address, 22), timeout=1) as connection:
        return connection.recv(4) == b"SSH-"
    return False


def _wait(ready: Callable[[], bool], *, what: str, log: Path) -> None:
    until = time.monotonic() + _PATIENCE
    while not ready():
        if time.monotonic() > until:
            raise RuntimeError(f"{what} did not start:\n{log.read_text(errors='replace')}")
        time.sleep(0.02)
