# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Between Ansible and the work: arguments, secrets, signals, errors, results (contract §1). Private to this collection.

A module is `run(work, arguments)`. `work` gets a `Task`, checks everything that needs no network, does its job and
returns a `Result`; whatever it raises on purpose becomes a failed task with the error's text.
"""

from __future__ import annotations

import _thread
import json
import os
import resource
import signal
import tempfile
import threading
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from ansible.module_utils.basic import AnsibleModule, missing_required_lib

from ._dkp.documents import YAML_IMPORT_ERROR
from ._dkp.option_lists import drop_empty
from ._mirror.memory import HostMemory, default_directory
from ._oci.errors import AirgapError, InvalidInput, Stopped
from ._oci.reference import parse_address
from ._registry.client import Registry
from ._registry.credentials import Credentials
from ._registry.options import RegistryOptions, parse_bandwidth
from ._registry.stopping import Stopping
from ._registry.transport import REQUESTS_IMPORT_ERROR

LICENSE_USER = "license-token"
_SHORTEST_SAFE_SECRET = 8
"""Characters. Ansible masks a secret wherever its text occurs, so a short one makes results unreadable."""
_LARGEST_RESULT = 240 * 1024
"""Bytes of JSON: the contract's 256 KiB, less what Ansible adds (the invocation, warnings)."""
_MOST_OPEN_FILES = 65536
_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


@dataclass(frozen=True)
class Result:
    """What a module returns. `long_lists` are paths into `values` (``bundle.archives``, ``modules.*.versions``) in the
    order in which they are left out of a result that is too long; empty where the user asked for the long form."""

    values: dict[str, Any]
    long_lists: tuple[str, ...] = ()


def registry_arguments() -> dict[str, Any]:
    """The argument spec of the registry options, as `plugins/doc_fragments/registry.py` documents them."""
    return {
        "images_repo": {"type": "str", "required": True},
        "scheme": {"type": "str", "choices": ["https", "http"], "default": "https"},
        "username": {"type": "str"},
        "password": {"type": "str", "no_log": True},
        "license_token": {"type": "str", "no_log": True},
        "auth_file": {"type": "path"},
        "validate_certs": {"type": "bool", "default": True},
        "ca_path": {"type": "path"},
        "client_cert": {"type": "path"},
        "client_key": {"type": "path", "no_log": False},
        "timeout": {"type": "int", "default": 60},
        "connections": {"type": "int", "default": 0},
        "bandwidth_limit": {"type": "str"},
        "read_only_wait": {"type": "int", "default": 120},
    }


def report_arguments() -> dict[str, Any]:
    """The argument spec of `plugins/doc_fragments/_report.py`."""
    return {"report_file": {"type": "path"}}


def lock_arguments() -> dict[str, Any]:
    """The argument spec of `plugins/doc_fragments/_push_lock.py`."""
    return {"lock_wait": {"type": "int", "default": 0}}


