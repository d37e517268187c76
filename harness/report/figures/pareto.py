"""Accuracy against latency on one board, with the frontier no other artifact beats, and a dashed one of the rivals that
went through our compression."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
from matplotlib.axes import Axes

from harness.core.clock import Clock
from harness.core.safetext import for_figure, slug
from harness.report.figures.canvas import (
    INK,
    MUTED,
    Drawing,
    accuracy_axis,
    heading,
    kind_style,
    legend_below,
    log_axis,
    new,
    place_signs,
)
from harness.report.figures.rows import per_board
from harness.report.gather import ReportData
from harness.report.paper.roles import COMPRESSED
from harness.report.table import brief


def frontier(cells: pd.DataFrame) -> pd.DataFrame:
    """Cells that no other one beats: nothing is both as fast and as accurate and better in one; fastest first."""
    ordered = cells.sort_values(["value", "accuracy"], ascending=[True, False], kind="stable")
    best = ordered.accuracy.cummax()
    return ordered[ordered.accuracy.to_numpy() > best.shift(1, fill_value=-1.0).to_numpy()]


def scatter(data: ReportData) -> list[Drawing]:
    """One figure a board; artifacts on a frontier are named below, by numbers or, the rivals pruned by us, letters."""
    return [_board(clock, board, cells) for clock, board, cells in per_board(data)]


def _board(clock: Clock, board: str, cells: pd.DataFrame) -> Drawing:
    compressed = cells[cells.role == COMPRESSED]
    best, pruned = frontier(cells[cells.role != COMPRESSED]), frontier(compressed)
    figure, axes = new(3.5 + 0.17 * (len(best) + len(pruned) + bool(len(pruned))))
    _dots(axes, cells)
    log_axis(axes, float(cells.value.min()), float(cells.value.max()))
    _line(axes, best, "-", "Pareto frontier")
    _line(axes, pruned, "--", "rivals pruned by us")
    accuracy_axis(axes, float(cells.accuracy.min()) * 100, float(cells.accuracy.max()) * 100)
    axes.set_ylabel("Accuracy on the test split (%)")
    dots = _spots(cells)
    taken = place_signs(axes, _spots(best), _NUMBERS, dots)
    place_signs(axes, _spots(pruned), _LETTERS, dots, taken=taken)
    axes.set_xlabel(f"Median {clock.quantity.lower()} ({clock.unit}), log scale")
    heading(figure, board)
    lines, others = _named(best, _NUMBERS), _named(pruned, _LETTERS)
    below = [*lines, *(["Rivals pruned by us:"] if others else []), *others]
    axes.text(-0.1, -0.2, "\n".join(below), transform=axes.transAxes, va="top", fontsize=8, linespacing=1.35, color=INK)
    legend_below(figure, axes, 4)
    alt = (
        f"Scatter of accuracy in percent against median {clock.quantity.lower()} in {clock.unit} of {len(cells)} "
        f"artifacts on {board}. On the Pareto frontier, fastest first: {'; '.join(lines) or 'none'}."
    )
    if others:
        alt += f" On the dashed frontier of the rivals pruned by us: {'; '.join(others)}."
    title = f"Accuracy against {clock.quantity.lower()} on {board}"
    return Drawing(f"pareto-{clock.key}-{slug(board)}", "pareto", title, alt, figure)


_NUMBERS = tuple(str(i) for i in range(1, 1000))
_LETTERS = (*"abcdefghijklmnopqrstuvwxyz", *(f"{x}{y}" for x in "abcdefghij" for y in "abcdefghijklmnopqrstuvwxyz"))


def _spots(cells: pd.DataFrame) -> list[tuple[float, float]]:
    return list(zip(cells.value, cells.accuracy * 100, strict=True))


def _dots(axes: Axes, cells: pd.DataFrame) -> None:
    """Filled for networks as published and ours, hollow for rivals pruned by us."""
    for kind, mine in cells.groupby("kind"):
        colour, marker = kind_style(str(kind))
        hollow = (mine.role == COMPRESSED).to_numpy()
        label = for_figure(kind)
        for some, face in ((mine[~hollow], colour), (mine[hollow], "none")):
            if len(some):
                axes.scatter(
                    some.value, some.accuracy * 100, marker=marker, s=30, alpha=0.8, label=label, facecolors=face,
                    edgecolors=colour, linewidths=1.2 if face == "none" else 0,
                )  # fmt: skip
                label = "_one entry in the legend is enough"


def _line(axes: Axes, best: pd.DataFrame, style: str, label: str) -> None:
    """Steps from point to point and on to the right edge: whoever has more time has the last accuracy too."""
    if best.empty:
        return
    x, y = [*best.value, axes.get_xlim()[1]], [*best.accuracy * 100, best.accuracy.iloc[-1] * 100]
    axes.plot(x, y, style, color=MUTED, lw=1.2, drawstyle="steps-post", zorder=1, label=label)


def _named(best: pd.DataFrame, signs: Sequence[str]) -> list[str]:
    return [
        f"{sign}  {label}: {brief(value)}, {accuracy:.1%}"
        for sign, label, value, accuracy in zip(signs, best.label, best.value, best.accuracy, strict=False)
    ]
