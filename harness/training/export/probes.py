"""TFLite files of one operator each: what an emulated board is given to find out what a layer costs.

Weights are zeros: neither instructions nor accesses to memory depend on them.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.records.prices import PricedVariant, Work

if TYPE_CHECKING:
    from types import ModuleType

#: Scales of int8 tensors: any that kernels take. Of a bias it is that of the input times that of the weights.
_SCALE, _WEIGHT_SCALE = 0.1, 0.01
#: The axis of weights that has the output channels.
_AXIS = {"DEPTHWISE_CONV_2D": 3}


def probe(work: Work, into: int, out: int, variant: PricedVariant) -> bytes:
    """The file of one operator, with a batch of 1, and with its activation where it has one.

    Args:
        into: input channels; ignored where an operator has as many output as input channels.
    """
    file = _File(work, variant == "int8")
    alone = work.kind not in ("CONV_2D", "FULLY_CONNECTED")
    rows = (work.size[0] * work.size[1],)
    lengths = rows if work.kind == "FULLY_CONNECTED" else (1, *work.size)
    source = file.tensor("input", (*lengths, out if alone else into))
    inputs, constants = [source], []
    if work.kind == "ADD":
        inputs.append(file.tensor("other", (*lengths, out)))
    elif work.kind != "MAX_POOL_2D":
        constants = [file.weights(_weights(work, into, out)), file.bias(out)]
    sizes = rows if work.kind == "FULLY_CONNECTED" else (1, *_output(work))
    result = file.tensor("output", (*sizes, out))
    return file.packed(inputs, [*inputs, *constants], result)


def _weights(work: Work, into: int, out: int) -> tuple[int, ...]:
    if work.kind == "FULLY_CONNECTED":
        return (out, into)
    return (out, *work.kernel, into) if work.kind == "CONV_2D" else (1, *work.kernel, out)


def _output(work: Work) -> tuple[int, int]:
    """Height and width of the output."""
    kernel = work.kernel if work.padding == "valid" else (1, 1)
    height, width = (
        math.ceil((size - window + 1) / stride)
        for size, window, stride in zip(work.size, kernel, work.strides, strict=True)
    )
    return height, width


@functools.cache
def _schema() -> ModuleType:
    from ai_edge_litert import schema_py_generated

    module: ModuleType = schema_py_generated
    return module


@dataclass
class _File:
    """A file that is being put together; buffer 0 is the empty one."""

    work: Work
    whole: bool
    tensors: list[Any] = field(default_factory=list)
    buffers: list[Any] = field(default_factory=lambda: [_schema().BufferT()])

    def tensor(self, name: str, shape: tuple[int, ...]) -> int:
        """A tensor that is computed; returns its number."""
        kind = _schema().TensorType.INT8 if self.whole else _schema().TensorType.FLOAT32
        return self._add(name, shape, kind, scales=[_SCALE])

    def weights(self, shape: tuple[int, ...]) -> int:
        """Constant weights, as int8 with a scale for each output channel."""
        axis = _AXIS.get(self.work.kind, 0)
        scales = [_WEIGHT_SCALE] * (1 if self.work.kind == "FULLY_CONNECTED" else shape[axis])
        kind = _schema().TensorType.INT8 if self.whole else _schema().TensorType.FLOAT32
        return self._add("weights", shape, kind, scales=scales, constant=True)

    def bias(self, length: int) -> int:
        """A constant bias."""
        kind = _schema().TensorType.INT32 if self.whole else _schema().TensorType.FLOAT32
        scales = [_SCALE * _WEIGHT_SCALE] * (1 if self.work.kind == "FULLY_CONNECTED" else length)
        return self._add("bias", (length,), kind, scales=scales, constant=True)

    def _add(self, name: str, shape: tuple[int, ...], kind: int, *, scales: list[float], constant: bool = False) -> int:
        schema = _schema()
        buffer = 0
        if constant:
            width = 1 if kind == schema.TensorType.INT8 else 4
            self.buffers.append(schema.BufferT(data=np.zeros(math.prod(shape) * width, np.uint8)))
            buffer = len(self.buffers) - 1
        tensor = schema.TensorT(shape=list(shape), type=kind, buffer=buffer, name=name)
        if self.whole:
            axis = _AXIS.get(self.work.kind, 0) if len(scales) > 1 and len(shape) > 1 else 0
            zeros = [0] * len(scales)
            tensor.quantization = schema.QuantizationParametersT(scale=scales, zeroPoint=zeros, quantizedDimension=axis)
        self.tensors.append(tensor)
        return len(self.tensors) - 1

    def packed(self, inputs: list[int], taken: list[int], result: int) -> bytes:
        """The file's bytes."""
        import flatbuffers

        schema, kind = _schema(), self.work.kind
        name, options = self._options()
        number = getattr(schema.BuiltinOperator, kind)
        version = {"CONV_2D": 3, "DEPTHWISE_CONV_2D": 3, "FULLY_CONNECTED": 4}.get(kind, 2) if self.whole else 1
        operator = schema.OperatorT(
            opcodeIndex=0,
            inputs=taken,
            outputs=[result],
            builtinOptionsType=getattr(schema.BuiltinOptions, name),
            builtinOptions=options,
        )
        graph = schema.SubGraphT(tensors=self.tensors, inputs=inputs, outputs=[result], operators=[operator])
        code = schema.OperatorCodeT(deprecatedBuiltinCode=number, builtinCode=number, version=version)
        model = schema.ModelT(version=3, operatorCodes=[code], subgraphs=[graph], buffers=self.buffers)
        builder = flatbuffers.Builder(1024)
        builder.Finish(model.Pack(builder), b"TFL3")
        return bytes(builder.Output())

    def _options(self) -> tuple[str, Any]:
        """The name of the operator's options in the schema, and the options."""
        schema, work = _schema(), self.work
        relu = schema.ActivationFunctionType.RELU
        padding = schema.Padding.SAME if work.padding == "same" else schema.Padding.VALID
        if work.kind == "FULLY_CONNECTED":
            return "FullyConnectedOptions", schema.FullyConnectedOptionsT()
        if work.kind == "ADD":
            return "AddOptions", schema.AddOptionsT(fusedActivationFunction=relu)
        window = {"padding": padding, "strideH": work.strides[0], "strideW": work.strides[1]}
        if work.kind == "MAX_POOL_2D":
            sizes = {"filterHeight": work.kernel[0], "filterWidth": work.kernel[1]}
            return "Pool2DOptions", schema.Pool2DOptionsT(**window, **sizes)
        if work.kind == "CONV_2D":
            return "Conv2DOptions", schema.Conv2DOptionsT(**window, fusedActivationFunction=relu)
        return "DepthwiseConv2DOptions", schema.DepthwiseConv2DOptionsT(
            **window, depthMultiplier=1, fusedActivationFunction=relu
        )
