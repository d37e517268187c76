"""Latency of every network on one board: bars with spread, and all samples."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from harness.report.data import Clock, ReportData
from harness.report.figures.canvas import INK, MUTED, Drawing, kind_style, log_axis, new
from harness.report.text import for_figure, slug

ROW = 0.2  # inches a row needs at the font size used


def per_board(data: ReportData) -> Iterator[tuple[Clock, str, pd.DataFrame, tuple[float, float]]]:
    """(clock, board label, its VALID cells from fast to slow, lowest and highest sample of the clock's boards)."""
    for clock in data.clocks:
        cells = data.of(clock)
        if cells.empty:
            continue
        limits = (
            min(float(s.min()) for s in cells.latency_ns) / 1e6,
            max(float(s.max()) for s in cells.latency_ns) / 1e6,
        )
        for board, mine in cells.groupby("board_label", sort=False):
            yield clock, str(board), mine.sort_values("value", kind="stable"), limits


def bars(data: ReportData) -> list[Drawing]:
    """Medians with the range of 80 % of the samples, one figure a board."""
    drawings = []
    for clock, board, cells, _ in per_board(data):
        figure, axes = new(1.25 + ROW * len(cells))
        y = np.arange(len(cells))
        values = cells.value.to_numpy()
        low = np.array([np.percentile(s, 10) / 1e6 for s in cells.latency_ns])
        high = np.array([np.percentile(s, 90) / 1e6 for s in cells.latency_ns])
        axes.barh(y, values, height=0.68, color=[kind_style(k)[0] for k in cells.kind], alpha=0.85)
        axes.errorbar(
            values, y, xerr=[np.maximum(values - low, 0), np.maximum(high - values, 0)], fmt="none", ecolor=INK,
            elinewidth=1.2, capsize=2.5,
        )  # fmt: skip
        for row, value in zip(y, values, strict=True):
            axes.annotate(
                f"{value:.3g}", (high[row], row), xytext=(5, 0), textcoords="offset points", va="center", fontsize=7.5
            )
        axes.set_xlim(0, float(high.max()) * 1.14)
        _rows(axes, cells)
        axes.set_xlabel(f"{clock.quantity} ({clock.unit}); bar: median, line: middle 80 % of samples")
        axes.set_title(board)
        _kind_legend(figure, cells)
        fastest = cells.iloc[0]
        drawings.append(
            Drawing(
                f"latency-{clock.key}-{slug(board)}", "latency", f"{clock.quantity} on {board}",
                f"Bars of the median {clock.quantity.lower()} in {clock.unit} of {len(cells)} artifacts on {board}. "
                f"Lowest: {fastest.label} with {fastest.value:.3g} {clock.unit}; highest: {cells.iloc[-1].label} with "
                f"{cells.iloc[-1].value:.3g} {clock.unit}.", figure,
            )
        )  # fmt: skip
    return drawings


def distribution(data: ReportData) -> list[Drawing]:
    """Every sample as a dot, the middle half as a band, the median as a tick; one figure a board."""
    drawings = []
    for clock, board, cells, limits in per_board(data):
        figure, axes = new(1.25 + ROW * len(cells))
        for row, (samples, kind) in enumerate(zip(cells.latency_ns, cells.kind, strict=True)):
            values = samples / 1e6
            colour = kind_style(kind)[0]
            # spread by order of measurement, not at random: the same bytes each time, and drift shows as a slope
            offsets = (np.arange(values.size) / max(values.size - 1, 1) - 0.5) * 0.62
            axes.plot(values, row - offsets, ".", color=colour, ms=2.2, alpha=0.55, mew=0, rasterized=True)
            q1, q2, q3 = np.percentile(values, (25, 50, 75))
            axes.plot([q1, q3], [row, row], color=INK, lw=1.6, solid_capstyle="butt")
            axes.plot([q2, q2], [row - 0.36, row + 0.36], color=INK, lw=1.6)
        log_axis(axes, *limits)
        _rows(axes, cells)
        axes.set_xlabel(f"{clock.quantity} ({clock.unit}), log scale; all boards alike")
        axes.set_title(f"{board}: every sample")
        _kind_legend(figure, cells, dots=True)
        worst = cells.assign(spread=[float(np.ptp(s) / np.median(s)) for s in cells.latency_ns]).nlargest(1, "spread")
        drawings.append(
            Drawing(
                f"distribution-{clock.key}-{slug(board)}", "distribution", f"Every sample on {board}",
                f"Each sample of {len(cells)} artifacts on {board} as a dot, in {clock.unit}, with median and quartiles."
                f" Widest spread: {worst.iloc[0].label}, {worst.iloc[0].spread:.1%} of its median from lowest to highest.",
                figure,
            )
        )  # fmt: skip
    return drawings


def _rows(axes: object, cells: pd.DataFrame) -> None:
    """One labelled row a cell, the fastest at the top."""
    axes.set_yticks(np.arange(len(cells)), list(cells.label))  # type: ignore[attr-defined]
    axes.set_ylim(len(cells) - 0.4, -0.6)  # type: ignore[attr-defined]
    axes.grid(visible=False, axis="y")  # type: ignore[attr-defined]
    axes.tick_params(axis="y", length=0)  # type: ignore[attr-defined]


def _kind_legend(figure: object, cells: pd.DataFrame, *, dots: bool = False) -> None:
    handles: list[Patch | Line2D] = [
        Patch(color=kind_style(kind)[0], label=for_figure(kind), alpha=0.85) for kind in sorted(cells.kind.unique())
    ]
    if dots:
        handles.append(Line2D([], [], color=INK, lw=1.6, label="median and quartiles"))
    else:
        handles.append(Line2D([], [], color=MUTED, lw=1.2, label="middle 80 %"))
    figure.legend(handles=handles, loc="outside lower left", ncols=5, handletextpad=0.5, columnspacing=1.2)  # type: ignore[attr-defined]