class Task:
    """One run of a module, as its work sees it."""

    def __init__(self, module: AnsibleModule) -> None:
        self.params: Mapping[str, Any] = module.params
        self.check_mode = bool(module.check_mode)
        self.wants_diff = bool(module._diff)
        self.memory = HostMemory(default_directory(os.environ), read_only=self.check_mode)
        self.stopping = Stopping()
        self._module = module
        self._registry: Registry | None = None

    def text(self, option: str) -> str | None:
        """A text option; blank, as AWX surveys send it, is unset."""
        value = self.params[option]
        return value if value is not None and value.strip() else None

    def texts(self, option: str) -> list[str] | None:
        """A list option without empty strings; None when it is unset or held only those."""
        return drop_empty(self.params[option])

    def document(self, option: str) -> Any:
        """A document that an option holds; asked for once, for the result's invocation must not repeat all of it."""
        document = self._module.params[option]
        if document is not None:
            self._module.params[option] = {"left_out": f"{len(json.dumps(document, default=str))} bytes"}
        return document

    def seconds(self, option: str) -> int:
        """A time to wait. Raises InvalidInput for a negative one."""
        seconds = int(self.params[option])
        if seconds < 0:
            raise InvalidInput(f"{option}: {seconds} is negative; 0 means not to wait")
        return seconds

    def path(self, option: str) -> Path | None:
        """A path option; blank is unset."""
        value = self.text(option)
        return Path(value) if value else None

    def report_file(self, *, made: Path | None = None) -> Path | None:
        """Where the report goes; `made` is a directory that the run makes. Raises InvalidInput for what cannot be."""
        path = self.path("report_file")
        if path is None:
            return None
        if path.is_dir():
            raise InvalidInput(f"report_file: {path} is a directory; name a file")
        if path.parent.absolute() != (made.absolute() if made else None) and not path.parent.is_dir():
            raise InvalidInput(
                f"report_file: the directory {path.parent} does not exist; make it, or name another file"
            )
        return path

    def warn(self, message: str) -> None:
        self._module.warn(message)

    def registry(self) -> Registry:
        """The registry of the options; connects to nothing. Raises InvalidInput for what cannot be right.

        From here on its secrets are masked in whatever this task returns.
        """
        if self._registry is None:
            self._registry = Registry(_registry_options(self), stopping=self.stopping)
            self._guard_secrets(self._registry)
        return self._registry

    def _guard_secrets(self, registry: Registry) -> None:
        secrets = registry.secrets.values()
        self._module.no_log_values |= {shape for secret in secrets for shape in (secret, quote(secret, safe=""))}
        if any(len(secret) < _SHORTEST_SAFE_SECRET for secret in secrets):
            self.warn(
                f"A secret for the registry is shorter than {_SHORTEST_SAFE_SECRET} characters. Ansible masks its text "
                "wherever it occurs, so parts of versions or digests in this result may read ********"
            )
        if any(secret in str(registry.address) for secret in secrets):
            self.warn(
                "A secret for the registry is part of images_repo. Ansible masks its text wherever it occurs, so "
                "addresses in this result cannot be relied on"
            )

    def redact(self, text: str) -> str:
        """`text` without secrets and tokens."""
        return self._registry.secrets.redact(text) if self._registry is not None else text

    def close(self) -> None:
        if self._registry is not None:
            self._registry.close()


def run(work: Callable[[Task], Result], arguments: Mapping[str, Any]) -> None:
    """Build the module, do its `work` and end the process with the result or the failure."""
    module = AnsibleModule(  # type: ignore[no-untyped-call]
        argument_spec=dict(arguments), supports_check_mode=True
    )
    if "images_repo" in arguments:
        for library, problem in (("requests", REQUESTS_IMPORT_ERROR), ("PyYAML", YAML_IMPORT_ERROR)):
            if problem is not None:
                module.fail_json(msg=missing_required_lib(library))  # type: ignore[no-untyped-call]
    _allow_many_files()
    task = Task(module)
    stopped_by: list[str] = []
    try:
        with _stopped_by_signals(task.stopping, stopped_by):
            result = work(task)
            values = _finish(task, module, result)
    except (AirgapError, OSError) as error:
        details = error.details if isinstance(error, AirgapError) else {}
        module.fail_json(msg=_explained(task, error, stopped_by), **_plain(details))
    except Exception as error:
        module.fail_json(
            msg=f"Unexpected {type(error).__name__}: {task.redact(str(error))}. This is a fault of the collection; "
            "please report it with what -vvv shows",
            exception=task.redact(traceback.format_exc()),
        )
    finally:
        task.close()
    module.exit_json(**values)


def _explained(task: Task, error: AirgapError | OSError, stopped_by: Sequence[str]) -> str:
    if stopped_by:
        done = "What was done so far is kept, and a run with the same options goes on from there"
        return f"Stopped by {stopped_by[0]}. {done}"
    if isinstance(error, AirgapError):
        return task.redact(str(error))
    where = f"{error.filename}: " if error.filename else ""
    return task.redact(f"{where}{error.strerror or error} (the operating system refused; check path, owner and space)")


def _finish(task: Task, module: AnsibleModule, result: Result) -> dict[str, Any]:
    """The result as it is returned: what is whole goes to `report_file`, what is too long is left out and named."""
    values = {"omitted": [], **result.values}
    report = task.path("report_file") if "report_file" in task.params else None
    if report is not None and not task.check_mode:
        _write_report(module, report, values)
    omitted = fit(values, result.long_lists)
    values["omitted"] = omitted
    if omitted:
        whole = f"it is in {report}" if report and not task.check_mode else "set report_file to have it in a file"
        task.warn(f"The result is too long for Ansible and lacks {', '.join(omitted)}; {whole}")
    return values


