#!/usr/bin/python

# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether a private registry has all that clusters need."""

from __future__ import annotations

DOCUMENTATION = r"""
module: mirror_check_info
short_description: Check that a private registry has all that an update of Deckhouse Kubernetes Platform needs
version_added: 0.1.0
description:
  - Judges a private registry by what a plan or a bundle brings and by what clusters run. Every release on the way of
    every cluster has to be there with its metadata and with all images that it consists of, and no other release may
    be in the way.
  - Each finding says what it means for the cluster and what to do. Their ids are the numbers of a check list - V(P1) to
    V(P13) for the platform, V(M1) to V(M11) for modules, V(S1) for vulnerability databases, V(R1) to V(R6) for the
    registry itself.
  - With O(stage=preflight), it tells before anything is carried whether the registry can take it at all - rights for
    each repository, depth of paths, tags that can move, read-only modes and caches, room. It asks by opening uploads
    and cancelling them, which leaves nothing behind.
  - Findings are no failure of the task; RV(ok) tells whether one may go on. What cannot be judged has severity
    V(unknown) and does not stand against it.
  - Only manifests are asked for, many at a time. Which images a release consists of is in the bundle (O(src)), or else
    it is read out of images in the registry and remembered by the host.
extends_documentation_fragment:
  - dkp.airgap.registry
  - dkp.airgap._report
  - dkp.airgap._attributes
  - dkp.airgap._attributes.info_module
  - dkp.airgap._attributes.actiongroup_registry
options:
  plan:
    description:
      - The plan of M(dkp.airgap.update_plan) that was carried out.
      - At least one of O(plan), O(plan_file), O(src) and O(clusters) has to say what has to be there.
    type: dict
  plan_file:
    description:
      - The same in a file, YAML or JSON, on the host that the module runs on.
    type: path
  src:
    description:
      - The directory of the bundle that was pushed. Then every image has to be that of the bundle, and what releases
        consist of is not read from the registry.
      - Beside a plan, the plan says what has to be there.
    type: path
  clusters:
    description:
      - Facts of the clusters that take their images from this registry, as M(dkp.airgap.cluster_facts) returns them.
      - With them, what runs has to be there too, ways begin at what runs now, and the requirements of releases are
        judged anew.
    type: list
    elements: dict
    default: []
  modules_path:
    description:
      - Where modules live below O(images_repo); V(/) means O(images_repo) itself.
    type: str
    default: modules
  stage:
    description:
      - With V(preflight), nothing has to be there yet - can this registry take such content, its paths, media types and
        pointers, with the rights of the account? It opens uploads and cancels them, and writes nothing.
      - Its findings without a number are V(push_rights), V(no_project),
        V(no_uploads), V(read_only), V(immutable_tags), V(media_types), V(deletion), V(body_size), V(leftovers) and
        V(unclear).
      - With V(content), everything but the pointers has to be there. Pointers (release channels, entries of the
        catalogue of modules, databases, C(installer:latest)) are judged as they will be set.
      - With V(published), the pointers have to say what the plan says, too.
    type: str
    choices: [preflight, content, published]
    default: published
  probe_tags:
    description:
      - At O(stage=preflight), write to release channels what they point to already, to see whether they can be moved.
        Not in check mode.
    type: bool
    default: false
  depth:
    description:
      - With V(manifests), the manifest of every image is asked for.
      - With V(blobs), everything that the manifests name is asked for as well.
    type: str
    choices: [manifests, blobs]
    default: manifests
  as_cluster:
    description:
      - Whether the credentials are those by which the cluster itself reads the registry, as
        P(dkp.airgap.registry_access#filter) finds them.
    type: bool
    default: false
  accept_findings:
    description:
      - Ids of findings that do not stand against going on, such as V(P8).
    type: list
    elements: str
    default: []
author:
  - dkp.airgap contributors (!UNKNOWN)
seealso:
  - module: dkp.airgap.oci_bundle_push
  - module: dkp.airgap.mirror_inventory_info
"""

EXAMPLES = r"""
---
- name: Ask whether the registry can take what is planned, before anything is downloaded
  dkp.airgap.mirror_check_info:
    images_repo: registry.example.com/dkp/ee
    username: mirror
    password: "{{ dkp_registry_password }}"
    plan_file: /data/plan.yml
    stage: preflight

- name: Check what was pushed, before clusters see it
  dkp.airgap.mirror_check_info:
    images_repo: registry.example.com/dkp/ee
    username: mirror
    password: "{{ dkp_registry_password }}"
    src: /data/bundle
    stage: content
  register: content

- name: Go on only when everything is there
  ansible.builtin.assert:
    that: content.ok
    fail_msg: "{{ content.findings | selectattr('severity', 'eq', 'error') | map(attribute='message') | join('; ') }}"

- name: Check the way of a cluster once the release channels are published
  dkp.airgap.mirror_check_info:
    images_repo: registry.example.com/dkp/ee
    username: mirror
    password: "{{ dkp_registry_password }}"
    plan_file: /data/plan.yml
    accept_findings: [P8]
"""

