# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The two ways into a cluster: what they run on the host, and what they make of the answers."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from ansible_collections.dkp.airgap.plugins.module_utils._dkp.rollout import reading
from ansible_collections.dkp.airgap.plugins.module_utils._oci.errors import InvalidInput
from ansible_collections.dkp.airgap.plugins.plugin_utils.kubernetes import (
    ACCESS_ARGUMENTS,
    Access,
    ApiAccess,
    CommandAccess,
    Denied,
    Forbidden,
    Outage,
    Runner,
)

Result = Mapping[str, Any]
Answer = Callable[[str, Mapping[str, Any]], Result]
PODS = reading.WAITING_PODS
UNSERVED = {"rc": 1, "stdout": "", "stderr": 'error: the server doesn\'t have a resource type "ModulePullOverride"'}
FORBIDDEN = (
    'Error from server (Forbidden): pods is forbidden: User "robot" cannot list resource "pods" in API group "" at the '
    "cluster scope"
)


class Host:
    """Answers modules as told, and keeps what was run: module, arguments, check mode."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        self.runs: list[tuple[str, Mapping[str, Any], bool]] = []

    def run(self, module: str, arguments: Mapping[str, Any], checking: bool) -> Result:
        self.runs.append((module, arguments, checking))
        return self._answer(module, arguments)

    @property
    def commands(self) -> list[str]:
        return [" ".join(arguments["argv"]) for _module, arguments, _checking in self.runs]


def way(kind: type[Any], machine: Host, **options: Any) -> Access:
    given = {name: spec.get("default") for name, spec in ACCESS_ARGUMENTS.items()}
    return kind(Runner(machine.run, "prod", "s3cr3t-token"), {**given, **options})  # type: ignore[no-any-return]


def printed(document: Any) -> Result:
    return {"rc": 0, "stdout": json.dumps(document), "stderr": ""}


def thing(kind: str, name: str = "some") -> dict[str, Any]:
    return {"kind": kind, "metadata": {"name": name}}


def test_a_command_reads_each_look_in_three_calls() -> None:
    def answer(module: str, arguments: Mapping[str, Any]) -> Result:
        words = arguments["argv"]
        if "Pod" in words:
            return printed({"items": [thing("Pod")]})
        return printed(thing("Deployment")) if "d8-system" in " ".join(words) else printed({"items": [thing("Module")]})

    host = Host(answer)
    access = way(CommandAccess, host, command="d8 k", kubeconfig="/k", context="c")
    found = access.read((*reading.MOVING, PODS), (reading.DEPLOYMENT,))
    assert {kind: len(objects) for kind, objects in found.items()} == {
        **{"DeckhouseRelease": 0, "Module": 1, "ModuleRelease": 0, "ModuleSource": 0},
        **{"Pod": 1, "Deployment": 1},
    }
    types = [f"{each.kind}.v1alpha1.deckhouse.io" for each in reading.MOVING]
    assert host.commands == [
        f"d8 k --kubeconfig=/k --context=c get {','.join(types)} --output=json",
        "d8 k --kubeconfig=/k --context=c get Pod --all-namespaces --field-selector=status.phase=Pending --output=json",
        "d8 k --kubeconfig=/k --context=c get --ignore-not-found --namespace=d8-system Deployment/deckhouse"
        " --output=json",
    ]


def test_a_command_asks_what_is_served_only_where_that_is_not_all() -> None:
    def answer(module: str, arguments: Mapping[str, Any]) -> Result:
        last = arguments["argv"][-1]
        if last == "/apis/deckhouse.io":
            return printed({"versions": [{"groupVersion": "deckhouse.io/v1alpha1"}]})
        if last == "/apis/deckhouse.io/v1alpha1":
            kinds = ("DeckhouseRelease", "ModulePullOverride")
            return printed({"resources": [{"kind": kind} for kind in kinds]})
        return UNSERVED if "v1alpha2" in " ".join(arguments["argv"]) else printed({"items": []})

    host = Host(answer)
    access = way(CommandAccess, host)
    found = access.read((reading.MOVING[0], *reading.SETTINGS))
    # ModuleConfig and ModuleUpdatePolicy are not served, and so not read.
    assert found == {"DeckhouseRelease": [], "ModulePullOverride": []}
    assert (
        host.commands[-1].split()[2]
        == "DeckhouseRelease.v1alpha1.deckhouse.io,ModulePullOverride.v1alpha1.deckhouse.io"
    )
    host.runs.clear()
    access.read((reading.MOVING[0], *reading.SETTINGS))
    assert len(host.runs) == 1


@pytest.mark.parametrize("kind", [ApiAccess, CommandAccess])
def test_another_cluster_is_told_from_one_that_is_about_to_start(kind: type[Any]) -> None:
    served = [False]

    def answer(module: str, arguments: Mapping[str, Any]) -> Result:
        if module.startswith("kubernetes."):
            return {"resources": [], "api_found": served[0]}
        if served[0]:
            return printed({"items": []})
        missing = {
            "rc": 1,
            "stdout": "",
            "stderr": "Error from server (NotFound): the server could not find the requested resource",
        }
        return missing if "--raw" in arguments["argv"] else UNSERVED

    access = way(kind, Host(answer))
    with pytest.raises(Denied, match="this is not a DKP cluster"):
        access.read(reading.MOVING)
    served[0] = True
    access = way(kind, Host(answer))
    access.read(reading.MOVING)
    served[0] = False
    with pytest.raises(Outage, match="at the moment"):
        access.read(reading.MOVING)


@pytest.mark.parametrize(
    ("text", "expected", "told"),
    [
        ("Unable to connect to the server: dial tcp 10.0.0.1:6443: connect: connection refused", Outage, "refused"),
        ('Error from server (InternalError): failed calling webhook "x": no endpoints', Outage, "webhook"),
        ("Error from server: etcdserver: request timed out", Outage, "etcdserver"),
        (
            "Error from server (ServiceUnavailable): the server is currently unable to handle the request",
            Outage,
            "unable",
        ),
        ("net/http: TLS handshake timeout", Outage, "TLS"),
        ("", Outage, "without an answer"),
        (FORBIDDEN, Forbidden, '{apiGroups: [""], resources: ["pods"], verbs: ["list"]}'),
        ("error: You must be logged in to the server (Unauthorized)", Denied, "logged in"),
        ('error: context "prod" does not exist', Denied, "does not exist"),
        ("the token s3cr3t-token is not good", Denied, "the token *** is not good"),
    ],
)
@pytest.mark.parametrize("kind", [ApiAccess, CommandAccess])
def test_what_may_pass_is_told_from_what_does_not(
    kind: type[Any], text: str, expected: type[Exception], told: str
) -> None:
    host = Host(lambda module, arguments: {"rc": 1, "stderr": text, "failed": True})
    with pytest.raises(Exception) as raised:  # noqa: B017 - of exactly the type that is expected
        way(kind, host).read((PODS,))
    assert raised.type is expected
    assert (
        told in str(raised.value)
        and str(raised.value).startswith("prod: reading")
        and "s3cr3t" not in str(raised.value)
    )
    assert expected is not Forbidden or "roles/rollout/files/rbac.yml" in str(raised.value)


DENIED = 'admission webhook "deckhouse" denied the request: cannot approve: requirements not met: too old'


def test_an_approval_is_a_merge_patch_and_a_denial_is_an_answer() -> None:
    for kind in (ApiAccess, CommandAccess):
        host = Host(lambda module, arguments: {"rc": 0, "stderr": "", "stdout": "", "method": "update"})
        access = way(kind, host)
        patch = {"approved": True, "metadata": {"annotations": {"release.deckhouse.io/apply-now": "true"}}}
        assert access.patch("DeckhouseRelease", "v1.69.0", patch, dry_run=True) == ""
        _module, arguments, checking = host.runs[0]
        if kind is ApiAccess:
            assert checking and arguments["merge_type"] == ["merge"] and arguments["state"] == "patched"
            assert arguments["definition"] == {
                "apiVersion": "deckhouse.io/v1alpha1",
                "kind": "DeckhouseRelease",
                "approved": True,
                "metadata": {"name": "v1.69.0", "annotations": {"release.deckhouse.io/apply-now": "true"}},
            }
        else:
            assert not checking and "--dry-run=server" in arguments["argv"] and "--type=merge" in arguments["argv"]
            assert json.loads(arguments["argv"][3].partition("=")[2]) == patch
        refused = way(kind, Host(lambda module, arguments: {"rc": 1, "stderr": DENIED}))
        assert refused.patch("DeckhouseRelease", "v1.69.0", patch) == "cannot approve: requirements not met: too old"


def test_a_token_is_for_the_api_alone() -> None:
    with pytest.raises(InvalidInput, match="write a kubeconfig there"):
        way(CommandAccess, Host(lambda module, arguments: {}), api_key="s3cr3t-token")
    host = Host(lambda module, arguments: {"resources": [], "api_found": True})
    way(ApiAccess, host, api_key="s3cr3t-token", host="https://c", validate_certs=False).read((PODS,))
    assert host.runs[0][1] == {
        **{"api_key": "s3cr3t-token", "host": "https://c", "validate_certs": False, "api_version": "v1", "kind": "Pod"},
        **{"field_selectors": ["status.phase=Pending"], "hidden_fields": ["metadata.managedFields"]},
    }


@pytest.mark.parametrize("kind", [ApiAccess, CommandAccess])
def test_the_queue_is_asked_for_in_the_pod_that_leads(kind: type[Any]) -> None:
    pods: list[str] = []

    def answer(module: str, arguments: Mapping[str, Any]) -> Result:
        if module.endswith("k8s_info"):
            return {"resources": [{"metadata": {"name": name}} for name in pods]}
        if module.endswith("k8s_exec") or "exec" in arguments["argv"]:
            return {"rc": 0, "stdout": "told", "stderr": ""}
        return {"rc": 0, "stdout": "".join(f"pod/{name}\n" for name in pods), "stderr": ""}

    host = Host(answer)
    with pytest.raises(Outage, match="no pod of Deckhouse is the leader"):
        way(kind, host).execute(reading.QUEUE_COMMANDS[0])
    pods.append("deckhouse-1")
    assert way(kind, host).execute(reading.QUEUE_COMMANDS[0]) == "told"
    told = json.dumps(host.runs[-1][1])
    assert "deckhouse-1" in told and "127.0.0.1:9652/queue/list.json" in told
