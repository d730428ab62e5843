# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Stands where ansible-test looks for its pip installer: runs pip out of the wheel that lies beside this file.

ansible-test copies nothing: it runs ``<cache>/get_pip_<version>.py install arguments`` and expects pip installed.
"""

from __future__ import annotations

import os
import runpy
import sys

here, name = os.path.split(os.path.abspath(__file__))
version = name[len("get_pip_") : -len(".py")].replace("_", ".")
sys.path.insert(0, os.path.join(here, f"pip-{version}-py3-none-any.whl"))
# These two options are those of the installer that pip itself does not know.
sys.argv = [
    sys.argv[0],
    "install",
    *(argument for argument in sys.argv[1:] if argument not in ("--no-setuptools", "--no-wheel")),
]
runpy.run_module("pip", run_name="__main__", alter_sys=True)
