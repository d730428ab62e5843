# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Nodes (dkp-cluster.md §4.2)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ..version import parse_version
from .facts import NodeFacts
from .objects import KubernetesObject, Observed
from .values import bare_version, label_texts, word

_GROUP = "node.deckhouse.io/group"
_CONTROL_PLANE = ("node-role.kubernetes.io/control-plane", "node-role.kubernetes.io/master")


def nodes(observed: Observed) -> dict[str, NodeFacts] | None:
    """The nodes by name; None when they were not read."""
    if not observed.has("Node"):
        return None
    return {each.name: _node(each) for each in observed.all("Node")}


def lowest_kubelet(known: Mapping[str, NodeFacts] | None) -> str | None:
    """The lowest kubelet of all nodes, which requirement ``k8s`` compares; None when one of them does not tell."""
    return _lowest((known or {}).values())


def lowest_control_plane(known: Mapping[str, NodeFacts] | None) -> str | None:
    """The lowest kubelet of the nodes labelled as control plane, or of all where none is: the Kubernetes version."""
    every = list((known or {}).values())
    return _lowest([each for each in every if each.control_plane] or every)


def _lowest(some: Iterable[NodeFacts]) -> str | None:
    stated = [each.kubelet for each in some]
    versions = [(parse_version(each), each) for each in stated if each is not None]
    known = [(version, each) for version, each in versions if version is not None]
    return min(known)[1] if known and len(known) == len(stated) else None


def _node(node: KubernetesObject) -> NodeFacts:
    labels: dict[str, str] = node.read("metadata.labels", label_texts) or {}
    return NodeFacts(
        kubelet=_info(node, "kubeletVersion", bare_version),
        group=labels.get(_GROUP) or None,
        control_plane=any(label in labels for label in _CONTROL_PLANE),
        os_image=_info(node, "osImage", word),
        kernel=_info(node, "kernelVersion", word),
        runtime=_info(node, "containerRuntimeVersion", word),
        labels=labels,
    )


def _info(node: KubernetesObject, field: str, reader: Any) -> Any:
    return node.read(f"status.nodeInfo.{field}", reader)
