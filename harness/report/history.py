"""Cells over time: one line a cell across all runs of a results folder, with significant changes marked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from harness.core import stats
from harness.core.changepoints import Changes
from harness.core.clock import clock_of
from harness.core.safetext import clean, for_figure, slug
from harness.records.cell import Cell
from harness.report.figures.canvas import MUTED, PALETTE, Drawing, heading, new
from harness.report.figures.rows import ROW
from harness.report.lasting import in_words, lasting
from harness.report.table import Table, tabulate
from harness.results import identity, store
from harness.results.change import middle
from harness.results.columns import Column
from harness.results.pairs import measured
from harness.results.quality import axis, faces, made_up_faces

#: The most lines that are named at the right of a figure; the others are grey, and named in the table.
_MOST_NAMED = 12


@dataclass(frozen=True)
class Point:
    """A cell's VALID result in one run.

    Attributes:
        run: index in :attr:`History.runs`.
        median: in the line's unit.
        accuracy: 0 to 1; None where no classes are judged.
        change: the ratio to the previous point, where the change is significant.
        broken: why it can't be compared with the previous point; empty where it can.
    """

    run: int
    median: float
    accuracy: float | None
    change: float | None = None
    broken: str = ""


@dataclass(frozen=True)
class Line:
    """One cell of one board over the runs. ``board`` identifies the board; ``device`` and ``short`` are for people.

    Lines with another ``axis`` share no figure (:func:`harness.results.quality.axis`). ``data`` is its name; ``faces``
    tells whether the samples are images of faces. ``changes`` are what changed for good since ``start``; a step's
    ``at`` counts from there.
    """

    cell: str
    model: str
    board: int
    device: str
    short: str
    emulated: bool
    unit: str
    label: str
    points: tuple[Point, ...]
    axis: str
    data: str
    faces: bool
    changes: Changes = field(default_factory=partial(Changes, 1.0))

    @property
    def start(self) -> int:
        """The first point with which the last one can be compared."""
        return max((at for at, point in enumerate(self.points) if point.broken), default=0)

    @property
    def total(self) -> float:
        """The ratio of the last median to the first with which it can be compared."""
        return self.points[-1].median / self.points[self.start].median


@dataclass(frozen=True)
class History:
    """The lines of all cells; ``runs`` are run names in order of time."""

    runs: tuple[str, ...]
    lines: tuple[Line, ...]
    synthetic: bool


#: A cell of one board: the board's name, its description, the cell's name.
_Key = tuple[str, identity.Facts, str]


def gather(runs: Sequence[Path]) -> History:
    """Read runs, oldest first. Unreadable cells are left out; each run's own report lists them."""
    series: dict[_Key, list[tuple[int, Cell]]] = {}
    names = []
    for number, folder in enumerate(runs):
        names.append(store.read_run(folder).run)
        for cell in store.scan_cells(folder)[0]:
            if cell.status == "VALID":
                key = (cell.device.name, identity.hardware(cell.device), cell.cell)
                series.setdefault(key, []).append((number, cell))
    order = sorted(series, key=lambda key: (key[2], series[key][0][0]))
    boards = list(dict.fromkeys((name, facts) for name, facts, _ in order))
    places = {board: at for at, board in enumerate(boards)}
    labels = identity.board_labels(boards, 60, latin=False), identity.board_labels(boards, 24)
    lines = []
    for key in order:
        board = places[key[:2]]
        lines.append(_line(board, labels[0][board], labels[1][board], series[key]))
    synthetic = any(made_up_faces(cell) for cells in series.values() for _, cell in cells)
    ordered = [series[key] for key in order]
    return History(tuple(names), _lasting(_corrected(lines, ordered), ordered), synthetic)


def _lasting(lines: Sequence[Line], series: Sequence[list[tuple[int, Cell]]]) -> tuple[Line, ...]:
    """Add what changed for good since each line's start."""
    clocks = [clock_of(cells[0][1].device.emulated, cells[0][1].device.clock) for cells in series]
    medians = [[point.median for point in line.points[line.start :]] for line in lines]
    changes = lasting(zip(medians, clocks, strict=True))
    return tuple(replace(line, changes=each) for line, each in zip(lines, changes, strict=True))


def _line(board: int, device: str, short: str, cells: list[tuple[int, Cell]]) -> Line:
    first = cells[0][1]
    points = tuple(Point(run, middle(cell) / 1e6, cell.accuracy) for run, cell in cells)
    unit = clock_of(first.device.emulated, first.device.clock).unit
    label = f"{first.model.name} {first.model.variant}.{first.model.format} {first.runtime.threads}T"
    if first.runtime_asked != first.runtime.name:
        label += f" {first.runtime_asked}"
    return Line(
        cell=first.cell,
        model=first.model.name,
        board=board,
        device=device,
        short=short,
        emulated=first.device.emulated,
        unit=unit,
        label=label,
        points=points,
        axis=axis(first),
        data=clean(first.split.task or f"{first.split.scheme} {axis(first)[:6]}", 30) if axis(first) else "no labels",
        faces=faces(first.split.task, first.split.scheme),
    )


