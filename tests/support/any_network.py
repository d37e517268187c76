"""Cells of networks and data that nobody here made: inputs without labels, other classes, a regression."""

from __future__ import annotations

import random
from typing import Any

from benchmarks.made.cells import device, make_cell, sha
from harness.records.cell import Cell, DeviceInfo, Metric, ModelInfo, SplitInfo
from harness.records.golden import OutputsCheck, Reference, TensorDifference
from harness.records.manifest import Artifact, Manifest, TensorSpec

HERE = device("here", "generic", emulated=False)
PI4 = device()
REFERENCE = Reference(runtime="onnxruntime", version="1.31.1", machine="x86_64", sha256="a" * 64)
PETS = ("cat", "dog", "parrot")


def difference(name: str = "scores", times: float = 0.25, **changes: Any) -> TensorDifference:
    """An output tensor that lies ``times`` its limit from the golden one."""
    fields: dict[str, Any] = {
        "name": name, "dtype": "float32", "max_abs": times * 2e-3, "max_rel": times * 1e-3, "rms_rel": times * 1e-4,
        "cosine": 1.0, "tolerance": 1e-3,
    }  # fmt: skip
    return TensorDifference(**(fields | changes))


def outputs(*tensors: TensorDifference, samples: int = 8) -> OutputsCheck:
    """A comparison with golden outputs."""
    return OutputsCheck(reference=REFERENCE, samples=samples, tensors=tensors or (difference(),))


def _cell(cell: Cell, split: dict[str, Any], **changes: Any) -> Cell:
    """The made-up cell on other samples; its latencies are those of whole passes over them."""
    found = SplitInfo(**({"dataset": "made up", "synthetic": False, "seed": 0, "classes": (), "labels": ()} | split))
    latency = cell.latency_ns[: len(cell.latency_ns) // found.n * found.n]
    name = cell.cell.rpartition("+")[0]
    fields = {name: getattr(cell, name) for name in type(cell).model_fields} | {
        "split": found, "latency_ns": latency, "predictions": (), "accuracy": None,
        "cell": f"{name}+{found.scheme}-{found.sha256[:8]}",
    }  # fmt: skip
    return Cell(**(fields | changes))


def unlabelled(
    model: str = "voice", dev: DeviceInfo = HERE, *, median_ms: float = 3.0, fmt: str = "onnx", **changes: Any
) -> Cell:
    """A cell of a foreign file on eight random inputs: nothing judges it, and nobody counted its MACs."""
    cell = make_cell(model, "fp32", dev, fmt=fmt, median_ms=median_ms, status=changes.pop("status", "VALID"))
    info = ModelInfo(name=model, variant="fp32", format=fmt, sha256=sha(model), parameters=None, macs=None,
                     bytes=2_300_000, source=f"{model}.{fmt}")  # fmt: skip
    split = {"dataset": "random values", "synthetic": True, "scheme": "seeded", "n": 8, "sha256": sha(model, "inputs")}
    failed = cell.status == "FAILED"
    return _cell(cell, split, **({"model": info, "outputs": None if failed else outputs()} | changes))


def judged_by(
    metric: str = "mae", model: str = "ages", dev: DeviceInfo = HERE, *, value: float = 4.0, median_ms: float = 5.0,
    higher_is_better: bool = False, seed: int = 0, **changes: Any,
) -> Cell:  # fmt: skip
    """A cell of a task with 40 samples and a metric that is no share of right classes."""
    rng = random.Random(seed)
    per_sample = [abs(rng.gauss(value, value / 4)) for _ in range(40)]
    scale = value * 40 / sum(per_sample)
    found = Metric(name=metric, value=value, higher_is_better=higher_is_better,
                   per_sample=tuple(x * scale for x in per_sample))  # fmt: skip
    split = {"dataset": "portraits.csv", "scheme": "column", "n": 40, "sha256": sha("portraits"), "task": "how-old",
             "labels": tuple(20.5 + i for i in range(40))}  # fmt: skip
    cell = make_cell(model, "fp32", dev, median_ms=median_ms, seed=seed)
    return _cell(cell, split, **({"metric": found} | changes))


def pets(
    model: str = "mobilenet-v2", dev: DeviceInfo = HERE, *, wrong: int = 5, median_ms: float = 8.0,
    classes: tuple[str, ...] = PETS, **changes: Any,
) -> Cell:  # fmt: skip
    """A cell of a task with 30 pictures in other classes."""
    labels = tuple(i % len(classes) for i in range(30))
    answers = tuple((label + 1) % len(classes) if i < wrong else label for i, label in enumerate(labels))
    split = {"dataset": "pets", "scheme": "folders", "n": 30, "sha256": sha("pets", classes), "task": "pets",
             "classes": classes, "labels": labels}  # fmt: skip
    cell = make_cell(model, "int8", dev, median_ms=median_ms)
    return _cell(cell, split, **({"predictions": answers, "accuracy": 1 - wrong / 30} | changes))


def foreign_manifest(name: str = "voice") -> Manifest:
    """The manifest of a file that its user added: no training, no split, no MACs."""
    tensors = (
        TensorSpec(name="input", shape=(1, 512), dtype="float32", declared=("batch", "length")),
        TensorSpec(name="sr", shape=(), dtype="int64"),
    )
    artifact = Artifact(
        variant="fp32", format="onnx", sha256=sha(name), bytes=2_300_000, inputs=tensors, outputs=tensors[:1],
        quantisation="none", operators={"If": 1, "Conv": 6}, versions={"opset": 16, "ir": 8}, source=f"{name}.onnx",
    )  # fmt: skip
    return Manifest(
        name=name, title=name, citation="", classes=(), parameters=None, macs=None,
        macs_missing="If: nobody knows which branch runs", seed=None, profile="", split=None, chain=(),
        artifacts=(artifact,), libraries={}, created="2026-11-26T20:00:00Z",
    )  # fmt: skip
