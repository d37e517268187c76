"""Parameters of an ONNX file: how many there are, and in which numbers."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from harness.records.manifest import Variant

_FLOAT16 = ("FLOAT16", "BFLOAT16")
_FLOATS = ("FLOAT", "DOUBLE", *_FLOAT16)
_SMALL = ("INT8", "UINT8", "INT4", "UINT4", "INT16", "UINT16", "FLOAT8E4M3FN", "FLOAT8E5M2")
#: Inputs that are no weights but scales, zero points, limits and the like, by operator.
_SETTINGS: dict[str, tuple[int, ...]] = {
    "QuantizeLinear": (1, 2),
    "DequantizeLinear": (1, 2),
    "QLinearConv": (1, 2, 4, 5, 6, 7),
    "QLinearMatMul": (1, 2, 4, 5, 6, 7),
    "QGemm": (1, 2, 4, 5, 7, 8),
    "ConvInteger": (2, 3),
    "MatMulInteger": (2, 3),
    "MatMulIntegerToFloat": (2, 3, 4, 5),
    "DynamicQuantizeMatMul": (2, 3),
    "MatMulNBits": (2, 3),
    "Clip": (1, 2),
    "Pad": (2,),
    "Resize": (1, 2),
    "Upsample": (1,),
    "Dropout": (1,),
}
#: Operators whose inputs may be 32-bit integers that stand for floats: biases.
_BIASES = {"DequantizeLinear": 0, "QLinearConv": 8, "QGemm": 6}
#: Nodes that make integers of activations with fixed scales.
_STATIC = frozenset(("QuantizeLinear", "QLinearConv", "QLinearMatMul", "QGemm"))


@dataclass(frozen=True)
class Weights:
    """The number of parameters, and the variant that they and the activations make of the file."""

    parameters: int
    variant: Variant


def weigh(model: Any) -> Weights:
    """Count the values of all constants that are parameters."""
    import onnx

    uses: dict[str, list[tuple[str, int]]] = defaultdict(list)
    kinds: Counter[str] = Counter()
    operators = set()
    for graph in graphs(model.graph):
        for node in graph.node:
            operators.add(node.op_type)
            for place, name in enumerate(node.input):
                uses[name].append((node.op_type, place))
    for graph in graphs(model.graph):
        for name, tensor in constants(graph):
            number = tensor.data_type
            kind = onnx.TensorProto.DataType.Name(number) if number in onnx.TensorProto.DataType.values() else ""
            if tensor.dims and min(tensor.dims) > 0 and _is_parameter(kind, uses.get(name, [])):
                kinds[kind] += math.prod(tensor.dims)
    return Weights(sum(kinds.values()), _variant(model, kinds, operators))


def graphs(graph: Any) -> Iterator[Any]:
    """A graph and all graphs in it."""
    yield graph
    for node in graph.node:
        for attribute in node.attribute:
            for inner in (attribute.g, *attribute.graphs):
                if inner.node or inner.initializer:
                    yield from graphs(inner)


def constants(graph: Any) -> Iterator[tuple[str, Any]]:
    """The constant tensors of a graph, the graphs in it left out, by the names of their values."""
    for tensor in graph.initializer:
        yield tensor.name, tensor
    for sparse in graph.sparse_initializer:
        yield sparse.values.name, sparse.values
    for node in graph.node:
        if node.op_type == "Constant" and node.output:
            for attribute in node.attribute:
                if attribute.name == "value":
                    yield node.output[0], attribute.t


def _is_parameter(kind: str, uses: list[tuple[str, int]]) -> bool:
    if uses and all(place in _SETTINGS.get(operator, ()) for operator, place in uses):
        return False
    if kind == "INT32":
        return any(_BIASES.get(operator) == place for operator, place in uses)
    return kind in _FLOATS or kind in _SMALL


def _variant(model: Any, kinds: Counter[str], operators: set[str]) -> Variant:
    if not kinds:
        inputs = [value.type.tensor_type.elem_type for value in model.graph.input]
        return "fp16" if inputs and set(inputs) <= {10, 16} else "fp32"
    kind = kinds.most_common(1)[0][0]
    if kind in _FLOAT16:
        return "fp16"
    if kind in _FLOATS:
        return "fp32"
    return "int8" if operators & _STATIC else "dynamic"
