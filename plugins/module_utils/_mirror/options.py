# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later


"""The options of `oci_bundle_pull` that say what to take: by selectors or by a plan, checked without any network."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .._dkp.documents import load_handed_on
from .._dkp.modules import parse_module_choice
from .._dkp.plan.document import accept_findings, parse_plan
from .._dkp.platform import parse_platform_selector
from .._dkp.tree import normalise_modules_path
from .._oci.errors import InvalidInput
from .._oci.reference import is_tag
from .request import Planned, Selectors

_OF_PLATFORM = ("platform_versions", "since_version", "release")
TEXTS = (*_OF_PLATFORM, "installer_tag")
LISTS = ("modules", "exclude_modules")
FLAGS = {"platform": True, "security_db": True, "installer": True, "ignore_suspend": False}
"""Selectors that are flags, with what they are where no plan says what to take."""
_DEFAULT_INSTALLER = "latest"


def parse_wanted(options: Mapping[str, Any]) -> Selectors | Planned:
    """What to take. `options` are all selectors (None: not given), `plan` (plain data), `plan_file` (a path),
    `accept_findings`, `modules_path` and `vex`.

    Raises InvalidInput for what cannot be right, PlanRefused for a plan with errors, and what reading a file raises.
    """
    document, file = options["plan"], options["plan_file"]
    if document is None and file is None:
        if options["accept_findings"]:
            raise InvalidInput("accept_findings accepts findings of a plan, and there is none; set plan or plan_file")
        return _selectors(options)
    where = "plan_file" if document is None else "plan"
    given = [name for name in (*TEXTS, *LISTS, *FLAGS) if options[name] is not None]
    if document is not None and file is not None:
        given.append("plan_file")
    if given:
        raise InvalidInput(f"{where} says what to take, and so does {', '.join(given)}; set the one or the other")
    plan = parse_plan(read_plan_file(Path(file)) if file is not None else document, where)
    return Planned(
        plan=plan,
        modules_path=normalise_modules_path(options["modules_path"]),
        accepted=accept_findings(plan, options["accept_findings"] or (), where=where),
        vex=options["vex"],
    )


def read_plan_file(file: Path) -> Any:
    """The document in `file`. Raises InvalidInput where it cannot be read, and what reading documents raises."""
    try:
        data = file.read_bytes()
    except OSError as error:
        raise InvalidInput(
            f"plan_file: {file} cannot be read: {error.strerror}. It has to be on the host that the module runs on"
        ) from error
    return load_handed_on(data, where=f"plan_file: {file}")


def _selectors(options: Mapping[str, Any]) -> Selectors:
    flags = {name: default if options[name] is None else options[name] for name, default in FLAGS.items()}
    platform = parse_platform_selector(
        **{name: options[name] for name in _OF_PLATFORM}, ignore_suspend=flags["ignore_suspend"]
    )
    given = [name for name in _OF_PLATFORM if options[name]]
    if given and not flags["platform"]:
        raise InvalidInput(f"{given[0]} selects releases of the platform, but platform is false; remove one of them")
    installer_tag = options["installer_tag"]
    if installer_tag is not None and not is_tag(installer_tag):
        raise InvalidInput(f"installer_tag: {installer_tag!r} cannot be a tag; for example latest")
    return Selectors(
        platform=platform if flags["platform"] else None,
        modules=parse_module_choice(options["modules"], options["exclude_modules"]),
        modules_path=normalise_modules_path(options["modules_path"]),
        security_db=flags["security_db"],
        installer_tag=(installer_tag or _DEFAULT_INSTALLER) if flags["installer"] else None,
        installer_named=installer_tag is not None,
        vex=options["vex"],
        ignore_suspend=flags["ignore_suspend"],
    )
