"""Going on with a run: in the folder that was named, with the cells and on the board it was begun with."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from benchmarks.made.cells import device, in_rounds, make_cell, make_run
from benchmarks.made.farm import Farm, fleet
from benchmarks.made.runs import NET, DeviceRecorder, execute, work
from harness.config.devices import Fleet
from harness.core.errors import StoreError, UsageError
from harness.results import storage, store
from harness.run.plan import Options
from harness.run.resume import reopen
from harness.run.scheduler import Run
from tests.conftest import MODELS
from tests.support.faults_fixtures import farm, short_pauses

__all__ = ["farm", "short_pauses"]  # fixtures

WRONG = "answer['predictions_stable'] = False"


def fleets(farm: Farm, **more: object) -> Fleet:
    return farm.fleet("good", runtimes=["litert"], **more)


@pytest.fixture
def begun(farm: Farm, tmp_path: Path) -> Path:
    """A run with one cell that is not VALID."""
    farm.places["good"].python(WRONG)
    outcome, _ = execute(fleets(farm), tmp_path / "results")
    assert list(outcome.cells.values()) == ["INVALID"]
    farm.places["good"].python()
    return outcome.folder


def test_a_copy_is_a_run_of_its_own(begun: Path, farm: Farm, tmp_path: Path) -> None:
    """What is measured goes into the copy, is named for it and reported of it; the original stays as it was."""
    before = {path.name: path.read_bytes() for path in begun.rglob("*.json")}
    copy = begun.parent / "baseline"
    shutil.copytree(begun, copy)
    outcome, _ = execute(fleets(farm), begun.parent, resume="baseline")
    assert (outcome.run, outcome.folder) == ("baseline", copy)
    assert outcome.all_valid
    assert store.read_run(copy).run == "baseline"
    assert {cell.run for cell in store.read_cells(copy)} == {"baseline"}
    assert {path.name: path.read_bytes() for path in begun.rglob("*.json")} == before


def test_a_cell_that_is_not_precise_enough_is_still_due(tmp_path: Path) -> None:
    """An interrupted run with --precision goes on, though its cells count already."""
    dev = device("here", "generic", emulated=False)
    cells = [
        in_rounds(make_cell(name, dev=dev), count, apart=apart)
        for name, count, apart in (("ghostnet", 12, 0.001), ("mnasnet", 12, 0.1), ("squeezenet", 5, 0.001))
    ]
    folder = make_run(tmp_path, cells)
    plain = reopen(storage.at(tmp_path), folder.name)
    assert plain.finished == {cell.cell for cell in cells}
    info = plain.info.model_copy(update={"options": {**plain.info.options, "precision": 0.02}})
    store.write_run(folder, info)
    again = reopen(storage.at(tmp_path), folder.name)
    assert again.finished == {cells[0].cell}
    assert again.unfinished_devices == ["here"]


def test_a_link_is_the_run_it_leads_to(begun: Path, farm: Farm) -> None:
    (begun.parent / "linked").symlink_to(begun.name)
    going = work(fleets(farm), begun.parent, resume="linked")
    assert (going.info.run, going.folder, going.again) == (begun.name, begun.resolve(), begun.name)


def test_a_run_kept_elsewhere_is_called_by_its_path(begun: Path, farm: Farm, tmp_path: Path) -> None:
    elsewhere = tmp_path / "other place" / "kept"
    elsewhere.parent.mkdir()
    shutil.move(begun, elsewhere)
    going = work(fleets(farm), begun.parent, resume=str(elsewhere))
    assert (going.folder, going.again) == (elsewhere.resolve(), str(elsewhere.resolve()))
    # a run of the same name under `results` is another one
    shutil.copytree(elsewhere, begun.parent / "kept")
    assert work(fleets(farm), begun.parent, resume=str(elsewhere)).again == str(elsewhere.resolve())
    assert work(fleets(farm), begun.parent, resume="kept").again == "kept"


def test_a_folder_with_another_runs_name_in_it(begun: Path, farm: Farm, tmp_path: Path) -> None:
    named = tmp_path / "results" / "my run (2)"
    shutil.copytree(begun, named)
    with pytest.raises(StoreError, match="no run 'my run"):
        work(fleets(farm), begun.parent, resume="my run (2)")
    going = work(fleets(farm), begun.parent, resume=str(named))
    assert (going.info.run, going.again) == (begun.name, str(named.resolve()))


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"threads": [2]}, "threads was 1, is 2"),
        ({"samples": 5}, "samples was all, is 5"),
        ({"runtimes": ["onnxruntime"]}, "runtimes was litert, is onnxruntime"),
        ({"models": ["squeezenet"]}, "models was not set, is squeezenet"),
        ({"board": "raspberry-pi-4"}, "board was generic, is raspberry-pi-4"),
        ({"thresholds": {"drift": 0.5}}, "thresholds.drift was not set, is 0.5"),
    ],
)
def test_a_device_that_is_measured_otherwise_is_refused(
    changed: dict[str, object], said: str, begun: Path, farm: Farm
) -> None:
    before = {path.name: path.read_bytes() for path in begun.rglob("*.json")}
    entry = farm.entry("good", runtimes=["litert"]) | changed
    with pytest.raises(UsageError, match="'good' is not as run") as refused:
        work(fleet(entry), begun.parent, resume=begun.name)
    assert said in str(refused.value)
    assert "without --resume" in str(refused.value)
    assert {path.name: path.read_bytes() for path in begun.rglob("*.json")} == before


def test_a_device_that_is_gone_or_renamed_is_refused(begun: Path, farm: Farm) -> None:
    with pytest.raises(UsageError, match="measures 'good', which is not listed any more"):
        work(fleet(farm.entry("good") | {"name": "better"}), begun.parent, resume=begun.name)


def test_what_is_all_measured_may_be_gone(farm: Farm, tmp_path: Path) -> None:
    farm.places["bad"].python(WRONG)
    outcome, _ = execute(farm.fleet("good", "bad", runtimes=["litert"]), tmp_path / "results")
    going = work(farm.fleet("bad", runtimes=["litert"]), tmp_path / "results", resume=outcome.run)
    assert going.notes == [
        f"'good' is not listed in {going.schedule.fleet.file} any more; its cells of this run are all measured"
    ]
    assert set(going.schedule.plan.jobs) == {"bad"}


def test_another_address_is_said_and_another_board_refused(begun: Path, farm: Farm) -> None:
    """A board may have got another address; whether it is the same one is looked at."""
    entry = farm.entry("good", runtimes=["litert"]) | {"port": farm.places["bad"].port}
    going = work(fleet(entry), begun.parent, resume=begun.name)
    assert "'good' is reached otherwise than when this run began: port was" in going.notes[0]
    (path,) = store.cell_paths(begun)
    cell = store.read_cell(path)
    another = cell.device.model_copy(update={"cpu_part": "0xd03", "cores": 96})
    store.write_cell(begun, cell.model_copy(update={"device": another}))
    farm.places["bad"].python()
    outcome, told = execute(fleet(entry), begun.parent, resume=begun.name)
    assert told.how("good") == ["FAILED board"]
    assert "not the board that this run has measured so far" in told.said("good")
    assert list(outcome.cells.values()) == ["INVALID"]  # what was measured stays


def test_no_new_cells_slip_in(begun: Path, farm: Farm, tmp_path: Path) -> None:
    """A network that has come since, and a device."""
    farm.places["bad"].python()
    outcome, told = execute(farm.fleet("good", "bad", runtimes=["litert"]), begun.parent, resume=begun.name)
    assert set(told.cells) == {"good"}
    assert set(outcome.cells) == set(json.loads((begun / "run.json").read_text())["planned"])


def test_an_artifact_that_is_gone_is_named(farm: Farm, tmp_path: Path) -> None:
    farm.places["good"].python(WRONG)
    models = tmp_path / "models"
    for name in (NET, "squeezenet"):
        shutil.copytree(MODELS / name, models / name)
    options = Options(variants=("int8",), quick=True)
    run = Run(fleets(farm), options, models=models, results=tmp_path / "results")
    run.execute(DeviceRecorder())
    shutil.rmtree(models / "squeezenet")
    with pytest.raises(UsageError, match=r"1 of its cells can't be measured from .*models/ any more"):
        Run(fleets(farm), options, models=models, results=tmp_path / "results", resume=run.info.run)
