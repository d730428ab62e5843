# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How values are spelled in objects of a cluster, and what they are in facts."""

from __future__ import annotations

import re
from typing import Any

from ..._oci.errors import InvalidInput
from ..channels import KNOWN_CHANNELS, channel_meant
from ..editions import EDITIONS
from ..fields import items, mapping, text
from ..version import Version, parse_version
from .facts import Window

_SECONDS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600}
_DURATION_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h)")
_DURATION = re.compile(rf"(?:{_DURATION_PART.pattern})+")


def word(value: Any, where: str) -> str | None:
    """A text; a blank one is none."""
    return text(value, where).strip() or None


def lenient_version(value: Any, where: str) -> Version | None:
    """A version with or without ``v``; a blank text is none."""
    stated = word(value, where)
    if stated is None:
        return None
    version = parse_version(stated)
    if version is None:
        raise InvalidInput(f"{where}: {stated[:100]!r} is not a version")
    return version


def version_or_none(value: Any, where: str) -> Version | None:
    """The version that a text is, if it is one."""
    return parse_version(text(value, where).strip())


def bare_version(value: Any, where: str) -> str | None:
    """A version as texts of Kubernetes go in facts: without ``v``, otherwise as written (``1.31`` stays)."""
    stated = word(value, where)
    if stated is not None and lenient_version(stated, where) is not None:
        return stated[1:] if stated.startswith("v") else stated
    return None


def channel_word(value: Any, where: str) -> str | None:
    """A release channel as clusters spell it (``EarlyAccess``); a blank text is none."""
    stated = word(value, where)
    if stated is None:
        return None
    channel = channel_meant(stated)
    if channel is None:
        known = ", ".join(KNOWN_CHANNELS)
        raise InvalidInput(f"{where}: {stated[:100]!r} is no release channel; known are {known}")
    return channel


def known_channel(value: Any, where: str) -> str | None:
    """The same where clusters write another word for none (``Unknown``)."""
    stated = word(value, where)
    return channel_meant(stated) if stated is not None else None


def edition_word(value: Any, where: str) -> str | None:
    """An edition as facts spell it; every kind of CSE is CSE, and a word that nobody knows stays as it is."""
    stated = word(value, where)
    if stated is None:
        return None
    bare = stated.lower().replace("_", "-")
    if bare.startswith("cse"):
        return EDITIONS["cse"]
    return EDITIONS.get(bare, stated)


def scheme_word(value: Any, where: str) -> str | None:
    """``http`` or ``https``, however it is written."""
    stated = word(value, where)
    if stated is None:
        return None
    if stated.lower() not in ("http", "https"):
        raise InvalidInput(f"{where}: {stated[:100]!r} is neither http nor https")
    return stated.lower()


def truth(value: Any, where: str) -> bool:
    """True or false, also as the text that annotations and conditions hold; another text is false."""
    if isinstance(value, bool):
        return value
    return text(value, where).strip().lower() == "true"


def label_texts(value: Any, where: str) -> dict[str, str]:
    """Labels, ordered by name."""
    return {key: text(item, f"{where}.{key}") for key, item in sorted(mapping(value, where).items())}


def text_or_number(value: Any, where: str) -> str | None:
    """A text, or a whole number as text."""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return word(value, where)


def go_duration(value: Any, where: str) -> int | None:
    """Seconds of a duration as Go writes it (``72h``, ``1h30m``); a blank one is none."""
    stated = word(value, where)
    if stated is None:
        return None
    if not _DURATION.fullmatch(stated):
        raise InvalidInput(f"{where}: {stated[:100]!r} is not a duration; write it like 72h or 1h30m")
    return round(sum(float(count) * _SECONDS[unit] for count, unit in _DURATION_PART.findall(stated)))


def words(value: Any, where: str) -> tuple[str, ...]:
    """A list of texts without blank ones."""
    return tuple(each for each in (word(item, place) for item, place in items(value, where)) if each)


def update_windows(value: Any, where: str) -> tuple[Window, ...]:
    """The windows of a cluster's or a policy's settings; what else they say is left aside."""
    found = []
    for item, place in items(value, where):
        window = mapping(item, place)
        for edge in ("from", "to"):
            if edge not in window:
                raise InvalidInput(f"{place}.{edge}: is missing")
        start, end = text(window["from"], f"{place}.from"), text(window["to"], f"{place}.to")
        found.append(Window(start, end, words(window.get("days"), f"{place}.days")))
    return tuple(found)
