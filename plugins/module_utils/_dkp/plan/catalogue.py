# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The requirements of platform releases that can be judged from outside of the cluster (dkp-cluster.md §4.2).

The set changes with almost every minor, so a key that is not here is unknown, never a failure.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from ..cluster.facts import IngressController, NodeFacts
from ..version import parse_version
from .verdict import ASK, FINE, MET, NOT_MET, UNKNOWN, Situation, Verdict, admits, named, not_observed, release_of

Check = Callable[[str, Situation], Verdict]
_UBUNTU = re.compile(r"Ubuntu (\d+(?:\.\d+)*)")
_DEBIAN = re.compile(r"Debian GNU/Linux (\d+(?:\.\d+)*)")
_DEPRECATED_ZONE = "ru-central1-c"
_ZONE_LABEL = "topology.kubernetes.io/zone"


def judge(key: str, value: str, situation: Situation) -> Verdict:
    """Whether the requirement `key` with this `value` is met in the `situation`."""
    check = _CHECKS.get(key)
    if check is None:
        return Verdict(UNKNOWN, "this requirement cannot be judged from outside of the cluster", ASK)
    return check(value, situation)


def _kubelets(value: str, situation: Situation) -> Verdict:
    wanted = release_of(value)
    facts = situation.facts
    if wanted is None:
        return _unreadable(value)
    lowest = release_of(facts.kubelet_min)
    if lowest is None:
        return not_observed("kubelet_min")
    if lowest >= wanted:
        if situation.is_enabled("istio") and situation.is_automatic:
            return Verdict(UNKNOWN, "whether every installed Istio can live with that Kubernetes is not known", ASK)
        return FINE
    reached = release_of(situation.automatic)
    if reached is not None and reached[:2] >= wanted[:2]:
        return Verdict(
            UNKNOWN,
            f"the lowest kubelet is {facts.kubelet_min}; Kubernetes is Automatic and may be {situation.automatic} "
            "after the steps before",
            "Wait until all nodes have the newer Kubernetes before this step",
        )
    old = [name for name, node in (facts.nodes or {}).items() if (release_of(node.kubelet) or wanted) < wanted]
    where = f" ({named(old)})" if old else ""
    return Verdict(
        NOT_MET,
        f"the lowest kubelet is {facts.kubelet_min}{where}",
        f"Update Kubernetes to {value} or newer first (kubernetesVersion of the cluster configuration)",
    )


def _automatic_kubernetes(value: str, situation: Situation) -> Verdict:
    if situation.is_automatic is None:
        return not_observed("kubernetes.version")
    if not situation.is_automatic:
        return FINE
    following = parse_version(value)
    if following is None:
        return _unreadable(value)
    if situation.facts.modules is None:
        return not_observed("modules")
    stated = {name: situation.requirement_of(name, "kubernetes") for name in situation.facts.modules}
    unfit = [
        f"{name} ({constraint})"
        for name, constraint in stated.items()
        if constraint and situation.is_enabled(name) and admits(constraint, following) is False
    ]
    if unfit:
        return Verdict(
            NOT_MET,
            f"Kubernetes is Automatic and would become {value}, which modules do not accept: {named(unfit)}",
            "Update or disable these modules first, or pin kubernetesVersion",
        )
    return Verdict(UNKNOWN, f"whether anything still uses APIs that Kubernetes {value} removes is not known", ASK)


def _disabled_modules(value: str, situation: Situation) -> Verdict:
    if situation.facts.modules is None:
        return not_observed("modules")
    enabled = [name for name in _names(value) if situation.is_enabled(name)]
    if not enabled:
        return FINE
    return Verdict(
        NOT_MET, f"still enabled: {named(enabled)}", "Disable them (ModuleConfig, enabled: false) before this step"
    )


def _migrated_modules(value: str, situation: Situation) -> Verdict:
    if situation.facts.modules is None:
        return not_observed("modules")
    absent = []
    for name in _names(value):
        module = situation.module(name)
        if (module is not None and not module.enabled) or name in situation.migrated:
            continue
        if not situation.facts.lists_module(name):
            absent.append(name)
    if not absent:
        return FINE
    if situation.facts.sources is None:
        return not_observed("sources")
    return Verdict(
        NOT_MET,
        f"no ModuleSource has {named(absent)}, and the vendor's modules that were read have neither",
        "Mirror them from where the vendor publishes them, or disable them before this step",
    )


