# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Errors of kubectl and of modules of kubernetes.core, as people get to read them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ansible_collections.dkp.airgap.plugins.module_utils._dkp.cluster.answers import error_of, errors, verdict

USER = "system:serviceaccount:dkp-airgap:cluster-facts"
NODES = f'nodes is forbidden: User "{USER}" cannot list resource "nodes" in API group "" at the cluster scope'
SECRET = (
    f'secrets "deckhouse-registry" is forbidden: User "{USER}" cannot get resource "secrets" in API group "" in the '
    'namespace "d8-system"'
)
RELEASES = (
    f'deckhousereleases.deckhouse.io "v1.69.7" is forbidden: User "{USER}" cannot patch resource "deckhousereleases" '
    'in API group "deckhouse.io" at the cluster scope'
)
DENIAL = 'cannot approve DeckhouseRelease "v1.69.7": requirements not met: k8s is too old'
WEBHOOK = f'admission webhook "deckhouse-releases.deckhouse-webhook.deckhouse.io" denied the request: {DENIAL}'
DOWN = 'Internal error occurred: failed calling webhook "deckhouse-releases": dial tcp: connection refused'


def kubectl(*messages: str) -> dict[str, Any]:
    return {"rc": 1, "stdout": "", "stderr": "\n".join(f"Error from server (Forbidden): {each}" for each in messages)}


def k8s_info(message: str, *, code: int = 403) -> dict[str, Any]:
    """As k8s_info says it: headers, the answer's body, and a traceback."""
    status = json.dumps({"kind": "Status", "message": message, "code": code}, separators=(",", ":"))
    text = f"Exception '{code}\nReason: Forbidden\nHTTP response headers: HTTPHeaderDict({{'a': 'b'}})\n"
    return {"msg": f"{text}HTTP response body: {status}\n\nOriginal traceback: \n  File x, line 54'"}


def k8s(message: str) -> dict[str, Any]:
    return {
        "msg": "Failed to patch object: " + json.dumps({"kind": "Status", "message": message}, separators=(",", ":"))
    }


def older_k8s(message: str) -> dict[str, Any]:
    """As with the package kubernetes before its version 36."""
    body = json.dumps({"kind": "Status", "message": message}, separators=(",", ":")).encode() + b"\n"
    return {"msg": f"Failed to patch object: {body!r}"}


@pytest.mark.parametrize("answer", [kubectl, k8s_info, k8s, older_k8s])
@pytest.mark.parametrize(
    ("message", "rule"),
    [
        (NODES, '{apiGroups: [""], resources: ["nodes"], verbs: ["list"]}'),
        (
            SECRET,
            '{apiGroups: [""], resources: ["secrets"], resourceNames: ["deckhouse-registry"], verbs: ["get"]} '
            "in the namespace d8-system",
        ),
        (RELEASES, '{apiGroups: ["deckhouse.io"], resources: ["deckhousereleases"], verbs: ["patch"]}'),
        (
            f'forbidden: User "{USER}" cannot get path "/apis/deckhouse.io"',
            '{nonResourceURLs: ["/apis/deckhouse.io"], verbs: ["get"]}',
        ),
    ],
)
def test_a_missing_right_is_named_as_a_rule_with_its_user_and_manifest(answer: Any, message: str, rule: str) -> None:
    told = errors([answer(message)], manifest="the/rbac.yml")
    assert f"{rule}. The manifest the/rbac.yml" in told
    assert f"the user {USER} " in told


def test_missing_rights_of_all_answers_are_told_at_once_and_each_once() -> None:
    told = errors([kubectl(NODES, SECRET), kubectl(NODES), k8s_info(RELEASES)], manifest="x")
    assert told.count("apiGroups") == 3 and told.count(USER) == 1


@pytest.mark.parametrize(
    ("result", "error"),
    [
        ({"rc": 0, "stderr": "Warning: deprecated"}, ""),
        ({"resources": [], "api_found": False, "msg": "Failed to find API"}, ""),
        ({"method": "update", "result": {}}, ""),
        ({"skipped": True, "msg": "skipped"}, ""),
        ({"rc": 2, "stderr": "", "msg": "[Errno 2] No such file or directory: b'kubectl'"}, "[Errno 2] No such file"),
        ({"rc": 1, "stderr": "error: You must be logged in to the server (Unauthorized)"}, "(Unauthorized)"),
        (k8s_info("Unauthorized", code=401), "Unauthorized"),
        # A module that broke off, in ansible-core 2.16 and 2.21.
        (
            {
                "rc": 1,
                "msg": "MODULE FAILURE",
                "module_stderr": "Traceback (most recent call last):\n  x\nError: refused",
            },
            "Error: refused",
        ),
        ({"msg": "Task failed: Module failed: Max retries exceeded"}, "Max retries exceeded"),
        ({"failed": False}, "without a reason"),
    ],
)
def test_every_way_to_fail_has_words(result: dict[str, Any], error: str) -> None:
    told = error_of(result)
    assert error in told and bool(told) == bool(error)
    assert not [noise for noise in ("Traceback", "HTTPHeader", "Task failed") if noise in told]


@pytest.mark.parametrize("answer", [kubectl, k8s, older_k8s])
@pytest.mark.parametrize(
    ("message", "accepted", "told"),
    [
        (WEBHOOK, False, DENIAL),
        (DOWN, None, "connection refused"),
        (RELEASES, None, 'resources: ["deckhousereleases"], verbs: ["patch"]'),
        ('it\'s "spec": Required value', None, 'it\'s "spec": Required value'),
    ],
)
def test_only_a_webhook_refuses(answer: Any, message: str, accepted: bool | None, told: str) -> None:
    found = verdict(answer(message), manifest="x")
    assert found.accepted is accepted
    assert told in found.message and (accepted is None or found.message == told)


def test_an_answer_without_an_error_accepts() -> None:
    assert verdict({"rc": 0, "stderr": ""}, manifest="x").accepted is True
