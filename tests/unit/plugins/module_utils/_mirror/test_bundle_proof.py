# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a host has read in full it does not read again, until something about the files has changed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from ansible_collections.dkp.airgap.plugins.module_utils._bundle.donors import HashingReader
from ansible_collections.dkp.airgap.plugins.module_utils._bundle.errors import BundleDamaged
from ansible_collections.dkp.airgap.plugins.module_utils._mirror import proofs
from ansible_collections.dkp.airgap.plugins.module_utils._mirror.bundle import open_bundle
from ansible_collections.dkp.airgap.plugins.module_utils._mirror.memory import HostMemory
from ansible_collections.dkp.airgap.plugins.module_utils._mirror.proving import prove
from ansible_collections.dkp.airgap.plugins.module_utils._oci.errors import AirgapError
from ansible_collections.dkp.airgap.tests.kit.bundles import TINY, Shape, archives_of, write_archive, write_bundle
from ansible_collections.dkp.airgap.tests.kit.faulty import FaultyRegistry
from ansible_collections.dkp.airgap.tests.kit.pushing import ROOT, push_bundle
from ansible_collections.dkp.airgap.tests.kit.tree import build

TREE = build(TINY)
LAYOUTS = archives_of(TREE)["platform.tar"]


@pytest.fixture
def memory(tmp_path: Path) -> HostMemory:
    return HostMemory(tmp_path / "state")


def bytes_read(*sources: Path, memory: HostMemory, always: bool = False) -> int:
    bundle = open_bundle(sources)
    try:
        return prove(bundle, memory, always=always)
    finally:
        bundle.close()


@pytest.mark.parametrize("shape", [Shape(), Shape(chunk=20_000)])
def test_a_bundle_is_read_once(tmp_path: Path, memory: HostMemory, shape: Shape) -> None:
    write_bundle(TREE, tmp_path / "b", shape=shape)
    whole = bytes_read(tmp_path / "b", memory=memory)
    assert whole >= sum(blob.size for blob in TREE.blobs().values()) * 0.8
    assert bytes_read(tmp_path / "b", memory=memory) == 0
    assert bytes_read(tmp_path / "b", memory=memory, always=True) == whole
    assert bytes_read(tmp_path / "b", memory=HostMemory(None)) == whole


def test_an_archive_that_was_touched_is_read_again(tmp_path: Path, memory: HostMemory) -> None:
    write_bundle(TREE, tmp_path / "b")
    whole = bytes_read(tmp_path / "b", memory=memory)
    os.utime(tmp_path / "b" / "platform.tar")
    again = bytes_read(tmp_path / "b", memory=memory)
    assert 0 < again < whole, "the others are not"
    os.replace(tmp_path / "b", tmp_path / "moved")
    assert bytes_read(tmp_path / "moved", memory=memory) == whole


def test_another_machine_reads_it_itself(tmp_path: Path, memory: HostMemory, monkeypatch: pytest.MonkeyPatch) -> None:
    write_bundle(TREE, tmp_path / "b")
    whole = bytes_read(tmp_path / "b", memory=memory)
    monkeypatch.setattr(proofs, "machine", lambda: "another")
    assert bytes_read(tmp_path / "b", memory=memory) == whole


def test_a_refused_archive_is_not_remembered(tmp_path: Path, memory: HostMemory) -> None:
    write_bundle(TREE, tmp_path / "b")
    damage(tmp_path / "b" / "platform.tar")
    for _unused in range(2):
        with pytest.raises(BundleDamaged):
            bytes_read(tmp_path / "b", memory=memory)


def test_an_archive_that_changes_while_it_is_read_is_not_proven(
    tmp_path: Path, memory: HostMemory, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_bundle(TREE, tmp_path / "b", keep=("platform.tar",))
    key = HashingReader.key

    def late(reader: HashingReader) -> bytes:
        os.utime(tmp_path / "b" / "platform.tar")
        return key(reader)

    monkeypatch.setattr(HashingReader, "key", late)
    bytes_read(tmp_path / "b", memory=memory)
    assert bytes_read(tmp_path / "b", memory=memory) > 0


def test_an_archive_is_proven_by_its_own_bytes(tmp_path: Path, memory: HostMemory) -> None:
    """What another source supplied or overrode is no proof: the archive may be pushed alone the next time."""
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        write_archive(tmp_path / name / "platform.tar", LAYOUTS)
    damage(tmp_path / "b" / "platform.tar")
    with pytest.raises(BundleDamaged):
        bytes_read(tmp_path / "a", tmp_path / "b", memory=memory)
    with pytest.raises(BundleDamaged):
        bytes_read(tmp_path / "b", memory=memory)


def test_an_archive_that_needs_another_is_no_proof_alone(tmp_path: Path, memory: HostMemory) -> None:
    image = dict(LAYOUTS[""])["v1.69.0"]
    write_archive(tmp_path / "whole.tar", {"": [("v1.69.0", image)]})
    write_archive(tmp_path / "part.tar", {"": [("v1.69.0", image)]})
    data = (tmp_path / "part.tar").read_bytes()
    lost = image.blobs[-1].digest[7:].encode()
    (tmp_path / "part.tar").write_bytes(renamed(data, lost))
    bytes_read(tmp_path / "whole.tar", tmp_path / "part.tar", memory=memory)
    with pytest.raises(BundleDamaged, match=r"part\.tar: .* is missing"):
        bytes_read(tmp_path / "part.tar", memory=memory)


def renamed(data: bytes, digest: bytes) -> bytes:
    """The archive with the blob `digest` under another name, its header's checksum right again."""
    start = data.index(b"blobs/sha256/" + digest)
    header = bytearray(data[start : start + 512])
    header[13:15] = b"ff" if header[13:15] != b"ff" else b"00"
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    return data[:start] + bytes(header) + data[start + 512 :]


def damage(archive: Path) -> bytes:
    """Flip a bit in the largest layer of an install image; returns the digest of the layer."""
    image = dict(LAYOUTS["install"])["v1.69.0"]
    blob = max(image.blobs, key=lambda one: one.size)
    data = bytearray(archive.read_bytes())
    data[data.index(blob.read()[:4000]) + 2000] ^= 4
    archive.write_bytes(data)
    return blob.digest.encode()


def test_a_bit_that_flips_after_the_proof_is_caught_by_the_registry(
    tmp_path: Path, registry: FaultyRegistry, memory: HostMemory, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_bundle(TREE, tmp_path / "b")
    bytes_read(tmp_path / "b", memory=memory)
    digest = damage(tmp_path / "b" / "platform.tar").decode()
    monkeypatch.setattr(proofs, "identity_of", lambda paths: ["as if nothing had changed"])
    bundle = open_bundle([tmp_path / "b"])
    for files, _archive in bundle.archives:
        proofs.put_proof(memory, files.paths)
    bundle.close()
    with pytest.raises(AirgapError, match=r"platform: platform\.tar: blob .* has changed since the archive was proven"):
        push_bundle(registry.host, tmp_path / "b", state=tmp_path / "state")
    install = registry.store.repository(f"{ROOT}/install")
    assert digest not in install.blobs and "v1.69.0" not in install.tags
    assert not registry.store.repository(f"{ROOT}/release-channel").tags, "no version of it, and no channel"
    assert registry.store.repository(f"{ROOT}/modules/console/release").tags["stable"], "the others are not concerned"
    with pytest.raises(BundleDamaged, match=r"^platform\.tar: .* is damaged"):
        push_bundle(registry.host, tmp_path / "b", state=tmp_path / "state")


def test_check_mode_remembers_nothing(tmp_path: Path, registry: FaultyRegistry) -> None:
    write_bundle(TREE, tmp_path / "b")
    push_bundle(registry.host, tmp_path / "b", state=tmp_path / "state", check_mode=True)
    assert not (tmp_path / "state").exists()
