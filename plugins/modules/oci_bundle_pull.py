#!/usr/bin/python

# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From a registry into a bundle."""

from __future__ import annotations

DOCUMENTATION = r"""
module: oci_bundle_pull
short_description: Pull releases of Deckhouse Kubernetes Platform from a registry into a bundle
version_added: 0.1.0
description:
  - Fetches platform releases, modules, security databases and the installer into a directory of archives that this
    collection and the vendor's CLI can push into another registry.
  - What it takes is said by a plan (O(plan) or O(plan_file)), or by selectors, which are O(platform),
    O(platform_versions), O(since_version), O(release), O(ignore_suspend), O(modules), O(exclude_modules),
    O(security_db), O(installer) and O(installer_tag). A plan and selectors exclude each other.
  - A directory that holds an earlier bundle is brought up to date; what it has already is not fetched again. A second
    run with the same options re-reads metadata only.
  - A run that was interrupted is finished by the next one. Until then the directory cannot be mistaken for a bundle.
  - It never deletes what it did not make.
extends_documentation_fragment:
  - dkp.airgap.registry
  - dkp.airgap._report
  - dkp.airgap._proofs
  - dkp.airgap._attributes
  - dkp.airgap._attributes.actiongroup_registry
attributes:
  check_mode:
    support: full
    details:
      - Returns the same content and sizes as the run, and writes nothing.
  diff_mode:
    support: none
  idempotent:
    support: full
  platform:
    support: full
options:
  dest:
    description:
      - Directory of the bundle. It is made when it is not there.
      - Anything in it that this collection did not make is refused, unless O(force=true).
    type: path
    required: true
  plan:
    description:
      - The plan to carry out, as M(dkp.airgap.update_plan) returns it. The bundle carries its C(content), no more and
        no less, with the images that were seen when the plan was made, and C(delivery.json) holds the plan.
      - A plan with findings of severity C(error) is refused before anything is fetched, but for those in
        O(accept_findings).
      - Mutually exclusive with O(plan_file).
    type: dict
  plan_file:
    description:
      - A file with the plan, YAML or JSON, on the host that the module runs on.
      - Mutually exclusive with O(plan).
    type: path
  accept_findings:
    description:
      - Ids of findings that a plan is carried out in spite of, such as V(P3). A missing image can never be accepted.
      - Needs O(plan) or O(plan_file).
    type: list
    elements: str
  platform:
    description:
      - Whether to take the platform. Unless O(plan) or O(plan_file) says what to take, V(true) by default.
      - Without O(platform_versions), O(since_version) and O(release), the releases from the version of rock-solid up to
        that of alpha are taken, the newest of each minor, and those that release channels point to.
    type: bool
  platform_versions:
    description:
      - Take the releases that this constraint selects instead, such as V(>=1.68.0 <1.71.0), V(~1.70.0), or an exact one
        such as V(=v1.70.3+stable), which is published to the channel after the C(+), or to all without one.
      - Mutually exclusive with O(since_version) and O(release).
    type: str
  since_version:
    description:
      - Extend the range downwards to this version, for clusters that are behind rock-solid. It never narrows it.
    type: str
  release:
    description:
      - Take one release only - that of a channel (V(stable)), a version (V(v1.70.3)), or a custom tag.
    type: str
  ignore_suspend:
    description:
      - Take releases that the vendor has suspended. Otherwise a suspended channel that would be taken stops the pull.
        It is V(false) by default; a plan was made with it or without.
    type: bool
  modules:
    description:
      - The modules to take, each as C(name) or C(name@constraint), such as V(console) or V(console@~1.36.0).
      - Without a constraint, the versions that the module's release channels point to are taken.
      - Without this option and without a plan all modules are taken. An empty list is none.
    type: list
    elements: str
  exclude_modules:
    description:
      - Modules not to take. Mutually exclusive with O(modules).
    type: list
    elements: str
  modules_path:
    description:
      - Where modules live below O(images_repo); V(/) means O(images_repo) itself.
    type: str
    default: modules
  security_db:
    description:
      - Whether to take the vulnerability databases, where the edition has them. Without a plan V(true) by default.
    type: bool
  installer:
    description:
      - Whether to take the installer. Without a plan V(true) by default.
    type: bool
  installer_tag:
    description:
      - The tag of the installer, which then has to be there.
      - Without it, V(latest) is taken where the source has it.
    type: str
  vex:
    description:
      - Whether to take the VEX attestations of images that have one.
    type: bool
    default: true
  chunk_size:
    description:
      - Cut archives into parts of at most this size, such as V(4GB) (decimal) or V(3900MiB) (binary), for media that
        cannot hold larger files.
    type: str
  force:
    description:
      - Work in a directory that holds other files, too. They are left there.
    type: bool
    default: false
  resume:
    description:
      - Use what an interrupted run left. Otherwise it is thrown away.
    type: bool
    default: true
author:
  - dkp.airgap contributors (!UNKNOWN)
seealso:
  - module: dkp.airgap.oci_bundle_info
  - module: dkp.airgap.oci_bundle_push
  - module: dkp.airgap.update_plan
"""

