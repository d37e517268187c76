"""Cells over time: one line a cell across all runs of a results folder, with significant changes marked.

Runs are read one after the other, and of each cell only the newest result is kept whole: memory grows with the cells of
a run, not with the number of runs.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from harness.core import stats
from harness.core.clock import Clock, clock_of
from harness.core.safetext import clean
from harness.records.cell import Cell
from harness.report.figures.canvas import Drawing
from harness.report.history_figures import drawings as drawings
from harness.report.lasting import in_words, lasting
from harness.report.lines import History as History
from harness.report.lines import Line as Line
from harness.report.lines import Point as Point
from harness.report.table import Table, tabulate
from harness.results import identity, store
from harness.results.change import ALPHA, middle, speed
from harness.results.columns import Column
from harness.results.pairs import Pair, measured
from harness.results.quality import axis, faces, made_up_faces

#: A cell of one board: the board's name, its description, the cell's name.
_Key = tuple[str, identity.Facts, str]


@dataclass(frozen=True, slots=True)
class _Step:
    """The comparison of a result with the one before it.

    Attributes:
        p_value: of no change, not adjusted; 1 where they can't be compared.
        p_machine: of the change being the machine's own, not adjusted, as :class:`harness.results.change.Change` has.
        broken: why they can't be compared; empty where they can.
        pair: the comparison itself, kept only where it may be significant: adjusting a p-value never lowers it.
    """

    p_value: float = 1.0
    p_machine: float = 0.0
    broken: str = ""
    pair: Pair | None = None


class _Track:
    """One cell, while runs are being read."""

    def __init__(self, run: int, cell: Cell) -> None:
        self.line = _line(cell)
        self.clock: Clock = clock_of(cell.device.emulated, cell.device.clock)
        self.points = [_point(run, cell)]
        self.steps: list[_Step] = []
        self._last = cell

    def add(self, run: int, cell: Cell) -> None:
        """Append the result of a later run."""
        self.steps.append(_step(self._last, cell))
        self.points.append(_point(run, cell))
        self._last = cell


def gather(runs: Sequence[Path]) -> History:
    """Read runs, oldest first. Unreadable cells are left out; each run's own report lists them."""
    tracks: dict[_Key, _Track] = {}
    names = []
    synthetic = False
    for number, folder in enumerate(runs):
        names.append(store.read_run(folder).run)
        for cell in store.readable_cells(folder):
            if cell.status == "VALID":
                synthetic = synthetic or made_up_faces(cell)
                key = (cell.device.name, identity.hardware(cell.device), cell.cell)
                if key in tracks:
                    tracks[key].add(number, cell)
                else:
                    tracks[key] = _Track(number, cell)
    order = sorted(tracks, key=lambda key: (key[2], tracks[key].points[0].run))
    boards = list(dict.fromkeys((name, facts) for name, facts, _ in order))
    places = {board: at for at, board in enumerate(boards)}
    labels = identity.board_labels(boards, 60, latin=False), identity.board_labels(boards, 24)
    ordered = [tracks[key] for key in order]
    numbers = [places[key[:2]] for key in order]
    lines = [
        replace(track.line, board=board, device=labels[0][board], short=labels[1][board], points=points)
        for track, board, points in zip(ordered, numbers, _corrected(ordered), strict=True)
    ]
    return History(tuple(names), _lasting(lines, [track.clock for track in ordered]), synthetic)


def _lasting(lines: Sequence[Line], clocks: Sequence[Clock]) -> tuple[Line, ...]:
    """Add what changed for good since each line's start."""
    medians = [[point.median for point in line.points[line.start :]] for line in lines]
    changes = lasting(zip(medians, clocks, strict=True))
    return tuple(replace(line, changes=each) for line, each in zip(lines, changes, strict=True))


def _point(run: int, cell: Cell) -> Point:
    return Point(run, middle(cell) / 1e6, cell.accuracy, speed=speed(cell))


def _line(first: Cell) -> Line:
    """A line without points, described by its first result; the names of its board come once all boards are known."""
    label = f"{first.model.name} {first.model.variant}.{first.model.format} {first.runtime.threads}T"
    if first.runtime_asked != first.runtime.name:
        label += f" {first.runtime_asked}"
    return Line(
        cell=first.cell,
        model=first.model.name,
        board=-1,
        device="",
        short="",
        emulated=first.device.emulated,
        unit=clock_of(first.device.emulated, first.device.clock).unit,
        label=label,
        points=(),
        axis=axis(first),
        data=clean(first.split.task or f"{first.split.scheme} {axis(first)[:6]}", 30) if axis(first) else "no labels",
        faces=faces(first.split.task, first.split.scheme),
    )


def _step(before: Cell, after: Cell) -> _Step:
    pair = measured(before, after, interval=False)
    if pair.refused or pair.ratio is None:
        return _Step(broken="; ".join(pair.refused))
    p_machine = pair.change.p_machine if pair.change else 0.0
    return _Step(pair.p_value, p_machine, pair=pair if pair.p_value < ALPHA else None)


def _corrected(tracks: Iterable[_Track]) -> list[tuple[Point, ...]]:
    """The points of each track, with the significant steps marked by the rule of :mod:`harness.results.compare`.

    p-values are corrected over all comparable steps of all cells (Holm).
    """
    found = [(list(track.points), track.steps) for track in tracks]
    compared = [step for _, steps in found for step in steps if not step.broken]
    adjusted = iter(zip(*(stats.holm(p) for p in _p_values(compared)), strict=True))
    for points, steps in found:
        for at, step in enumerate(steps, 1):
            if step.broken:
                points[at] = replace(points[at], broken=step.broken)
            elif ratio := _significant(step, *next(adjusted)):
                points[at] = replace(points[at], change=ratio)
    return [tuple(points) for points, _ in found]


def _p_values(steps: Sequence[_Step]) -> tuple[list[float], list[float]]:
    """Those of no change, and those of the change being the machine's own."""
    return [step.p_value for step in steps], [step.p_machine for step in steps]


def _significant(step: _Step, p_value: float, p_machine: float) -> float | None:
    """The ratio of a step that is significant by adjusted p-values; else None."""
    if step.pair is None or step.pair.change is None or step.pair.ratio is None:
        return None
    change = replace(step.pair.change, p_machine=p_machine)
    judged = replace(step.pair, p_adjusted=p_value, change=change)
    return step.pair.ratio.value if judged.verdict in ("slower", "faster") else None


def table(history: History) -> Table:
    """One row a cell."""

    def changes(line: Line) -> str | None:
        named = (f"{history.runs[p.run]}: {(p.change - 1) * 100:+.1f} %" for p in line.points if p.change is not None)
        return "; ".join(named) or None

    def breaks(line: Line) -> str | None:
        return "; ".join(f"{history.runs[p.run]} ({p.broken})" for p in line.points if p.broken) or None

    def lasting_changes(line: Line) -> str | None:
        points = line.points[line.start :]
        names, speeds = [history.runs[point.run] for point in points], [point.speed for point in points]
        return in_words(line.changes, names, None if line.emulated else speeds)

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
    return list(drawings(history))
