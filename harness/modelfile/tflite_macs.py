"""Multiply-accumulates of TFLite's operators. Moving, comparing or adding values counts as none, as in papers."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from harness.core.safetext import clean
from harness.modelfile.counting import Tally, UncountableError, of_bodies, positive
from harness.modelfile.tflite_graph import Graph, Operator, Subgraph, Tensor
from harness.records.training import MAX_NODES, NodeMacs

_MAX_DEPTH = 50
#: Operators whose work is no multiplication of weights or matrices.
_NONE = frozenset(
    """
    ABS ADD ADD_N ARG_MAX ARG_MIN ASSIGN_VARIABLE ATAN2 AVERAGE_POOL_2D BATCH_TO_SPACE_ND BITCAST BITWISE_XOR
    BROADCAST_ARGS BROADCAST_TO BUCKETIZE CALL_ONCE CAST CEIL COMPLEX_ABS CONCATENATION COS CUMSUM DELEGATE DENSIFY
    DEPTH_TO_SPACE DEQUANTIZE DILATE DIV DYNAMIC_UPDATE_SLICE ELU EMBEDDING_LOOKUP EMBEDDING_LOOKUP_SPARSE EQUAL EXP
    EXPAND_DIMS FAKE_QUANT FILL FLOOR FLOOR_DIV FLOOR_MOD GATHER GATHER_ND GELU GREATER GREATER_EQUAL HARD_SWISH
    HASHTABLE HASHTABLE_FIND HASHTABLE_IMPORT HASHTABLE_LOOKUP HASHTABLE_SIZE IMAG L2_NORMALIZATION L2_POOL_2D
    LEAKY_RELU LESS LESS_EQUAL LOCAL_RESPONSE_NORMALIZATION LOG LOGICAL_AND LOGICAL_NOT LOGICAL_OR LOGISTIC
    LOG_SOFTMAX MATRIX_DIAG MATRIX_SET_DIAG MAXIMUM MAX_POOL_2D MEAN MINIMUM MIRROR_PAD MUL MULTINOMIAL NEG
    NON_MAX_SUPPRESSION_V4 NON_MAX_SUPPRESSION_V5 NOT_EQUAL ONE_HOT PACK PAD PADV2 POW PRELU QUANTIZE
    RANDOM_STANDARD_NORMAL RANDOM_UNIFORM RANGE RANK READ_VARIABLE REAL REDUCE_ALL REDUCE_ANY REDUCE_MAX REDUCE_MIN
    REDUCE_PROD REDUCE_WINDOW RELU RELU6 RELU_0_TO_1 RELU_N1_TO_1 RESHAPE RESIZE_BILINEAR RESIZE_NEAREST_NEIGHBOR
    REVERSE_SEQUENCE REVERSE_V2 RIGHT_SHIFT ROUND RSQRT SCATTER_ND SEGMENT_SUM SELECT SELECT_V2 SHAPE SIGN SIN
    SKIP_GRAM SLICE SOFTMAX SPACE_TO_BATCH_ND SPACE_TO_DEPTH SPARSE_TO_DENSE SPLIT SPLIT_V SQRT SQUARE
    SQUARED_DIFFERENCE SQUEEZE STRIDED_SLICE SUB SUM TANH TILE TOPK_V2 TRANSPOSE UNIQUE UNPACK UNSORTED_SEGMENT_MAX
    UNSORTED_SEGMENT_MIN UNSORTED_SEGMENT_PROD UNSORTED_SEGMENT_SUM VAR_HANDLE WHERE ZEROS_LIKE
    STABLEHLO_ABS STABLEHLO_ADD STABLEHLO_AND STABLEHLO_BROADCAST_IN_DIM STABLEHLO_CBRT STABLEHLO_CLAMP
    STABLEHLO_COMPARE STABLEHLO_CONCATENATE STABLEHLO_CONVERT STABLEHLO_COSINE STABLEHLO_DIVIDE
    STABLEHLO_DYNAMIC_SLICE STABLEHLO_DYNAMIC_UPDATE_SLICE STABLEHLO_EXPONENTIAL STABLEHLO_FLOOR STABLEHLO_GATHER
    STABLEHLO_IOTA STABLEHLO_LOG STABLEHLO_LOGISTIC STABLEHLO_MAXIMUM STABLEHLO_MINIMUM STABLEHLO_MULTIPLY
    STABLEHLO_NEGATE STABLEHLO_OR STABLEHLO_PAD STABLEHLO_POWER STABLEHLO_REMAINDER STABLEHLO_RESHAPE
    STABLEHLO_RNG_BIT_GENERATOR STABLEHLO_RSQRT STABLEHLO_SELECT STABLEHLO_SHIFT_LEFT STABLEHLO_SLICE STABLEHLO_SORT
    STABLEHLO_SUBTRACT STABLEHLO_TANH STABLEHLO_TRANSPOSE
    TFLite_Detection_PostProcess MaxPoolingWithArgmax2D MaxUnpooling2D
    """.split()  # noqa: SIM905
)


class _Node:
    """An operator with the shapes around it."""

    def __init__(self, operator: Operator, tensors: Sequence[Tensor]) -> None:
        self.operator, self._tensors = operator, tensors

    def input(self, place: int) -> tuple[int, ...]:
        """The shape of an input."""
        inputs = self.operator.inputs
        if place >= len(inputs) or inputs[place] < 0:
            raise UncountableError(f"{self.operator.name} has no input {place}")
        return positive(self._tensors[inputs[place]].shape, f"an input of {self.operator.name}")

    def weights(self, place: int, rank: int) -> tuple[int, ...]:
        """The shape of weights, which have that many dimensions."""
        shape = self.input(place)
        if len(shape) != rank:
            raise UncountableError(f"{self.operator.name} has weights of {len(shape)} dimensions")
        return shape

    def output(self) -> tuple[int, ...]:
        """The shape of the first output."""
        if not self.operator.outputs or self.operator.outputs[0] < 0:
            raise UncountableError(f"{self.operator.name} has no output")
        return positive(self._tensors[self.operator.outputs[0]].shape, f"the output of {self.operator.name}")

    def values(self, *places: int) -> int:
        """The number of values in those inputs that are there."""
        there = [i for i in places if i < len(self.operator.inputs) and self.operator.inputs[i] >= 0]
        return sum(math.prod(self.input(i)) for i in there)


def _convolution(node: _Node) -> int:
    return math.prod(node.output()) * math.prod(node.weights(1, 4)[1:])


def _depthwise(node: _Node) -> int:
    return math.prod(node.output()) * math.prod(node.weights(1, 4)[1:3])


def _convolution_3d(node: _Node) -> int:
    return math.prod(node.output()) * math.prod(node.weights(1, 5)[:4])


def _transposed(node: _Node) -> int:
    outputs, height, width, _ = node.weights(1, 4)
    return math.prod(node.input(2)) * outputs * height * width


def _transposed_3d(node: _Node) -> int:
    return math.prod(node.input(2)) * math.prod(node.weights(1, 5)[:4])


def _transposed_with_bias(node: _Node) -> int:
    """MediaPipe's own operator: input, weights, bias."""
    outputs, height, width, _ = node.weights(1, 4)
    return math.prod(node.input(0)) * outputs * height * width


