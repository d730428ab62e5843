# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""TLS: whom to trust and who we are, made and proven before the first connection."""

from __future__ import annotations

import os
import ssl

from .._oci.errors import InvalidInput
from .options import RegistryOptions


def build_context(
    options: RegistryOptions, *, with_client_certificate: bool, fallback_authorities: str
) -> ssl.SSLContext:
    """A context for the registry itself, or (without the client certificate) for hosts it sends us to.

    `fallback_authorities` is a PEM file for systems whose OpenSSL has none. Raises InvalidInput naming the option
    whose file cannot be used.
    """
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if not options.validate_certs:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    else:
        paths = ssl.get_default_verify_paths()
        if not paths.cafile and not paths.capath:
            context.load_verify_locations(cafile=fallback_authorities)
    if options.ca_path is not None:
        _trust(context, options.ca_path)
    if with_client_certificate and options.client_cert is not None:
        _identify(context, options.client_cert, options.client_key)
    return context


def _trust(context: ssl.SSLContext, path: str) -> None:
    try:
        if os.path.isdir(path):
            os.listdir(path)
            for name in sorted(os.listdir(path)):
                if name.endswith((".pem", ".crt", ".cer")):
                    context.load_verify_locations(cafile=os.path.join(path, name))
            context.load_verify_locations(capath=path)
        else:
            context.load_verify_locations(cafile=path)
    except ssl.SSLError as error:
        raise InvalidInput(f"ca_path: {path} holds no certificate in PEM form ({error.reason or error})") from error
    except OSError as error:
        raise InvalidInput(f"ca_path: {path} cannot be read ({error.strerror or error})") from error


def _identify(context: ssl.SSLContext, certificate: str, key: str | None) -> None:
    where = f"client_cert: {certificate}" + (f", client_key: {key}" if key else "")
    for path in (certificate, *([key] if key else [])):
        try:
            with open(path, "rb") as stream:
                stream.read(1)
        except OSError as error:
            raise InvalidInput(f"{where}: {path} cannot be read ({error.strerror or error})") from error
    try:
        context.load_cert_chain(certificate, key, password=_no_password)
    except ssl.SSLError as error:
        raise InvalidInput(
            f"{where}: not a certificate with its unencrypted key, both in PEM form ({error.reason or error})"
        ) from error


def _no_password() -> str:
    """OpenSSL would ask on the terminal otherwise."""
    return ""