def fit(values: dict[str, Any], long_lists: Sequence[str], *, largest: int = _LARGEST_RESULT) -> list[str]:
    """Take `long_lists` out of `values`, one by one, until its JSON has at most `largest` bytes; returns which."""
    omitted = []
    for path in long_lists:
        if len(json.dumps(values)) <= largest:
            break
        if _take_out(values, path.split(".")):
            omitted.append(path)
    return omitted


def _take_out(values: Any, path: Sequence[str]) -> bool:
    """Remove what `path` names; ``*`` is every key or item, ``findings[100:]`` what comes after the first hundred.
    Whether there was anything."""
    key, rest = path[0], path[1:]
    if key.endswith(":]"):
        name, _bracket, start = key[:-2].partition("[")
        items = values.get(name, ())
        values.update({name: items[: int(start)]} if len(items) > int(start) else {})
        return len(items) > int(start)
    if key == "*":
        each = list(values.values() if isinstance(values, dict) else values)
        return sum(_take_out(value, rest) for value in each) > 0
    if not isinstance(values, dict) or key not in values:
        return False
    if rest:
        return _take_out(values[key], rest)
    del values[key]
    return True


def _write_report(module: AnsibleModule, path: Path, values: Mapping[str, Any]) -> None:
    """All of the result, before Ansible masks in it what looks like a secret; it holds none (contract §1)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, draft = tempfile.mkstemp(dir=module.tmpdir)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(values, file, indent=2, sort_keys=True)
        file.write("\n")
    module.atomic_move(draft, str(path))  # type: ignore[no-untyped-call]


def _registry_options(task: Task) -> RegistryOptions:
    limit = task.text("bandwidth_limit")
    return RegistryOptions(
        address=parse_address(task.params["images_repo"]),
        scheme=task.params["scheme"],
        credentials=_credentials(task),
        auth_file=task.text("auth_file"),
        validate_certs=task.params["validate_certs"],
        ca_path=task.text("ca_path"),
        client_cert=task.text("client_cert"),
        client_key=task.text("client_key"),
        timeout=task.params["timeout"],
        connections=task.params["connections"],
        bandwidth_limit=parse_bandwidth(limit) if limit else None,
        read_only_wait=task.seconds("read_only_wait"),
    )


def _credentials(task: Task) -> Credentials | None:
    username, password, token = task.text("username"), task.text("password"), task.text("license_token")
    if token and (username or password):
        raise InvalidInput("license_token and username or password exclude each other; set the one or the others")
    if bool(username) != bool(password):
        given, missing = ("username", "password") if username else ("password", "username")
        raise InvalidInput(f"{given} is of no use without {missing}; set both, or license_token")
    if token:
        return Credentials(LICENSE_USER, token)
    return Credentials(username, password) if username and password else None


@contextmanager
def _stopped_by_signals(stopping: Stopping, stopped_by: list[str]) -> Iterator[None]:
    """While it lasts, the first signal to end sets `stopping` and raises Stopped here; further ones change nothing."""

    def stop(number: int, _frame: object) -> None:
        if not stopped_by:
            stopped_by.append(signal.Signals(number).name)
            # in a thread of its own: this one may hold the very locks that `set` takes
            _thread.start_new_thread(stopping.set, ())
            raise Stopped(f"Stopped by {stopped_by[0]}")

    if threading.current_thread() is not threading.main_thread():
        yield  # Python lets only the main thread handle signals
        return
    previous = {number: signal.getsignal(number) for number in _SIGNALS}
    for number, handler in previous.items():
        if handler is not signal.SIG_IGN:  # nohup's SIGHUP stays ignored
            signal.signal(number, stop)
    try:
        yield
    finally:
        if not stopped_by:
            for number, handler in previous.items():
                signal.signal(number, handler or signal.SIG_DFL)


def _allow_many_files() -> None:
    """A bundle of hundreds of modules has as many archives open at once."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = _MOST_OPEN_FILES if hard == resource.RLIM_INFINITY else min(hard, _MOST_OPEN_FILES)
    if soft != resource.RLIM_INFINITY and soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


def _plain(details: Mapping[str, Any]) -> dict[str, Any]:
    """Details of an error as JSON has them."""
    return {
        name: sorted(value)
        if isinstance(value, (set, frozenset))
        else list(value)
        if isinstance(value, tuple)
        else value
        for name, value in details.items()
    }
