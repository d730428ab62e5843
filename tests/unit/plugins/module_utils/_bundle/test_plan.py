# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whatever is planned and written at its places, Python's own tarfile reads back."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile

from ansible_collections.dkp.airgap.plugins.module_utils._bundle import tar
from ansible_collections.dkp.airgap.plugins.module_utils._bundle.layout import MARKER, SHORT_TAG, TaggedImage, in_layout
from ansible_collections.dkp.airgap.plugins.module_utils._bundle.plan import ArchivePlan
from hypothesis import given, settings
from hypothesis import strategies as st

LAYOUTS = st.sampled_from(["", "install", "release-channel", "modules/console", "modules/" + "long" * 30 + "/extra/x"])
CONTENT = st.one_of(st.binary(max_size=40), st.integers(0, 1100).map(lambda size: b"z" * size))
OCI = "application/vnd.oci.image.manifest.v1+json"


def written(plan: ArchivePlan, content: dict[bytes, bytes]) -> bytes:
    """The archive's bytes, every entry written where the plan says, in an order of its own."""
    places = list(plan.placements())
    tail = plan.close()
    space = bytearray(b"\xee" * plan.size)
    for place in reversed(places):
        data = content[place.key]
        whole = tar.header(place.name, place.size) + data + bytes(-len(data) % 512)
        assert len(whole) == place.stop - place.start
        space[place.start : place.stop] = whole
    for one in tail:
        data = b"".join(one.pieces())
        assert len(data) == one.size
        whole = tar.header(one.name, one.size) + data + bytes(-len(data) % 512)
        space[one.start : one.start + len(whole)] = whole
    space[-len(tar.END) :] = tar.END
    return bytes(space)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(LAYOUTS, CONTENT), max_size=12), st.sets(LAYOUTS, max_size=4))
def test_tarfile_reads_what_was_planned(blobs: list[tuple[str, bytes]], empty: set[str]) -> None:
    layouts = {path: f"host/{path}" for path in sorted(empty | {layout for layout, _data in blobs})}
    plan = ArchivePlan("platform.tar", layouts)
    content, expected = {}, {}
    for layout, data in blobs:
        key = hashlib.sha256(data).digest()
        content[key] = data
        placed = plan.place_manifest(layout, key, len(data))
        name = in_layout(layout, f"blobs/sha256/{key.hex()}")
        assert (placed is None) == (name in expected)
        expected[name] = data
        plan.tag(layout, TaggedImage(key.hex(), key, len(data), OCI))
    assert plan.images == len(expected) and plan.blobs == 0
    archive = written(plan, content)
    with tarfile.open(fileobj=io.BytesIO(archive), mode="r:") as reader:
        found = {}
        for member in reader:
            file = reader.extractfile(member)
            assert file is not None and member.name not in found
            found[member.name] = file.read()
    for path in layouts:
        assert found.pop(in_layout(path, "oci-layout")) == MARKER
        manifests = json.loads(found.pop(in_layout(path, "index.json")))["manifests"]
        tags = {row["annotations"][SHORT_TAG] for row in manifests or []}
        assert {in_layout(path, f"blobs/sha256/{tag}") for tag in tags} == {
            name for name in expected if name.rpartition("blobs/")[0].rstrip("/") == path
        }
    assert found == expected


def test_the_same_calls_give_the_same_bytes() -> None:
    def make() -> bytes:
        plan = ArchivePlan("platform.tar", {"": "h/r", "install": "h/r/install"})
        data = {hashlib.sha256(text).digest(): text for text in (b"one", b"two")}
        for layout in ("install", ""):
            for key, text in data.items():
                plan.place(layout, key, len(text))
        return written(plan, data)

    assert make() == make()


def test_a_later_image_takes_the_tag() -> None:
    plan = ArchivePlan("platform.tar", {"": "h/r"})
    first, second = hashlib.sha256(b"1").digest(), hashlib.sha256(b"2").digest()
    plan.tag("", TaggedImage("v1", first, 1, OCI))
    plan.tag("", TaggedImage("v1", second, 1, OCI))
    index = b"".join(plan.close()[1].pieces())
    assert [row["digest"] for row in json.loads(index)["manifests"]] == [f"sha256:{second.hex()}"]
