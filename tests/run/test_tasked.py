"""Networks on a task: which are run, what they are fed, and what judges them. Labels never leave the controller."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks.made.farm import fleet
from harness.config import devices as config
from harness.core.errors import MissingModelError, UsageError
from harness.records import manifest as manifests
from harness.records.cell import Cell
from harness.records.tensor import TensorSpec
from harness.run.adding import add
from harness.run.foreign import Fed
from harness.run.judging import own_inputs, spread
from harness.run.plan import Options
from harness.run.scheduler import Run
from harness.run.tasked import of_other_tasks, task_run
from harness.tasks.task import Task
from tests.support import onnx_networks
from tests.support.loopback import Recorder
from tests.support.manifests import MANIFEST
from tests.support.sshd_fixtures import Sshd
from tests.support.tasks import write_task

pytest.importorskip("onnx")
DARK, BRIGHT = 0, 1


def brightness(folder: Path, rules: str = "", metric: str = "top1") -> Task:
    """Dark and bright pictures, each a little different."""
    for name, base in (("bright", 200), ("dark", 20)):
        (folder / "x" / name).mkdir(parents=True, exist_ok=True)
        for k in range(30):
            Image.new("L", (8, 8), base + k).save(folder / "x" / name / f"{k}.png")
    content = f"data: {{form: folders, path: x}}\nclasses: [dark, bright]\npreprocess: {{colour: grey{rules}}}\n"
    return write_task(folder, f"{content}metric: {metric}\n", "light")


def light_meter(path: Path, *, right: bool = True) -> Path:
    """Scores for dark and bright, from the mean of 8 x 8 pixels (1, 8, 8, 1) in 0..1."""
    from onnx import helper

    nodes = [
        helper.make_node("ReduceMean", ["x"], ["mean"], axes=[1, 2], keepdims=0),
        helper.make_node("Mul", ["mean", "signs"], ["scaled"]),
        helper.make_node("Add", ["scaled", "offsets"], ["y"]),
    ]
    sign = 1.0 if right else -1.0
    signs, offsets = np.array([[-sign, sign]], np.float32), np.array([[sign * 0.5, -sign * 0.5]], np.float32)
    return onnx_networks.save(
        path, nodes, [("x", "float32", (1, 8, 8, 1))], [("y", "float32", (1, 2))], signs=signs, offsets=offsets
    )


@pytest.fixture
def loop(sshd: Sshd, cache: Path, short_series: None) -> config.Fleet:
    return fleet(sshd.device())


def execute(devices: config.Fleet, folder: Path, **asked: object) -> list[Cell]:
    given = {"rounds": 1, **asked}
    work = Run(devices, Options(**given), models=folder / "models", results=folder / "results")  # type: ignore[arg-type]
    recorder = Recorder()
    work.execute(recorder)
    return recorder.cells


@pytest.mark.slow
def test_a_model_file_is_judged_by_the_labels(loop: config.Fleet, tmp_path: Path) -> None:
    task = brightness(tmp_path, ", scale: 1/255")
    files = [light_meter(tmp_path / "meter.onnx"), light_meter(tmp_path / "wrong.onnx", right=False)]
    cells = execute(loop, tmp_path, models=tuple(map(str, files)), task=str(task.path), rounds=2)
    right, wrong = sorted(cells, key=lambda cell: cell.model.name)
    assert (right.accuracy, wrong.accuracy) == (1.0, 0.0)
    assert right.status in ("VALID", "INVALID")
    assert right.predictions == right.split.labels
    assert (right.split.task, right.split.scheme, right.split.classes) == ("light", "stratified", ("dark", "bright"))
    assert right.split.n == len(task.open().split.test) == 6
    assert right.outputs is not None
    assert right.metric is None
    assert not {"not-judged", "outputs-differ"} & {reason.code for reason in (*right.reasons, *wrong.reasons)}


@pytest.mark.slow
def test_a_metric_of_ones_own_judges_on_the_controller(loop: config.Fleet, tmp_path: Path) -> None:
    (tmp_path / "judge.py").write_text(
        "def margin(outputs, labels):\n    return outputs[0][range(len(labels)), labels]\n"
    )
    task = brightness(tmp_path, ", scale: 1/255", "'judge:margin'")
    (cell,) = execute(loop, tmp_path, models=(str(light_meter(tmp_path / "meter.onnx")),), task=str(task.path))
    assert cell.metric is not None
    assert (cell.metric.name, len(cell.metric.per_sample), cell.accuracy) == ("judge:margin", 6, 1.0)
    assert cell.metric.value == pytest.approx(np.mean(cell.metric.per_sample))
    (tmp_path / "judge.py").write_text("def margin(outputs, labels):\n    return 1 / 0\n")
    (cell,) = execute(loop, tmp_path, models=(str(tmp_path / "meter.onnx"),), task=str(task.path))
    assert cell.status == "INVALID"
    assert [reason.text for reason in cell.reasons if reason.code == "not-judged"] == [
        "no accuracy: metric 'judge:margin' failed: ZeroDivisionError: division by zero"
    ]


@pytest.mark.slow
def test_numbers_are_judged_without_classes(loop: config.Fleet, tmp_path: Path) -> None:
    values = np.linspace(0, 1, 40, dtype=np.float32)[:, None]
    np.savez(tmp_path / "a.npz", images=values, labels=values[:, 0] * 2 + 1)
    task = write_task(tmp_path, "data: {form: npz, path: a.npz}\nmetric: mae\n", "line")
    path = onnx_networks.scaled(tmp_path / "double.onnx", 2.0, size=1)
    (cell,) = execute(loop, tmp_path, models=(str(path),), task=str(task.path))
    assert cell.metric is not None
    assert (cell.metric.name, cell.metric.value) == ("mae", pytest.approx(1.0))
    assert (cell.accuracy, cell.predictions, cell.split.classes) == (None, (), ())
    assert len(cell.split.labels) == 4


@pytest.mark.slow
def test_an_added_network_keeps_task_golden_outputs_and_accuracy(loop: config.Fleet, tmp_path: Path) -> None:
    task = brightness(tmp_path, ", scale: 1/255")
    judged = task_run(str(task.path), "synthetic")
    (added,) = add([light_meter(tmp_path / "meter.onnx")], Fed(task=judged), tmp_path / "models", say=print)
    record = manifests.load(tmp_path / "models", "meter")
    assert record == added.manifest
    assert (record.task, record.classes, record.inputs) == ("light", ("dark", "bright"), None)
    assert record.split is not None
    assert record.split.sha256 == task.open().split.sha256
    (artifact,) = record.artifacts
    assert (artifact.accuracy, artifact.golden is not None) == (1.0, True)
    assert str(artifact.accuracy_runtime).startswith("onnxruntime ")
    (cell,) = execute(loop, tmp_path, models=("meter",), task=str(task.path))
    assert (cell.accuracy, cell.model.reference_accuracy) == (1.0, 1.0)
    (again,) = execute(loop, tmp_path, task=str(task.path))
    assert again.cell == cell.cell, "without a name all of the task's networks are run"
    with pytest.raises(UsageError, match="'meter' was added with task 'light'"):
        execute(loop, tmp_path, models=("meter",))
    brightness(tmp_path)  # the same pictures, another preprocessing
    (other,) = execute(loop, tmp_path, models=("meter",), task=str(task.path))
    assert other.cell != cell.cell
    assert other.split.sha256 == cell.split.sha256


def test_what_does_not_go_together_is_refused(tmp_path: Path) -> None:
    task = brightness(tmp_path)
    with pytest.raises(UsageError, match="--inputs and --task both say what is run"):
        task_run(str(task.path), "synthetic", "x.npz")
    assert task_run("faces", "synthetic") is None
    run = task_run(str(task.path), "synthetic")
    assert run is not None
    with pytest.raises(MissingModelError) as caught:
        run.artifacts(tmp_path / "models", (), (), [])
    assert str(caught.value).endswith(f"(harness build --task {task.path})")
    with pytest.raises(MissingModelError) as caught:
        run.artifacts(tmp_path / "models", ("squeezenet",), (), [])
    assert str(caught.value).endswith(f"(harness build --task {task.path} squeezenet)")
    two = [TensorSpec(shape=(1, 8, 8, 1), dtype="float32", name=name) for name in "ab"]
    with pytest.raises(UsageError, match="net: the network has 2 inputs, and task 'light' gives one"):
        run.inputs("net", two, two[:1])
    with pytest.raises(UsageError, match="net: the task gives 8x8x1 for each sample, and input 'a' takes 3x224x224"):
        run.inputs("net", [TensorSpec(shape=(1, 3, 224, 224), dtype="float32", name="a")], two[:1])


def test_networks_of_a_task_are_no_part_of_a_plain_run(tmp_path: Path) -> None:
    plain = MANIFEST.model_copy(update={"name": "plain"})
    for record in (plain, plain.model_copy(update={"name": "theirs", "task": "light"})):
        manifests.save(tmp_path, record)
    manifests.save(tmp_path / "light", plain)
    assert manifests.names(tmp_path) == ["plain", "theirs"]
    assert of_other_tasks(tmp_path, ()) == {"theirs": "light"}
    with pytest.raises(UsageError, match="--task light"):
        of_other_tasks(tmp_path, ("theirs",))


def test_networks_of_another_input_type_get_another_file(tmp_path: Path, cache: Path) -> None:
    data = brightness(tmp_path).open()
    real = TensorSpec(shape=(1, 8, 8, 1), dtype="float32", name="x")
    whole = TensorSpec(shape=(1, 8, 8, 1), dtype="int8", scale=1.0, zero_point=-128, name="x")
    out = [TensorSpec(shape=(1, 2), dtype="float32")]
    first, second = own_inputs(data, [real], out), own_inputs(data, [whole], out)
    assert first.key != second.key
    for made, spec in ((first, real), (second, whole)):
        test = made.prepare(None)
        with np.load(test.file) as stored:
            assert list(stored) == ["0"], "labels stay on the controller"
            assert (stored["0"].shape, stored["0"].dtype) == ((6, 1, 8, 8, 1), np.dtype(spec.dtype))
        assert test.info.labels == tuple(data.labels[data.split.test].tolist())
    assert first.prepare(3).info.n == 3
    assert json.loads(first.prepare(3).info.model_dump_json())["task"] == "light"


def test_samples_are_spread_evenly() -> None:
    index = np.arange(10)
    assert spread(index, 3).tolist() == [0, 3, 6]
    assert spread(index, None).tolist() == spread(index, 99).tolist() == list(range(10))
