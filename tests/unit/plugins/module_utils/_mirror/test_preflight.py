# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether a registry can take content is known before anything is carried, with the remedy; nothing is left behind."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.dkp.airgap.plugins.module_utils._dkp.content import parse_content
from ansible_collections.dkp.airgap.plugins.module_utils._dkp.findings import Finding
from ansible_collections.dkp.airgap.plugins.module_utils._mirror.demand import Demand, demand_of
from ansible_collections.dkp.airgap.plugins.module_utils._mirror.preflight import preflight
from ansible_collections.dkp.airgap.plugins.module_utils._oci.reference import parse_address
from ansible_collections.dkp.airgap.plugins.module_utils._registry.client import Registry
from ansible_collections.dkp.airgap.plugins.module_utils._registry.credentials import Credentials
from ansible_collections.dkp.airgap.plugins.module_utils._registry.errors import TransportFailure
from ansible_collections.dkp.airgap.plugins.module_utils._registry.options import RegistryOptions
from ansible_collections.dkp.airgap.tests.kit.behaviour import Basic, Bearer, Behaviour
from ansible_collections.dkp.airgap.tests.kit.bundles import TINY, write_bundle
from ansible_collections.dkp.airgap.tests.kit.faults import Headers, Status
from ansible_collections.dkp.airgap.tests.kit.faulty import FaultyRegistry
from ansible_collections.dkp.airgap.tests.kit.pushing import ROOT, push_bundle, tags
from ansible_collections.dkp.airgap.tests.kit.servers import PASSWORD, USERNAME, Server
from ansible_collections.dkp.airgap.tests.kit.tree import build

CONTENT = parse_content(
    {
        "platform": {"versions": ["v1.69.0"], "channels": {"stable": "v1.69.0"}},
        "modules": {"console": {"versions": ["v1.36.2"], "channels": {"stable": "v1.36.2"}}},
        "security_db": {"trivy-db": ["2"]},
        "installer": ["latest"],
    }
)
DEMAND = demand_of(CONTENT, modules_path="modules")
ALWAYS = {"R5", "R6"}
"""What nobody can see from outside."""
NONE_YET = {*ALWAYS, "R2"}


def ask(
    host: str, demand: Demand = DEMAND, *, login: tuple[str, str] | None = None, probe_tags: bool = False, **more: Any
) -> dict[str, Finding]:
    """The findings by id; one of each, or the test has found that they are not grouped."""
    credentials = Credentials(*login) if login else None
    options = RegistryOptions(
        parse_address(f"{host}/{ROOT}"), scheme="http", timeout=10, credentials=credentials, **more
    )
    registry = Registry(options)
    try:
        found = preflight(registry, demand, probe_tags=probe_tags)
    finally:
        registry.close()
    assert len({finding.id for finding in found}) == len(found)
    return {finding.id: finding for finding in found}


def test_what_content_asks_for() -> None:
    assert set(DEMAND.paths) == {
        *("", "install", "install-standalone", "release-channel", "modules", "modules/console"),
        *("modules/console/release", "security/trivy-db", "installer"),
    }
    assert set(DEMAND.pointers) == {
        *(("release-channel", "stable"), ("modules/console/release", "stable")),
        *(("security/trivy-db", "2"), ("installer", "latest")),
    }
    bundle = demand_of(CONTENT, modules_path="own", layouts=["modules/console/extra/tool"], size=7)
    assert "own/console/extra/tool" in bundle.paths and "own" in bundle.paths and bundle.bytes == 7
    assert "" in demand_of(CONTENT, modules_path="", layouts=[]).paths


def test_a_sound_registry_is_asked_and_left_as_it_was(registry: FaultyRegistry) -> None:
    found = ask(registry.host)
    assert set(found) == {*NONE_YET, "deletion"} and not {one.severity for one in found.values()} & {"error", "warning"}
    assert registry.count("POST", r"/blobs/uploads/$") == registry.count("DELETE", r"/blobs/uploads/.") == 9
    assert not registry.count("PUT|PATCH")
    assert not registry.routes._sessions and not any(one.blobs for one in registry.store.repositories.values())


