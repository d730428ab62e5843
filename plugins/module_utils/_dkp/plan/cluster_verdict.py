# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the cluster itself said of the platform's steps, in a server-side dry run (dkp-cluster.md §1.8).

It is exact for the next step only: what holds before a later one, the steps until then may change.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from ..fields import described, flag, record_of, text, tuple_of
from ..fields import version as version_field
from ..findings import Finding
from ..subject import PLATFORM
from ..version import Version

ID = "cluster_verdict"


@dataclass(frozen=True)
class ClusterVerdict:
    """Whether the cluster would approve `version`; null where it could not be asked, `message` says why."""

    version: Version = described(version_field)
    accepted: bool | None = described(flag, None)
    message: str = described(text, "")


def parse_verdicts(value: object, where: str) -> tuple[ClusterVerdict, ...]:
    """Read a list of ``{version, accepted, message}``; raises InvalidInput with the path of the field."""
    return tuple(tuple_of(record_of(ClusterVerdict))(value, where))


def join_verdicts(
    findings: Iterable[Finding], steps: Sequence[Version], verdicts: Iterable[ClusterVerdict]
) -> tuple[Finding, ...]:
    """Our findings and the cluster's own beside each other. Where it accepts the next step, what we could not judge of
    that step is settled."""
    said = {verdict.version: verdict for verdict in verdicts}
    joined = list(findings)
    for number, step in enumerate(steps):
        verdict = said.get(step)
        if verdict is None:
            continue
        joined.append(_finding(step, verdict, is_next=number == 0))
        if verdict.accepted and number == 0:
            joined = [_settled(finding, step) for finding in joined]
    return tuple(joined)


def _finding(step: Version, verdict: ClusterVerdict, *, is_next: bool) -> Finding:
    subject, told = str(step), f": {verdict.message}" if verdict.message else ""
    if verdict.accepted is None:
        hint = "Our own verdict stands alone; look at the release's message once it is there"
        return Finding(ID, "info", subject, f"the cluster could not be asked about {step}{told}", hint)
    if verdict.accepted:
        return Finding(ID, "info", subject, f"the cluster itself would accept {step}{told}", "Nothing to do")
    severity = "error" if is_next else "warning"
    hint = "Do what it asks for" if is_next else "The steps before may change that; ask again before it is approved"
    return Finding(ID, severity, subject, f"the cluster itself would refuse {step}{told}", hint)


def _settled(finding: Finding, step: Version) -> Finding:
    if (finding.id, finding.severity, finding.subject) != (PLATFORM.requirement, "unknown", str(step)):
        return finding
    return replace(finding, severity="info", hint="Nothing to do: the cluster itself accepts this step")