RETURN = r"""
ok:
  description: Whether no finding of severity V(error) stands against going on.
  returned: success
  type: bool
  sample: true
findings:
  description: What was found, errors first. Of very many, RV(omitted) says after how many the rest was left out.
  returned: success
  type: list
  elements: dict
  contains:
    id:
      description: The number in the check list.
      returned: success
      type: str
      sample: P7
    severity:
      description: One of V(error), V(warning), V(unknown) and V(info).
      returned: success
      type: str
      sample: error
    subject:
      description: What it is about.
      returned: success
      type: str
      sample: v1.69.7
    message:
      description: What was found, and what it means.
      returned: success
      type: str
      sample: >-
        v1.69.7 lacks 1 of 120 images: sha256:5d20c808ce198565ff70b3ed23a991dd49afac45dece63474b27ce6ed036adc6: pods of
        the platform would end in ImagePullBackOff
    hint:
      description: What to do about it.
      returned: success
      type: str
      sample: Push the bundle again; what is there is not sent twice
checked:
  description: How much was looked at.
  returned: success
  type: dict
  contains:
    manifests:
      description: Manifests that were asked for.
      returned: success
      type: int
      sample: 412
    blobs:
      description: Other blobs that were asked for.
      returned: success
      type: int
      sample: 0
    requests:
      description: Requests that were made.
      returned: success
      type: int
      sample: 420
stage:
  description: The stage that was checked.
  returned: success
  type: str
  sample: content
msg:
  description: The result in one sentence.
  returned: always
  type: str
  sample: registry.example.com/dkp/ee has all that is needed (412 manifests looked at)
omitted:
  description: Names of what was left out of a result that is too long for Ansible; normally empty.
  returned: success
  type: list
  elements: str
  sample: []
"""

from ansible_collections.dkp.airgap.plugins.module_utils._dkp.check.gathered import refusing
from ansible_collections.dkp.airgap.plugins.module_utils._dkp.check.wanted import PREFLIGHT
from ansible_collections.dkp.airgap.plugins.module_utils._dkp.counting import counted
from ansible_collections.dkp.airgap.plugins.module_utils._dkp.findings import Finding
from ansible_collections.dkp.airgap.plugins.module_utils._dkp.nearest import listed
from ansible_collections.dkp.airgap.plugins.module_utils._dkp.tree import normalise_modules_path
from ansible_collections.dkp.airgap.plugins.module_utils._mirror.check import Checked, CheckRequest, check
from ansible_collections.dkp.airgap.plugins.module_utils._mirror.check_options import parse_subject
from ansible_collections.dkp.airgap.plugins.module_utils._module import (
    Result,
    Task,
    registry_arguments,
    report_arguments,
    run,
)

LONG_LISTS = ("findings[200:]", "findings[50:]", "findings")
"""A registry that lost everything is told by the first findings, errors all of them."""


def work(task: Task) -> Result:
    """Look at the registry, and judge."""
    source = task.path("src")
    plan, clusters = parse_subject(task.document("plan"), task.path("plan_file"), source, task.document("clusters"))
    request = CheckRequest(
        plan,
        source,
        clusters,
        normalise_modules_path(task.params["modules_path"]),
        scheme=task.params["scheme"],
        stage=task.params["stage"],
        blobs=task.params["depth"] == "blobs",
        probe_tags=task.params["probe_tags"] and not task.check_mode,
        as_cluster=task.params["as_cluster"],
    )
    task.report_file()
    registry = task.registry()
    checked = check(request, registry, task.memory, task.stopping)
    refused = refusing(checked.findings, task.texts("accept_findings") or ())
    return Result(
        {
            "changed": False,
            "msg": _message(request.stage, str(registry.address), checked, refused),
            "ok": not refused,
            "findings": [finding.as_dict() for finding in checked.findings],
            "checked": {
                "manifests": checked.manifests,
                "blobs": checked.blobs,
                "requests": registry.counters.requests,
            },
            "stage": request.stage,
        },
        LONG_LISTS,
    )


def _message(stage: str, address: str, checked: Checked, refused: list[Finding]) -> str:
    if checked.nothing:
        return f"There is nothing to check: nothing has to be brought to {address}"
    if refused:
        problem = "cannot take the content" if stage == PREFLIGHT else "does not have all that is needed, or too much"
        return f"{address} {problem}: {listed([f'{each.id} {each.subject}' for each in refused])}"
    looked_at = f" ({counted(checked.manifests, 'manifest')} looked at)" if stage != PREFLIGHT else ""
    accepted = list(dict.fromkeys(each.id for each in checked.findings if each.severity == "error"))
    if accepted:
        return f"{address} is accepted in spite of {listed(accepted)}{looked_at}"
    return f"{address} {'can take the content' if stage == PREFLIGHT else 'has all that is needed'}{looked_at}"


def main() -> None:
    """Run the module."""
    run(
        work,
        {
            **registry_arguments(),
            **report_arguments(),
            "plan": {"type": "dict"},
            "plan_file": {"type": "path"},
            "src": {"type": "path"},
            "clusters": {"type": "list", "elements": "dict", "default": []},
            "modules_path": {"type": "str", "default": "modules"},
            "stage": {"type": "str", "choices": ["preflight", "content", "published"], "default": "published"},
            "probe_tags": {"type": "bool", "default": False},
            "depth": {"type": "str", "choices": ["manifests", "blobs"], "default": "manifests"},
            "as_cluster": {"type": "bool", "default": False},
            "accept_findings": {"type": "list", "elements": "str", "default": []},
        },
    )


if __name__ == "__main__":
    main()
