# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Clients of registries that fail as told: pauses are short, and this machine's own settings play no part."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.dkp.airgap.plugins.module_utils._oci.reference import parse_address
from ansible_collections.dkp.airgap.plugins.module_utils._registry import backoff, patience
from ansible_collections.dkp.airgap.plugins.module_utils._registry.client import Registry
from ansible_collections.dkp.airgap.plugins.module_utils._registry.options import RegistryOptions
from ansible_collections.dkp.airgap.plugins.module_utils._registry.stopping import Stopping

Connect = Callable[..., Registry]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backoff, "FIRST_PAUSE", 0.005)
    monkeypatch.setattr(patience, "SHORTEST_PAUSE", 0.02)


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in list(os.environ):
        if name.lower().endswith("_proxy") or name in ("REGISTRY_AUTH_FILE", "DOCKER_CONFIG", "XDG_RUNTIME_DIR"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))


@pytest.fixture
def connect() -> Iterator[Connect]:
    """Make clients for ``host`` with options of the contract; plain HTTP unless told otherwise."""
    opened: list[Registry] = []

    def connect(host: str, *, stopping: Stopping | None = None, **options: Any) -> Registry:
        settings = {"scheme": "http", "timeout": 5, **options}
        opened.append(Registry(RegistryOptions(parse_address(f"{host}/dkp/ee"), **settings), stopping=stopping))
        return opened[-1]

    yield connect
    for registry in opened:
        registry.close()
