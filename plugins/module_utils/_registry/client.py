# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One registry: the face of this layer. All methods may be called from many threads."""

from __future__ import annotations

import os
from dataclasses import replace
from urllib.parse import urlencode

from .._oci import manifest as manifests
from .._oci.digest import digest_of, is_digest
from .._oci.errors import AirgapError
from .._oci.manifest import LARGEST_MANIFEST, MANIFEST_TYPES, Manifest
from .._oci.reference import RepositoryAddress
from . import transport as transports
from .authorization import Scope, Scopes
from .bandwidth import Bandwidth
from .counters import Counters
from .credentials import Keyring
from .docker_config import read_keyring
from .download import BlobReader
from .errors import AccessDenied, BlobUnknown, DigestMismatch, NotFound, RegistryError, StorageRefused, Unavailable
from .exchange import OK, Answer, Call, Exchange
from .locations import BadLocation, Target, origin_of, upload_location
from .options import RegistryOptions, check_options
from .parallel import CEILING, Permits
from .patience import Patience
from .probing import Probing
from .problems import LARGEST_ERROR_BODY, read_problem
from .proxies import read_proxies
from .redaction import Secrets
from .stopping import Stopping
from .tags import list_tags
from .upload import Habits, Upload
from .upload_body import Body

_ACCEPT = ", ".join(MANIFEST_TYPES)
_STORED = frozenset({200, 201, 202, 204})
_HEAD_ANSWERS = frozenset({200, 400, 403, 404, 405, 406, 415, 501})
_MOUNT_ANSWERS = frozenset({200, 201, 202, 400, 403, 404, 405, 409, 415, 416, 422, 500, 501, 502})
_MOUNT_REFUSALS = 3
"""In a row, after which this host is not asked for mounts again."""
_MOST_SPARE_SESSIONS = 256


