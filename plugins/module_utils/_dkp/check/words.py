# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The numbers of the check list for the platform and for modules, and the words that go with them."""

from __future__ import annotations

from dataclasses import dataclass

from ..version import Version


@dataclass(frozen=True)
class Checks:
    """Which number stands for what; `pods` is what of a cluster fails where an image is missing."""

    pointer: str
    target: str
    metadata: str
    gap: str
    reach: str
    image: str
    parts: str
    extras: str
    running: str
    stray: str


PLATFORM = Checks("P1", "P2", "P6", "P3", "P4", "P5", "P7", "P7", "P8", "P9")
MODULE = Checks("M2", "M4", "M4", "M3", "M3", "M5", "M6", "M7", "M8", "M9")


@dataclass(frozen=True)
class Words:
    """How messages call the platform (`name` is None) or a module; `repository` holds its images."""

    name: str | None
    repository: str

    @property
    def checks(self) -> Checks:
        return PLATFORM if self.name is None else MODULE

    @property
    def what(self) -> str:
        return "the platform" if self.name is None else f"module {self.name}"

    def subject(self, of: object = "") -> str:
        """``v1.69.7``, or ``console v1.36.2``."""
        return " ".join(str(part) for part in (self.name, of) if part) or "platform"

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
