"""Bias correction of an int8 TFLite file (Nagel et al., "Data-Free Quantization Through Weight Equalization and Bias
Correction", ICCV 2019, its empirical form): the mean shift caused by quantisation is removed, layer by layer.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from harness.training.arrays import Images
from harness.training.compress.magnitude import KINDS
from harness.training.train.epochs import as_input

Means = npt.NDArray[np.float64]
#: images that pass through the network for each correction; there are as many corrections as layers
IMAGES = 64


@dataclass(frozen=True)
class _Layer:
    """A layer with a bias of its own: name and number of its output, the bias's codes inside the file, their scales."""

    name: str
    output: int
    codes: npt.NDArray[np.int32]
    scales: npt.NDArray[np.float32]


def corrected(int8: bytes, fp32: bytes, images: Images) -> bytes:
    """The int8 file with biases such that each channel's mean equals that of the fp32 file of the same model.

    Layers are corrected in order, each after those before it. Where an activation is part of the layer, the mean is
    taken after the activation, which makes the correction smaller than it could be.

    Args:
        images: uint8 (N, h, w[, 3]), training images; every k-th is used.
    """
    chosen = images[:: max(1, len(images) // IMAGES)][:IMAGES]
    content = bytearray(int8)
    layers = _layers(content)
    numbers = _outputs(fp32)
    known = [layer for layer in layers if layer.name in numbers]
    targets = _means(fp32, [numbers[layer.name] for layer in known], chosen)
    for layer, mean in zip(known, targets, strict=True):
        (now,) = _means(bytes(content), [layer.output], chosen)
        layer.codes[:] += np.round((mean - now) / layer.scales).astype(np.int32)
    return bytes(content)


def _layers(content: bytearray) -> list[_Layer]:
    from ai_edge_litert import schema_py_generated as schema

    model = schema.Model.GetRootAsModel(content, 0)
    graph = model.Subgraphs(0)
    weighted = {getattr(schema.BuiltinOperator, kind) for kind in KINDS}
    layers, buffers = [], []
    for k in range(graph.OperatorsLength()):
        operator = graph.Operators(k)
        kind = model.OperatorCodes(operator.OpcodeIndex()).BuiltinCode()
        if kind not in weighted or operator.InputsLength() < 3 or operator.Inputs(2) < 0:
            continue
        bias, output = graph.Tensors(operator.Inputs(2)), graph.Tensors(operator.Outputs(0))
        codes = model.Buffers(bias.Buffer()).DataAsNumpy().view(np.int32)
        scales = bias.Quantization().ScaleAsNumpy()
        layers.append(_Layer(output.Name().decode(), operator.Outputs(0), codes, scales))
        buffers.append(bias.Buffer())
    shared = Counter(buffers)  # a bias shared by two layers can't be right for both
    return [layer for layer, buffer in zip(layers, buffers, strict=True) if shared[buffer] == 1]


def _outputs(content: bytes) -> dict[str, int]:
    """Numbers of all tensors by name."""
    return {details["name"]: details["index"] for details in _interpreter(content).get_tensor_details()}


def _interpreter(content: bytes) -> Any:
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    interpreter = Interpreter(
        model_content=content,
        num_threads=1,
        # XNNPACK would hide the tensors between layers
        experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
        experimental_preserve_all_tensors=True,
    )
    interpreter.allocate_tensors()
    return interpreter


def _means(content: bytes, tensors: Sequence[int], images: Images) -> list[Means]:
    """The mean of each channel of these tensors, de-quantised, over images and positions."""
    interpreter = _interpreter(content)
    details = {entry["index"]: entry for entry in interpreter.get_tensor_details()}
    taken = interpreter.get_input_details()[0]
    scale, zero = taken["quantization"]
    sums = [np.zeros(int(details[k]["shape"][-1]), dtype=np.float64) for k in tensors]
    for image in images:
        pixels = as_input(image[None])
        # an int8 input's scale is 1, see export_tflite
        interpreter.set_tensor(taken["index"], (pixels / scale + zero if scale else pixels).astype(taken["dtype"]))
        interpreter.invoke()
        for k, total in zip(tensors, sums, strict=True):
            factor, offset = details[k]["quantization"]
            values = interpreter.get_tensor(k).astype(np.float64)
            values = (values - offset) * factor if factor else values
            total += values.reshape(-1, values.shape[-1]).mean(axis=0)
    return [total / len(images) for total in sums]