def _dense(node: _Node) -> int:
    _, width = node.weights(1, 2)
    rows, rest = divmod(math.prod(node.input(0)), width) if width else (0, 1)
    if rest:
        raise UncountableError("FULLY_CONNECTED has an input that doesn't fit its weights")
    return rows * node.values(1)


def _matrices(node: _Node) -> int:
    first = node.input(0)
    if len(first) < 2:
        raise UncountableError("BATCH_MATMUL has an input of one dimension")
    return math.prod(node.output()) * (first[-2] if node.operator.transposed else first[-1])


def _cells(*weights: int) -> Callable[[_Node], int]:
    """A recurrent layer whose input is (..., features): every step uses all of its weights once."""
    return lambda node: math.prod(node.input(0)[:-1]) * node.values(*weights)


_COUNTS: dict[str, Callable[[_Node], int]] = {
    "CONV_2D": _convolution,
    "CONV_3D": _convolution_3d,
    "DEPTHWISE_CONV_2D": _depthwise,
    "TRANSPOSE_CONV": _transposed,
    "CONV_3D_TRANSPOSE": _transposed_3d,
    "Convolution2DTransposeBias": _transposed_with_bias,
    "FULLY_CONNECTED": _dense,
    "BATCH_MATMUL": _matrices,
    "LSTM": _cells(1, 2, 3, 4, 5, 6, 7, 8, 16),
    "UNIDIRECTIONAL_SEQUENCE_LSTM": _cells(1, 2, 3, 4, 5, 6, 7, 8, 16),
    "RNN": _cells(1, 2),
    "UNIDIRECTIONAL_SEQUENCE_RNN": _cells(1, 2),
    "SVDF": _cells(1, 2),
}


def count(graph: Graph) -> Tally:
    """The multiply-accumulates of one inference with the shapes that the file has."""
    tally = Tally()
    _add(graph, 0, tally, known={}, above=())
    return tally


def _add(graph: Graph, index: int, tally: Tally, *, known: dict[int, Tally], above: tuple[int, ...]) -> None:
    """Add a subgraph's multiply-accumulates, and those of what it runs."""
    if index in above or len(above) > _MAX_DEPTH:
        tally.reasons["a subgraph runs itself, or others too deep"] += 1
        return
    if index not in known:
        own = known[index] = Tally()
        for operator in graph.subgraphs[index].operators:
            bodies = [Tally() for _ in operator.bodies]
            for body, number in zip(bodies, operator.bodies, strict=True):
                _add(graph, number, body, known=known, above=(*above, index))
            try:
                own.macs += _of(operator, graph.subgraphs[index], bodies)
            except UncountableError as error:
                own.reasons[str(error)] += 1
    tally.macs += known[index].macs
    tally.reasons += known[index].reasons


def _of(operator: Operator, part: Subgraph, bodies: Sequence[Tally]) -> int:
    name = operator.name
    if name in _COUNTS:
        return _COUNTS[name](_Node(operator, part.tensors))
    if name in _NONE:
        return 0
    if operator.custom or not bodies:
        kind = "custom operator" if operator.custom else "operator"
        raise UncountableError(f"what {kind} {name} computes isn't known")
    return of_bodies(name, bodies)


def nodes(graph: Graph) -> tuple[NodeMacs, ...]:
    """The operators of the subgraph that is run, with their multiply-accumulates: 0 where they can't be counted.

    None at all where they are more than a record may have.
    """
    main = graph.subgraphs[0]
    if len(main.operators) > MAX_NODES:
        return ()
    found = []
    for operator in main.operators:
        try:
            macs = _of(operator, main, [])
        except UncountableError:
            macs = 0
        name = main.tensors[operator.outputs[0]].name if operator.outputs and operator.outputs[0] >= 0 else ""
        found.append(NodeMacs(kind=clean(operator.name, 255), name=clean(name, 4096), macs=min(macs, 1 << 53)))
    return tuple(found)
