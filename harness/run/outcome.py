"""The events that a run reports while it works, and its outcome."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from harness.core import rounds
from harness.records.cell import Cell, Reason
from harness.results.change import round_medians
from harness.run.plan import CellJob, Plan


class Watcher(Protocol):
    """Receives a run's events. Its methods are called from several threads.

    A cell starts in each of its rounds. It ends once, and a second time at the end of the run if it was disturbed.
    """

    def planned(self, plan: Plan) -> None: ...
    def device(self, name: str, message: str) -> None: ...
    def cell_started(self, job: CellJob) -> None: ...
    def cell_ended(self, job: CellJob, cell: Cell) -> None: ...


@dataclass(frozen=True)
class Bad:
    """A cell that is not VALID; ``label`` describes it without the device."""

    cell: str
    device: str
    label: str
    status: str
    reasons: tuple[Reason, ...]

    @classmethod
    def of(cls, cell: Cell) -> Bad:
        return cls(
            cell=cell.cell,
            device=cell.device.name,
            label=_label(cell),
            status=cell.status,
            reasons=cell.reasons,
        )


def _label(cell: Cell) -> str:
    label = f"{cell.model.name}/{cell.model.variant}.{cell.model.format} {cell.runtime_asked}"
    label += f" {cell.runtime.delegate}" if cell.runtime.delegate != "cpu" else ""
    return f"{label} t{cell.runtime.threads}"


@dataclass(frozen=True)
class Wide:
    """A VALID cell that didn't get as precise as ``--precision`` asks; ``label`` describes it without the device.

    Attributes:
        half_width: of its interval, as a share; None with one round.
        rounds: how many there are.
        more: how many more are likely to do; None where a thousand would not.
    """

    cell: str
    device: str
    label: str
    half_width: float | None
    rounds: int
    more: int | None

    @classmethod
    def of(cls, cell: Cell, precision: float) -> Wide | None:
        """A cell's distance from the precision; None where it got there, or where its rounds do not differ."""
        medians = round_medians(cell)
        if cell.device.clock != "wall" or rounds.narrow(medians, precision):
            return None
        return cls(
            cell=cell.cell,
            device=cell.device.name,
            label=_label(cell),
            half_width=rounds.half_width(rounds.estimate(medians)) if len(medians) > 1 else None,
            rounds=len(medians),
            more=rounds.more_rounds(medians, precision, fewest=rounds.STOP_FROM),
        )

    @property
    def text(self) -> str:
        """How far it got, in words."""
        if self.half_width is None:
            return "one round can't tell"
        would = "a thousand rounds would not do" if self.more is None else f"about {self.more} more would do"
        return f"±{share_text(self.half_width)} after {self.rounds} rounds, {would}"


def share_text(share: float) -> str:
    """A share in percent, one decimal place or as many as show two digits: ``2.0%``, ``0.0050%``."""
    places = max(1, 1 - math.floor(math.log10(share * 100))) if share > 0 else 1
    return f"{share:.{places}%}"


@dataclass
class Outcome:
    """A run's outcome.

    Attributes:
        sent_bytes: artifact bytes sent, by device.
        bad: cells that are not VALID.
        waiting: files of the run that could not be brought to where results are kept.
        precision: the half width of intervals that was asked for, as a share; None where none was.
        wide: VALID cells that didn't get there.
    """

    run: str
    folder: Path
    cells: dict[str, str] = field(default_factory=dict)
    sent_bytes: dict[str, int] = field(default_factory=dict)
    skipped: tuple[Reason, ...] = ()
    bad: list[Bad] = field(default_factory=list)
    waiting: tuple[str, ...] = ()
    precision: float | None = None
    wide: list[Wide] = field(default_factory=list)

    @property
    def failed(self) -> bool:
        """Whether some device has no measurement at all."""
        return not self.cells or any(status == "FAILED" for status in self.cells.values())

    @property
    def all_valid(self) -> bool:
        return bool(self.cells) and all(status == "VALID" for status in self.cells.values())
