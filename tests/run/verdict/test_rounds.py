"""Several rounds of a real runner on this machine: stored, gone on with, read and compared; and what may be wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.made.farm import fleet
from benchmarks.made.runs import DeviceRecorder, execute, work
from benchmarks.made.sshd import LENIENT
from harness.records.cell import Cell
from harness.results import store
from harness.results.compare import compare
from harness.run.plan import CellJob

pytestmark = pytest.mark.usefixtures("cache")


def here(**limits: float | None) -> dict[str, object]:
    """This machine. How busy it is doesn't matter here."""
    quiet = {**LENIENT, "stopped_s": None, "machine": None, **limits}
    return {"name": "here", "board": "generic", "local": True, "runtimes": ["litert"], "thresholds": quiet}


def only(cells: list[Cell]) -> Cell:
    (cell,) = cells
    return cell


def test_rounds_are_stored_read_and_compared(tmp_path: Path) -> None:
    outcomes = [execute(fleet(here()), tmp_path, rounds=3)[0] for _ in range(2)]
    cell = only(list(store.read_cells(outcomes[0].folder)))
    assert cell.status == "VALID", cell.reasons
    assert len(cell.rounds) == 3
    assert all(size % cell.split.n == 0 for size in cell.round_sizes)
    assert sum(cell.round_sizes) >= 64
    assert all(each.before and each.after for each in cell.rounds)
    assert len(cell.evidence["canary"]) == 6
    assert [each.warmups > 0 for each in cell.rounds] == [True] * 3
    (pair,) = compare(outcomes[0].folder, outcomes[1].folder, 0.03).pairs
    assert pair.change is not None
    assert pair.change.by_rounds


def test_a_run_that_ended_early_goes_on_with_the_rounds_that_are_missing(tmp_path: Path) -> None:
    run, told = work(fleet(here()), tmp_path, rounds=12), _Counting()
    with pytest.raises(KeyboardInterrupt):
        run.execute(told, interrupted=lambda: told.begun >= 3)
    cell = only(list(store.read_cells(run.folder)))
    assert [reason.code for reason in cell.reasons] == ["rounds-missing"]
    done = [each.started for each in cell.rounds]
    assert 1 <= len(done) < 12
    outcome, _ = execute(fleet(here()), tmp_path, resume=run.again)
    whole = only(list(store.read_cells(outcome.folder)))
    assert whole.status == "VALID"
    assert [each.started for each in whole.rounds][: len(done)] == done
    assert len(whole.rounds) == 12


def test_a_machine_whose_speed_changed_is_named(tmp_path: Path) -> None:
    outcome, _ = execute(fleet(here(machine=1e-6)), tmp_path, rounds=2)  # no two looks at a canary are that much alike
    cell = only(list(store.read_cells(outcome.folder)))
    assert [reason.code for reason in cell.reasons] == ["machine-changed"]
    assert "by the canary" in cell.reasons[0].text


def test_counted_instructions_are_one_round_and_have_no_canary() -> None:
    boards = fleet({"name": "pi4", "board": "raspberry-pi-4", "emulate": True})
    run = work(boards, Path("unused"))
    assert run.info.options["rounds"] is None
    assert run.schedule.plan.rounds == {"pi4": 1}


class _Counting(DeviceRecorder):
    """Counts the rounds that have begun."""

    def __init__(self) -> None:
        super().__init__()
        self.begun = 0

    def cell_started(self, job: CellJob) -> None:
        self.begun += 1
