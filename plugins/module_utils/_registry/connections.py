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
from typing import Any

from .locations import is_forbidden_address


class ForbiddenPeer(Exception):
    """A name led to a link-local address: never talked to (a redirect or realm may not reach metadata services)."""


class Connection:
    """What our connections do beyond those of urllib3; mixed in before its HTTPConnection and HTTPSConnection.

    `stall` is seconds without progress while a body is sent; `guarded` is set for hosts the user did not name.
    """

    stall = 60.0
    guarded = False
    sock: Any
    proxy: Any

    def _new_conn(self) -> socket.socket:
        sock: socket.socket = super()._new_conn()  # type: ignore[misc]
        if self.guarded and not self.proxy and is_forbidden_address(sock.getpeername()[0]):
            host = sock.getpeername()[0]
            sock.close()
            raise ForbiddenPeer(host)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        return sock

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
