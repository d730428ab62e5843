# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The options that say which clusters are planned, and to where. Private to this collection."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  clusters:
    description:
      - The facts of the clusters to plan for, each as C(dkp_cluster_facts) or as written by hand.
      - A cluster needs a C(name) and a C(version). Whatever else is left out is not known, and requirements about it
        cannot be judged.
    type: list
    elements: dict
  clusters_from:
    description:
      - Files on the controller with requests of clusters, in YAML or JSON, as M(dkp.airgap.cluster_facts)
        writes them. They may be given beside O(clusters).
      - The wishes in a request hold for its cluster, and so does the inventory that it names.
    type: list
    elements: path
  target:
    description:
      - Where to go instead of to what the cluster's own channel offers. A channel such as V(early-access) or a version
        such as V(v1.70.17) for all clusters, or a mapping from the names of clusters to these.
      - It decides on the version of the platform. What is published is always the channel that the cluster follows.
      - It wins over the wish of a request.
    type: raw
  include_running:
    description:
      - Whether the running versions are carried as well.
      - With V(auto) they are where O(inventory) shows that the private registry lacks some of their images.
    type: str
    choices: [auto, always, never]
    default: auto
  ignore_suspend:
    description:
      - Whether to take a release that the vendor has suspended.
    type: bool
    default: false
  inventory:
    description:
      - What the private registry holds. A document with C(kind=MirrorInventory) for all, the path of such a file
        on the controller, or a mapping from the names of clusters to either.
      - It wins over what a request names.
    type: raw
  modules:
    description:
      - The modules to plan. A module that is named and not enabled in a cluster is carried so that it can be enabled.
      - Without it, all modules are planned that are enabled and come from O(module_source). An empty list is none.
      - Mutually exclusive with O(exclude_modules).
    type: list
    elements: str
  exclude_modules:
    description:
      - Modules to leave alone.
    type: list
    elements: str
  module_source:
    description:
      - The ModuleSource of the clusters whose registry is the private copy of the one that the releases are read from.
      - Modules of other sources get plans of their own.
    type: str
    default: deckhouse
  platform_releases:
    description:
      - The result of M(dkp.airgap.release_channel_info).
    type: dict
"""
