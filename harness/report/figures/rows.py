"""The shared code of figures with one row an artifact: the choice of rows, their labels, their legend."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from harness.core.clock import Clock
from harness.core.safetext import for_figure
from harness.report.figures.canvas import heading, kind_style, new
from harness.report.gather import ReportData

ROW = 0.2  # inches for one row at this font size
#: More rows than this can't be read in one figure. The fastest are drawn; the table has all of them.
MOST_ROWS = 80


def per_board(data: ReportData) -> Iterator[tuple[Clock, str, pd.DataFrame]]:
    """(clock, board label, the board's VALID cells from fast to slow), clock by clock."""
    for clock in data.clocks:
        for _, cells in data.of(clock).groupby("group", sort=False):
            yield clock, str(cells.board_label.iloc[0]), cells.sort_values("value", kind="stable")


def canvas(cells: pd.DataFrame, title: str) -> tuple[Figure, Axes]:
    """Axes with one labelled row a cell, the first at the top."""
    figure, axes = new(1.25 + ROW * len(cells))
    heading(figure, title.replace(" (the first", "\n(the first"))
    label_rows(axes, list(cells.label))
    return figure, axes


def label_rows(axes: Axes, labels: list[str]) -> None:
    """Row labels at 0, 1, 2... downwards, without lines or ticks of their own."""
    axes.set_yticks(np.arange(len(labels)), labels)
    axes.set_ylim(len(labels) - 0.4, -0.6)
    axes.grid(visible=False, axis="y")
    axes.tick_params(axis="y", length=0)


def shown(cells: pd.DataFrame) -> tuple[pd.DataFrame, str]:
    """The rows that are drawn, and the note on those that are not."""
    if len(cells) <= MOST_ROWS:
        return cells, ""
    return cells.head(MOST_ROWS), f" (the first {MOST_ROWS} of {len(cells)})"


def kind_legend(figure: Figure, cells: pd.DataFrame, *more: Line2D) -> None:
    """Explain the colours below the axes."""
    handles: list[Patch | Line2D] = [
        Patch(color=kind_style(kind)[0], label=for_figure(kind), alpha=0.85) for kind in sorted(cells.kind.unique())
    ]
    figure.legend(handles=[*handles, *more], loc="outside lower left", ncols=4, handletextpad=0.5, columnspacing=1.2)
