# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The demonstration: a vendor's registry, a private one, and a playbook that carries releases from one to the other.

``make demo`` starts it with a Python that has ansible-core, and with the collection on PYTHONPATH and
ANSIBLE_COLLECTIONS_PATH, and there also those that it depends on.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from ansible_collections.dkp.airgap.tests.kit.behaviour import Basic
from ansible_collections.dkp.airgap.tests.kit.faulty import FaultyRegistry
from ansible_collections.dkp.airgap.tests.kit.programs import MissingProgram, ensure_registry
from ansible_collections.dkp.airgap.tests.kit.servers import LICENSE_TOKEN, Server
from ansible_collections.dkp.airgap.tests.kit.shape import DEMO
from ansible_collections.dkp.airgap.tests.kit.storage import stored
from ansible_collections.dkp.airgap.tests.kit.tree import build
from ansible_collections.dkp.airgap.tests.kit.vendor import any_server

PLAYBOOK = Path(__file__).resolve().parent / "mirror.yml"
REQUEST = PLAYBOOK.with_name("request.yml")


class DemoFailed(Exception):
    """The text says which task failed."""


def main() -> int:
    # Both end in the same clean-up, also where whoever started us ignores Ctrl-C.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with tempfile.TemporaryDirectory(prefix="dkp-airgap-demo-") as directory:
            _demonstrate(Path(directory))
    except (DemoFailed, MissingProgram) as failure:
        print(f"\nThe demo failed: {failure}", flush=True)
        return 1
    except KeyboardInterrupt:
        print("\nStopped; registries and files of the demo are gone.", flush=True)
        return 130
    return 0


def _demonstrate(directory: Path) -> None:
    started = time.monotonic()
    with _registries(directory) as (vendor, private):
        print(f"A vendor's registry, {len(DEMO.versions)} platform releases and three modules: {vendor['images_repo']}")
        print(f"An empty private registry: {private['images_repo']}")
        print(f"A cluster, as its request describes it: tests/demo/{REQUEST.name}", flush=True)
        seconds = _play(directory, _variables(directory, vendor, private))
        _summarise(json.loads((directory / "report.json").read_text()), seconds, private["images_repo"])
    print(
        f"\nAll of it took {time.monotonic() - started:.0f} seconds; registries and files are gone again.", flush=True
    )


@contextmanager
def _registries(directory: Path) -> Iterator[tuple[dict[str, str], dict[str, str]]]:
    """A filled and an empty registry, as the options that lead a module to each."""
    running = ExitStack()
    try:
        vendor, private = map(running.enter_context, _chosen_registries(directory))
        yield (
            {"images_repo": f"{vendor.host}/{DEMO.edition_root}", "scheme": "http", "license_token": LICENSE_TOKEN},
            {"images_repo": f"{private.host}/mirror/ee", "scheme": "http"},
        )
    finally:
        # Without handing on an error: the registries would print their logs, which say nothing to a newcomer.
        running.close()


def _chosen_registries(directory: Path) -> tuple[Server, Server] | tuple[FaultyRegistry, FaultyRegistry]:
    try:
        return _real_registries(directory)
    except MissingProgram as missing:
        print(f"No real registry can be had ({missing}); small ones in Python take their place.", flush=True)
        licence = Basic("license-token", LICENSE_TOKEN)
        return FaultyRegistry(build(DEMO), auth=licence), FaultyRegistry()


def _real_registries(directory: Path) -> tuple[Server, Server]:
    try:
        private = any_server(directory / "private")
    except MissingProgram:
        print("No registry program is here: Distribution 3 is built now, which takes a minute or two.", flush=True)
        ensure_registry()
        private = any_server(directory / "private")
    stored(DEMO, directory / "vendor")
    return any_server(directory / "vendor", htpasswd=True), private


