"""The speed-up from more threads, one row an artifact, one drawing a board."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes

from harness.core.clock import Clock
from harness.core.safetext import slug
from harness.report.figures.canvas import MUTED, Drawing, kind_style
from harness.report.figures.figure import Figure
from harness.report.figures.rows import canvas, kind_legend, per_board, shown
from harness.report.gather import ReportData

_ARTIFACT = ["model", "variant", "format", "runtime_label", "delegate"]


def threads(data: ReportData) -> list[Drawing]:
    """The speed-up of each artifact with more threads over the fewest measured."""
    drawings = []
    for clock, board, every in per_board(data):
        several = every[every.groupby(_ARTIFACT).threads.transform("nunique") > 1]
        if not several.empty:
            drawings.append(_board(clock, board, several))
    return drawings


def _board(clock: Clock, board: str, several: pd.DataFrame) -> Drawing:
    groups = [group.sort_values("threads") for _, group in several.groupby(_ARTIFACT)]
    best = pd.DataFrame([group.iloc[0] for group in groups])
    cells, cut = shown(best)
    figure, axes = canvas(
        cells.assign(
            label=[f"{m} {v}{r}" for m, v, r in zip(cells.model_label, cells.variant, cells.ran, strict=True)]
        ),
        f"{board}: more threads{cut}",
    )
    axes.axvline(1, color=MUTED, lw=1)
    least, top = 1.0, 1.0
    for row, group in enumerate(groups[: len(cells)]):
        speedup = group.value.iloc[0] / group.value.to_numpy()
        least, top = min(least, float(speedup.min())), max(top, float(speedup.max()))
        _artifact(axes, row, group)
    axes.set_xlim(least - (top - least) * 0.08 - 0.05, top + (top - least) * 0.08 + 0.05)
    axes.set_xlabel("Times as fast as with the fewest; in circles: threads")
    kind_legend(figure, cells)
    alt = (
        f"For {len(cells)} artifacts on {board}{cut}: times as fast with each number of threads as with the fewest."
        f" Best gain: {top:.3g} times."
    )
    return Drawing(
        name=f"threads-{clock.key}-{slug(board)}",
        plot="threads",
        title=f"More threads on {board}",
        alt=alt,
        figure=figure,
    )


def _artifact(axes: Axes, row: int, group: pd.DataFrame) -> None:
    """Draw a line through an artifact's speed-ups, with a circle for each number of threads."""
    colour = kind_style(group.kind.iloc[0])[0]
    speedup = group.value.iloc[0] / group.value.to_numpy()
    axes.plot(speedup, [row] * len(group), "-", color=colour, lw=1.5, alpha=0.5)
    for x, count in zip(speedup, group.threads, strict=True):
        axes.text(
            x, row, str(count), ha="center", va="center", fontsize=7, color="white", fontweight="bold",
            bbox={"boxstyle": "circle,pad=0.18", "fc": colour, "ec": "none"},
        )  # fmt: skip


FIGURE = Figure(name="threads", heading="More threads", note="", draw=threads, scope="board")
