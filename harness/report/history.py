"""Cells over time: one line a cell across all runs of a results folder, significant changes marked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from harness import stats, store
from harness.compare import ALPHA, RESOLUTION, differences
from harness.records import Cell
from harness.report.data import clock_of
from harness.report.figures.canvas import MUTED, PALETTE, Drawing, heading, new
from harness.report.figures.rows import ROW
from harness.report.table import Table
from harness.safetext import clean, for_figure, slug

#: Names at the right of a figure; the rest are grey lines, and in the table.
_MOST_NAMED = 12


@dataclass(frozen=True)
class Point:
    """A cell's VALID result in one run: ``median`` in million or ms; ``change`` is the ratio to the point before where
    that is a significant change, ``broken`` why it can't be compared with the point before."""

    run: int
    median: float
    accuracy: float
    change: float | None = None
    broken: str = ""


@dataclass(frozen=True)
class Line:
    """One cell over the runs."""

    cell: str
    device: str
    emulated: bool
    unit: str
    label: str
    points: tuple[Point, ...]

    @property
    def total(self) -> float:
        """Last median by the first one."""
        return self.points[-1].median / self.points[0].median


@dataclass(frozen=True)
class History:
    """``runs`` are names in order of time."""

    runs: tuple[str, ...]
    lines: tuple[Line, ...]
    synthetic: bool


def gather(runs: Sequence[Path]) -> History:
    """Read runs, oldest first; cells that can't be read are left out (each run's own report lists them)."""
    series: dict[str, list[tuple[int, Cell]]] = {}
    names = []
    for number, folder in enumerate(runs):
        names.append(store.read_run(folder).run)
        for cell in store.scan_cells(folder)[0]:
            if cell.status == "VALID":
                series.setdefault(cell.cell, []).append((number, cell))
    lines = tuple(_line(cells) for _, cells in sorted(series.items()))
    synthetic = any(cell.split.synthetic for cells in series.values() for _, cell in cells)
    return History(tuple(names), _corrected(lines, series), synthetic)


def _line(cells: list[tuple[int, Cell]]) -> Line:
    first = cells[0][1]
    points = tuple(Point(run, stats.median(cell.latency_ns) / 1e6, cell.accuracy or 0.0) for run, cell in cells)
    unit = clock_of(first.device.emulated, first.device.clock).unit
    label = f"{first.model.name} {first.model.variant}.{first.model.format} {first.runtime.threads}T"
    return Line(first.cell, first.device.name, first.device.emulated, unit, label, points)


def _corrected(lines: tuple[Line, ...], series: dict[str, list[tuple[int, Cell]]]) -> tuple[Line, ...]:
    """Marks the significant steps; p-values corrected over all steps of all cells (Holm)."""
    steps: list[tuple[int, int, float, float, str]] = []  # (line, point, ratio, p, why not)
    for at, line in enumerate(lines):
        cells = [cell for _, cell in series[line.cell]]
        for i in range(1, len(cells)):
            steps.append((at, i, *_step(cells[i - 1], cells[i])))
    adjusted = stats.holm([p for *_, p, _ in steps])
    points = [list(line.points) for line in lines]
    for (at, i, ratio, _, broken), p in zip(steps, adjusted, strict=True):
        old = points[at][i]
        points[at][i] = Point(old.run, old.median, old.accuracy, ratio if p < ALPHA and not broken else None, broken)
    return tuple(
        Line(line.cell, line.device, line.emulated, line.unit, line.label, tuple(p))
        for line, p in zip(lines, points, strict=True)
    )


def _step(a: Cell, b: Cell) -> tuple[float, float, str]:
    """(ratio, p-value, why they can't be compared); p is 1 for changes too small to tell from another boot."""
    if reasons := differences(a, b):
        return 1.0, 1.0, "; ".join(reasons)
    ratio = stats.median(b.latency_ns) / stats.median(a.latency_ns)
    if abs(ratio - 1) < RESOLUTION[a.device.clock]:
        return ratio, 1.0, ""
    try:
        return ratio, stats.bootstrap_ratio(a.latency_ns, b.latency_ns, images=a.split.n).p_value, ""
    except stats.TooFewSamplesError as error:
        return ratio, 1.0, str(error)


def table(history: History) -> Table:
    """One row a cell."""
    columns = (
        ("device", "Board"), ("emulated", "Emulated"), ("cell", "Artifact"), ("unit", "Unit"), ("runs", "Runs"),
        ("first", "First"), ("last", "Last"), ("change_percent", "First to last (%)"),
        ("changes", "Significant changes"), ("breaks", "Not comparable from"),
    )  # fmt: skip
    rows = []
    for line in history.lines:
        changes = "; ".join(
            f"{history.runs[p.run]}: {(p.change - 1) * 100:+.1f} %" for p in line.points if p.change is not None
        )
        breaks = "; ".join(f"{history.runs[p.run]} ({p.broken})" for p in line.points if p.broken)
        rows.append((
            clean(line.device, 60), line.emulated, clean(line.label, 100), line.unit, len(line.points),
            f"{line.points[0].median:.5g} {line.unit}", f"{line.points[-1].median:.5g} {line.unit}",
            (line.total - 1) * 100, changes or None, breaks or None,
        ))  # fmt: skip
    return Table("history", "Cells over time", columns, tuple(rows))


def figures(history: History) -> list[Drawing]:
    """One figure a board: each cell's median relative to its first, significant changes marked and named."""
    boards: dict[tuple[str, bool, str], list[Line]] = {}
    for line in history.lines:
        if len(line.points) > 1:
            boards.setdefault((line.device, line.emulated, line.unit), []).append(line)
    return [_board(history, *key, lines) for key, lines in boards.items()]


def _board(history: History, device: str, emulated: bool, unit: str, lines: list[Line]) -> Drawing:
    board = for_figure(device, 24) + (" (emulated)" if emulated else "")
    figure, axes = new(3.2)
    marked = sorted((x for x in lines if any(p.change for p in x.points)), key=lambda x: -abs(x.total - 1))[
        :_MOST_NAMED
    ]
    named = {line.cell: (PALETTE[i % 7], "-" if i < 7 else "--") for i, line in enumerate(marked)}
    for line in sorted(lines, key=lambda x: x.cell in named):
        x = [p.run for p in line.points]
        y = [(p.median / line.points[0].median - 1) * 100 for p in line.points]
        colour, style = named.get(line.cell, (MUTED, "-"))
        axes.plot(
            x, y, style, color=colour, lw=1.4 if line.cell in named else 0.8, alpha=0.9 if line.cell in named else 0.5
        )
        for at, value, point in zip(x, y, line.points, strict=True):
            marker = "x" if point.broken else ("^" if (point.change or 1) > 1 else "v") if point.change else "."
            axes.plot([at], [value], marker, color=colour, ms=7 if point.change or point.broken else 3)
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
    return Drawing(f"history-{slug(board)}-{slug(unit)}", "history", f"Over time on {board}", alt, figure)


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
