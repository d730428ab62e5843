# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""ModuleUpdatePolicies of both generations, and which one a module follows (dkp-cluster.md §2.5, §2.8)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..._oci.errors import InvalidInput
from ..fields import choice_of, items, mapping, text
from .facts import UPDATE_MODES, PolicyFacts
from .objects import KubernetesObject, Observed
from .values import channel_word, label_texts, update_windows, words

_DEFAULT_CHANNEL = "stable"
_DEFAULT_MODE = "Auto"
_SELECTOR = "spec.moduleReleaseSelector"
_OPERATORS = ("In", "NotIn", "Exists", "DoesNotExist")


@dataclass(frozen=True)
class Expression:
    """One of a selector's `matchExpressions`."""

    key: str
    operator: str
    values: tuple[str, ...] = ()

    def __str__(self) -> str:
        values = f" ({', '.join(self.values)})" if self.values else ""
        return f"{self.key} {self.operator}{values}"

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether `labels` are as it says; like Kubernetes, NotIn takes objects without the label too."""
        if self.operator in ("Exists", "DoesNotExist"):
            return (self.key in labels) == (self.operator == "Exists")
        return (labels.get(self.key) in self.values) == (self.operator == "In")


@dataclass(frozen=True)
class Policy:
    """A policy and, of v1alpha1, what it selects; `selects` tells that generation from the one linked by name."""

    facts: PolicyFacts
    selects: bool = False
    expressions: tuple[Expression, ...] = field(default=())

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether a v1alpha1 policy selects releases with `labels`; an empty selector selects all."""
        wanted = self.facts.selector.items()
        return self.selects and wanted <= labels.items() and all(each.matches(labels) for each in self.expressions)


def policies(observed: Observed) -> dict[str, Policy] | None:
    """The policies by name; None when they were not read."""
    if not observed.has("ModuleUpdatePolicy"):
        return None
    return {each.name: _policy(each) for each in observed.all("ModuleUpdatePolicy")}


def selecting_policy(known: Mapping[str, Policy], labels: Mapping[str, str]) -> str | None:
    """The one v1alpha1 policy whose selector matches `labels`; None when none does, or more than one.

    Deckhouse takes two that match for a mistake and follows neither.
    """
    found = [name for name, policy in known.items() if policy.matches(labels)]
    return found[0] if len(found) == 1 else None


def _policy(policy: KubernetesObject) -> Policy:
    """Channel and mode have the defaults of the CRD: Stable and Auto."""
    expressions: tuple[Expression, ...] = policy.read(f"{_SELECTOR}.labelSelector.matchExpressions", _expressions) or ()
    return Policy(
        PolicyFacts(
            channel=policy.read("spec.releaseChannel", channel_word) or _DEFAULT_CHANNEL,
            mode=policy.read("spec.update.mode", choice_of(*UPDATE_MODES)) or _DEFAULT_MODE,
            windows=policy.read("spec.update.windows", update_windows) or (),
            selector=policy.read(f"{_SELECTOR}.labelSelector.matchLabels", label_texts) or {},
            selector_expressions=tuple(map(str, expressions)),
        ),
        selects=policy.read(_SELECTOR, mapping) is not None,
        expressions=expressions,
    )


def _expressions(value: Any, where: str) -> tuple[Expression, ...]:
    return tuple(_expression(item, place) for item, place in items(value, where))


def _expression(value: Any, where: str) -> Expression:
    content = mapping(value, where)
    operator = choice_of(*_OPERATORS)(content.get("operator"), f"{where}.operator")
    if operator in ("In", "NotIn") and not content.get("values"):
        raise InvalidInput(f"{where}.values: is missing")
    return Expression(
        text(content.get("key"), f"{where}.key"), operator, words(content.get("values"), f"{where}.values")
    )
