# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later


"""Where a cluster stands, whether it is up to date, and what to do next, whatever of it is known."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ansible_collections.dkp.airgap.plugins.module_utils._dkp.cluster.facts import ClusterFacts
from ansible_collections.dkp.airgap.plugins.module_utils._dkp.fields import parse_record
from ansible_collections.dkp.airgap.plugins.module_utils._dkp.status.answers import Answers
from ansible_collections.dkp.airgap.plugins.module_utils._dkp.status.document import (
    ACTIONS,
    PARTS,
    ClusterStatus,
    parse_status,
    status_document,
)
from ansible_collections.dkp.airgap.plugins.module_utils._dkp.status.shortening import shortened
from ansible_collections.dkp.airgap.plugins.module_utils._dkp.status.status import Asked, cluster_status
from ansible_collections.dkp.airgap.plugins.module_utils._dkp.status.table import status_table
from ansible_collections.dkp.airgap.plugins.module_utils._oci.errors import InvalidInput
from ansible_collections.dkp.airgap.tests.kit.planning import VENDOR, channels, cluster, module, modules, platform

APPROVAL = "Release is waiting for the 'release.deckhouse.io/approved: \"true\"' annotation"
WINDOW = "Release is waiting for the update window"
CONSOLE = module("v1.34.0 v1.35.1 v1.35.4 v1.36.2", channels(stable="v1.36.2", rock_solid=None))
MODULES = modules(console=CONSOLE)
OFFLINE = {"vendor": "not asked: no host in dkp_connected"}
NEWEST = {"version": "v1.70.17"}
LATEST = {"version": "v1.70.17", "modules": {}}


def held(pointer: str, *versions: str, incomplete: dict[str, list[str]] | None = None, **more: Any) -> dict[str, Any]:
    """The result of mirror_inventory_info for a registry whose channel stable is at `pointer`."""
    there = {"versions": [*versions, pointer], "channels": {"stable": pointer}, "incomplete": incomplete or {}}
    document = {"kind": "MirrorInventory", "version": 1, "images_repo": "registry.example/dkp/ee", "platform": there}
    return {"changed": False, "inventory": {**document, **more}}


def pending(version: str, message: str = "", **more: Any) -> dict[str, Any]:
    return {"version": version, "phase": "Pending", "message": message, **more}


def observed(**more: Any) -> dict[str, Any]:
    """The result of rollout_info."""
    return {"changed": False, "cluster": {"updating": False}, "platform": {}, "modules": {}, "findings": [], **more}


def asked(progress: dict[str, Any] | None = None, **more: Any) -> Asked:
    return Asked(parse_record(ClusterFacts, cluster(**more), "cluster"), progress=progress)


def status(
    about: Asked,
    *,
    vendor: dict[str, Any] | None = VENDOR,
    registry: dict[str, Any] | None = None,
    offered: dict[str, Any] | None = None,
) -> ClusterStatus:
    modules_read = [offered or MODULES] if vendor else []
    answers = Answers([vendor] if vendor else [], modules_read, {"inside": registry} if registry else {}, OFFLINE)
    found = cluster_status(about, answers)
    document = status_document({"prod": found})
    assert parse_status(document) == {"prod": found}, "it is read back as it was written"
    assert found.next.action in ACTIONS
    return found


def text(found: ClusterStatus) -> str:
    return "\n".join(status_table({"prod": found}))


INCOMPLETE = held("v1.69.7", "v1.68.11", incomplete={"v1.69.7": ["x"]})
WAITS = [pending("v1.69.7", APPROVAL)]
SEEN_WAITING = observed(platform={"release": "v1.69.7", "state": "waiting-approval"})
STUCK = {
    "console": {
        "version": "v1.35.1",
        "channel": "stable",
        "source": "deckhouse",
        "releases": [pending("v1.36.2", '"deckhouse" requirement not met: >= 1.71')],
    }
}
UPDATING = observed(cluster={"updating": True})
BLOCKED = {"id": "r", "severity": "error", "subject": "console-v1.36.2", "message": "requirement", "hint": ""}
PULLS = {
    "id": "image_pull",
    "severity": "error",
    "subject": "d8-a/pod",
    "message": "ImagePullBackOff",
    "hint": "push",
}


@pytest.mark.parametrize(
    ("about", "answers", "up_to_date", "action", "subjects"),
    [
        # Everything is the same everywhere.
        (asked(**LATEST), {"registry": held("v1.70.17")}, True, "none", ()),
        # The vendor cannot be asked, as behind every gap.
        (asked(**LATEST), {"registry": held("v1.70.17"), "vendor": None}, None, "none", ()),
        (asked(), {"registry": held("v1.69.7", "v1.68.11"), "vendor": None}, False, "wait", ("v1.69.7",)),
        # The vendor has more than the private registry.
        (asked(), {"registry": held("v1.68.11")}, False, "update", ("v1.70.17",)),
        (asked(), {}, False, "update", ("v1.70.17",)),
        # It is there, and the channel does not point at it.
        (asked(), {"registry": held("v1.68.11", "v1.69.7", "v1.70.17")}, False, "publish", ("v1.70.17",)),
        # What the cluster would go on to lacks images; what runs lacks some, which is less urgent.
        (asked(), {"registry": INCOMPLETE}, False, "push", ("v1.69.7",)),
        (asked(**LATEST), {"registry": held("v1.70.17", incomplete={"v1.70.17": ["x"]})}, True, "push", ("v1.70.17",)),
        # The lowest release waits for a word, with and without an observation.
        (asked(releases=WAITS), {}, False, "approve", ("v1.69.7",)),
        (asked(SEEN_WAITING, releases=[pending("v1.69.7")]), {}, False, "approve", ("v1.69.7",)),
        # But not onto what lacks images.
        (asked(releases=WAITS), {"registry": INCOMPLETE}, False, "push", ("v1.69.7",)),
        (asked(releases=[pending("v1.69.7", "\"k8s\" requirement not met: 1.29")]), {}, False, "repair", ("v1.69.7",)),
        (asked(releases=[{"version": "v1.69.7", "phase": "Suspended"}]), {}, False, "repair", ("v1.69.7",)),
        (asked(releases=[pending("v1.69.7", "Release is postponed")]), {}, False, "wait", ("v1.69.7",)),
        # What happens comes before what could be done.
        (asked(UPDATING, releases=[pending("v1.70.3", APPROVAL)]), {}, False, "wait", ("v1.68.11",)),
        (asked(switched_version="v1.69.7", releases=[pending("v1.70.3", APPROVAL)]), {}, False, "wait", ("v1.69.7",)),
        (asked(observed(findings=[PULLS]), releases=WAITS), {}, False, "repair", ("d8-a/pod",)),
        # A module that is blocked does not keep the platform.
        (asked(observed(findings=[BLOCKED]), releases=WAITS, modules=STUCK), {}, False, "approve", ("v1.69.7",)),
        (asked(observed(findings=[BLOCKED]), modules=STUCK, **NEWEST), {}, False, "repair", ("console v1.36.2",)),
        # Nothing is followed, so nothing comes.
        (asked(channel=None), {"registry": held("v1.68.11")}, None, "configure", ()),
    ],
)  # fmt: skip
def test_whether_it_is_up_to_date_and_what_to_do(
    about: Asked, answers: dict[str, Any], up_to_date: bool | None, action: str, subjects: tuple[str, ...]
) -> None:
    found = status(about, **answers)
    assert (found.next.action, found.next.subjects) == (action, subjects), text(found)
    assert found.up_to_date is up_to_date, text(found)
    assert text(found).endswith(f"Next: {found.next.message}")


def with_console(**known: Any) -> Asked:
    console = {"channel": "stable", "source": "deckhouse", "version": "v1.35.1", **known}
    return asked(version="v1.70.17", modules={"console": console})


HIDDEN = {"console": {"versions": ["v1.35.1", "v1.36.2"], "channels": {"stable": "v1.35.1"}}}
SHOWN = {"console": {"versions": ["v1.35.1", "v1.36.2"], "channels": {"stable": "v1.36.2"}}}
OWN = {"own": {"version": "v1.0.0", "source": "deckhouse"}}


@pytest.mark.parametrize(
    ("about", "registry", "up_to_date", "action", "told"),
    [
        (with_console(version="v1.36.2"), {}, True, "none", "up to date"),
        (with_console(), {}, False, "update", "behind by 2 steps"),
        (with_console(version=None), {}, False, "update", "not yet"),
        (with_console(), HIDDEN, False, "publish", ""),
        (with_console(), SHOWN, False, "wait", ""),
        (with_console(releases=[pending("v1.36.2", APPROVAL)]), {}, False, "approve", "v1.36.2 waits (waiting"),
        # The vendor has no such channel, or no such module: nobody can say.
        (with_console(channel="rock-solid"), {}, None, "none", "the vendor has no channel rock-solid of it"),
        (with_console(channel="alpha"), {}, None, "none", "alpha was not read"),
        (asked(version="v1.70.17", modules=OWN), {}, None, "none", "does not have it"),
        # Those that get no updates from there are shown, and do not count.
        (with_console(source="mine"), {}, True, "none", "left alone: module console comes from the ModuleSource mine"),
        (with_console(override="pr1"), {}, True, "none", "left alone: module console is held at the tag pr1"),
        (with_console(version="v1.36.2", phase="DownloadingError"), {}, True, "none", "module is DownloadingError"),
    ],
)  # fmt: skip
def test_modules_one_by_one(
    about: Asked, registry: dict[str, Any], up_to_date: bool | None, action: str, told: str
) -> None:
    found = status(about, registry=held("v1.70.17", modules=registry) if registry else None)
    assert (found.next.action, found.up_to_date) == (action, up_to_date), text(found)
    assert told in text(found)


@pytest.mark.parametrize("part", PARTS)
def test_what_is_missing_is_told_with_its_reason_and_stops_nothing(part: str) -> None:
    broken = {"failed": True, "msg": "connection refused,\n  three times"}
    facts = asked(observed(), modules={}).facts
    found = cluster_status(
        Asked(None, "connection refused, three times") if part == "cluster"
        else Asked(facts, progress=broken if part == "progress" else observed()),
        Answers(
            [{**broken, "item": "vendor.example/ee"} if part == "vendor" else VENDOR],
            [broken if part == "vendor_modules" else MODULES],
            {"inside": broken if part == "registry" else held("v1.69.7")},
        ),
    )  # fmt: skip
    assert found.part(part).reason == "connection refused, three times" and not found.part(part).known
    assert "connection refused, three times" in text(found)
    others = {name for name in PARTS if found.part(name).known}
    assert others == set(PARTS) - {part} - ({"progress"} if part == "cluster" else set())
    assert ("v1.70.17" in text(found)) == (part != "vendor") and ("v1.69.7" in text(found)) == (part != "registry")


def test_a_module_that_broke_off_says_why_in_its_last_line() -> None:
    broken = {"failed": True, "msg": "MODULE FAILURE", "module_stderr": "Traceback\nImportError: no requests\n"}
    assert status(asked(), vendor=broken).part("vendor").reason == "MODULE FAILURE: ImportError: no requests"
    silent = status(asked(), vendor={"unreachable": True, "msg": "ssh: no route to host"})
    assert silent.part("vendor").reason == "ssh: no route to host"


USES = {"registry": {"images_repo": "b.example/ee"}}


@pytest.mark.parametrize(
    ("hosts", "named", "facts", "told"),
    [
        ({"a": "a.example/ee"}, None, USES, "a.example/ee"),
        ({"a": "a.example/ee", "b": "b.example/ee"}, None, USES, "b.example/ee"),
        ({"a": "a.example/ee", "b": "b.example/ee"}, "a", USES, "a.example/ee"),
        ({"a": "a.example/ee", "b": "b.example/ee"}, "c", USES, "c read no private registry; there are a, b"),
        ({"a": "a.example/ee", "c": "c.example/ee"}, None, USES, "a, c read is known to be b.example/ee"),
        ({"a": "a.example/ee", "b": None}, None, USES, "b: no way there"),
        ({"a": "a.example/ee", "b": "b.example/ee"}, None, {}, "(dkp_registry_host)"),
        ({}, None, {}, "not asked"),
    ],
)  # fmt: skip
def test_which_registry_serves_the_cluster(
    hosts: dict[str, str | None], named: str | None, facts: dict[str, Any], told: str
) -> None:
    broken = {"failed": True, "msg": "no way there"}
    inventories = {name: held("v1.69.7", images_repo=each) if each else broken for name, each in hosts.items()}
    facts_read = parse_record(ClusterFacts, cluster(**facts), "cluster")
    part = cluster_status(Asked(facts_read, registry=named), Answers(inventories=inventories)).part("registry")
    assert told in (part.where or "") if part.known else told in part.reason


SE = platform("v1.68.13", channels(stable="v1.68.13"), images_repo="registry.example/deckhouse/se", edition="SE")
SE_FAILED = {"failed": True, "msg": "no way there", "item": "registry.example/deckhouse/se"}


@pytest.mark.parametrize(
    ("offers", "edition", "source", "told"),
    [
        ([VENDOR, SE], "SE", None, "v1.68.13"),
        ([VENDOR, SE], "EE", None, "v1.70.17"),
        ([VENDOR, SE], "EE", "registry.example/deckhouse/se", "is the edition SE, and the cluster is EE"),
        ([VENDOR, SE], "CE", None, "which of registry.example/deckhouse/ee, registry.example/deckhouse/se"),
        ([VENDOR, SE], None, None, "which of registry.example/deckhouse/ee, registry.example/deckhouse/se"),
        ([VENDOR, SE_FAILED], "SE", None, "no way there"),
        ([VENDOR], "SE", None, "is the edition EE, and the cluster is SE"),
        ([VENDOR], None, None, "v1.70.17"),
        ([VENDOR], "EE", "elsewhere.example/ee", "elsewhere.example/ee was not among what was read"),
    ],
)
def test_each_cluster_has_the_source_of_its_edition(
    offers: list[dict[str, Any]], edition: str | None, source: str | None, told: str
) -> None:
    facts = parse_record(ClusterFacts, cluster(edition=edition), "cluster")
    found = cluster_status(Asked(facts, source=source), Answers(offers))
    assert told in f"{found.platform.vendor} {found.part('vendor').reason}"


def test_suspended_by_the_vendor_is_nothing_to_wait_for() -> None:
    offered = channels(stable={"version": "v1.70.17", "suspended": True})
    found = status(asked(modules={}), vendor=platform("v1.68.11 v1.70.17", offered))
    assert found.up_to_date is True and "the vendor has suspended the channel stable" in text(found)


def test_the_table_shows_what_is_there() -> None:
    about = asked(
        observed(queue={"readable": True, "main": 3, "total": 5}),
        update_mode="Manual",
        releases=[pending("v1.69.7", WINDOW, apply_after="2026-11-24T01:00:00Z")],
        modules={"console": {"channel": "stable", "source": "deckhouse", "version": "v1.36.2", "phase": "Ready"}},
    )
    assert text(status(about, registry=held("v1.69.7", "v1.68.11"))).splitlines() == [
        "Cluster prod (EE, registry.example/dkp/ee), update mode Manual",
        "            channel  runs      private  vendor",
        "  platform  stable   v1.68.11  v1.69.7  v1.70.17  behind by 3 steps; "
        f"v1.69.7 waits until 2026-11-24T01:00:00Z (waiting-window): {WINDOW}",
        "  console   stable   v1.36.2   -        v1.36.2   up to date; the private registry lacks images of v1.36.2",
        "  queue: 3 tasks in main, 2 in others",
        f"  Not up to date. Next: wait until 2026-11-24T01:00:00Z for v1.69.7: {WINDOW}",
    ]  # fmt: skip


def test_many_modules_are_shown_as_far_as_there_is_something_to_do() -> None:
    def known(version: str) -> dict[str, str]:
        return {"channel": "stable", "source": "deckhouse", "version": version}

    many = {f"m{number:03}": known("v1.36.2") for number in range(200)} | {"late": known("v1.35.1")}
    offered = modules(**dict.fromkeys(many, CONSOLE))
    lines = text(status(asked(modules=many), offered=offered)).splitlines()
    assert len(lines) < 70 and any(line.startswith("  late") for line in lines) and "and 141 more modules" in lines[-3]


def test_what_is_too_long_for_a_result_loses_what_there_is_nothing_to_do_about() -> None:
    known = {"channel": "stable", "source": "deckhouse"}
    both = {"console": {**known, "version": "v1.36.2"}, "late": {**known, "version": "v1.35.1"}}
    found = status(asked(modules=both), offered=modules(console=CONSOLE, late=CONSOLE))
    document = status_document({"prod": found})
    largest, kept = len(json.dumps(document)), []
    while "status" in (short := shortened(document, largest=largest)):
        kept.append(list(parse_status(short["status"])["prod"].modules))
        largest = len(json.dumps(short["status"])) - 1
        assert bool(short["omitted"]) == (len(kept) > 1)
    assert kept == [["console", "late"], ["late"], []] and short["omitted"] == ["status"]


@pytest.mark.parametrize(
    ("document", "told"),
    [
        ({"kind": "UpdatePlan", "version": 1}, "this is no status"),
        ({"kind": "UpdateStatus", "version": 2}, "this collection reads 1"),
        ({"kind": "UpdateStatus", "version": 1, "clusters": {"prod": {"platfrom": {}}}}, "did you mean platform"),
    ],
)
def test_what_is_no_status_is_refused(document: dict[str, Any], told: str) -> None:
    with pytest.raises(InvalidInput, match=told):
        parse_status(document)
