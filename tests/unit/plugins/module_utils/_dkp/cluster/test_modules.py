# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What modules run and what they really follow: both generations of Modules and of policies (§2)."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.dkp.airgap.plugins.module_utils._dkp.cluster.facts import ModuleFacts, SourceModule
from ansible_collections.dkp.airgap.plugins.module_utils._dkp.cluster.reading import cluster_facts
from ansible_collections.dkp.airgap.plugins.module_utils._dkp.version import Version
from ansible_collections.dkp.airgap.plugins.module_utils._oci.errors import InvalidContent
from ansible_collections.dkp.airgap.tests.kit.cluster_objects import deployment
from ansible_collections.dkp.airgap.tests.kit.module_objects import (
    module,
    module_config,
    module_release,
    module_source,
    old_module,
    platform_config,
    policy,
    pull_override,
    selecting_policy,
)
from ansible_collections.dkp.airgap.tests.kit.observed import observed

Object = dict[str, Any]
RUNS = deployment(version="v1.71.9", edition="EE", images_repo="registry.example/dkp/ee")
PLATFORM = platform_config(channel="Stable", mode="Manual")
OFFERED_TWICE = {"availableSources": ["deckhouse", "other"]}


def modules(*objects: Object, unread: tuple[str, ...] = ()) -> dict[str, ModuleFacts]:
    found = cluster_facts(observed([RUNS, *objects], unread=unread), name="prod").modules
    assert found is not None
    return dict(found)


def console(*objects: Object, unread: tuple[str, ...] = ()) -> ModuleFacts:
    return modules(PLATFORM, *objects, unread=unread)["console"]


def new(**properties: Any) -> Object:
    return module("console", source="deckhouse", version="v1.35.1", **properties)


def bare(**properties: Any) -> Object:
    return {"metadata": {"name": "console"}, "kind": "Module", "properties": properties}


# objects -> enabled
ENABLED: list[tuple[list[Object], bool]] = [
    ([new()], True),
    ([new(enabled=False), module_config("console")], False),  # a script or a bundle has the last word
    ([old_module("console", source="deckhouse")], True),
    ([old_module("console", source="deckhouse", state="Disabled"), module_config("console")], False),
    ([bare(source="deckhouse"), module_config("console")], True),
    ([bare(source="deckhouse"), module_config("console", enabled=False)], False),
    ([bare(source="deckhouse"), module_config("console", enabled=None)], False),
    ([bare(source="deckhouse")], False),
]


@pytest.mark.parametrize(("objects", "enabled"), ENABLED)
def test_enabled_is_what_deckhouse_decided(objects: list[Object], enabled: bool) -> None:
    assert console(*objects).enabled is enabled


@pytest.mark.parametrize("embedded", [module("prometheus", version="v1.71.9"), old_module("prometheus")])
def test_embedded_modules_follow_nothing_and_have_no_release(embedded: Object) -> None:
    assert modules(PLATFORM, embedded)["prometheus"] == ModuleFacts(
        embedded=True, phase=(embedded["status"].get("phase"))
    )


DEPLOYED = module_release("console", "v1.35.1", phase="Deployed")
# objects -> version, pending
VERSIONS: list[tuple[list[Object], str | None, list[str]]] = [
    ([new()], "v1.35.1", []),
    ([new(), module_release("console", "v1.36.0", phase="Deployed")], "v1.36.0", []),
    ([DEPLOYED, module_release("console", "v1.36.0", phase="Deployed")], "v1.36.0", []),
    ([DEPLOYED, module_release("console", "v1.10.0", phase="Superseded")], "v1.35.1", []),
    (
        [
            DEPLOYED,
            module_release("console", "v1.36.2", phase="Pending"),
            module_release("console", "v1.36.10", phase=""),
            module_release("console", "v1.37.0", phase="Suspended"),
        ],
        "v1.35.1",
        ["v1.36.2", "v1.36.10"],
    ),
    ([module_release("console", "v1.36.2", phase="Pending")], None, ["v1.36.2"]),
    ([old_module("console", source="deckhouse")], None, []),
    ([module("console", source="deckhouse", version="fix-1"), pull_override("console", tag="fix-1")], None, []),
]


