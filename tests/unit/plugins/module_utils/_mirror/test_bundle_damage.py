# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Damaged bundles: refused before anything is uploaded, with the archive's name, or the damage does not matter."""

from __future__ import annotations

import io
import json
import random
import tarfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from ansible_collections.dkp.airgap.plugins.module_utils._bundle import tar
from ansible_collections.dkp.airgap.plugins.module_utils._bundle.errors import BundleDamaged, BundleError
from ansible_collections.dkp.airgap.plugins.module_utils._mirror.bundle import open_bundle
from ansible_collections.dkp.airgap.plugins.module_utils._mirror.memory import HostMemory
from ansible_collections.dkp.airgap.plugins.module_utils._mirror.proving import prove
from ansible_collections.dkp.airgap.tests.kit.bundles import TINY, Shape, add, archives_of, entries_of, write_bundle
from ansible_collections.dkp.airgap.tests.kit.faulty import FaultyRegistry
from ansible_collections.dkp.airgap.tests.kit.images import image_of
from ansible_collections.dkp.airgap.tests.kit.pushing import push_bundle
from ansible_collections.dkp.airgap.tests.kit.tree import build

SMALLEST = replace(
    TINY,
    components=1,
    component_layer=64,
    base_layer=64,
    main_layer=64,
    install_layer=192,
    standalone=False,
    vex_share=1,
    security=False,
    modules=(),
    versions=("v1.69.0",),
    channels=TINY.channels[1:2],
)
"""A few images: every part of the archive is hit by random flips."""
SHAPES = {"plain": Shape(), "chunks": Shape(chunk=4096)}


@pytest.fixture(autouse=True)
def home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))


def make(
    path: Path, *, delivery: bool = False, shape: Shape = SHAPES["plain"], keep: tuple[str, ...] | None = None
) -> Path:
    write_bundle(build(SMALLEST), path, delivery=delivery, shape=shape, keep=keep)
    return path


def content(directory: Path) -> dict[tuple[str, str], str]:
    """What a push would write: digests of proven images by layout and tag."""
    bundle = open_bundle([directory])
    try:
        prove(bundle, HostMemory(None), always=True)
        return {(path, tag): image.digest for path, one in bundle.layouts.items() for tag, image in one.images.items()}
    finally:
        bundle.close()


def refused(directory: Path, match: str = ".") -> str:
    with pytest.raises(BundleError, match=match) as error:
        content(directory)
    return str(error.value)


@pytest.mark.parametrize("delivery", [True, False], ids=["delivered", "bare"])
def test_a_flipped_bit_is_refused_or_does_not_matter(tmp_path: Path, delivery: bool) -> None:
    """Hundreds of flips all over the archive; those in what nobody reads may pass if the result is the same."""
    bundle = make(tmp_path / "b", delivery=delivery)
    whole = content(bundle)
    archive = bundle / "platform.tar"
    data = archive.read_bytes()
    chance = random.Random(7)
    positions = [chance.randrange(len(data)) for _unused in range(350)]
    positions += [offset for start, stop in index_spans(data) for offset in range(start, stop, 9)]
    positions = positions[:: 4 if delivery else 1]
    harmless = 0
    for position in positions:
        flipped = bytearray(data)
        flipped[position] ^= 1 << chance.randrange(8)
        archive.write_bytes(flipped)
        try:
            found = content(bundle)
        except BundleDamaged as error:
            assert error.archive == "platform.tar", str(error)
        else:
            assert found == whole, f"byte {position}: other content, and nobody noticed"
            harmless += 1
    assert harmless < len(positions) * 0.75


def index_spans(data: bytes) -> list[tuple[int, int]]:
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        found = [one for one in archive.getmembers() if one.name.endswith("index.json")]
    return [(one.offset_data, one.offset_data + one.size) for one in found]


