# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs playbooks as a user does, and reads back what each task returned.

>>> run = Ansible(tmp_path, python=target).play([task("Read", "release_channel_info", images_repo=...)])
>>> run["Read"].result["channels"]["stable"]["version"]
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_CALLBACKS = Path(__file__).resolve().parent / "callback_plugins"
# The directory that holds ansible_collections, and those that whoever runs the tests has others in.
_ROOT = Path(__file__).parents[5]
_COLLECTIONS = os.pathsep.join(
    dict.fromkeys([str(_ROOT), *filter(None, os.environ.get("ANSIBLE_COLLECTIONS_PATH", "").split(os.pathsep))])
)
# Settings of the machine that would lead the modules to credentials, proxies or state that are not the test's.
_FOREIGN = ("ANSIBLE_", "DKP_", "DOCKER_", "REGISTRY_", "XDG_", "PYTHON", "HTTP_", "HTTPS_", "http_", "https_")

Task = dict[str, Any]


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

    def __getitem__(self, name: str) -> TaskResult:
        """The result of the task `name`, which must have run."""
        if name not in self.tasks:
            raise AssertionError(f"the task {name!r} did not run:\n{self.output}")
        return self.tasks[name]

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
    """Plays on this machine, with modules on the interpreter `python`, and a home of its own in `directory`."""

    def __init__(self, directory: Path, *, python: str) -> None:
        self._directory = directory
        self._python = python
        self.home = directory / "home"
        self.home.mkdir(parents=True, exist_ok=True)

    def play(
        self,
        tasks: Sequence[Task],
        *arguments: str,
        defaults: Mapping[str, Any] | None = None,
        environment: Mapping[str, str] | None = None,
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
        return self._run(["-i", str(inventory), str(playbook), *arguments], environment or {})

    def playbook(
        self,
        name: str,
        *arguments: str,
        groups: Mapping[str, Sequence[str]],
        environment: Mapping[str, str] | None = None,
    ) -> Run:
        """Run a playbook, a file or one of a collection by its full `name`, with this machine as hosts of `groups`."""
        inventory = self._directory / "inventory.json"
        variables = {"ansible_connection": "local", "ansible_python_interpreter": self._python}
        children: dict[str, Any] = {group: {"hosts": {host: {} for host in hosts}} for group, hosts in groups.items()}
        inventory.write_text(json.dumps({"all": {"vars": variables, "children": children}}))
        return self._run(["-i", str(inventory), name, *arguments], environment or {})

    def _run(self, arguments: Sequence[str], environment: Mapping[str, str]) -> Run:
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
        }
        program = Path(sys.executable).parent / "ansible-playbook"
        done = subprocess.run(
            [str(program), *arguments],
            env={**kept, **settings, **environment},
            cwd=self._directory,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=300,
        )
        lines = [json.loads(line) for line in record.read_text().splitlines()]
        return Run(
            done.returncode, done.stdout, {line["task"]: TaskResult(line["status"], line["result"]) for line in lines}
        )
