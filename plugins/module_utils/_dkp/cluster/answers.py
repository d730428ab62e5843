# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a cluster answered to a task that asked it, through kubectl or the modules of kubernetes.core.

Both tell the reason of an API server in the middle of something longer, each in its own way.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

_SUCCESS = ("apis", "resources", "method")
"""Keys of results that only come with an answer: of k8s_cluster_info, k8s_info and k8s."""
_STATUS = re.compile(r'\{"kind":"Status".*\}')
_BYTES = re.compile(r"""b(?:'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")""")
_PREFIX = re.compile("^Task failed: (?:Module failed: )?")
_HTTP_STATUS = re.compile(r"\(?(\d{3})\)?\s+Reason: (.+)")
_FORBIDDEN = re.compile(
    r'(?:(?P<object>[^\s"]+) "(?P<name>[^"]+)" is forbidden: )?'
    r'User "(?P<user>[^"]*)" cannot (?P<verb>\w+) resource "(?P<resource>[^"]+)" in API group "(?P<group>[^"]*)"'
    r'(?: in the namespace "(?P<namespace>[^"]+)")?'
)
_FORBIDDEN_PATH = re.compile(r'User "(?P<user>[^"]*)" cannot (?P<verb>\w+) path "(?P<path>[^"]+)"')
_DENIED = re.compile(r'admission webhook "[^"]+" denied the request: (.*)', re.DOTALL)
_SILENT = "the module ended without an answer and without a reason, as it does when the API server is not there"
_LONGEST = 2000
"""Characters of an answer that are repeated."""


@dataclass(frozen=True)
class MissingRule:
    """A rule of RBAC that `user` lacks; `namespace` is empty for one of a ClusterRole."""

    user: str
    rule: str
    namespace: str = ""

    def __str__(self) -> str:
        return f"{self.rule} in the namespace {self.namespace}" if self.namespace else self.rule


@dataclass(frozen=True)
class Verdict:
    """Whether the cluster would accept an approval (dkp-cluster.md §1.8); `accepted` is None where it did not say."""

    accepted: bool | None
    message: str


def error_of(result: Mapping[str, Any]) -> str:
    """Why the task with this `result` got no answer, in the words of whoever refused; empty when it got one."""
    if result.get("skipped") or any(key in result for key in _SUCCESS):
        return ""
    if "stderr" in result and result.get("rc") == 0:
        return ""
    told = [str(result.get(key) or "") for key in ("stderr", "module_stderr", "msg", "exception")]
    text = next((each for each in told if each.strip()), "")
    return _reason(_BYTES.sub(_decoded, _PREFIX.sub("", text.strip()))) or _SILENT


def errors(results: Iterable[Mapping[str, Any]], *, manifest: str) -> str:
    """What went wrong in the tasks with these `results`, for a reader; empty when nothing did.

    Missing rights of all of them come first, as rules, with the `manifest` that grants them.
    """
    texts = list(dict.fromkeys(filter(None, map(error_of, results))))
    missing = missing_rules("\n".join(texts))
    if missing:
        return _lacking(missing, manifest)
    return "\n".join(texts)[:_LONGEST]


def missing_rules(text: str) -> list[MissingRule]:
    """The rules that API servers name in `text`, each once, in the order of their appearance."""
    plain = text.replace("\\", "")
    found = [
        MissingRule(each["user"], _rule_of(each), each["namespace"] or "") for each in _FORBIDDEN.finditer(plain)
    ] + [
        MissingRule(each["user"], f'{{nonResourceURLs: ["{each["path"]}"], verbs: ["{each["verb"]}"]}}')
        for each in _FORBIDDEN_PATH.finditer(plain)
    ]
    return list(dict.fromkeys(found))


def verdict(result: Mapping[str, Any], *, manifest: str) -> Verdict:
    """What the cluster said to the dry run of an approval that ended with `result`.

    A refusal is what an admission webhook denies. Anything else that goes wrong is no verdict, for which the message
    gives the reason.
    """
    error = error_of(result)
    if not error:
        return Verdict(True, "")
    denied = _DENIED.search(error)
    if denied:
        return Verdict(False, denied[1].strip()[:_LONGEST])
    missing = missing_rules(error)
    return Verdict(None, _lacking(missing, manifest) if missing else error[:_LONGEST])


def _rule_of(found: re.Match[str]) -> str:
    names = f', resourceNames: ["{found["name"]}"]' if found["name"] and found["namespace"] else ""
    return f'{{apiGroups: ["{found["group"]}"], resources: ["{found["resource"]}"]{names}, verbs: ["{found["verb"]}"]}}'


def _lacking(missing: Iterable[MissingRule], manifest: str) -> str:
    rules = list(missing)
    users = ", ".join(dict.fromkeys(each.user for each in rules))
    listed = "; ".join(map(str, rules))
    return (
        f"the cluster does not let the user {users} do this. Missing rules of RBAC: {listed}. "
        f"The manifest {manifest} of this collection grants them; whoever administers the cluster applies it"
    )


def _reason(text: str) -> str:
    """The message of the API server's Status in `text`, or the whole of it; of a traceback the last line."""
    status = _STATUS.search(text)
    if status:
        try:
            return str(json.loads(status[0])["message"])
        except (ValueError, KeyError):
            return status[0]  # cut off, or not what it looked like
    reason = _HTTP_STATUS.search(text)
    if reason:
        return f"{reason[1]} {reason[2]}"
    return text.splitlines()[-1] if text.startswith("Traceback ") else text


def _decoded(found: re.Match[str]) -> str:
    """What Python's notation of bytes means, as older versions of the package kubernetes put answers into errors."""
    try:
        return bytes(ast.literal_eval(found[0])).decode("utf-8", "replace")
    except (ValueError, SyntaxError):
        return found[0]
