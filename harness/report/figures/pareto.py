"""Accuracy against latency on one board, with the Pareto frontier. Networks that stand apart beside a network in focus
have a dashed frontier of their own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

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
from harness.report.figures.figure import Figure
from harness.report.figures.rows import per_board
from harness.report.gather import ReportData
from harness.report.judged import as_judged, named
from harness.report.table import brief


def frontier(cells: pd.DataFrame) -> pd.DataFrame:
    """Cells on the Pareto frontier, fastest first: no other is as good in speed and accuracy and better in one."""
    ordered = cells.sort_values(["value", "accuracy"], ascending=[True, False], kind="stable")
    best = ordered.accuracy.cummax()
    return ordered[ordered.accuracy.to_numpy() > best.shift(1, fill_value=-1.0).to_numpy()]


def scatter(data: ReportData) -> list[Drawing]:
    """One figure a board. Artifacts on a frontier are named below, by numbers or, where they stand apart, letters."""
    return [_board(data, clock, board, as_judged(cells)) for clock, board, cells in per_board(data)]


@dataclass(frozen=True)
class _Frontiers:
    """A board's artifacts and their frontiers. Artifacts that stand ``apart`` are compared among themselves and are
    called ``label``.
    """

    cells: pd.DataFrame
    apart: pd.Series[bool]
    label: str

    @cached_property
    def best(self) -> pd.DataFrame:
        return frontier(self.cells[~self.apart])

    @cached_property
    def best_apart(self) -> pd.DataFrame:
        return frontier(self.cells[self.apart])


def _frontiers(data: ReportData, cells: pd.DataFrame) -> _Frontiers:
    if data.focus is None:
        return _Frontiers(cells, pd.Series(data=False, index=cells.index), "")
    return _Frontiers(cells, cells.role == data.focus.apart, data.focus.apart_label)


def _board(data: ReportData, clock: Clock, board: str, cells: pd.DataFrame) -> Drawing:
    found = _frontiers(data, cells)
    best, apart = found.best, found.best_apart
    figure, axes = new(3.5 + 0.17 * (len(best) + len(apart) + bool(len(apart))))
    _dots(axes, found)
    log_axis(axes, float(cells.value.min()), float(cells.value.max()))
    _line(axes, best, "-", "Pareto frontier")
    _line(axes, apart, "--", found.label)
    _intervals(axes, cells)
    lowest, highest = cells.judged_low.fillna(cells.accuracy), cells.judged_high.fillna(cells.accuracy)
    accuracy_axis(axes, float(lowest.min()) * 100, float(highest.max()) * 100)
    judge = data.judges.get(int(cells.group.iloc[0]))
    axes.set_ylabel(named(judge))
    dots = _spots(cells)
    taken = place_signs(axes, _spots(best), _NUMBERS, dots)
    place_signs(axes, _spots(apart), _LETTERS, dots, taken=taken)
    axes.set_xlabel(f"Median {clock.quantity.lower()} ({clock.unit}), log scale")
    heading(figure, board)
    lines, others = _named(best, _NUMBERS), _named(apart, _LETTERS)
    below = [*lines, *([f"{found.label.capitalize()}:"] if others else []), *others]
    axes.text(-0.1, -0.2, "\n".join(below), transform=axes.transAxes, va="top", fontsize=8, linespacing=1.35, color=INK)
    legend_below(figure, axes, 4)
    alt = (
        f"Scatter of accuracy in percent against median {clock.quantity.lower()} in {clock.unit} of {len(cells)} "
        f"artifacts on {board}. On the Pareto frontier, fastest first: {'; '.join(lines) or 'none'}."
    )
    if judge:
        alt += f" Accuracies are on {judge}."
    if others:
        alt += f" On the dashed frontier of the {found.label}: {'; '.join(others)}."
    return Drawing(
        name=f"pareto-{clock.key}-{slug(board)}",
        plot="pareto",
        title=f"Accuracy against {clock.quantity.lower()} on {board}",
        alt=alt,
        figure=figure,
    )


_NUMBERS = tuple(str(i) for i in range(1, 1000))
_LETTERS = (*"abcdefghijklmnopqrstuvwxyz", *(f"{x}{y}" for x in "abcdefghij" for y in "abcdefghijklmnopqrstuvwxyz"))


def _spots(cells: pd.DataFrame) -> list[tuple[float, float]]:
    return list(zip(cells.value, cells.accuracy * 100, strict=True))


def _dots(axes: Axes, found: _Frontiers) -> None:
    """Hollow for artifacts that stand apart, filled for all others."""
    for kind, mine in found.cells.groupby("kind"):
        colour, marker = kind_style(str(kind))
        hollow = found.apart[mine.index].to_numpy()
        label = for_figure(kind)
        for some, face in ((mine[~hollow], colour), (mine[hollow], "none")):
            if len(some):
                axes.scatter(
                    some.value, some.accuracy * 100, marker=marker, s=30, alpha=0.8, label=label, facecolors=face,
                    edgecolors=colour, linewidths=1.2 if face == "none" else 0,
                )  # fmt: skip
                label = "_one entry in the legend is enough"


def _intervals(axes: Axes, cells: pd.DataFrame) -> None:
    """The 95 % interval of each accuracy on strangers, thin and behind the dots."""
    known = cells[cells.judged_low.notna()]
    axes.vlines(known.value, known.judged_low * 100, known.judged_high * 100, colors=MUTED, lw=0.7, alpha=0.5, zorder=0)


def _line(axes: Axes, best: pd.DataFrame, style: str, label: str) -> None:
    """Draw steps from point to point and on to the right edge: a larger time budget keeps the last accuracy."""
    if best.empty:
        return
    x, y = [*best.value, axes.get_xlim()[1]], [*best.accuracy * 100, best.accuracy.iloc[-1] * 100]
    axes.plot(x, y, style, color=MUTED, lw=1.2, drawstyle="steps-post", zorder=1, label=label)


def _named(best: pd.DataFrame, signs: Sequence[str]) -> list[str]:
    return [
        f"{sign}  {label}: {brief(value)}, {accuracy:.1%}"
        for sign, label, value, accuracy in zip(signs, best.label, best.value, best.accuracy, strict=False)
    ]


FIGURE = Figure(
    name="pareto",
    heading="Accuracy against latency",
    note="Up and to the left is better. Numbered artifacts are beaten by none.",
    draw=scatter,
    scope="board",
)
