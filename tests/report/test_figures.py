"""Figures by measure rather than by eye: nothing cut, no labels on top of each other, units on every axis."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from benchmarks.made.cells import device, in_rounds, make_cell, make_manifest, make_run, matrix
from harness.records.cell import Cell
from harness.report import compare_page as comparing
from harness.report import history
from harness.report.figures import PLOTS
from harness.report.figures.canvas import png, styled, svg
from harness.report.figures.confusion import confusion
from harness.report.figures.pareto import frontier
from harness.report.gather import ReportData, gather
from harness.report.table import brief
from harness.results.compare import compare
from tests.support.drawings import check, texts
from tests.support.estimate_factory import make_estimate, make_operators, make_times


def everything(folder: Path, networks: int, boards: int) -> list[Cell]:
    """A run with every kind of figure in it: three thread counts, heat, energy, estimates, rounds."""
    cells = []
    for i, cell in enumerate(matrix(networks, boards, run=f"{networks}x{boards}")):
        for threads in (1, 2, 4) if i < 8 else (1,):
            state = {"wall_s": str(1e9 + i * 60), "/sys/class/thermal/thermal_zone0/temp": str(45_000 + 300 * i)}
            latency = tuple(round(x / threads**0.8) for x in cell.latency_ns)
            cells.append(
                make_cell(
                    cell.model.name, cell.model.variant, cell.device, threads=threads, latency_ns=latency,
                    evidence={"before": state, "during": [state], "after": state}, energy_j=0.5 + i,
                    bytes_=cell.model.bytes,
                )
            )  # fmt: skip
    estimates = {"estimate": make_estimate(1_000_000), "operators": make_operators()}
    times = {"operator_times": make_times(9_000, 10, -900, 5_000, 900_000)}
    measured = [
        in_rounds(cell.model_copy(update=times if cell.runtime.threads == 1 else {}), apart=0.02)
        if cell.device.clock == "wall"
        else cell.model_copy(update=estimates if cell.runtime.threads == 1 else {})
        for cell in cells
    ]
    older = measured[0].runtime.model_copy(update={"version": "2.1.0"})
    return [*measured, measured[0].model_copy(update={"cell": f"{measured[0].cell}-older", "runtime": older})]


def data(folder: Path, networks: int, boards: int) -> ReportData:
    run = make_run(folder, everything(folder, networks, boards))
    return gather([run], {"resvgg19-pruned": make_manifest()})


@pytest.mark.parametrize(("networks", "boards"), [(1, 1), (3, 3)])
def test_no_label_is_cut_and_none_overlap(tmp_path: Path, networks: int, boards: int) -> None:
    found = data(tmp_path, networks, boards)
    with styled():
        for name, draw in PLOTS.items():
            for drawing in draw(found):
                assert drawing.plot == name
                check(drawing)


@pytest.mark.slow
@pytest.mark.parametrize(("networks", "boards"), [(30, 3), (3, 12), pytest.param(30, 12, marks=pytest.mark.soak)])
def test_nor_with_many(tmp_path: Path, networks: int, boards: int) -> None:
    found = data(tmp_path, networks, boards)
    with styled():
        for draw in PLOTS.values():
            for drawing in draw(found)[:5]:
                check(drawing)


@pytest.mark.slow
def test_nor_with_long_names(tmp_path: Path) -> None:
    board = device("a-very-long-name-of-a-board-in-the-lab-4711")
    name = "an-extremely-long-name-of-a-network-{}-with-more-words"
    cells = [
        make_cell(name.format(i), "dynamic", board, median_ms=1 + i, fmt=fmt)
        for i in range(90)
        for fmt in ("onnx", "tflite")
    ]
    cells += [make_cell(name.format(1), "dynamic", board, median_ms=1, threads=threads) for threads in (2, 4)]
    found = gather([make_run(tmp_path, cells)], {})
    with styled():
        for draw in PLOTS.values():
            for drawing in draw(found)[:2]:
                check(drawing)


def test_nor_with_every_variant_and_rivals_pruned_by_us(tmp_path: Path) -> None:
    """The longest legend there is: all variants in both formats, two frontiers."""
    names = ["resvgg19", "resvgg19-pruned", "mobilenet-v3-small", "mobilenet-v3-small-pruned"]
    cells = matrix(names, 1, ("fp32", "int8", "fp16", "dynamic"))
    cells += [c for fmt in ("fp32", "int8", "fp16") for c in matrix(names, 1, (fmt,), fmt="onnx")]
    found = gather([make_run(tmp_path, cells)], {name: make_manifest(name) for name in names})
    with styled():
        for draw in PLOTS.values():
            for drawing in draw(found):
                check(drawing)


def test_no_number_is_cut_from_a_step_and_no_accuracy_is_above_100(tmp_path: Path) -> None:
    manifest = make_manifest()
    steps = tuple(
        step.model_copy(update={"detail": "words " * 40, "accuracy": 1.0, "parameters": 21_503})
        for step in manifest.chain
    )
    run = make_run(tmp_path, [make_cell("resvgg19-pruned", accuracy=1.0), make_cell("resvgg19", accuracy=1.0)])
    found = gather([run], {manifest.name: manifest.model_copy(update={"chain": steps})})
    with styled():
        for name in ("chain", "pareto"):
            for drawing in PLOTS[name](found):
                check(drawing)
                ticks = [float(tick) for axes in drawing.figure.axes for tick in axes.get_yticks()]
                assert max(ticks) <= 100.01
        (lines,) = (t.get_text() for t in texts(PLOTS["chain"](found)[0].figure) if "words" in t.get_text())
    assert all(line.endswith("kB") and "21.5 k par." in line and len(line) <= 80 for line in lines.splitlines())


def test_medians_beside_samples_touch_no_sample(tmp_path: Path) -> None:
    """Long names leave little room: how many samples lie beyond and the median stand side by side."""
    boards = [device("here", "generic", emulated=False), device()]
    cells = [make_cell("efficientnet-lite0-pruned", v, b, median_ms=0.123) for v in ("fp32", "int8") for b in boards]
    slow = [c.model_copy(update={"latency_ns": (*c.latency_ns[:-1], c.latency_ns[0] * 9)}) for c in cells]
    with styled():
        for drawing in PLOTS["distribution"](gather([make_run(tmp_path, slow)], {})):
            check(drawing)
            canvas = FigureCanvasAgg(drawing.figure)
            canvas.draw()
            axes = drawing.figure.axes[0]
            boxes = [text.get_window_extent(canvas.get_renderer()) for text in axes.texts]
            assert any("▸" in text.get_text() for text in axes.texts)
            for i, a in enumerate(boxes):
                assert not any(a.overlaps(b) for b in boxes[i + 1 :]), drawing.name


def test_changes_and_history_are_not_cut_either(tmp_path: Path) -> None:
    cells = matrix(6, 2)
    slower = [c.model_copy(update={"latency_ns": tuple(x + x // 9 for x in c.latency_ns)}) for c in cells[::2]]
    runs = [make_run(tmp_path, cells, name="first-of-many-runs"), make_run(tmp_path, [*cells, *slower], name="second")]
    with styled():
        drawings = [*comparing.changes(compare(*runs, 0.05)), *history.figures(history.gather(runs))]
        assert len(drawings) == 4
        for drawing in drawings:
            check(drawing)


def test_every_plot_there_is_draws_something(tmp_path: Path) -> None:
    found = data(tmp_path, 3, 3)
    with styled():
        assert {name for name, draw in PLOTS.items() if draw(found)} == set(PLOTS)


def test_a_figure_is_the_same_bytes_each_time(tmp_path: Path) -> None:
    found = data(tmp_path, 3, 1)
    with styled():
        for draw in (PLOTS["pareto"], PLOTS["distribution"]):
            first, second = draw(found)[0].figure, draw(found)[0].figure
            assert svg(first) == svg(second)
            assert png(first) == png(second)


def test_nothing_beats_the_frontier(tmp_path: Path) -> None:
    cells = data(tmp_path, 11, 1).valid
    best = frontier(cells)
    assert len(best)
    for cell in cells.itertuples():
        beaten = (best.value <= cell.value) & (best.accuracy >= cell.accuracy)
        assert beaten.any()
    assert best.value.is_monotonic_increasing
    assert best.accuracy.is_monotonic_increasing
    assert best.accuracy.is_unique


def test_a_class_without_test_images_is_left_out_of_the_hardest(tmp_path: Path) -> None:
    """A small split may lack a class: its recall is a dash, and no warning (they are errors here)."""
    cell = make_cell()
    labels = tuple(1 if label == 0 else label for label in cell.split.labels)
    cell = cell.model_copy(update={"split": cell.split.model_copy(update={"labels": labels})})
    figures = PLOTS["confusion"](gather([make_run(tmp_path, [cell])]))
    assert "Hardest class on average: contempt" in figures[0].alt
    assert "–" in [text.get_text() for text in texts(figures[0].figure)]


def test_thousands_are_no_exponents() -> None:
    """The uncompressed network takes thousands of million instructions."""
    assert [brief(v) for v in (0.26249, 14.24, 999.4, 999.6, 7310.0, 1_234_567.0)] == [
        "0.262", "14.2", "999", "1,000", "7,310", "1,234,567",
    ]  # fmt: skip


def test_answers_out_of_range_have_a_column_of_their_own() -> None:
    matrix = confusion(np.array([0, 0, 1]), np.array([0, -1, 99]), 2)
    assert matrix.tolist() == [[1, 0, 1], [0, 0, 1]]


def test_the_canary_and_the_passes_of_several_rounds_are_in_the_timeline(tmp_path: Path) -> None:
    state = {"wall_s": "1000000000.0"}
    looks = [{"wall_s": str(1e9 + i), "compute": 1_000_000 + 200_000 * i, "memory": 500_000} for i in range(4)]
    evidence = {"before": state, "during": [state] * 2, "after": state, "canary": [*looks, "odd", {"wall_s": None}]}
    here = device("here", "generic", emulated=False)
    cell = in_rounds(make_cell(dev=here, evidence=evidence), 2)
    with styled():
        (drawing,) = PLOTS["timeline"](gather([make_run(tmp_path, [cell])]))
    panels = [axes.get_ylabel() for axes in drawing.figure.axes]
    assert panels[1:] == ["Canary that computes,\nover its fastest (%)", "Canary through memory,\nover its fastest (%)"]
    assert max(drawing.figure.axes[1].lines[0].get_ydata()) == pytest.approx(60)
