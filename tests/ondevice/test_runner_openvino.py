"""OpenVINO by the shipped runner: what it proves of itself, and networks of any kind beside what others answer."""

from __future__ import annotations

import json
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.config.devices import parse
from harness.records import manifest as manifests
from harness.records.answer import RunnerResult, parse_answer
from harness.records.cell import RuntimeInfo
from harness.records.order import KeptOutputs, Order
from harness.remote.runner_file import runner_file
from harness.run.images import prepare
from harness.run.inventory import Shipped
from harness.run.plan import CellJob
from harness.run.verdict.fallback import fallbacks
from tests.conftest import MODELS
from tests.support import onnx_networks
from tests.support.manifests import ARTIFACT, MANIFEST
from tests.support.runner_jobs import order
from tests.support.tensor_jobs import SEVERAL, job, python_with, run

pytestmark = pytest.mark.slow

PRUNED = MODELS / "resvgg19-pruned"


def images(folder: Path, model: Path, runtime: str, variant: str, **changes: Any) -> Order:
    """An order for four of the network's test images."""
    split = manifests.load(MODELS, PRUNED.name).split
    assert split is not None
    test = prepare(split, samples=4)
    given = replace(
        order(folder, model, runtime, ()), inputs=str(test.file), inputs_sha256=test.file_sha256, variant=variant,
        outputs=KeptOutputs(str(folder / "outputs")),
    )  # fmt: skip
    return replace(given, **changes)


def scores(folder: Path, found: dict[str, Any]) -> Any:
    """The outputs that were kept, as real numbers from 0 to 1."""
    (tensor,) = found["outputs"]["tensors"]
    values = np.frombuffer((folder / "outputs").read_bytes(), tensor["dtype"]).reshape(4, 7).astype(float)
    return values if tensor["dtype"] == "float32" else (values + 128) / 256


@pytest.mark.parametrize("file", ["fp32.tflite", "fp32.onnx", "int8.tflite", "int8.onnx", "fp16.tflite"])
def test_it_answers_as_the_formats_own_runtime_does(file: str, tmp_path: Path) -> None:
    variant, _, fmt = file.partition(".")
    theirs = "litert" if fmt == "tflite" else "onnxruntime"
    expected = run(tmp_path, images(tmp_path, PRUNED / file, theirs, variant))
    wanted = scores(tmp_path, expected)
    found = run(tmp_path, images(tmp_path, PRUNED / file, "openvino", variant))
    assert found["status"] == "ok", found["text"]
    assert found["predictions"] == expected["predictions"]
    np.testing.assert_allclose(scores(tmp_path, found), wanted, atol=0.03 if variant == "int8" else 0.002)


@pytest.mark.parametrize(
    ("file", "asked"), [("fp32.tflite", "float32"), ("fp32.onnx", "float32"), ("int8.onnx", "int8")]
)
def test_it_proves_device_precision_layers_and_threads(file: str, asked: str, tmp_path: Path) -> None:
    given = images(tmp_path, PRUNED / file, "openvino", file.partition(".")[0], threads=2)
    found = run(tmp_path, given)
    assert found["status"] == "ok", found["text"]
    answer = parse_answer((tmp_path / "result.json").read_bytes(), "c")
    proof = answer.delegate  # type: ignore[union-attr]
    assert (proof.applied, proof.precision_asked, proof.threads) == ("cpu", asked, 2)
    assert set(proof.precisions) <= {asked, "float32"}
    assert proof.precisions[asked] >= 5
    assert sum(kernel.count for kernel in proof.kernels) == proof.nodes_total == proof.nodes_delegated
    assert "Convolution" in {kernel.layer for kernel in proof.kernels}
    assert found["runtime_version"][:2] == "20"


def test_several_inputs_a_scalar_open_sizes_and_outputs_of_any_type(tmp_path: Path) -> None:
    model = onnx_networks.several(tmp_path / "net.onnx")
    expected = run(tmp_path, job(tmp_path, model, "onnxruntime", SEVERAL, variant="fp32"))
    found = run(tmp_path, job(tmp_path, model, "openvino", SEVERAL, variant="fp32"))
    assert (found["status"], found["predictions_stable"]) == ("ok", True), found.get("text")
    assert found["outputs"] == expected["outputs"]


@pytest.mark.parametrize("dtype", ["float16", "float32", "int8", "uint8", "int32", "int64", "bool"])
def test_every_element_type_goes_through(dtype: str, tmp_path: Path) -> None:
    values = np.arange(6).reshape(2, 1, 3).astype(dtype)
    model = onnx_networks.same(tmp_path / "net.onnx", dtype)
    found = run(tmp_path, job(tmp_path, model, "openvino", {"x": values}, variant="fp32"))
    assert found["status"] == "ok", found["text"]
    assert (tmp_path / "outputs").read_bytes() == values.tobytes()


