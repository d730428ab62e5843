# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What requirements of releases look at besides versions (dkp-cluster.md §4.2), and what else stands in the way."""

from __future__ import annotations

from typing import Any

from ..fields import flag, items, mapping, text
from .facts import Alert, CloudCondition, IngressController
from .objects import KubernetesObject, Observed, config_json
from .platform import KUBE_SYSTEM, settings
from .values import label_texts, text_or_number, word, words

APPROVAL_WEBHOOK = "deckhouse-releases.deckhouse-webhook.deckhouse.io"
_FIRING = "firing"


def ingress_controllers(observed: Observed) -> dict[str, IngressController] | None:
    """The IngressNginxControllers by name; None when they were not read."""
    if not observed.has("IngressNginxController"):
        return None
    return {
        each.name: IngressController(
            version=each.read("spec.controllerVersion", word),
            ingress_class=each.read("spec.ingressClass", word),
        )
        for each in observed.all("IngressNginxController")
    }


def ingress_default(observed: Observed) -> str | None:
    """The version of controllers that state none, if ModuleConfig ``ingress-nginx`` sets it."""
    found = settings(observed, "ingress-nginx").read("spec.settings.defaultControllerVersion", word)
    return str(found) if found else None


def istio_versions(observed: Observed) -> tuple[str, ...] | None:
    """The versions that ModuleConfig ``istio`` sets; empty when it sets none, None when ModuleConfigs were not read."""
    if not observed.has("ModuleConfig"):
        return None
    found = settings(observed, "istio")
    main = found.read("spec.settings.globalVersion", word)
    others: tuple[str, ...] = found.read("spec.settings.additionalVersions", words) or ()
    return tuple(dict.fromkeys([*([main] if main else []), *others]))


def cloud_conditions(observed: Observed) -> tuple[CloudCondition, ...] | None:
    """What ConfigMap ``d8-cloud-provider-conditions`` lists; empty without it, None when ConfigMaps were not read."""
    if not observed.has("ConfigMap"):
        return None
    document = config_json(
        observed.get("ConfigMap", "d8-cloud-provider-conditions", namespace=KUBE_SYSTEM), "conditions"
    )
    found: tuple[CloudCondition, ...] | None = document.read("@", _conditions) if document is not None else None
    return found or ()


def alerts(observed: Observed) -> tuple[Alert, ...] | None:
    """The ClusterAlerts that fire, those without a status too; None when they were not read."""
    if not observed.has("ClusterAlert"):
        return None
    firing = [each for each in observed.all("ClusterAlert") if _status(each) == _FIRING]
    return tuple(
        Alert(
            name=each.read("alert.name", word) or each.name,
            severity=each.read("alert.severityLevel", text_or_number),
            summary=each.read("alert.summary", text) or "",
            labels=each.read("alert.labels", label_texts) or {},
        )
        for each in firing
    )


def approval_webhook(observed: Observed) -> bool | None:
    """Whether the cluster judges approvals itself (§1.8); None when webhook configurations were not read."""
    if not observed.has("ValidatingWebhookConfiguration"):
        return None
    hooks = [name for each in observed.all("ValidatingWebhookConfiguration") for name in _hooks(each)]
    return APPROVAL_WEBHOOK in hooks


def _status(alert: KubernetesObject) -> str:
    return alert.read("status.alertStatus", word) or _FIRING


def _hooks(configuration: KubernetesObject) -> tuple[str, ...]:
    return configuration.read("webhooks[].name", words) or ()


def _conditions(value: Any, where: str) -> tuple[CloudCondition, ...]:
    found = []
    for item, place in items(value, where):
        content = mapping(item, place)
        message = content.get("message")
        found.append(
            CloudCondition(
                name=text(content.get("name"), f"{place}.name"),
                ok=flag(content.get("ok"), f"{place}.ok"),
                message="" if message is None else text(message, f"{place}.message"),
            )
        )
    return tuple(found)
