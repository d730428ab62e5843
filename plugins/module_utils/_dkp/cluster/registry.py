# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which registry a cluster really takes its images from (the decision rule of dkp-cluster.md §3.3)."""

from __future__ import annotations

from typing import Any

from ..fields import Reader, choice_of, text
from .addresses import repository_address
from .facts import LOCAL, PROXY, REGISTRY_MODES, UNMANAGED, RegistryFacts
from .objects import KubernetesObject, Observed, secret_value
from .platform import IMAGE, SYSTEM, deployment, discovery, settings
from .values import go_duration, scheme_word, word

MODULES = "/modules"
_VIRTUAL_HOST = "registry.d8-system.svc"
"""Exists inside of clusters only."""
_LOOPBACK = frozenset({"localhost", "127.0.0.1"})


def registry(observed: Observed) -> RegistryFacts | None:
    """The registry; None when nothing tells one, or only a virtual address without the setting that names the real one.

    Rules 1 and 3: the address in the Secret is the real one unless its host is virtual. Rules 2 and 5: then the real
    one is in the settings of ModuleConfig ``deckhouse``, under the registry mode; mode Local has none.
    """
    address, mode = used_address(observed), _configured_mode(observed)
    if address is None:
        return None
    if _is_virtual(address, mode):
        return _managed(observed, address, mode)
    secret = _secret(observed)
    is_of_mode = _configured(observed, mode, "imagesRepo", repository_address) == address
    return RegistryFacts(
        images_repo=address,
        scheme=secret_value(secret, "scheme", scheme_word) or _source(observed, "scheme", scheme_word) or "https",
        ca=secret_value(secret, "ca", word) or _source(observed, "ca", word),
        mode=mode if mode is not None and is_of_mode else UNMANAGED,
        address=address,
        source_agrees=_source_agrees(observed, address),
    )


def used_address(observed: Observed) -> str | None:
    """What the cluster itself pulls from: `imagesRegistry` (else `address`, `path`) of Secret ``deckhouse-registry``.

    Else `imagesRegistry` of ``deckhouse-discovery``, else the image of the Deployment, else ModuleSource ``deckhouse``.
    """
    secret = _secret(observed)
    address = secret_value(secret, "imagesRegistry", repository_address)
    if address is None:
        host = secret_value(secret, "address", repository_address)
        path = secret_value(secret, "path", _path)
        address = f"{host}/{path}" if host and path else host
    if address is None:
        address = secret_value(discovery(observed), "imagesRegistry", repository_address)
    return address or _of_image(observed) or _of_source(observed)


def _managed(observed: Observed, address: str, mode: str | None) -> RegistryFacts | None:
    agrees = _source_agrees(observed, address)
    if mode == LOCAL:
        return RegistryFacts(mode=LOCAL, address=address, source_agrees=agrees)
    real = _configured(observed, mode, "imagesRepo", repository_address)
    if mode is None or real is None:
        return None
    return RegistryFacts(
        images_repo=real,
        scheme=_configured(observed, mode, "scheme", scheme_word) or "https",
        ca=_configured(observed, mode, "ca", word),
        mode=mode,
        address=address,
        source_agrees=agrees,
        cache_seconds=_configured(observed, mode, "ttl", go_duration) if mode == PROXY else None,
    )


def _configured_mode(observed: Observed) -> str | None:
    """The registry mode that ModuleConfig ``deckhouse`` sets; None where it says nothing of registries."""
    found = settings(observed, "deckhouse").read("spec.settings.registry.mode", choice_of(*REGISTRY_MODES))
    return str(found) if found else None


def _configured(observed: Observed, mode: str | None, setting: str, reader: Reader) -> Any:
    """A setting out of the block that belongs to a registry mode."""
    if mode is None:
        return None
    return settings(observed, "deckhouse").read(f"spec.settings.registry.{mode.lower()}.{setting}", reader)


def _is_virtual(address: str, mode: str | None) -> bool:
    """Whether `address` exists inside of the cluster only; newest builds may show one of the node itself (rule 5)."""
    host = address.partition("/")[0].partition(":")[0]
    return host == _VIRTUAL_HOST or (host in _LOOPBACK and mode not in (None, UNMANAGED))


def _source_agrees(observed: Observed, address: str) -> bool | None:
    """Rule 4: whether ModuleSource ``deckhouse`` reads from below `address`; None where there is no such source."""
    repository = _source(observed, "repo", repository_address)
    return repository == address + MODULES if repository is not None else None


def _of_source(observed: Observed) -> str | None:
    repository = _source(observed, "repo", repository_address)
    return repository[: -len(MODULES)] if repository is not None and repository.endswith(MODULES) else None


def _source(observed: Observed, setting: str, reader: Reader) -> Any:
    """A registry setting of ModuleSource ``deckhouse``, which Deckhouse makes of its own (§2.4)."""
    source = observed.get("ModuleSource", "deckhouse")
    return source.read(f"spec.registry.{setting}", reader) if source is not None else None


def _of_image(observed: Observed) -> str | None:
    found = deployment(observed)
    return found.read(IMAGE, _repository_of_image) if found is not None else None


def _repository_of_image(value: Any, where: str) -> str | None:
    named = text(value, where).partition("@")[0]
    folder, slash, name = named.rpartition("/")
    return repository_address(folder + slash + name.partition(":")[0], where)


def _path(value: Any, where: str) -> str | None:
    return repository_address(text(value, where).strip().strip("/"), where)


def _secret(observed: Observed) -> KubernetesObject | None:
    return observed.get("Secret", "deckhouse-registry", namespace=SYSTEM)