@pytest.mark.parametrize(("objects", "version", "pending"), VERSIONS)
def test_version_and_pending_releases(objects: list[Object], version: str | None, pending: list[str]) -> None:
    found = console(*objects)
    assert (str(found.version) if found.version else None) == version
    assert [str(each) for each in found.pending] == pending


def test_releases_are_told_with_phase_message_and_approval() -> None:
    found = console(
        module_release("console", "v1.36.10", phase="Pending", message="waits", approved="true"),
        module_release("console", "v1.36.2", phase="Skipped"),
        module_release("console", "v1.35.1", phase="Deployed", isUpdating="true"),
    ).releases
    assert [(str(each.version), each.phase, each.message, each.approved, each.updating) for each in found] == [
        ("v1.35.1", "Deployed", "", False, True),
        ("v1.36.2", "Skipped", "", False, False),
        ("v1.36.10", "Pending", "waits", True, False),
    ]


def test_requirements_are_those_of_the_deployed_release() -> None:
    stated = {"deckhouse": ">= 1.69", "kubernetes": ">= 1.28", "modules": {"user-authn": ">= 0.0.0 !optional"}}
    found = console(
        module_release("console", "v1.35.1", phase="Deployed", requirements=stated),
        module_release("console", "v1.36.2", phase="Pending", requirements={"deckhouse": ">= 1.99"}),
    ).requirements
    assert (found.deckhouse, found.kubernetes, dict(found.modules)) == tuple(stated.values())
    assert console(new(requirements={"deckhouse": ">= 1.5"})).requirements.deckhouse == ">= 1.5"


def test_an_override_names_its_tag() -> None:
    assert console(new(), pull_override("console", tag="v1.36.2-hotfix")).override == "v1.36.2-hotfix"
    assert console(pull_override("console", tag="x", source="other")).source == "other"
    assert console(new()).override is None


# objects -> source, conflict
SOURCES: list[tuple[list[Object], str | None, tuple[str, ...]]] = [
    ([new()], "deckhouse", ()),
    ([bare(availableSources=["other"])], "other", ()),
    ([bare(source="", **OFFERED_TWICE)], None, ("deckhouse", "other")),
    ([bare(source="", **OFFERED_TWICE), module_config("console", source="other")], "other", ()),
    ([new(phase="Conflict", **OFFERED_TWICE)], None, ("deckhouse", "other")),
    ([new(**OFFERED_TWICE)], "deckhouse", ()),  # Ready: it was chosen when there was one
    ([old_module("console", source="deckhouse")], "deckhouse", ()),
    ([DEPLOYED], "deckhouse", ()),
    ([bare(source="Embedded", availableSources=["deckhouse"]), module_config("console", source="deckhouse")],
     "deckhouse", ()),
]  # fmt: skip


@pytest.mark.parametrize(("objects", "source", "conflict"), SOURCES)
def test_the_source(objects: list[Object], source: str | None, conflict: tuple[str, ...]) -> None:
    found = console(*objects)
    assert (found.source, found.conflict, found.embedded) == (source, conflict, False)


SLOW = policy("slow", channel="RockSolid", mode="AutoPatch")
NAMES_SLOW = module_config("console", policy="slow")
OLD = old_module("console", source="deckhouse")
SELECTS = selecting_policy("fast", channel="EarlyAccess", labels={"source": "deckhouse", "module": "console"})
SELECTS_ALL = selecting_policy("all", channel="Beta", labels={})
SOURCE_DEFAULT = module_source("deckhouse", repo="registry.example/dkp/ee/modules", channel="Alpha")


def labelled(name: str) -> Object:
    return module_release("console", "v1.35.1", phase="Deployed", policy=name)


def unlabelled() -> Object:
    made = labelled("")
    del made["metadata"]["labels"]["modules.deckhouse.io/update-policy"]
    return made


def selecting(*expressions: dict[str, Any]) -> Object:
    made = selecting_policy("picky", channel="Lts", labels={})
    made["spec"]["moduleReleaseSelector"]["labelSelector"] = {"matchExpressions": list(expressions)}
    return made


