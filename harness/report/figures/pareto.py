"""Accuracy against latency on one board, with the frontier no other artifact beats."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes

from harness.report.data import Clock, ReportData
from harness.report.figures.canvas import INK, MUTED, Drawing, heading, kind_style, legend_below, log_axis, new
from harness.report.figures.rows import per_board
from harness.report.table import brief
from harness.safetext import for_figure, slug


def frontier(cells: pd.DataFrame) -> pd.DataFrame:
    """Cells that no other one beats: nothing is both as fast and as accurate and better in one; fastest first."""
    ordered = cells.sort_values(["value", "accuracy"], ascending=[True, False], kind="stable")
    best = ordered.accuracy.cummax()
    return ordered[ordered.accuracy.to_numpy() > best.shift(1, fill_value=-1.0).to_numpy()]


def scatter(data: ReportData) -> list[Drawing]:
    """One figure a board; artifacts on the frontier are numbered and named below."""
    return [_board(clock, board, cells) for clock, board, cells in per_board(data)]


def _board(clock: Clock, board: str, cells: pd.DataFrame) -> Drawing:
    best = frontier(cells)
    figure, axes = new(3.5 + 0.17 * len(best))
    for kind, mine in cells.groupby("kind"):
        colour, marker = kind_style(str(kind))
        axes.scatter(
            mine.value, mine.accuracy * 100, c=colour, marker=marker, s=30, alpha=0.8, lw=0, label=for_figure(kind)
        )
    axes.plot(
        best.value, best.accuracy * 100, color=MUTED, lw=1.2, drawstyle="steps-post", zorder=1, label="Pareto frontier"
    )
    log_axis(axes, float(cells.value.min()), float(cells.value.max()))
    _accuracy_axis(axes, cells)
    _number(axes, best)
    axes.set_xlabel(f"Median {clock.quantity.lower()} ({clock.unit}), log scale")
    heading(figure, board)
    lines = [
        f"{i}  {label}: {brief(value)}, {accuracy:.1%}"
        for i, (label, value, accuracy) in enumerate(zip(best.label, best.value, best.accuracy, strict=True), 1)
    ]
    axes.text(-0.1, -0.2, "\n".join(lines), transform=axes.transAxes, va="top", fontsize=8, linespacing=1.35, color=INK)
    legend_below(figure, axes, 5)
    names = "; ".join(lines)
    return Drawing(
        f"pareto-{clock.key}-{slug(board)}", "pareto", f"Accuracy against {clock.quantity.lower()} on {board}",
        f"Scatter of accuracy in percent against median {clock.quantity.lower()} in {clock.unit} of {len(cells)} "
        f"artifacts on {board}. On the Pareto frontier, fastest first: {names}.", figure,
    )  # fmt: skip


def _accuracy_axis(axes: Axes, cells: pd.DataFrame) -> None:
    low, high = float(cells.accuracy.min()) * 100, float(cells.accuracy.max()) * 100
    margin = max((high - low) * 0.1, 1.0)
    axes.set_ylim(low - margin, min(high + margin, 100.0 + margin))
    axes.set_ylabel("Accuracy on the test split (%)")


def _number(axes: Axes, best: pd.DataFrame) -> None:
    """A number at each frontier point; to the upper left, where by definition no other point can be."""
    for i, (x, y) in enumerate(zip(best.value, best.accuracy * 100, strict=True), 1):
        axes.annotate(
            str(i), (x, y), xytext=(-5, 4), textcoords="offset points", ha="right", va="bottom", fontsize=8,
            fontweight="bold", color=INK,
        )  # fmt: skip
