# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later


"""Network namespaces with veth pairs between them, for hosts that really cannot reach each other.

Run as a program, this file is the keeper: when its standard input ends, it ends what runs in the namespaces of its
prefix and removes them and their directory. So nothing is left of a test that was killed either.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

_NAMED = Path("/run/netns")
_BLOCKS = 512
"""Of 256 addresses, in 198.18.0.0/15, which is for tests of networks and nothing else."""
_CLONE_NEWNET = 0x40000000
_PATIENCE = 10


class Block:
    """A block of addresses, and a prefix for names, that no other process of this machine uses."""

    def __init__(self) -> None:
        self._taken = 0
        for number in range(_BLOCKS):
            path = Path(tempfile.gettempdir()) / f"dkp-airgap-network-{number}.lock"
            lock = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(lock)
                continue
            self.lock = lock
            self.number = number
            return
        raise RuntimeError(f"all {_BLOCKS} blocks of addresses are in use")

    @property
    def prefix(self) -> str:
        return f"dkp{self.number}-"

    def address(self) -> str:
        """The next free one."""
        self._taken += 1
        return f"198.{18 + self.number // 256}.{self.number % 256}.{self._taken}"


def ip(*arguments: str, namespace: str = "") -> None:
    """Run iproute2; raises RuntimeError with what it said."""
    command = ["ip", *(["-n", namespace] if namespace else []), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip()}")


def make_namespace(name: str, address: str) -> None:
    """A namespace that has `address` and no way to anywhere."""
    ip("netns", "add", name)
    ip("link", "set", "lo", "up", namespace=name)
    ip("address", "add", f"{address}/32", "dev", "lo", namespace=name)


class Cable:
    """A veth pair between two ends, each a namespace (``""`` is that of the tests) and its address."""

    def __init__(self, name: str, first: tuple[str, str], second: tuple[str, str]) -> None:
        self._ends = ((f"{name}a", *first), (f"{name}b", *second))
        (device, namespace, _unused), (other_device, other_namespace, _unused) = self._ends
        peer = ["peer", "name", other_device, *(["netns", other_namespace] if other_namespace else [])]
        ip("link", "add", device, "type", "veth", *peer, namespace=namespace)
        for at, inside, address in self._ends:
            if not inside:
                ip("address", "add", f"{address}/32", "dev", at)
        self.plug()

    def plug(self) -> None:
        """Both ends up, with the one route there is."""
        for device, namespace, _unused in self._ends:
            ip("link", "set", device, "up", namespace=namespace)
        for (device, namespace, own), (_unused, _unused2, peer) in (self._ends, self._ends[::-1]):
            ip("route", "replace", f"{peer}/32", "dev", device, "src", own, namespace=namespace)

    def pull(self, namespace: str) -> None:
        """As if it were pulled out at this end: the other one only sees that nothing comes."""
        for device, inside, _unused in self._ends:
            if inside == namespace:
                ip("link", "set", device, "down", namespace=namespace)


def listening(namespace: str, address: str, port: int) -> socket.socket:
    """A socket that listens inside `namespace`; sockets stay where they were made, threads need not."""
    made: list[socket.socket | Exception] = []

    def make() -> None:
        try:
            with open(_NAMED / namespace) as handle:
                if ctypes.CDLL(None, use_errno=True).setns(handle.fileno(), _CLONE_NEWNET):
                    number = ctypes.get_errno()
                    raise OSError(number, f"setns {namespace}: {os.strerror(number)}")
            made.append(socket.create_server((address, port)))
        except Exception as error:
            made.append(error)

    # The thread ends inside the namespace, and nothing else ever runs in it.
    thread = threading.Thread(target=make)
    thread.start()
    thread.join()
    if isinstance(made[0], Exception):
        raise made[0]
    return made[0]


def processes_in(namespace: str) -> Iterator[int]:
    """The processes of a namespace."""
    inode = (_NAMED / namespace).stat().st_ino
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                found = (entry / "ns/net").stat().st_ino
            except OSError:
                # It has ended meanwhile.
                continue
            if found == inode:
                yield int(entry.name)


def end_processes(namespace: str, chosen: Callable[[int], bool] = lambda _unused: True) -> None:
    """Kill all of the `chosen` that run in a namespace, and what those start meanwhile."""
    until = time.monotonic() + _PATIENCE
    while time.monotonic() < until:
        left = set(filter(chosen, processes_in(namespace)))
        if not left:
            return
        for process in left:
            try:
                os.kill(process, signal.SIGKILL)
            except ProcessLookupError:
                continue
        time.sleep(0.01)
    raise RuntimeError(f"{namespace}: processes that do not end: {left}")


class Keeper:
    """The process that cleans up after this one, however this one ends."""

    def __init__(self, block: Block, directory: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, __file__, block.prefix, str(directory)],
            stdin=subprocess.PIPE,
            # What is being cleaned up is not free yet.
            pass_fds=[block.lock],
            start_new_session=True,
        )

    def clean(self) -> None:
        """Clean up now; raises RuntimeError if that fails."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        if self._process.wait():
            raise RuntimeError("the namespaces could not be removed")


def _clean(prefix: str, directory: Path) -> None:
    # The kernel would take its time with those whose other end is in a namespace.
    for device in Path("/sys/class/net").iterdir():
        if device.name.startswith(prefix):
            ip("link", "delete", device.name)
    names = [path.name for path in _NAMED.iterdir()] if _NAMED.exists() else []
    for name in names:
        if name.startswith(prefix):
            end_processes(name)
            ip("netns", "delete", name)
    shutil.rmtree(directory, ignore_errors=True)


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    while os.read(0, 1):
        pass
    _clean(sys.argv[1], Path(sys.argv[2]))
