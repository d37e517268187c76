"""The record of cells over time: one line a cell, one point a run."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial

from harness.core.changepoints import Changes
from harness.results.change import Speed


@dataclass(frozen=True, slots=True)
class Point:
    """A cell's VALID result in one run.

    Attributes:
        run: index in :attr:`History.runs`.
        median: in the line's unit.
        accuracy: 0 to 1; None where no classes are judged.
        change: the ratio to the previous point, where the change is significant.
        broken: why it can't be compared with the previous point; empty where it can.
        speed: what the machine's canary took; None where that isn't known.
    """

    run: int
    median: float
    accuracy: float | None
    change: float | None = None
    broken: str = ""
    speed: Speed | None = None


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
