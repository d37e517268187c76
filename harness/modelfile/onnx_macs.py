"""Multiply-accumulates of ONNX's operators. Moving, comparing or adding values counts as none, as in papers."""

from __future__ import annotations

import math
from collections import ChainMap
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from harness.core.safetext import clean
from harness.modelfile.counting import Tally, UncountableError, of_bodies, positive
from harness.modelfile.onnx_folding import fold
from harness.modelfile.onnx_weights import constants, graphs

Shapes = Mapping[str, tuple[int, ...]]
#: Constants with more bytes are no shapes or axes, which is all that shape inference looks at.
_STRIPPED = 1 << 12
#: Operators whose work is no multiplication of weights or matrices.
_NONE = frozenset(
    """
    Abs Acos Acosh Add AffineGrid And ArgMax ArgMin Asin Asinh Atan Atanh AveragePool BatchNormalization Bernoulli
    BitCast BitShift BitwiseAnd BitwiseNot BitwiseOr BitwiseXor BlackmanWindow Cast CastLike Ceil Celu CenterCropPad
    Clip Col2Im Compress Concat ConcatFromSequence Constant ConstantOfShape Cos Cosh CumProd CumSum DepthToSpace
    DequantizeLinear Div Dropout DynamicQuantizeLinear Elu Equal Erf Exp Expand EyeLike Flatten Floor Gather
    GatherElements GatherND Gelu GlobalAveragePool GlobalLpPool GlobalMaxPool Greater GreaterOrEqual GridSample
    GroupNormalization HammingWindow HannWindow HardSigmoid HardSwish Hardmax Identity InstanceNormalization IsInf
    IsNaN LRN LayerNormalization LeakyRelu Less LessOrEqual Log LogSoftmax LpNormalization LpPool Max MaxPool
    MaxRoiPool MaxUnpool Mean MeanVarianceNormalization MelWeightMatrix Min Mish Mod Mul Multinomial Neg
    NonMaxSuppression NonZero Not OneHot Optional OptionalGetElement OptionalHasElement Or PRelu Pad Pow
    QuantizeLinear RMSNormalization RandomNormal RandomNormalLike RandomUniform RandomUniformLike Range Reciprocal
    ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceMax ReduceMean ReduceMin ReduceProd ReduceSum
    ReduceSumSquare Relu Reshape Resize ReverseSequence RoiAlign RotaryEmbedding Round Scatter ScatterElements
    ScatterND Selu SequenceAt SequenceConstruct SequenceEmpty SequenceErase SequenceInsert SequenceLength Shape
    Shrink Sigmoid Sign Sin Sinh Size Slice Softmax Softplus Softsign SpaceToDepth Split SplitToSequence Sqrt
    Squeeze Sub Sum Swish Tan Tanh TensorScatter ThresholdedRelu Tile TopK Transpose Trilu Unique Unsqueeze Upsample
    Where Xor
    com.microsoft.BiasGelu com.microsoft.FastGelu com.microsoft.Gelu com.microsoft.QuickGelu
    com.microsoft.QLinearAdd com.microsoft.QLinearAveragePool com.microsoft.QLinearConcat
    com.microsoft.QLinearGlobalAveragePool com.microsoft.QLinearLeakyRelu com.microsoft.QLinearMul
    com.microsoft.QLinearReduceMean com.microsoft.QLinearSigmoid com.microsoft.QLinearSoftmax
    com.microsoft.SkipLayerNormalization com.microsoft.EmbedLayerNormalization com.microsoft.QuantizeLinear
    com.microsoft.DequantizeLinear
    """.split()  # noqa: SIM905
)
#: Operators that run graphs of their own.
_CONTROL = frozenset(("If", "Loop", "Scan", "SequenceMap"))


class _Node:
    """A node with the shapes around it."""

    def __init__(self, node: Any, shapes: Shapes) -> None:
        self._node, self._shapes = node, shapes
        self.kind = clean(node.op_type if node.domain in ("", "ai.onnx") else f"{node.domain}.{node.op_type}", 100)

    def input(self, place: int) -> tuple[int, ...]:
        """The shape of an input."""
        if place >= len(self._node.input):
            raise UncountableError(f"{self.kind} has no input {place}")
        return positive(self._shapes.get(self._node.input[place]), f"an input of {self.kind}")

    def output(self) -> tuple[int, ...]:
        """The shape of the first output."""
        if not self._node.output:
            raise UncountableError(f"{self.kind} has no output")
        return positive(self._shapes.get(self._node.output[0]), f"the output of {self.kind}")

    def attribute(self, name: str, default: Any = 0) -> Any:
        """An attribute: an integer, or bytes of a text."""
        for one in self._node.attribute:
            if one.name == name:
                return one.s if one.type == 3 else one.i
        return default


def _convolution(weights: int) -> Callable[[_Node], int]:
    # weights are (outputs, inputs / groups, kernel...)
    return lambda node: math.prod(node.output()) * math.prod(node.input(weights)[1:])


def _transposed(node: _Node) -> int:
    return math.prod(node.input(0)) * math.prod(node.input(1)[1:])


def _matrices(second: int) -> Callable[[_Node], int]:
    def count(node: _Node) -> int:
        first, other = node.input(0), node.input(second)
        if not first or not other:
            raise UncountableError(f"{node.kind} has an input without dimensions")
        return math.prod(node.output()) * first[-1]

    return count


