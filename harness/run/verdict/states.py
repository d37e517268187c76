"""The parsed states of a board around one cell."""

from __future__ import annotations

from dataclasses import dataclass

from harness.boards.state import BoardState
from harness.records.answer import Evidence


@dataclass(frozen=True)
class CellStates:
    """A board ``before`` anything was loaded, at the ``start`` of the timed passes, after each of them (``during``), at
    their ``end``, and ``after`` everything."""

    before: BoardState
    start: BoardState
    during: tuple[BoardState, ...]
    end: BoardState
    after: BoardState

    @classmethod
    def parse(cls, evidence: Evidence) -> CellStates:
        """Parse a runner's evidence."""
        return cls(
            before=BoardState.parse(evidence.before),
            start=BoardState.parse(evidence.start),
            during=tuple(BoardState.parse(raw) for raw in evidence.during),
            end=BoardState.parse(evidence.end),
            after=BoardState.parse(evidence.after),
        )

    @property
    def in_order(self) -> tuple[BoardState, ...]:
        """All states in order of time."""
        return (self.before, self.start, *self.during, self.end, self.after)

    @property
    def passes(self) -> tuple[BoardState, ...]:
        """The states within the timed passes and at their end."""
        return (*self.during, self.end)
