"""Small ONNX networks whose outputs are whatever a test needs, on their own or in place of a shipped file."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np

from tests.conftest import MODELS

NET = "mobilenet-v3-small"


def linear(
    *, weights: float | None = None, classes: int = 7, then: str = "Softmax", shape: tuple[int, ...] = ()
) -> bytes:
    """Flatten, MatMul, and a last step: an image's scores under the name ``scores``.

    Args:
        weights: what every weight is; small random numbers where None.
        classes: columns of the product.
        then: ``Softmax``, ``ArgMax``, ``Identity``, ``QuantizeLinear``, or a type to cast to: ``float16``, ``int32``.
        shape: what the output is reshaped to at last.
    """
    from onnx import TensorProto, helper, numpy_helper

    drawn = np.random.default_rng(0).normal(0, 1e-3, (48 * 48, classes)).astype(np.float32)
    constants = {"w": drawn if weights is None else np.full_like(drawn, weights)}
    nodes = [helper.make_node("Flatten", ["image"], ["flat"]), helper.make_node("MatMul", ["flat", "w"], ["sums"])]
    kinds = {"float16": TensorProto.FLOAT16, "float64": TensorProto.DOUBLE, "int32": TensorProto.INT32,
             "uint8": TensorProto.UINT8, "bool": TensorProto.BOOL}  # fmt: skip
    out: Any = TensorProto.FLOAT
    last = "scores" if not shape else "row"
    if then == "ArgMax":
        nodes.append(helper.make_node("ArgMax", ["sums"], [last], axis=1))
        out = TensorProto.INT64
    elif then == "QuantizeLinear":
        constants |= {"scale": np.float32(1 / 256), "zero": np.int8(-128)}
        nodes += [
            helper.make_node("Softmax", ["sums"], ["soft"]),
            helper.make_node("QuantizeLinear", ["soft", "scale", "zero"], [last]),
        ]
        out = TensorProto.INT8
    elif then in kinds:
        nodes.append(helper.make_node("Cast", ["sums"], [last], to=kinds[then]))
        out = kinds[then]
    else:
        nodes.append(helper.make_node(then, ["sums"], [last]))
    if shape:
        constants["shape"] = np.array(shape, np.int64)
        nodes.append(helper.make_node("Reshape", ["row", "shape"], ["scores"]))
    graph = helper.make_graph(
        nodes, "made",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 48, 48, 1])],
        [helper.make_tensor_value_info("scores", out, None)],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    return bytes(model.SerializeToString())


def shipped_with(folder: Path, content: bytes) -> Path:
    """A folder of models with ``content`` as ``int8.onnx`` of a shipped network, its manifest made to fit."""
    models = folder / "models"
    shutil.copytree(MODELS / NET, models / NET)
    (models / NET / "int8.onnx").write_bytes(content)
    path = models / NET / "manifest.json"
    manifest = json.loads(path.read_text(encoding="utf-8"))
    for artifact in manifest["artifacts"]:
        if (artifact["variant"], artifact["format"]) == ("int8", "onnx"):
            artifact.update(sha256=hashlib.sha256(content).hexdigest(), bytes=len(content))
    path.write_text(json.dumps(manifest), encoding="utf-8")
    return models
