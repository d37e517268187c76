"""Estimated cycles of four threads, one row an artifact, one drawing a board. They share no axis with those of one."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure as Canvas

from harness.core.safetext import slug
from harness.estimate.judge import LEAST_RATIO, SHARED_QUANTITY, judgement
from harness.report.figures.canvas import Drawing, kind_style
from harness.report.figures.figure import Figure
from harness.report.figures.rows import canvas, kind_legend, per_board, shown
from harness.report.gather import ReportData
from harness.report.table import brief

_PLOT = "cycles-shared"
_COLUMN = "estimated_cycles_4_threads"


def cycles_shared(data: ReportData) -> list[Drawing]:
    """Estimated cycles of one inference whose work four threads share, lowest first."""
    drawings = []
    for _, board, every in per_board(data):
        cells, cut = shown(every[every[_COLUMN].notna()].sort_values(_COLUMN, kind="stable"))
        if cells.empty:
            continue
        low, high = (brief(float(cells.iloc[place][_COLUMN]) / 1e6) for place in (0, -1))
        alt = (
            f"Bars: {SHARED_QUANTITY.lower()}, of {len(cells)} artifacts on {board}{cut}, from {low} million "
            f"({cells.iloc[0].label}) to {high} million ({cells.iloc[-1].label})."
        )
        drawings.append(
            Drawing(
                name=f"{_PLOT}-{slug(board)}",
                plot=_PLOT,
                title=f"{SHARED_QUANTITY}, on {board}: an estimate, not a measurement",
                alt=alt,
                figure=_bars(cells, f"{board}{cut}"),
            )
        )
    return drawings


def _bars(cells: pd.DataFrame, title: str) -> Canvas:
    """Draw bars from zero and say how many lower ones each can't be told apart from."""
    figure, axes = canvas(cells, title)
    values = cells[_COLUMN].to_numpy() / 1e6
    axes.barh(np.arange(len(cells)), values, height=0.68, color=[kind_style(k)[0] for k in cells.kind], alpha=0.85)
    for row, value in enumerate(values):
        close = sum(judgement(lower, value) == "can't tell" for lower in values[:row])
        text = f"{brief(value)} (can't tell from {close} above)" if close else brief(value)
        axes.text(value + values.max() * 0.015, row, text, va="center", fontsize=7.5)
    axes.set_xlim(0, values.max() * 1.14)
    axes.set_xlabel(f"{SHARED_QUANTITY} (million)")
    kind_legend(figure, cells)
    return figure


FIGURE = Figure(
    name=_PLOT,
    heading="Estimated cycles of four threads",
    note=(
        "Estimates, not measurements, derived from what one thread executes: four cores divide the work evenly, each "
        "with its own caches, and share the memory. Waiting for each other is not modelled, so times are longer. "
        f"Estimates closer than {LEAST_RATIO}x can't be told apart. Only for cores that execute out of order."
    ),
    draw=cycles_shared,
    scope="board",
)
