# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later


from __future__ import annotations

import gzip
import hashlib
import io
import tarfile
import zlib

import pytest
from ansible_collections.dkp.airgap.tests.kit.content import (
    Joined,
    Literal,
    Noise,
    Recipe,
    StoredGzip,
    blob_of,
    layer_of,
)

RECIPES = {
    "empty": Literal(b""),
    "literal": Literal(b"0123456789"),
    "noise within a block": Noise("a", 1000),
    "noise over blocks": Noise("a", 3 * 256 * 1024 + 17),
    "joined": Joined((Literal(b"abc"), Noise("b", 100), Literal(b""), Literal(b"xyz"))),
    "gzip of nothing": StoredGzip(Literal(b"")),
    "gzip of one full block": StoredGzip(Noise("c", 65535)),
    "gzip over blocks": StoredGzip(Noise("c", 3 * 65535 + 1)),
}


def content(recipe: Recipe, start: int = 0, stop: int | None = None) -> bytes:
    return b"".join(recipe.chunks(start, recipe.size if stop is None else stop))


@pytest.mark.parametrize("recipe", RECIPES.values(), ids=RECIPES)
def test_a_recipe_makes_as_much_as_it_says_and_any_part_of_it(recipe: Recipe) -> None:
    whole = content(recipe)
    assert len(whole) == recipe.size
    size = len(whole)
    for start in sorted({0, 1, 9, 10, 31, 32, 33, 65545, 65550, 262143, 262144, size - 9, size - 8, size - 1, size}):
        for stop in (start, start + 1, start + 70000, size):
            if 0 <= start <= stop <= size:
                assert content(recipe, start, stop) == whole[start:stop], (start, stop)


def test_noise_depends_on_its_seed_and_does_not_compress() -> None:
    one, other = content(Noise("one", 600_000)), content(Noise("other", 600_000))
    assert content(Noise("one", 600_000)) == one
    assert one != other
    assert len(zlib.compress(one)) > 595_000
    blocks = {one[start : start + 4096] for start in range(0, 600_000, 4096)}
    assert len(blocks) == len(range(0, 600_000, 4096))


def test_a_layer_is_a_gzip_file_of_a_tar_archive() -> None:
    layer = layer_of({"version.json": b"{}", "deckhouse/noise": Noise("n", 200_000), "last": b""})
    raw = layer.read()
    assert layer.digest == f"sha256:{hashlib.sha256(raw).hexdigest()}"
    with tarfile.open(fileobj=io.BytesIO(gzip.decompress(raw))) as archive:
        names = archive.getnames()
        member = archive.extractfile("deckhouse/noise")
        assert member is not None
        assert member.read() == content(Noise("n", 200_000))
    assert names == ["version.json", "deckhouse/noise", "last"]


def test_equal_recipes_give_equal_digests_on_every_machine() -> None:
    """A tree that was stored by one interpreter is used by another."""
    assert blob_of(Noise("pinned", 300_000)).digest == (
        "sha256:6c0f3aede1534789ac57bc812050cfb53f2395061b4380d6425c475c89165789"
    )
