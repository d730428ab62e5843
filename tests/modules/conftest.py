# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Ansible, real registries and a real API server for the tests of the modules."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.dkp.airgap.tests.kit.cluster_fixture import cluster, kube_server, kubeconfig
from ansible_collections.dkp.airgap.tests.kit.hosts import Network
from ansible_collections.dkp.airgap.tests.kit.playbooks import Ansible
from ansible_collections.dkp.airgap.tests.kit.programs import MissingProgram
from ansible_collections.dkp.airgap.tests.kit.servers import Server
from ansible_collections.dkp.airgap.tests.kit.shape import SMALL
from ansible_collections.dkp.airgap.tests.kit.storage import stored
from ansible_collections.dkp.airgap.tests.kit.vendor import Vendor, any_server

__all__ = ["cluster", "kube_server", "kubeconfig"]


@pytest.fixture(scope="session")
def target_python() -> str:
    """The interpreter that the modules run on."""
    return os.environ.get("DKP_TEST_TARGET_PYTHON", sys.executable)


@pytest.fixture
def ansible(tmp_path: Path, target_python: str) -> Ansible:
    return Ansible(tmp_path / "ansible", python=target_python)


@pytest.fixture
def network(target_python: str) -> Iterator[Network]:
    """Hosts that Ansible reaches by SSH, none yet."""
    try:
        network = Network(python=target_python)
    except MissingProgram as missing:
        pytest.skip(f"needs hosts: {missing}")
    with network:
        yield network


@pytest.fixture(scope="session")
def session_ansible(tmp_path_factory: pytest.TempPathFactory, target_python: str) -> Ansible:
    """For tables whose rows are tasks of one play, run once for all of them."""
    return Ansible(tmp_path_factory.mktemp("ansible"), python=target_python)


@pytest.fixture(scope="session")
def source(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Vendor]:
    directory = tmp_path_factory.mktemp("source")
    tree = stored(SMALL, directory)
    with _server(directory, htpasswd=True) as server:
        yield Vendor(server, tree)


@pytest.fixture
def target(tmp_path: Path) -> Iterator[Server]:
    """An empty private registry, anonymous and over plain HTTP."""
    with _server(tmp_path / "target") as server:
        yield server


def _server(directory: Path, *, htpasswd: bool = False) -> Server:
    try:
        return any_server(directory, htpasswd=htpasswd)
    except MissingProgram as missing:
        pytest.skip(f"needs a registry: {missing}")
