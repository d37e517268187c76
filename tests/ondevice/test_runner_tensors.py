"""The runner with networks of any kind: tensors in, all outputs kept beside the result; also on the oldest boards."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.made import runtimes
from harness.core.files import sha256_bytes, sha256_file
from harness.records.order import InputTensor, KeptOutputs
from harness.runtimes import wheels
from tests.conftest import MODELS
from tests.support import onnx_networks, pythons
from tests.support.runner_jobs import answer, order
from tests.support.tensor_jobs import SEVERAL, job, run

pytest.importorskip("onnx")
pytestmark = pytest.mark.slow


def test_several_inputs_and_outputs_of_any_type(tmp_path: Path) -> None:
    given = job(tmp_path, onnx_networks.several(tmp_path / "net.onnx"), "onnxruntime", SEVERAL)
    found = run(tmp_path, given)
    assert (found["status"], found["predictions"], found["predictions_stable"]) == ("ok", [], True), found.get("text")
    about = found["outputs"]
    assert [(t["name"], t["dtype"], t["shapes"]) for t in about["tensors"]] == [
        ("sum", "float32", [[1, 4]]), ("best", "int64", [[1, 1]]), ("positive", "bool", [[1, 4]])
    ]  # fmt: skip
    data = (tmp_path / "outputs").read_bytes()
    assert (about["samples"], about["bytes"], about["sha256"]) == (3, len(data), sha256_bytes(data))
    assert about["sha256"] == found["outputs_sha256"]
    second = np.frombuffer(data, np.float32, 4, 16 + 8 + 4)
    assert second.tolist() == [3, 4, 5, 6]


@pytest.mark.parametrize("version", ["3.6", "3.7"])
def test_the_same_on_the_oldest_boards(version: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest Python, numpy and ONNX Runtime; the bytes are those of the newest."""
    python = pythons.OLD_PYTHONS[version]
    if python is None:
        pytest.skip(f"no Python {version} under pyenv")
    folders = runtimes.fetched(wheels.choose("onnxruntime", wheels.Platform(version, "x86_64", (2, 28))))
    given = job(tmp_path, onnx_networks.several(tmp_path / "net.onnx"), "onnxruntime", SEVERAL)
    old = answer(tmp_path, python, given, packages=folders)
    assert old["status"] == "ok", old["text"]
    assert old["outputs_sha256"] == run(tmp_path, given)["outputs_sha256"]


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "int8", "uint8", "int16", "int32", "int64", "bool"])
def test_every_element_type_goes_through(dtype: str, tmp_path: Path) -> None:
    values = np.arange(6).reshape(2, 1, 3).astype(dtype)
    given = job(tmp_path, onnx_networks.same(tmp_path / "net.onnx", dtype), "onnxruntime", {"x": values})
    found = run(tmp_path, given)
    assert found["status"] == "ok", found["text"]
    assert (tmp_path / "outputs").read_bytes() == values.tobytes()


def test_outputs_whose_sizes_differ_are_told_sample_by_sample(tmp_path: Path) -> None:
    values = np.zeros((3, 1, 8), np.float32)
    values[1, 0, :3] = 1
    found = run(tmp_path, job(tmp_path, onnx_networks.varying(tmp_path / "n.onnx"), "onnxruntime", {"x": values}))
    assert found["outputs"]["tensors"][0]["shapes"] == [[2, 0], [2, 3], [2, 0]]
    assert found["outputs"]["bytes"] == 48


def test_large_outputs_come_back_of_fewer_samples(tmp_path: Path) -> None:
    model = onnx_networks.wide(tmp_path / "net.onnx", 1000)
    given = job(tmp_path, model, "onnxruntime", {"x": np.ones((5, 1, 1), np.float32)})
    found = run(tmp_path, replace(given, outputs=KeptOutputs(str(tmp_path / "outputs"), limit=9000)))
    assert (found["outputs"]["samples"], found["outputs"]["bytes"]) == (2, 8000)
    assert (tmp_path / "outputs").stat().st_size == 8000
    assert found["outputs"]["sha256"] != found["outputs_sha256"]


def test_outputs_that_are_known_are_not_kept_again(tmp_path: Path) -> None:
    given = job(
        tmp_path, onnx_networks.scaled(tmp_path / "net.onnx"), "onnxruntime", {"x": np.ones((2, 1, 4), np.float32)}
    )
    digest = run(tmp_path, given)["outputs_sha256"]
    known = KeptOutputs(str(tmp_path / "outputs"), known=(digest,))
    again = run(tmp_path, replace(given, outputs=known))
    assert (again["outputs"], again["outputs_sha256"]) == (None, digest)
    assert not (tmp_path / "outputs").exists()


def test_a_network_that_draws_is_not_stable_and_one_without_numbers_is_counted(tmp_path: Path) -> None:
    values = {"x": np.full((2, 1, 4), 0.5, np.float32)}
    for model, stable, wrong in (
        (onnx_networks.drawing(tmp_path / "drawing.onnx"), False, 0),
        (onnx_networks.logarithm(tmp_path / "logarithm.onnx"), True, 4),  # both passes
    ):
        given = job(tmp_path, model, "onnxruntime", values)
        found = run(tmp_path, replace(given, passes=replace(given.passes, min_runs=3, max_ns=10**15)))
        assert (found["predictions_stable"], found["not_finite"]) == (stable, wrong)


def test_tflite_takes_tensors_and_gives_the_first_output_as_before(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (2, 48, 48, 1)).astype(np.uint8)
    model = MODELS / "mobilenet-v3-small" / "int8.tflite"
    np.save(tmp_path / "own.npy", pixels)
    images = replace(
        order(tmp_path, model, "litert", ()), inputs=str(tmp_path / "own.npy"),
        inputs_sha256=sha256_file(tmp_path / "own.npy"), outputs=KeptOutputs(str(tmp_path / "outputs")),
    )  # fmt: skip
    before = run(tmp_path, images)
    tensors = (pixels.astype(np.int16) - 128).astype(np.int8)[:, np.newaxis]
    now = run(tmp_path, job(tmp_path, model, "litert", {"pixels": tensors}))
    assert now["outputs_sha256"] == before["outputs_sha256"], now.get("text")
    assert len(before["predictions"]) == 2


def test_tflite_inputs_are_resized(tmp_path: Path) -> None:
    """A batch of two, which the file doesn't have."""
    model = MODELS / "mobilenet-v3-small" / "int8.tflite"
    given = job(tmp_path, model, "litert", {"pixels": np.zeros((1, 2, 48, 48, 1), np.int8)})
    found = run(tmp_path, given)
    assert found["status"] == "ok", found["text"]
    assert found["outputs"]["tensors"][0]["shapes"] == [[2, 7]]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"tensors": (InputTensor("x", (1, 5), "float32"),)}, "bad-inputs"),
        ({"tensors": (InputTensor("x", (1, 4), "float64"),)}, "bad-inputs"),
        ({"tensors": (InputTensor("other", (1, 4), "float32"),)}, "bad-model"),
    ],
)
def test_inputs_that_do_not_fit_are_refused(change: dict[str, Any], code: str, tmp_path: Path) -> None:
    model = onnx_networks.scaled(tmp_path / "net.onnx")
    given = job(tmp_path, model, "onnxruntime", {"x": np.ones((2, 1, 4), np.float32)}, **change)
    found = run(tmp_path, given)
    assert (found["status"], found["code"]) == ("error", code), found["text"]
