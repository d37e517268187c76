"""A converted network on the board: taken apart only if it is whole, and its tensors as the artifact has them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.ondevice.runner.container import as_described, places, without_batch, write_parts
from harness.ondevice.runner.files import RunnerError
from harness.ondevice.runner.precision import told_by_outputs
from harness.runtimes.container import Blob, packed

BLOB = Blob("in0", "x", (1, 2, 3), "float32", batch=0)
WHOLE = packed({"param": b"text", "bin": b"\0\1\2"}, [BLOB], [BLOB])


def test_the_parts_come_back(tmp_path: Path) -> None:
    path, folder = tmp_path / "network", tmp_path / "parts"
    path.write_bytes(WHOLE)
    folder.mkdir()
    header = write_parts(str(path), ["param", "bin"], str(folder))
    assert {part.name: part.read_bytes() for part in folder.iterdir()} == {"param": b"text", "bin": b"\0\1\2"}
    assert header["inputs"] == [{"blob": "in0", "name": "x", "shape": [1, 2, 3], "dtype": "float32", "batch": 0}]


@settings(deadline=None)
@given(st.binary(max_size=400) | st.integers(0, len(WHOLE) - 1).map(lambda end: WHOLE[:end]))
def test_anything_else_is_refused(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    folder = tmp_path_factory.mktemp("parts")
    (folder / "network").write_bytes(content)
    with pytest.raises(RunnerError):
        write_parts(str(folder / "network"), ["param", "bin"], str(folder))
    assert {path.name for path in folder.iterdir()} <= {"network", "param", "bin"}


@pytest.mark.parametrize(
    "parts",
    [
        [{"name": "../bin", "bytes": 3}, {"name": "param", "bytes": 4}],
        [{"name": "param", "bytes": -4}, {"name": "bin", "bytes": 11}],
        [{"name": "param", "bytes": 4}],
        [{"name": "param"}, {"name": "bin", "bytes": 3}],
        ["param", "bin"],
        [{"name": "param", "bytes": "many"}, {"name": "bin", "bytes": 3}],
    ],
)
def test_parts_that_lie(tmp_path: Path, parts: list[object]) -> None:
    head = json.dumps({"harness": 1, "parts": parts, "inputs": [], "outputs": []}).encode()
    (tmp_path / "network").write_bytes(head + b"\ntext\0\1\2")
    with pytest.raises(RunnerError):
        write_parts(str(tmp_path / "network"), ["param", "bin"], str(tmp_path))


def test_a_tensor_has_the_artifacts_shape_and_type() -> None:
    about = {"shape": [1, 2, 3], "dtype": "int64", "batch": 0}
    assert without_batch(np.zeros((1, 2, 3)), about).shape == (2, 3)
    made = as_described(np, np.arange(6, dtype=np.float32).reshape(2, 3), about)
    assert (made.shape, made.dtype) == ((1, 2, 3), np.int64)
    assert as_described(np, np.zeros((2, 4), np.float32), about).shape == (2, 4)  # so that the difference shows
    assert as_described(np, np.zeros((2, 4), np.float32), {**about, "shape": [1, 2, 0]}).shape == (1, 2, 4)


def test_inputs_are_found_by_their_names() -> None:
    inputs = [{"name": "sr"}, {"name": "x"}]
    assert places({"tensors": [{"name": "x"}, {"name": "sr"}]}, inputs) == [1, 0]
    assert places({}, inputs[:1]) == [0]
    with pytest.raises(RunnerError, match="takes inputs"):
        places({"tensors": [{"name": "y"}, {"name": "sr"}]}, inputs)


@given(st.integers(0, 1000), st.sampled_from(["float16", "bfloat16"]))
def test_sixteen_bit_numbers_are_found(seed: int, kind: str) -> None:
    values = np.random.default_rng(seed).dirichlet(np.ones(7)).astype(np.float32)[np.newaxis]
    assert told_by_outputs(np, [values]) == "float32"
    bits = values.view(np.uint32) & np.uint32(0xFFFF0000)
    narrow = values.astype(np.float16).astype(np.float32) if kind == "float16" else bits.view(np.float32)
    assert told_by_outputs(np, [narrow]) == kind


def test_numbers_of_any_kind_tell_nothing() -> None:
    for values in ([0.0, 1.0, 0.5], [np.nan, np.inf], [], [0.1, 0.1]):
        assert told_by_outputs(np, [np.array(values, np.float32).astype(np.float16).astype(np.float32)]) is None
