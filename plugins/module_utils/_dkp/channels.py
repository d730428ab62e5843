# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Release channels: their names, their order, and words that are none of them (d8-mirror.md §0.5)."""

from __future__ import annotations

from collections.abc import Iterable

from .._oci.errors import InvalidInput
from .nearest import nearest_names

DEFAULT_CHANNELS = ("alpha", "beta", "early-access", "stable", "rock-solid")
LTS = "lts"
KNOWN_CHANNELS = (*DEFAULT_CHANNELS, LTS)
"""From the highest risk to the lowest: also the order in which results list channels."""


def is_channel(name: str) -> bool:
    """Whether `name` is a release channel as registries spell it."""
    return name in KNOWN_CHANNELS


def channel_meant(word: str) -> str | None:
    """The channel that `word` spells in another way, as clusters do (``EarlyAccess``, ``LTS``); None if none."""
    bare = word.lower().replace("-", "").replace("_", "")
    return next((name for name in KNOWN_CHANNELS if name.replace("-", "") == bare), None)


def check_channel(word: str, *, where: str) -> str:
    """Return `word` if it is a channel; else raise InvalidInput naming `where`, the nearest and all known ones."""
    if is_channel(word):
        return word
    meant = channel_meant(word)
    near = (meant,) if meant else nearest_names(word, KNOWN_CHANNELS)
    hint = f" (did you mean {near[0]}?)" if near else ""
    raise InvalidInput(f"{where}: {word!r} is no release channel{hint}; known are {', '.join(KNOWN_CHANNELS)}")


def check_channels(words: Iterable[str], *, where: str) -> tuple[str, ...]:
    """The channels that `words` name, each once, in the order of KNOWN_CHANNELS. Raises InvalidInput."""
    return in_order({check_channel(word, where=where) for word in words})


def in_order(names: Iterable[str]) -> tuple[str, ...]:
    """`names`, each once, highest risk first."""
    return tuple(sorted(set(names), key=KNOWN_CHANNELS.index))


def lowest_risk_first(names: Iterable[str]) -> tuple[str, ...]:
    """`names`, each once, in the order in which pointers are published (design.md §4, idea 4)."""
    return tuple(reversed(in_order(names)))
