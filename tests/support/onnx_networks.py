"""Small ONNX networks of every kind: several inputs and outputs, any element type, open sizes, control flow, chance."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

Port = tuple[str, str, Sequence[int | str]]


def save(path: Path, nodes: list[Any], inputs: Sequence[Port], outputs: Sequence[Port], **constants: Any) -> Path:
    """Write a network. A port is a name, an element type as numpy calls it, and sizes, a text where one is open."""
    from onnx import helper, numpy_helper

    def ports(listed: Sequence[Port]) -> list[Any]:
        return [
            helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(np.dtype(dtype)), list(sizes))
            for name, dtype, sizes in listed
        ]

    held = [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()]
    graph = helper.make_graph(nodes, "made", ports(inputs), ports(outputs), held)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=7)
    path.write_bytes(model.SerializeToString())
    return path


def scaled(path: Path, factor: float = 2.0, size: int = 4) -> Path:
    """``y = x * factor`` on a row of floats."""
    from onnx import helper

    nodes = [helper.make_node("Mul", ["x", "factor"], ["y"])]
    return save(path, nodes, [("x", "float32", (1, size))], [("y", "float32", (1, size))], factor=np.float32(factor))


def broadcast(path: Path, factor: float = 2.0, size: int = 4) -> Path:
    """One number times a row of ``size`` factors."""
    from onnx import helper

    nodes = [helper.make_node("Mul", ["x", "factors"], ["y"])]
    factors = np.full((1, size), factor, np.float32)
    return save(path, nodes, [("x", "float32", (1, 1))], [("y", "float32", (1, size))], factors=factors)


def several(path: Path, *, busy: bool = False) -> Path:
    """Two inputs with open sizes and a scalar, three outputs: floats, whole numbers, and yes or no; with an ``If``.

    A ``busy`` one takes milliseconds: of answers that take microseconds a run measures a hundred thousand.
    """
    from onnx import TensorProto, helper

    def branch(name: str, kind: str) -> Any:
        out = helper.make_tensor_value_info(f"{name}_out", TensorProto.FLOAT, None)
        return helper.make_graph([helper.make_node(kind, ["a", "b"], [f"{name}_out"])], name, [], [out])

    out, more = ("plain", {"side": np.array([300, 300])}) if busy else ("sum", {})
    nodes = [
        helper.make_node("Equal", ["mode", "one"], ["is_one"]),
        helper.make_node("If", ["is_one"], [out], then_branch=branch("yes", "Add"), else_branch=branch("no", "Sub")),
        *([*_zero(out), helper.make_node("Add", [out, "nothing"], ["sum"])] if busy else ()),
        helper.make_node("ArgMax", ["sum"], ["best"], axis=1),
        helper.make_node("Greater", ["sum", "zero"], ["positive"]),
    ]
    inputs: list[Port] = [
        ("a", "float32", ("batch", "width")), ("b", "float32", ("batch", "width")), ("mode", "int64", ()),
    ]  # fmt: skip
    outputs: list[Port] = [
        ("sum", "float32", ("batch", "width")), ("best", "int64", ("batch", 1)),
        ("positive", "bool", ("batch", "width")),
    ]  # fmt: skip
    return save(path, nodes, inputs, outputs, one=np.int64(1), zero=np.float32(0), **more)


def _zero(name: str) -> list[Any]:
    """``nothing``: zero times the product of two large matrices that are made of a tensor."""
    from onnx import helper

    return [
        helper.make_node("ReduceMean", [name], ["mean"], axes=[0, 1], keepdims=1),
        helper.make_node("Expand", ["mean", "side"], ["matrix"]),
        helper.make_node("MatMul", ["matrix", "matrix"], ["product"]),
        helper.make_node("ReduceMean", ["product"], ["some"], axes=[0, 1], keepdims=1),
        helper.make_node("Mul", ["some", "zero"], ["nothing"]),
    ]


def same(path: Path, dtype: str, sizes: Sequence[int] = (1, 3)) -> Path:
    """An ``Identity`` of any element type."""
    from onnx import helper

    nodes = [helper.make_node("Identity", ["x"], ["y"])]
    return save(path, nodes, [("x", dtype, sizes)], [("y", dtype, sizes)])


def drawing(path: Path) -> Path:
    """Adds random numbers to its input."""
    from onnx import helper

    nodes = [helper.make_node("RandomNormalLike", ["x"], ["noise"]), helper.make_node("Add", ["x", "noise"], ["y"])]
    return save(path, nodes, [("x", "float32", (1, 4))], [("y", "float32", (1, 4))])


def logarithm(path: Path) -> Path:
    """The logarithm of its input minus one, which is no number for inputs from 0 to 1."""
    from onnx import helper

    nodes = [helper.make_node("Sub", ["x", "one"], ["less"]), helper.make_node("Log", ["less"], ["y"])]
    return save(path, nodes, [("x", "float32", (1, 4))], [("y", "float32", (1, 4))], one=np.float32(1))


def varying(path: Path) -> Path:
    """The places of values above a half: their number differs from sample to sample."""
    from onnx import helper

    nodes = [helper.make_node("Greater", ["x", "half"], ["above"]), helper.make_node("NonZero", ["above"], ["y"])]
    return save(path, nodes, [("x", "float32", (1, 8))], [("y", "int64", (2, "found"))], half=np.float32(0.5))


def wide(path: Path, size: int) -> Path:
    """One number becomes ``size`` numbers."""
    from onnx import helper

    nodes = [helper.make_node("Expand", ["x", "sizes"], ["y"])]
    return save(path, nodes, [("x", "float32", (1, 1))], [("y", "float32", (1, size))], sizes=np.array([1, size]))
