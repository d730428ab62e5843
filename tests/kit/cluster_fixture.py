# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Fixtures of an API server, for a conftest to import: one for the session, empty for each test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from .cluster import KubeServer
from .programs import MissingProgram


@pytest.fixture(scope="session")
def kube_server() -> Iterator[KubeServer]:
    """The API server of this session, with the kinds of Deckhouse; tests ask for `cluster` instead."""
    try:
        server = KubeServer()
    except MissingProgram as missing:
        pytest.skip(f"needs an API server: {missing}")
    with server:
        server.install_crds()
        yield server


@pytest.fixture
def cluster(kube_server: KubeServer) -> Iterator[KubeServer]:
    """An empty cluster, in which nobody has asked for anything yet."""
    yield kube_server
    kube_server.install_crds()
    kube_server.clear()


@pytest.fixture
def kubeconfig(cluster: KubeServer, tmp_path: Path) -> Path:
    """An administrator's access to `cluster`."""
    return cluster.kubeconfig(tmp_path / "kubeconfig")
