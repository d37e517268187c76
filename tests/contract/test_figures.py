"""What every registered figure keeps to; a new one is tested here without a word about it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from matplotlib.axes import Axes

from benchmarks.made.cells import device, in_rounds, make_cell, make_manifest, make_run
from harness.report.figures import FIGURES, PLOTS
from harness.report.figures.canvas import styled
from harness.report.figures.figure import Figure
from harness.report.gather import ReportData, gather
from tests.support.estimate_factory import make_estimate, make_operators, make_times

#: An axis says what it counts: a unit in brackets, a share, or plainly what its ticks are.
UNIT = re.compile(r"\(.+\)|%|Times|Answer|Truth")
each_figure = pytest.mark.parametrize("figure", FIGURES, ids=lambda figure: figure.name)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> ReportData:
    """Made-up cells with something of everything: threads, heat, energy, pruned forms, boards, estimates, rounds,
    releases."""
    networks = ("mobilenet-v2", "mobilenet-v2-pruned", "squeezenet")
    boards = (device(), device("here", "generic", emulated=False))
    cells = []
    for number, name in enumerate(networks):
        for variant in ("fp32", "int8"):
            for board in boards:
                for threads in (1, 2):
                    state = {
                        "wall_s": str(1e9 + len(cells) * 60),
                        "/sys/class/thermal/thermal_zone0/temp": str(45_000 + 300 * len(cells)),
                    }
                    cell = make_cell(
                            name, variant, board, threads=threads, median_ms=(number + 2) / threads,
                            accuracy=0.95 - number / 50, energy_j=0.5,
                            evidence={"before": state, "during": [state], "after": state},
                    )  # fmt: skip
                    if board.emulated and threads == 1:
                        found = {"estimate": make_estimate(1_000_000 * (number + 1)), "operators": make_operators()}
                        cell = cell.model_copy(update=found)
                    if not board.emulated and threads == 1:
                        cell = cell.model_copy(update={"operator_times": make_times(9000, 10, -900, 5000)})
                    cells.append(cell if board.emulated else in_rounds(cell, apart=0.01))
    older = cells[0].runtime.model_copy(update={"version": "2.1.0"})
    cells.append(cells[0].model_copy(update={"cell": f"{cells[0].cell}-older", "runtime": older}))
    run = make_run(tmp_path_factory.mktemp("figures"), cells)
    return gather([run], {name: make_manifest(name) for name in networks})


@pytest.fixture(autouse=True)
def style() -> Iterator[None]:
    with styled():
        yield


def test_names_are_unique_and_are_those_of_plot() -> None:
    assert [figure.name for figure in FIGURES] == list(PLOTS)
    assert len(PLOTS) == len(FIGURES)
    assert len({figure.heading for figure in FIGURES}) == len(FIGURES)


@each_figure
def test_it_has_a_name_for_files_and_a_heading_for_people(figure: Figure) -> None:
    assert re.fullmatch(r"[a-z][a-z-]*", figure.name)
    assert figure.heading[0].isupper()
    assert not figure.note or figure.note.endswith(".") or figure.note.endswith("?")
    assert not figure.absent or figure.absent.endswith(".")


@each_figure
def test_it_draws_with_a_unit_on_every_axis(figure: Figure, data: ReportData) -> None:
    drawings = figure.draw(data)
    assert drawings
    assert len({drawing.name for drawing in drawings}) == len(drawings)
    for drawing in drawings:
        assert drawing.plot == figure.name
        assert len(drawing.title) > 3
        assert drawing.alt.endswith(".")
        bottom = drawing.figure.axes[-1]
        assert UNIT.search(bottom.get_xlabel()), f"{drawing.name}: {bottom.get_xlabel()!r}"
        for axes in drawing.figure.axes:
            label = axes.get_ylabel()
            assert UNIT.search(label) or names_rows(axes), f"{drawing.name}: {label!r}"


def names_rows(axes: Axes) -> bool:
    """Whether the vertical axis has names instead of numbers."""
    ticks = [tick.get_text() for tick in axes.get_yticklabels()]
    return bool(ticks) and not any(re.fullmatch(r"[−-]?[\d.]+", text) for text in ticks)


@each_figure
def test_it_leaves_itself_out_where_there_is_nothing(figure: Figure, tmp_path: Path) -> None:
    assert figure.draw(gather([make_run(tmp_path / "none", [])], {})) == []
    failed = gather([make_run(tmp_path / "failed", [make_cell(status="FAILED")])], {})
    assert all(drawing.plot == figure.name for drawing in figure.draw(failed))