EXAMPLES = r"""
---
- name: Pull what a plan says
  dkp.airgap.oci_bundle_pull:
    images_repo: registry.deckhouse.io/deckhouse/ee
    license_token: "{{ dkp_license_token }}"
    dest: /data/planned
    plan_file: /data/plan.yml

- name: Pull everything between rock-solid and alpha, with all modules
  dkp.airgap.oci_bundle_pull:
    images_repo: registry.deckhouse.io/deckhouse/ee
    license_token: "{{ dkp_license_token }}"
    dest: /data/bundle

- name: Pull what leads a cluster from 1.68 to 1.70, in parts for a FAT file system
  dkp.airgap.oci_bundle_pull:
    images_repo: registry.deckhouse.io/deckhouse/ee
    license_token: "{{ dkp_license_token }}"
    dest: /media/stick/bundle
    platform_versions: ">=1.68.11 <=1.70.17"
    modules:
      - console
      - "sdn@~0.5.0"
    chunk_size: 4GB

- name: Pull one module only
  dkp.airgap.oci_bundle_pull:
    images_repo: registry.deckhouse.io/deckhouse/ee
    license_token: "{{ dkp_license_token }}"
    dest: /data/console
    platform: false
    security_db: false
    installer: false
    modules: ["console@=v1.37.0+stable"]
"""

RETURN = r"""
changed:
  description: Whether the bundle was written, or would be in check mode.
  returned: always
  type: bool
  sample: true
content:
  description: What the bundle carries.
  returned: success; its C(modules) unless RV(omitted) names them
  type: dict
  sample:
    platform: {versions: [v1.69.7, v1.70.17], channels: {stable: v1.70.17}, tags: []}
    modules: {console: {versions: [v1.36.2, v1.37.0], channels: {stable: v1.37.0}}}
    packages: {}
    plugins: {}
    security_db: {trivy-db: ["2"], trivy-java-db: ["1"], trivy-checks: ["0"], trivy-bdu: ["1"]}
    installer: [latest]
    pins: []
bundle:
  description: The bundle as it lies there.
  returned: success
  type: dict
  contains:
    path:
      description: Its directory.
      returned: success
      type: str
      sample: /data/bundle
    images:
      description: How many manifests it has.
      returned: success
      type: int
      sample: 264
    blobs:
      description: How many other blobs it has.
      returned: success
      type: int
      sample: 1220
    bytes:
      description: Size of all its archives.
      returned: success
      type: int
      sample: 1518717952
    archives:
      description: Its archives, and the files of each. In check mode archives that would be written have no C(parts).
      returned: success, unless RV(omitted) names it
      type: list
      elements: dict
      sample:
        - name: platform.tar
          bytes: 1418717952
          images: 240
          blobs: 1100
          parts:
            - name: platform.tar
              bytes: 1418717952
              sha256: 5d20c808ce198565ff70b3ed23a991dd49afac45dece63474b27ce6ed036adc6
sizes:
  description:
    - Bytes (manifests, configurations and layers) that each version adds to those below it in its archive. What several
      versions share counts for the first of them, so that the sum is what the archive carries.
  returned: success; its C(modules) unless RV(omitted) names them
  type: dict
  contains:
    platform:
      description: Bytes by version (or custom tag) of the platform.
      returned: success
      type: dict
      sample: {v1.69.7: 1218717952, v1.70.17: 200000000}
    modules:
      description: Bytes by module and version.
      returned: success, unless RV(omitted) names it
      type: dict
      sample: {console: {v1.36.2: 50000000, v1.37.0: 12000000}}
    security_db:
      description: Bytes by database.
      returned: success
      type: dict
      sample: {trivy-db: 60000000, trivy-java-db: 30000000, trivy-checks: 400000, trivy-bdu: 2000000}
    installer:
      description: Bytes of the installer.
      returned: success
      type: int
      sample: 150000000
transferred:
  description: What was fetched from the registry, metadata included.
  returned: success
  type: dict
  contains:
    bytes:
      description: Bytes of manifests and blobs.
      returned: success
      type: int
      sample: 1518717000
    blobs:
      description: Blobs that went into the bundle.
      returned: success
      type: int
      sample: 1220
    requests:
      description: Requests that were made.
      returned: success
      type: int
      sample: 1720
findings:
  description:
    - What one should know about the content. Of a plan, the findings that were accepted, as they stand in it.
    - C(channel_moved) says that a channel points at something else than when the plan was made, C(other_source) that
      the plan was made from another registry.
  returned: success, unless RV(omitted) names it
  type: list
  elements: dict
  contains:
    id:
      description: What kind of finding it is.
      returned: success
      type: str
      sample: pin_publishes_all
    severity:
      description: One of V(error), V(warning), V(unknown) and V(info).
      returned: success
      type: str
      sample: warning
    subject:
      description: What it is about.
      returned: success
      type: str
      sample: platform
    message:
      description: What was found.
      returned: success
      type: str
      sample: "v1.70.3 is published to all channels"
    hint:
      description: What to do about it.
      returned: success
      type: str
      sample: "Name the channel: =v1.70.3+stable"
  sample: []
msg:
  description: The result in one sentence.
  returned: always
  type: str
  sample: "/data/bundle holds 264 images in 5 archives; fetched 1220 blobs"
omitted:
  description: Names of what was left out of a result that is too long for Ansible; normally empty.
  returned: success
  type: list
  elements: str
  sample: []
"""

