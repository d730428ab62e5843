# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Options of actions that reach a cluster. Private to this collection."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  access:
    description:
      - The way in. V(api) uses C(kubernetes.core), which needs the Python package C(kubernetes) (24.2.0 or later) on
        the host. V(command) runs O(command) there and needs nothing else.
    type: str
    choices: [api, command]
    default: api
  kubeconfig:
    description:
      - The kubeconfig on the host. With V(api) and a local connection it is looked for on the controller.
      - When neither this nor O(host) is set, the service account of the pod is used inside of a cluster, and else what
        C(kubectl) uses by itself.
    type: str
  context:
    description:
      - The context of the kubeconfig.
    type: str
  host:
    description:
      - The URL of the API server, for access with a token. Only with V(api).
    type: str
  api_key:
    description:
      - The token. Only with V(api), because on a command line everyone on the host could read it.
    type: str
  ca_cert:
    description:
      - The file on the host with the CA of the API server. Only with V(api).
    type: str
  validate_certs:
    description:
      - Whether the certificate of the API server has to be valid. Only with V(api).
    type: bool
    default: true
  command:
    description:
      - The command of V(command), such as V(d8 k); it is split at blanks and run without a shell.
    type: str
    default: kubectl
  plan_file:
    description:
      - A file with the plan on the controller, in YAML or JSON. Mutually exclusive with O(plan).
    type: path
  cluster:
    description:
      - What the cluster is called in the plan. The name of the host in the inventory when unset.
    type: str
  modules:
    description:
      - Whether modules of the plan are looked after as well as the platform.
    type: bool
    default: true
  queue:
    description:
      - Whether to ask Deckhouse for its queue, by a command inside of its pod. Where that is not allowed or does not
        work, nothing is said of the queue.
    type: bool
    default: true
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
  platform:
    support: full
    details:
      - Runs modules of C(kubernetes.core), or a command, on the host of the task.
"""
