# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs playbooks as a user does, and reads back what each task returned.

>>> run = Ansible(tmp_path, python=target).play([task("Read", "release_channel_info", images_repo=...)])
>>> run["Read"].result["channels"]["stable"]["version"]
"""

from __future__ import annotations

import atexit
import functools
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .hosts import Host, Network
from .processes import end_marked

_KIT = Path(__file__).resolve().parent
_CALLBACKS = _KIT / "callback_plugins"
# The directory that holds ansible_collections, and those that whoever runs the tests has others in.
_ROOT = Path(__file__).parents[5]
_COLLECTIONS = os.pathsep.join(
    dict.fromkeys([str(_ROOT), *filter(None, os.environ.get("ANSIBLE_COLLECTIONS_PATH", "").split(os.pathsep))])
)
# Settings of the machine that would lead the modules to credentials, proxies or state that are not the test's.
_FOREIGN = ("ANSIBLE_", "DKP_", "DOCKER_", "REGISTRY_", "XDG_", "PYTHON", "HTTP_", "HTTPS_", "http_", "https_")

_TIMEOUT = 300
Task = dict[str, Any]


@functools.cache
def _bytecode() -> str:
    """A directory for what `startup/sitecustomize.py` compiles in this session."""
    directory = tempfile.mkdtemp(prefix="dkp-airgap-bytecode-")
    atexit.register(shutil.rmtree, directory, ignore_errors=True)
    return directory


def task(name: str, module: str, **options: Any) -> Task:
    """A task that calls a module of this collection with `options`."""
    return {"name": name, f"dkp.airgap.{module}": options}


@dataclass(frozen=True)
class TaskResult:
    """How one task ended (``ok``, ``failed``, ``skipped``, ``unreachable``) and what it returned."""

    status: str
    result: Mapping[str, Any]

    @property
    def changed(self) -> bool:
        return bool(self.result.get("changed"))


@dataclass(frozen=True)
class Run:
    """A playbook that has ended: its exit code, all it printed, and its tasks by name (the last of each name)."""

    code: int
    output: str
    tasks: Mapping[str, TaskResult]
    by_host: Mapping[tuple[str, str], TaskResult] = field(default_factory=dict)
    """By host and name of the task."""

    def __getitem__(self, name: str) -> TaskResult:
        """The result of the task `name`, which must have run."""
        if name not in self.tasks:
            raise AssertionError(f"the task {name!r} did not run:\n{self.output}")
        return self.tasks[name]

    @property
    def changed(self) -> dict[str, int]:
        """Changed tasks by host."""
        found = re.findall(r"^(\S+)\s+: ok=\d+\s+changed=(\d+)", self.output, re.MULTILINE)
        return {host: int(count) for host, count in found}

    def on(self, host: str, name: str) -> TaskResult:
        """The result of the task `name` on `host`, where it must have run."""
        if (host, name) not in self.by_host:
            raise AssertionError(f"the task {name!r} did not run on {host}:\n{self.output}")
        return self.by_host[host, name]

    def ok(self, name: str) -> Mapping[str, Any]:
        """What the task `name` returned, which must have ended well."""
        found = self[name]
        if found.status != "ok":
            raise AssertionError(f"{name}: {found.status}: {found.result.get('msg')}\n{self.output}")
        return found.result

    def failure(self, name: str) -> str:
        """The message of the task `name`, which must have failed, and not with a traceback."""
        found = self[name]
        told = json.dumps(dict(found.result), indent=2)
        if found.status != "failed" or "Traceback" in told:
            raise AssertionError(f"{name}: {found.status}, and not a clean failure\n{told}")
        return str(found.result["msg"])


class Ansible:
    """Plays on this machine, with modules on the interpreter `python`, and a home of its own in `directory`.

    With a `network` it runs on its `controller`, or another host that is one, and goes to its hosts by SSH.
    """

    def __init__(
        self, directory: Path, *, python: str, network: Network | None = None, controller: Host | None = None
    ) -> None:
        self._directory = directory
        self._python = python
        self._network = network
        self._controller = controller or (network.controller if network else None)
        self.home = directory / "home"
        self.home.mkdir(parents=True, exist_ok=True)

    def play(
        self,
        tasks: Sequence[Task],
        *arguments: str,
        defaults: Mapping[str, Any] | None = None,
        environment: Mapping[str, str] | None = None,
        timeout: float = _TIMEOUT,
    ) -> Run:
        """Run `tasks` with further command line `arguments`; `defaults` are the options of the registry group."""
        play = {
            "name": "Test",
            "hosts": "localhost",
            "gather_facts": False,
            "module_defaults": {"group/dkp.airgap.registry": dict(defaults or {})},
            "tasks": list(tasks),
        }
        playbook = self._directory / "playbook.yml"
        # JSON is YAML.
        playbook.write_text(json.dumps([play]))
        inventory = self._directory / "inventory"
        inventory.write_text(f"localhost ansible_connection=local ansible_python_interpreter={self._python}\n")
        return self._run(["-i", str(inventory), str(playbook), *arguments], environment or {}, timeout=timeout)

    def playbook(
        self,
        name: str,
        *arguments: str,
        groups: Mapping[str, Sequence[str] | Mapping[str, Mapping[str, Any]]],
        variables: Mapping[str, Any] | None = None,
        environment: Mapping[str, str] | None = None,
        timeout: float = _TIMEOUT,
        kill_after: float | None = None,
    ) -> Run:
        """Run a playbook, a file or one of a collection by its full `name`, on hosts of `groups`.

        Hosts are those of the network by their names, all others are this machine. Groups are lists of hosts, or say
        their variables too; `variables` are everybody's. After `kill_after` seconds, if it has not ended by then, all
        of it is killed, modules on hosts included, as by somebody who turns off the power; the code is -9 then.
        """
        inventory = self._directory / "inventory.json"
        inventory.write_text(json.dumps(self.inventory(groups, variables or {})))
        arguments = ("-i", str(inventory), name, *arguments)
        return self._run(arguments, environment or {}, timeout=timeout, kill_after=kill_after)

    def inventory(
        self,
        groups: Mapping[str, Sequence[str] | Mapping[str, Mapping[str, Any]]],
        variables: Mapping[str, Any],
    ) -> dict[str, Any]:
        """The inventory in which `playbook` finds its hosts."""
        here = {"ansible_connection": "local", "ansible_python_interpreter": self._python}
        known = self._network.hosts if self._network else {}
        children: dict[str, Any] = {}
        for group, members in groups.items():
            said = members if isinstance(members, Mapping) else dict.fromkeys(members, {})
            hosts = {host: {**(known[host].variables if host in known else {}), **own} for host, own in said.items()}
            children[group] = {"hosts": hosts}
        return {"all": {"vars": {**here, **variables}, "children": children}}

    def _run(
        self,
        arguments: Sequence[str],
        environment: Mapping[str, str],
        *,
        timeout: float = _TIMEOUT,
        kill_after: float | None = None,
    ) -> Run:
        record = self._directory / "record"
        record.write_text("")
        kept = {name: value for name, value in os.environ.items() if not name.startswith(_FOREIGN)}
        settings = {
            "HOME": str(self.home),
            "ANSIBLE_HOME": str(self.home / ".ansible"),
            "ANSIBLE_REMOTE_TMP": str(self.home / ".ansible/tmp"),
            "ANSIBLE_COLLECTIONS_PATH": _COLLECTIONS,
            "ANSIBLE_CALLBACK_PLUGINS": str(_CALLBACKS),
            "ANSIBLE_CALLBACKS_ENABLED": "record",
            "ANSIBLE_LOCALHOST_WARNING": "False",
            "ANSIBLE_PIPELINING": "True",
            "ANSIBLE_RETRY_FILES_ENABLED": "False",
            "DKP_TEST_RECORD": str(record),
            "DKP_TEST_BYTECODE": _bytecode(),
        }
        # What a test puts on the path comes first.
        path = filter(None, [environment.get("PYTHONPATH"), str(_KIT / "startup")])
        settings |= {**environment, "PYTHONPATH": os.pathsep.join(path)}
        command = [str(Path(sys.executable).parent / "ansible-playbook"), *arguments]
        if self._controller:
            # Sockets have short names or none at all.
            settings["ANSIBLE_SSH_CONTROL_PATH_DIR"] = str(self._controller.directory / "cp")
            command = self._controller.command(*command)
        code, output = self._ended(command, {**kept, **settings}, timeout, kill_after)
        lines = [json.loads(line) for line in record.read_text().splitlines() if line.endswith("}")]
        results = [(line["host"], line["task"], TaskResult(line["status"], line["result"])) for line in lines]
        by_host = {(host, task): result for host, task, result in results}
        return Run(code, output, {task: result for _unused, task, result in results}, by_host)

    def _ended(
        self, command: Sequence[str], environment: dict[str, str], timeout: float, kill_after: float | None
    ) -> tuple[int, str]:
        """Exit code and output of `command`, killed with all it has started when its time is over."""
        mark = f"{self._directory.name}-{os.urandom(8).hex()}"
        with open(self._directory / "output", "w+", errors="replace") as output:
            process = subprocess.Popen(
                command,
                env={**environment, "DKP_TEST_MARK": mark},
                cwd=self._directory,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
            try:
                process.wait(timeout if kill_after is None else kill_after)
            except BaseException as error:
                self._kill(mark)
                process.wait()
                if kill_after is None or not isinstance(error, subprocess.TimeoutExpired):
                    output.seek(0)
                    print(output.read()[-4000:], file=sys.stderr)
                    raise
            output.seek(0)
            return process.returncode, output.read()

    def _kill(self, mark: str) -> None:
        end_marked(mark)
        if self._network:
            for host in self._network.hosts.values():
                host.kill_sessions()
