# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What else can be seen of a registry, or has to be asked of whoever runs it (registry-quirks §10–§18)."""

from __future__ import annotations

from collections.abc import Iterator

from .._dkp import tree
from .._dkp.counting import counted
from .._dkp.findings import Finding
from .._dkp.nearest import listed
from .._registry.kinds import ARTIFACTORY, ECR, GITEA, GITLAB, HARBOR, NEXUS, QUAY, ZOT
from .._registry.probing import DENIED, UNSUPPORTED
from .._registry.redaction import one_line
from .demand import Demand
from .preflight_answers import Answers
from .preflight_refusals import refuses_credentials

EXEMPT = "Exempt tags that match ^[0-9a-f]{64}$ from every rule that deletes by age, number or last use"
_SHORT_LIFE = 30.0
_SKEW = 300.0
_LONGEST_NAME = 80
_TYPES = {
    QUAY: (
        "Quay refuses artifacts of unknown media types, and vulnerability databases are such",
        "Set FEATURE_GENERAL_OCI_SUPPORT and add application/vnd.aquasec.trivy.config.v1+json to "
        "ALLOWED_OCI_ARTIFACT_TYPES, or set IGNORE_UNKNOWN_MEDIATYPES: true",
    ),
    GITEA: (
        "Gitea may refuse artifacts of unknown media types (501)",
        "Push the databases first (security_db) and see",
    ),
}
_FIXED = {
    ECR: "Set tag immutability of these repositories to MUTABLE",
    HARBOR: "Exempt release channels from the project's tag immutability rules",
    NEXUS: "Set the deployment policy of the repository to Allow redeploy",
    ARTIFACTORY: "Give the account the permission Delete/Overwrite besides Deploy",
    QUAY: "Remove the immutability policy for these repositories",
}
_COLLECTORS = {
    HARBOR: "Its garbage collection deletes untagged artifacts by default, and retention rules delete tagged ones",
    GITLAB: "It deletes untagged manifests after a day, and clean-up policies delete tagged ones",
    ZOT: "It deletes untagged manifests unless retention.keepUntagged or gc says otherwise",
    QUAY: "It deletes what has no tag after a while",
    ECR: "Lifecycle policies delete untagged images and old ones",
    NEXUS: "Clean-up policies delete by age and last download",
    ARTIFACTORY: "Clean-up policies delete by age and last download",
}
_LIMITED = ("nginx", "cloudflare", "openresty")


def advise(answers: Answers, demand: Demand, address: str, *, probed: bool) -> Iterator[Finding]:
    """Findings about everything but refused uploads, in the order R2, R4, R5, R6 and then those without a number."""
    if refuses_credentials(answers):
        return
    yield from _lists(answers, demand, address)
    yield from _names(answers, demand, address)
    yield from _retention(answers, address)
    yield from _room(answers, demand, address)
    yield from _types(answers, demand, address)
    yield from _moving_tags(answers, demand, address, probed)
    yield from _habits(answers, address)
    yield from _tokens(answers, address)


def _lists(answers: Answers, demand: Demand, address: str) -> Iterator[Finding]:
    if answers.unlisted:
        error, *_others = answers.unlisted.values()
        names = listed([path or "the root" for path in answers.unlisted])
        message = (
            f"{address} does not list the tags of {names}: {str(error).rstrip('.')}. Deckhouse finds releases and "
            "modules in these lists"
        )
        hint = "Grant the account the right to list tags; a registry that cannot list them cannot serve DKP"
        yield Finding("R2", "error", address, message, hint)
    elif not answers.tags and any(path not in answers.refused for path in demand.paths):
        message = f"{address} has none of the repositories yet, so whether it lists their tags cannot be seen"
        yield Finding("R2", "info", address, message, "The check after the push tells")


def _names(answers: Answers, demand: Demand, address: str) -> Iterator[Finding]:
    doubled = [path for path in demand.paths if "--" in path and path not in answers.refused]
    if answers.greeting.kind == GITLAB and doubled:
        message = f"GitLab refuses some names with two dashes in a row, as in {listed(doubled)}"
        yield Finding("R4", "warning", address, message, "Push these modules first and see, or use another registry")


def _retention(answers: Answers, address: str) -> Iterator[Finding]:
    kind, project = answers.greeting.kind, answers.project
    if project is not None and project.retention:
        message = "the project has a tag retention policy, which may delete images that DKP needs"
        yield Finding("R5", "warning", address, message, EXEMPT)
        return
    told = f". {_COLLECTORS[kind]}" if kind in _COLLECTORS else ""
    message = f"whether {address} deletes images that DKP needs (retention, garbage collection) cannot be seen{told}"
    yield Finding("R5", "unknown", address, message, EXEMPT)


