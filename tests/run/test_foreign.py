"""Anybody's model file: run where it lies, or kept with ``add``; what is refused, and what is INVALID."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks.made.farm import fleet
from harness.config import devices as config
from harness.core.errors import ArtifactError, UsageError
from harness.core.files import sha256_file
from harness.modelfile import read as read_model
from harness.records import manifest as manifests
from harness.records.cell import Cell
from harness.remote.local import LocalConnection
from harness.run.adding import add
from harness.run.foreign import Fed, name_of, taken
from harness.run.outcome import Outcome
from harness.run.plan import Options
from harness.run.scheduler import Run
from tests.conftest import MODELS
from tests.support import onnx_networks
from tests.support.loopback import Recorder
from tests.support.sshd_fixtures import Sshd

pytest.importorskip("onnx")
SEVERAL = {"a": (1, 4), "b": (1, 4)}


def execute(
    devices: config.Fleet, folder: Path, *, resume: str | None = None, **asked: object
) -> tuple[Outcome, list[Cell]]:
    """Run what was asked for; cells in the order in which they ended."""
    given = {"rounds": 1, **asked}
    work = Run(devices, Options(**given), models=folder / "models", results=folder / "results", resume=resume)  # type: ignore[arg-type]
    recorder = Recorder()
    return work.execute(recorder), recorder.cells


@pytest.fixture
def loop(sshd: Sshd, cache: Path, short_series: None) -> config.Fleet:
    return fleet(sshd.device())


def test_names_are_made_of_file_names() -> None:
    names = {"My Net_v2.1.onnx": "my-net-v2-1", "é.onnx": "model", "___.tflite": "model", f"{'x' * 90}.onnx": "x" * 56}
    assert {name: name_of(Path(name)) for name in names} == names


def test_two_files_of_one_name_get_the_start_of_their_hashes(tmp_path: Path) -> None:
    for folder, factor in (("one", 2.0), ("two", 3.0)):
        (tmp_path / folder).mkdir()
        onnx_networks.scaled(tmp_path / folder / "net.onnx", factor)
    paths = [tmp_path / folder / "net.onnx" for folder in ("one", "two")]
    found = [item.manifest.name for item in taken(paths, Fed(), ())]
    assert found == [f"net-{sha256_file(path)[:6]}" for path in paths]
    (alone,) = taken(paths[:1] * 2, Fed(), ())
    assert alone.manifest.name == "net"
    (beside,) = taken(paths[:1], Fed(), ["net"])
    assert beside.manifest.name == found[0]


@pytest.mark.slow
def test_a_file_is_run_over_ssh_and_its_outputs_are_compared(loop: config.Fleet, tmp_path: Path) -> None:
    path = onnx_networks.several(tmp_path / "Several Things.onnx")
    outcome, (cell,) = execute(loop, tmp_path, models=(str(path),), shapes=tuple(SEVERAL.items()))
    assert (cell.status, cell.reasons) == ("VALID", ())
    assert outcome.all_valid
    assert (cell.model.name, cell.model.source) == ("several-things", "Several Things.onnx")
    assert (cell.accuracy, cell.predictions, cell.split.labels, cell.split.scheme) == (None, (), (), "seeded")
    assert cell.outputs is not None
    assert [(t.name, t.dtype, t.max_abs) for t in cell.outputs.tensors] == [
        ("sum", "float32", 0), ("best", "int64", 0), ("positive", "bool", 0)
    ]  # fmt: skip
    assert cell.outputs.reference.runtime == "onnxruntime"
    assert cell.cell.split("+")[-1] == f"seeded-{cell.split.sha256[:8]}"


@pytest.mark.slow
def test_own_inputs_are_run_and_their_hash_is_in_the_name(loop: config.Fleet, tmp_path: Path) -> None:
    path, own = onnx_networks.scaled(tmp_path / "net.onnx"), tmp_path / "own.npz"
    names = set()
    for value in (1, 2):
        np.savez(own, x=np.full((3, 4), value, np.float32))
        _, (cell,) = execute(loop, tmp_path, models=(str(path),), inputs=str(own))
        assert (cell.status, cell.split.n, cell.split.dataset, cell.split.scheme) == ("VALID", 3, "own.npz", "given")
        names.add(cell.cell)
    assert len(names) == 2


@pytest.mark.slow
def test_rounds_and_resume_go_on_with_the_same_file_alone(loop: config.Fleet, tmp_path: Path) -> None:
    path = onnx_networks.scaled(tmp_path / "net.onnx")
    outcome, (cell,) = execute(loop, tmp_path, models=(str(path),), rounds=3)
    assert len(cell.rounds) == 3
    assert cell.outputs is not None
    stored = outcome.folder / "cells" / f"{cell.cell}.json"
    stored.unlink()
    onnx_networks.scaled(path, factor=3.0)
    with pytest.raises(UsageError, match="began with another net/fp32"):
        execute(loop, tmp_path, resume=outcome.run)
    onnx_networks.scaled(path)
    again, (cell,) = execute(loop, tmp_path, resume=outcome.run)
    assert again.all_valid


@pytest.mark.slow
def test_a_network_that_draws_or_gives_no_numbers_is_not_taken_for_good(loop: config.Fleet, tmp_path: Path) -> None:
    drawing, logarithm = (
        onnx_networks.drawing(tmp_path / "drawing.onnx"),
        onnx_networks.logarithm(tmp_path / "log.onnx"),
    )
    _, cells = execute(loop, tmp_path, models=(str(drawing), str(logarithm)))
    found = {cell.model.name: cell for cell in cells}
    assert found["drawing"].outputs is None
    assert "answers differently each time" in found["drawing"].evidence["outputs_missing"]
    assert [reason.code for reason in found["log"].reasons] == ["not-finite"]


@pytest.mark.slow
def test_a_tflite_file_is_run_like_an_onnx_file(loop: config.Fleet, tmp_path: Path) -> None:
    path = tmp_path / "theirs.tflite"
    shutil.copyfile(MODELS / "mobilenet-v3-small" / "int8.tflite", path)
    _, (cell,) = execute(loop, tmp_path, models=(str(path),))
    assert (cell.status, cell.runtime.name, cell.model.variant) == ("VALID", "litert", "int8")
    assert cell.outputs is not None
    assert cell.outputs.tensors[0].dtype == "int8"


#: A board's ``python3`` that runs another file than it was asked to, and says that it was the right one.
LIAR = """#!{python}
import json, os, subprocess, sys
if "--job" not in sys.argv:
    os.execv("{python}", ["{python}", *sys.argv[1:]])
