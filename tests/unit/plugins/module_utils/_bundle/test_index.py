# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Archives of every generation of d8 and of ours: where their layouts belong (d8-mirror.md §5.9, §6.3, §11.2)."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

import pytest
from ansible_collections.dkp.airgap.plugins.module_utils._bundle import tar
from ansible_collections.dkp.airgap.plugins.module_utils._bundle.errors import BundleDamaged
from ansible_collections.dkp.airgap.plugins.module_utils._bundle.index import ArchiveIndex, scan
from ansible_collections.dkp.airgap.plugins.module_utils._bundle.layout import MARKER
from ansible_collections.dkp.airgap.plugins.module_utils._bundle.parts import PartSpace

MANIFEST = b'{"schemaVersion":2}'
HEX = hashlib.sha256(MANIFEST).hexdigest()
KEY = bytes.fromhex(HEX)
OCI = "application/vnd.oci.image.manifest.v1+json"


def index_json(*tags: str) -> bytes:
    rows = [{"mediaType": OCI, "size": len(MANIFEST), "digest": f"sha256:{HEX}",
             "annotations": {"io.deckhouse.image.short_tag": tag}} for tag in tags]  # fmt: skip
    return json.dumps({"schemaVersion": 2, "manifests": rows or None}).encode()


def layout(prefix: str, *tags: str) -> dict[str, bytes]:
    return {
        f"{prefix}blobs/sha256/{HEX}": MANIFEST,
        f"{prefix}index.json": index_json(*tags),
        f"{prefix}oci-layout": MARKER,
    }


def scanned(tmp_path: Path, name: str, files: dict[str, bytes], *, chunk: int = 0) -> ArchiveIndex:
    data = b"".join(tar.header(path, len(one)) + one + bytes(-len(one) % 512) for path, one in files.items()) + tar.END
    pieces = [data[start : start + chunk] for start in range(0, len(data), chunk)] if chunk else [data]
    paths = []
    for number, piece in enumerate(pieces):
        paths.append(tmp_path / f"{number}")
        paths[-1].write_bytes(piece)
    return scan(name, PartSpace(paths))


def shape(archive: ArchiveIndex) -> dict[str, list[str]]:
    return {path: sorted(image.short_tag for image in one.images) for path, one in archive.layouts.items()}


@pytest.mark.parametrize("chunk", [0, 100, 512, 1000])
def test_layouts_with_their_images(tmp_path: Path, chunk: int) -> None:
    files = {**layout("", "v1.68.0", HEX), **layout("install/", "v1.68.0"), **layout("release-channel/")}
    archive = scanned(tmp_path, "platform.tar", files, chunk=chunk)
    assert shape(archive) == {"": sorted(["v1.68.0", HEX]), "install": ["v1.68.0"], "release-channel": []}
    image = archive.layouts["install"].images[0]
    place = archive.layouts["install"].blobs.get(image.key)
    assert place is not None and archive.space.read_at(*place) == MANIFEST
    assert archive.stop + len(tar.END) == archive.space.size
    archive.space.close()


def test_paths_in_an_archive_may_begin_with_a_dot(tmp_path: Path) -> None:
    archive = scanned(tmp_path, "platform.tar", {**layout("./", "v1"), **layout("./install/", "v1")})
    assert list(archive.layouts) == ["", "install"]
    archive.space.close()


def test_leftovers_under_blobs_are_ignored(tmp_path: Path) -> None:
    leftovers = {f"blobs/sha256/{HEX}1234567": b"torn", "blobs/sha256/x": b"", "blobs/index": b"", "note.txt": b""}
    archive = scanned(tmp_path, "platform.tar", {**leftovers, **layout("", "v1")})
    assert shape(archive) == {"": ["v1"]} and len(archive.layouts[""].blobs) == 1
    archive.space.close()


def test_blobs_without_index_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BundleDamaged, match="platform.tar: layout install has no index.json"):
        scanned(tmp_path, "platform.tar", {f"install/blobs/sha256/{HEX}": MANIFEST, **layout("", "v1")})


def test_the_files_of_a_damaged_archive_do_not_stay_open(tmp_path: Path) -> None:
    path = tmp_path / "0"
    path.write_bytes(tar.header("index.json", 10) + bytes(100))
    opened = len(os.listdir("/proc/self/fd"))
    with pytest.raises(BundleDamaged) as raised:
        scan("platform.tar", PartSpace([path]))
    assert raised.value.archive == "platform.tar"
    assert len(os.listdir("/proc/self/fd")) == opened


def test_an_index_as_large_as_a_disk_is_refused(tmp_path: Path) -> None:
    name = tmp_path / "0"
    huge = 257 * 1024 * 1024
    with name.open("wb") as file:
        file.write(tar.header("index.json", huge))
        file.truncate(512 + huge + 1024)
    with pytest.raises(BundleDamaged, match="more than the"):
        scan("platform.tar", PartSpace([name]))
