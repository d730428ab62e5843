# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Connections that failed, in words: what happened, and what to do about that kind of failure."""

from __future__ import annotations

import http.client
import socket
import ssl
from collections.abc import Iterator
from typing import NamedTuple

from .errors import TransportFailure
from .locations import Origin, Target


class Kind(NamedTuple):
    """What an error means. `unsent`: the other side was never reached; `dropped`: it ended the connection."""

    text: str
    hint: str
    passing: bool = True
    unsent: bool = False
    dropped: bool = False


def describe(error: BaseException, purpose: str, *, method: str, target: Target, proxied: bool) -> TransportFailure:
    """The TransportFailure that says what `error` means for the user."""
    kind = _kind(list(_causes(error)), target.origin, proxied)
    return TransportFailure(
        purpose,
        method=method,
        url=target.shown,
        text=kind.text,
        hint=kind.hint,
        passing=kind.passing,
        unsent=kind.unsent,
        dropped=kind.dropped,
    )


def led_elsewhere(failure: TransportFailure, origin: Origin, own: Origin) -> TransportFailure:
    """The same failure, saying that the registry itself sent us to `origin` (a firewall must know that host too)."""
    return TransportFailure(
        failure.purpose,
        method=failure.method,
        url=failure.url,
        text=f"{failure.text} (the registry {own.host} sent us to {origin.authority})",
        hint=f"Open the way to {origin.authority} as well, or let the registry serve its content itself",
        passing=failure.passing,
        unsent=failure.unsent,
        dropped=failure.dropped,
    )


def _causes(error: BaseException) -> Iterator[BaseException]:
    """`error` and what it wraps, outermost first: urllib3 hides causes in several places."""
    seen: set[int] = set()
    waiting: list[object] = [error]
    while waiting and len(seen) < 20:
        current = waiting.pop(0)
        if not isinstance(current, BaseException) or id(current) in seen:
            continue
        seen.add(id(current))
        yield current
        waiting += [getattr(current, "reason", None), getattr(current, "original_error", None)]
        waiting += [*current.args, current.__cause__, current.__context__]


def _kind(chain: list[BaseException], origin: Origin, proxied: bool) -> Kind:
    return (
        _tls_kind(chain, origin.authority)
        or _proxy_kind(chain)
        or _connection_kind(chain, origin, " (the environment names a proxy for it)" if proxied else "")
    )


def _tls_kind(chain: list[BaseException], place: str) -> Kind | None:
    for one in chain:
        if isinstance(one, ssl.SSLCertVerificationError) or type(one).__name__ == "CertificateError":
            # urllib3 1.26 compares names itself, with an error of its own
            reason = getattr(one, "verify_message", "") or str(one)
            text = f"the certificate of {place} is not trusted ({reason[:150]})"
            return Kind(text, _CERTIFICATE_HINT, passing=False, unsent=True)
        if isinstance(one, ssl.SSLError) and not isinstance(one, ssl.SSLEOFError):
            reason = (one.reason or str(one))[:100]
            if reason in _PLAIN_HTTP:
                text = f"{place} does not speak TLS ({reason})"
                return Kind(text, "If it is meant to be plain HTTP, set scheme: http", passing=False, unsent=True)
            certificate = "CERTIFICATE" in reason
            return Kind(f"TLS with {place} failed ({reason})", _TLS_HINT, passing=not certificate, dropped=True)
    return None


def _proxy_kind(chain: list[BaseException]) -> Kind | None:
    refused = next((str(one) for one in chain if "Tunnel connection failed" in str(one)), "")
    if refused:
        said = refused[refused.index("Tunnel") :][:100]
        return Kind(f"the proxy refused ({said})", _PROXY_HINT, passing=" failed: 5" in said, unsent=True)
    if any(type(one).__name__ == "ProxyError" for one in chain):
        return Kind(f"the proxy cannot be reached ({_innermost(chain)})", _PROXY_HINT, unsent=True)
    return None


def _connection_kind(chain: list[BaseException], origin: Origin, via: str) -> Kind:
    names = {type(one).__name__ for one in chain}
    place = origin.authority
    if any(isinstance(one, socket.gaierror) for one in chain):
        return Kind(f"the name {origin.host} cannot be resolved{via}", "Check the name and the resolver", unsent=True)
    if any(isinstance(one, ConnectionRefusedError) for one in chain):
        return Kind(f"{place} refused the connection{via}", "Check host and port, and whether it runs", unsent=True)
    if "ConnectTimeoutError" in names:
        return Kind(f"no connection to {place} in time{via}", "Check the way there: firewall, proxy", unsent=True)
    if "NewConnectionError" in names:
        return Kind(f"no connection to {place} ({_innermost(chain)}){via}", "Check the way there", unsent=True)
    if any(isinstance(one, socket.timeout) for one in chain) or "ReadTimeoutError" in names:
        return Kind("no progress within the time-out", _STALL_HINT)
    if "BadStatusLine" in names:
        return Kind(f"{place} does not speak HTTP", "If it speaks TLS, leave scheme at https", unsent=True)
    if "LineTooLong" in names or any("got more than" in str(one) for one in chain):
        return Kind(
            f"the answer's header is absurd ({_innermost(chain)})", "Check what is at this address", passing=False
        )
    return Kind(f"the connection broke ({_innermost(chain)})", "The run can be repeated", dropped=True)


def _innermost(chain: list[BaseException]) -> str:
    plain = [one for one in chain if isinstance(one, (OSError, http.client.HTTPException))] or chain
    last = plain[-1]
    if isinstance(last, OSError) and last.strerror:
        return last.strerror.lower()
    if isinstance(last, http.client.IncompleteRead):
        return "the answer ended too early"
    return (str(last) or type(last).__name__)[:150]


_PLAIN_HTTP = frozenset({"WRONG_VERSION_NUMBER", "HTTP_REQUEST", "RECORD_LAYER_FAILURE"})
_CERTIFICATE_HINT = "Set ca_path to the authority that issued it; the name in images_repo must be in the certificate"
_PROXY_HINT = "Check HTTP_PROXY, HTTPS_PROXY and NO_PROXY in the environment of the task"
_STALL_HINT = "The other side, or the line, stands still; raise timeout if it is known to be that slow"
_TLS_HINT = "Check what the other side demands: TLS version, client_cert and client_key"
