"""The figure of operators: three quantities on axes of their own, and nothing told that nobody knows."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.made.cells import device, make_cell, make_run
from harness.records.cell import Cell
from harness.report.figures.canvas import Drawing, styled
from harness.report.figures.cycles import cycles
from harness.report.figures.operators import operators
from harness.report.gather import gather
from tests.support.drawings import check, texts
from tests.support.estimate_factory import make_estimate, make_operators, make_times

HERE = device("here", "generic", emulated=False)


@pytest.fixture(autouse=True)
def style() -> Iterator[None]:
    with styled():
        yield


def drawn(folder: Path, *cells: Cell) -> list[Drawing]:
    found = operators(gather([make_run(folder, list(cells))], {}))
    for drawing in found:
        check(drawing)
    return found


def test_each_quantity_has_an_axis_of_its_own(tmp_path: Path) -> None:
    counted = make_cell("squeezenet", "int8", device()).model_copy(update={"operators": make_operators()})
    timed = make_cell("squeezenet", "int8", HERE).model_copy(update={"operator_times": make_times(9000, 4000)})
    found = drawn(tmp_path, counted, timed)
    assert [drawing.figure.axes[0].get_xlabel() for drawing in found] == [
        "Time (µs)",
        "Estimated cycles, 1 thread (thousand)",
        "Counted instructions (thousand)",
    ]
    assert all(len(drawing.figure.axes) == 1 for drawing in found)
    assert len({drawing.name for drawing in found}) == 3


def test_a_time_that_is_not_known_is_no_bar_and_no_number_but_a_bound(tmp_path: Path) -> None:
    times = make_times(9000, 10, -900, 4000)
    (drawing,) = drawn(tmp_path, make_cell("squeezenet", "int8", HERE).model_copy(update={"operator_times": times}))
    axes = drawing.figure.axes[0]
    widths = [bar.get_width() for bar in axes.patches]
    assert min(widths) == 0
    assert [width > 0 for width in widths[:4]] == [True, False, False, True]
    said = [text.get_text() for text in axes.texts]
    assert said[1].startswith("can't tell (under 0.0")
    assert said[2] == "nothing of its own"
    assert not any(text.startswith(("-", "\N{MINUS SIGN}")) for text in said)


def test_one_round_draws_nothing_but_that_nobody_can_tell(tmp_path: Path) -> None:
    times = make_times(9000, 4000, rounds=1)
    (drawing,) = drawn(tmp_path, make_cell("squeezenet", "int8", HERE).model_copy(update={"operator_times": times}))
    assert {text.get_text() for text in drawing.figure.axes[0].texts} == {"can't tell"}
    assert "can't be told" in drawing.alt


@pytest.mark.parametrize(("second", "can_tell"), [(1000, True), (2900, False)])
def test_two_operators_with_close_cycles_are_not_told_apart(tmp_path: Path, second: int, can_tell: bool) -> None:
    costs = make_operators()
    changed = costs.operators[1].model_copy(update={"cycles": second})
    costs = costs.model_copy(update={"operators": (costs.operators[0], changed, costs.operators[2])})
    cell = make_cell("squeezenet", "int8", device()).model_copy(update={"operators": costs})
    drawing = drawn(tmp_path, cell)[0]
    assert ("SOFTMAX takes most" in drawing.alt) is can_tell
    assert ("can't be told" in drawing.alt) is not can_tell


def test_more_operators_than_fit_share_a_row_with_an_interval(tmp_path: Path) -> None:
    times = make_times(*range(1000, 61_000, 1000))
    (drawing,) = drawn(tmp_path, make_cell("squeezenet", "int8", HERE).model_copy(update={"operator_times": times}))
    labels = [label.get_text() for label in drawing.figure.axes[0].get_yticklabels()]
    assert "the other operators (20)" in labels
    assert len(labels) == 42


def test_estimates_of_two_versions_are_not_on_one_axis(tmp_path: Path) -> None:
    cells = [
        make_cell(name, "int8", device()).model_copy(
            update={"estimate": make_estimate(cycles_).model_copy(update={"llvm": version})}
        )
        for name, cycles_, version in (
            ("squeezenet", 1_000_000, "14.0.6"), ("ghostnet", 2_000_000, "19.1.7"), ("mnasnet", 2_100_000, "19.1.7"),
            ("mobilenet-v2", 5_000_000, "19.1.7"),
        )
    ]  # fmt: skip
    older, newer = cycles(gather([make_run(tmp_path, cells)], {}))
    assert "by LLVM 14.0.6" in older.title
    assert "by LLVM 19.1.7" in newer.title
    assert older.name != newer.name
    said = [text.get_text() for text in texts(newer.figure)]
    assert any("can't tell from the lowest" in text for text in said)


def test_close_estimates_are_marked_wherever_they_are(tmp_path: Path) -> None:
    values = {"a": 1_000_000, "b": 2_000_000, "c": 2_100_000, "d": 2_200_000, "e": 9_000_000}
    cells = [
        make_cell(name, "int8", device()).model_copy(update={"estimate": make_estimate(value)})
        for name, value in values.items()
    ]
    (drawing,) = cycles(gather([make_run(tmp_path, cells)], {}))
    check(drawing)
    said = [text.get_text() for text in drawing.figure.axes[0].texts]
    assert [text.partition(" ")[2] for text in said] == [
        "", "", "(can't tell from 1 above)", "(can't tell from 2 above)", "",
    ]  # fmt: skip
    assert "c int8: can't tell from 1 above; d int8: can't tell from 2 above." in drawing.alt
