# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later


"""HTTP/1.1 on a socket of 127.0.0.1, with the means to break it: cut bodies, resets, wrong lengths."""

from __future__ import annotations

import contextlib
import fcntl
import http.client
import os
import socket
import ssl
import struct
import sys
import termios
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Protocol

from .content import Bytes
from .faults import CLOSE, RESET, Action, Answer, Cut, Request

_LINGER = 5
"""Seconds for which the rest of a request's body is thrown away behind an early answer, as nginx does."""
_SECRETS = frozenset({"authorization", "proxy-authorization", "cookie"})


@dataclass
class Exchange:
    """One request and what came of it, without secrets; it is filled in while it goes on."""

    host: str
    """The name of the listener."""
    method: str
    target: str
    headers: Mapping[str, str] = field(repr=False)
    """Lower-case names; of Authorization and Cookie only the first word is kept."""
    started: float
    """Monotonic seconds, as `ended`."""
    status: int = 0
    """Of the answer; 0 as long as there is none."""
    received: int = 0
    """Bytes of the request's body that were read."""
    sent: int = 0
    """Bytes of the answer's body that were given to the socket."""
    ended: float | None = None


class Service(Protocol):
    """What answers the requests of a listener."""

    def action_for(self, head: Request) -> Action:
        """What goes wrong with this request; `head` has no body yet."""

    def respond(self, request: Request) -> Answer:
        """Answer `request`."""

    def record(self, exchange: Exchange) -> None:
        """Called once, when the request has arrived."""


class Listener:
    """Serves `service` under `name` on a free port, in threads; `start` and `stop` it."""

    def __init__(self, name: str, service: Service, *, context: ssl.SSLContext | None = None) -> None:
        self.closing = threading.Event()
        self._server = _Server(("127.0.0.1", 0), _handler_of(name, service, self.closing))
        self.scheme = "https" if context else "http"
        self.host = f"127.0.0.1:{self._server.server_port}"
        self.url = f"{self.scheme}://{self.host}"
        if context:
            # The handshake happens in the connection's own thread: a client that is slow with it holds up nobody.
            self._server.socket = context.wrap_socket(
                self._server.socket, server_side=True, do_handshake_on_connect=False
            )
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Refuse new connections, end those that stall and those that are idle."""
        self.closing.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    request_queue_size = 128
    daemon_threads = True
    block_on_close = False

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that go away are part of the tests; anything else is an error of the kit and shows."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)


def _handler_of(name: str, service: Service, closing: threading.Event) -> type[BaseHTTPRequestHandler]:
    class Handler(_Handler):
        listener, answering, ending = name, service, closing

    return Handler


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    timeout = 120
    listener: str
    answering: Service
    ending: threading.Event

    def handle_request(self) -> None:
        head = Request(self.command, self.path, {name.lower(): value for name, value in self.headers.items()})
        exchange = Exchange(self.listener, head.method, head.target, _without_secrets(head.headers), time.monotonic())
        self.answering.record(exchange)
        try:
            self._handle(head, exchange)
        except OSError:
            self.close_connection = True
        finally:
            exchange.ended = time.monotonic()

    do_GET = do_HEAD = do_PUT = do_POST = do_PATCH = do_DELETE = handle_request

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Silence: the service's record is the log."""

    def _handle(self, head: Request, exchange: Exchange) -> None:
        action = self.answering.action_for(head)
        length = int(head.headers.get("content-length", "0"))
        if action.silent_for:
            self.close_connection = True
            self.ending.wait(action.silent_for)
        elif action.answers_early:
            self._answer_early(head, action, exchange)
        elif action.reads_body_until is not None:
            exchange.received = len(self.rfile.read(min(length, action.reads_body_until)))
            self._reset()
        elif "transfer-encoding" in head.headers:
            self._send(head, Answer(411, closes=True), exchange)
        else:
            body = self.rfile.read(length)
            exchange.received = len(body)
            changed = action.on_request(replace(head, body=body))
            answer = changed if isinstance(changed, Answer) else self.answering.respond(changed)
            self._send(head, action.on_answer(answer), exchange)

    def _answer_early(self, head: Request, action: Action, exchange: Exchange) -> None:
        changed = action.on_request(head)
        answer = changed if isinstance(changed, Answer) else Answer(500)
        self._send(head, replace(answer, closes=True), exchange)
        self.connection.shutdown(socket.SHUT_WR)
        self.connection.settimeout(0.5)
        until = time.monotonic() + _LINGER
        while time.monotonic() < until and self.connection.recv(1 << 18):
            pass

    def _send(self, head: Request, answer: Answer, exchange: Exchange) -> None:
        cut = answer.cut
        if answer.closes or cut:
            self.close_connection = True
        exchange.status = answer.status
        self.wfile.write(_head_bytes(answer, closes=self.close_connection))
        if head.method != "HEAD" and answer.status not in (204, 304):
            limit = answer.body.size if cut is None else min(cut.after, answer.body.size)
            for chunk in _paced(answer.body.chunks(0, limit), answer.pace):
                exchange.sent += len(chunk)
                self.wfile.write(_framed(chunk) if answer.chunked else chunk)
            if answer.chunked and cut is None:
                self.wfile.write(b"0\r\n\r\n")
        if cut:
            self._end(cut)

    def _end(self, cut: Cut) -> None:
        if cut.how == RESET:
            self._reset()
        elif cut.how != CLOSE:
            self.ending.wait(cut.seconds)

    def _reset(self) -> None:
        """Send RST once everything written has been taken by the other side: what was sent is received."""
        self.close_connection = True
        until = time.monotonic() + 2
        with contextlib.suppress(OSError):
            while time.monotonic() < until and _unsent(self.connection):
                time.sleep(0.002)
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            os.close(self.connection.detach())


def _without_secrets(headers: Mapping[str, str]) -> dict[str, str]:
    return {name: value.partition(" ")[0] if name in _SECRETS else value for name, value in headers.items()}


def _unsent(connection: socket.socket) -> int:
    answer = fcntl.ioctl(connection.fileno(), termios.TIOCOUTQ, struct.pack("i", 0))
    count: int = struct.unpack("i", answer)[0]
    return count


def _head_bytes(answer: Answer, *, closes: bool) -> bytes:
    lines = [f"HTTP/1.1 {answer.status} {http.client.responses.get(answer.status, 'Unknown')}"]
    for name, value in answer.headers.items():
        lines += [f"{name}: {one}" for one in value.split("\n")]
    if answer.chunked:
        lines.append("Transfer-Encoding: chunked")
    elif answer.status not in (204, 304):
        lines.append(f"Content-Length: {answer.body.size if answer.length is None else answer.length}")
    if closes:
        lines.append("Connection: close")
    return "\r\n".join((*lines, "", "")).encode()


def _framed(chunk: Bytes) -> bytes:
    return b"%x\r\n" % len(chunk) + bytes(chunk) + b"\r\n"


def _paced(chunks: Iterator[Bytes], pace: float) -> Iterator[Bytes]:
    """`chunks` no faster than `pace` bytes per second (0: as they come)."""
    if not pace:
        yield from chunks
        return
    for chunk in chunks:
        step = max(1, round(pace / 20))
        for start in range(0, len(chunk), step):
            piece = chunk[start : start + step]
            yield piece
            time.sleep(len(piece) / pace)
