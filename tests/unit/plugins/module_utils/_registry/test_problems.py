# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Errors in words: what the registry said, as which kind of error, and never a secret."""

from __future__ import annotations

import base64
import json
import re

import pytest
from ansible_collections.dkp.airgap.plugins.module_utils._registry import errors
from ansible_collections.dkp.airgap.plugins.module_utils._registry.problems import error_of, read_problem
from ansible_collections.dkp.airgap.plugins.module_utils._registry.redaction import Secrets, one_line

D1, D2 = f"sha256:{'1' * 64}", f"sha256:{'2' * 64}"


def oci(code: str, message: str = "", detail: object = None) -> bytes:
    return json.dumps({"errors": [{"code": code, "message": message, "detail": detail}]}).encode()


def error(
    status: int, body: bytes = b"", *, writes: bool = False, secrets: Secrets | None = None
) -> errors.RegistryError:
    problem = read_problem(status, body, secrets=secrets or Secrets())
    return error_of(problem, purpose="do a thing", method="PUT", url="https://r/x", writes=writes)


@pytest.mark.parametrize(
    ("status", "body", "writes", "kind"),
    [
        (404, b"", False, errors.NotFound),
        (400, oci("NAME_UNKNOWN"), False, errors.NotFound),
        (404, oci("MANIFEST_UNKNOWN"), False, errors.NotFound),
        (401, oci("UNAUTHORIZED"), False, errors.AccessDenied),
        (403, oci("DENIED"), True, errors.AccessDenied),
        (403, b"Forbidden: registry is in read-only mode", True, errors.ReadOnly),
        (403, b"Forbidden: registry is in read-only mode", False, errors.AccessDenied),
        (405, oci("UNSUPPORTED", "The operation is unsupported."), True, errors.ReadOnly),
        (405, oci("UNSUPPORTED"), False, errors.RegistryError),
        (405, b"Method not allowed", True, errors.ReadOnly),
        (503, b"<html>Down for maintenance</html>", True, errors.ReadOnly),
        (503, oci("UNAVAILABLE", "garbage collection is running"), True, errors.ReadOnly),
        (503, b"", True, errors.Unavailable),
        (500, b"", True, errors.Unavailable),
        (429, b"", True, errors.Throttled),
        (403, oci("TOOMANYREQUESTS"), False, errors.Throttled),
        (400, oci("MANIFEST_BLOB_UNKNOWN", detail=D1), True, errors.BlobUnknown),
        (404, oci("manifest_blob_unknown", detail=D1), True, errors.BlobUnknown),
        (400, oci("DIGEST_INVALID"), True, errors.DigestMismatch),
        (400, b"", False, errors.RegistryError),
        (418, b"teapot", False, errors.RegistryError),
    ],
)
def test_the_kind_of_an_error(status: int, body: bytes, writes: bool, kind: type[errors.RegistryError]) -> None:
    found = error(status, body, writes=writes)
    assert found.__class__ is kind
    assert found.status == status
    assert str(found).startswith("Cannot do a thing (PUT https://r/x): HTTP")


@pytest.mark.parametrize("detail", [D1, {"Digest": D1}, [{"digest": D1}, D2], f"unknown blob {D1}"])
def test_missing_blobs_are_named_in_any_shape(detail: object) -> None:
    found = error(400, oci("MANIFEST_BLOB_UNKNOWN", detail=detail), writes=True)
    assert isinstance(found, errors.BlobUnknown)
    assert found.digests[0] == D1


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (oci("X", "the message", {"a": 1}), 'the message: {"a": 1}'),
        (b'{"details": "other json"}', "other json"),
        (b'{"error": "server_error", "error_description": "why"}', "server_error: why"),
        (b"plain text\nin lines", "plain text in lines"),
        (b"<html><head><title>502 Bad &amp; Gateway</title></head><body>x</body></html>", "502 Bad & Gateway"),
        (b"<html><style>p {}</style><h1>413</h1><p>Too <b>large</b></html>", "413 Too large"),
        (b"<?xml version='1.0'?><Error><Code>SlowDown</Code><Message>Wait</Message></Error>", "SlowDown Wait"),
        (b"\x1b[31mred\x07\xff", "[31mred �"),
        ("left\u202eright".encode(), "left right"),
        (b'{"errors": "odd"}', '{"errors": "odd"}'),
        (b'{"errors": [7, {"code": 5, "message": ["m"]}]}', '["m"]'),
        (b"{" * 50_000, "{{{"),
        (b"[" * 50_000, "[[["),
        (b"", ""),
    ],
)
def test_what_was_said_in_any_language(body: bytes, text: str) -> None:
    found = read_problem(500, body, secrets=Secrets()).text
    assert found == text or (len(text) == 3 and found.startswith(text))
    assert len(found) <= 200


def test_text_is_cut() -> None:
    assert len(one_line("word " * 1000, longest=200)) == 200


@pytest.mark.parametrize(
    "shape",
    [
        "licence-key-of-the-customer",
        base64.b64encode(b"license-token:licence-key-of-the-customer").decode(),
        "Authorization: Basic abcdefghijkl",
        "Bearer eyJhbGciOi.abc.def",
        "https://s3.example/x?X-Amz-Signature=abcdef&X-Amz-Credential=zz",
        "token=abcdef&x=1",
        "short-lived-token",
    ],
)
def test_secrets_are_hidden_in_any_shape(shape: str) -> None:
    secrets = Secrets()
    secrets.add("licence-key-of-the-customer", username="license-token")
    secrets.add_token("short-lived-token")
    text = str(error(500, oci("UNKNOWN", f"failed for {shape} today"), secrets=secrets))
    assert "********" in text
    for part in ("licence-key", "bGljZW5z", "abcdef", "eyJ", "short-lived-token"):
        assert part not in text


def test_a_percent_encoded_secret_is_hidden() -> None:
    secrets = Secrets()
    secrets.add("pass/word+1", username="u")
    assert secrets.redact("GET /t?password=pass%2Fword%2B1") == "GET /t?password=********"


def test_values_for_no_log_are_the_configured_ones() -> None:
    secrets = Secrets()
    secrets.add("secret", username="u")
    secrets.add_token("token-token")
    assert secrets.values() == {"secret", base64.b64encode(b"u:secret").decode()}
    assert "secret" not in repr(secrets)


@pytest.mark.parametrize(
    ("status", "body", "hint"),
    [
        (401, b"", "credentials were refused"),
        (403, b"", "give no right.*licence"),
        (403, oci("DENIED", "adding 3 GiB exceeds the quota"), "quota"),
        (413, b"", "client_max_body_size"),
        (507, b"", "no room"),
        (400, b"Client sent an HTTP request to an HTTPS server.", "scheme at https"),
        (412, b"", "policy"),
        (429, b"", "connections"),
    ],
)
def test_an_error_says_what_to_do(status: int, body: bytes, hint: str) -> None:
    assert re.search(hint, str(error(status, body)))
