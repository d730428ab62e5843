# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Before anything is carried: can this registry take such content? (registry-quirks §19, dkp-cluster.md R1–R6)

Asked by opening uploads and cancelling them. Nothing is written, and nothing that is there changes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from .._dkp.findings import Finding
from .._registry.client import Registry
from .._registry.errors import NotFound, RegistryError
from .._registry.kinds import HARBOR
from .._registry.probing import Probing
from .demand import Demand
from .preflight_advice import advise
from .preflight_answers import Answers
from .preflight_refusals import judge_refusals, refuses_credentials

Result = TypeVar("Result")


def preflight(registry: Registry, demand: Demand, *, probe_tags: bool = False) -> tuple[Finding, ...]:
    """Judge whether `registry` can take what `demand` (see `demand_of`) asks for; one finding for each kind of problem.

    `probe_tags` lets it write to pointers what they point at already, to see whether they may be moved. Without that
    nothing is written at all. Raises RegistryError when no registry can be reached; Stopped.
    """
    asked = _Asking(registry, demand, probe_tags=probe_tags).run()
    address = str(registry.address)
    refusals = judge_refusals(asked, demand, address)
    told = {finding.id for finding in refusals}
    return (*refusals, *(one for one in advise(asked, demand, address, probed=probe_tags) if one.id not in told))


class _Asking:
    """One round of questions."""

    def __init__(self, registry: Registry, demand: Demand, *, probe_tags: bool) -> None:
        self._registry = registry
        self._probing: Probing = registry.probing()
        self._demand = demand
        self._probe_tags = probe_tags

    def run(self) -> Answers:
        answers = Answers(self._probing.greet())
        first, *others = self._demand.paths or ("",)
        answers.anonymous = self._probing.is_anonymous(self._repository(first))
        self._open([first], answers)
        if refuses_credentials(answers):
            return answers  # asking on could lock the account
        self._open(others, answers)
        self._list(answers)
        self._ask_rest(answers)
        answers.token_life = self._probing.token_life
        return answers

    def _open(self, paths: Sequence[str], answers: Answers) -> None:
        for path, result in self._each(lambda path: self._probing.open_upload(self._repository(path)), paths).items():
            if isinstance(result, RegistryError):
                answers.refused[path] = result
            elif not result:
                answers.left.append(path)

    def _list(self, answers: Answers) -> None:
        wanted = [path for path in self._demand.paths if path not in answers.refused]
        for path, result in self._each(lambda path: self._registry.tags(self._repository(path)), wanted).items():
            if isinstance(result, NotFound):
                continue  # it is made by the first push
            if isinstance(result, RegistryError):
                answers.unlisted[path] = result
            else:
                answers.tags[path] = frozenset(result)

    def _ask_rest(self, answers: Answers) -> None:
        able = [path for path in self._demand.paths if path not in answers.refused]
        if able:
            found = self._each(lambda path: self._probing.deletion(self._repository(path)), able[:1])[able[0]]
            answers.deletion = found if isinstance(found, str) else None
        if answers.greeting.kind == HARBOR:
            answers.project = self._probing.harbor_project(self._registry.address.path.partition("/")[0])
        if self._probe_tags:
            self._write_again(answers, able)

    def _write_again(self, answers: Answers, able: Sequence[str]) -> None:
        """One pointer of each repository, to which it is written what it says."""
        chosen = {
            path: tag for path, tag in self._demand.pointers if path in able and tag in answers.tags.get(path, ())
        }

        def write(path: str) -> bool:
            repository = self._repository(path)
            manifest = self._registry.manifest(repository, chosen[path])
            self._probing.put_again(repository, chosen[path], manifest)
            return True

        for path, result in self._each(write, list(chosen)).items():
            if isinstance(result, RegistryError):
                answers.fixed[f"{path}:{chosen[path]}"] = result
            else:
                answers.rewritten += 1

    def _repository(self, path: str) -> str:
        return self._registry.address.child(path)

    def _each(self, ask: Callable[[str], Result], paths: Sequence[str]) -> Mapping[str, Result | RegistryError]:
        """`ask` for every path, many at a time; refusals are answers, too."""

        def answer(path: str) -> Result | RegistryError:
            try:
                return ask(path)
            except RegistryError as error:
                return error

        with ThreadPoolExecutor(self._registry.ceiling, thread_name_prefix="probe") as pool:
            try:
                return dict(zip(paths, pool.map(answer, paths)))
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise
