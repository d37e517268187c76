"""A run of releases that are named: cells of their own, and a missing one costs its own cells."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from harness.config.devices import load
from harness.core.errors import UsageError
from harness.results import store
from harness.runtimes.wheels import table
from tests.support.loopback import execute
from tests.support.wheels import only_index

#: A release that the harness brings itself, so that no index is needed.
OWN = next(row.version for row in table() if (row.runtime, row.python, row.machine) == ("litert", "3.11", "x86_64"))


@pytest.fixture
def listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cache: Path, short_series: None) -> Path:
    only_index(tmp_path / "index", monkeypatch)
    path = tmp_path / "lab.yaml"
    named = f"[litert, litert=={OWN}, litert==99.0.0]"
    path.write_text(f"devices:\n- {{name: here, board: generic, local: true, rounds: 2, runtimes: {named}}}\n")
    return path


def test_releases_beside_a_plain_name_and_one_that_is_not_there(listed: Path, tmp_path: Path) -> None:
    outcome, told = execute(load(listed), tmp_path / "results")
    cells = {cell.cell.split("+")[3]: cell for cell in told.cells}
    assert set(cells) == {"litert", f"litert-{OWN}", "litert-99.0.0"}
    assert cells["litert"].runtime.version == cells[f"litert-{OWN}"].runtime.version == OWN
    assert all(cells[name].latency_ns for name in ("litert", f"litert-{OWN}"))
    missing = cells["litert-99.0.0"]
    assert (missing.status, missing.runtime.version) == ("FAILED", "99.0.0")
    assert [reason.code for reason in missing.reasons] == ["provision"]
    assert "litert==99.0.0: no release has a wheel for Python 3.11" in missing.reasons[0].text
    rows = json.loads((tmp_path / "lab.lock.json").read_text())["rows"]
    assert [row["version"] for row in rows] == [OWN]
    info = store.read_run(outcome.folder)
    assert info.config["here"]["runtimes"] == ["litert", f"litert=={OWN}", "litert==99.0.0"]
    again, told = execute(load(listed), tmp_path / "results", resume=outcome.run)
    assert {cell.cell for cell in told.cells if cell.status == "FAILED"} == {missing.cell}
    assert set(again.cells) == set(outcome.cells)


def test_the_command_line_replaces_the_list(listed: Path, tmp_path: Path) -> None:
    _, told = execute(load(listed), tmp_path / "results", runtimes=(f"litert=={OWN}",))
    assert {cell.cell.split("+")[3] for cell in told.cells} == {f"litert-{OWN}"}


def test_a_run_goes_on_with_its_own_releases_alone(listed: Path, tmp_path: Path) -> None:
    outcome, _ = execute(load(listed), tmp_path / "results", runtimes=(f"litert=={OWN}",))
    listed.write_text(listed.read_text().replace("99.0.0", "98.0.0"))
    execute(load(listed), tmp_path / "results", resume=outcome.run)
    plain, _ = execute(load(listed), tmp_path / "results")
    listed.write_text(listed.read_text().replace("98.0.0", "97.0.0"))
    with pytest.raises(UsageError, match="runtimes was litert"):
        execute(load(listed), tmp_path / "results", resume=plain.run)
