"""What comes out of a network: scores are counted, what is no score per class is refused by name, on a real runtime."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.core.files import sha256_file
from harness.remote.runner_file import runner_file
from tests.support import model_outputs

onnxruntime = pytest.importorskip("onnxruntime")
pytest.importorskip("onnx")

pytestmark = pytest.mark.slow


def answer(folder: Path, content: bytes, *, ending: str = "onnx", quantised: bool = False) -> dict[str, Any]:
    """What the runner says of a network, five images of noise."""
    images, model = folder / "images.npy", folder / f"model.{ending}"
    np.save(images, np.random.default_rng(1).integers(0, 256, (5, 48, 48, 1), np.uint8))
    model.write_bytes(content)
    job = {
        "cell": "c", "model": str(model), "model_sha256": sha256_file(model), "inputs": str(images),
        "inputs_sha256": sha256_file(images), "runtime": "onnxruntime" if ending == "onnx" else "litert",
        "delegate": "cpu", "threads": 1, "classes": 7, "quantised_output": quantised,
        "warmup": {"min_runs": 1, "min_ns": 0, "max_runs": 1}, "passes": {"min_runs": 10, "min_ns": 0, "max_ns": 10**9},
    }  # fmt: skip
    (folder / "job.json").write_text(json.dumps(job), encoding="utf-8")
    site = Path(str(onnxruntime.__file__)).parents[1]
    files = ["--job", str(folder / "job.json"), "--result", str(folder / "r.json")]
    subprocess.run(
        [sys.executable, "-s", str(runner_file()), *files],
        check=False, timeout=120, capture_output=True, env={**os.environ, "PYTHONPATH": str(site)},
    )  # fmt: skip
    found = json.loads((folder / "r.json").read_text(encoding="utf-8"))
    assert isinstance(found, dict)
    return found


@pytest.mark.parametrize(
    "made",
    [
        {},
        {"then": "Identity"},
        {"then": "float16"},
        {"then": "float64"},
        {"then": "Identity", "weights": 0.0},
        {"shape": (1, 7, 1, 1)},
        {"shape": (7,)},
    ],
)
def test_scores_of_every_kind_count(made: dict[str, Any], tmp_path: Path) -> None:
    """Logits or shares, wide or narrow; a tie is an answer, too."""
    found = answer(tmp_path, model_outputs.linear(**made))
    assert (found["status"], found.get("not_finite")) == ("ok", 0), found.get("text")


@pytest.mark.parametrize("weights", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("then", ["Identity", "Softmax", "float16"])
def test_numbers_that_are_none_are_counted(weights: float, then: str, tmp_path: Path) -> None:
    found = answer(tmp_path, model_outputs.linear(weights=weights, then=then))
    assert (found["status"], found["not_finite"]) == ("ok", len(found["latency_ns"]))


def test_one_image_of_five_counts_in_each_pass(tmp_path: Path) -> None:
    """Only too bright an image overflows float16: the sum of its pixels is beyond 65,504."""
    found = answer(tmp_path, model_outputs.linear(weights=65504 / 294_000, then="float16"))
    assert found["status"] == "ok"
    assert 0 < found["not_finite"] < len(found["latency_ns"])


@pytest.mark.parametrize(
    ("made", "said"),
    [
        ({"then": "ArgMax"}, "output 'scores' is int64 [1, 1], which are no scores"),
        ({"then": "int32"}, "output 'scores' is int32 [1, 7], which are no scores"),
        ({"then": "uint8"}, "output 'scores' is uint8 [1, 7], which are no scores"),
        ({"then": "bool"}, "output 'scores' is bool [1, 7], which are no scores"),
        ({"then": "QuantizeLinear"}, "output 'scores' is int8 [1, 7], which are no scores"),
        ({"classes": 8}, "output 'scores' is float32 [1, 8], and there are 7 classes"),
        ({"classes": 1}, "output 'scores' is float32 [1, 1], which is no single row of scores"),
        ({"classes": 14, "shape": (2, 7)}, "output 'scores' is float32 [2, 7], which is no single row of scores"),
        ({"classes": 49, "shape": (1, 7, 7)}, "output 'scores' is float32 [1, 7, 7], which is no single row of scores"),
    ],
)
def test_what_is_no_score_per_class_is_refused_by_name(made: dict[str, Any], said: str, tmp_path: Path) -> None:
    found = answer(tmp_path, model_outputs.linear(**made))
    assert (found["status"], found.get("code"), found.get("text")) == ("error", "no-scores", said)


def test_quantised_scores_stay_scores(tmp_path: Path) -> None:
    found = answer(tmp_path, model_outputs.linear(then="QuantizeLinear"), quantised=True)
    assert (found["status"], found.get("not_finite")) == ("ok", 0), found.get("text")


def tflite(kind: str) -> bytes:
    """A TFLite network whose output is NaN, a class number, or a row of ten."""
    import tensorflow as tf

    weights = np.full((48 * 48, 10 if kind == "ten" else 7), np.nan if kind == "nan" else 0.001, np.float32)

    @tf.function(input_signature=[tf.TensorSpec((1, 48, 48, 1), tf.float32)])
    def network(image: Any) -> Any:
        sums = tf.matmul(tf.reshape(image, (1, 48 * 48)), weights)
        return tf.argmax(sums, axis=1) if kind == "number" else tf.nn.softmax(sums)

    converter = tf.lite.TFLiteConverter.from_concrete_functions([network.get_concrete_function()])
    return bytes(converter.convert())


@pytest.mark.train
@pytest.mark.filterwarnings("ignore")
def test_the_same_holds_for_tflite(tmp_path: Path) -> None:
    pytest.importorskip("tensorflow")
    found = answer(tmp_path, tflite("nan"), ending="tflite")
    assert (found["status"], found.get("not_finite")) == ("ok", len(found["latency_ns"]))
    for kind, said in (("number", "is int64 [1], which are no scores"), ("ten", "is float32 [1, 10], and there are 7")):
        found = answer(tmp_path, tflite(kind), ending="tflite")
        assert (found["status"], found.get("code")) == ("error", "no-scores")
        assert found["text"].startswith("output '")
        assert said in found["text"]
