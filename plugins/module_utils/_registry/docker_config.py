# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Credentials in docker's ``config.json`` and its relatives (contract §1, registry-quirks §3)."""

from __future__ import annotations

import base64
import binascii
import json
import os
import re
import subprocess  # nosec B404  credential helpers are programs by definition
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from .._oci.errors import InvalidInput
from .credentials import Credentials, Keyring

_LARGEST_FILE = 4 * 1024 * 1024
_HELPER = re.compile(r"[A-Za-z0-9._-]+")
_HELPER_SECONDS = 60
_IDENTITY_USER = "<token>"
_ADVICE = "set username and password, or auth_file"


def read_keyring(host: str, *, auth_file: str | None, environment: Mapping[str, str]) -> Keyring:
    """The credentials for `host` (with port) of `auth_file`, or else of the first usual file that has any.

    Raises InvalidInput for a file that is named (`auth_file`, $REGISTRY_AUTH_FILE) and missing, for any that cannot
    be read, and for credential helpers that are needed and do not work.
    """
    if auth_file is not None:
        return _keyring_of(auth_file, host, named_by="auth_file", environment=environment)
    for path, named_by in _usual_files(environment):
        if named_by == "REGISTRY_AUTH_FILE" or os.path.exists(path):
            keyring = _keyring_of(path, host, named_by=named_by, environment=environment)
            if keyring.all():
                return keyring
    return Keyring()


def _usual_files(environment: Mapping[str, str]) -> list[tuple[str, str]]:
    files = []
    if environment.get("REGISTRY_AUTH_FILE"):
        files.append((environment["REGISTRY_AUTH_FILE"], "REGISTRY_AUTH_FILE"))
    if environment.get("DOCKER_CONFIG"):
        files.append((os.path.join(environment["DOCKER_CONFIG"], "config.json"), "DOCKER_CONFIG"))
    home = environment.get("HOME") or os.path.expanduser("~")
    files.append((os.path.join(home, ".docker", "config.json"), "docker's configuration"))
    if environment.get("XDG_RUNTIME_DIR"):
        files.append((os.path.join(environment["XDG_RUNTIME_DIR"], "containers", "auth.json"), "XDG_RUNTIME_DIR"))
    return files


def _keyring_of(path: str, host: str, *, named_by: str, environment: Mapping[str, str]) -> Keyring:
    where = f"{named_by}: {path}"
    document = _read(path, where)
    auths = _mapping(document, "auths", where)
    entries: dict[str, Credentials] = {}
    mentioned = False
    for key, entry in auths.items():
        prefix = _prefix_of(key, host)
        if prefix is None:
            continue
        mentioned = mentioned or prefix == ""
        found = _of_entry(entry, f"{where}: the entry of {key[:100]}")
        if found:
            entries.setdefault(prefix, found)
    for key, name in _mapping(document, "credHelpers", where).items():
        prefix = _prefix_of(key, host)
        if prefix is not None:
            answer = _ask_helper(name, key, where=where, environment=environment, needed=True)
            if answer:
                entries[prefix] = answer
            mentioned = False
    store = document.get("credsStore")
    if store and "" not in entries:
        for server in (host, f"https://{host}"):
            answer = _ask_helper(store, server, where=where, environment=environment, needed=mentioned)
            if answer:
                entries[""] = answer
                break
    return Keyring(entries.items())


def _read(path: str, where: str) -> dict[str, Any]:
    try:
        with open(os.path.expanduser(path), "rb") as stream:
            data = stream.read(_LARGEST_FILE + 1)
        document = json.loads(data) if len(data) <= _LARGEST_FILE else None
    except OSError as error:
        raise InvalidInput(f"{where}: cannot be read ({error.strerror or error})") from error
    except (ValueError, RecursionError) as error:
        # the parser's own text could quote a secret
        raise InvalidInput(f"{where}: is not JSON; expected docker's config.json") from error
    if not isinstance(document, dict):
        raise InvalidInput(f"{where}: is not a docker config.json (a JSON object of at most 4 MiB)")
    return document


def _mapping(document: dict[str, Any], key: str, where: str) -> dict[str, Any]:
    value = document.get(key)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise InvalidInput(f"{where}: {key} is not a JSON object")
    return value


def _prefix_of(key: str, host: str) -> str | None:
    """The path that `key` covers on `host` (``""`` for all of it), None if it belongs to another host."""
    text = key if "://" in key else f"//{key}"
    try:
        parts = urlsplit(text)
    except ValueError:
        return None
    default = ":80" if parts.scheme == "http" else ":443"
    if parts.netloc.lower().removesuffix(default) != host.lower().removesuffix(default):
        return None
    path = parts.path.strip("/")
    return "" if path in ("v1", "v2") else path


def _of_entry(entry: object, where: str) -> Credentials | None:
    if not isinstance(entry, dict):
        raise InvalidInput(f"{where} is not a JSON object")
    username, password = entry.get("username"), entry.get("password")
    encoded, identity = entry.get("auth"), entry.get("identitytoken")
    if isinstance(encoded, str) and encoded:
        try:
            pair = base64.b64decode(encoded, validate=True).decode()
        except (binascii.Error, ValueError) as error:
            raise InvalidInput(f"{where} has an auth that is not base64 of username:password") from error
        username, colon, password = pair.rstrip("\0").partition(":")
        if not colon:
            raise InvalidInput(f"{where} has an auth without a colon; expected base64 of username:password")
    if isinstance(identity, str) and identity:
        return Credentials(username if isinstance(username, str) else "", "", identity)
    if isinstance(username, str) and isinstance(password, str) and (username or password):
        return Credentials(username, password)
    return None


def _ask_helper(
    name: object, server: str, *, where: str, environment: Mapping[str, str], needed: bool
) -> Credentials | None:
    """Ask ``docker-credential-<name>``; the server's name goes in by stdin, the secret comes out by stdout only."""
    if not isinstance(name, str) or not _HELPER.fullmatch(name):
        raise InvalidInput(f"{where}: {str(name)[:100]!r} is not the name of a credential helper")
    program = f"docker-credential-{name}"
    try:  # a fixed verb, no shell, the name is checked above; Ansible's run_command is not known to this layer
        run = subprocess.run(  # noqa: S603  pylint: disable=ansible-bad-function
            [program, "get"],
            input=server.encode(),
            capture_output=True,
            timeout=_HELPER_SECONDS,
            env=dict(environment),
            check=False,
        )
    except FileNotFoundError as error:
        if not needed:
            return None
        raise InvalidInput(f"{where}: needs {program}, which is not on the PATH; {_ADVICE}") from error
    except (OSError, subprocess.TimeoutExpired) as error:
        raise InvalidInput(f"{where}: {program} does not work ({type(error).__name__}); {_ADVICE}") from error
    if run.returncode != 0:
        if b"not found" in run.stdout.lower() + run.stderr.lower():
            return None
        raise InvalidInput(f"{where}: {program} ended with code {run.returncode}; {_ADVICE}")
    try:
        answer = json.loads(run.stdout)
        username, secret = answer["Username"], answer["Secret"]
    except (ValueError, KeyError, TypeError) as error:
        raise InvalidInput(f"{where}: {program} gave no credentials that can be read; {_ADVICE}") from error
    if not isinstance(username, str) or not isinstance(secret, str):
        raise InvalidInput(f"{where}: {program} gave no credentials that can be read; {_ADVICE}")
    return Credentials("", "", secret) if username == _IDENTITY_USER else Credentials(username, secret)
