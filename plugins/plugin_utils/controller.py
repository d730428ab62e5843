# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What action plugins share that do their work on the controller, over pure functions and without any host."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from ansible.plugins.action import ActionBase
from ansible_collections.dkp.airgap.plugins.module_utils._dkp.file_mode import parse_mode
from ansible_collections.dkp.airgap.plugins.module_utils._oci.errors import AirgapError

from .arguments import validated
from .documents import checked_target, write_document

DOCUMENT_ARGUMENTS: dict[str, Any] = {"dest": {"type": "path"}, "mode": {"type": "raw", "default": "0600"}}
"""As `plugins/doc_fragments/_document.py` documents them."""


class ControllerAction(ActionBase):
    """Checks the arguments by `arguments`, calls `made`, and turns errors raised on purpose into a failed task."""

    TRANSFERS_FILES = False
    _requires_connection = False
    _supports_check_mode = True
    _supports_async = False
    arguments: ClassVar[dict[str, Any]] = {}

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """What Ansible calls."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        try:
            result.update({"changed": False, **self.made(validated(self._task.args, self.arguments), task_vars or {})})
        except AirgapError as error:
            result.update(failed=True, msg=str(error))
        return result

    @abstractmethod
    def made(self, arguments: Mapping[str, Any], task_vars: Mapping[str, Any]) -> dict[str, Any]:
        """The result of the task; raises AirgapError."""

    def located(self, path: str) -> str:
        """`path` as the user wrote it, as one that can be opened: a relative one starts from the playbook."""
        return str(self._loader.path_dwim(path))

    def destination(self, arguments: Mapping[str, Any]) -> Destination:
        """Where a document goes; checked before anything is done. Raises AirgapError."""
        path = checked_target(self.located(arguments["dest"])) if arguments["dest"] else None
        return Destination(None if self._task.check_mode else path, parse_mode(arguments["mode"]))


class Destination:
    """A file for a document, or none: in check mode, or where nobody asked for one."""

    def __init__(self, path: Path | None, mode: int) -> None:
        self._path = path
        self._mode = mode

    def write(self, document: Mapping[str, Any]) -> None:
        """Write `document` if there is a file for it. Raises AirgapError naming the file."""
        if self._path is not None:
            write_document(self._path, document, mode=self._mode)