def _gemm(node: _Node) -> int:
    first = node.input(0)
    if len(first) != 2:
        raise UncountableError(f"{node.kind} has an input of {len(first)} dimensions")
    return math.prod(node.output()) * first[0 if node.attribute("transA") else 1]


def _fused_matrices(node: _Node) -> int:
    first = node.input(0)
    if len(first) < 2 or node.attribute("transBatchA"):
        raise UncountableError(f"{node.kind} has matrices in an unusual order")
    return math.prod(node.output()) * first[-2 if node.attribute("transA") else -1]


def _packed_matrix(node: _Node) -> int:
    return math.prod(node.input(0)) * int(node.attribute("N"))


def _recurrent(node: _Node) -> int:
    """Every step uses all weights once: W is (directions, gates x hidden, features), R (..., hidden)."""
    if len(node.input(0)) != 3:
        raise UncountableError(f"{node.kind} has an input of {len(node.input(0))} dimensions")
    return math.prod(node.input(0)[:2]) * (math.prod(node.input(1)) + math.prod(node.input(2)))


def _einsum(node: _Node) -> int:
    """A sum over products of two tensors: one multiplication for each combination of all indices."""
    equation = bytes(node.attribute("equation", b"")).decode("ascii", "replace").replace(" ", "")
    terms = equation.partition("->")[0].split(",")
    if len(terms) > 2 or "." in equation:
        raise UncountableError(f"what Einsum '{clean(equation, 60)}' computes isn't known")
    sizes: dict[str, int] = {}
    for place, term in enumerate(terms):
        shape = node.input(place)
        if len(shape) != len(term):
            raise UncountableError(f"what Einsum '{clean(equation, 60)}' computes isn't known")
        sizes |= dict(zip(term, shape, strict=True))
    return math.prod(sizes.values()) if len(terms) == 2 else 0


_COUNTS: dict[str, Callable[[_Node], int]] = {
    "Conv": _convolution(1),
    "com.microsoft.FusedConv": _convolution(1),
    "ConvInteger": _convolution(1),
    "QLinearConv": _convolution(3),
    "DeformConv": _convolution(1),
    "ConvTranspose": _transposed,
    "MatMul": _matrices(1),
    "MatMulInteger": _matrices(1),
    "QLinearMatMul": _matrices(3),
    "com.microsoft.MatMulIntegerToFloat": _matrices(1),
    "com.microsoft.DynamicQuantizeMatMul": _matrices(1),
    "com.microsoft.FusedMatMul": _fused_matrices,
    "com.microsoft.MatMulNBits": _packed_matrix,
    "Gemm": _gemm,
    "com.microsoft.FusedGemm": _gemm,
    "com.microsoft.QGemm": _gemm,
    "LSTM": _recurrent,
    "GRU": _recurrent,
    "RNN": _recurrent,
    "Einsum": _einsum,
}


def inferred(model: Any) -> tuple[Any, str]:
    """The model with the shapes of its values, and what prevented that, if anything. Its large weights are dropped."""
    import onnx.shape_inference

    for graph in graphs(model.graph):
        for _, tensor in constants(graph):
            if tensor.ByteSize() > _STRIPPED:
                for field in ("raw_data", "float_data", "int32_data", "int64_data", "double_data", "uint64_data"):
                    tensor.ClearField(field)
    try:
        return fold(model, partial(onnx.shape_inference.infer_shapes, data_prop=True)), ""
    except Exception as error:  # the library is compiled, and its exceptions have no common class
        return model, clean(str(error).strip().splitlines()[-1] if str(error).strip() else type(error).__name__, 200)


def count(model: Any, trouble: str) -> Tally:
    """The multiply-accumulates of one inference of a model with inferred shapes.

    Args:
        trouble: why shapes could not be inferred; added to the reasons where one is missing.
    """
    tally = _count(model.graph, ChainMap())
    if tally.reasons and trouble:
        tally.reasons[f"shapes can't be inferred: {trouble}"] += 1
    return tally


def _count(graph: Any, outer: ChainMap[str, tuple[int, ...]]) -> Tally:
    shapes = outer.new_child(dict(_shapes(graph)))
    tally = Tally()
    for node in graph.node:
        try:
            tally.macs += _of(node, shapes)
        except UncountableError as error:
            tally.reasons[str(error)] += 1
    return tally


def _shapes(graph: Any) -> list[tuple[str, tuple[int, ...]]]:
    """Shapes of a graph's values by name; an open dimension is -1."""
    found = []
    for value in (*graph.input, *graph.value_info, *graph.output):
        kind = value.type.tensor_type
        if value.type.HasField("tensor_type") and kind.HasField("shape"):
            dims = kind.shape.dim
            found.append((
                value.name,
                tuple(one.dim_value if one.WhichOneof("value") == "dim_value" else -1 for one in dims),
            ))  # fmt: skip
    return found + [(name, tuple(tensor.dims)) for name, tensor in constants(graph)]


def _of(node: Any, shapes: ChainMap[str, tuple[int, ...]]) -> int:
    one = _Node(node, shapes)
    if one.kind in _COUNTS:
        return _COUNTS[one.kind](one)
    if one.kind in _NONE:
        return 0
    bodies = [_count(inner, shapes) for a in node.attribute for inner in (a.g, *a.graphs) if inner.node or inner.output]
    if one.kind in _CONTROL and bodies:
        return of_bodies(one.kind, bodies)
    raise UncountableError(f"what operator {one.kind} computes isn't known")
