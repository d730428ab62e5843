# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where things lie: repositories, layouts, archives, editions."""

from __future__ import annotations

import pytest
from ansible_collections.dkp.airgap.plugins.module_utils._dkp import tree
from ansible_collections.dkp.airgap.plugins.module_utils._dkp.editions import bare_root, edition_of
from ansible_collections.dkp.airgap.plugins.module_utils._dkp.tree import Place
from ansible_collections.dkp.airgap.plugins.module_utils._oci.errors import InvalidInput
from ansible_collections.dkp.airgap.plugins.module_utils._oci.reference import parse_address


@pytest.mark.parametrize(
    ("address", "edition", "installer"),
    [
        ("registry.example/deckhouse/ee", "EE", "deckhouse/installer"),
        ("registry.example/deckhouse/ee/", "EE", "deckhouse/installer"),
        ("registry.example/deckhouse/fe", "FE", "deckhouse/installer"),
        ("registry.example/deckhouse/se", "SE", "deckhouse/installer"),
        ("registry.example/deckhouse/se-plus", "SE-plus", "deckhouse/installer"),
        ("registry.example/deckhouse/be", "BE", "deckhouse/installer"),
        ("registry.example/deckhouse/ce", "CE", "deckhouse/installer"),
        ("registry.example/deckhouse/cse", "CSE", "deckhouse/cse/installer"),
        ("registry.example/mirrors/dkp", None, "mirrors/dkp/installer"),
        ("registry.example/ee/dkp", None, "ee/dkp/installer"),
        ("registry.example:5000/ee", "EE", "installer"),
        ("registry.example/deckhouse/not-ee", None, "deckhouse/not-ee/installer"),
    ],
)
def test_the_last_segment_names_the_edition_and_the_installer_lies_beside_it(
    address: str, edition: str | None, installer: str
) -> None:
    parsed = parse_address(address)
    assert edition_of(parsed) == edition
    assert bare_root(parsed).child("installer") == installer


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("", "modules"),
        (" ", "modules"),
        ("modules", "modules"),
        ("/modules", "modules"),
        ("modules/", "modules"),
        ("/", ""),
        ("//", ""),
        ("/custom/mods/", "custom/mods"),
    ],
)
def test_the_modules_path_is_normalised(text: str, path: str) -> None:
    assert tree.normalise_modules_path(text) == path


@pytest.mark.parametrize("text", ["../x", "a//b", "Modules", "a b", "a:b", "modules/."])
def test_a_modules_path_that_cannot_be_one_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match="modules_path: .* is not a repository path .*for example"):
        tree.normalise_modules_path(text)


@pytest.mark.parametrize(("path", "prefix"), [("modules", "modules/"), ("", ""), ("custom/mods", "custom/mods/")])
def test_a_modules_repositories_follow_the_path(path: str, prefix: str) -> None:
    assert tree.module_repository("console", modules_path=path) == f"{prefix}console"
    assert tree.module_release_repository("console", modules_path=path) == f"{prefix}console/release"
    assert tree.module_extra_repository("console", "db", modules_path=path) == f"{prefix}console/extra/db"
    assert tree.repository_of("modules/console/extra/db", modules_path=path) == f"{prefix}console/extra/db"
    assert tree.repository_of("modules", modules_path=path) == path
    for layout in ("", "install", "release-channel", "security/trivy-db", "modules-x/y", "deckhouse-cli/plugins/a"):
        assert tree.repository_of(layout, modules_path=path) == layout


def test_layouts_of_modules_do_not_depend_on_the_path() -> None:
    assert tree.module_release_repository("console") == "modules/console/release"


@pytest.mark.parametrize(
    ("layout", "place"),
    [
        ("", Place("platform", "")),
        ("install", Place("platform", "install")),
        ("install-standalone", Place("platform", "install-standalone")),
        ("release-channel", Place("platform", "release-channel")),
        ("security/trivy-db", Place("security", "trivy-db")),
        ("installer", Place("installer", "installer")),
        ("modules/console", Place("module", "console")),
        ("modules/console/release", Place("module", "console", "release")),
        ("modules/console/extra/db", Place("module", "console", "extra/db")),
        ("packages/p/version", Place("package", "p", "version")),
        ("deckhouse-cli/plugins/mgr", Place("plugin", "mgr")),
        ("deckhouse-cli", Place("other", "deckhouse-cli")),
        ("modules", Place("other", "modules")),
        ("security", Place("other", "security")),
    ],
)
def test_every_layout_has_its_place(layout: str, place: Place) -> None:
    assert tree.place_of(layout) == place


@pytest.mark.parametrize(
    ("archive", "layout", "expected"),
    [
        ("platform.tar", "", ""),
        ("platform.tar", "install", "install"),
        ("security.tar", "security/trivy-db", "security/trivy-db"),
        ("security.tar", "trivy-db", "security/trivy-db"),
        ("module-console.tar", "modules/console/release", "modules/console/release"),
        ("module-console.tar", "", "modules/console"),
        ("module-console.tar", "release", "modules/console/release"),
        ("module-console.tar", "extra/db", "modules/console/extra/db"),
        ("security.tar", "modules/console", "modules/console"),
        ("module-a.tar", "modules/a-b", "modules/a-b"),
        ("other.tar", "deckhouse-cli", "deckhouse-cli"),
    ],
)
def test_layouts_of_older_bundles_are_put_where_they_belong(archive: str, layout: str, expected: str) -> None:
    assert tree.layout_in_archive(archive, layout) == expected


def test_a_catalogue_holds_names_only() -> None:
    tags = ["console", "operator-trivy", "console", "v1.69.0", "1.2", "a" * 64, f"sha256-{'a' * 64}.att", "console.att",
            "d8WriteCheck", "x" * 64, "admission-policy-engine"]  # fmt: skip
    assert tree.module_names(tags) == ("admission-policy-engine", "console", "operator-trivy", "x" * 64)


def test_attestations_have_the_tags_that_d8_looks_up() -> None:
    digest = f"sha256:{'1' * 64}"
    assert tree.attestation_of_digest(digest) == f"sha256-{'1' * 64}.att"
    assert tree.attestation_of_tag("v1.69.0") == "v1.69.0.att"
    assert tree.is_attestation(tree.attestation_of_digest(digest))
    assert not tree.is_attestation("v1.69.0")
