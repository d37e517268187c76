"""Latency of every network on one board, with its spread."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from harness.core.clock import Clock
from harness.core.safetext import slug
from harness.report.figures.canvas import INK, Drawing, kind_style, log_axis
from harness.report.figures.figure import Figure
from harness.report.figures.rows import canvas, kind_legend, per_board, shown
from harness.report.gather import ReportData
from harness.report.table import brief
from harness.results.table import FloatArray

#: Above this ratio of slowest to fastest, bars from zero would show only the slowest; dots on a log axis replace them.
WIDE = 30.0


def bars(data: ReportData) -> list[Drawing]:
    """Medians with the range of 80 % of the samples, one figure a board."""
    return [_board(clock, board, *shown(every)) for clock, board, every in per_board(data)]


def _board(clock: Clock, board: str, cells: pd.DataFrame, cut: str) -> Drawing:
    figure, axes = canvas(cells, board + cut)
    low, high = np.array([np.percentile(s, (10, 90)) / 1e6 for s in cells.latency_ns]).T
    wide = bool(cells.value.max() > WIDE * cells.value.min() > 0)
    (_log_dots if wide else _linear_bars)(axes, cells, high)
    y = np.arange(len(cells))
    axes.hlines(y, low, high, color=INK, lw=1.4)
    axes.plot(low, y, "|", high, y, "|", color=INK, ms=6, mew=1.4)
    axes.set_xlabel(f"Median {clock.quantity.lower()} ({clock.unit}){', log scale' if wide else ''}")
    kind_legend(figure, cells, Line2D([], [], color=INK, lw=1.4, label="middle 80 % of samples"))
    first, last = cells.iloc[0], cells.iloc[-1]
    alt = (
        f"{'Dots at' if wide else 'Bars of'} the median {clock.quantity.lower()} in {clock.unit} of {len(cells)} "
        f"artifacts on {board}{cut}. "
        f"Lowest: {first.label} with {brief(first.value)}; highest: {last.label} with {brief(last.value)}."
    )
    return Drawing(
        name=f"latency-{clock.key}-{slug(board)}",
        plot="latency",
        title=f"{clock.quantity} on {board}",
        alt=alt,
        figure=figure,
    )


def _linear_bars(axes: Axes, cells: pd.DataFrame, high: FloatArray) -> None:
    """Draw bars from zero, followed by their medians."""
    axes.barh(np.arange(len(cells)), cells.value, height=0.68, color=[kind_style(k)[0] for k in cells.kind], alpha=0.85)
    for row, value in enumerate(cells.value):
        axes.text(high[row] + float(high.max()) * 0.015, row, brief(value), va="center", fontsize=7.5)
    axes.set_xlim(0, float(high.max()) * 1.14)


def _log_dots(axes: Axes, cells: pd.DataFrame, high: FloatArray) -> None:
    """Draw dots, since a bar on a log axis has no starting point; medians stand to their right."""
    for row, (kind, value) in enumerate(zip(cells.kind, cells.value, strict=True)):
        colour, marker = kind_style(kind)
        axes.plot([value], [row], marker, color=colour, ms=6.5, mew=0, alpha=0.9)
        axes.annotate(
            brief(value), (high[row], row), xytext=(6, 0), textcoords="offset points", va="center", fontsize=7.5
        )
    log_axis(axes, float(cells.value.min()), float(high.max()) * 1.6)  # room for the number of the slowest


FIGURE = Figure(name="latency", heading="Latency", note="", draw=bars, scope="board")