class Registry:
    """A registry reached with one set of options."""

    def __init__(self, options: RegistryOptions, *, stopping: Stopping | None = None) -> None:
        """Read proxies and credentials from the environment; open no connection.

        Raises InvalidInput for options, certificates and files that cannot be used, AirgapError without requests.
        """
        if transports.REQUESTS_IMPORT_ERROR is not None:
            raise AirgapError("The Python library requests is missing; install it for the Python that runs this task")
        check_options(options)
        environment = dict(os.environ)
        self.secrets = Secrets()
        keyring = _keyring(options, environment)
        for credentials in keyring.all():
            self.secrets.add(credentials.password or credentials.identity_token, username=credentials.username)
        proxies = read_proxies(environment)
        for secret in proxies.passwords():
            self.secrets.add(secret)
        own = origin_of(options.scheme, options.address.host)
        self.address: RepositoryAddress = options.address
        self.counters = Counters()
        self._own = own
        self._stopping = stopping or Stopping()
        self._permits = Permits(options.connections or CEILING, self._stopping)
        self._bandwidth = Bandwidth(options.bandwidth_limit, self._stopping)
        self._patience = Patience(options.read_only_wait, self._stopping)
        self._habits = Habits()
        self._transport = transports.Transport(
            options, own, proxies=proxies, most=self._permits.ceiling, stopping=self._stopping
        )
        self._exchange = Exchange(
            self._transport,
            keyring,
            permits=self._permits,
            secrets=self.secrets,
            counters=self.counters,
            stopping=self._stopping,
        )
        self._head_is_refused = False
        self._mounts_refused = 0
        self._spare_sessions: dict[tuple[str, str], Target] = {}
        self._probing = Probing(self._exchange, keyring)

    @property
    def parallel(self) -> int:
        """How many requests may run in parallel right now; it changes with the line and the server's health."""
        return self._permits.limit

    @property
    def ceiling(self) -> int:
        """The most that `parallel` can become."""
        return self._permits.ceiling

    def probing(self) -> Probing:
        """Questions about the registry itself."""
        return self._probing

    def close(self) -> None:
        """End all idle connections."""
        self._transport.close()

    def manifest(self, repository: str, reference: str) -> Manifest:
        """The manifest of a tag or digest, as served. One asked for by digest has it, or DigestMismatch is raised.

        Raises NotFound, AccessDenied, RegistryError, and InvalidContent for what is no manifest.
        """
        where = f"{self.address.host}/{_reference(repository, reference)}"
        call = self._manifest_call("GET", repository, reference)
        answer = self._exchange.fetch(call, limit=LARGEST_MANIFEST)
        raw = answer.content(LARGEST_MANIFEST)
        if is_digest(reference) and digest_of(raw) != reference:
            # a cache on the way may hold something else under this name
            again = replace(call, headers={**call.headers, "Cache-Control": "no-cache"})
            answer = self._exchange.fetch(again, limit=LARGEST_MANIFEST)
            raw = answer.content(LARGEST_MANIFEST)
            if digest_of(raw) != reference:
                raise DigestMismatch(
                    call.purpose,
                    method="GET",
                    url=call.target.shown,
                    status=answer.status,
                    text=f"received {len(raw)} bytes that are {digest_of(raw)}",
                )
        self.counters.count(received=len(raw))
        return manifests.parse(raw, content_type=answer.headers.get("Content-Type") or "", where=where)

    def manifest_digest(self, repository: str, tag: str) -> str | None:
        """The digest that `tag` points to, None where there is none. Raises AccessDenied, RegistryError."""
        if not self._head_is_refused:
            call = self._manifest_call("HEAD", repository, tag, answers=_HEAD_ANSWERS)
            try:
                answer = self._exchange.fetch(call, limit=0)
            except (AccessDenied, Unavailable):
                answer = None  # GET gives the reason in words, if it is refused as well
            if answer is not None and answer.status == 404:
                return None
            digest = answer.headers.get("Docker-Content-Digest") if answer is not None else None
            if answer is not None and answer.status == 200 and digest and is_digest(digest):
                return str(digest)
        try:
            found = self.manifest(repository, tag).digest
        except NotFound:
            return None
        self._head_is_refused = True
        return found

    def put_manifest(self, repository: str, reference: str, manifest: Manifest) -> None:
        """Store `manifest` under a tag or its digest, byte for byte.

        Raises BlobUnknown with the digests that the registry misses, ReadOnly, AccessDenied, RegistryError.
        """
        self._patience.write(lambda: self._put_manifest(repository, reference, manifest))
        self.counters.count(sent=len(manifest.raw))

    def _put_manifest(self, repository: str, reference: str, manifest: Manifest) -> None:
        call = Call(
            f"write the manifest {_reference(repository, reference)}",
            "PUT",
            Target(self._own, f"/v2/{repository}/manifests/{reference}"),
            scopes=(Scope(repository, "pull,push"),),
            answers=_STORED,
            headers={"Content-Type": manifest.media_type, "Content-Length": str(len(manifest.raw))},
            body=manifest.raw,
        )
        try:
            answer = self._exchange.fetch(call, limit=LARGEST_ERROR_BODY)
        except RegistryError as error:
            refused = error.status in (400, 409, 412) and not isinstance(error, (BlobUnknown, DigestMismatch))
            if refused and self._holds(repository, reference, manifest.digest):
                return  # an immutable tag that has this very image
            raise
        stored = answer.headers.get("Docker-Content-Digest")
        if stored and stored != manifest.digest:
            raise DigestMismatch(
                call.purpose,
                method="PUT",
                url=call.target.shown,
                status=answer.status,
                text=f"the registry stored {stored[:100]} instead of {manifest.digest}",
                hint="This registry rewrites manifests; DKP finds images by digest, so it cannot serve them",
            )

    def _holds(self, repository: str, reference: str, digest: str) -> bool:
        try:
            return self.manifest_digest(repository, reference) == digest
        except RegistryError:
            return False  # the refusal itself is the error to report

    def tags(self, repository: str) -> list[str]:
        """All tags of `repository`, in the registry's order. Raises NotFound, AccessDenied, RegistryError."""
        return list_tags(self._exchange, repository)

    def open_blob(self, repository: str, digest: str, size: int) -> BlobReader:
        """Open a blob whose size is known from a manifest; see BlobReader. Raises NotFound, RegistryError."""
        call = Call(
            f"read {digest} of {repository}",
            "GET",
            Target(self._own, f"/v2/{repository}/blobs/{digest}"),
            scopes=(Scope(repository, "pull"),),
        )
        return BlobReader(self._exchange, call, digest, size, bandwidth=self._bandwidth)

    def blob_exists(self, repository: str, digest: str) -> bool:
        """Whether `repository` has the blob, as far as the registry knows. Raises AccessDenied, RegistryError."""
        call = Call(
            f"look for {digest} in {repository}",
            "HEAD",
            Target(self._own, f"/v2/{repository}/blobs/{digest}"),
            scopes=(Scope(repository, "pull"),),
            answers=frozenset({200, 204, 206, 400, 404, 405, 406, 501}),
        )
        try:
            return self._exchange.fetch(call, limit=0).status in (200, 204, 206)
        except StorageRefused:
            return False  # the registry has heard of it, its storage has not

    def mount_blob(self, repository: str, digest: str, *, source: str) -> bool:
        """Let `repository` have a blob that `source` has, without sending it; whether that worked.

        A registry that opens an upload session instead gets the blob in that session, if it is uploaded next.
        """
        if self._mounts_refused >= _MOUNT_REFUSALS:
            return False
        query = urlencode({"mount": digest, "from": source})
        scopes: Scopes = (Scope(repository, "pull,push"), Scope(source, "pull"))
        call = Call(
            f"mount {digest} of {source} in {repository}",
            "POST",
            Target(self._own, f"/v2/{repository}/blobs/uploads/?{query}"),
            scopes=scopes,
            answers=_MOUNT_ANSWERS,
            headers={"Content-Length": "0"},
        )
        try:
            answer = self._exchange.fetch(call, limit=LARGEST_ERROR_BODY)
        except AccessDenied:
            self._mounts_refused += 1
            return False
        if answer.status in (200, 201):
            self._mounts_refused = 0
            return True
        if answer.status == 202:
            self._keep_session(repository, digest, answer)
        if not read_problem(answer.status, answer.body, secrets=self.secrets).is_read_only:
            self._mounts_refused += 1
        return False

    def _keep_session(self, repository: str, digest: str, answer: Answer) -> None:
        location = answer.headers.get("Location")
        if location and len(self._spare_sessions) < _MOST_SPARE_SESSIONS:
            try:
                target = upload_location(answer.target, location)
            except BadLocation:
                return  # the upload opens a session of its own
            self._spare_sessions[repository, digest] = target

    def upload_blob(self, repository: str, digest: str, body: Body) -> None:
        """Upload a blob that `repository` is not known to have. Raises ReadOnly, AccessDenied, RegistryError."""
        spare = self._spare_sessions.pop((repository, digest), None)
        sessions = [spare] if spare is not None else []

        def attempt() -> None:
            upload = Upload(
                self._exchange,
                repository,
                digest,
                body,
                habits=self._habits,
                bandwidth=self._bandwidth,
                is_there=lambda: self.blob_exists(repository, digest),
            )
            upload.run(sessions.pop() if sessions else None)

        self._patience.write(attempt)
        self.counters.count(blobs_sent=1)

    def _manifest_call(self, method: str, repository: str, reference: str, *, answers: frozenset[int] = OK) -> Call:
        return Call(
            f"read the manifest {_reference(repository, reference)}",
            method,
            Target(self._own, f"/v2/{repository}/manifests/{reference}"),
            scopes=(Scope(repository, "pull"),),
            headers={"Accept": _ACCEPT},
            first=True,
            answers=answers,
        )


def _reference(repository: str, reference: str) -> str:
    return f"{repository}{'@' if ':' in reference else ':'}{reference}"


def _keyring(options: RegistryOptions, environment: dict[str, str]) -> Keyring:
    if options.credentials is not None:
        return Keyring([("", options.credentials)])
    return read_keyring(options.address.host, auth_file=options.auth_file, environment=environment)
