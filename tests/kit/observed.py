# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Objects of `clusters` in the shape in which they are read: lists by kind."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

from .kube_client import KubeObject

READ = (
    *("ClusterAlert", "ConfigMap", "DeckhouseRelease", "Deployment", "IngressNginxController", "Module"),
    *("ModuleConfig", "ModulePullOverride", "ModuleRelease", "ModuleSource", "ModuleUpdatePolicy", "Node"),
    *("NodeGroup", "Secret", "ValidatingWebhookConfiguration"),
)


def observed(objects: Iterable[KubeObject], *, unread: Collection[str] = ()) -> dict[str, Any]:
    """`objects` by kind; kinds of which there are none are empty, those of `unread` are left out."""
    found: dict[str, Any] = {kind: [] for kind in READ if kind not in unread}
    for each in objects:
        if each["kind"] in found:
            found[each["kind"]].append(each)
    return found