DENIED, UNKNOWN_NAME = Status(403, code="DENIED"), Status(404, code="NAME_UNKNOWN")
CACHE = Status(405, code="UNSUPPORTED", text="x")
REFUSALS: list[tuple[str, Status, str, str, tuple[str, ...]]] = [
    # where uploads are refused, with what, the finding, and what its message and hint say
    (
        r"release/blobs/uploads|modules/blobs",
        DENIED,
        "push_rights",
        "modules, modules/console/release",
        ("right to push",),
    ),
    (r"", DENIED, "push_rights", "the root, install", ("right to push",)),
    (r"release/blobs/uploads", DENIED, "R4", "modules/console/release", ("nested",)),
    (r"release/blobs/uploads", Status(400, code="NAME_INVALID"), "R4", "modules/console/release", ("nested",)),
    (r"", UNKNOWN_NAME, "no_project", "the root", ("Make the project",)),
    (r"", Status(405, text="method not allowed"), "no_uploads", "the root", ("pull-through", "read-only")),
    (r"", Status(405, text="registry is in read-only mode"), "read_only", "the root", ("maintenance",)),
    (r"", Status(503, text="garbage collection is running"), "read_only", "the root", ("garbage",)),
    (r"", Status(403, text="quota exceeded"), "R6", "the root", ("quota",)),
    (r"", Status(507, text="no space"), "R6", "the root", ("quota",)),
    (r"", Status(403, text="project dkp not found"), "no_project", "the root", ()),
    (r"security", Status(418, text="teapot"), "unclear", "security/trivy-db", ("log",)),
]


@pytest.mark.parametrize("path,action,identity,names,hints", REFUSALS)
def test_a_refusal_is_sorted_by_what_has_to_be_done(
    registry: FaultyRegistry, path: str, action: Status, identity: str, names: str, hints: tuple[str, ...]
) -> None:
    registry.fail(action, method="POST", path=path, times=None)
    found = ask(registry.host)
    finding = found[identity]
    assert finding.severity == "error" and names in finding.message and f"HTTP {action.status}" in finding.message
    for hint in hints:
        assert hint in finding.hint
    errors = {one.id for one in found.values() if one.severity == "error"}
    assert errors == {identity}, "one finding for one problem"


@pytest.mark.parametrize("auth", [Basic(), Bearer()])
@pytest.mark.parametrize("login", [None, ("puller", "wrong-horse-puller")])
def test_refused_credentials_are_called_that_and_not_tried_again(auth: Any, login: tuple[str, str] | None) -> None:
    with FaultyRegistry(auth=auth) as registry:
        found = ask(registry.host, login=login, auth_file=None)
        assert set(found) == {"R1"} and ("Set username" in found["R1"].hint) == (login is None)
        assert registry.count("POST") <= 3, "a wrong password tried often locks accounts"


def test_a_password_that_may_only_pull(registry: FaultyRegistry) -> None:
    with FaultyRegistry(auth=Bearer(pull_only=True, life=20)) as running:
        found = ask(running.host, login=("puller", "correct-horse-puller"))
    assert found["push_rights"].severity == "error"
    assert found["R1"].severity == "warning" and "20 s" in found["R1"].message, "short-lived tokens are told"


@pytest.mark.parametrize(
    "headers,challenge,expected",
    [
        ({"Server": "Nexus/3.77.1 (COMMUNITY)"}, None, {"immutable_tags": "Allow redeploy", "R5": "exempt"}),
        ({"X-Jfrog-Version": "Artifactory/7.90"}, None, {"immutable_tags": "Overwrite"}),
        ({"Gitlab-Container-Registry-Version": "v4"}, None, {"R5": "exempt"}),
        ({"Server": "nginx/1.25"}, None, {"body_size": "client_max_body_size"}),
        ({}, 'Bearer realm="https://x/service/token",service="harbor-registry"', {"immutable_tags": "immutability"}),
        ({}, 'Bearer realm="https://q/v2/auth",service="q"', {"media_types": "ALLOWED_OCI_ARTIFACT_TYPES"}),
        ({"Date": "Mon, 01 Jan 2024 00:00:00 GMT"}, None, {"R1": "clocks"}),
    ],
)  # fmt: skip
def test_what_a_registry_says_of_itself_brings_its_own_remedies(
    registry: FaultyRegistry, headers: dict[str, str], challenge: str | None, expected: dict[str, str]
) -> None:
    added = {**headers, **({"WWW-Authenticate": challenge} if challenge else {})}
    registry.fail(Headers(added), path=r"/v2/$", times=None)
    found = ask(registry.host)
    for identity, hint in expected.items():
        assert hint.lower() in found[identity].hint.lower()


def test_a_zot_is_told_by_its_extensions(registry: FaultyRegistry) -> None:
    body = '{"extensions":[{"name":"_zot","url":"x"}]}'
    registry.fail(Status(200, text=body, content_type="application/json"), path=r"/_oci/ext/discover", times=None)
    assert "docker2s2" in ask(registry.host)["media_types"].hint


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("bundle")
    write_bundle(build(TINY), path)
    return path


