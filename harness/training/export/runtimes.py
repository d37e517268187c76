"""Runs exported files with the runtimes that boards use, so that accuracy is measured rather than assumed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from harness.core.errors import BuildError
from harness.records.manifest import TensorSpec
from harness.training.arrays import Images, Index, Weights
from harness.training.train.epochs import as_input


def probabilities(path: Path, images: Images) -> npt.NDArray[np.float64]:
    """Outputs for images uint8 (N, h, w[, 3]), one at a time, de-quantised: float64 (N, classes).

    Raises:
        BuildError: some are NaN or infinity.
    """
    answers = _litert(path, images) if path.suffix == ".tflite" else _onnx(path, images)
    if not np.isfinite(answers).all():
        raise BuildError(f"{path}: its outputs hold NaN or infinity", fix="train it again, with another --seed")
    return answers


def accuracy(path: Path, images: Images, labels: Index) -> float:
    """Share of images whose most probable class is the label."""
    return float((probabilities(path, images).argmax(1) == labels).mean())


def runtime_name(path: Path) -> str:
    """Name and version of the runtime that ``probabilities`` uses for this file."""
    import importlib.metadata as metadata

    package = "ai-edge-litert" if path.suffix == ".tflite" else "onnxruntime"
    return f"{package} {metadata.version(package)}"


def tensor_specs(path: Path) -> tuple[TensorSpec, TensorSpec]:
    """Shape, type and quantisation of the input and the output."""
    if path.suffix == ".tflite":
        interpreter = _interpreter(path)
        return _litert_spec(interpreter.get_input_details()[0]), _litert_spec(interpreter.get_output_details()[0])
    session = _session(path)
    return _onnx_spec(session.get_inputs()[0]), _onnx_spec(session.get_outputs()[0])


def _interpreter(path: Path) -> Any:
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_path=str(path), num_threads=1)
    interpreter.allocate_tensors()
    return interpreter


def _session(path: Path) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def quantise(images: Images, spec: TensorSpec) -> Weights:
    """Convert images uint8 (N, h, w[, 3]) to a model's input, (N, h, w, c): float32 0..255, or int8 by its scale."""
    pixels = as_input(images)
    if spec.dtype in ("float32", "float16"):
        return np.asarray(pixels, dtype=spec.dtype)
    codes = np.round(pixels / np.float32(spec.scale or 1.0)) + (spec.zero_point or 0)
    low, high = (-128, 127) if spec.dtype == "int8" else (0, 255)
    return np.asarray(np.clip(codes, low, high), dtype=spec.dtype)


def _litert(path: Path, images: Images) -> npt.NDArray[np.float64]:
    interpreter = _interpreter(path)
    taken, given = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
    spec, out = _litert_spec(taken), _litert_spec(given)
    rows = []
    for image in quantise(images, spec):
        interpreter.set_tensor(taken["index"], image[None])
        interpreter.invoke()
        row = interpreter.get_tensor(given["index"])[0].astype(np.float64)
        rows.append((row - (out.zero_point or 0)) * (out.scale or 1.0))
    return np.stack(rows)


def _onnx(path: Path, images: Images) -> npt.NDArray[np.float64]:
    session = _session(path)
    taken = session.get_inputs()[0]
    data = quantise(images, _onnx_spec(taken))
    rows = [session.run(None, {taken.name: image[None]})[0][0] for image in data]
    return np.stack(rows).astype(np.float64)


def _litert_spec(details: Any) -> TensorSpec:
    scale, zero = details["quantization"]
    dtype = np.dtype(details["dtype"]).name
    whole = dtype in ("int8", "uint8")
    return TensorSpec(
        shape=tuple(int(n) for n in details["shape"]),
        dtype=dtype,
        scale=float(scale) if whole else None,
        zero_point=int(zero) if whole else None,
    )


def _onnx_spec(value: Any) -> TensorSpec:
    dtype = {"tensor(float)": "float32", "tensor(float16)": "float16"}.get(value.type, value.type[7:-1])
    return TensorSpec(shape=tuple(int(n) for n in value.shape), dtype=dtype)
