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


class Forbidden(Denied):
    """Rights are missing, which the text names."""


@dataclass(frozen=True)
class Runner:
    """Runs modules on the host of the task. `run` takes a name, arguments and whether in check mode."""

    run: Callable[[str, Mapping[str, Any], bool], Mapping[str, Any]]
    cluster: str
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
    def execute(self, command: Sequence[str]) -> str:
        """What a command prints inside of the pod of Deckhouse that leads. Raises Outage and Denied."""

    def _raise(self, attempt: str, results: Iterable[Mapping[str, Any]]) -> None:
        """Raise what is wrong with `results`, if anything is."""
        given = list(results)
        problems = list(dict.fromkeys(filter(None, map(self._runner.problem, given))))
        if not problems:
            return
        said = "\n".join(problems)
        lacking = [each for each in problems if missing_rules(each)]
        text = errors(({"msg": each} for each in lacking), manifest=MANIFEST) if lacking else said[:2000]
        kind = Forbidden if lacking else Outage if _PASSES.search(said) else Denied
        raise kind(f"{self._runner.cluster}: {attempt} {self.label} failed: {text}")

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

    def execute(self, command: Sequence[str]) -> str:
        pods = self._info({"api_version": "v1", "kind": "Pod", "namespace": SYSTEM, "label_selectors": list(LEADER)})
        if not pods["resources"]:
            raise Outage("no pod of Deckhouse is the leader")
        where = {"namespace": SYSTEM, "pod": pods["resources"][0]["metadata"]["name"], "container": CONTAINER}
        arguments = {**self._options, **where, "command": " ".join(command)}
        result = self._runner.ask("kubernetes.core.k8s_exec", arguments)
        self._raise("a command in the pod of Deckhouse", [result])
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
        """One call for all that is listed whole, one for what is selected, one for single objects of a namespace.

        What the cluster serves is asked for only where it does not serve the newest versions that are known here.
        """
        known = all(each.kind in self._served for each in listings)
        guessed = {each.kind: each.versions[0] for each in listings}
        results = self._get(listings, singles, {**guessed, **self._served})
        if any(_UNSERVED.search(self._runner.problem(each)) for each in results):
            if known:
                # An API server that has just started does not know its custom resources yet.
                raise Outage("the API server does not serve all kinds of DKP at the moment")
            self._discover(listings)
            results = self._get(listings, singles, self._served)
        self._raise("reading the cluster", results)
        self._served = {**guessed, **self._served}
        kinds = [each.kind for each in listings if self._served[each.kind]] + [one.kind for one in singles]
        found: Objects = {kind: [] for kind in kinds}
        for result in results:
            for one in _objects_in(str(result["stdout"])):
                found[one["kind"]].append(one)
        return found

    def _get(
        self, listings: Sequence[Listing], singles: Sequence[Single], versions: Mapping[str, str | None]
    ) -> list[Mapping[str, Any]]:
        served = [each for each in listings if versions[each.kind]]
        types = ",".join(each.type_in(str(versions[each.kind])) for each in served if not each.fields)
        asked: list[tuple[str, ...]] = [(types,)] if types else []
        asked += [(each.kind, "--all-namespaces", f"--field-selector={each.fields}") for each in served if each.fields]
        for namespace in dict.fromkeys(one.namespace for one in singles):
            names = [f"{one.kind}/{one.name}" for one in singles if one.namespace == namespace]
            asked.append(("--ignore-not-found", f"--namespace={namespace}", *names))
        return [self._run("get", *words, "--output=json") for words in asked]

    def patch(self, kind: str, name: str, patch: Mapping[str, Any], *, dry_run: bool = False) -> str:
        options = ["--type=merge", f"--patch={json.dumps(patch)}", "--output=name"]
        options += ["--dry-run=server"] if dry_run else []
        result = self._run("patch", *options, f"{kind}.v1alpha1.{GROUP}", name)
        return self._denial(f"approving {kind} {name}", result)

    def execute(self, command: Sequence[str]) -> str:
        selector = f"--selector={','.join(LEADER)}"
        pods = self._run("get", "pods", f"--namespace={SYSTEM}", selector, "--output=name")
        self._raise("reading Pod", [pods])
        names = str(pods["stdout"]).split()
        if not names:
            raise Outage("no pod of Deckhouse is the leader")
        result = self._run("exec", f"--namespace={SYSTEM}", names[0], f"--container={CONTAINER}", "--", *command)
        self._raise("a command in the pod of Deckhouse", [result])
        return str(result["stdout"])

    def _discover(self, listings: Sequence[Listing]) -> None:
        """Learn which versions of DKP's kinds the cluster serves; every cluster serves those of Kubernetes."""
        kinds = self._kinds_by_version()
        for each in listings:
            is_ours = each.versions[0].startswith(GROUP)
            offered = [version for version in each.versions if not is_ours or each.kind in kinds.get(version, ())]
            self._served[each.kind] = offered[0] if offered else None
            if each.required and not offered:
                raise Denied(_no_cluster(each))

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
