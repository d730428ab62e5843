# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The connections below urllib3's pools: sending that notices stalls and early answers, and forbidden peers.

Only transport.py uses this; the classes are made there because their bases exist only where requests does.
"""

from __future__ import annotations

import select
import socket
import ssl
import threading
import weakref
from collections.abc import Callable
from typing import Any

from .locations import is_forbidden_address
from .stopping import Stopping


class ForbiddenPeer(Exception):
    """A name led to a link-local address: never talked to (a redirect or realm may not reach metadata services)."""


class OpenSockets:
    """The sockets of all connections, to end what waits for an answer when the run is to stop. Thread-safe.

    A thread in `recv` hears nothing else before its time-out; a socket that is shut down reads as ended.
    """

    def __init__(self, stopping: Stopping) -> None:
        self._lock = threading.Lock()
        self._sockets: weakref.WeakSet[Any] = weakref.WeakSet()
        self._stopping = stopping
        stopping.on_set(self._shut_down)

    def add(self, sock: Any) -> None:
        """`sock` was opened; one that comes too late ends at once."""
        with self._lock:
            self._sockets.add(sock)
        if self._stopping.is_set():
            self._shut_down()

    def _shut_down(self) -> None:
        with self._lock:
            sockets = list(self._sockets)
        for sock in sockets:
            plain = getattr(sock, "socket", sock)  # TLS to a proxy wraps the socket once more
            try:
                # not SSLSocket's own method: that would take its state away from the thread that reads
                socket.socket.shutdown(plain, socket.SHUT_RDWR)
            except (OSError, TypeError):
                continue  # it is closed already


class Connection:
    """What our connections do beyond those of urllib3; mixed in before its HTTPConnection and HTTPSConnection.

    `stall` is seconds without progress while a body is sent; `guarded` is set for hosts the user did not name.
    """

    stall = 60.0
    guarded = False
    opened: Callable[[Any], None]
    """Told of every socket."""
    sock: Any
    proxy: Any

    def _new_conn(self) -> socket.socket:
        sock: socket.socket = super()._new_conn()  # type: ignore[misc]
        if self.guarded and not self.proxy and is_forbidden_address(sock.getpeername()[0]):
            host = sock.getpeername()[0]
            sock.close()
            raise ForbiddenPeer(host)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        self.opened(sock)
        return sock

    def connect(self) -> None:
        """As usual; what TLS made of the socket is another one."""
        super().connect()  # type: ignore[misc]
        self.opened(self.sock)

    def send(self, data: Any) -> None:
        """Send one piece. A memoryview is part of a body: each write that moves anything restarts the clock.

        A server that answers before it has the whole body (413, 401) often stops reading; sending on would
        end in a reset and lose the answer. BrokenPipeError makes urllib3 read the answer instead.
        """
        if not isinstance(data, memoryview):
            super().send(data)  # type: ignore[misc]
            return
        sock = self.sock
        if sock.gettimeout() != self.stall:
            sock.settimeout(self.stall)
        if not isinstance(sock, ssl.SSLSocket) and _has_answer(sock):
            raise BrokenPipeError("the other side answered before it had the whole body")
        try:
            while data:
                data = data[sock.send(data) :]
        except ConnectionResetError as error:
            raise BrokenPipeError(*error.args) from error


def _has_answer(sock: socket.socket) -> bool:
    """Whether there is something to read (not asked of TLS sockets: session tickets look the same)."""
    poll = select.poll()
    poll.register(sock, select.POLLIN)
    return bool(poll.poll(0))
