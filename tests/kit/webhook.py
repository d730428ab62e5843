# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The webhook that guards the approval of platform releases (dkp-cluster.md §1.8), in this process.

>>> with ReleaseWebhook(tmp_path, unmet=lambda requirements: ["k8s is too old"]) as webhook:
...     server.apply([webhook.configuration()])
"""

from __future__ import annotations

import base64
import json
import ssl
import threading
from collections.abc import Callable, Mapping, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any

from .certificates import Authority
from .kube_client import KubeObject

PATH = "/validate/v1alpha1/deckhouse-releases"
NAME = "deckhouse-webhook"
_ENTRY = "deckhouse-releases.deckhouse-webhook.deckhouse.io"
_APPROVAL = "release.deckhouse.io/approved"

Requirements = Mapping[str, str]


class ReleaseWebhook:
    """Refuses to approve a release for the reasons that `unmet` finds in its requirements; none: it may be approved.

    `reviews` are the requests it was asked about, in order. While it is `down` it answers nobody, as the Deckhouse that
    serves it restarts.
    """

    def __init__(self, directory: Path, *, unmet: Callable[[Requirements], Sequence[str]]) -> None:
        self.unmet = unmet
        self.reviews: list[Mapping[str, Any]] = []
        self.down = False
        authority = Authority(directory / "webhook-authority", name="dkp.airgap tests' webhook authority")
        certificate = authority.issue("webhook")
        self._bundle = base64.b64encode(authority.path.read_bytes()).decode()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate.path, certificate.key)
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler_of(self))
        self._server.daemon_threads = True
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self._server.server_port}{PATH}"

    def __enter__(self) -> ReleaseWebhook:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """From now on nobody listens, as while Deckhouse restarts; nothing happens when it has ended."""
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join()
        self._server.server_close()

    def configuration(self) -> KubeObject:
        """What leads the API server here; take it away again with `KubeServer.clear`."""
        rule = {"apiGroups": ["deckhouse.io"], "apiVersions": ["*"], "resources": ["deckhousereleases"]}
        return {
            "apiVersion": "admissionregistration.k8s.io/v1",
            "kind": "ValidatingWebhookConfiguration",
            "metadata": {"name": NAME},
            "webhooks": [
                {
                    "name": _ENTRY,
                    "admissionReviewVersions": ["v1"],
                    "clientConfig": {"url": self.url, "caBundle": self._bundle},
                    "rules": [{**rule, "operations": ["CREATE", "UPDATE"], "scope": "*"}],
                    "failurePolicy": "Fail",
                    "sideEffects": "None",
                    "timeoutSeconds": 5,
                }
            ],
        }

    def judge(self, review: Mapping[str, Any]) -> dict[str, Any]:
        """The answer to an AdmissionReview."""
        request = review["request"]
        self.reviews.append(request)
        answer: dict[str, Any] = {"uid": request["uid"], "allowed": True}
        if _approved(request["object"]) and not _approved(request.get("oldObject")):
            reasons = self.unmet(request["object"]["spec"].get("requirements") or {})
            if reasons:
                name = request["object"]["metadata"]["name"]
                message = f'cannot approve DeckhouseRelease "{name}": requirements not met: {"; ".join(reasons)}'
                answer.update(allowed=False, status={"code": 403, "message": message})
        return {"apiVersion": review["apiVersion"], "kind": review["kind"], "response": answer}


def _approved(release: Mapping[str, Any] | None) -> bool:
    if not release:
        return False
    annotations = release["metadata"].get("annotations") or {}
    return bool(release.get("approved")) or annotations.get(_APPROVAL) == "true"


def _handler_of(webhook: ReleaseWebhook) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            content = self.rfile.read(int(self.headers["Content-Length"]))
            if webhook.down:
                self.close_connection = True
                return
            known = self.path.partition("?")[0] == PATH
            body = json.dumps(webhook.judge(json.loads(content))).encode() if known else b"{}"
            self.send_response(200 if known else 404)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
            """Silence: `ReleaseWebhook.reviews` is the log."""

    return Handler