def test_what_is_there_is_evidence(registry: FaultyRegistry, bundle: Path) -> None:
    push_bundle(registry.host, bundle, state=None)
    held = {path: dict(tags(registry, path)) for path in DEMAND.paths}
    registry.fail(
        Headers({"WWW-Authenticate": 'Bearer realm="https://q/v2/auth",service="q"'}), path=r"/v2/$", times=None
    )
    puts = registry.count("PUT|PATCH")
    found = ask(registry.host)
    assert "media_types" not in found, "a database that is there has been taken"
    assert "probe_tags" in found["immutable_tags"].hint and registry.count("PUT|PATCH") == puts

    assert set(ask(registry.host, probe_tags=True)) == {*ALWAYS, "deletion"}, "they were written, so they can be"
    assert registry.count("PUT") == puts + 4, "one pointer of each repository"
    assert {path: dict(tags(registry, path)) for path in DEMAND.paths} == held

    registry.behaviour = Behaviour(immutable_tags="stable")
    fixed = ask(registry.host, probe_tags=True)["immutable_tags"]
    assert fixed.severity == "error" and "release-channel:stable" in fixed.message and "2" not in fixed.subject[-2:]
    registry.fail(Status(403, code="DENIED"), method="GET", path=r"tags/list", times=None)
    unlisted = ask(registry.host)["R2"]
    assert unlisted.severity == "error" and "the root, install" in unlisted.message


@pytest.mark.parametrize(
    "storage,size,severity,message",
    [
        ({"hard": {"storage": 1000}, "used": {"storage": 400}}, 700, "warning", "600 bytes; 700 bytes will be sent"),
        ({"hard": {"storage": 1000}, "used": {"storage": 400}}, 500, "info", "leaves 600 bytes"),
        ({"hard": {"storage": 1000}, "used": {"storage": 1000}}, None, "warning", "leaves 0 bytes"),
        ({"hard": {"storage": -1}, "used": {"storage": 400}}, 700, None, ""),
        ({"hard": {"storage": "x"}}, 700, "unknown", "700 bytes will be sent"),
        (None, 700, "unknown", "700 bytes will be sent"),
    ],
)  # fmt: skip
def test_room_is_told_where_harbor_tells_it(
    registry: FaultyRegistry, storage: Any, size: int | None, severity: str | None, message: str
) -> None:
    challenge = 'Bearer realm="https://x/service/token",service="harbor-registry"'
    registry.fail(Headers({"WWW-Authenticate": challenge}), path=r"/v2/$", times=None)
    answer = Status(200, text=json.dumps({"quota": storage}), content_type="application/json")
    registry.fail(answer, path=r"/api/v2.0/projects/mirror/summary", times=None)
    found = ask(registry.host, replace(DEMAND, bytes=size))
    if severity is None:
        assert "R6" not in found
    else:
        assert found["R6"].severity == severity and message in found["R6"].message


def test_harbor_tells_its_rules(registry: FaultyRegistry) -> None:
    challenge = 'Bearer realm="https://x/service/token",service="harbor-registry"'
    registry.fail(Headers({"WWW-Authenticate": challenge}), path=r"/v2/$", times=None)
    matching, excluding = ({"decoration": word, "pattern": "v*"} for word in ("matches", "excludes"))
    rules = [
        {"tag_selectors": [matching]},
        {"tag_selectors": [excluding]},
        {"disabled": True, "tag_selectors": [matching]},
    ]
    settings = {"name": "mirror", "metadata": {"retention_id": "3"}}
    for path, document in ((r"/projects/mirror/immutabletagrules", rules), (r"/projects/mirror$", settings)):
        action = Status(200, text=json.dumps(document), content_type="application/json")
        registry.fail(action, path=path, times=None)
    found = ask(registry.host)
    assert found["immutable_tags"].severity == "warning" and "(v*, all but v*)" in found["immutable_tags"].message
    assert found["R5"].severity == "warning" and "retention policy" in found["R5"].message


def test_where_nothing_listens_there_is_nothing_to_judge() -> None:
    with pytest.raises(TransportFailure):
        ask("127.0.0.1:1")


def test_an_upload_that_cannot_be_cancelled_is_told(registry: FaultyRegistry) -> None:
    registry.fail(Status(401, code="UNAUTHORIZED"), method="DELETE", path=r"/blobs/uploads/", times=None)
    assert ask(registry.host)["leftovers"].severity == "info"


REAL: list[tuple[dict[str, Any], set[str]]] = [
    ({"htpasswd": True}, {*NONE_YET, "deletion"}),
    ({"htpasswd": True, "delete": True}, NONE_YET),
    ({"htpasswd": True, "read_only": True}, {*ALWAYS, "no_uploads"}),
]


@pytest.mark.parametrize("variant,expected", REAL)
def test_a_real_registry_says_the_same(tmp_path: Path, variant: dict[str, Any], expected: set[str]) -> None:
    storage = tmp_path / "storage"
    with Server(storage, version=3, **variant) as server:
        assert set(ask(server.host, login=(USERNAME, PASSWORD))) == expected
    left = {path.relative_to(storage).parts[-3] for path in storage.rglob("*") if path.is_file()}
    assert left <= {"hashstates"}, "but for what Distribution forgets, and purges later: no data, no layer, no tag"
