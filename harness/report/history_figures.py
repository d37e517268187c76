"""Figures of cells over time, one a board and axis."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from harness.core.safetext import for_figure, slug
from harness.report.figures.canvas import MUTED, PALETTE, Drawing, heading, new
from harness.report.figures.rows import ROW
from harness.report.lines import History, Line, Point

#: The most lines that are named at the right of a figure; the others are grey, and named in the table.
_MOST_NAMED = 12
#: With more points than this the grey lines are one image in an SVG, which would else be megabytes.
_MOST_POINTS = 3000
#: Runs that are named on the axis, at most.
_MOST_TICKS = 8


def drawings(history: History) -> Iterator[Drawing]:
    """Each cell's median relative to its first, with significant changes named; one figure at a time."""
    boards: dict[tuple[int, str], list[Line]] = {}
    for line in history.lines:
        if len(line.points) > 1:
            boards.setdefault((line.board, line.axis), []).append(line)
    several = len({line.axis for line in history.lines}) > 1
    for lines in boards.values():
        yield _board(history, lines, f", {lines[0].data}" if several else "")


def _board(history: History, lines: list[Line], axis_words: str) -> Drawing:
    first = lines[0]
    unit, board = first.unit, first.short + (" (emulated)" if first.emulated else "") + axis_words
    figure, axes = new(3.2)
    marked = sorted(
        (x for x in lines if x.changes.drift or any(p.change for p in x.points)), key=lambda x: -abs(x.total - 1)
    )[:_MOST_NAMED]
    named = {line.cell: (PALETTE[i % 7], "-" if i < 7 else "--") for i, line in enumerate(marked)}
    many = sum(len(line.points) for line in lines) > _MOST_POINTS
    for line in sorted(lines, key=lambda x: x.cell in named):
        _draw_line(axes, line, named.get(line.cell), as_image=many and line.cell not in named)
    axes.axhline(0, color=MUTED, lw=0.6)
    step = max(1, -(-len(history.runs) // _MOST_TICKS))
    ticks = list(range(0, len(history.runs), step))
    axes.set_xticks(ticks, [for_figure(history.runs[i], 18) for i in ticks], rotation=30, ha="right")
    axes.set_xlim(-0.3, len(history.runs) - 0.7)
    axes.set_ylabel(f"Median against the first\n(% of {unit})")
    axes.set_xlabel("Run")
    heading(figure, board)
    _names(figure, marked, named)
    size = figure.get_size_inches()
    figure.set_size_inches(size[0], size[1] + ROW * len(marked))
    alt = f"Median of {len(lines)} cells on {board} over {len(history.runs)} runs, relative to the first. " + (
        "Significant changes: "
        + "; ".join(f"{x.label} {(x.total - 1) * 100:+.1f} percent in all" for x in marked)
        + "."
        if marked
        else "No significant change."
    )
    return Drawing(
        name=f"history-{slug(board)}-{slug(unit)}",
        plot="history",
        title=f"Over time on {board}",
        alt=alt,
        figure=figure,
    )


def _draw_line(axes: Axes, line: Line, look: tuple[str, str] | None, *, as_image: bool) -> None:
    """Draw a cell relative to its first median; ``look`` is the colour and style of a named line.

    All points with one marker are one artist: an artist a point takes minutes for tens of thousands of points.
    """
    colour, style = look or (MUTED, "-")
    x = np.array([p.run for p in line.points])
    y = np.array([(p.median / base - 1) * 100 for p, base in zip(line.points, _bases(line), strict=True)])
    axes.plot(x, y, style, color=colour, lw=1.4 if look else 0.8, alpha=0.9 if look else 0.5, rasterized=as_image)
    markers = np.array([_marker(point) for point in line.points])
    for marker in (".", "v", "^", "x"):
        here = markers == marker
        if here.any():
            axes.plot(x[here], y[here], marker, color=colour, ms=3 if marker == "." else 7, rasterized=as_image)


def _marker(point: Point) -> str:
    if point.broken:
        return "x"
    if point.change is None:
        return "."
    return "^" if point.change > 1 else "v"


def _bases(line: Line) -> list[float]:
    """For each point, the first median with which it can be compared."""
    bases: list[float] = []
    for point in line.points:
        bases.append(point.median if point.broken or not bases else bases[-1])
    return bases


def _names(figure: Figure, marked: list[Line], named: dict[str, tuple[str, str]]) -> None:
    handles = [
        Line2D(
            [],
            [],
            color=named[x.cell][0],
            ls=named[x.cell][1],
            lw=1.6,
            label=f"{for_figure(x.label, 44)}: {(x.total - 1) * 100:+.1f} %",
        )
        for x in marked
    ]
    marks = [
        Line2D([], [], color=MUTED, marker="^", lw=0, label="significantly slower"),
        Line2D([], [], color=MUTED, marker="v", lw=0, label="faster"),
        Line2D([], [], color=MUTED, marker="x", lw=0, label="not comparable"),
    ]
    figure.legend(handles=[*handles, *marks], loc="outside lower left", ncols=1 if handles else 3)
