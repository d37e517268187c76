"""TFLite: tensors, operators, numbers and versions of a file."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence

from harness.modelfile import tflite_graph, tflite_macs
from harness.modelfile.record import Contents, FileFormat
from harness.modelfile.shapes import Declared, Wanted, chosen, described
from harness.modelfile.source import Source
from harness.modelfile.tensors import Tensor, check_kind, check_number, spec
from harness.modelfile.tflite_graph import Graph, Subgraph
from harness.records.manifest import Variant

_FLOATS = ("float32", "float16", "float64", "bfloat16")
_SMALL = ("int2", "int4", "uint4", "int8", "uint8", "int16")
#: Operators with weights, whose other inputs are activations.
_WEIGHTED = frozenset(("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "TRANSPOSE_CONV", "CONV_3D", "BATCH_MATMUL"))


def _read(source: Source, data: bytes, shapes: Mapping[str, tuple[int, ...]]) -> Contents:
    graph = tflite_graph.parse(source, data)
    main = graph.subgraphs[0]
    check_number(source, "input", len(main.inputs))
    check_number(source, "output", len(main.outputs))
    inputs, outputs = _tensors(main, main.inputs, "input"), _tensors(main, main.outputs, "output")
    check_kind(source, "input", inputs)
    check_kind(source, "output", outputs)
    wanted = [Wanted(one.name, one.declared) for one in inputs]
    sizes = chosen(source, wanted, shapes)
    resized = [w.name for w, i, size in zip(wanted, main.inputs, sizes, strict=True) if main.tensors[i].shape != size]
    macs, missing = _macs(graph, resized)
    operators = Counter(one.name for part in graph.subgraphs for one in part.operators)
    return Contents(
        variant=_variant(graph),
        inputs=tuple(spec(one, size) for one, size in zip(inputs, sizes, strict=True)),
        outputs=tuple(spec(one, _output_shape(one, resized)) for one in outputs),
        operators=dict(operators.most_common()),
        parameters=_parameters(graph),
        macs=macs,
        macs_missing=missing,
        versions={"schema": graph.schema},
        nodes=tflite_macs.nodes(graph),
        operator_versions={name: graph.operator_versions[name] for name in operators},
        custom=tuple(sorted({one.name for part in graph.subgraphs for one in part.operators if one.custom})),
        min_runtime=graph.min_runtime,
    )


def _tensors(main: Subgraph, indices: Sequence[int], role: str) -> list[Tensor]:
    """The inputs or outputs; those without a name, or with the name of another, are numbered."""
    found: list[Tensor] = []
    by_custom = {i for one in main.operators if one.custom for i in one.outputs}
    for place, index in enumerate(indices):
        tensor = main.tensors[index]
        name = tensor.name or f"{role}_{place}"
        if name in {one.name for one in found}:
            name = f"{name}:{place}"
        declared: Declared | None = _declared(tensor)
        if role == "output" and index in by_custom:
            declared = None  # what the file says of such a tensor is often empty or wrong
        one = Tensor(name=name, dtype=tensor.dtype, declared=declared, scale=tensor.scale, zero_point=tensor.zero_point)
        found.append(one)
    return found


def _declared(tensor: tflite_graph.Tensor) -> tuple[int, ...]:
    """The sizes by the signature. A first dimension that is open is a batch, and the file has the usual size for it."""
    signature = tensor.signature
    if signature is None or len(signature) != len(tensor.shape):
        return tensor.shape
    batch = len(signature) > 1 and signature[0] == -1 and tensor.shape[0] == 1
    return (1, *signature[1:]) if batch else signature


def _output_shape(tensor: Tensor, resized: Sequence[str]) -> tuple[int, ...]:
    if tensor.declared is None:
        return (0,)
    if resized:
        return (0,) * len(tensor.declared)
    return tuple(size if isinstance(size, int) and size > 0 else 0 for size in tensor.declared)


def _macs(graph: Graph, resized: Sequence[str]) -> tuple[int | None, str]:
    tally = tflite_macs.count(graph)
    if resized and (tally.macs or tally.reasons):
        given = described(graph.subgraphs[0].tensors[graph.subgraphs[0].inputs[0]].shape)
        return None, f"the file has only the shapes of layers for its own input size, {given}"
    return tally.total, tally.missing


def _constants(graph: Graph) -> dict[int, tflite_graph.Tensor]:
    """Constant tensors that are parameters, by their buffers, since several tensors may share one."""
    found: dict[int, tflite_graph.Tensor] = {}
    for tensor in (tensor for part in graph.subgraphs for tensor in part.tensors):
        number = tensor.dtype in (*_FLOATS, *_SMALL) or tensor.quantised
        if tensor.stored and tensor.shape and number and min(tensor.shape) > 0:
            found[tensor.buffer] = tensor
    return found


def _parameters(graph: Graph) -> int | None:
    return sum(math.prod(tensor.shape) for tensor in _constants(graph).values())


def _variant(graph: Graph) -> Variant:
    """By the type of most parameters, and where that is integer, by what the weighted operators give."""
    weights: Counter[str] = Counter()
    for tensor in _constants(graph).values():
        weights[tensor.dtype] += math.prod(tensor.shape)
    main = graph.subgraphs[0]
    if not weights:
        kind = main.tensors[main.inputs[0]].dtype if main.inputs else "float32"
    else:
        kind = weights.most_common(1)[0][0]
    if kind in ("float16", "bfloat16"):
        return "fp16"
    if kind not in _SMALL:
        return "fp32"
    floats = sum(
        part.tensors[one.outputs[0]].dtype in _FLOATS
        for part in graph.subgraphs
        for one in part.operators
        if one.name in _WEIGHTED and one.outputs
    )
    return "dynamic" if floats else "int8"


FORMAT = FileFormat(name="tflite", title="TFLite", begins=lambda head: head[4:8] == b"TFL3", read=_read)
