"""Estimated cycles, one row an artifact, one drawing a board. They share no axis with counts or measured times."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure as Canvas
from numpy.typing import NDArray

from harness.core.safetext import clean, slug
from harness.estimate.judge import LEAST_RATIO, QUANTITY, in_words, judgement
from harness.report.figures.canvas import Drawing, kind_style
from harness.report.figures.figure import Figure
from harness.report.figures.rows import canvas, kind_legend, per_board, shown
from harness.report.gather import ReportData
from harness.report.table import brief

_PLOT = "cycles"


def cycles(data: ReportData) -> list[Drawing]:
    """Estimated cycles of one inference on one thread of the board's core, lowest first."""
    drawings = []
    for _, board, every in per_board(data):
        estimated = every[every.estimated_cycles.notna()].sort_values("estimated_cycles", kind="stable")
        versions = sorted(estimated.estimate_llvm.unique())
        for version in versions:
            cells, cut = shown(estimated[estimated.estimate_llvm == version])
            drawings.append(_drawing(cells, board, cut, f"LLVM {clean(version, 30)}" if len(versions) > 1 else ""))
    return drawings


def _drawing(cells: pd.DataFrame, board: str, cut: str, version: str) -> Drawing:
    """The estimates by one version of LLVM, which is named where there are several: they are not comparable."""
    by, name = (f", by {version}", f"-{slug(version)}") if version else ("", "")
    first, last = cells.iloc[0], cells.iloc[-1]
    words = in_words(first.estimated_cycles, first.estimate_clock_hz)
    alt = (
        f"Bars: {QUANTITY.lower()}{by}, of {len(cells)} artifacts on {board}{cut}, from {_millions(first)} million "
        f"({first.label}; {words}) to {_millions(last)} million ({last.label})."
    )
    return Drawing(
        name=f"{_PLOT}-{slug(board)}{name}",
        plot=_PLOT,
        title=f"{QUANTITY} on {board}{by}: an estimate, not a measurement",
        alt=alt,
        figure=_bars(cells, f"{board}{by}{cut}"),
    )


def _millions(cell: pd.Series[float]) -> str:
    return brief(float(cell.estimated_cycles) / 1e6)


def _doubt(lower: NDArray[np.float64], value: float) -> str:
    """Which of the lower estimates may in truth be the higher ones."""
    close = [judgement(other, value) == "can't tell" for other in lower]
    if not any(close):
        return ""
    return " (can't tell from the lowest)" if close[0] else f" (can't tell from {sum(close)} above)"


def _bars(cells: pd.DataFrame, title: str) -> Canvas:
    """Draw bars from zero and mark those that can't be told apart from others above them."""
    figure, axes = canvas(cells, title)
    values = cells.estimated_cycles.to_numpy() / 1e6
    axes.barh(np.arange(len(cells)), values, height=0.68, color=[kind_style(k)[0] for k in cells.kind], alpha=0.85)
    for row, value in enumerate(values):
        text = f"{brief(value)}{_doubt(values[:row], value)}"
        axes.text(value + values.max() * 0.015, row, text, va="center", fontsize=7.5)
    axes.set_xlim(0, values.max() * 1.14)
    axes.set_xlabel(f"{QUANTITY} (million)")
    kind_legend(figure, cells)
    return figure


FIGURE = Figure(
    name=_PLOT,
    heading="Estimated cycles",
    note=(
        "Estimates, not measurements: blocks of code counted in the emulator, with costs by LLVM's machine code "
        f"analyser and a model of the core's caches. Estimates closer than {LEAST_RATIO}x can't be told apart. Divided "
        "by the core's nominal clock, they are times within a factor of two."
    ),
    draw=cycles,
    scope="board",
)
