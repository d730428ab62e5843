# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""delivery.json: what is written is read back; what leads astray is refused."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ansible_collections.dkp.airgap.plugins.module_utils._bundle.delivery import (
    ArchiveSummary,
    DeliveredImage,
    Delivery,
    Part,
    parse,
    render,
)
from ansible_collections.dkp.airgap.plugins.module_utils._bundle.errors import BundleDamaged

SHA = "a" * 64
PARTS = (Part("platform.tar.0000.chunk", 100, SHA), Part("platform.tar.0001.chunk", 20, "b" * 64))
IMAGES = (
    DeliveredImage("", "v1.69.0", f"sha256:{SHA}", 77),
    DeliveredImage("modules/console", 'od"d', f"sha256:{SHA}", 0),
)
DELIVERY = Delivery(
    source={"images_repo": "registry.example/dkp/ee", "edition": "ee"},
    content={"platform": {"versions": ["v1.69.0"]}},
    archives=(ArchiveSummary("platform.tar", 120, 2, 3, PARTS),),
    images=IMAGES,
    releases={"platform": {"v1.69.0": ["sha256:x"]}, "modules": {}},
)


def document(**changes: Any) -> bytes:
    return json.dumps({**json.loads(b"".join(render(DELIVERY))), **changes}).encode()


def archives(**changes: Any) -> list[dict[str, Any]]:
    return [{**DELIVERY.archives[0].as_dict(), **changes}]


def part(**changes: Any) -> list[dict[str, Any]]:
    return archives(parts=[PARTS[0].as_dict(), {**PARTS[1].as_dict(), **changes}])


def test_what_is_written_is_read() -> None:
    found = parse(b"".join(render(DELIVERY)), "delivery.json")
    assert list(found.images) == list(IMAGES)
    assert (found.archives, found.content, found.releases, found.plan, found.requires) == (
        *(DELIVERY.archives, DELIVERY.content, DELIVERY.releases),
        *(None, ()),
    )


def test_one_image_a_line_and_no_more() -> None:
    lines = b"".join(render(DELIVERY)).decode().splitlines()
    assert sum(line.startswith('{"repository"') for line in lines) == 2


def test_without_images_it_is_a_document_all_the_same() -> None:
    empty = Delivery(source={}, content={}, archives=(), images=())
    assert parse(b"".join(render(empty)), "delivery.json").images == []


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"", "not JSON"),
        (b"[]", "not a Delivery"),
        (b"[" * 100_000, "not JSON"),
        (document(kind="Plan"), "not a Delivery"),
        (document(version=2), "version 2; this collection reads version 1"),
        (document(images=[{"repository": "", "tag": "v1", "digest": 5, "bytes": 1}]), r"images\[0\]"),
        (document(images=None), "images is not a list"),
        (document(archives={}), "archives is not a list"),
        (document(archives=[5]), r"archives\[0\]"),
        (document(archives=archives(bytes=121)), "bytes of the archive"),
        (document(archives=archives(images=-1)), r"archives\[0\]"),
        (document(archives=archives(name="../platform.tar")), r"archives\[0\]"),
        (document(archives=part(name="platform.tar.0001.chunk/../../x.tar.0001.chunk")), r"archives\[0\]"),
        (document(archives=part(name="/etc/platform.tar")), r"archives\[0\]"),
        (document(archives=part(name="passwd")), r"archives\[0\]"),
        (document(archives=part(name="security.tar")), r"archives\[0\]"),
        (document(archives=part(bytes="20")), r"archives\[0\]"),
        (document(archives=part(bytes=20.0)), r"archives\[0\]"),
        (document(archives=part(sha256="zz")), r"archives\[0\]"),
        (document(content=[]), "content is not an object"),
        (document(releases=None), "releases is not an object"),
    ],
)
def test_other_documents_are_refused(data: bytes, text: str) -> None:
    with pytest.raises(BundleDamaged, match=text) as caught:
        parse(data, "delivery.json")
    assert caught.value.archive == "delivery.json"
