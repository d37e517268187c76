"""Figures as the contents of files, and the tasks in which they are drawn."""

from __future__ import annotations

import gc
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from harness.report.figures import FIGURES
from harness.report.figures.canvas import Caption, Drawing, png, svg
from harness.report.gather import ReportData

#: This many figures are freed together: they are full of reference cycles, which only the collector finds.
_COLLECTED = 12


@dataclass(frozen=True)
class Wanted:
    """What is made of a drawing: ``formats`` are those of its files; ``keep`` asks for its SVG whatever they are."""

    formats: tuple[str, ...]
    keep: bool = True


@dataclass(frozen=True)
class Finished(Caption):
    """One drawing's files; what was not wanted is empty."""

    svg: str
    png: bytes


class Finisher:
    """Makes the files of drawings, and frees their figures."""

    def __init__(self, wanted: Wanted) -> None:
        self._wanted = wanted
        self._count = 0
        gc.freeze()  # existing objects stay alive and need not be searched

    def finish(self, drawing: Drawing) -> Finished:
        """A drawing's files; its figure is cleared."""
        vector = svg(drawing.figure) if self._wanted.keep or "svg" in self._wanted.formats else ""
        pixels = png(drawing.figure) if "png" in self._wanted.formats else b""
        drawing.figure.clear()
        self._count += 1
        if self._count % _COLLECTED == 0:
            gc.collect()
        return Finished(drawing.name, drawing.plot, drawing.title, drawing.alt, svg=vector, png=pixels)


@dataclass(frozen=True)
class Task:
    """One call of a figure: its name, and the groups of cells that it receives; None for all cells."""

    figure: str
    groups: tuple[int, ...] | None

    @property
    def of_one_board(self) -> bool:
        """Whether it makes few drawings."""
        return self.groups is not None and len(self.groups) == 1


def tasks(data: ReportData, names: Iterable[str], boards: Sequence[int]) -> Iterator[Task]:
    """The tasks that draw figures by name. Figures of a single board are drawn board by board, so that few are in
    memory at a time, and several processes can share them.

    Args:
        boards: the groups that are shown.
    """
    shown = tuple(boards) if len(boards) < data.cells.group.nunique() else None
    by_name = {figure.name: figure for figure in FIGURES}
    for figure in map(by_name.__getitem__, names):
        if figure.scope == "board":
            yield from (Task(figure.name, (board,)) for board in boards)
        else:
            yield Task(figure.name, shown if figure.scope == "boards" else None)


class Easel:
    """Draws tasks of one report in this process, inside :func:`harness.report.figures.canvas.styled`."""

    def __init__(self, data: ReportData, wanted: Wanted) -> None:
        self._data = data
        self._finisher = Finisher(wanted)
        self._parts: dict[tuple[int, ...], ReportData] = {}
        self._draw = {figure.name: figure.draw for figure in FIGURES}

    def draw(self, task: Task) -> Iterator[Finished]:
        """The drawings of a task."""
        return map(self._finisher.finish, self._draw[task.figure](self._part(task.groups)))

    def _part(self, groups: tuple[int, ...] | None) -> ReportData:
        """The report's data of these groups. It is kept, since each figure of a board begins with the same rows."""
        if groups is None:
            return self._data
        if groups not in self._parts:
            cells = self._data.cells
            self._parts[groups] = replace(self._data, cells=cells[cells.group.isin(groups)])
        return self._parts[groups]
