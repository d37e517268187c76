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
    heading,
    kind_style,
    legend_below,
    log_axis,
    new,
    place_signs,
)
from harness.report.figures.figure import Figure
from harness.report.figures.metric import metric_axis
from harness.report.figures.rows import per_board
from harness.report.gather import ReportData
from harness.report.judged import as_judged
from harness.report.scale import Scale, scale_of
from harness.report.table import brief


def frontier(cells: pd.DataFrame, metric: str = "accuracy", *, higher_is_better: bool = True) -> pd.DataFrame:
    """Cells on the Pareto frontier, fastest first: no other is as good in speed and accuracy and better in one.

    ``metric`` is the column that stands for accuracy.
    """
    rank = cells[metric] if higher_is_better else -cells[metric]
    order = pd.DataFrame({"value": cells.value, "rank": rank}).sort_values(
        ["value", "rank"], ascending=[True, False], kind="stable"
    )
    best = order["rank"].cummax().shift(1, fill_value=float("-inf"))
    return cells.loc[order.index][order["rank"].to_numpy() > best.to_numpy()]


def scatter(data: ReportData) -> list[Drawing]:
    """One figure a board and metric. Artifacts on a frontier are named below, by numbers or, where they stand apart,
    letters. Cells that nothing judges are left out.
    """
    return [
        _board(_frontiers(data, as_judged(cells), scale), clock, board)
        for clock, board, cells in per_board(data)
        if (scale := scale_of(cells)) is not None
    ]


@dataclass(frozen=True)
class _Frontiers:
    """A board's artifacts and their frontiers. Artifacts that stand ``apart`` are compared among themselves and are
    called ``label``. ``cells`` have the metric's value as the axis shows it, in ``drawn``.
    """

    cells: pd.DataFrame
    apart: pd.Series[bool]
    label: str
    scale: Scale

    @cached_property
    def best(self) -> pd.DataFrame:
        return self._frontier(self.cells[~self.apart])

    @cached_property
    def best_apart(self) -> pd.DataFrame:
        return self._frontier(self.cells[self.apart])

    def _frontier(self, cells: pd.DataFrame) -> pd.DataFrame:
        return frontier(cells, "metric_value", higher_is_better=self.scale.higher_is_better)


def _frontiers(data: ReportData, cells: pd.DataFrame, scale: Scale) -> _Frontiers:
    cells = cells.assign(drawn=scale.drawn(cells.metric_value))
    if data.focus is None:
        return _Frontiers(cells, pd.Series(data=False, index=cells.index), "", scale)
    return _Frontiers(cells, cells.role == data.focus.apart, data.focus.apart_label, scale)


def _board(found: _Frontiers, clock: Clock, board: str) -> Drawing:
    cells, scale = found.cells, found.scale
    best, apart = found.best, found.best_apart
    figure, axes = new(3.5 + 0.17 * (len(best) + len(apart) + bool(len(apart))))
    _dots(axes, found)
    log_axis(axes, float(cells.value.min()), float(cells.value.max()))
    _line(axes, best, "-", "Pareto frontier")
    _line(axes, apart, "--", found.label)
    _intervals(axes, cells, scale)
    ends = [scale.drawn(cells[end].fillna(cells.metric_value)) for end in ("judged_low", "judged_high")]
    metric_axis(axes, float(ends[0].min()), float(ends[1].max()), scale)
    axes.set_ylabel(scale.axis)
    dots = _spots(cells)
    taken = place_signs(axes, _spots(best), _NUMBERS, dots)
    place_signs(axes, _spots(apart), _LETTERS, dots, taken=taken)
    axes.set_xlabel(f"Median {clock.quantity.lower()} ({clock.unit}), log scale")
    heading(figure, board)
    lines, others = _named(best, _NUMBERS, scale), _named(apart, _LETTERS, scale)
    below = [*lines, *([f"{found.label.capitalize()}:"] if others else []), *others]
    axes.text(-0.1, -0.2, "\n".join(below), transform=axes.transAxes, va="top", fontsize=8, linespacing=1.35, color=INK)
    legend_below(figure, axes, 4)
    alt = (
        f"Scatter of {scale.in_words} against median {clock.quantity.lower()} in {clock.unit} of {len(cells)} "
        f"artifacts on {board}. On the Pareto frontier, fastest first: {'; '.join(lines) or 'none'}."
    )
    if others:
        alt += f" On the dashed frontier of the {found.label}: {'; '.join(others)}."
    return Drawing(
        name=f"pareto-{clock.key}-{slug(board)}",
        plot="pareto",
        title=f"{scale.heading} against {clock.quantity.lower()} on {board}",
        alt=alt,
        figure=figure,
    )


_NUMBERS = tuple(str(i) for i in range(1, 1000))
_LETTERS = (*"abcdefghijklmnopqrstuvwxyz", *(f"{x}{y}" for x in "abcdefghij" for y in "abcdefghijklmnopqrstuvwxyz"))


def _spots(cells: pd.DataFrame) -> list[tuple[float, float]]:
    return list(zip(cells.value, cells.drawn, strict=True))


def _dots(axes: Axes, found: _Frontiers) -> None:
    """Hollow for artifacts that stand apart, filled for all others."""
    for kind, mine in found.cells.groupby("kind"):
        colour, marker = kind_style(str(kind))
        hollow = found.apart[mine.index].to_numpy()
        label = for_figure(kind)
        for some, face in ((mine[~hollow], colour), (mine[hollow], "none")):
            if len(some):
                axes.scatter(
                    some.value, some.drawn, marker=marker, s=30, alpha=0.8, label=label, facecolors=face,
                    edgecolors=colour, linewidths=1.2 if face == "none" else 0,
                )  # fmt: skip
                label = "_one entry in the legend is enough"


def _intervals(axes: Axes, cells: pd.DataFrame, scale: Scale) -> None:
    """The 95 % interval of each accuracy on strangers, thin and behind the dots."""
    known = cells[cells.judged_low.notna()]
    low, high = scale.drawn(known.judged_low), scale.drawn(known.judged_high)
    axes.vlines(known.value, low, high, colors=MUTED, lw=0.7, alpha=0.5, zorder=0)


def _line(axes: Axes, best: pd.DataFrame, style: str, label: str) -> None:
    """Draw steps from point to point and on to the right edge: a larger time budget keeps the last accuracy."""
    if best.empty:
        return
    x, y = [*best.value, axes.get_xlim()[1]], [*best.drawn, best.drawn.iloc[-1]]
    axes.plot(x, y, style, color=MUTED, lw=1.2, drawstyle="steps-post", zorder=1, label=label)


def _named(best: pd.DataFrame, signs: Sequence[str], scale: Scale) -> list[str]:
    return [
        f"{sign}  {label}: {brief(value)}, {scale.text(judged)}"
        for sign, label, value, judged in zip(signs, best.label, best.value, best.metric_value, strict=False)
    ]


FIGURE = Figure(
    name="pareto",
    heading="Accuracy against latency",
    note="Up and to the left is better. Numbered artifacts are beaten by none.",
    draw=scatter,
    scope="board",
)
