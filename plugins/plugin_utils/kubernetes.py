# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Two ways into a cluster behind one interface: the modules of kubernetes.core, and a command such as kubectl.

Both run modules on the host of the task; nothing here speaks HTTP. Objects come as plain data, what went wrong as one
of two errors: `Outage` may pass, `Denied` does not.
"""

from __future__ import annotations

import json
import re
from abc import abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.dkp.airgap.plugins.module_utils._dkp.cluster.answers import error_of, errors, missing_rules
from ansible_collections.dkp.airgap.plugins.module_utils._dkp.rollout.reading import (
    CONTAINER,
    GROUP,
    LEADER,
    QUEUE_COMMAND,
    SYSTEM,
    Listing,
    Single,
)
from ansible_collections.dkp.airgap.plugins.module_utils._oci.errors import AirgapError, InvalidInput

ACCESS_ARGUMENTS: dict[str, Any] = {
    "access": {"type": "str", "choices": ["api", "command"], "default": "api"},
    "kubeconfig": {"type": "str"},
    "context": {"type": "str"},
    "host": {"type": "str"},
    "api_key": {"type": "str", "no_log": True},
    "ca_cert": {"type": "str"},
    "validate_certs": {"type": "bool", "default": True},
    "command": {"type": "str", "default": "kubectl"},
}
"""As `plugins/doc_fragments/_kubernetes.py` documents them."""
MANIFEST = "roles/rollout/files/rbac.yml"
Objects = dict[str, list[Mapping[str, Any]]]
_PASSES = re.compile(
    "failed calling webhook|onnection refused|onnection reset|onnection aborted|Max retries exceeded|broken pipe|"
    "Unable to connect to the server|timed out|timeout|deadline exceeded|unexpected EOF|EOF$|client connection lost|"
    "was refused - did you specify|currently unable to handle|etcdserver|ServiceUnavailable|Service Unavailable|"
    "Too Many Requests|no route to host|Failed to establish a new connection|ended without an answer|"
    "shutting down|leader changed|Remote end closed|Failed to connect to the host|apiserver not ready",
    re.IGNORECASE,
)
"""While Deckhouse restarts, nobody answers for its webhook; while the API server does, nobody answers at all."""
_UNSERVED = re.compile("the server doesn't have a resource type|no matches for kind")
_MISSING = re.compile(r"\(NotFound\)")


class Outage(AirgapError):
    """The cluster did not answer, and may do so in a while."""


class Denied(AirgapError):
    """The cluster, or the way to it, says no; asking again does not help."""


@dataclass(frozen=True)
class Runner:
    """Runs modules on the host of the task. `run` takes a name, arguments and whether in check mode."""

    run: Callable[[str, Mapping[str, Any], bool], Mapping[str, Any]]
    secret: str = ""

    def ask(self, module: str, arguments: Mapping[str, Any], *, checking: bool = False) -> Mapping[str, Any]:
        return self.run(module, {key: value for key, value in arguments.items() if value is not None}, checking)

    def problem(self, result: Mapping[str, Any]) -> str:
        """Why a module has got no answer, without secrets; empty when it has one."""
        text = error_of(result)
        return text.replace(self.secret, "***") if self.secret else text


class Access:
    """A way into one cluster. `label` is how errors call it. What was served once is known to be served."""

    label = ""

    def __init__(self, runner: Runner) -> None:
        self._runner = runner
        self._served: dict[str, str | None] = {}

    @abstractmethod
    def read(self, listings: Sequence[Listing], singles: Sequence[Single] = ()) -> Objects:
        """The objects by kind; a kind that the cluster does not serve is left out. Raises Outage and Denied."""

    @abstractmethod
    def patch(self, kind: str, name: str, patch: Mapping[str, Any], *, dry_run: bool = False) -> str:
        """Merge `patch` into an object of deckhouse.io/v1alpha1; in a server-side dry run nothing changes.

        Returns why an admission webhook denies it, or nothing. Raises Outage, and Denied for all else.
        """

    @abstractmethod
    def queue(self) -> str:
        """What the debug API of Deckhouse says of its queue. Raises Outage and Denied."""

    def _raise(self, attempt: str, results: Iterable[Mapping[str, Any]]) -> None:
        """Raise what is wrong with `results`, if anything is."""
        given = list(results)
        problems = list(dict.fromkeys(filter(None, map(self._runner.problem, given))))
        if not problems:
            return
        said = "\n".join(problems)
        lacking = [each for each in problems if missing_rules(each)]
        text = errors(({"msg": each} for each in lacking), manifest=MANIFEST) if lacking else said[:2000]
        kind = Outage if _PASSES.search(said) and not lacking else Denied
        raise kind(f"{attempt} {self.label} failed: {text}")

    def _denial(self, attempt: str, result: Mapping[str, Any]) -> str:
        found = re.search(
            r'admission webhook "[^"]+" denied the request: (.*)', self._runner.problem(result), re.DOTALL
        )
        if found:
            return found[1].strip()[:2000]
        self._raise(attempt, [result])
        return ""


class ApiAccess(Access):
    """Through kubernetes.core, which needs the Python package kubernetes on the host."""

    label = "through the API"

    def __init__(self, runner: Runner, options: Mapping[str, Any]) -> None:
        super().__init__(runner)
        keys = ("kubeconfig", "context", "host", "api_key", "ca_cert")
        self._options = {key: options[key] for key in keys if options[key]}
        if not options["validate_certs"]:
            self._options["validate_certs"] = False

    def read(self, listings: Sequence[Listing], singles: Sequence[Single] = ()) -> Objects:
        found: Objects = {}
        for listing in listings:
            listed = self._list(listing)
            if listed is not None:
                found.setdefault(listing.kind, []).extend(listed)
        for one in singles:
            wanted = {"api_version": one.version, "kind": one.kind, "namespace": one.namespace, "name": one.name}
            found.setdefault(one.kind, []).extend(self._info(wanted)["resources"])
        return found

    def patch(self, kind: str, name: str, patch: Mapping[str, Any], *, dry_run: bool = False) -> str:
        head = {"apiVersion": f"{GROUP}/v1alpha1", "kind": kind}
        metadata = {**patch.get("metadata", {}), "name": name}
        # In check mode the module makes a server-side dry run. `patched` never creates what has gone meanwhile.
        arguments = {"state": "patched", "definition": {**head, **patch, "metadata": metadata}, "merge_type": ["merge"]}
        result = self._runner.ask("kubernetes.core.k8s", {**self._options, **arguments}, checking=dry_run)
        return self._denial(f"approving {kind} {name}", result)

    def queue(self) -> str:
        pods = self._info({"api_version": "v1", "kind": "Pod", "namespace": SYSTEM, "label_selectors": list(LEADER)})
        if not pods["resources"]:
            raise Outage("no pod of Deckhouse is the leader")
        where = {"namespace": SYSTEM, "pod": pods["resources"][0]["metadata"]["name"], "container": CONTAINER}
        arguments = {**self._options, **where, "command": " ".join(QUEUE_COMMAND)}
        result = self._runner.ask("kubernetes.core.k8s_exec", arguments)
        if "stdout" not in result:
            self._raise("reading the queue", [result])
        return str(result.get("stdout") or "")

    def _list(self, listing: Listing) -> list[Mapping[str, Any]] | None:
        known = self._served.get(listing.kind)
        for version in (known,) if known else listing.versions:
            wanted = {"api_version": version, "kind": listing.kind, "field_selectors": [listing.fields]}
            result = self._info(wanted if listing.fields else {**wanted, "field_selectors": None})
            if result.get("api_found", True):
                self._served[listing.kind] = version
                return list(result["resources"])
        if known:
            # An API server that has just started does not know its custom resources yet.
            raise Outage(f"the API server does not serve {listing.kind} at the moment")
        if listing.required:
            raise Denied(_no_cluster(listing))
        return None

    def _info(self, wanted: Mapping[str, Any]) -> Mapping[str, Any]:
        arguments = {**self._options, **wanted, "hidden_fields": ["metadata.managedFields"]}
        result = self._runner.ask("kubernetes.core.k8s_info", arguments)
        self._raise(f"reading {wanted['kind']}", [result])
        return result


class CommandAccess(Access):
    """By a command on the host, which needs nothing else there."""

    def __init__(self, runner: Runner, options: Mapping[str, Any]) -> None:
        super().__init__(runner)
        if options["host"] or options["api_key"]:
            raise InvalidInput(
                "host and api_key are for access: api. On a command line everyone on that host could read the token: "
                "write a kubeconfig there, and name it in kubeconfig"
            )
        self.label = f"with the command {options['command']}"
        self._command = [
            *options["command"].split(),
            *([f"--kubeconfig={options['kubeconfig']}"] if options["kubeconfig"] else []),
            *([f"--context={options['context']}"] if options["context"] else []),
        ]

    def read(self, listings: Sequence[Listing], singles: Sequence[Single] = ()) -> Objects:
        """One call for all that is listed whole, one for what is selected, one for single objects of a namespace."""
        self._discover(listings)
        served = [each for each in listings if self._served[each.kind]]
        whole = [each for each in served if not each.fields]
        asked: list[tuple[str, ...]] = (
            [("get", ",".join(each.type_in(str(self._served[each.kind])) for each in whole))] if whole else []
        )
        asked += [
            ("get", listing.kind, "--all-namespaces", f"--field-selector={listing.fields}")
            for listing in served
            if listing.fields
        ]
        for namespace in dict.fromkeys(one.namespace for one in singles):
            names = [f"{one.kind}/{one.name}" for one in singles if one.namespace == namespace]
            asked.append(("get", "--ignore-not-found", f"--namespace={namespace}", *names))
        results = [self._run(*words, "--output=json") for words in asked]
        self._check_served(served, results)
        self._raise("reading the cluster", results)
        found: Objects = {kind: [] for kind in [*(each.kind for each in served), *(one.kind for one in singles)]}
        for result in results:
            for one in _objects_in(str(result["stdout"])):
                found[one["kind"]].append(one)
        return found

    def patch(self, kind: str, name: str, patch: Mapping[str, Any], *, dry_run: bool = False) -> str:
        options = ["--type=merge", f"--patch={json.dumps(patch)}", "--output=name"]
        options += ["--dry-run=server"] if dry_run else []
        result = self._run("patch", *options, f"{kind}.v1alpha1.{GROUP}", name)
        return self._denial(f"approving {kind} {name}", result)

    def queue(self) -> str:
        selector = f"--selector={','.join(LEADER)}"
        pods = self._run("get", "pods", f"--namespace={SYSTEM}", selector, "--output=name")
        self._raise("reading the queue", [pods])
        names = str(pods["stdout"]).split()
        if not names:
            raise Outage("no pod of Deckhouse is the leader")
        result = self._run("exec", f"--namespace={SYSTEM}", names[0], f"--container={CONTAINER}", "--", *QUEUE_COMMAND)
        self._raise("reading the queue", [result])
        return str(result["stdout"])

    def _discover(self, listings: Sequence[Listing]) -> None:
        """Learn which versions of DKP's kinds the cluster serves; every cluster serves those of Kubernetes."""
        unknown = [each for each in listings if each.kind not in self._served]
        if any(each.versions[0].startswith(GROUP) for each in unknown):
            kinds = self._kinds_by_version()
            for each in unknown:
                offered = [version for version in each.versions if each.kind in kinds.get(version, ())]
                self._served[each.kind] = offered[0] if offered else None
                if each.required and not offered:
                    raise Denied(_no_cluster(each))
        for each in unknown:
            if not each.versions[0].startswith(GROUP):
                self._served[each.kind] = each.versions[0]

    def _kinds_by_version(self) -> dict[str, set[str]]:
        group = self._run("get", "--raw", f"/apis/{GROUP}")
        if _MISSING.search(self._runner.problem(group)):
            return {}
        self._raise("asking what the cluster serves", [group])
        versions = [each["groupVersion"] for each in _decoded(str(group["stdout"])).get("versions") or ()]
        answers = [self._run("get", "--raw", f"/apis/{version}") for version in versions]
        self._raise("asking what the cluster serves", answers)
        resources = [_decoded(str(answer["stdout"])).get("resources") or () for answer in answers]
        return {version: {each["kind"] for each in found} for version, found in zip(versions, resources)}

    def _check_served(self, served: Iterable[Listing], results: Iterable[Mapping[str, Any]]) -> None:
        if any(_UNSERVED.search(self._runner.problem(each)) for each in results):
            kinds = ", ".join(each.kind for each in served)
            raise Outage(f"the API server does not serve all of {kinds} at the moment")

    def _run(self, *words: str) -> Mapping[str, Any]:
        return self._runner.ask("ansible.builtin.command", {"argv": [*self._command, *words]})


def _no_cluster(listing: Listing) -> str:
    return (
        f"this is not a DKP cluster: its API server does not serve {listing.kind} of {GROUP}. Check to which "
        "cluster the "
        "access leads"
    )


def _objects_in(answer: str) -> list[Mapping[str, Any]]:
    """The objects in what kubectl prints: a list, one object, or nothing."""
    if not answer.strip():
        return []
    document = _decoded(answer)
    return list(document["items"]) if "items" in document else [document]


def _decoded(answer: str) -> dict[str, Any]:
    try:
        document = json.loads(answer)
    except ValueError as error:
        raise Denied(f"the command did not answer in JSON: {answer[:200]!r}") from error
    return dict(document)
