"""Energy, one row an artifact, one drawing for each board that has a sensor."""

from __future__ import annotations

from dataclasses import replace

from harness.report.figures.bars import Bars, draw_bars
from harness.report.figures.canvas import Drawing
from harness.report.figures.figure import Figure
from harness.report.gather import ReportData

_BARS = Bars(
    plot="energy",
    column="energy_mj",
    scale=1.0,
    label="Energy per inference (mJ)",
    title="Energy per inference",
)


def energy(data: ReportData) -> list[Drawing]:
    """Energy per inference on boards that have a sensor."""
    cells = data.cells.assign(energy_mj=data.cells.energy_j * 1e3 / data.cells.samples.clip(lower=1))
    return draw_bars(replace(data, cells=cells), _BARS)


FIGURE = Figure(
    name="energy",
    heading="Energy",
    note="",
    draw=energy,
    scope="board",
    absent="Energy: no board in these results has a sensor for it.",
)
