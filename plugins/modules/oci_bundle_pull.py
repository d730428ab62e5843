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
  platform:
    description:
      - Whether to take the platform.
      - Without O(platform_versions), O(since_version) and O(release), the releases from the version of rock-solid up to
        that of alpha are taken, the newest of each minor, and those that release channels point to.
    type: bool
    default: true
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
    type: bool
    default: false
  modules:
    description:
      - The modules to take, each as C(name) or C(name@constraint), such as V(console) or V(console@~1.36.0).
      - Without a constraint, the versions that the module's release channels point to are taken.
      - Without this option all modules are taken. An empty list is none.
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
      - Whether to take the vulnerability databases, where the edition has them.
    type: bool
    default: true
  installer:
    description:
      - Whether to take the installer.
    type: bool
    default: true
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
"""

EXAMPLES = r"""
---
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
  description: What one should know about the content.
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

from ansible_collections.dkp.airgap.plugins.module_utils._bundle.parts import parse_chunk_size
from ansible_collections.dkp.airgap.plugins.module_utils._dkp.modules import parse_module_choice
from ansible_collections.dkp.airgap.plugins.module_utils._dkp.platform import parse_platform_selector
from ansible_collections.dkp.airgap.plugins.module_utils._dkp.tree import normalise_modules_path
from ansible_collections.dkp.airgap.plugins.module_utils._mirror.pull import PullRequest, PullResult, pull
from ansible_collections.dkp.airgap.plugins.module_utils._mirror.request import Selectors
from ansible_collections.dkp.airgap.plugins.module_utils._module import (
    Result,
    Task,
    counted,
    registry_arguments,
    report_arguments,
    run,
)
from ansible_collections.dkp.airgap.plugins.module_utils._oci.errors import InvalidInput
from ansible_collections.dkp.airgap.plugins.module_utils._oci.reference import is_tag

LONG_LISTS = ("bundle.archives", "content.modules", "findings")
_OF_PLATFORM = ("platform_versions", "since_version", "release")
_DEFAULT_INSTALLER = "latest"


def work(task: Task) -> Result:
    """Pull what the options select."""
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
        selectors=_selectors(task),
        dest=dest,
        chunk_size=parse_chunk_size(task.params["chunk_size"] or ""),
        force=task.params["force"],
        resume=task.params["resume"],
        check_mode=task.check_mode,
        ignored_names=_names_inside(dest, report),
    )


def _names_inside(dest: Path, report: Path | None) -> tuple[str, ...]:
    return (report.name,) if report is not None and report.parent.absolute() == dest else ()


def _selectors(task: Task) -> Selectors:
    params = task.params
    platform = parse_platform_selector(
        **{name: task.text(name) for name in _OF_PLATFORM}, ignore_suspend=params["ignore_suspend"]
    )
    given = [name for name in _OF_PLATFORM if task.text(name)]
    if given and not params["platform"]:
        raise InvalidInput(f"{given[0]} selects releases of the platform, but platform is false; remove one of them")
    installer_tag = task.text("installer_tag")
    if installer_tag is not None and not is_tag(installer_tag):
        raise InvalidInput(f"installer_tag: {installer_tag!r} cannot be a tag; for example latest")
    return Selectors(
        platform=platform if params["platform"] else None,
        modules=parse_module_choice(task.texts("modules"), task.texts("exclude_modules")),
        modules_path=normalise_modules_path(params["modules_path"]),
        security_db=params["security_db"],
        installer_tag=(installer_tag or _DEFAULT_INSTALLER) if params["installer"] else None,
        installer_named=installer_tag is not None,
        vex=params["vex"],
        ignore_suspend=params["ignore_suspend"],
    )


def _message(request: PullRequest, result: PullResult) -> str:
    if not result.archives:
        return f"Nothing is selected that the source has; {request.dest} is left alone"
    images = counted(sum(archive.images for archive in result.archives), "image")
    held = f"{images} in {counted(len(result.archives), 'archive')}"
    if not result.changed:
        return f"{request.dest} holds {held} already"
    if request.check_mode:
        return f"{request.dest} would hold {held}"
    return f"{request.dest} holds {held}; fetched {counted(result.blobs_transferred, 'blob')}"


def main() -> None:
    """Run the module."""
    run(
        work,
        {
            **registry_arguments(),
            **report_arguments(),
            "dest": {"type": "path", "required": True},
            "platform": {"type": "bool", "default": True},
            "platform_versions": {"type": "str"},
            "since_version": {"type": "str"},
            "release": {"type": "str"},
            "ignore_suspend": {"type": "bool", "default": False},
            "modules": {"type": "list", "elements": "str"},
            "exclude_modules": {"type": "list", "elements": "str"},
            "modules_path": {"type": "str", "default": "modules"},
            "security_db": {"type": "bool", "default": True},
            "installer": {"type": "bool", "default": True},
            "installer_tag": {"type": "str"},
            "vex": {"type": "bool", "default": True},
            "chunk_size": {"type": "str"},
            "force": {"type": "bool", "default": False},
            "resume": {"type": "bool", "default": True},
        },
    )


if __name__ == "__main__":
    main()
