"""The rounds of each cell as points: whether the processes that measured it agree, and whether the machine drifted."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.colors import to_rgba
from matplotlib.lines import Line2D

from harness.core import rounds
from harness.core.clock import Clock
from harness.core.safetext import slug
from harness.report.figures.canvas import INK, MUTED, PALETTE, Drawing
from harness.report.figures.figure import Figure
from harness.report.figures.rows import canvas, per_board, shown
from harness.report.gather import ReportData
from harness.results.change import SAME


def points(data: ReportData) -> list[Drawing]:
    """Each round's median relative to its cell's, one figure for each board that has cells of several rounds."""
    drawings = []
    for clock, board, cells in per_board(data):
        several = cells[(cells.rounds.map(len) > 1).astype(bool)]
        if clock.tick == 0 and len(several):
            width = (several.high / several.value).sort_values(ascending=False, kind="stable")
            drawings.append(_board(clock, board, *shown(several.loc[width.index])))
    return drawings


def _board(clock: Clock, board: str, cells: pd.DataFrame, cut: str) -> Drawing:
    figure, axes = canvas(cells, board + cut)
    reach = 0.0
    for row, (value, low, high, samples, sizes) in enumerate(
        zip(cells.value, cells.low, cells.high, cells.latency_ns, cells.rounds, strict=True)
    ):
        apart = (rounds.medians(samples, sizes.tolist()) / 1e6 / value - 1) * 100
        ends = (low / value - 1) * 100, (high / value - 1) * 100
        colour, thick = (PALETTE[1], 3.2) if high / value - 1 > SAME else (MUTED, 1.6)
        axes.hlines([row], *ends, color=colour, lw=thick, alpha=0.5)
        shades = [to_rgba(INK, alpha) for alpha in np.linspace(0.25, 1, len(apart))]
        axes.scatter(apart, np.full(len(apart), row), s=16, c=shades, linewidths=0)
        reach = max(reach, float(np.abs(apart).max()), ends[1])
    axes.axvline(0, color=MUTED, lw=0.6)
    axes.set_xlim(-1.08 * max(reach, 0.1), 1.08 * max(reach, 0.1))
    axes.set_xlabel(f"Median {clock.quantity.lower()} of a round against its cell's (%)")
    handles = [
        Line2D([], [], color=INK, marker="o", lw=0, ms=4, alpha=0.3, label="first round"),
        Line2D([], [], color=INK, marker="o", lw=0, ms=4, label="last round"),
        Line2D([], [], color=MUTED, lw=1.6, alpha=0.5, label="95 % interval"),
        Line2D([], [], color=PALETTE[1], lw=3.2, alpha=0.5, label=f"wider than {SAME:.0%}"),
    ]
    figure.legend(handles=handles, loc="outside lower left", ncols=4, handletextpad=0.4)
    disagree = int((cells.high / cells.value - 1 > SAME).sum())
    alt = (
        f"Median of each round against its cell's, {len(cells)} artifacts on {board}{cut}, those whose rounds disagree "
        f"most first. The 95 % interval of {disagree} of them reaches more than {SAME:.0%} above the value. "
        f"The round farthest off lies {reach:.1f} percent from its cell's value."
    )
    return Drawing(
        name=f"rounds-{clock.key}-{slug(board)}",
        plot="rounds",
        title=f"Rounds on {board}",
        alt=alt,
        figure=figure,
    )


FIGURE = Figure(
    name="rounds",
    heading="Rounds",
    note="Each point is one process that measured the cell; later ones are darker. Points in that order show a drift.",
    draw=points,
    scope="board",
)
