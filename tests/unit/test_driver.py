# Copyright (c) 2026, dkp.airgap contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The counts that CI believes: a step that failed, or that a CI machine could not run, must never look well."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.dkp.airgap.tests.driver import layers, machine, steps
from ansible_collections.dkp.airgap.tests.driver.steps import Failed, Step, Tally, Unavailable


def raising(error: Exception) -> Step:
    def run() -> Tally:
        raise error

    return Step("layer", "step", run)


# step; last line on a developer's machine; last line with CI=true
STEPS = [
    (Step("layer", "step", lambda: None), "1 passed, 0 failed, 0 skipped", "1 passed, 0 failed, 0 skipped"),
    (Step("layer", "step", lambda: Tally(5, 2)), "5 passed, 2 failed, 0 skipped", "5 passed, 2 failed, 0 skipped"),
    (
        Step("layer", "step", lambda: Tally(5, 0, ("needs x", "needs x"))),
        "5 passed, 0 failed, 2 skipped",
        "5 passed, 2 failed, 0 skipped",
    ),
    (raising(Failed("no")), "0 passed, 1 failed, 0 skipped", "0 passed, 1 failed, 0 skipped"),
    (raising(Unavailable("needs x")), "0 passed, 0 failed, 1 skipped", "0 passed, 1 failed, 0 skipped"),
]


@pytest.mark.parametrize("continuous_integration", [False, True])
@pytest.mark.parametrize(("step", "locally", "in_ci"), STEPS)
def test_the_last_line_counts_everything(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    step: Step,
    locally: str,
    in_ci: str,
    continuous_integration: bool,
) -> None:
    monkeypatch.setattr(steps, "CONTINUOUS_INTEGRATION", continuous_integration)
    well = steps.print_summary(steps.run_steps([step], side_by_side=2))
    expected = in_ci if continuous_integration else locally
    assert capsys.readouterr().out.splitlines()[-1] == expected
    assert well == (" 0 failed" in expected)


def test_an_unexpected_error_stops_the_run() -> None:
    with pytest.raises(ZeroDivisionError):
        steps.run_steps([raising(ZeroDivisionError("a fault of the driver itself"))])


def test_reports_of_pytest_are_counted(tmp_path: Path) -> None:
    report = tmp_path / "report.xml"
    report.write_text(
        '<testsuites><testsuite><testcase name="a"/><testcase name="b"><failure/></testcase>'
        '<testcase name="c"><error/></testcase><testcase name="d"><skipped message="needs x"/></testcase>'
        "</testsuite></testsuites>"
    )
    assert layers.count_report(report) == Tally(1, 2, ("needs x",))


@pytest.mark.parametrize("versions", ["file", "absent", "folder"])
def test_interpreters_are_looked_for_where_they_can_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, versions: str
) -> None:
    if versions == "file":
        (tmp_path / "versions").write_text("")
    elif versions == "folder":
        (tmp_path / "versions/3.13.0/bin").mkdir(parents=True)
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path))
    monkeypatch.setenv("PATH", f"{tmp_path}/shims:/usr/bin")
    folders = machine._interpreter_folders()
    assert tmp_path / "shims" not in folders and Path("/usr/bin") in folders
    assert (tmp_path / "versions/3.13.0/bin" in folders) == (versions == "folder")
