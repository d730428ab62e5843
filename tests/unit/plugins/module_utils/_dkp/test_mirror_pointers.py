# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The document of saved pointers is input like any other: whatever could mislead a cluster is refused with its path."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from ansible_collections.dkp.airgap.plugins.module_utils._dkp.mirror_pointers import (
    is_pointer,
    parse_pointers,
    pointers_document,
    released_in,
)
from ansible_collections.dkp.airgap.plugins.module_utils._oci.digest import digest_of
from ansible_collections.dkp.airgap.plugins.module_utils._oci.errors import InvalidInput
from ansible_collections.dkp.airgap.tests.kit.content import layer_of
from ansible_collections.dkp.airgap.tests.kit.images import OCI_INDEX, image_of

IMAGE = image_of([layer_of({"version.json": b'{"version":"v1.69.0"}'})])
OTHER = image_of([layer_of({"version.json": b'{"version":"v1.70.0"}'})])
STABLE: dict[str, Any] = {
    "repository": "release-channel",
    "tag": "stable",
    "digest": IMAGE.digest,
    "version": "v1.69.0",
    "media_type": IMAGE.media_type,
    "manifest": base64.b64encode(IMAGE.raw).decode(),
    "published": OTHER.digest,
}
DOCUMENT: dict[str, Any] = {
    "kind": "MirrorPointers",
    "version": 1,
    "images_repo": "registry.example/dkp/ee",
    "bundle": None,
    "pointers": [
        STABLE,
        {**STABLE, "tag": "alpha", "digest": None, "version": None, "media_type": None, "manifest": None},
    ],
}
ENCODED_TEXT = base64.b64encode(b"no manifest").decode()


def changed(**fields: Any) -> dict[str, Any]:
    return {**DOCUMENT, "pointers": [{**STABLE, **fields}]}


def test_what_is_written_is_what_is_read() -> None:
    saved = parse_pointers(DOCUMENT, where="file", modules_path="modules")
    assert pointers_document(saved) == DOCUMENT
    image = saved.pointers[0].image()
    assert image is not None and image.raw == IMAGE.raw


@pytest.mark.parametrize(
    "document,expected",
    [
        (None, r"file.kind: expected MirrorPointers, found null"),
        ({**DOCUMENT, "kind": "UpdatePlan"}, r"file.kind: expected MirrorPointers"),
        ({**DOCUMENT, "version": 2}, r"file.version: .* reads 1"),
        ({**DOCUMENT, "version": True}, r"file.version"),
        ({**DOCUMENT, "images_repo": 3}, r"file.images_repo: expected a string"),
        ({**DOCUMENT, "bundle": "x"}, r"file.bundle: .* digest"),
        ({**DOCUMENT, "pointer": []}, r"file.pointer: .*did you mean pointers"),
        ({**DOCUMENT, "pointers": None}, r"file.pointers: is missing"),
        ({**DOCUMENT, "pointers": {}}, r"file.pointers: expected a list"),
        ({**DOCUMENT, "pointers": [STABLE, STABLE]}, r"file.pointers\[1\]: release-channel:stable is there twice"),
        (changed(repository="../ce"), r"file.pointers\[0\].repository"),
        (changed(repository="Release"), r"file.pointers\[0\].repository"),
        (changed(tag="a/b"), r"file.pointers\[0\].tag"),
        (changed(tag="v1.69.0"), r"release-channel:v1.69.0 is no pointer"),
        (changed(repository="", tag="0" * 64), r"is no pointer"),
        (changed(repository="modules/console/release", tag="v1.36.2"), r"is no pointer"),
        (changed(repository="modules/console/release", tag="console"), r"is no pointer"),
        (changed(repository="installer", tag="v1.69.0"), r"is no pointer"),
        (changed(digest="sha256:1"), r"file.pointers\[0\].digest"),
        (changed(digest=OTHER.digest), rf"manifest: is {IMAGE.digest}, and not what digest says"),
        (changed(digest=None), r"file.pointers\[0\]: digest and manifest belong together"),
        (changed(manifest=None), r"file.pointers\[0\]: digest and manifest belong together"),
        (changed(manifest="€"), r"file.pointers\[0\].manifest: is not base64"),
        (changed(manifest=ENCODED_TEXT, digest=digest_of(b"no manifest")), r"file.pointers\[0\].manifest: .*not JSON"),
        (changed(media_type=OCI_INDEX), r"file.pointers\[0\].media_type: is not that of the manifest"),
        (changed(media_type="text/html"), r"file.pointers\[0\].media_type"),
        (changed(version=1.69), r"file.pointers\[0\].version: .*quote it"),
    ],
)  # fmt: skip
def test_what_cannot_be_right_is_refused_with_its_path(document: Any, expected: str) -> None:
    with pytest.raises(InvalidInput, match=expected):
        parse_pointers(document, where="file", modules_path="modules")


@pytest.mark.parametrize(
    "repository,tag,modules_path,expected",
    [
        ("release-channel", "stable", "modules", True),
        ("install", "stable", "modules", True),
        ("modules/console/release", "alpha", "modules", True),
        ("security/trivy-db", "2", "modules", True),
        ("security/trivy-db", "sha256-" + "0" * 64 + ".att", "modules", False),
        ("installer", "latest", "modules", True),
        ("modules", "console", "modules", True),
        ("own", "console", "own", True),
        ("modules", "console", "own", False),
        ("", "console", "", True),
        ("", "v1.69.0", "", False),
        ("packages", "tools", "modules", True),
    ],
)
def test_pointers_are_told_from_content(repository: str, tag: str, modules_path: str, expected: bool) -> None:
    assert is_pointer(repository, tag, modules_path=modules_path) is expected


@pytest.mark.parametrize(
    "repository,modules_path,expected",
    [
        ("release-channel", "modules", ("", "release-channel")),
        ("modules/console/release", "modules", ("modules/console", "modules/console/release")),
        ("console/release", "", ("console", "console/release")),
        ("packages/tools/version", "modules", ("packages/tools", "packages/tools/version")),
        ("install", "modules", ()),
        ("security/trivy-db", "modules", ()),
    ],
)
def test_what_a_channel_needs(repository: str, modules_path: str, expected: tuple[str, ...]) -> None:
    assert released_in(repository, modules_path=modules_path) == expected
