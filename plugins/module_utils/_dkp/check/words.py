# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The words of findings about the platform and modules in a registry."""

from __future__ import annotations

from dataclasses import dataclass

from ..subject import Subject
from ..version import Version


@dataclass(frozen=True)
class Words(Subject):
    """How messages call the platform (`name` is None) or a module; `repository` holds its images."""

    repository: str

    @property
    def releases(self) -> str:
        """The repository of the release images."""
        return f"{self.repository}/{'release-channel' if self.name is None else 'release'}"

    def release_image(self, tag: Version | str) -> str:
        return f"{self.releases}:{tag}"

    def image(self, tag: Version | str) -> str:
        return f"{self.repository}:{tag}"

    def without_metadata(self, *, is_target: bool) -> str:
        """What it means that a release image is missing or wrong."""
        if self.name is not None:
            return f"Deckhouse would call module {self.name} corrupted and not update it"
        return "Deckhouse would wait for it without a word" if is_target else "Deckhouse could not make that step"

    @property
    def without_image(self) -> str:
        if self.name is not None:
            return f"Deckhouse could not download module {self.name}"
        return "the Deckhouse pod itself could not start after the switch, and with it nothing is managed any more"

    @property
    def without_parts(self) -> str:
        return f"pods of {self.what} would end in ImagePullBackOff"
