"""ONNX files of one network are the same, whatever the converter's numbers were."""

from __future__ import annotations

from typing import Any

import pytest

onnx = pytest.importorskip("onnx")

from onnx import TensorProto, helper  # noqa: E402

from harness.training.export.onnx_names import number_anew  # noqa: E402


def converted(first: int, second: int, *, turned: bool) -> Any:
    """A network as the converter leaves it, with numbers of its own."""
    a, b = f"w__{first}", f"x/bn__{first}__{second}"
    weights = [
        helper.make_tensor(a, TensorProto.FLOAT, [1], [2.0]),
        helper.make_tensor("v", TensorProto.FLOAT, [1], [3.0]),
    ]
    graph = helper.make_graph(
        [
            helper.make_node("Mul", ["pixels", a], [f"{b}:0"], name=b),
            helper.make_node("Add", [f"{b}:0", "v"], ["Identity:0"], name=f"Add__{second}"),
        ],
        "tf2onnx",
        [helper.make_tensor_value_info("pixels", TensorProto.FLOAT, [1])],
        [helper.make_tensor_value_info("Identity:0", TensorProto.FLOAT, [1])],
        weights[::-1] if turned else weights,
        doc_string=f"converted from b'__inference___call___{first}'",
    )  # fmt: skip
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=7)


def test_numbers_follow_the_order_of_operators() -> None:
    first, second = converted(7, 26, turned=False), converted(109, 3, turned=True)
    assert first.SerializeToString() != second.SerializeToString()
    for model in (first, second):
        number_anew(model)
        onnx.checker.check_model(model, full_check=True)
    assert first.SerializeToString() == second.SerializeToString()
    assert [node.name for node in first.graph.node] == ["x/bn__2", "Add__3"]
    assert [tensor.name for tensor in first.graph.initializer] == ["v", "w__1"]
    assert [tensor.name for tensor in first.graph.output] == ["Identity:0"], "names that people chose stay"