def test_a_flipped_bit_in_the_delivery_is_refused_or_does_not_matter(tmp_path: Path) -> None:
    bundle = make(tmp_path / "b", delivery=True)
    whole = content(bundle)
    path = bundle / "delivery.json"
    data = path.read_bytes()
    chance = random.Random(11)
    for position in (chance.randrange(len(data)) for _unused in range(250)):
        flipped = bytearray(data)
        flipped[position] ^= 1 << chance.randrange(8)
        path.write_bytes(flipped)
        try:
            assert content(bundle) == whole, f"byte {position}"
        except BundleError as error:
            assert ".tar" in str(error) or "delivery.json" in str(error)


def boundaries(data: bytes) -> dict[str, int]:
    """Where an archive may end too early: one place of each kind."""
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        members = archive.getmembers()
    middle = members[len(members) // 2]
    return {
        "nothing is left": 0,
        "between entries": middle.offset,
        "inside a header": middle.offset + 200,
        "behind a header": middle.offset_data,
        "inside a content": middle.offset_data + max(middle.size // 2, 1),
        "in the padding": middle.offset_data + middle.size + 1,
        "before the end": len(data) - 1024,
        "inside the end": len(data) - 512,
        "one byte": len(data) - 1,
    }


@pytest.mark.parametrize("delivery", [True, False], ids=["delivered", "bare"])
def test_a_truncated_archive_is_refused(tmp_path: Path, delivery: bool, registry: FaultyRegistry) -> None:
    bundle = make(tmp_path / "b", delivery=delivery)
    archive = bundle / "platform.tar"
    data = archive.read_bytes()
    for kind, length in boundaries(data).items():
        archive.write_bytes(data[:length])
        with pytest.raises(BundleDamaged) as error:
            push_bundle(registry.host, bundle, state=None)
        assert error.value.archive == "platform.tar", kind
    assert not registry.exchanges, "a registry is not even asked"


@pytest.mark.parametrize("delivery", [True, False], ids=["delivered", "bare"])
@pytest.mark.parametrize("which", ["first", "middle", "last", "shorter", "swapped"])
def test_chunks_that_are_missing_or_out_of_order_are_refused(tmp_path: Path, delivery: bool, which: str) -> None:
    bundle = make(tmp_path / "b", delivery=delivery, shape=SHAPES["chunks"], keep=("platform.tar",))
    chunks = sorted(bundle.glob("platform.tar.*.chunk"))
    assert len(chunks) > 4
    if which == "swapped":
        first, second = (chunk.read_bytes() for chunk in chunks[1:3])
        chunks[1].write_bytes(second)
        chunks[2].write_bytes(first)
    elif which == "shorter":
        chunks[1].write_bytes(chunks[1].read_bytes()[:-1])
    else:
        chunks[{"first": 0, "middle": 2, "last": -1}[which]].unlink()
    assert refused(bundle).startswith("platform.tar: ")


@pytest.mark.parametrize("chunked", [True, False])
def test_files_that_the_delivery_does_not_name_are_left_out(tmp_path: Path, chunked: bool) -> None:
    bundle = make(tmp_path / "b", delivery=True, shape=SHAPES["chunks" if chunked else "plain"])
    whole = content(bundle)
    (bundle / "platform.tar.0099.chunk").write_bytes(b"of an older, larger bundle")
    (bundle / "module-old.tar").write_bytes(b"of an older one, too")
    if chunked:
        (bundle / "platform.tar").write_bytes(b"of an older one without chunks")
    assert content(bundle) == whole
    opened = open_bundle([bundle])
    opened.close()
    left_out = " ".join(opened.warnings)
    assert "platform.tar.0099.chunk" in left_out and "module-old.tar" in left_out


def test_chunks_behind_the_end_of_an_archive_do_not_matter(tmp_path: Path) -> None:
    bundle = make(tmp_path / "b", shape=SHAPES["chunks"], keep=("platform.tar",))
    whole = content(bundle)
    last = len(list(bundle.glob("platform.tar.*")))
    (bundle / f"platform.tar.{last:04d}.chunk").write_bytes(b"what an older, larger bundle left")
    assert content(bundle) == whole


def rewritten(bundle: Path, change: Callable[[dict], None]) -> None:  # type: ignore[type-arg]
    path = bundle / "delivery.json"
    document = json.loads(path.read_text())
    change(document)
    path.write_text(json.dumps(document))


@pytest.mark.parametrize(
    "change,match",
    [
        (lambda d: d["images"].append({**d["images"][0], "tag": "v9.9.9"}), r"platform\.tar: .*v9\.9\.9 must be"),
        (lambda d: d["images"][0].update(digest="sha256:" + "0" * 64), r"\.tar: .* must be sha256:0000"),
        (lambda d: d["images"].pop(0), r"\.tar: .*has tags that delivery\.json does not name"),
        (lambda d: d["images"].append({**d["images"][0], "repository": "modules/x"}), "modules/x"),
        (lambda d: d["archives"][0]["parts"].clear(), "delivery.json"),
        (lambda d: d["archives"][0]["parts"][0].update(name="../platform.tar"), "delivery.json"),
        (lambda d: d.update(version=2), "version 2; this collection reads version 1"),
        (lambda d: d.pop("archives"), "archives is not a list"),
    ],
)
def test_a_delivery_that_disagrees_is_refused(
    tmp_path: Path,
    change: Callable[[dict], None],
    match: str,  # type: ignore[type-arg]
) -> None:
    bundle = make(tmp_path / "b", delivery=True, keep=("platform.tar",))
    rewritten(bundle, change)
    refused(bundle, match)


def test_parts_of_a_delivery_that_are_missing_or_short_are_named(tmp_path: Path) -> None:
    bundle = make(tmp_path / "b", delivery=True)
    installer = bundle / "installer.tar"
    installer.write_bytes(installer.read_bytes() + b"\0")
    assert "installer.tar: installer.tar has" in refused(bundle)
    installer.unlink()
    assert "installer.tar: installer.tar is missing" in refused(bundle)
    content(bundle / "platform.tar")  # of which nothing is missing


@pytest.mark.parametrize("source", ["", "platform.tar"])
def test_an_unfinished_bundle_is_refused(tmp_path: Path, source: str) -> None:
    bundle = make(tmp_path / "b")
    (bundle / "pull.journal").write_text("")
    refused(bundle / source, "unfinished.*run the pull again")


def hostile(path: Path, change: Callable[[tarfile.TarFile], None]) -> Path:
    """An archive that is right but for one entry."""
    path.mkdir()
    with tarfile.open(path / "platform.tar", "w", format=tarfile.GNU_FORMAT) as archive:
        for name, data in entries_of(archives_of(build(SMALLEST))["platform.tar"]):
            add(archive, name, data)
        change(archive)
    return path


def entry(kind: bytes, name: str = "blobs/sha256/x") -> Callable[[tarfile.TarFile], None]:
    def write(archive: tarfile.TarFile) -> None:
        member = tarfile.TarInfo(name)
        member.type, member.linkname = kind, "../../etc/passwd"
        archive.addfile(member)

    return write


def raw_header(**changes: bytes) -> Callable[[tarfile.TarFile], None]:
    def write(archive: tarfile.TarFile) -> None:
        member = tarfile.TarInfo("x")
        for name, value in changes.items():
            setattr(member, name, value)
        archive.fileobj.write(member.tobuf(tarfile.GNU_FORMAT))  # type: ignore[union-attr]

    return write


@pytest.mark.parametrize(
    "change,match",
    [
        (lambda archive: add(archive, "../outside", b"x"), "leads out of the archive"),
        (lambda archive: add(archive, "install/../../outside", b"x"), "leads out of the archive"),
        (lambda archive: add(archive, "/absolute", b"x"), "absolute name"),
        (entry(tarfile.SYMTYPE), "only regular files"),
        (entry(tarfile.LNKTYPE), "only regular files"),
        (entry(tarfile.CHRTYPE), "only regular files"),
        (entry(tarfile.BLKTYPE), "only regular files"),
        (entry(tarfile.FIFOTYPE), "only regular files"),
        (entry(tarfile.GNUTYPE_SPARSE), "only regular files"),
        (raw_header(type=tarfile.GNUTYPE_LONGNAME, size=1 << 30), "oversized header"),
        (raw_header(type=tarfile.XHDTYPE, size=1 << 30), "oversized header"),
        (raw_header(size=1 << 40), "truncated"),
        (lambda archive: add(archive, "other/blobs/sha256/" + "0" * 64, b"x"), "has no index.json"),
    ],
)
def test_hostile_archives_are_refused(tmp_path: Path, change: Callable[[tarfile.TarFile], None], match: str) -> None:
    assert refused(hostile(tmp_path / "b", change), match).startswith("platform.tar: ")


def test_more_entries_than_any_bundle_has_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bundle = make(tmp_path / "b")
    monkeypatch.setattr(tar, "MOST_ENTRIES", 5)
    refused(bundle, "more than 5 entries")


@pytest.mark.parametrize("what", ["blob", "manifest", "longer"])
def test_a_layout_that_lacks_something_is_refused(tmp_path: Path, what: str) -> None:
    tree = build(SMALLEST)
    image = tree.repository().tags["v1.69.0"]
    lost = image.digest if what == "manifest" else image.blobs[-1].digest
    (tmp_path / "b").mkdir()
    with tarfile.open(tmp_path / "b" / "platform.tar", "w", format=tarfile.GNU_FORMAT) as archive:
        for name, data in entries_of(archives_of(tree)["platform.tar"]):
            if not name.endswith(lost[7:]):
                add(archive, name, data)
            elif what == "longer":
                add(archive, name, data + b"x")
    assert lost[7:] in refused(tmp_path / "b", r"platform\.tar: layout at the root")


def test_the_archive_that_is_damaged_is_named_when_several_share_a_layout(tmp_path: Path) -> None:
    layouts = archives_of(build(SMALLEST))["platform.tar"]
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        with tarfile.open(tmp_path / name / f"{name}.tar", "w", format=tarfile.GNU_FORMAT) as archive:
            for path, data in entries_of(layouts):
                damaged = name == "a" and path.startswith("blobs") and len(data) > 600
                add(archive, path, bytes([data[0] ^ 1]) + data[1:] if damaged else data)
    bundle = open_bundle([tmp_path / "a", tmp_path / "b"])
    with pytest.raises(BundleDamaged, match=r"^a\.tar: ") as error:
        prove(bundle, HostMemory(None), always=True)
    assert error.value.archive == "a.tar"
    bundle.close()


def test_a_file_that_may_not_be_read_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bundle = make(tmp_path / "b")
    monkeypatch.setattr(
        "os.open",
        lambda path, *_rest: (_unused for _unused in ()).throw(PermissionError(13, "Permission denied", str(path))),
    )
    assert "platform.tar" in refused(bundle / "platform.tar", "cannot be read: Permission denied")


def test_descriptors_without_a_tag_are_left_out_with_a_warning(tmp_path: Path, registry: FaultyRegistry) -> None:
    image = image_of([])
    tree = build(SMALLEST)
    layouts = archives_of(tree)["platform.tar"]
    (tmp_path / "b").mkdir()
    with tarfile.open(tmp_path / "b" / "platform.tar", "w", format=tarfile.GNU_FORMAT) as archive:
        for name, data in entries_of(layouts):
            if name == "index.json":
                document = json.loads(data)
                row = {"mediaType": image.media_type, "size": len(image.raw), "digest": image.digest}
                document["manifests"].append(row)
                data = json.dumps(document).encode()
            add(archive, name, data)
    result = push_bundle(registry.host, tmp_path / "b", state=None)
    told = [finding.message for finding in result.findings if finding.id == "bundle"]
    assert "has no io.deckhouse.image.short_tag" in told[0]