def test_outputs_whose_sizes_differ_are_told_sample_by_sample(tmp_path: Path) -> None:
    values = np.zeros((3, 1, 8), np.float32)
    values[1, 0, :3] = 1
    given = job(tmp_path, onnx_networks.varying(tmp_path / "n.onnx"), "openvino", {"x": values}, variant="fp32")
    found = run(tmp_path, given)
    assert found["status"] == "ok", found["text"]
    assert found["outputs"]["tensors"][0]["shapes"] == [[2, 0], [2, 3], [2, 0]]


def test_a_tflite_file_takes_tensors_and_another_batch(tmp_path: Path) -> None:
    values = np.random.default_rng(0).integers(-128, 128, (3, 2, 48, 48, 1)).astype(np.int8)
    model = MODELS / "mobilenet-v3-small" / "int8.tflite"
    wanted = run(tmp_path, job(tmp_path, model, "litert", {"pixels": values}))
    expected = np.frombuffer((tmp_path / "outputs").read_bytes(), np.int8).astype(int)
    found = run(tmp_path, job(tmp_path, model, "openvino", {"pixels": values}))
    assert found["status"] == "ok", found["text"]
    assert found["outputs"]["tensors"][0]["shapes"] == wanted["outputs"]["tensors"][0]["shapes"] == [[2, 7]]
    near = np.frombuffer((tmp_path / "outputs").read_bytes(), np.int8).astype(int)
    assert np.abs(near - expected).max() <= 25  # of 255 steps


def test_each_layers_time_is_told(tmp_path: Path) -> None:
    given = images(tmp_path, PRUNED / "fp32.tflite", "openvino", "fp32", profile=True)
    found = run(tmp_path, given)
    profile = found["profile"]
    assert (profile["how"], profile["runs"]) == ("OpenVINO's performance counters", 4)
    assert "Convolution" in {node["op"] for node in profile["nodes"]}
    assert all(node["calls"] == 4 for node in profile["nodes"])


def test_a_device_that_it_has_not_here_and_inputs_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    model, values = onnx_networks.scaled(tmp_path / "net.onnx"), {"x": np.ones((2, 1, 4), np.float32)}
    found = run(tmp_path, job(tmp_path, model, "openvino", values, delegate="gpu"))
    assert (found["status"], found["code"]) == ("error", "delegate-unsupported"), found["text"]
    several = onnx_networks.several(tmp_path / "several.onnx")
    found = run(tmp_path, job(tmp_path, several, "openvino", {"a": SEVERAL["a"]}))
    assert (found["status"], found["code"], found["text"]) == ("error", "bad-model", "takes 3 inputs, not 1")


def test_no_compiled_network_is_left_on_the_disk(tmp_path: Path) -> None:
    run(tmp_path, images(tmp_path, PRUNED / "fp32.tflite", "openvino", "fp32"))
    assert {path.name for path in tmp_path.iterdir()} == {"images.npy", "outputs", "job.json", "result.json"}
    assert json.loads((tmp_path / "result.json").read_text())["status"] == "ok"


def test_a_runtime_that_computes_in_half_precision_unasked_is_found_and_named(tmp_path: Path) -> None:
    """OpenVINO left to itself takes bfloat16 on a processor that has it; here a runner that lets it."""
    if "avx512_bf16" not in Path("/proc/cpuinfo").read_text():
        pytest.skip("this processor has no bfloat16")
    given = images(tmp_path, PRUNED / "fp32.tflite", "openvino", "fp32")
    there = python_with("openvino")
    given = replace(given, packages=there.packages)
    (tmp_path / "job.json").write_text(given.to_json())
    text = runner_file().read_text()
    asking = '"INFERENCE_PRECISION_HINT": self.asked,'
    assert text.count(asking) == 1
    (tmp_path / "runner.py").write_text(text.replace(asking, ""))
    words = [
        str(tmp_path / "runner.py"),
        "--job",
        str(tmp_path / "job.json"),
        "--result",
        str(tmp_path / "result.json"),
    ]
    subprocess.run([str(there.python), "-s", *words], check=True, timeout=300)
    answer = parse_answer((tmp_path / "result.json").read_bytes(), "c")
    assert isinstance(answer, RunnerResult)
    device = parse("devices:\n- {name: here, board: generic, local: true}\n").devices[0]
    asked = CellJob("c", device, Shipped(MANIFEST, ARTIFACT, PRUNED), "openvino", "cpu", threads=1, samples=None)
    runtime = RuntimeInfo(name="openvino", delegate="cpu", delegate_applied="cpu", delegate_verified=True, threads=1)
    (said,) = fallbacks(asked, answer, runtime)
    assert said.startswith("asked for float32, the board computed in bfloat16 (")
