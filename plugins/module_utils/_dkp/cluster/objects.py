# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Kubernetes objects as the API returns them, and how values are taken out of them (the one place with jmespath).

What an expression finds nothing for is None: whether a field is missing, null, or lies below something that cannot
hold it. What it finds has to be of the right type.
"""

from __future__ import annotations

import base64
import functools
import json
import sys
import traceback
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ..._oci.errors import AirgapError, InvalidContent, InvalidInput
from ..documents import kind_of, load_json, load_yaml_texts
from ..fields import Reader, text

try:
    import jmespath

    JMESPATH_IMPORT_ERROR = None
except ImportError:
    JMESPATH_IMPORT_ERROR = traceback.format_exc()

KINDS = (
    "ClusterAlert",
    "ConfigMap",
    "DeckhouseRelease",
    "Deployment",
    "IngressNginxController",
    "Module",
    "ModuleConfig",
    "ModulePullOverride",
    "ModuleRelease",
    "ModuleSource",
    "ModuleUpdatePolicy",
    "Node",
    "NodeGroup",
    "Secret",
    "ValidatingWebhookConfiguration",
)
"""The kinds that facts are made of (dkp-cluster.md §3). Of NodeGroups nothing is needed yet: nodes name theirs."""
_SECTIONS = ("metadata", "spec", "status", "properties", "data")


@dataclass(frozen=True)
class Readable:
    """Data with a name for error texts."""

    label: str
    content: Any

    def read(self, expression: str, reader: Reader) -> Any:
        """What the jmespath `expression` finds, as `reader` reads it; None for nothing.

        Raises InvalidContent with the label and the expression for a value that `reader` refuses.
        """
        found = _compiled(expression).search(self.content)
        if found is None:
            return None
        try:
            return reader(found, f"{self.label}: {expression}")
        except InvalidInput as error:
            raise InvalidContent(str(error)) from error


@dataclass(frozen=True)
class KubernetesObject(Readable):
    """One object; `namespace` is empty for those that have none."""

    namespace: str
    name: str


@dataclass(frozen=True)
class Observed:
    """What was read of a cluster, by kind and then by namespace and name; a kind that was not read is not there."""

    kinds: Mapping[str, Mapping[tuple[str, str], KubernetesObject]]

    def has(self, kind: str) -> bool:
        """Whether objects of `kind` were read, be there any or none."""
        return kind in self.kinds

    def all(self, kind: str) -> tuple[KubernetesObject, ...]:
        """The objects of `kind`, ordered by name."""
        return tuple(self.kinds.get(kind, {}).values())

    def by_name(self, kind: str) -> dict[str, KubernetesObject]:
        """The objects of `kind`, which has no namespaces, by name."""
        return {each.name: each for each in self.all(kind)}

    def get(self, kind: str, name: str, *, namespace: str = "") -> KubernetesObject | None:
        """One object, if it was read."""
        return self.kinds.get(kind, {}).get((namespace, name))


def observe(objects: object, kinds: Iterable[str] = KINDS) -> Observed:
    """Sort `objects`: kind -> list of objects, or what the API returns for a list (a mapping with `items`).

    A kind that is null was not read; any but `kinds` are left aside. Raises InvalidContent that names the object for
    one without a name, of another kind, or that is there twice; AirgapError when jmespath is missing.
    """
    if JMESPATH_IMPORT_ERROR is not None:
        raise AirgapError(
            "Reading Kubernetes objects needs the Python package jmespath, which is not installed for "
            f"{sys.executable}; install it there"
        )
    if not isinstance(objects, Mapping):
        raise InvalidInput(f"objects: expected a mapping from kinds to lists of objects, found {kind_of(objects)}")
    for key in objects:
        _check_spelling(str(key))
    return Observed({kind: _of_kind(kind, objects[kind]) for kind in kinds if objects.get(kind) is not None})


def secret_value(secret: KubernetesObject | None, key: str, reader: Reader) -> Any:
    """The value under `key` of a Secret, decoded, as `reader` reads it; None for none or a blank one.

    What is refused is not repeated in the error, nor kept as its cause.
    """
    if secret is None:
        return None
    expression = f"data.{json.dumps(key)}"
    encoded = secret.read(expression, text)
    if encoded is None:
        return None
    try:
        decoded = base64.b64decode(encoded, validate=True).decode("utf-8").strip()
    except ValueError:
        raise InvalidContent(f"{secret.label}: {expression}: not base64 of a UTF-8 text") from None
    return Readable(f"{secret.label}: data", {key: decoded or None}).read(json.dumps(key), reader)


def secret_document(secret: KubernetesObject | None, key: str) -> Readable | None:
    """The YAML or JSON document under `key` of a Secret, with every scalar as text; None for none."""
    content = secret_value(secret, key, text)
    if secret is None or content is None:
        return None
    label = f"{secret.label}: data.{json.dumps(key)}"
    try:
        return Readable(label, load_yaml_texts(content.encode("utf-8"), where=label))
    except InvalidContent:
        # without a cause: parsers quote what they stumble over
        raise InvalidContent(f"{label}: not a YAML document (its text may be secret and is not shown)") from None


def config_json(config_map: KubernetesObject | None, key: str) -> Readable | None:
    """The JSON document under `key` of a ConfigMap; None for none."""
    return _config_document(config_map, key, load_json)


def config_yaml(config_map: KubernetesObject | None, key: str) -> Readable | None:
    """The YAML document under `key` of a ConfigMap, with every scalar as text; None for none."""
    return _config_document(config_map, key, load_yaml_texts)


def _config_document(config_map: KubernetesObject | None, key: str, load: Any) -> Readable | None:
    if config_map is None:
        return None
    expression = f"data.{json.dumps(key)}"
    content = config_map.read(expression, text)
    if not content:
        return None
    label = f"{config_map.label}: {expression}"
    return Readable(label, load(content.encode("utf-8", "surrogatepass"), where=label))


@functools.cache
def _compiled(expression: str) -> Any:
    return jmespath.compile(expression)


def _check_spelling(key: str) -> None:
    """A kind that is nearly one of ours would look as if it had not been read."""
    for kind in KINDS:
        if key != kind and key.lower().rstrip("s") == kind.lower().rstrip("s"):
            raise InvalidInput(f"objects.{key}: not a kind; write {kind}")


def _of_kind(kind: str, given: object) -> dict[tuple[str, str], KubernetesObject]:
    listed = given.get("items") if isinstance(given, Mapping) else given
    if not isinstance(listed, (list, tuple)):
        raise InvalidContent(f"{kind}: expected a list of objects, found {kind_of(given)}")
    found: dict[tuple[str, str], KubernetesObject] = {}
    for each in _objects(kind, listed):
        key = (each.namespace, each.name)
        if key in found:
            raise InvalidContent(f"{each.label}: is there twice; each object may be given once")
        found[key] = each
    return dict(sorted(found.items()))


def _objects(kind: str, listed: Iterable[object]) -> Iterable[KubernetesObject]:
    for position, content in enumerate(listed):
        whole = Readable(f"{kind}[{position}]", content)
        if not isinstance(content, Mapping):
            raise InvalidContent(f"{whole.label}: expected an object, found {kind_of(content)}")
        name, namespace = whole.read("metadata.name", text), whole.read("metadata.namespace", text) or ""
        if not name:
            raise InvalidContent(f"{whole.label}: metadata.name: is missing")
        label = f"{kind} {namespace}/{name}" if namespace else f"{kind} {name}"
        stated = whole.read("kind", text)
        if stated not in (None, kind):
            raise InvalidContent(f"{label}: kind: is {stated[:100]!r}, and stands in the list of {kind}")
        for section in _SECTIONS:
            if not isinstance(content.get(section, {}), (Mapping, type(None))):
                raise InvalidContent(f"{label}: {section}: expected an object, found {kind_of(content[section])}")
        yield KubernetesObject(label, content, namespace, name)
