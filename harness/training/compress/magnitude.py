"""Zeroing of single weights in a TFLite file, as in the paper's day, for comparison with the removal of channels.

The smallest weights of all convolutions and dense layers together, by magnitude as stored in the file (batch
normalisation folded in), are set to zero in the file itself, without tuning afterwards. Scales stay the same, since
they come from the largest weights. Neither TensorFlow nor Keras is needed.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

KINDS = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED")
Weights = tuple[npt.NDArray[Any], npt.NDArray[np.float32]]


def weights(content: bytearray) -> list[Weights]:
    """For each layer, its codes inside ``content`` (a TFLite file, fp32 or int8), writable, and their magnitudes."""
    from ai_edge_litert import schema_py_generated as schema

    model = schema.Model.GetRootAsModel(content, 0)
    graph, by_tensor = model.Subgraphs(0), {}
    weighted = {getattr(schema.BuiltinOperator, kind) for kind in KINDS}
    for k in range(graph.OperatorsLength()):
        operator = graph.Operators(k)
        if model.OperatorCodes(operator.OpcodeIndex()).BuiltinCode() not in weighted:
            continue
        number = operator.Inputs(1)
        tensor = graph.Tensors(number)
        whole = tensor.Type() == schema.TensorType.INT8
        raw = model.Buffers(tensor.Buffer()).DataAsNumpy()
        codes = raw.view(np.int8 if whole else np.float32).reshape(tensor.ShapeAsNumpy())
        size = np.abs(codes.astype(np.float32))
        if whole:
            scales = tensor.Quantization().ScaleAsNumpy()
            shape = [1] * codes.ndim
            shape[tensor.Quantization().QuantizedDimension()] = -1
            size *= scales.reshape(shape) if len(scales) > 1 else scales[0]
        by_tensor[number] = (codes, size)
    return list(by_tensor.values())


def zeroed(content: bytes, share: float) -> tuple[bytes, float]:
    """The file with this share (0 to below 1) of all weights, the smallest, at zero; and the share that is zero."""
    changed = bytearray(content)
    layers = weights(changed)
    every = np.concatenate([size.ravel() for _, size in layers])
    limit = np.partition(every, round(share * every.size))[round(share * every.size)] if share else -1.0
    for codes, size in layers:
        codes[size < limit] = 0
    return bytes(changed), float(np.mean(np.concatenate([codes.ravel() == 0 for codes, _ in layers])))
