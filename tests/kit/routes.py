# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later


"""The distribution protocol over a `Store`: what a request means, without sockets (registry-quirks.md §6 to §11)."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import threading
from dataclasses import dataclass, field, replace
from urllib.parse import parse_qs, urlsplit

from .behaviour import ABSOLUTE, FOREIGN, LOOP, MOUNTED, NONE, OPAQUE, OTHER_SCHEME, REFUSED, RELATIVE, Behaviour
from .content import Literal, Recipe, Slice
from .faults import Answer, Request, error_answer
from .store import Store, StoredManifest, StoredRepository

_ROUTES = (
    ("tags", re.compile(r"/v2/(?P<name>.+)/tags/list")),
    ("manifest", re.compile(r"/v2/(?P<name>.+)/manifests/(?P<reference>[^/]+)")),
    ("uploads", re.compile(r"/v2/(?P<name>.+)/blobs/uploads/")),
    ("upload", re.compile(r"/v2/(?P<name>.+)/blobs/uploads/(?P<session>[^/]+)")),
    ("blob", re.compile(r"/v2/(?P<name>.+)/blobs/(?P<digest>[^/]+)")),
)


@dataclass
class _Session:
    name: str
    data: bytearray = field(default_factory=bytearray)
    step: int = 0
    """Counts answers, for `_state`."""
    patches: int = 0


class Routes:
    """Answers requests from `store` as `behaviour` says; `base_url` and `storage_url` are the two hosts' addresses."""

    def __init__(self, store: Store, behaviour: Behaviour, *, base_url: str, storage_url: str) -> None:
        self.store = store
        self.behaviour = behaviour
        self.phantoms: set[str] = set()
        """Digests that HEAD says are there although they are not."""
        self._base_url, self._storage_url = base_url, storage_url
        self._sessions: dict[str, _Session] = {}
        self._opened = 0
        self._lock = threading.RLock()

    def answer(self, request: Request) -> Answer:
        """The answer of a registry to `request`, which has passed authentication."""
        if request.path == "/v2/":
            return Answer(200, {"Content-Type": "application/json"}, Literal(b"{}"))
        for kind, pattern in _ROUTES:
            match = pattern.fullmatch(request.path)
            if match:
                with self._lock:
                    return self._dispatch(kind, request, **match.groupdict())
        return error_answer(404, "NOT_FOUND", "no such page")

    def storage_answer(self, request: Request) -> Answer:
        """The answer of the storage host, which knows content by digest under a signed address."""
        if "authorization" in request.headers:
            text = b"<Error><Code>InvalidArgument</Code><Message>Only one auth mechanism allowed</Message></Error>"
            return Answer(400, {"Content-Type": "application/xml"}, Literal(text))
        if request.path.startswith("/v2/") and self.behaviour.location == FOREIGN:
            return self.answer(request)
        content = self.store.content.get(request.path.rpartition("/")[2])
        if content is None or "signature=" not in request.target:
            text = b"<Error><Code>AccessDenied</Code><Message>Request has expired</Message></Error>"
            return Answer(403, {"Content-Type": "application/xml"}, Literal(text))
        return self._ranged(request, content, {"Content-Type": "application/octet-stream"})

    def lose_sessions(self) -> None:
        """Forget every upload that is under way."""
        with self._lock:
            self._sessions.clear()

    def _dispatch(self, kind: str, request: Request, **parts: str) -> Answer:
        reading = request.method in ("GET", "HEAD")
        if kind == "tags" and request.method == "GET":
            return self._tags(request, parts["name"])
        if kind == "manifest" and reading:
            return self._manifest(parts["name"], parts["reference"])
        if kind == "manifest" and request.method == "PUT":
            return self._put_manifest(request, parts["name"], parts["reference"])
        if kind == "blob" and reading:
            return self._blob(request, parts["name"], parts["digest"])
        if kind == "uploads" and request.method == "POST":
            return self._open(request, parts["name"])
        if kind == "upload":
            return self._continue(request, parts["session"])
        return error_answer(405, "UNSUPPORTED", "the operation is unsupported")

    # Reading

    def _tags(self, request: Request, name: str) -> Answer:
        repository, behaviour = self.store.repositories.get(name), self.behaviour
        if repository is None or (not repository.tags and behaviour.empty_tags == "unknown"):
            return error_answer(404, "NAME_UNKNOWN", "repository name not known to registry", detail={"name": name})
        query = parse_qs(urlsplit(request.target).query)
        tags = sorted(repository.tags)
        last = query.get("last", [""])[0] or _decoded(query.get("next_page", [""])[0])
        size = min(int(query.get("n", ["0"])[0]) or len(tags), behaviour.page_size or len(tags))
        rest = [tag for tag in tags if tag > last]
        page, more = rest[:size], len(rest) > size
        document: dict[str, object] = {"name": name, "tags": page}
        if not tags and behaviour.empty_tags != "list":
            document = {"name": name, **({"tags": None} if behaviour.empty_tags == "null" else {})}
        headers = {"Content-Type": "application/json"}
        if more and behaviour.next_page != NONE:
            headers["Link"] = f'<{self._next_page(name, size, page[-1])}>; rel="next"'
        return Answer(200, headers, Literal(json.dumps(document).encode()))

    def _next_page(self, name: str, size: int, last: str) -> str:
        path = f"/v2/{name}/tags/list?n={size}&last={last}"
        host = self._base_url.partition("://")[2]
        return {
            RELATIVE: path,
            ABSOLUTE: self._base_url + path,
            FOREIGN: self._storage_url + path,
            OTHER_SCHEME: f"https://{host}{path}",
            LOOP: f"/v2/{name}/tags/list?n={size}",
            OPAQUE: f"/v2/{name}/tags/list?next_page={base64.urlsafe_b64encode(last.encode()).decode()}",
        }[self.behaviour.next_page]

    def _manifest(self, name: str, reference: str) -> Answer:
        repository = self.store.repositories.get(name)
        if repository is None:
            return error_answer(404, "NAME_UNKNOWN", "repository name not known to registry", detail={"name": name})
        found = repository.find(reference)
        if found is None:
            return error_answer(404, "MANIFEST_UNKNOWN", "manifest unknown", detail={"reference": reference})
        digest, manifest = found
        return Answer(200, {"Content-Type": manifest.media_type, **self._digest_header(digest)}, Literal(manifest.raw))

    def _blob(self, request: Request, name: str, digest: str) -> Answer:
        repository = self.store.repositories.get(name)
        headers = {"Content-Type": "application/octet-stream", **self._digest_header(digest)}
        if request.method == "HEAD" and digest in self.phantoms:
            return Answer(200, headers)
        if repository is None or digest not in repository.blobs:
            return error_answer(404, "BLOB_UNKNOWN", "blob unknown to registry", detail={"digest": digest})
        if self.behaviour.redirects_blobs:
            location = f"{self._storage_url}/storage/{digest}?signature=valid-for-minutes"
            return Answer(self.behaviour.redirect_status, {"Location": location})
        return self._ranged(request, self.store.content[digest], headers)

    def _ranged(self, request: Request, content: Recipe, headers: dict[str, str]) -> Answer:
        asked = re.fullmatch(r"bytes=(\d+)-(\d*)", request.headers.get("range", ""))
        if not asked or not self.behaviour.ranges or request.method == "HEAD":
            return Answer(200, headers, content)
        first, last = int(asked[1]), min(int(asked[2] or content.size - 1), content.size - 1)
        if first > last:
            return Answer(416, {**headers, "Content-Range": f"bytes */{content.size}"})
        span = {"Content-Range": f"bytes {first}-{last}/{content.size}"}
        return Answer(206, {**headers, **span}, Slice(content, first, last + 1))

    def _digest_header(self, digest: str) -> dict[str, str]:
        return {"Docker-Content-Digest": digest} if self.behaviour.digest_header else {}

    # Writing

    def _put_manifest(self, request: Request, name: str, reference: str) -> Answer:
        behaviour = self.behaviour
        manifest = StoredManifest(request.body, request.headers.get("content-type", ""))
        repository = self.store.repository(name)
        if (
            behaviour.immutable_tags
            and reference in repository.tags
            and re.fullmatch(behaviour.immutable_tags, reference)
        ):
            return error_answer(409, "DENIED", f"tag {reference} is immutable")
        try:
            document = json.loads(manifest.raw)
            missing = self.store.missing_of(name, manifest)
        except (ValueError, KeyError, TypeError):
            return error_answer(400, "MANIFEST_INVALID", "manifest invalid")
        types = {manifest.media_type, document.get("config", {}).get("mediaType")}
        if types & behaviour.refused_types:
            return error_answer(400, "MANIFEST_INVALID", "media type not allowed")
        if missing and behaviour.checks_manifests:
            return self._blobs_unknown(missing)
        digest = _sha256(manifest.raw)
        if ":" in reference and reference != digest:
            return error_answer(400, "DIGEST_INVALID", "provided digest did not match uploaded content")
        self.store.put_manifest(name, manifest, [] if ":" in reference else [reference])
        return Answer(201, {"Location": f"/v2/{name}/manifests/{digest}", **self._digest_header(digest)})

    def _blobs_unknown(self, missing: list[str]) -> Answer:
        self.phantoms.difference_update(missing)
        errors = [{"code": "MANIFEST_BLOB_UNKNOWN", "message": "blob unknown to registry", "detail": {"digest": digest}}
                  for digest in missing]  # fmt: skip
        body = json.dumps({"errors": errors}).encode()
        return Answer(404, {"Content-Type": "application/json"}, Literal(body))

    def _open(self, request: Request, name: str) -> Answer:
        query = parse_qs(urlsplit(request.target).query)
        mounted, source = query.get("mount", [""])[0], query.get("from", [""])[0]
        if mounted and self.behaviour.mounts == REFUSED:
            return error_answer(403, "DENIED", "mounting is not allowed")
        if mounted and self.behaviour.mounts == MOUNTED and mounted in self._blobs_of(source):
            self.store.repository(name).blobs.add(mounted)
            return Answer(201, {"Location": f"/v2/{name}/blobs/{mounted}", **self._digest_header(mounted)})
        if self.behaviour.post_with_digest and "digest" in query and not mounted:
            return self._stored(name, request.body, query["digest"][0])
        self._opened += 1
        session = f"session-{self._opened}"
        self._sessions[session] = _Session(name)
        return self._session_answer(session, 202)

    def _blobs_of(self, name: str) -> set[str]:
        return self.store.repositories.get(name, StoredRepository()).blobs

    def _continue(self, request: Request, identifier: str) -> Answer:
        session = self._sessions.get(identifier)
        if session is None:
            return error_answer(404, "BLOB_UPLOAD_UNKNOWN", "blob upload unknown to registry")
        query = parse_qs(urlsplit(request.target).query)
        if self.behaviour.upload_state and query.get("_state") != [str(session.step)]:
            del self._sessions[identifier]
            return error_answer(400, "BLOB_UPLOAD_INVALID", "blob upload invalid")
        if request.method == "GET":
            return (
                self._session_answer(identifier, 204)
                if self.behaviour.upload_status
                else error_answer(404, "NOT_FOUND")
            )
        if request.method == "DELETE":
            del self._sessions[identifier]
            return Answer(204)
        if request.method == "PATCH":
            return self._patch(request, identifier, session)
        if request.method != "PUT":
            return error_answer(405, "UNSUPPORTED")
        if request.body and not self.behaviour.monolithic_put:
            return error_answer(404, "NOT_FOUND", "uploads with PUT are not supported")
        del self._sessions[identifier]
        return self._stored(session.name, bytes(session.data) + request.body, query.get("digest", [""])[0])

    def _patch(self, request: Request, identifier: str, session: _Session) -> Answer:
        stated = re.fullmatch(r"(\d+)-(\d+)", request.headers.get("content-range", ""))
        wrong_place = stated is not None and int(stated[1]) != len(session.data)
        if wrong_place or (session.patches and not self.behaviour.chunked_patch):
            return replace(self._session_answer(identifier, 416), body=Literal(b""))
        session.data += request.body
        session.patches += 1
        return self._session_answer(identifier, self.behaviour.patch_status)

    def _session_answer(self, identifier: str, status: int) -> Answer:
        session, behaviour = self._sessions[identifier], self.behaviour
        session.step += 1
        path = f"/v2/{session.name}/blobs/uploads/{identifier}"
        path += f"?_state={session.step}" if behaviour.upload_state else ""
        host = self._base_url.partition("://")[2]
        other = "http" if self._base_url.startswith("https") else "https"
        locations = {RELATIVE: path, ABSOLUTE: self._base_url + path, FOREIGN: self._storage_url + path}
        headers = {
            "Location": locations.get(behaviour.location, f"{other}://{host}{path}"),
            "Docker-Upload-UUID": identifier,
            "Range": f"0-{max(0, len(session.data) - 1)}",
        }
        if behaviour.chunk_minimum:
            headers["OCI-Chunk-Min-Length"] = str(behaviour.chunk_minimum)
        return Answer(status, headers)

    def _stored(self, name: str, data: bytes, digest: str) -> Answer:
        if _sha256(data) != digest:
            return error_answer(400, "DIGEST_INVALID", "provided digest did not match uploaded content")
        self.store.put_blob(name, data)
        self.phantoms.discard(digest)
        location = {"Location": f"/v2/{name}/blobs/{digest}"}
        return Answer(self.behaviour.put_status, {**location, **self._digest_header(digest)})


def _sha256(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def _decoded(text: str) -> str:
    return base64.urlsafe_b64decode(text).decode() if text else ""
