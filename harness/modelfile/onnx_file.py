"""ONNX: tensors, operators, numbers and versions of a file. The ``onnx`` package parses it and infers shapes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from harness.core.safetext import clean
from harness.modelfile import onnx_external, onnx_functions, onnx_macs, onnx_weights
from harness.modelfile.onnx_wire import WireError, check
from harness.modelfile.record import Contents, FileFormat
from harness.modelfile.shapes import Declared, Wanted, chosen
from harness.modelfile.source import Source
from harness.modelfile.tensors import Tensor, check_kind, check_number, spec

#: Names of the standard operators' domain.
STANDARD = ("", "ai.onnx")
_AGAIN = "download or export it again"


def _read(source: Source, data: bytes, shapes: Mapping[str, tuple[int, ...]]) -> Contents:
    model = _parsed(source, data)
    versions = _versions(source, model)
    merged = onnx_external.embed(source, model)
    whole = model.SerializeToString() if merged else None
    notes = ["its weights, kept in other files, are put into one file with it"] if merged else []
    constants = {tensor.name for tensor in model.graph.initializer}
    constants |= {tensor.values.name for tensor in model.graph.sparse_initializer}
    values = [value for value in model.graph.input if value.name not in constants]
    check_number(source, "input", len(values))
    check_number(source, "output", len(model.graph.output))
    inputs = [_tensor(value) for value in values]
    check_kind(source, "input", inputs)
    sizes = chosen(source, [Wanted(one.name, one.declared) for one in inputs], shapes)
    _fix(model.graph, values, sizes)
    model = onnx_functions.inlined(source, model)
    weights = onnx_weights.weigh(model)
    inferred, trouble = onnx_macs.inferred(model)
    outputs = [_tensor(value) for value in inferred.graph.output]
    check_kind(source, "output", outputs)
    tally = onnx_macs.count(inferred, trouble)
    operators = Counter(_operator(node) for node in nodes(model.graph))
    return Contents(
        variant=weights.variant,
        inputs=tuple(spec(one, size) for one, size in zip(inputs, sizes, strict=True)),
        outputs=tuple(spec(one, _output_shape(one.declared)) for one in outputs),
        operators=dict(operators.most_common()),
        parameters=weights.parameters,
        macs=tally.total,
        macs_missing=tally.missing,
        versions=versions,
        custom=tuple(sorted({_operator(node) for node in nodes(model.graph) if node.domain not in STANDARD})),
        notes=tuple(notes),
        merged=whole,
    )


def nodes(graph: Any) -> Iterator[Any]:
    """All nodes of a graph, bodies of control flow included."""
    for node in graph.node:
        yield node
        for attribute in node.attribute:
            for inner in (attribute.g, *attribute.graphs):
                yield from nodes(inner)


def _operator(node: Any) -> str:
    name = node.op_type if node.domain in STANDARD else f"{node.domain}.{node.op_type}"
    return clean(name, 200)


def _parsed(source: Source, data: bytes) -> Any:
    """The file as a message of the ``onnx`` package.

    Raises:
        ModelFileError: it is no ONNX, or not all of it.
    """
    import onnx
    from google.protobuf.message import DecodeError

    like = source.path.suffix.lower() == ".onnx" or source.head[:1] == b"\x08"
    try:
        check(data, onnx.ModelProto.DESCRIPTOR)
        model = onnx.ModelProto.FromString(data)
        nodes_there = bool(model.graph.node)
    except (WireError, DecodeError, UnicodeDecodeError) as error:
        why = f": {error}" if isinstance(error, WireError) else ""
        if like:
            raise source.error(f"is damaged or cut off: it can't be read as ONNX{why}", fix=_AGAIN) from error
        raise source.error("is neither TFLite nor ONNX", fix="name a .tflite or .onnx file") from error
    if not nodes_there:
        if like:
            raise source.error("is damaged or cut off: as ONNX, it has no node", fix=_AGAIN)
        raise source.error("is neither TFLite nor ONNX", fix="name a .tflite or .onnx file")
    return model


def _versions(source: Source, model: Any) -> dict[str, int]:
    """Versions of the format and of the sets of operators."""
    sets = {one.domain: one.version for one in model.opset_import}
    standard = max((sets[name] for name in STANDARD if name in sets), default=None)
    if standard is None and any(node.domain in STANDARD for node in nodes(model.graph)):
        raise source.error("is damaged or cut off: as ONNX, it names no set of operators", fix=_AGAIN)
    if model.ir_version < 1 or any(version < 1 for version in sets.values()):
        raise source.error("is damaged: as ONNX, it has a version of zero or less", fix=_AGAIN)
    used = {node.domain for node in nodes(model.graph)}.difference(STANDARD)  # exporters list many that they don't use
    others = {clean(name, 100): version for name, version in sorted(sets.items()) if name in used}
    return {"ir": model.ir_version} | ({"opset": standard} if standard is not None else {}) | others


def _tensor(value: Any) -> Tensor:
    """An input or output as it is declared."""
    import onnx

    kind = value.type.WhichOneof("value") or "tensor_type"
    if kind != "tensor_type":
        return Tensor(value.name, kind.removesuffix("_type"), None)
    number = value.type.tensor_type.elem_type
    names = onnx.TensorProto.DataType
    name = names.Name(number).lower() if number in names.values() else f"type {number}"
    name = {"float": "float32", "double": "float64"}.get(name, name)
    return Tensor(value.name, name, _declared(value))


def _declared(value: Any) -> Declared | None:
    kind = value.type.tensor_type
    if not kind.HasField("shape"):
        return None
    return tuple(one.dim_value if one.WhichOneof("value") == "dim_value" else _named(one) for one in kind.shape.dim)


def _named(dimension: Any) -> str | int:
    """The name of an open dimension; -1 where it has none. Some exporters call all of them ``?``."""
    name: str = dimension.dim_param
    return name if name.strip("?*-. ") and name != "None" else -1


def _fix(graph: Any, inputs: Sequence[Any], shapes: Sequence[tuple[int, ...]]) -> None:
    """Give the inputs the shapes that were chosen, and all tensors the sizes that these give to names."""
    named: dict[str, int] = {}
    for value, shape in zip(inputs, shapes, strict=True):
        declared = _declared(value) or ()
        named |= {name: size for name, size in zip(declared, shape, strict=False) if isinstance(name, str)}
        dims = value.type.tensor_type.shape.dim
        del dims[:]
        for size in shape:
            dims.add().dim_value = size
        value.type.tensor_type.shape.SetInParent()  # a single value has a shape, too: one without dimensions
    for value in (*graph.value_info, *graph.output):
        for one in value.type.tensor_type.shape.dim if value.type.HasField("tensor_type") else ():
            if one.dim_param in named:
                one.dim_value = named[one.dim_param]


def _output_shape(declared: Declared | None) -> tuple[int, ...]:
    if declared is None:
        return (0,)
    return tuple(size if isinstance(size, int) and size > 0 else 0 for size in declared)


FORMAT = FileFormat(name="onnx", title="ONNX", begins=lambda _: True, read=_read)
