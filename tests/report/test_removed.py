"""What pruning removed: nodes beside each other, and what is drawn of them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.made.cells import device, make_cell, make_manifest, make_run
from harness.records.cell import Cell
from harness.records.estimate import OperatorCost, OperatorCosts
from harness.records.manifest import Manifest, NodeMacs
from harness.report.figures.canvas import styled
from harness.report.figures.removed import removed
from harness.report.gather import gather
from harness.report.nodes import Node, beside
from tests.support.drawings import check, texts
from tests.support.estimate_factory import make_estimate

WHOLE = [("CONV_2D", "a_conv"), ("CONV_2D", "b_conv"), ("ADD", "sum"), ("CONV_2D", "c_conv"), ("SOFTMAX", "out")]


@pytest.fixture(autouse=True)
def style() -> Iterator[None]:
    with styled():
        yield


def nodes(*layers: tuple[str, str], net: str = "net_1") -> list[Node]:
    return [Node(kind, f"{net}/{layer}_1/step;{net}/other_1/step", 1.0) for kind, layer in layers]


def found(before: list[Node], after: list[Node]) -> list[tuple[str | None, str | None]]:
    pairs = beside(before, after)
    return [(p.before and p.before.layer, p.after and p.after.layer) for p in pairs]  # type: ignore[misc]


def test_a_node_that_is_gone_stands_alone() -> None:
    left = [layer for layer in WHOLE if layer[1] != "b_conv"]
    assert found(nodes(*WHOLE), nodes(*left)) == [
        ("a_conv", "a_conv"), ("b_conv", None), ("sum", "sum"), ("c_conv", "c_conv"), ("out", "out"),
    ]  # fmt: skip


def test_networks_of_other_names_are_held_together_by_kinds() -> None:
    other = [(kind, f"x{number}") for number, (kind, _) in enumerate(WHOLE) if number != 1]
    pairs = found(nodes(*WHOLE), nodes(*other, net="other"))
    assert ("sum", "x2") in pairs
    assert ("out", "x4") in pairs
    assert sum(after is None for _, after in pairs) == 1


def test_a_node_that_came_stands_alone() -> None:
    assert found(nodes(*WHOLE[:2]), nodes(*WHOLE[:3])) == [("a_conv", "a_conv"), ("b_conv", "b_conv"), (None, "sum")]


def test_all_nodes_are_there_whatever_they_are() -> None:
    assert found([], []) == []
    assert found(nodes(*WHOLE[:1]), []) == [("a_conv", None)]


def costs(layers: list[tuple[str, str]], cycles: list[int]) -> OperatorCosts:
    operators = [
        OperatorCost(kind=kind, name=f"net/{layer}/x", instructions=each, cycles=each)
        for (kind, layer), each in zip(layers, cycles, strict=True)
    ]
    total = sum(cycles) + 500
    return OperatorCosts(
        operators=tuple(operators), call_instructions=9, call_cycles=9, instructions=total, cycles=total
    )


def cell(name: str, operators: OperatorCosts | None, variant: str = "int8") -> Cell:
    made = make_cell(name, variant, device())
    return made.model_copy(update={"estimate": make_estimate(1_000_000), "operators": operators})


def test_costs_stand_side_by_side_and_what_is_gone_is_said(tmp_path: Path) -> None:
    before = costs(WHOLE, [64_000, 90_000, -20, 8_000, 100])
    left = [layer for layer in WHOLE if layer[1] != "b_conv"]
    after = costs(left, [2_000, 0, 1_000, 100])
    run = make_run(tmp_path, [cell("resvgg19", before), cell("resvgg19-pruned", after)])
    (drawing,) = removed(gather([run], {}))
    assert "gone: b_conv" in drawing.alt
    assert "163 before" in drawing.alt  # thousand cycles, remainder included
    words = {text.get_text() for text in texts(drawing.figure)}
    assert {"÷32", "gone", "÷8", "costs nothing", "can't tell"} <= words
    assert "÷1" not in words, "two estimates of one value say nothing of hardware either"
    assert "nobody can tell" not in drawing.alt
    assert drawing.figure.axes[0].get_xlabel() == "Estimated cycles, 1 thread (thousand), log scale"
    check(drawing)


@pytest.mark.parametrize(("left", "told"), [(76_000, True), (77_000, False), (101_000, False)])
def test_close_estimates_are_not_told_apart(left: int, told: bool, tmp_path: Path) -> None:
    cells = [
        cell(name, costs(WHOLE[:1], [cycles])) for name, cycles in (("resvgg19", 100_000), ("resvgg19-pruned", left))
    ]
    (drawing,) = removed(gather([make_run(tmp_path, cells)], {}))
    words = [text.get_text() for text in texts(drawing.figure)]
    assert any(word.startswith("÷") for word in words) == told
    assert ("nobody can tell whether" in drawing.alt) != told


def test_multiply_accumulates_are_exact(tmp_path: Path) -> None:
    cells = [make_cell("squeezenet", "int8"), make_cell("squeezenet-pruned", "int8")]
    found = {name: manifest(name, [macs] * 5) for name, macs in (("squeezenet", 1000), ("squeezenet-pruned", 900))}
    (drawing,) = removed(gather([make_run(tmp_path, cells)], found))
    assert "÷1.11" in {text.get_text() for text in texts(drawing.figure)}


@pytest.mark.parametrize("what", ["llvm", "runtime"])
def test_costs_by_another_llvm_or_runtime_are_not_compared(what: str, tmp_path: Path) -> None:
    def made(name: str, cycles: int, *, other: bool) -> Cell:
        found = cell(name, costs(WHOLE[:1], [cycles]))
        if other and what == "llvm":
            return found.model_copy(update={"estimate": make_estimate(1_000_000).model_copy(update={"llvm": "14.0.6"})})
        if other:
            return found.model_copy(update={"runtime": found.runtime.model_copy(update={"name": "tflite"})})
        return found

    mixed = [made("resvgg19", 9000, other=True), made("resvgg19-pruned", 3000, other=False)]
    assert removed(gather([make_run(tmp_path, mixed)], {})) == []
    both = [made(name, 9000 if name == "resvgg19" else 3000, other=other)
            for name in ("resvgg19", "resvgg19-pruned") for other in (False, True)]  # fmt: skip
    both = [each.model_copy(update={"cell": f"{each.cell}-{number}"}) for number, each in enumerate(both)]
    run = make_run(tmp_path, both, name="both")
    assert len({drawing.name for drawing in removed(gather([run], {}))}) == 2


def test_other_variants_and_a_parent_without_operators_are_not_compared(tmp_path: Path) -> None:
    some = costs(WHOLE, [1, 2, 3, 4, 5])
    cells = [cell("resvgg19", some, "fp32"), cell("resvgg19-pruned", some), cell("squeezenet-pruned", some)]
    assert removed(gather([make_run(tmp_path, cells)], {})) == []


def manifest(name: str, macs: list[int]) -> Manifest:
    made = make_manifest(name)
    listed = tuple(
        NodeMacs(kind=kind, name=f"net/{layer}/x", macs=each)
        for (kind, layer), each in zip(WHOLE, macs, strict=True)
        if each >= 0
    )
    return made.model_copy(update={"artifacts": tuple(a.model_copy(update={"nodes": listed}) for a in made.artifacts)})


def test_multiply_accumulates_stand_in_where_no_run_has_operators(tmp_path: Path) -> None:
    cells = [make_cell("squeezenet", "int8"), make_cell("squeezenet-pruned", "int8")]
    manifests = {
        "squeezenet": manifest("squeezenet", [64_000, 90_000, 0, 8_000, 0]),
        "squeezenet-pruned": manifest("squeezenet-pruned", [2_000, -1, 0, 1_000, 0]),
    }
    (drawing,) = removed(gather([make_run(tmp_path, cells)], manifests))
    assert drawing.figure.axes[0].get_xlabel() == "Multiply-accumulates (thousand), log scale"
    assert "gone: b_conv" in drawing.alt
    assert "of the 3 nodes" in drawing.alt, "what computes no product is no node here"


def test_manifests_of_runs_before_nodes_were_recorded_have_none(tmp_path: Path) -> None:
    cells = [make_cell("squeezenet", "int8"), make_cell("squeezenet-pruned", "int8")]
    plain = {name: make_manifest(name) for name in ("squeezenet", "squeezenet-pruned")}
    assert removed(gather([make_run(tmp_path, cells)], plain)) == []
    assert '"nodes"' not in plain["squeezenet"].model_dump_json()


def test_many_nodes_are_the_dearest_and_a_sum(tmp_path: Path) -> None:
    layers = [("CONV_2D", f"layer{number}") for number in range(60)]
    before, after = costs(layers, list(range(1000, 1060))), costs(layers, list(range(100, 160)))
    run = make_run(tmp_path, [cell("resvgg19", before), cell("resvgg19-pruned", after)])
    (drawing,) = removed(gather([run], {}))
    labels = [tick.get_text() for tick in drawing.figure.axes[0].get_yticklabels()]
    assert len(labels) == 41
    assert labels[-1] == "the other nodes (21)"


@pytest.mark.parametrize(
    ("name", "layer"),
    [
        ("net_1/a_relu_1/Relu;net_1/a_bn_1/batchnorm/add_1;net_1/a_conv_1/convolution;net_1/a_bn_1/sub1", "a_conv"),
        ("net_1/block1_relu_1/Relu;net_1/block1_sum_1/Add", "block1_relu"),
        ("net_1/conv_10_2/BiasAdd", "conv_10_2"),
        ("StatefulPartitionedCall", "StatefulPartitionedCall"),
        ("", ""),
    ],
)
def test_a_node_is_named_by_its_layer_with_weights(name: str, layer: str) -> None:
    assert Node("CONV_2D", name, 1.0).layer == layer
