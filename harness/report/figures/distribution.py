"""Every sample on one board: how widely each artifact's latency spreads, and whether it drifts."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from harness.core.clock import Clock
from harness.core.safetext import slug
from harness.report.figures.canvas import INK, Drawing, kind_style
from harness.report.figures.figure import Figure
from harness.report.figures.rows import canvas, kind_legend, per_board, shown
from harness.report.gather import ReportData
from harness.report.table import brief
from harness.results.table import FloatArray


def distribution(data: ReportData) -> list[Drawing]:
    """Every sample as a dot relative to its artifact's own median, so that spread is comparable between speeds."""
    return [_board(clock, board, *shown(every)) for clock, board, every in per_board(data)]


def _board(clock: Clock, board: str, cells: pd.DataFrame, cut: str) -> Drawing:
    figure, axes = canvas(cells, f"{board}: every sample{cut}")
    relative = [(s / np.median(s) - 1) * 100 for s in cells.latency_ns]
    low = min(min(float(np.percentile(r, 0.5)) for r in relative) * 1.1, -0.01)
    high = max(max(float(np.percentile(r, 99)) for r in relative) * 1.1, 0.01)
    medians = [f"{brief(value)} {clock.short_unit}" for value in cells.value]
    room = 0.045 * max(map(len, medians)) + 0.03  # medians are written beyond the last dot
    axes.set_xlim(low - (high - low) * 0.02, high + (high - low) * room)
    for row, (deviation, kind, median) in enumerate(zip(relative, cells.kind, medians, strict=True)):
        _samples(axes, row, deviation, colour=kind_style(kind)[0], high=high)
        axes.text(0.99, row, median, transform=axes.get_yaxis_transform(), va="center", ha="right", fontsize=7.5)
    axes.locator_params(axis="x", nbins=5)
    axes.set_xlabel("Deviation from its own median (%); right: median")
    kind_legend(figure, cells, Line2D([], [], color=INK, lw=1.6, label="middle half"))
    alt = (
        f"Each sample of {len(cells)} artifacts on {board}{cut} as a dot: how far, in percent, it is from that "
        f"artifact's median. {_widest(cells)}"
    )
    return Drawing(
        name=f"distribution-{clock.key}-{slug(board)}",
        plot="distribution",
        title=f"Every sample on {board}",
        alt=alt,
        figure=figure,
    )


def _samples(axes: Axes, row: int, deviation: FloatArray, *, colour: str, high: float) -> None:
    """Draw one row: dots from top to bottom in the order measured; drift shows as a slope (no random jitter)."""
    offsets = (np.arange(deviation.size) / max(deviation.size - 1, 1) - 0.5) * 0.66
    near = deviation <= high
    axes.plot(
        deviation[near],
        row + offsets[near],
        ".",
        color=colour,
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


FIGURE = Figure(
    name="distribution",
    heading="Every sample",
    note="Dots run from top to bottom in the order measured, so drift shows as a slope.",
    draw=distribution,
    scope="board",
)
