# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An API server for the tests that need no Ansible."""

from __future__ import annotations

from ansible_collections.dkp.airgap.tests.kit.cluster_fixture import cluster, kube_server, kubeconfig

__all__ = ["cluster", "kube_server", "kubeconfig"]