def _ingress_controllers(value: str, situation: Situation) -> Verdict:
    enabled, controllers = situation.is_enabled("ingress-nginx"), situation.facts.ingress_controllers
    if enabled is False or controllers == {}:
        return FINE
    wanted = release_of(value)
    if wanted is None:
        return _unreadable(value)
    if controllers is None:
        return not_observed("ingress_controllers")
    default = situation.facts.ingress_default
    effective = {name: each.version or default for name, each in controllers.items()}
    old = [f"{name} ({version})" for name, version in effective.items() if (release_of(version) or wanted) < wanted]
    if default is not None and (release_of(default) or wanted) < wanted:
        old.append(f"defaultControllerVersion ({default})")
    if old:
        hint = f"Set controllerVersion to {value} or newer"
        return Verdict(NOT_MET, f"older ingress controllers: {named(old)}", hint)
    mixed = _mixed_classes(controllers, effective)
    if mixed:
        hint = "Give the older ones a class of their own, or update them"
        return Verdict(NOT_MET, f"ingress classes with controllers below and above 1.0: {named(mixed)}", hint)
    untold = [name for name, version in effective.items() if release_of(version) is None]
    if untold:
        message = f"the version that {named(untold)} takes by default is not known"
        return Verdict(UNKNOWN, message, f"Set controllerVersion of these to {value} or newer, or ask the cluster")
    return FINE


def _mixed_classes(controllers: Mapping[str, IngressController], effective: Mapping[str, str | None]) -> list[str]:
    ages: dict[str, set[bool]] = {}
    for name, controller in controllers.items():
        version = release_of(effective[name])
        if version is not None:
            ages.setdefault(controller.ingress_class or "nginx", set()).add(version >= (1, 0, 0))
    return [name for name, both in ages.items() if len(both) > 1]


def _operating_system(pattern: re.Pattern[str], system: str) -> Check:
    def check(value: str, situation: Situation) -> Verdict:
        wanted = release_of(value)
        if wanted is None:
            return _unreadable(value)
        nodes = _own_nodes(situation)
        if nodes is None:
            return not_observed("nodes")
        old = []
        for name, node in nodes.items():
            found = pattern.match(node.os_image or "")
            if found and (release_of(found[1]) or wanted) < wanted:
                old.append(f"{name} ({found[1]})")
        if not old:
            return FINE
        return Verdict(
            NOT_MET, f"nodes with an older {system}: {named(old)}", f"Update them to {system} {value} or newer"
        )

    return check


def _kernels(value: str, situation: Situation) -> Verdict:
    enabled = situation.is_enabled("cni-cilium")
    if enabled is False:
        return FINE
    wanted, nodes = release_of(value), _own_nodes(situation)
    if wanted is None:
        return _unreadable(value)
    if nodes is None:
        return not_observed("nodes")
    old = [f"{name} ({node.kernel})" for name, node in nodes.items() if (release_of(node.kernel) or wanted) < wanted]
    if not old:
        return FINE
    if enabled is None:
        return Verdict(UNKNOWN, f"older kernels, which matters where cni-cilium is enabled: {named(old)}", ASK)
    return Verdict(NOT_MET, f"nodes with an older kernel: {named(old)}", f"Update them to Linux {value} or newer")


def _containerd(_value: str, situation: Situation) -> Verdict:
    nodes = situation.facts.nodes
    if nodes is None:
        return not_observed("nodes")
    docker = [name for name, node in nodes.items() if (node.runtime or "").startswith("docker://")]
    if situation.facts.default_cri == "Docker":
        docker.append("defaultCRI of the cluster configuration")
    return (
        Verdict(NOT_MET, f"still Docker: {named(docker)}", "Move them to containerd before this step")
        if docker
        else FINE
    )


def _istio(value: str, situation: Situation) -> Verdict:
    if situation.is_enabled("istio") is False:
        return FINE
    wanted, versions = release_of(value), situation.facts.istio_versions
    if wanted is None:
        return _unreadable(value)
    if situation.is_enabled("istio") is None or versions is None:
        return not_observed("istio_versions")
    old = [version for version in versions if (release_of(version) or wanted) < wanted]
    if old:
        return Verdict(NOT_MET, f"older versions of Istio are configured: {named(old)}", f"Move to {value} or newer")
    if not versions:
        return Verdict(UNKNOWN, "the version of Istio that the module takes by default is not known", ASK)
    return FINE


def _cloud_conditions(_value: str, situation: Situation) -> Verdict:
    conditions = situation.facts.cloud_conditions
    if conditions is None:
        return not_observed("cloud_conditions")
    unmet = [f"{condition.name}: {condition.message}" for condition in conditions if not condition.ok]
    return Verdict(NOT_MET, f"cloud conditions: {named(unmet)}", "Do in the cloud what they ask for") if unmet else FINE


