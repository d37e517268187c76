"""Several model files in one run: inputs of other names, and sizes for each of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.made.farm import fleet
from harness.config import devices as config
from harness.core.errors import UsageError
from harness.modelfile import read_all
from harness.run.adding import add
from harness.run.foreign import Fed, taken
from harness.run.plan import Options
from harness.run.scheduler import Run
from tests.support import onnx_networks
from tests.support.loopback import Recorder
from tests.support.sshd_fixtures import Sshd

pytest.importorskip("onnx")


@pytest.fixture
def loop(sshd: Sshd, cache: Path, short_series: None) -> config.Fleet:
    return fleet(sshd.device())


def test_networks_that_take_the_same_values_under_other_names(loop: config.Fleet, tmp_path: Path) -> None:
    paths = [_echo(tmp_path / "data.onnx", "data"), _echo(tmp_path / "slash.onnx", "gpu_0/data")]
    options = Options(models=tuple(map(str, paths)), rounds=1)
    recorder = Recorder()
    Run(loop, options, models=tmp_path / "models", results=tmp_path / "results", resume=None).execute(recorder)
    assert [(cell.status, cell.reasons) for cell in recorder.cells] == [("VALID", ())] * 2


def test_each_file_takes_the_shapes_of_its_own_inputs(tmp_path: Path) -> None:
    paths = [
        _echo(tmp_path / "a.onnx", "a", "n"),
        _echo(tmp_path / "b.onnx", "b", "n"),
        _echo(tmp_path / "c.onnx", "c"),
    ]
    items = taken(paths, Fed(shapes={"a": (1, 5), "b": (2, 7)}), ())
    assert [item.artifact.input.shape for item in items] == [(1, 5), (2, 7), (1, 4)]
    with pytest.raises(UsageError, match=r"--shape z: no file has this input; they have 'a', 'b', 'c'"):
        taken(paths, Fed(shapes={"a": (1, 5), "b": (2, 7), "z": (1,)}), ())
    added = add(paths[:2], Fed(shapes={"a": (1, 5), "b": (1, 5)}), tmp_path / "models", say=lambda _text: None)
    assert [one.manifest.artifacts[0].input.shape for one in added] == [(1, 5), (1, 5)]


def _echo(path: Path, name: str, *sizes: str) -> Path:
    """A row of numbers under an input's name, given back doubled; open sizes have names."""
    from onnx import helper

    shape: tuple[int | str, ...] = (f"{sizes[0]}1", f"{sizes[0]}2") if sizes else (1, 4)
    nodes = [helper.make_node("Add", [name, name], [f"{name}_out"])]
    return onnx_networks.save(path, nodes, [(name, "float32", shape)], [(f"{name}_out", "float32", shape)])


def test_open_sizes_of_one_input_are_those_of_the_sample_that_it_is_fed_with(tmp_path: Path) -> None:
    (file,) = read_all([_echo(tmp_path / "open.onnx", "x", "n")], sample=(4,))
    assert file.inputs[0].shape == (1, 4)
    (file,) = read_all([_echo(tmp_path / "fixed.onnx", "x")], sample=(5,))
    assert file.inputs[0].shape == (1, 4), "what the file fixes stays, and the task refuses it"
    with pytest.raises(UsageError, match="choose the open sizes"):
        read_all([tmp_path / "open.onnx"], sample=(4, 4))
