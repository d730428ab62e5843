# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How the cluster's version of Kubernetes is set: pinned, or left to DKP (dkp-cluster.md §3.1, §3.2)."""

from __future__ import annotations

from typing import Any

from ..fields import text
from .facts import AUTOMATIC, KubernetesSetting
from .objects import KubernetesObject, Observed, config_yaml, secret_document, secret_value
from .platform import KUBE_SYSTEM, settings
from .values import bare_version, word

_CONFIGURATION = "cluster-configuration.yaml"


def kubernetes_setting(observed: Observed) -> KubernetesSetting:
    """The setting that holds: of the ConfigMap ``d8-cluster-kubernetes``, which is what DKP has made of all settings,
    else of ModuleConfig ``control-plane-manager``, else of the ClusterConfiguration; null where none was read."""
    secret = _configuration(observed)
    wanted, automatic = _in_config_map(observed)
    if wanted is None:
        wanted = settings(observed, "control-plane-manager").read("spec.settings.kubernetesVersion", _setting)
    document = secret_document(secret, _CONFIGURATION)
    if wanted is None and document is not None:
        wanted = document.read("kubernetesVersion", _setting)
    return KubernetesSetting(
        version=wanted,
        automatic=secret_value(secret, "deckhouseDefaultKubernetesVersion", _quoted_version) or automatic,
        maximum_used=secret_value(secret, "maxUsedControlPlaneKubernetesVersion", _quoted_version),
    )


def default_cri(observed: Observed) -> str | None:
    """`defaultCRI` of the ClusterConfiguration."""
    document = secret_document(_configuration(observed), _CONFIGURATION)
    found = document.read("defaultCRI", _stated) if document is not None else None
    return str(found) if found else None


def _configuration(observed: Observed) -> KubernetesObject | None:
    return observed.get("Secret", "d8-cluster-configuration", namespace=KUBE_SYSTEM)


def _in_config_map(observed: Observed) -> tuple[str | None, str | None]:
    """The setting, and what Automatic means, out of ``d8-cluster-kubernetes`` (its `data.spec`)."""
    document = config_yaml(observed.get("ConfigMap", "d8-cluster-kubernetes", namespace=KUBE_SYSTEM), "spec")
    if document is None:
        return None, None
    desired, mode = document.read("desiredVersion", _setting), document.read("updateMode", _stated)
    if mode == AUTOMATIC or desired == AUTOMATIC:
        return AUTOMATIC, desired if desired != AUTOMATIC else None
    return desired, None


def _setting(value: Any, where: str) -> str | None:
    stated = _stated(value, where)
    return stated if stated is None or stated == AUTOMATIC else bare_version(stated, where)


def _quoted_version(value: Any, where: str) -> str | None:
    """A version that some versions of DKP write with the quotes of JSON."""
    return bare_version(text(value, where).strip("\"'"), where)


def _stated(value: Any, where: str) -> str | None:
    """A text of a YAML document that was read as texts, so that null is a word in it."""
    stated = word(value, where)
    return None if stated in ("null", "~") else stated
