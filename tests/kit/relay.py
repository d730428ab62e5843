# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later


"""What listens on this machine, shown at the same address inside a namespace: the way of one host to one server."""

from __future__ import annotations

import socket
import threading

from .namespaces import listening

_CHUNK = 1 << 16


class Relay:
    """127.0.0.1:`port` inside `namespace` is 127.0.0.1:`port` here, until `stop`. URLs and certificates stay right."""

    def __init__(self, namespace: str, port: int) -> None:
        self._port = port
        self._server = listening(namespace, "127.0.0.1", port)
        self._open: set[socket.socket] = set()
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Nobody listens any more, and what is open ends."""
        # Closing alone does not wake up who accepts.
        self._server.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._server.close()
        for connection in list(self._open):
            _end(connection)

    def _accept(self) -> None:
        while True:
            try:
                inside, _unused = self._server.accept()
            except OSError:
                return
            try:
                outside = socket.create_connection(("127.0.0.1", self._port))
            except OSError:
                # The server is down; that is what the other side gets to see.
                inside.close()
                continue
            self._open |= {inside, outside}
            for source, target in ((inside, outside), (outside, inside)):
                threading.Thread(target=self._pump, args=(source, target), daemon=True).start()

    def _pump(self, source: socket.socket, target: socket.socket) -> None:
        try:
            while True:
                received = source.recv(_CHUNK)
                if not received:
                    break
                target.sendall(received)
            target.shutdown(socket.SHUT_WR)
        except OSError:
            # One of the two is gone; then both are.
            _end(source)
            _end(target)
        finally:
            self._open.discard(source)


def _end(connection: socket.socket) -> None:
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        # It has ended by itself.
        return