# objects -> policy, channel, mode
FOLLOWED: list[tuple[list[Object], tuple[str | None, str | None, str | None]]] = [
    # the "embedded" policy: what the platform follows
    ([new()], (None, "stable", "Manual")),
    ([new(), SLOW], (None, "stable", "Manual")),
    # by name, in the ModuleConfig or mirrored in the Module
    ([new(), NAMES_SLOW, SLOW], ("slow", "rock-solid", "AutoPatch")),
    ([new(policy="slow"), SLOW], ("slow", "rock-solid", "AutoPatch")),
    ([new(policy="other"), NAMES_SLOW, SLOW, policy("other", channel="Alpha")], ("slow", "rock-solid", "AutoPatch")),
    # a name that no policy has
    ([new(), NAMES_SLOW], (None, "stable", "Manual")),
    ([new(policy="gone"), NAMES_SLOW], (None, "stable", "Manual")),
    # the defaults of a policy
    ([new(), NAMES_SLOW, {"kind": "ModuleUpdatePolicy", "metadata": {"name": "slow"}}], ("slow", "stable", "Auto")),
    # v1alpha1: by the label of the release, else by the selector
    ([OLD, labelled("slow"), SLOW], ("slow", "rock-solid", "AutoPatch")),
    ([OLD, SELECTS], ("fast", "early-access", "Auto")),
    ([OLD, unlabelled(), SELECTS], ("fast", "early-access", "Auto")),
    ([OLD, labelled("slow"), SLOW, SELECTS], ("slow", "rock-solid", "AutoPatch")),
    ([OLD, labelled(""), SELECTS], (None, "stable", "Manual")),  # the label says: the embedded one
    ([OLD, SELECTS_ALL], ("all", "beta", "Auto")),
    ([OLD, SELECTS_ALL, SELECTS], (None, "stable", "Manual")),  # two match, and Deckhouse takes neither
    ([OLD, selecting_policy("no", channel="Beta", labels={"module": "sdn"})], (None, "stable", "Manual")),
    ([OLD, selecting_policy("ignored", channel="Beta", labels={}, mode="Ignore")], ("ignored", "beta", "Ignore")),
    # the label of a policy that a Module of the new schema has left
    ([new(), labelled("slow"), SLOW], (None, "stable", "Manual")),
    ([new(), labelled("fast"), SELECTS], ("fast", "early-access", "Auto")),
    # without a Module
    ([labelled("slow"), SLOW], ("slow", "rock-solid", "AutoPatch")),
    # the default of a source, in old versions
    ([OLD, SOURCE_DEFAULT], (None, "alpha", "Manual")),
    ([OLD, SOURCE_DEFAULT, SELECTS], ("fast", "early-access", "Auto")),
    ([new(), SOURCE_DEFAULT], (None, "stable", "Manual")),
    # expressions of selectors
    ([OLD, selecting({"key": "module", "operator": "In", "values": ["console", "sdn"]})], ("picky", "lts", "Auto")),
    ([OLD, selecting({"key": "module", "operator": "NotIn", "values": ["console"]})], (None, "stable", "Manual")),
    ([OLD, selecting({"key": "team", "operator": "NotIn", "values": ["a"]})], ("picky", "lts", "Auto")),
    ([OLD, selecting({"key": "source", "operator": "Exists"})], ("picky", "lts", "Auto")),
    ([OLD, selecting({"key": "source", "operator": "DoesNotExist"})], (None, "stable", "Manual")),
]


@pytest.mark.parametrize(("objects", "expected"), FOLLOWED)
def test_policy_channel_and_mode(objects: list[Object], expected: tuple[str | None, str | None, str | None]) -> None:
    found = console(*objects)
    assert (found.policy, found.channel, found.update_mode) == expected


def test_a_policy_that_was_not_read_is_no_guess() -> None:
    found = console(new(channel="RockSolid"), NAMES_SLOW, unread=("ModuleUpdatePolicy",))
    assert (found.policy, found.channel, found.update_mode) == ("slow", "rock-solid", None)
    assert console(new(), NAMES_SLOW, unread=("ModuleUpdatePolicy",)).channel is None
    assert console(new(), unread=("ModuleUpdatePolicy",)).channel == "stable"


