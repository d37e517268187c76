"""Values that an ONNX file computes from shapes alone, such as the sizes that it reshapes to.

Shape inference follows a few of these operators only. Here small integer tensors are computed by ONNX's own reference
implementation and put in as constants, and shapes are inferred again, until nothing new is known.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from harness.modelfile.onnx_weights import constants

#: Operators whose output is not larger than their inputs, or whose inferred shape says how large it is.
_COMPUTED = frozenset(
    """
    Add Cast Ceil Concat ConstantOfShape Div Equal Expand Floor Gather Greater Identity Less Max Min Mod Mul Neg Not
    Range ReduceMax ReduceMin ReduceProd ReduceSum Reshape ScatterND Shape Slice Split Sqrt Squeeze Sub Transpose
    Unsqueeze Where
    """.split()  # noqa: SIM905
)
_MAX_VALUES, _MAX_NODES, _ROUNDS = 256, 2000, 12
_INTEGERS = (6, 7, 9)  # TensorProto.INT32, INT64, BOOL
_FLOAT = 1
Shapes = Mapping[str, tuple[int, ...]]


def fold(model: Any, infer: Callable[[Any], Any]) -> Any:
    """Infer shapes, compute what depends on them alone, and infer again.

    Args:
        infer: makes of a model one with the shapes of its values.
    """
    inferred = infer(model)
    left = _MAX_NODES
    for _ in range(_ROUNDS):
        made = _computed(inferred, left)
        if not made:
            break
        left -= len(made)
        _put_in(inferred.graph, made)
        inferred = infer(inferred)
    return inferred


def _computed(model: Any, most: int) -> dict[str, Any]:
    """Values of the main graph that can be computed now, as numpy arrays by name."""
    known = dict(_constants(model.graph))
    shapes = dict(_shapes(model.graph))
    sets = [one for one in model.opset_import if one.domain == ""]
    made: dict[str, Any] = {}
    for node in model.graph.node:
        if len(made) >= most:
            break
        if node.op_type not in _COMPUTED or node.domain != "" or len(node.output) != 1 or node.output[0] in known:
            continue
        result = _result(node, sets, known, shapes)
        if result is not None:
            known[node.output[0]] = made[node.output[0]] = result
    return made


def _result(node: Any, sets: Sequence[Any], known: Mapping[str, Any], shapes: Shapes) -> Any:
    """The output of a node if it can be computed and is a small tensor, else None."""
    import numpy as np

    if node.op_type == "Shape" and not node.attribute:
        shape = shapes.get(node.input[0] if node.input else "")
        return None if shape is None else np.array(shape, "int64")
    if not _small(shapes.get(node.output[0])) or any(name and name not in known for name in node.input):
        return None
    return _run(node, sets, {name: known[name] for name in node.input if name})


def _constants(graph: Any) -> Iterator[tuple[str, Any]]:
    """Small constants as numpy arrays."""
    from onnx import numpy_helper

    for name, tensor in constants(graph):
        if _small(tuple(tensor.dims)) and tensor.data_type in (*_INTEGERS, _FLOAT) and tensor.data_location == 0:
            with contextlib.suppress(ValueError, TypeError):  # a damaged constant
                yield name, numpy_helper.to_array(tensor)


def _small(shape: tuple[int, ...] | None) -> bool:
    return shape is not None and 0 <= math.prod(shape) <= _MAX_VALUES


def _run(node: Any, sets: Sequence[Any], inputs: Mapping[str, Any]) -> Any:
    """The output of one node by the reference implementation."""
    import numpy as np
    from onnx import helper
    from onnx.reference import ReferenceEvaluator

    kinds = {name: helper.np_dtype_to_tensor_dtype(one.dtype) for name, one in inputs.items()}
    values = [helper.make_tensor_value_info(name, kinds[name], one.shape) for name, one in inputs.items()]
    outputs = [helper.make_empty_tensor_value_info(name) for name in node.output]
    try:
        model = helper.make_model(helper.make_graph([node], "one", values, outputs), opset_imports=sets)
        result = ReferenceEvaluator(model).run(None, dict(inputs))[0]
    except Exception:  # whatever a node with impossible inputs raises: its value stays unknown
        return None
    return result if isinstance(result, np.ndarray | np.generic) and np.size(result) <= _MAX_VALUES else None


def _shapes(graph: Any) -> Iterator[tuple[str, tuple[int, ...]]]:
    for value in (*graph.input, *graph.value_info, *graph.output):
        kind = value.type.tensor_type
        if value.type.HasField("tensor_type") and kind.HasField("shape"):
            dims = [one.dim_value if one.WhichOneof("value") == "dim_value" else -1 for one in kind.shape.dim]
            if min(dims, default=1) > 0:
                yield value.name, tuple(dims)
    for tensor in graph.initializer:
        yield tensor.name, tuple(tensor.dims)


def _put_in(graph: Any, made: Mapping[str, Any]) -> None:
    """Replace the nodes of computed values by constants; outputs of the whole stay what they are."""
    import numpy as np
    from onnx import numpy_helper

    gone = made.keys() - {value.name for value in graph.output}
    kept = [node for node in graph.node if not gone.intersection(node.output)]
    del graph.node[:]
    graph.node.extend(kept)
    for name in gone:
        graph.initializer.append(numpy_helper.from_array(np.asarray(made[name]), name))
