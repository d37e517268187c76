"""Small model files of foreign kinds, made by the formats' own libraries."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import flatbuffers
import numpy as np
import tflite
from onnx import TensorProto, helper, numpy_helper

FLOAT = TensorProto.FLOAT
Shape = Sequence[int | str | None]


def value(name: str, shape: Shape | None = (1, 4), kind: int = FLOAT) -> Any:
    """An input or output of an ONNX graph."""
    return helper.make_tensor_value_info(name, kind, shape)


def constant(name: str, array: np.ndarray[Any, Any]) -> Any:
    """A constant tensor of an ONNX graph."""
    return numpy_helper.from_array(array, name)


def weights(name: str, *shape: int, kind: str = "float32") -> Any:
    """A constant tensor of ones."""
    return constant(name, np.ones(shape, kind))


@dataclass
class Onnx:
    """An ONNX file to be: by default one Relu."""

    nodes: Sequence[Any] = field(default_factory=lambda: [helper.make_node("Relu", ["x"], ["y"])])
    inputs: Sequence[Any] = field(default_factory=lambda: [value("x")])
    outputs: Sequence[Any] = field(default_factory=lambda: [value("y")])
    constants: Sequence[Any] = ()
    opset: int = 13
    ir: int = 7
    domains: Mapping[str, int] = field(default_factory=dict)
    functions: Sequence[Any] = ()

    def proto(self) -> Any:
        """The model as a message."""
        graph = helper.make_graph(list(self.nodes), "g", list(self.inputs), list(self.outputs), list(self.constants))
        sets = [helper.make_opsetid("", self.opset), *(helper.make_opsetid(*one) for one in self.domains.items())]
        return helper.make_model(graph, opset_imports=sets, ir_version=self.ir, functions=list(self.functions))

    def write(self, path: Path) -> Path:
        """Write the file; returns its path."""
        path.write_bytes(self.proto().SerializeToString())
        return path


def external(path: Path, location: str, *, data: bytes | None = b"\0" * 64) -> Path:
    """An ONNX file with a 4x4 matrix that is kept in another file; ``data`` None writes no such file."""
    model = Onnx(nodes=[helper.make_node("MatMul", ["x", "w"], ["y"])], constants=[weights("w", 4, 4)]).proto()
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    for key, text in {"location": location, "offset": "0", "length": "64"}.items():
        tensor.external_data.add(key=key, value=text)
    path.write_bytes(model.SerializeToString())
    if data is not None:
        (path.parent / location).write_bytes(data)
    return path


@dataclass
class TensorOf:
    """A tensor of a TFLite file to be."""

    name: str = "x"
    shape: Sequence[int] = (1, 4)
    kind: str = "FLOAT32"
    signature: Sequence[int] | None = None
    data: bytes = b""
    scale: float | None = None
    zero_point: int = 0


@dataclass
class Tflite:
    """A TFLite file to be: by default one RELU from tensor 0 to tensor 1.

    ``operators`` are (name or custom name, version, inputs, outputs).
    """

    tensors: Sequence[TensorOf] = (TensorOf("x"), TensorOf("y"))
    inputs: Sequence[int] = (0,)
    outputs: Sequence[int] = (1,)
    operators: Sequence[tuple[str, int, Sequence[int], Sequence[int]]] = (("RELU", 1, (0,), (1,)),)
    min_runtime: str = ""

    def write(self, path: Path) -> Path:
        """Write the file; returns its path."""
        path.write_bytes(_tflite(self))
        return path


def _vector(b: Any, start: Any, items: Sequence[int], *, tables: bool = False) -> int:
    start(b, len(items))
    for item in reversed(items):
        if tables:
            b.PrependUOffsetTRelative(item)
        else:
            b.PrependInt32(item)
    return int(b.EndVector())


def _tflite(of: Tflite) -> bytes:
    b = flatbuffers.Builder(1024)
    datas = [b"", *(tensor.data for tensor in of.tensors), of.min_runtime.encode()]
    buffers = [_buffer(b, data) for data in datas]
    tensors = [_tensor(b, tensor, place + 1) for place, tensor in enumerate(of.tensors)]
    codes = [_code(b, name, version) for name, version, _, _ in of.operators]
    operators = [_operator(b, i, ins, outs) for i, (_, _, ins, outs) in enumerate(of.operators)]
    lists = (
        _vector(b, tflite.SubGraphStartTensorsVector, tensors, tables=True),
        _vector(b, tflite.SubGraphStartInputsVector, of.inputs),
        _vector(b, tflite.SubGraphStartOutputsVector, of.outputs),
        _vector(b, tflite.SubGraphStartOperatorsVector, operators, tables=True),
    )
    tflite.SubGraphStart(b)
    tflite.SubGraphAddTensors(b, lists[0])
    tflite.SubGraphAddInputs(b, lists[1])
    tflite.SubGraphAddOutputs(b, lists[2])
    tflite.SubGraphAddOperators(b, lists[3])
    graphs = _vector(b, tflite.ModelStartSubgraphsVector, [tflite.SubGraphEnd(b)], tables=True)
    code_list = _vector(b, tflite.ModelStartOperatorCodesVector, codes, tables=True)
    buffer_list = _vector(b, tflite.ModelStartBuffersVector, buffers, tables=True)
    name = b.CreateString("min_runtime_version")
    tflite.MetadataStart(b)
    tflite.MetadataAddName(b, name)
    tflite.MetadataAddBuffer(b, len(datas) - 1)
    notes = _vector(b, tflite.ModelStartMetadataVector, [tflite.MetadataEnd(b)], tables=True)
    tflite.ModelStart(b)
    tflite.ModelAddVersion(b, 3)
    tflite.ModelAddOperatorCodes(b, code_list)
    tflite.ModelAddSubgraphs(b, graphs)
    tflite.ModelAddBuffers(b, buffer_list)
    if of.min_runtime:
        tflite.ModelAddMetadata(b, notes)
    b.Finish(tflite.ModelEnd(b), b"TFL3")
    return bytes(b.Output())


def _buffer(b: Any, data: bytes) -> int:
    vector = b.CreateByteVector(data) if data else None
    tflite.BufferStart(b)
    if vector is not None:
        tflite.BufferAddData(b, vector)
    return int(tflite.BufferEnd(b))


def _tensor(b: Any, tensor: TensorOf, buffer: int) -> int:
    shape = _vector(b, tflite.TensorStartShapeVector, tensor.shape)
    signature = (
        None if tensor.signature is None else _vector(b, tflite.TensorStartShapeSignatureVector, tensor.signature)
    )
    name = b.CreateString(tensor.name)
    quantised = None
    if tensor.scale is not None:
        tflite.QuantizationParametersStartScaleVector(b, 1)
        b.PrependFloat32(tensor.scale)
        scale = b.EndVector()
        tflite.QuantizationParametersStartZeroPointVector(b, 1)
        b.PrependInt64(tensor.zero_point)
        zero = b.EndVector()
        tflite.QuantizationParametersStart(b)
        tflite.QuantizationParametersAddScale(b, scale)
        tflite.QuantizationParametersAddZeroPoint(b, zero)
        quantised = tflite.QuantizationParametersEnd(b)
    tflite.TensorStart(b)
    tflite.TensorAddShape(b, shape)
    tflite.TensorAddType(b, getattr(tflite.TensorType, tensor.kind))
    tflite.TensorAddBuffer(b, buffer)
    tflite.TensorAddName(b, name)
    if signature is not None:
        tflite.TensorAddShapeSignature(b, signature)
    if quantised is not None:
        tflite.TensorAddQuantization(b, quantised)
    return int(tflite.TensorEnd(b))


def _code(b: Any, name: str, version: int) -> int:
    builtin = getattr(tflite.BuiltinOperator, name, None)
    text = b.CreateString(name) if builtin is None else None
    number = tflite.BuiltinOperator.CUSTOM if builtin is None else builtin
    tflite.OperatorCodeStart(b)
    tflite.OperatorCodeAddDeprecatedBuiltinCode(b, min(number, 127))
    tflite.OperatorCodeAddBuiltinCode(b, number)
    tflite.OperatorCodeAddVersion(b, version)
    if text is not None:
        tflite.OperatorCodeAddCustomCode(b, text)
    return int(tflite.OperatorCodeEnd(b))


def _operator(b: Any, code: int, inputs: Sequence[int], outputs: Sequence[int]) -> int:
    ins = _vector(b, tflite.OperatorStartInputsVector, inputs)
    outs = _vector(b, tflite.OperatorStartOutputsVector, outputs)
    tflite.OperatorStart(b)
    tflite.OperatorAddOpcodeIndex(b, code)
    tflite.OperatorAddInputs(b, ins)
    tflite.OperatorAddOutputs(b, outs)
    return int(tflite.OperatorEnd(b))
