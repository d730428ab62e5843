# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Requests over pooled connections: TLS, proxies, redirects. The one file that imports requests.

requests brings urllib3 and the fallback authorities; its Session is not used, because cookies, netrc, its own
redirects and proxies are all wrong for registries (registry-quirks §2, §4, §5), and for speed: a request through
urllib3's pool costs half the processor time of one through a Session.
"""

from __future__ import annotations

import http.client
import ssl
import threading
import time
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Protocol
from urllib.parse import unquote, urlsplit

from . import failures
from .connections import Connection, ForbiddenPeer, OpenSockets
from .errors import TransportFailure
from .locations import BadLocation, Origin, Target, redirected
from .options import RegistryOptions
from .proxies import Proxies
from .reply import Reply
from .stopping import Stopping
from .tls import build_context

try:
    import requests
    import urllib3

    REQUESTS_IMPORT_ERROR: str | None = None
    TRANSPORT_ERRORS: tuple[type[BaseException], ...] = (
        urllib3.exceptions.HTTPError,
        OSError,
        http.client.HTTPException,
        UnicodeError,
    )
except ImportError:
    REQUESTS_IMPORT_ERROR = traceback.format_exc()
    TRANSPORT_ERRORS = (OSError,)

MOST_REDIRECTS = 10
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_LONGEST_CONNECT = 30.0
_MOST_ORIGINS = 256
_SPARE_CONNECTIONS = 8
"""For token requests, which need no permit."""


class BodySource(Protocol):
    """A body that can be sent again from its start: every iteration starts anew."""

    @property
    def is_sent(self) -> bool:
        """Whether the newest iteration went to its end."""

    def __iter__(self) -> Iterator[memoryview]:
        """The pieces, each valid until the next one is asked for."""


class BodyFailed(Exception):
    """The source of a body failed while it was being sent; urllib3 lets this pass, and takes OSError for its own."""

    def __init__(self, error: BaseException) -> None:
        super().__init__(str(error))
        self.error = error


class Transport:
    """Sends requests to one registry and to the hosts it leads to. Thread-safe. No retries: see exchange.py."""

    def __init__(
        self, options: RegistryOptions, own: Origin, *, proxies: Proxies, most: int, stopping: Stopping
    ) -> None:
        """Raises InvalidInput for certificate files that cannot be used; opens no connection."""
        self.own = own
        self._proxies = proxies
        self._stall = float(options.timeout)
        self._connect = min(self._stall, _LONGEST_CONNECT)
        self._options = options
        self._lock = threading.Lock()
        self._contexts: dict[bool, ssl.SSLContext] = {}
        if options.ca_path is not None or options.client_cert is not None:
            self._context(foreign=False)
        if not options.validate_certs:
            # the user has decided; a warning for every request would only hide others
            urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
        self._most = most
        self._sockets = OpenSockets(stopping)
        self._managers: dict[tuple[str, bool, bool], Any] = {}
        self._pools: dict[Origin, tuple[Any, bool]] = {}
        self._no_retries = urllib3.Retry(False, redirect=False)
        self._usual = urllib3.Timeout(connect=self._connect, read=self._stall)

    def send(
        self,
        method: str,
        target: Target,
        headers: Mapping[str, str],
        *,
        body: bytes | BodySource | None = None,
        patience: float = 0.0,
        purpose: str = "ask",
    ) -> Reply:
        """Send one request and follow redirects; return the first answer that is none.

        `patience` is added to the seconds waited for the answer's first byte. Authorization never goes to another
        origin (distribution spec "Pulling blobs"). Raises TransportFailure.
        """
        sent = dict(headers)
        asked = target.origin
        for _hop in range(MOST_REDIRECTS + 1):
            reply = self._send_once(method, target, sent, body=body, patience=patience, purpose=purpose)
            location = reply.headers.get("Location") if reply.status in _REDIRECTS else None
            if not location:
                reply.foreign = target.origin != asked
                return reply
            reply.close()
            before = target
            try:
                target = redirected(target, location)
            except BadLocation as error:
                raise TransportFailure(
                    purpose, method=method, url=before.shown, status=reply.status, text=str(error), passing=False
                ) from error
            if target.origin != before.origin:
                sent.pop("Authorization", None)
                if method == "POST" and body is not None:
                    text = f"a redirect would take credentials to {target.origin}"
                    raise TransportFailure(purpose, method=method, url=before.shown, text=text, passing=False)
            if reply.status == 303 and method not in ("GET", "HEAD"):
                method, body = "GET", None
                sent = {name: value for name, value in sent.items() if not name.startswith("Content-")}
        raise TransportFailure(
            purpose,
            method=method,
            url=target.shown,
            text=f"more than {MOST_REDIRECTS} redirects",
            passing=False,
        )

    def _send_once(
        self,
        method: str,
        target: Target,
        headers: Mapping[str, str],
        *,
        body: bytes | BodySource | None,
        patience: float,
        purpose: str,
    ) -> Reply:
        pool, by_address = self._pools.get(target.origin) or self._pool(target.origin)
        timeout = urllib3.Timeout(connect=self._connect, read=self._stall + patience) if patience else self._usual
        started = time.monotonic()
        try:
            raw = pool.request(
                method,
                target.url if by_address else target.path,
                body=body,
                headers=headers,
                retries=self._no_retries,
                redirect=False,
                assert_same_host=False,
                timeout=timeout,
                preload_content=False,
                decode_content=False,
            )
        except BodyFailed as error:
            raise error.error from None
        except ForbiddenPeer as error:
            text = f"{target.origin.host} is the link-local address {error}"
            raise TransportFailure(purpose, method=method, url=target.shown, text=text, passing=False) from error
        except TRANSPORT_ERRORS as error:
            proxied = self._proxies.find(target.origin) is not None
            failure = failures.describe(error, purpose, method=method, target=target, proxied=proxied)
            if target.origin != self.own:
                failure = failures.led_elsewhere(failure, target.origin, self.own)
            raise failure from error
        seconds = time.monotonic() - started
        return Reply(
            raw,
            target,
            method=method,
            purpose=purpose,
            seconds=seconds,
            sent_whole=body is None or isinstance(body, bytes) or body.is_sent,
            errors=TRANSPORT_ERRORS,
        )

    def _pool(self, origin: Origin) -> tuple[Any, bool]:
        """The pool for `origin`, and whether requests name the whole address (plain HTTP through a proxy)."""
        proxy = self._proxies.find(origin)
        foreign, secure = origin.host != self.own.host, origin.scheme == "https"
        with self._lock:
            manager = self._managers.get((proxy or "", foreign, secure))
            if manager is None:
                manager = self._manager(proxy, foreign=foreign, secure=secure)
                self._managers[proxy or "", foreign, secure] = manager
            pool = manager.connection_from_host(origin.host, origin.port, origin.scheme)
            entry = (pool, proxy is not None and not secure)
            if len(self._pools) < _MOST_ORIGINS:
                self._pools[origin] = entry
            return entry

    def _manager(self, proxy: str | None, *, foreign: bool, secure: bool) -> Any:
        settings: dict[str, Any] = {"num_pools": 32, "maxsize": self._most + _SPARE_CONNECTIONS, "block": False}
        if secure:
            verified = self._options.validate_certs
            settings["ssl_context"] = self._context(foreign=foreign)
            settings["cert_reqs"] = "CERT_REQUIRED" if verified else "CERT_NONE"
            if not verified:
                settings["assert_hostname"] = False
        if proxy is None:
            manager = urllib3.PoolManager(**settings)
        else:
            parts = urlsplit(proxy)
            user = f"{unquote(parts.username)}:{unquote(parts.password or '')}" if parts.username else None
            headers = urllib3.make_headers(proxy_basic_auth=user) if user else {}
            address = parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
            if parts.scheme == "https":
                settings["proxy_ssl_context"] = self._context(foreign=True)
            manager = urllib3.ProxyManager(address, proxy_headers=headers, **settings)
        manager.pool_classes_by_scheme = _pool_classes(stall=self._stall, guarded=foreign, opened=self._sockets.add)
        return manager

    def _context(self, *, foreign: bool) -> ssl.SSLContext:
        """What TLS needs; made when it is needed and once for all hosts that get the same, because reading all
        authorities takes a while."""
        anonymous = foreign and self._options.client_cert is not None
        context = self._contexts.get(anonymous)
        if context is None:
            context = build_context(
                self._options,
                with_client_certificate=not anonymous,
                fallback_authorities=str(requests.utils.DEFAULT_CA_BUNDLE_PATH),
            )
            if not hasattr(urllib3, "BaseHTTPResponse"):
                # urllib3 1.26 gives OpenSSL no name for addresses, which OpenSSL then refuses; it compares names itself
                context.check_hostname = False
            self._contexts[anonymous] = context
        return context

    def close(self) -> None:
        """End all idle connections."""
        for manager in self._managers.values():
            manager.clear()


def _pool_classes(*, stall: float, guarded: bool, opened: Callable[[Any], None]) -> dict[str, Any]:
    """urllib3's pools over connections of ours."""
    extra = {"stall": stall, "guarded": guarded, "opened": staticmethod(opened)}
    plain = urllib3.connectionpool.HTTPConnectionPool
    secure = urllib3.connectionpool.HTTPSConnectionPool
    pools: Iterable[tuple[str, Any]] = (("http", plain), ("https", secure))
    return {
        scheme: type(
            f"Our{pool.__name__}",
            (pool,),
            {"ConnectionCls": type("OurConnection", (Connection, pool.ConnectionCls), dict(extra))},
        )
        for scheme, pool in pools
    }
