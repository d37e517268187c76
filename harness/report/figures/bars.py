"""The shared code of figures that have one bar an artifact and one drawing a board."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from harness.core.safetext import slug
from harness.report.figures.canvas import Drawing, kind_style
from harness.report.figures.rows import canvas, kind_legend, per_board, shown
from harness.report.gather import ReportData
from harness.report.table import brief


@dataclass(frozen=True)
class Bars:
    """The values that are drawn as bars.

    Attributes:
        plot: the figure's name.
        column: of ``data.cells``; NaN where there is nothing to draw.
        scale: the divisor of a value.
        label: of the axis, with its unit.
        title: of a drawing, without the board.
    """

    plot: str
    column: str
    scale: float
    label: str
    title: str


def draw_bars(data: ReportData, bars: Bars) -> list[Drawing]:
    """One drawing for each board that has values, lowest first."""
    drawings = []
    for clock, board, every in per_board(data):
        cells, cut = shown(every[every[bars.column].notna()].sort_values(bars.column, kind="stable"))
        if cells.empty:
            continue
        values = cells[bars.column].to_numpy() / bars.scale
        figure, axes = canvas(cells, f"{board}{cut}")
        axes.barh(np.arange(len(cells)), values, height=0.68, color=[kind_style(k)[0] for k in cells.kind], alpha=0.85)
        for row, value in enumerate(values):
            axes.text(value + values.max() * 0.015, row, brief(value), va="center", fontsize=7.5)
        axes.set_xlim(0, values.max() * 1.14)
        axes.set_xlabel(bars.label)
        kind_legend(figure, cells)
        alt = (
            f"Bars: {bars.label} of {len(cells)} artifacts on {board}{cut}, from {brief(values.min())} "
            f"({cells.label.iloc[0]}) to {brief(values.max())} ({cells.label.iloc[-1]})."
        )
        drawings.append(
            Drawing(
                name=f"{bars.plot}-{clock.key}-{slug(board)}",
                plot=bars.plot,
                title=f"{bars.title} on {board}",
                alt=alt,
                figure=figure,
            )
        )
    return drawings
