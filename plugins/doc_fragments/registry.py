# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The options that every module has which talks to a registry."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  images_repo:
    description:
      - The root of one edition in a registry, as C(host[:port]/path) without a scheme, for example
        V(registry.deckhouse.io/deckhouse/ee).
    type: str
    required: true
  scheme:
    description:
      - How to talk to the registry. Plain HTTP is used only when this says V(http), and never tried otherwise.
    type: str
    choices: [https, http]
    default: https
  username:
    description:
      - User name for the registry and for the token service that it names.
      - Needs O(password).
    type: str
  password:
    description:
      - Password of O(username).
      - Ansible masks this value wherever it occurs in a result, so one that is shorter than 8 characters or part of
        O(images_repo) draws a warning.
    type: str
  license_token:
    description:
      - The licence key of Deckhouse Kubernetes Platform, as password of the user C(license-token).
      - Mutually exclusive with O(username) and O(password).
    type: str
  auth_file:
    description:
      - File with credentials on the host that the module runs on, in the format of docker's C(config.json),
        credential helpers included.
      - When not set, and no credentials are given either, these are looked at in this order - the file that
        E(REGISTRY_AUTH_FILE) names, C(config.json) in the directory that E(DOCKER_CONFIG) names,
        C(~/.docker/config.json), and C(containers/auth.json) in the directory that E(XDG_RUNTIME_DIR) names.
    type: path
  validate_certs:
    description:
      - Whether the certificate of the registry must be valid. Leave this on, and use O(ca_path) for an authority of
        your own.
    type: bool
    default: true
  ca_path:
    description:
      - File with the certificates of the authorities that may have signed the registry's certificate, in PEM format.
    type: path
  client_cert:
    description:
      - File with the certificate to show to the registry, in PEM format. It may hold the key as well.
    type: path
  client_key:
    description:
      - File with the key of O(client_cert), in PEM format and without a passphrase.
    type: path
  timeout:
    description:
      - Seconds without any progress after which a request is given up and tried again. It never limits how long a
        transfer may take.
    type: int
    default: 60
  connections:
    description:
      - Greatest number of requests at a time.
      - With V(0) the number is chosen and adapted while the work goes on, with at most 32.
    type: int
    default: 0
  bandwidth_limit:
    description:
      - Limit for all connections together, in bytes per second, with an optional unit such as V(500k),
        V(40M) (decimal) or V(40MiB) (binary).
      - Without it there is no limit.
    type: str
  read_only_wait:
    description:
      - Seconds to wait for a registry that refuses writing for a while, as some do during their garbage collection.
        When they are over, the run stops, and a repeated one goes on from there.
      - Modules that only read have no use for it; it is accepted so that one set of options fits all.
    type: int
    default: 120
requirements:
  - requests
  - PyYAML
notes:
  - Proxies are taken from the environment of the module (E(HTTPS_PROXY), E(HTTP_PROXY), E(NO_PROXY)).
  - Secrets, including those from O(auth_file), are kept out of results, logs and files.
"""
