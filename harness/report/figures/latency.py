"""Latency of every network on one board: bars with spread, and all samples."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from harness.core.safetext import slug
from harness.report.figures.canvas import INK, Drawing, kind_style, log_axis
from harness.report.figures.rows import canvas, kind_legend, per_board, shown
from harness.report.gather import ReportData
from harness.report.table import brief

#: Beyond this, slowest by fastest, bars from zero would show but the slowest: dots on a log axis take their place.
WIDE = 30.0


def bars(data: ReportData) -> list[Drawing]:
    """Medians with the range of 80 % of the samples, one figure a board."""
    drawings = []
    for clock, board, every in per_board(data):
        cells, cut = shown(every)
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
        name = f"latency-{clock.key}-{slug(board)}"
        drawings.append(Drawing(name, "latency", f"{clock.quantity} on {board}", alt, figure))
    return drawings


def _linear_bars(axes: Axes, cells: pd.DataFrame, high: np.ndarray[Any, Any]) -> None:
    """Bars from zero, with their medians behind them."""
    axes.barh(np.arange(len(cells)), cells.value, height=0.68, color=[kind_style(k)[0] for k in cells.kind], alpha=0.85)
    for row, value in enumerate(cells.value):
        axes.text(high[row] + float(high.max()) * 0.015, row, brief(value), va="center", fontsize=7.5)
    axes.set_xlim(0, float(high.max()) * 1.14)


def _log_dots(axes: Axes, cells: pd.DataFrame, high: np.ndarray[Any, Any]) -> None:
    """A bar on a log axis would begin nowhere, so dots; medians to their right."""
    for row, (kind, value) in enumerate(zip(cells.kind, cells.value, strict=True)):
        colour, marker = kind_style(kind)
        axes.plot([value], [row], marker, color=colour, ms=6.5, mew=0, alpha=0.9)
        axes.annotate(
            brief(value), (high[row], row), xytext=(6, 0), textcoords="offset points", va="center", fontsize=7.5
        )
    log_axis(axes, float(cells.value.min()), float(high.max()) * 1.6)  # room for the number of the slowest


def distribution(data: ReportData) -> list[Drawing]:
    """Every sample as a dot, relative to the artifact's own median, so that spread can be seen beside any speed."""
    drawings = []
    for clock, board, every in per_board(data):
        cells, cut = shown(every)
        figure, axes = canvas(cells, f"{board}: every sample{cut}")
        relative = [(s / np.median(s) - 1) * 100 for s in cells.latency_ns]
        low = min(min(float(np.percentile(r, 0.5)) for r in relative) * 1.1, -0.01)
        high = max(max(float(np.percentile(r, 99)) for r in relative) * 1.1, 0.01)
        medians = [f"{brief(value)} {clock.short_unit}" for value in cells.value]
        room = 0.045 * max(map(len, medians)) + 0.03  # medians stand beyond the last dot
        axes.set_xlim(low - (high - low) * 0.02, high + (high - low) * room)
        for row, (deviation, kind, median) in enumerate(zip(relative, cells.kind, medians, strict=True)):
            _samples(axes, row, deviation, kind, high)
            axes.text(0.99, row, median, transform=axes.get_yaxis_transform(), va="center", ha="right", fontsize=7.5)
        axes.locator_params(axis="x", nbins=5)
        axes.set_xlabel("Deviation from its own median (%); right: median")
        kind_legend(figure, cells, Line2D([], [], color=INK, lw=1.6, label="middle half"))
        alt = (
            f"Each sample of {len(cells)} artifacts on {board}{cut} as a dot: how far, in percent, it is from that "
            f"artifact's median. {_widest(cells)}"
        )
        name = f"distribution-{clock.key}-{slug(board)}"
        drawings.append(Drawing(name, "distribution", f"Every sample on {board}", alt, figure))
    return drawings


def _samples(
    axes: Axes, row: int, deviation: np.ndarray[tuple[int], np.dtype[np.float64]], kind: str, high: float
) -> None:
    """One row: dots from top to bottom in the order measured (so drift is a slope, and no dice are thrown)."""
    offsets = (np.arange(deviation.size) / max(deviation.size - 1, 1) - 0.5) * 0.66
    near = deviation <= high
    axes.plot(
        deviation[near],
        row + offsets[near],
        ".",
        color=kind_style(kind)[0],
        ms=2.6,
        alpha=0.6,
        mew=0,
        rasterized=True,
        zorder=2,
    )
    q1, q3 = np.percentile(deviation, (25, 75))
    axes.plot([q1, q3], [row, row], color=INK, lw=1.6, solid_capstyle="butt", zorder=3)
    axes.plot([0, 0], [row - 0.36, row + 0.36], color=INK, lw=1.2, zorder=3)
    if beyond := int(np.count_nonzero(deviation > high)):
        axes.text(high, row, f"{beyond}▸", ha="right", va="center", fontsize=6.5)


def _widest(cells: pd.DataFrame) -> str:
    spread = [float(np.ptp(s) / np.median(s)) for s in cells.latency_ns]
    widest = int(np.argmax(spread))
    return f"Widest spread: {cells.label.iloc[widest]}, {spread[widest]:.1%} of its median from lowest to highest."