def test_without_a_channel_of_the_platform_the_module_shows_its_own() -> None:
    assert modules(new(channel="Beta"))["console"].channel == "beta"
    assert modules(new())["console"].channel is None


def test_modules_are_those_the_cluster_knows() -> None:
    objects = [module_config("global"), module_config("typo"), module_config("extern", source="other"), DEPLOYED]
    assert list(modules(*objects, new(), pull_override("sdn", tag="x"))) == ["console", "sdn"]
    assert list(modules(*objects, unread=("Module",))) == ["console", "extern"]


def test_policies_are_told_with_what_they_select() -> None:
    picky = selecting({"key": "module", "operator": "In", "values": ["console", "sdn"]})
    found = cluster_facts(observed([RUNS, SLOW, SELECTS, picky]), name="prod").policies
    assert found is not None
    assert (found["slow"].channel, found["slow"].mode, dict(found["slow"].selector)) == ("rock-solid", "AutoPatch", {})
    assert dict(found["fast"].selector) == {"module": "console", "source": "deckhouse"}
    assert found["picky"].selector_expressions == ("module In (console, sdn)",)


def test_sources_are_told_with_the_errors_of_both_generations() -> None:
    told = [{"name": "a", "version": "v1.2.3"}, {"name": "b", "error": "broken"}, {"name": "c", "pullError": "none"}]
    source = module_source("deckhouse", repo="r.example/m", scheme="HTTP", modules=told, errors={"a": "gap", "d": "x"})
    sources = cluster_facts(observed([RUNS, source]), name="prod").sources
    assert sources is not None
    found = sources["deckhouse"]
    assert (found.repo, found.scheme, found.ca, found.phase) == ("r.example/m", "http", None, "Active")
    assert dict(found.modules) == {
        "a": SourceModule("v1.2.3", "gap"),
        "b": SourceModule(None, "broken"),
        "c": SourceModule(None, "none"),
        "d": SourceModule(None, "x"),
    }


# objects -> what the error must name
REFUSED: list[tuple[Object, tuple[str, ...]]] = [
    (module_release("console", "v1.x", phase="Pending"), ("ModuleRelease console-v1.x", "spec.version", "1.x")),
    (module("console", source="deckhouse", version="next"), ("Module console", "properties.version", "next")),
    (new(availableSources="deckhouse"), ("Module console", "properties.availableSources", "list")),
    (policy("slow", channel="Weekly"), ("ModuleUpdatePolicy slow", "spec.releaseChannel", "Weekly")),
    (policy("slow", channel="Stable", mode="Never"), ("ModuleUpdatePolicy slow", "spec.update.mode", "Never")),
    (selecting({"key": "a", "operator": "Like"}), ("ModuleUpdatePolicy picky", "matchExpressions[0].operator")),
    (module_source("other", repo="https://r.example/m"), ("ModuleSource other", "spec.registry.repo")),
    (
        {"kind": "ModuleRelease", "metadata": {"name": "x"}, "spec": {"version": "1.0.0"}},
        ("ModuleRelease x", "spec.moduleName"),
    ),
    (
        {"kind": "ModuleRelease", "metadata": {"name": "x"}, "spec": {"moduleName": "x"}},
        ("ModuleRelease x", "spec.version"),
    ),
]


@pytest.mark.parametrize(("thing", "named"), REFUSED)
def test_what_is_wrong_is_named_with_object_and_field(thing: Object, named: tuple[str, ...]) -> None:
    with pytest.raises(InvalidContent) as caught:
        modules(thing)
    for part in named:
        assert part in str(caught.value)


def test_a_version_without_v_is_the_same_version() -> None:
    made = module_release("console", "v1.36.2", phase="Deployed")
    made["spec"]["version"] = "v1.36.2"
    assert (
        console(made).version
        == Version(1, 36, 2)
        == console(DEPLOYED | {"spec": {**made["spec"], "version": "1.36.2"}}).version
    )
