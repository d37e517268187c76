"""Estimated cycles, one row an artifact, one drawing a board. They share no axis with counts or measured times."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.figure import Figure as Canvas

from harness.core.safetext import clean, slug
from harness.estimate.judge import LEAST_RATIO, QUANTITY, in_words, judgement
from harness.report.figures.canvas import Drawing, kind_style
from harness.report.figures.figure import Figure
from harness.report.figures.rows import canvas, kind_legend, per_board, shown
from harness.report.gather import ReportData
from harness.report.table import brief


@dataclass(frozen=True)
class Estimates:
    """One kind of estimate.

    Attributes:
        plot: the figure's name.
        column: of :attr:`ReportData.cells`, in cycles.
        quantity: the name for people.
    """

    plot: str
    column: str
    quantity: str


#: So many artifacts that can't be told apart are named in a drawing's words.
_NAMED = 12

_ONE_THREAD = Estimates("cycles", "estimated_cycles", QUANTITY)


def cycles(data: ReportData) -> list[Drawing]:
    """Estimated cycles of one inference on one thread of the board's core, lowest first."""
    return drawings(data, _ONE_THREAD)


def drawings(data: ReportData, kind: Estimates) -> list[Drawing]:
    """One drawing a board and version of LLVM: estimates by two versions are not comparable."""
    found = []
    for _, board, every in per_board(data):
        estimated = every[every[kind.column].notna()].sort_values(kind.column, kind="stable")
        versions = sorted(estimated.estimate_llvm.unique())
        for version in versions:
            cells, cut = shown(estimated[estimated.estimate_llvm == version])
            by = f"LLVM {clean(version, 30)}" if len(versions) > 1 else ""
            found.append(_drawing(cells, kind, board, cut=cut, version=by))
    return found


def _drawing(cells: pd.DataFrame, kind: Estimates, board: str, *, cut: str, version: str) -> Drawing:
    """The estimates by one version of LLVM, which is named where there are several."""
    by, name = (f", by {version}", f"-{slug(version)}") if version else ("", "")
    first, last = cells.iloc[0], cells.iloc[-1]
    words = f"; {in_words(first[kind.column], first.estimate_clock_hz)}" if kind is _ONE_THREAD else ""
    low, high = (brief(float(cell[kind.column]) / 1e6) for cell in (first, last))
    alt = (
        f"Bars: {kind.quantity.lower()}{by}, of {len(cells)} artifacts on {board}{cut}, from {low} million "
        f"({first.label}{words}) to {high} million ({last.label}).{_untold(cells, kind)}"
    )
    return Drawing(
        name=f"{kind.plot}-{slug(board)}{name}",
        plot=kind.plot,
        title=f"{kind.quantity}, on {board}{by}: an estimate, not a measurement",
        alt=clean(alt, 2000),
        figure=_bars(cells, kind, f"{board}{by}{cut}"),
    )


def doubt(lower: Sequence[float], value: float) -> str:
    """Which of the lower estimates may in truth be the higher ones; empty where none may."""
    close = [judgement(other, value) == "can't tell" for other in lower]
    if not any(close):
        return ""
    return "can't tell from the lowest" if close[0] else f"can't tell from {sum(close)} above"


def _untold(cells: pd.DataFrame, kind: Estimates) -> str:
    """Which artifacts can't be told apart from lower ones, as a sentence."""
    values = cells[kind.column].tolist()
    found = [
        f"{label}: {words}" for row, label in enumerate(cells.label) if (words := doubt(values[:row], values[row]))
    ]
    more = f"; and {len(found) - _NAMED} more" if len(found) > _NAMED else ""
    return f" Closer than {LEAST_RATIO}x: {'; '.join(found[:_NAMED])}{more}." if found else ""


def _bars(cells: pd.DataFrame, kind: Estimates, title: str) -> Canvas:
    """Draw bars from zero and mark those that can't be told apart from others above them."""
    figure, axes = canvas(cells, title)
    values = cells[kind.column].to_numpy() / 1e6
    axes.barh(np.arange(len(cells)), values, height=0.68, color=[kind_style(k)[0] for k in cells.kind], alpha=0.85)
    for row, value in enumerate(values):
        untold = doubt(list(values[:row]), value)
        text = f"{brief(value)} ({untold})" if untold else brief(value)
        axes.text(value + values.max() * 0.015, row, text, va="center", fontsize=7.5)
    axes.set_xlim(0, values.max() * 1.14)
    axes.set_xlabel(f"{kind.quantity}\n(million)")
    kind_legend(figure, cells)
    return figure


FIGURE = Figure(
    name=_ONE_THREAD.plot,
    heading="Estimated cycles",
    note=(
        "Estimates, not measurements: blocks of code counted in the emulator, with costs by LLVM's machine code "
        f"analyser and a model of the core's caches. Estimates closer than {LEAST_RATIO}x can't be told apart. Divided "
        "by the core's nominal clock, they are times within a factor of two."
    ),
    draw=cycles,
    scope="board",
)
