# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later


"""Compiles each source in a zip file once in all runs of a test session, and not once in every task.

Ansible sends modules as zip files of sources, so that every task compiles all of what its module imports. Python
imports this file at its start, where its directory is on PYTHONPATH. Nothing is different but the time it takes.
"""

from __future__ import annotations

import marshal
import os
import sys
import zipimport
from types import CodeType

DIRECTORY = os.environ.get("DKP_TEST_BYTECODE", "")
_compile = getattr(zipimport, "_compile_source", None)


def _compiled(pathname: str, source: bytes) -> CodeType:
    import hashlib  # not for programs that import nothing out of zip files

    name = f"{hashlib.sha256(source).hexdigest()}.{sys.implementation.cache_tag}"
    place = os.path.join(DIRECTORY, name)
    try:
        with open(place, "rb") as file:
            known: CodeType = marshal.loads(file.read())
            return known
    except FileNotFoundError:
        pass
    code: CodeType = _compile(pathname, source)  # type: ignore[misc]
    # Complete or not there, whoever else writes it.
    unfinished = f"{place}.{os.getpid()}"
    with open(unfinished, "wb") as file:
        file.write(marshal.dumps(code))
    os.replace(unfinished, place)
    return code


if _compile is not None and os.access(DIRECTORY, os.W_OK | os.X_OK):
    zipimport._compile_source = _compiled  # type: ignore[attr-defined]
