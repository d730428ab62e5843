# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The options for a document that is written on the controller. Private to this collection."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  dest:
    description:
      - The file on the controller that the document is written to; JSON when it is named C(*.json), else YAML. A
        relative path starts from the directory of the playbook.
      - The directory has to be there. Without this option nothing is written.
    type: path
  mode:
    description:
      - Permissions of that file, in octal and in quotes.
    type: raw
    default: "0600"
"""