def _zones_of_nodes(_value: str, situation: Situation) -> Verdict:
    if situation.is_enabled("cloud-provider-yandex") is False:
        return FINE
    nodes = situation.facts.nodes
    if nodes is None:
        return not_observed("nodes")
    there = [name for name, node in nodes.items() if node.labels.get(_ZONE_LABEL) == _DEPRECATED_ZONE]
    if not there:
        return FINE
    return Verdict(NOT_MET, f"nodes in the zone {_DEPRECATED_ZONE}: {named(there)}", "Move them to another zone")


def _zones_of_configuration(_value: str, situation: Situation) -> Verdict:
    if situation.is_enabled("cloud-provider-yandex") is False:
        return FINE
    return Verdict(UNKNOWN, "the cloud's configuration is not read, for it holds secrets", ASK)


def _alert(name: str, *, silence: str) -> Check:
    """A requirement that shows outside only as an alert; `silence` is what its absence means."""

    def check(_value: str, situation: Situation) -> Verdict:
        if situation.facts.alerts is None:
            return not_observed("alerts")
        if any(alert.name == name for alert in situation.facts.alerts):
            return Verdict(NOT_MET, f"the alert {name} fires", "Do what the alert asks for")
        return (
            FINE if silence == MET else Verdict(UNKNOWN, f"the alert {name} does not fire, which proves nothing", ASK)
        )

    return check


def _kubernetes(value: str, situation: Situation) -> Verdict:
    """A constraint on the control plane's version, of platform and modules alike."""
    current = situation.facts.kubernetes_version
    version = parse_version(current) if current else None
    if version is None:
        return not_observed("kubernetes_version")
    fits = admits(value, version)
    if fits is None:
        return _unreadable(value)
    if fits:
        return FINE
    if situation.is_automatic and situation.automatic is not None:
        return Verdict(UNKNOWN, f"Kubernetes is {current} and Automatic; it may fit after the steps before", ASK)
    return Verdict(NOT_MET, f"Kubernetes is {current}", f"Bring Kubernetes to {value} first")


def _deckhouse(value: str, situation: Situation) -> Verdict:
    fits = admits(value, situation.deckhouse)
    if fits is None:
        return _unreadable(value)
    return FINE if fits else Verdict(NOT_MET, f"DKP is {situation.deckhouse} by then", f"It has to be {value}")


def _always_met(_value: str, _situation: Situation) -> Verdict:
    return FINE


def _unreadable(value: str) -> Verdict:
    return Verdict(UNKNOWN, f"{value[:100]!r} cannot be read as a version or constraint", ASK)


def _own_nodes(situation: Situation) -> Mapping[str, NodeFacts] | None:
    """Nodes of DKP's own groups: the others are not looked at."""
    nodes = situation.facts.nodes
    return None if nodes is None else {name: node for name, node in nodes.items() if node.group is not None}


def _names(value: str) -> list[str]:
    return [name.strip() for name in value.split(",") if name.strip()]


migrated_names = _names
"""The modules that a ``migratedModules`` names."""

_CHECKS: dict[str, Check] = {
    "k8s": _kubelets,
    "autoK8sVersion": _automatic_kubernetes,
    "disabledModules": _disabled_modules,
    "migratedModules": _migrated_modules,
    "ingressNginx": _ingress_controllers,
    "nodesMinimalOSVersionUbuntu": _operating_system(_UBUNTU, "Ubuntu"),
    "nodesMinimalOSVersionDebian": _operating_system(_DEBIAN, "Debian"),
    "nodesMinimalLinuxKernelVersion": _kernels,
    "containerdOnAllNodes": _containerd,
    "istioMinimalVersion": _istio,
    "metallbHasStandardConfiguration": _always_met,
    "unmetCloudConditions": _cloud_conditions,
    "yandexHasDeprecatedZoneInNodes": _zones_of_nodes,
    "yandexHasDeprecatedZoneInConfig": _zones_of_configuration,
    "legacyRBACv2CustomRolesCount": _alert("D8UserAuthzLegacyRBACv2CustomRoleFound", silence=MET),
    "deprecatedRBACv2BindingsCount": _alert("D8UserAuthzDeprecatedRBACv2RoleInUse", silence=UNKNOWN),
    "kubernetes": _kubernetes,
    "deckhouse": _deckhouse,
}
