# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which policy, channel and mode a module really follows (dkp-cluster.md §2.8)."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass

from .facts import ModuleFacts, SourceFacts
from .objects import Observed
from .platform import platform_channel, update_mode
from .policies import Policy, policies, selecting_policy
from .sources import sources

POLICY_LABEL = "modules.deckhouse.io/update-policy"


@dataclass(frozen=True)
class Following:
    """What modules can follow: policies (None when they were not read), and what the platform and the sources set."""

    policies: Mapping[str, Policy] | None
    channel: str | None
    mode: str
    sources: Mapping[str, SourceFacts]

    @classmethod
    def of(cls, observed: Observed) -> Following:
        """What there is to follow in a cluster."""
        return cls(policies(observed), platform_channel(observed), update_mode(observed), sources(observed) or {})


@dataclass(frozen=True)
class Follower:
    """What a module says of what it follows.

    `configured`: the policy that its ModuleConfig names; `mirrored`: the one that its Module names; `labels`: of its
    newest release; `shown_channel`: the channel that its Module shows; `is_new`: its Module is of the new schema.
    """

    configured: str | None
    mirrored: str | None
    shown_channel: str | None
    source: str | None
    labels: Mapping[str, str]
    is_new: bool


def followed(facts: ModuleFacts, follower: Follower, following: Following) -> ModuleFacts:
    """`facts` with policy, channel and update mode.

    With a policy both are the policy's. Without one the channel is the platform's ("embedded" policy); of a module of
    the old schema the deprecated one of its source, where that sets one. A policy that is named while policies were
    not read leaves the mode open, and the channel to what the Module shows.
    """
    if following.policies is None and (follower.configured or follower.mirrored):
        name = follower.configured or follower.mirrored
        return dataclasses.replace(facts, policy=name, channel=follower.shown_channel)
    known = following.policies or {}
    name = _policy(follower, known)
    if name is not None:
        policy = known[name].facts
        return dataclasses.replace(facts, policy=name, channel=policy.channel, update_mode=policy.mode)
    source = following.sources.get(follower.source or "")
    default = source.channel if source is not None and not follower.is_new else None
    channel = default or following.channel or follower.shown_channel
    return dataclasses.replace(facts, channel=channel, update_mode=following.mode)


def _policy(follower: Follower, known: Mapping[str, Policy]) -> str | None:
    """The policy that is followed: of ModuleConfig, else of the Module, else by the label of the newest release, else
    the one whose selector matches. A name that no policy has is passed over.

    The label and selectors belong to the generation of policies that select (v1alpha1). A Module of the new schema
    names its policy itself, so that a label left from a policy it no longer follows says nothing.
    """
    for name in (follower.configured, follower.mirrored):
        if name in known:
            return name
    label = follower.labels.get(POLICY_LABEL)
    if label is not None and label in known and (known[label].selects or not follower.is_new):
        return label
    return None if label == "" else selecting_policy(known, follower.labels)
