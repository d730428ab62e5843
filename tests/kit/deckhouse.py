# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later


"""Deckhouse's releases, written for the tests: reads the registry that a cluster names, and orders what it finds there.

>>> with Deckhouse(cluster, storage=private.storage) as deckhouse:
...     cluster.client.patch("DeckhouseRelease", "v1.69.0", patch={"approved": True})
...     deckhouse.wait_for(lambda: deckhouse.platform_version() == "v1.69.0")
>>> assert not deckhouse.exposures

It follows dkp-cluster.md §1, §2 and §5 with the texts of Deckhouse, only faster: without queue and Helm, without waves
unless they are asked for.
"""

from __future__ import annotations

import shutil
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any

import requests
from ansible_collections.dkp.airgap.plugins.module_utils._dkp.version import Version

from .cluster import KubeServer
from .deckhouse_modules import ModuleController
from .deckhouse_platform import Behaviour, PlatformController
from .deckhouse_view import View, deployed_of, version_of, view_of
from .kube_client import KubeError
from .registry_content import Access, Content, RegistryContent, RegistryTrouble, StoredContent, access_of
from .registry_watch import Exposure, Watch
from .webhook import ReleaseWebhook

_ROUNDS_OF_SETTLING = 4


class Deckhouse:
    """The controller, in a thread of its own as a context manager; `generation` and further settings of `Behaviour`.

    It goes to the registry of the Secret ``deckhouse-registry`` with the credentials there, or to `registry` where that
    is a virtual one (modes Direct, Proxy and Local). `exposures` is what a `Watch` over the directory `storage` of that
    registry finds, or over the registry itself where none is given.
    A `webhook` is down while Deckhouse restarts.
    Troubles of the API server and the registry are kept in `troubles` and end with them; anything else is an error of
    the tests and raised at the end.
    """

    def __init__(
        self,
        cluster: KubeServer,
        *,
        generation: str = "B",
        poll: float = 0.3,
        storage: Path | None = None,
        registry: Access | None = None,
        webhook: ReleaseWebhook | None = None,
        **behaviour: Any,
    ) -> None:
        self._cluster = cluster
        self._poll = poll
        self._storage, self._registry, self._webhook = storage, registry, webhook
        self._client = cluster.another_client()
        given = replace(Behaviour(generation=generation, frozen_chain=generation == "A"), **behaviour)
        self._platform = PlatformController(self._client, given)
        self._modules = ModuleController(self._client, given)
        self._files = Path(tempfile.mkdtemp(prefix="dkp-deckhouse-"))
        self._secret: Any = None
        self._content: RegistryContent | None = None
        self._watch: Watch | None = None
        self._view: View | None = None
        self._rounds = 0
        self._paused = threading.Event()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="Deckhouse of the tests", daemon=True)
        self._failure: Exception | None = None
        self.troubles: list[str] = []

    def __enter__(self) -> Deckhouse:
        view = view_of(self._client)
        content = self._content_of(view)
        seen: Content = StoredContent(self._storage) if self._storage else content
        interval = 0.05 if self._storage else self._poll
        self._watch = Watch(seen, content.access.path, deployed=self._deployed, interval=interval)
        self._view = view
        self._watch.__enter__()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()
        assert self._watch is not None
        self._watch.__exit__(kind, error, trace)
        shutil.rmtree(self._files, ignore_errors=True)
        if error is not None:
            print("\n".join(["the tests' Deckhouse:", *self.troubles[-5:], *map(str, self.exposures)]))
        elif self._failure:
            raise self._failure

    @property
    def exposures(self) -> list[Exposure]:
        """Every pointer that was seen with something missing behind it, once each."""
        return list(self._watch.found) if self._watch else []

    @property
    def deployed(self) -> list[str]:
        """What was deployed, in order: versions of the platform, then releases of modules."""
        return [*self._platform.deployed, *self._modules.deployed]

    def pause(self) -> None:
        """Do nothing from now on, as a controller that is down; the watch goes on."""
        self._paused.set()

    def resume(self) -> None:
        """Go on after `pause`."""
        self._paused.clear()

    def settle(self, *, timeout: float = 10) -> None:
        """Wait until it has looked at everything several times from now; raises TimeoutError."""
        wanted = self._rounds + _ROUNDS_OF_SETTLING
        self.wait_for(lambda: self._rounds >= wanted, timeout=timeout)

    def wait_for(self, condition: Callable[[], bool], *, timeout: float = 20) -> None:
        """Wait until `condition` holds; raises TimeoutError, or what ended the controller."""
        until = time.monotonic() + timeout
        while not condition():
            if self._failure:
                raise self._failure
            if time.monotonic() > until:
                raise TimeoutError(f"the tests' Deckhouse did not get there; troubles: {self.troubles[-5:]}")
            time.sleep(0.05)

    def platform_version(self) -> str:
        """The version that has started last."""
        return str(self._view.version) if self._view else ""

    def _run(self) -> None:
        while not self._stop.wait(self._poll):
            if self._paused.is_set():
                continue
            try:
                self._round()
            except Exception as error:
                self._failure = error
                return
            self._rounds += 1

    def _round(self) -> None:
        """One look at everything; what one part cannot do does not keep the others from their work."""
        if not self._attempt(self._look):
            return
        assert self._view is not None and self._content is not None
        view, content = self._view, self._content
        if self._webhook:
            self._webhook.down = not view.pod_is_ready
        self._attempt(lambda: self._platform.converge(view, content))
        if not self._platform.runs:
            return
        self._attempt(lambda: self._platform.reconcile(view))
        self._attempt(lambda: self._modules.reconcile(view, content))
        if view.pod_is_ready:
            # Only one that has started looks for more.
            self._attempt(lambda: self._platform.discover(view, content))
            self._attempt(lambda: self._modules.discover(view, content))

    def _look(self) -> None:
        self._view = view_of(self._client)
        self._content_of(self._view)

    def _attempt(self, work: Callable[[], None]) -> bool:
        try:
            work()
        except (KubeError, RegistryTrouble, requests.RequestException) as error:
            self.troubles.append(str(error))
            return False
        return True

    def _content_of(self, view: View) -> RegistryContent:
        if self._content is None or view.secret["data"] != self._secret:
            self._secret = view.secret["data"]
            self._content = RegistryContent(self._registry or access_of(view.secret, directory=self._files))
        return self._content

    def _deployed(self) -> dict[str, Version]:
        """What runs, of the platform and of each module."""
        view = self._view
        if view is None:
            return {}
        found = {"": view.switched_version}
        for name in {one["spec"]["moduleName"] for one in view.objects["ModuleRelease"]}:
            release = deployed_of(view.releases_of(name))
            if release:
                found[name] = version_of(release)
        return found
