# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the platform itself says of its version, edition, channel and updates (dkp-cluster.md §2.3, §3.1)."""

from __future__ import annotations

from typing import Any

from ..fields import choice_of, text
from ..version import Version, parse_version
from .facts import UPDATE_MODES, ReleaseFacts, Window
from .objects import KubernetesObject, Observed, Readable, config_json, secret_document, secret_value
from .values import channel_word, edition_word, known_channel, lenient_version, update_windows, word

SYSTEM = "d8-system"
KUBE_SYSTEM = "kube-system"
IMAGE = "spec.template.spec.containers[?name=='deckhouse'].image | [0]"
DEFAULT_MODE = "AutoPatch"
_MOVING_KINDS = ("DeckhouseRelease", "ModuleConfig", "ModulePullOverride", "ModuleRelease", "ModuleUpdatePolicy")


def deployment(observed: Observed) -> KubernetesObject | None:
    """The Deployment of Deckhouse."""
    return observed.get("Deployment", "deckhouse", namespace=SYSTEM)


def discovery(observed: Observed) -> KubernetesObject | None:
    """The Secret in which Deckhouse tells what it found out."""
    return observed.get("Secret", "deckhouse-discovery", namespace=SYSTEM)


def settings(observed: Observed, module: str) -> Readable:
    """The ModuleConfig of `module`, for its settings, each of which is optional; an empty one where there is none."""
    config = observed.get("ModuleConfig", module)
    return config if config is not None else Readable(f"ModuleConfig {module}", {})


def platform_version(observed: Observed, releases: tuple[ReleaseFacts, ...] | None) -> Version | None:
    """The version that is reconciled; None when nothing tells one.

    From the annotation of the Deployment, else the ConfigMap ``d8-deckhouse-version-info``, else the DeckhouseRelease
    that is deployed, else the image of the Deployment (§3.1).
    """
    found = _told(observed, "version", lenient_version)
    if found is None:
        found = max((each.version for each in releases or () if each.phase == "Deployed"), default=None)
    return found if found is not None else switched_version(observed)


def switched_version(observed: Observed) -> Version | None:
    """The version that the Deployment was switched to; None where its image has no tag, or one that is no version."""
    found = deployment(observed)
    image = found.read(IMAGE, text) if found is not None else None
    if image is None:
        return None
    tag = image.partition("@")[0].rpartition("/")[2].partition(":")[2]
    return parse_version(tag) if tag else None


def edition(observed: Observed) -> str | None:
    """The edition, from the Deployment, else from the ConfigMap (§3.1)."""
    return _told(observed, "edition", edition_word)


def _told(observed: Observed, fact: str, reader: Any) -> Any:
    """A fact that the Deployment carries as an annotation, and the ConfigMap ``d8-deckhouse-version-info`` too."""
    found = deployment(observed)
    if found is not None:
        stated = found.read(f'metadata.annotations."core.deckhouse.io/{fact}"', reader)
        if stated is not None:
            return stated
    info = _version_info(observed)
    return info.read(fact, reader) if info is not None else None


def _version_info(observed: Observed) -> Readable | None:
    return config_json(observed.get("ConfigMap", "d8-deckhouse-version-info", namespace=SYSTEM), "data.json")


def platform_channel(observed: Observed) -> str | None:
    """The release channel; None when there is none, and so no updates.

    From ModuleConfig ``deckhouse``, else the Secret ``deckhouse-discovery``, else the ConfigMap; in the latter two a
    word that is no channel (``Unknown``) is none (§3.1).
    """
    stated = settings(observed, "deckhouse").read("spec.settings.releaseChannel", channel_word)
    if stated is None:
        stated = secret_value(discovery(observed), "releaseChannel", known_channel)
    if stated is None:
        info = _version_info(observed)
        stated = info.read("channel", known_channel) if info is not None else None
    return str(stated) if stated is not None else None


def update_mode(observed: Observed) -> str:
    """The update mode, from ModuleConfig ``deckhouse``, else ``deckhouse-discovery``, else AutoPatch (§2.3)."""
    mode = choice_of(*UPDATE_MODES)
    stated = settings(observed, "deckhouse").read("spec.settings.update.mode", mode)
    told = _update_settings(observed)
    if stated is None and told is not None:
        stated = told.read("mode", mode)
    return str(stated or DEFAULT_MODE)


def windows(observed: Observed) -> tuple[Window, ...]:
    """The update windows, from where the update mode is read; none means at any time."""
    stated = settings(observed, "deckhouse").read("spec.settings.update.windows", update_windows)
    told = _update_settings(observed)
    if stated is None and told is not None:
        stated = told.read("windows", update_windows)
    return tuple(stated or ())


def _update_settings(observed: Observed) -> Readable | None:
    return secret_document(discovery(observed), "updateSettings.json")


def bundle(observed: Observed) -> str | None:
    """The bundle of modules that are on by default, from ``deckhouse-discovery``, else ModuleConfig ``deckhouse``."""
    told = secret_value(discovery(observed), "bundle", word)
    stated = told or settings(observed, "deckhouse").read("spec.settings.bundle", word)
    return str(stated) if stated else None


def cluster_uuid(observed: Observed) -> str | None:
    """The cluster's UUID, from ``deckhouse-discovery``, else the ConfigMap ``d8-cluster-uuid`` (§3.1)."""
    told = secret_value(discovery(observed), "clusterUUID", word)
    config_map = observed.get("ConfigMap", "d8-cluster-uuid", namespace=KUBE_SYSTEM)
    if told is None and config_map is not None:
        told = config_map.read('data."cluster-uuid"', word)
    return str(told) if told else None


def resource_version(observed: Observed) -> str | None:
    """The highest resourceVersion of what changes when the cluster moves on, else that of the Deployment.

    One that is no number does not count: Kubernetes promises none.
    """
    moving = [each for kind in _MOVING_KINDS for each in observed.all(kind)]
    found = _highest(moving)
    own = deployment(observed)
    return found if found is not None or own is None else _highest([own])


def _highest(things: list[KubernetesObject]) -> str | None:
    stated = [each.read("metadata.resourceVersion", text) for each in things]
    numbers = [int(each) for each in stated if each and each.isascii() and each.isdigit() and len(each) <= 20]
    return str(max(numbers)) if numbers else None
