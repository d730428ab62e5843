# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What came of a push, and the one error for all that was refused."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from .._dkp.findings import Finding
from .._oci.errors import AirgapError
from .uploads import Tally

_NAMED = 5


@dataclass(frozen=True)
class TagChange:
    """A tag before and after; `repository` below the root."""

    repository: str
    tag: str
    before: str | None
    after: str | None

    def as_dict(self) -> dict[str, str | None]:
        return {"repository": self.repository, "tag": self.tag, "before": self.before, "after": self.after}


@dataclass(frozen=True)
class PushResult:
    """What came of it; in check mode, what would."""

    changed: bool
    uploaded: Tally
    mounted: Tally
    present: Tally
    tags: tuple[TagChange, ...]
    other_tags_written: int
    other_tags_present: int
    findings: tuple[Finding, ...]


def digests_of(changes: Iterable[TagChange]) -> dict[str, dict[str, str]]:
    """Digests before and after, by ``repository:tag``, of the tags that change: what Ansible shows as a difference."""
    before, after = {}, {}
    for change in changes:
        if change.before != change.after:
            name = f"{change.repository}:{change.tag}"
            before.update({name: change.before} if change.before else {})
            after.update({name: change.after} if change.after else {})
    return {"before": before, "after": after}


def refused(failures: Mapping[str, AirgapError], *, parts: int, target: str) -> AirgapError:
    """The error for a push of which some of the `parts` (by name) failed."""
    texts = {name: str(error) for name, error in sorted(failures.items())}
    shown = [f"{name}: {text}" for name, text in texts.items()][:_NAMED]
    more = f" | and {len(texts) - len(shown)} more" if len(texts) > len(shown) else ""
    return AirgapError(
        f"{len(texts)} of {parts} parts of the bundle could not be pushed to {target}, and pointers to them were not "
        f"written: {' | '.join(shown)}{more}. Mend that and run the push again: what was uploaded is not sent again",
        failures=dict(list(texts.items())[:100]),
    )


def named(names: list[str]) -> str:
    """The first few of `names` for a message, and how many more there are."""
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more
