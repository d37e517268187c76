"""``harness run --runtime``: runtimes of the command line instead of the devices' own, in plan, run and resumed run."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from benchmarks.made.farm import fleet
from benchmarks.made.runs import NET
from harness.cli.app import app
from harness.config.devices import parse
from harness.core.errors import UsageError
from harness.run.options import Options
from harness.run.scheduler import Run
from harness.runtimes.registry import RUNTIMES
from tests.conftest import MODELS
from tests.support.loopback import execute
from tests.support.pythons import OLD_PYTHONS
from tests.support.sshd_fixtures import Sshd

pytestmark = pytest.mark.usefixtures("short_series")

LISTED = (
    "devices:\n- {name: here, board: generic, local: true}\n"
    "- {name: pi, board: raspberry-pi-4, host: h, runtimes: [onnxruntime]}\n"
)


def planned(results: Path, *, resume: str | None = None, text: str = LISTED, **options: object) -> Run:
    given = Options(**{"models": ("resvgg19-pruned",), "variants": ("fp32",), **options})  # type: ignore[arg-type]
    return Run(parse(text), given, models=MODELS, results=results, resume=resume)


def runtimes(run: Run) -> set[tuple[str, str]]:
    return {(name, job.runtime) for name, jobs in run.schedule.plan.jobs.items() for job in jobs}


def test_they_replace_those_of_every_device(tmp_path: Path) -> None:
    asked = planned(tmp_path, runtimes=("openvino", "litert"))
    assert runtimes(asked) == {(name, runtime) for name in ("here", "pi") for runtime in ("openvino", "litert")}
    assert {device.runtimes for device in asked.schedule.fleet.devices} == {("openvino", "litert")}
    assert runtimes(planned(tmp_path)) == {("here", "litert"), ("here", "onnxruntime"), ("pi", "onnxruntime")}


def test_one_reads_each_form_that_it_can(tmp_path: Path) -> None:
    """OpenVINO takes TFLite and ONNX, so that both forms of a network can be held against each other."""
    jobs = planned(tmp_path, runtimes=("openvino",)).schedule.plan.jobs["here"]
    assert {job.shipped.artifact.format for job in jobs} == {"tflite", "onnx"}


def test_a_resumed_run_keeps_them_whatever_the_devices_now_list(tmp_path: Path) -> None:
    begun = planned(tmp_path, runtimes=("litert",), only=("here",))
    with begun._ledger.opened():
        pass
    again = planned(tmp_path, resume=begun.info.run, text=LISTED.replace("true}", "true, runtimes: [onnxruntime]}"))
    assert runtimes(again) == {("here", "litert")}
    assert again.notes == ["not in this run and left alone: pi"]


def test_that_nothing_is_left_to_run_is_said_with_the_reason(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as refused:
        planned(tmp_path, models=("mobilenet-v2",), variants=("int8",), runtimes=("onnxruntime",))
    assert "onnxruntime reads no .tflite file" in str(refused.value)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("word", "meant"), [("openvno", "openvino"), ("onnx-runtime", "onnxruntime")])
def test_a_misspelt_one_is_refused_with_the_nearest(word: str, meant: str, tmp_path: Path) -> None:
    listed = tmp_path / "devices.yaml"
    listed.write_text(LISTED)
    done = CliRunner().invoke(app, ["run", "--devices", str(listed), "--runtime", f"litert,{word}"])
    assert isinstance(done.exception, UsageError)
    assert str(done.exception) == f"--runtime '{word}' is no runtime; did you mean '{meant}'?"
    assert [path.name for path in tmp_path.iterdir()] == ["devices.yaml"]


def test_the_contracts_first_four_are_registered() -> None:
    assert {"litert", "tflite", "onnxruntime", "openvino"} <= set(RUNTIMES)


@pytest.mark.slow
def test_one_that_is_not_published_for_a_board_fails_alone(sshd: Sshd, cache: Path, tmp_path: Path) -> None:
    """Its cells say so, nothing else runs in their place, and the other runtimes' cells are measured."""
    python = OLD_PYTHONS["3.7"]
    if python is None:
        pytest.skip("no CPython 3.7 here")
    (sshd.bin / "python3").symlink_to(python)
    outcome, told = execute(fleet(sshd.device()), tmp_path / "results", runtimes=("litert", "tflite"))
    found = {cell.runtime.name: (cell.status, [reason.code for reason in cell.reasons]) for cell in told.cells}
    assert found == {"litert": ("FAILED", ["provision"]), "tflite": ("VALID", [])}
    (refused,) = [cell for cell in told.cells if cell.runtime.name == "litert"]
    assert "no litert is published for Python 3.7" in refused.reasons[0].text
    assert set(outcome.cells) == {cell.cell for cell in told.cells}
    assert {cell.model.name for cell in told.cells} == {NET}
