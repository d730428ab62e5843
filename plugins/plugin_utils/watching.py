# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What actions share that look at a cluster: the way in over modules on the host of the task, and one look."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, ClassVar

from ansible.errors import AnsibleConnectionFailure
from ansible_collections.dkp.airgap.plugins.module_utils._dkp.rollout import reading
from ansible_collections.dkp.airgap.plugins.module_utils._dkp.rollout.observation import (
    Observation,
    has_failure_elsewhere,
    look,
)
from ansible_collections.dkp.airgap.plugins.module_utils._dkp.rollout.queue import Queue, parse_queue
from ansible_collections.dkp.airgap.plugins.module_utils._dkp.rollout.report import wants_queue
from ansible_collections.dkp.airgap.plugins.module_utils._oci.errors import InvalidInput

from .controller import ControllerAction
from .documents import plain_data, read_document
from .kubernetes import ACCESS_ARGUMENTS, Access, ApiAccess, CommandAccess, Denied, Forbidden, Objects, Outage, Runner

WAYS = {"api": ApiAccess, "command": CommandAccess}
_MOST_SILENT = 3
"""How many times in a row the queue is asked in vain."""
PLAN_ARGUMENTS: dict[str, Any] = {
    "plan": {"type": "dict"},
    "plan_file": {"type": "path"},
    "cluster": {"type": "str"},
    "modules": {"type": "bool", "default": True},
    "queue": {"type": "bool", "default": True},
}


class Watcher:
    """Looks at one cluster again and again. Settings are read once, the queue when it tells something."""

    def __init__(self, access: Access, *, name: str, queue: bool) -> None:
        self.access = access
        self._name = name
        self._queue_commands: tuple[tuple[str, ...], ...] = reading.QUEUE_COMMANDS if queue else ()
        self._silent = 0
        self._settings: Objects | None = None

    def look(self) -> Observation:
        """One observation. Raises Outage, Denied, and InvalidContent for objects that cannot be right."""
        objects = {**(self._settings or {}), **self._read()}
        if has_failure_elsewhere(objects):
            objects.update(self.access.read((reading.NAMESPACES,)))
        seen = look(objects, name=self._name)
        queue = self._queue() if wants_queue(seen) else None
        return look(objects, name=self._name, queue=queue) if queue is not None else seen

    def _read(self) -> Objects:
        """What moves, and the first time all else, too."""
        moving = (*reading.MOVING, reading.WAITING_PODS)
        if self._settings is not None:
            return self.access.read(moving, (reading.DEPLOYMENT,))
        found = self.access.read((*moving, *reading.SETTINGS), (reading.DEPLOYMENT, *reading.SETTINGS_OBJECTS))
        kept = {each.kind for each in (*reading.SETTINGS, *reading.SETTINGS_OBJECTS)}
        self._settings = {kind: objects for kind, objects in found.items() if kind in kept}
        return found

    def _queue(self) -> Queue | None:
        """The queue, as far as it can be read: it is information, and nobody who may not read it goes on asking."""
        for command in self._queue_commands:
            try:
                queue = parse_queue(self.access.execute(command))
            except Forbidden:
                self._queue_commands = ()
                return None
            except (Outage, Denied):
                continue
            if queue is not None:
                self._queue_commands, self._silent = (command,), 0
                return queue
        self._silent += 1
        if self._silent >= _MOST_SILENT:
            self._queue_commands = ()
        return None


class ClusterAction(ControllerAction):
    """An action that runs modules on the host of its task, and nothing else there."""

    _requires_connection = True
    arguments: ClassVar[dict[str, Any]] = {**ACCESS_ARGUMENTS, **PLAN_ARGUMENTS}

    def watcher(self, arguments: Mapping[str, Any], task_vars: Mapping[str, Any]) -> Watcher:
        """What looks at the cluster that the task is about."""
        secret = str(arguments["api_key"] or "")

        def run(module: str, options: Mapping[str, Any], checking: bool) -> Mapping[str, Any]:
            return self._run_module(module, options, checking, task_vars)

        options = {**arguments, "kubeconfig": self._kubeconfig(arguments)}
        name = cluster_name(arguments, task_vars)
        access: Access = WAYS[arguments["access"]](Runner(run, name, secret), options)
        return Watcher(access, name=name, queue=arguments["queue"])

    def plan(self, arguments: Mapping[str, Any]) -> Any:
        """The plan of the task, None without one. Raises AirgapError."""
        if arguments["plan"] and arguments["plan_file"]:
            raise InvalidInput("plan and plan_file exclude each other; give one of them")
        if arguments["plan_file"]:
            return read_document(self.located(arguments["plan_file"]))
        return plain_data(arguments["plan"], "plan") if arguments["plan"] else None

    def _kubeconfig(self, arguments: Mapping[str, Any]) -> str | None:
        """The kubeconfig; with a local connection it is looked for on the controller, and may be in a vault."""
        path = arguments["kubeconfig"]
        if not path or arguments["access"] == "command" or self._connection.transport != "local":
            return str(path) if path else None
        found = self._find_needle("files", path)  # type: ignore[no-untyped-call]
        return str(self._loader.get_real_file(found, decrypt=True))

    def _run_module(
        self, module: str, options: Mapping[str, Any], checking: bool, task_vars: Mapping[str, Any]
    ) -> Mapping[str, Any]:
        try:
            with self._mode(checking):
                found: Mapping[str, Any] = self._execute_module(
                    module_name=module, module_args=dict(options), task_vars=dict(task_vars)
                )
        except AnsibleConnectionFailure as error:
            return {"failed": True, "msg": f"Failed to connect to the host: {error}"}
        return found

    @contextmanager
    def _mode(self, checking: bool) -> Iterator[None]:
        """Modules read in check mode too, and a dry run is one where the task itself is none."""
        kept = self._task.check_mode
        self._task.check_mode = checking
        try:
            yield
        finally:
            self._task.check_mode = kept


def cluster_name(arguments: Mapping[str, Any], task_vars: Mapping[str, Any]) -> str:
    """What the cluster is called, in plans too."""
    return str(arguments["cluster"] or task_vars.get("inventory_hostname", ""))