def _variables(directory: Path, vendor: Mapping[str, str], private: Mapping[str, str]) -> dict[str, str]:
    return {
        **{f"dkp_source_{name}": value for name, value in vendor.items()},
        **{f"dkp_registry_{name}": value for name, value in private.items()},
        "dkp_request_file": str(REQUEST),
        "dkp_bundle_dir": str(directory / "bundle"),
        "dkp_report_file": str(directory / "report.json"),
    }


def _play(directory: Path, variables: Mapping[str, str]) -> dict[str, float]:
    """Run the playbook with its output on the screen; return the seconds of each task."""
    # In a file, because arguments of a process can be read by anyone on the machine.
    settings = directory / "variables.json"
    settings.write_text(json.dumps(dict(variables)))
    (directory / "inventory").write_text(
        f"localhost ansible_connection=local ansible_python_interpreter={sys.executable}\n"
    )
    print(f"\n$ ansible-playbook tests/demo/{PLAYBOOK.name}", flush=True)
    program = Path(sys.executable).parent / "ansible-playbook"
    command = [str(program), "-i", str(directory / "inventory"), "-e", f"@{settings}", str(PLAYBOOK)]
    environment = {**os.environ, "HOME": str(directory)}
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as play:
        try:
            seconds, last = _follow(play)
        except BaseException:
            play.terminate()
            raise
    if play.returncode:
        raise DemoFailed(f"the task {last!r} did not succeed, see its message above (exit code {play.returncode})")
    return seconds


def _follow(play: subprocess.Popen[str]) -> tuple[dict[str, float], str]:
    """Show what the playbook prints; return the seconds of each task, and the name of the last one."""
    seconds: dict[str, float] = {}
    name, since = "", time.monotonic()
    for line in play.stdout or ():
        print(line, end="", flush=True)
        heading = re.match(r"(?:TASK|PLAY) (?:\[(.*)\])?", line)
        if heading:
            seconds[name] = time.monotonic() - since
            name, since = heading.group(1) or name, time.monotonic()
    return seconds, name


def _summarise(report: Mapping[str, Any], seconds: Mapping[str, float], address: str) -> None:
    content, bundle = report["pulled"]["content"], report["pulled"]["bundle"]
    pushed, repeated = report["pushed"], report["repeated"]
    written = f"{len(pushed['tags'])} tags, release channels last"
    route = report["plan"]["clusters"]["prod"]["platform"]
    met = report["plan"]["clusters"]["prod"]["requirements"]["met"]
    modules = ", ".join(f"{name} {module['versions'][-1]}" for name, module in content["modules"].items())
    rows = {
        "Cluster": f"runs {route['from']}; its channel {route['channel']} offers {route['to']}",
        "Plan": f"{' -> '.join(route['steps'])}; {met} requirements are met",
        "Modules, newest": modules,
        "Security databases": ", ".join(content["security_db"]),
        "Bundle": f"{bundle['images']} images in {len(bundle['archives'])} archives, {_megabytes(bundle['bytes'])}",
        "Pull": f"{_megabytes(report['pulled']['transferred']['bytes'])} in {_task(seconds, 'dkp.airgap.pull : Pull')}",
        "Push": f"{_uploads(pushed)} in {_task(seconds, 'Push the')}, {written}",
        "Second push": f"{_uploads(repeated)} in {_task(seconds, 'Push it again')}, changed={int(repeated['changed'])}",
        "Private registry": f"{address} can now bring the cluster to {route['to']}",
    }
    print("Summary")
    for title, text in rows.items():
        print(f"  {title:<19} {text}")


def _megabytes(size: int) -> str:
    return f"{size / 1e6:.1f} MB"


def _task(seconds: Mapping[str, float], start: str) -> str:
    return f"{next(time for name, time in seconds.items() if name.startswith(start)):.1f} s"


def _uploads(push: Mapping[str, Any]) -> str:
    uploaded = push["uploaded"]
    return f"{uploaded['blobs']} blobs, {_megabytes(uploaded['bytes'])} sent"


if __name__ == "__main__":
    sys.exit(main())
