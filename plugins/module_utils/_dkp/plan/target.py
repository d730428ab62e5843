# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where an update goes to: a release channel, or a version."""

from __future__ import annotations

from typing import Union

from ..._oci.errors import InvalidInput
from ..channels import KNOWN_CHANNELS, channel_meant, is_channel
from ..fields import text
from ..nearest import did_you_mean
from ..version import Version, parse_version, version_of_tag

Target = Union[str, Version]


def parse_target(value: object, where: str) -> Target:
    """A channel as registries spell it, or a version vX.Y.Z; raises InvalidInput with what was probably meant."""
    word = text(value, where).strip()
    if is_channel(word):
        return word
    version = version_of_tag(word)
    if version is not None:
        return version
    raise InvalidInput(
        f"{where}: {word[:100]!r} is neither a release channel nor a version{_meant(word)}; write one of "
        f"{', '.join(KNOWN_CHANNELS)}, or a version like v1.69.4{in_quotes(word)}"
    )


def parse_start(value: object, where: str) -> Version | None:
    """The version that an update starts from; None for a blank one. Raises InvalidInput."""
    word = text(value, where).strip()
    version = version_of_tag(word) if word else None
    if word and version is None:
        raise InvalidInput(f"{where}: {word[:100]!r} is not a version; write it like v1.69.4{in_quotes(word)}")
    return version


def in_quotes(word: str) -> str:
    """A number without quotes has lost its last zeros before anybody could see it."""
    return ", in quotes" if parse_version(word) is not None and not word.startswith("v") else ""


def _meant(word: str) -> str:
    channel, version = channel_meant(word), parse_version(word)
    if channel is not None:
        return f" (did you mean {channel}?)"
    if version is not None and word.count(".") == 2:
        return f" (did you mean {version}?)"
    return did_you_mean(word, KNOWN_CHANNELS)