job = json.loads(sys.stdin.readline())
asked = job["model_sha256"]
job.update(model="{model}", model_sha256="{sha256}")
runner = subprocess.Popen(["{python}", *sys.argv[1:]], stdin=subprocess.PIPE)
runner.stdin.write(json.dumps(job).encode() + b"\\n")
runner.stdin.flush()
runner.wait()
result = sys.argv[sys.argv.index("--result") + 1]
answer = json.load(open(result))
answer["model_sha256"] = asked
json.dump(answer, open(result, "w"))
sys.exit(runner.returncode)
"""


@pytest.mark.slow
@pytest.mark.parametrize(("factor", "size"), [(2.1, 4), (2.0, 9)])
def test_a_board_that_answers_with_another_networks_outputs_is_invalid(
    factor: float, size: int, loop: config.Fleet, sshd: Sshd, tmp_path: Path
) -> None:
    path = onnx_networks.broadcast(tmp_path / "net.onnx")
    wrong = onnx_networks.broadcast(tmp_path / "wrong.onnx", factor, size)
    python = str(getattr(sys, "_base_executable", sys.executable))
    liar = sshd.bin / "python3"
    text = LIAR.format(python=python, model=wrong, sha256=sha256_file(wrong))
    liar.write_text(text)
    liar.chmod(0o755)
    _, (cell,) = execute(loop, tmp_path, models=(str(path),))
    assert (cell.status, [reason.code for reason in cell.reasons]) == ("INVALID", ["outputs-differ"]), cell.reasons
    text = cell.reasons[0].text
    if size == 4:
        assert "output 'y' (float32) differs: an element by 0.05 of the largest (limit 0.02)" in text
        assert "golden outputs by onnxruntime" in text
        assert cell.outputs is not None
        assert cell.outputs.tensors[0].max_rel == pytest.approx(0.05, rel=0.01)
    else:
        assert text == "output 'y' of sample 0 has shape [1, 9] instead of [1, 4]"
    assert not list((sshd.home / ".cache/harness/results").iterdir())


def quiet(_text: str) -> None:
    """Say nothing."""


@pytest.mark.slow
def test_what_was_added_is_run_by_its_name_against_its_stored_outputs(loop: config.Fleet, tmp_path: Path) -> None:
    models = tmp_path / "models"
    path = onnx_networks.several(tmp_path / "several.onnx")
    (added,) = add([path], Fed(shapes=SEVERAL), models, say=quiet)
    assert added.notes == ()
    record = manifests.load(models, "several")
    (artifact,) = record.artifacts
    assert (artifact.operators["If"], artifact.versions, artifact.source) == (1, {"ir": 7, "opset": 13}, "several.onnx")
    assert artifact.golden is not None
    assert artifact.golden.runtime == "onnxruntime"
    outcome, (cell,) = execute(loop, tmp_path, models=("several",))
    assert cell.status == "VALID"
    assert cell.outputs is not None
    assert outcome.all_valid
    golden = models / "several" / artifact.golden.file
    content = bytearray(golden.read_bytes())
    content[-1] ^= 1
    golden.write_bytes(content)
    _, (cell,) = execute(loop, tmp_path, models=("several",))
    assert "is not the file its manifest names" in cell.evidence["outputs_missing"]


@pytest.mark.slow
def test_given_inputs_are_kept_with_what_is_added(loop: config.Fleet, tmp_path: Path) -> None:
    own, models = tmp_path / "own.npz", tmp_path / "models"
    np.savez(own, x=np.full((3, 4), 0.25, np.float32))
    add([onnx_networks.scaled(tmp_path / "net.onnx")], Fed(own), models, name="mine", say=quiet)
    own.unlink()
    _, (cell,) = execute(loop, tmp_path, models=("mine",))
    assert (cell.status, cell.split.scheme, cell.split.n) == ("VALID", "given", 3)
    np.savez(models / "mine" / "inputs.npz", x=np.full((3, 4), 0.5, np.float32))
    with pytest.raises(UsageError, match="are not the inputs its manifest names"):
        execute(loop, tmp_path, models=("mine",))


@pytest.mark.slow
def test_a_file_altered_by_one_bit_after_it_was_added_is_refused(cache: Path, tmp_path: Path) -> None:
    models = tmp_path / "models"
    add([onnx_networks.scaled(tmp_path / "net.onnx")], Fed(), models, say=quiet)
    path = models / "net" / "fp32.onnx"
    content = bytearray(path.read_bytes())
    place = content.index(np.float32(2.0).tobytes())
    content[place] ^= 1
    path.write_bytes(content)
    read_model(path)  # still a good model
    here = config.parse("devices: [{name: here, board: generic, local: true}]")
    with pytest.raises(ArtifactError, match="is not the file its manifest names"):
        Run(here, Options(models=("net",)), models=models, results=tmp_path / "results")


@pytest.mark.slow
def test_files_of_one_network_are_added_together_or_later(cache: Path, tmp_path: Path) -> None:
    models = tmp_path / "models"
    first = onnx_networks.scaled(tmp_path / "net.onnx")
    second = tmp_path / "net.tflite"
    shutil.copyfile(MODELS / "mobilenet-v3-small" / "int8.tflite", second)
    add([first], Fed(), models, name="net", say=quiet)
    add([first, second], Fed(), models, name="net", say=quiet)
    assert [artifact.filename for artifact in manifests.load(models, "net").artifacts] == ["fp32.onnx", "int8.tflite"]
    onnx_networks.scaled(first, factor=5.0)
    with pytest.raises(UsageError, match=r"would be fp32\.onnx of 'net', which is another file already"):
        add([first], Fed(), models, name="net", say=quiet)


def test_nothing_is_added_to_what_was_built_here_nor_under_a_name_that_is_none(tmp_path: Path) -> None:
    path, models = onnx_networks.scaled(tmp_path / "net.onnx"), tmp_path / "models"
    shutil.copytree(MODELS / "mobilenet-v3-small", models / "mobilenet-v3-small")
    for name, why in (("mobilenet-v3-small", "was built here"), ("../x", "can't be a network's name")):
        with pytest.raises(UsageError, match=why):
            add([path], Fed(), models, name=name, say=quiet)
    assert [child.name for child in models.iterdir()] == ["mobilenet-v3-small"]


def test_bad_requests_are_refused_before_anything_is_touched(tmp_path: Path) -> None:
    here = config.parse("devices: [{name: here, board: generic, local: true}]")
    path = onnx_networks.scaled(tmp_path / "net.onnx")
    np.savez(tmp_path / "own.npz", z=np.ones((1, 4), np.float32))
    (tmp_path / "page.onnx").write_text("<!DOCTYPE html><html>not found</html>")
    for asked, why in (
        ({"models": (str(path),), "inputs": str(tmp_path / "own.npz")}, "has no array 'x'"),
        ({"models": (str(path),), "shapes": (("z", (1, 4)),)}, "has no input 'z'"),
        ({"models": ("mobilenet-v3-small",), "shapes": (("x", (1, 4)),)}, "--shape is of model files"),
        ({"models": (str(tmp_path / "page.onnx"),)}, "web page"),
        ({"models": (str(path),), "variants": ("int8",)}, "--variant asks for others"),
    ):
        with pytest.raises(UsageError, match=why):
            Run(here, Options(**asked), models=tmp_path / "models", results=tmp_path / "results")  # type: ignore[arg-type]
    assert not (tmp_path / "results").exists()


@pytest.mark.slow
def test_what_no_runtime_of_the_board_can_take_fails_by_name_and_is_left_out_otherwise(
    loop: config.Fleet, tmp_path: Path
) -> None:
    from onnx import helper

    path = onnx_networks.save(
        tmp_path / "custom.onnx", [helper.make_node("Magic", ["x"], ["y"], domain="my.own")],
        [("x", "float32", (1, 4))], [("y", "float32", (1, 4))],
    )  # fmt: skip
    _, cells = execute(loop, tmp_path, models=(str(path),))
    assert [(cell.status, cell.reasons[0].code) for cell in cells] == [("FAILED", "unfit")]
    assert "my.own" in cells[0].reasons[0].text
    models = tmp_path / "models"
    add([path], Fed(), models, say=quiet)
    add([onnx_networks.scaled(tmp_path / "net.onnx")], Fed(), models, say=quiet)
    outcome, cells = execute(loop, tmp_path)
    assert [cell.model.name for cell in cells] == ["net"]
    assert any("custom/fp32.onnx" in reason.text for reason in outcome.skipped)


@pytest.mark.slow
def test_outputs_files_never_stay_on_a_board(loop: config.Fleet, sshd: Sshd, tmp_path: Path) -> None:
    execute(loop, tmp_path, models=(str(onnx_networks.scaled(tmp_path / "net.onnx")),), rounds=2)
    assert not list((sshd.home / ".cache/harness/results").iterdir())


def test_connections_of_golden_outputs_can_be_ended(tmp_path: Path, cache: Path) -> None:
    from harness.run.golden.reference import Referee

    opened: list[object] = []
    Referee(quiet, opened.append)._reached()
    assert [type(connection) for connection in opened] == [LocalConnection]
