# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The layer rule: who may import whom, read from the import statements (also those inside functions)."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

PLUGINS = Path(__file__).resolve().parents[2] / "plugins"
UTILS = PLUGINS / "module_utils"
UTIL_FILES = sorted(UTILS.rglob("*.py"))
# Plugins that run on the controller, and what they share.
CONTROLLER_FILES = sorted(
    path for folder in ("action", "filter", "plugin_utils") for path in (PLUGINS / folder).glob("*.py")
)
COLLECTION = "ansible_collections.dkp.airgap.plugins"

# layer: the layers it may know besides itself
LAYERS = {
    "_oci": set(),
    "_dkp": {"_oci"},
    "_bundle": {"_oci"},
    "_registry": {"_oci"},
    "_mirror": {"_oci", "_dkp", "_bundle", "_registry"},
    "_module.py": {"_oci", "_dkp", "_bundle", "_registry", "_mirror"},
}
NETWORK = {"http", "socket", "socketserver", "ssl", "urllib.request", "urllib3", "requests", "asyncio"}
FILES = {"glob", "os", "pathlib", "shutil", "subprocess", "tempfile", "fcntl", "mmap"}
# layer: what of Python it does without
UNKNOWN = {
    "_oci": NETWORK | FILES,
    "_dkp": NETWORK | FILES,
    "_bundle": NETWORK | {"subprocess"},
    "_registry": {"tarfile"},
    "_mirror": NETWORK | {"subprocess"},
    "_module.py": NETWORK | {"subprocess"},
}
# module: the only files that may import it
OWNERS = {
    "requests": {"_registry/transport.py"},
    "urllib3": {"_registry/transport.py"},
    "ansible": {"_module.py"},
    "jmespath": {"_dkp/cluster/objects.py"},
    "subprocess": {"_registry/docker_config.py"},
}


def imports(path: Path) -> Iterator[str]:
    """Every imported module of a file, by its absolute name."""
    package = [*COLLECTION.split("."), *path.relative_to(PLUGINS).parent.parts]
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            # `from .x import y` may name a module or something inside one: both forms count.
            yield module
            yield from (f"{module}.{alias.name}" for alias in node.names)


def layer_of(path: Path) -> str:
    return path.relative_to(UTILS).parts[0]


def layers_imported(path: Path) -> set[str]:
    prefix = f"{COLLECTION}.module_utils."
    names = {name[len(prefix) :].split(".")[0] for name in imports(path) if name.startswith(prefix)}
    return {f"{name}.py" if name == "_module" else name for name in names}


def is_within(name: str, module: str) -> bool:
    return name == module or name.startswith(f"{module}.")


def label(path: Path) -> str:
    return str(path.relative_to(PLUGINS))


@pytest.mark.parametrize("path", UTIL_FILES, ids=label)
def test_a_layer_imports_only_what_it_may_know(path: Path) -> None:
    layer = layer_of(path)
    assert layer in LAYERS, f"{label(path)} lies in no layer of the design"
    too_far = layers_imported(path) - LAYERS[layer] - {layer}
    assert not too_far, f"{label(path)} imports {', '.join(sorted(too_far))}"


@pytest.mark.parametrize("path", UTIL_FILES, ids=label)
def test_a_layer_does_without_what_it_must_not_do(path: Path) -> None:
    relative = str(path.relative_to(UTILS))
    owned = {module for module, owners in OWNERS.items() if relative in owners}
    forbidden = (UNKNOWN[layer_of(path)] | set(OWNERS)) - owned
    used = sorted({module for module in forbidden for name in imports(path) if is_within(name, module)})
    if layer_of(path) == "_registry":
        # It talks HTTP, but only one of its files knows through which library.
        used = [module for module in used if module not in NETWORK - set(OWNERS)]
    assert not used, f"{label(path)} imports {', '.join(used)}"


def test_yaml_is_parsed_in_one_place_of_the_domain() -> None:
    users = [path for path in UTIL_FILES if any(is_within(name, "yaml") for name in imports(path))]
    domain = [label(path) for path in users if layer_of(path) == "_dkp"]
    elsewhere = [label(path) for path in users if layer_of(path) not in ("_dkp", "_module.py")]
    assert len(domain) <= 1, f"yaml is imported by {', '.join(domain)}"
    assert not elsewhere, f"yaml is imported by {', '.join(elsewhere)}"


def test_no_file_imports_itself_in_a_circle() -> None:
    names = {f"{COLLECTION}." + ".".join(path.relative_to(PLUGINS).with_suffix("").parts): path for path in UTIL_FILES}
    graph = {name: {other for other in imports(path) if other in names} for name, path in names.items()}
    TopologicalSorter(graph).prepare()


@pytest.mark.parametrize("path", CONTROLLER_FILES, ids=label)
def test_plugins_of_the_controller_know_the_domain_alone(path: Path) -> None:
    # What needs HTTP or bundles is a module, which runs where the registry or the bundle is.
    too_far = layers_imported(path) - {"_oci", "_dkp"}
    assert not too_far, f"{label(path)} imports {', '.join(sorted(too_far))}"
    third_party = {name.split(".")[0] for name in imports(path)} & {"requests", "urllib3", "jmespath", "yaml"}
    if path.parent.name == "plugin_utils":
        third_party -= {"yaml"}  # documents are written there, and read in _dkp
    assert not third_party, f"{label(path)} imports {', '.join(sorted(third_party))}; module_utils do that"


@pytest.mark.parametrize("path", CONTROLLER_FILES, ids=label)
def test_only_plugin_utils_of_the_controller_write_files(path: Path) -> None:
    folder = path.parent.name
    forbidden = NETWORK | ({"subprocess"} if folder == "plugin_utils" else FILES)
    used = sorted({module for module in forbidden for name in imports(path) if is_within(name, module)})
    assert not used, f"{label(path)} imports {', '.join(used)}"


@pytest.mark.parametrize("path", sorted((PLUGINS / "modules").glob("*.py")), ids=label)
def test_modules_stay_thin(path: Path) -> None:
    prefix = f"{COLLECTION}."
    own = {name[len(prefix) :].split(".")[0] for name in imports(path) if name.startswith(prefix)}
    assert own <= {"module_utils"}, f"{label(path)} imports other plugins: {', '.join(sorted(own))}"
    third_party = {name.split(".")[0] for name in imports(path)} & {"requests", "urllib3", "yaml"}
    assert not third_party, f"{label(path)} imports {', '.join(third_party)}; module_utils do that"


def test_packages_have_no_init_files() -> None:
    # With one, importing a leaf would ship the whole package to the host.
    assert not [label(path) for path in PLUGINS.rglob("__init__.py")]