def _corrected(lines: Sequence[Line], series: Sequence[list[tuple[int, Cell]]]) -> tuple[Line, ...]:
    """Mark the significant steps by the rule of :mod:`harness.results.compare`.

    p-values are corrected over all comparable steps of all cells (Holm).
    """
    steps = [
        (at, i, measured(cells[i - 1][1], cells[i][1], interval=False))
        for at, cells in enumerate(series)
        for i in range(1, len(cells))
    ]
    adjusted = iter(stats.holm([pair.p_value for *_, pair in steps if not pair.refused]))
    points = [list(line.points) for line in lines]
    for at, i, step in steps:
        if step.refused or step.ratio is None:
            points[at][i] = replace(points[at][i], broken="; ".join(step.refused))
            continue
        pair = replace(step, p_adjusted=next(adjusted))
        if pair.verdict in ("slower", "faster"):
            points[at][i] = replace(points[at][i], change=step.ratio.value)
    return tuple(replace(line, points=tuple(p)) for line, p in zip(lines, points, strict=True))


def table(history: History) -> Table:
    """One row a cell."""

    def changes(line: Line) -> str | None:
        named = (f"{history.runs[p.run]}: {(p.change - 1) * 100:+.1f} %" for p in line.points if p.change is not None)
        return "; ".join(named) or None

    def breaks(line: Line) -> str | None:
        return "; ".join(f"{history.runs[p.run]} ({p.broken})" for p in line.points if p.broken) or None

    def lasting_changes(line: Line) -> str | None:
        return in_words(line.changes, [history.runs[point.run] for point in line.points[line.start :]])

    columns: tuple[Column[Line], ...] = (
        Column("device", "Board", lambda line: line.device),
        Column("emulated", "Emulated", lambda line: line.emulated),
        Column("cell", "Artifact", lambda line: clean(line.label, 100)),
        *(() if all(line.faces for line in history.lines) else (_DATA,)),
        Column("unit", "Unit", lambda line: line.unit),
        Column("runs", "Runs", lambda line: len(line.points)),
        Column("first", "First", lambda line: f"{line.points[line.start].median:.5g} {line.unit}"),
        Column("last", "Last", lambda line: f"{line.points[-1].median:.5g} {line.unit}"),
        Column("change_percent", "First to last (%)", lambda line: (line.total - 1) * 100),
        Column("changes", "Significant changes", changes),
        Column("lasting", "Lasting changes", lasting_changes),
        Column("breaks", "Not comparable from", breaks),
    )
    return tabulate(columns, history.lines, name="history", title="Cells over time")


_DATA: Column[Line] = Column("data", "Data", lambda line: line.data)


def figures(history: History) -> list[Drawing]:
    """One figure a board and axis: each cell's median relative to its first, with significant changes named."""
    boards: dict[tuple[int, str], list[Line]] = {}
    for line in history.lines:
        if len(line.points) > 1:
            boards.setdefault((line.board, line.axis), []).append(line)
    several = len({line.axis for line in history.lines}) > 1
    return [_board(history, lines, f", {lines[0].data}" if several else "") for lines in boards.values()]


def _board(history: History, lines: list[Line], axis_words: str) -> Drawing:
    first = lines[0]
    unit, board = first.unit, first.short + (" (emulated)" if first.emulated else "") + axis_words
    figure, axes = new(3.2)
    marked = sorted(
        (x for x in lines if x.changes.drift or any(p.change for p in x.points)), key=lambda x: -abs(x.total - 1)
    )[:_MOST_NAMED]
    named = {line.cell: (PALETTE[i % 7], "-" if i < 7 else "--") for i, line in enumerate(marked)}
    for line in sorted(lines, key=lambda x: x.cell in named):
        _draw_line(axes, line, named.get(line.cell))
    axes.axhline(0, color=MUTED, lw=0.6)
    step = max(1, -(-len(history.runs) // 8))
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


def _draw_line(axes: Axes, line: Line, look: tuple[str, str] | None) -> None:
    """Draw a cell relative to its first median; ``look`` is the colour and style of a named line."""
    colour, style = look or (MUTED, "-")
    x = [p.run for p in line.points]
    y = [(p.median / base - 1) * 100 for p, base in zip(line.points, _bases(line), strict=True)]
    axes.plot(x, y, style, color=colour, lw=1.4 if look else 0.8, alpha=0.9 if look else 0.5)
    for at, value, point in zip(x, y, line.points, strict=True):
        marker = "x" if point.broken else ("^" if (point.change or 1) > 1 else "v") if point.change else "."
        axes.plot([at], [value], marker, color=colour, ms=7 if point.change or point.broken else 3)


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