def _room(answers: Answers, demand: Demand, address: str) -> Iterator[Finding]:
    sent = f"{counted(demand.bytes, 'byte')} will be sent at most" if demand.bytes is not None else ""
    quota = answers.project.quota if answers.project is not None else None
    if quota is None:
        message = f"how much room {address} has cannot be seen" + (f"; {sent}" if sent else "")
        yield Finding("R6", "unknown", address, message, "Look at the registry's storage before the push")
    elif quota.limit is not None:
        left = max(0, quota.limit - quota.used)
        full = left == 0 or (demand.bytes is not None and demand.bytes > left)
        message = f"the quota of the project leaves {counted(left, 'byte')}" + (f"; {sent}" if sent else "")
        hint = "Raise the quota; what is there already is not sent again" if full else "Nothing has to be done"
        yield Finding("R6", "warning" if full else "info", address, message, hint)


def _types(answers: Answers, demand: Demand, address: str) -> Iterator[Finding]:
    kind = answers.greeting.kind
    waiting = [path for path in demand.databases if not answers.tags.get(path)]
    if waiting and kind in _TYPES:
        yield Finding("media_types", "warning", address, _TYPES[kind][0], _TYPES[kind][1])
    if kind == ZOT and not answers.tags.get(tree.ROOT):
        message = "zot refuses images of docker's media types, which DKP's are, unless it is told to take them"
        yield Finding("media_types", "warning", address, message, 'Set http.compat: ["docker2s2"] (zot 2.1.2 or newer)')


def _moving_tags(answers: Answers, demand: Demand, address: str, probed: bool) -> Iterator[Finding]:
    kind = answers.greeting.kind
    rules = answers.project.fixed if answers.project is not None else None
    if answers.fixed:
        error, *_others = answers.fixed.values()
        message = f"{address} does not let {listed(list(answers.fixed))} be written again: {str(error).rstrip('.')}"
        hint = _FIXED.get(kind, "Exempt release channels, databases and installer:latest from immutability")
        yield Finding("immutable_tags", "error", address, message, hint)
    elif rules:
        message = f"the project has rules by which tags never move ({listed(rules)}); channels and databases have to"
        yield Finding("immutable_tags", "warning", address, message, _FIXED[kind])
    elif rules is None and kind in _FIXED and demand.pointers and not answers.rewritten:
        message = f"{kind} can be set to tags that never move; release channels and databases have to"
        tried = "" if probed else "; with probe_tags: true those that are there are tried"
        yield Finding("immutable_tags", "unknown", address, message, f"{_FIXED[kind]}{tried}")


def _habits(answers: Answers, address: str) -> Iterator[Finding]:
    if answers.deletion in (UNSUPPORTED, DENIED):
        why = (
            "the registry does not support it" if answers.deletion == UNSUPPORTED else "the account has no right to it"
        )
        message = f"old releases cannot be deleted through {address}: {why}"
        yield Finding(
            "deletion", "info", address, message, "Nothing here ever deletes; it matters for your clean-up only"
        )
    seen = " ".join(answers.greeting.headers.get(name, "") for name in ("server", "via")).lower()
    if any(word in seen for word in _LIMITED):
        name = one_line(seen, longest=_LONGEST_NAME)
        message = f"a proxy ({name}) stands before {address}, and may limit the size of uploads"
        hint = "Large images are sent in pieces where they are refused; client_max_body_size 0 makes it faster"
        yield Finding("body_size", "info", address, message, hint)
    if answers.left:
        message = f"uploads that were opened to ask could not be cancelled ({listed(answers.left)}); they hold no data"
        yield Finding("leftovers", "info", address, message, "The registry's own clean-up of old uploads takes them")


def _tokens(answers: Answers, address: str) -> Iterator[Finding]:
    life, skew = answers.token_life, answers.greeting.skew
    if life is not None and life < _SHORT_LIFE:
        message = f"tokens of {address} live for {life:.0f} s; each is asked for again, and uploads may end in between"
        yield Finding("R1", "warning", "tokens", message, "Let tokens live for five minutes or longer")
    if skew is not None and abs(skew) > _SKEW:
        message = f"the clocks of this host and of {address} differ by {abs(skew):.0f} s; tokens may fail"
        yield Finding("R1", "warning", "clocks", message, "Set the clocks of both by the same source")