from pathlib import Path
from typing import Any

from ansible_collections.dkp.airgap.plugins.module_utils._bundle.parts import parse_chunk_size
from ansible_collections.dkp.airgap.plugins.module_utils._dkp.counting import counted
from ansible_collections.dkp.airgap.plugins.module_utils._mirror.options import FLAGS, LISTS, TEXTS, parse_wanted
from ansible_collections.dkp.airgap.plugins.module_utils._mirror.pull import PullRequest, PullResult, pull
from ansible_collections.dkp.airgap.plugins.module_utils._mirror.request import Planned
from ansible_collections.dkp.airgap.plugins.module_utils._module import (
    Result,
    Task,
    registry_arguments,
    report_arguments,
    run,
)
from ansible_collections.dkp.airgap.plugins.module_utils._oci.errors import InvalidInput

_LISTS = (*LISTS, "accept_findings")
LONG_LISTS = ("bundle.archives", "sizes.modules", "content.modules", "findings")


def work(task: Task) -> Result:
    """Pull what the plan or the options say."""
    request = _request(task)
    registry = task.registry()
    result = pull(request, registry, task.memory, task.stopping)
    counters = registry.counters
    values = {
        "changed": result.changed,
        "msg": _message(request, result),
        "content": result.content,
        "bundle": {
            "path": str(request.dest),
            "images": sum(archive.images for archive in result.archives),
            "blobs": sum(archive.blobs for archive in result.archives),
            "bytes": sum(archive.bytes for archive in result.archives),
            "archives": [archive.as_dict() for archive in result.archives],
        },
        "sizes": result.sizes,
        "transferred": {
            "bytes": counters.bytes_received,
            "blobs": result.blobs_transferred,
            "requests": counters.requests,
        },
        "findings": [finding.as_dict() for finding in result.findings],
    }
    return Result(values, LONG_LISTS)


def _request(task: Task) -> PullRequest:
    dest = task.path("dest")
    if dest is None:
        raise InvalidInput("dest: name the directory of the bundle")
    dest = dest.absolute()
    report = task.report_file(made=dest)
    return PullRequest(
        wanted=parse_wanted(_options(task)),
        dest=dest,
        chunk_size=parse_chunk_size(task.params["chunk_size"] or ""),
        force=task.params["force"],
        resume=task.params["resume"],
        check_mode=task.check_mode,
        ignored_names=_names_inside(dest, report),
    )


def _options(task: Task) -> dict[str, Any]:
    """What says what to take; None is what was not given."""
    params = {name: task.params[name] for name in (*FLAGS, "modules_path", "vex")}
    texts = {name: task.text(name) for name in (*TEXTS, "plan_file")}
    return {**params, **texts, **{name: task.texts(name) for name in _LISTS}, "plan": task.document("plan")}


def _names_inside(dest: Path, report: Path | None) -> tuple[str, ...]:
    return (report.name,) if report is not None and report.parent.absolute() == dest else ()


def _message(request: PullRequest, result: PullResult) -> str:
    if not result.archives:
        return f"Nothing is selected that the source has; {request.dest} is left alone"
    images = counted(sum(archive.images for archive in result.archives), "image")
    held = f"{images} in {counted(len(result.archives), 'archive')}"
    accepted = request.wanted.accepted if isinstance(request.wanted, Planned) else ()
    spite = f", in spite of {', '.join(dict.fromkeys(found.id for found in accepted))}" if accepted else ""
    if not result.changed:
        return f"{request.dest} holds {held} already{spite}"
    if request.check_mode:
        return f"{request.dest} would hold {held}{spite}"
    return f"{request.dest} holds {held}; fetched {counted(result.blobs_transferred, 'blob')}{spite}"


def main() -> None:
    """Run the module."""
    texts: dict[str, Any] = {name: {"type": "str"} for name in TEXTS}
    lists: dict[str, Any] = {name: {"type": "list", "elements": "str"} for name in _LISTS}
    flags: dict[str, Any] = {name: {"type": "bool"} for name in FLAGS}
    run(
        work,
        {
            **registry_arguments(),
            **report_arguments(),
            **texts,
            **lists,
            **flags,
            "dest": {"type": "path", "required": True},
            "plan": {"type": "dict"},
            "plan_file": {"type": "path"},
            "modules_path": {"type": "str", "default": "modules"},
            "vex": {"type": "bool", "default": True},
            "chunk_size": {"type": "str"},
            "force": {"type": "bool", "default": False},
            "resume": {"type": "bool", "default": True},
        },
    )


if __name__ == "__main__":
    main()
