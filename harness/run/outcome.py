"""The events that a run reports while it works, and its outcome."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from harness.records.cell import Cell, Reason
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
        label = f"{cell.model.name}/{cell.model.variant}.{cell.model.format} {cell.runtime_asked}"
        label += f" {cell.runtime.delegate}" if cell.runtime.delegate != "cpu" else ""
        return cls(
            cell=cell.cell,
            device=cell.device.name,
            label=f"{label} t{cell.runtime.threads}",
            status=cell.status,
            reasons=cell.reasons,
        )


@dataclass
class Outcome:
    """A run's outcome.

    Attributes:
        sent_bytes: artifact bytes sent, by device.
        bad: cells that are not VALID.
        waiting: files of the run that could not be brought to where results are kept.
    """

    run: str
    folder: Path
    cells: dict[str, str] = field(default_factory=dict)
    sent_bytes: dict[str, int] = field(default_factory=dict)
    skipped: tuple[Reason, ...] = ()
    bad: list[Bad] = field(default_factory=list)
    waiting: tuple[str, ...] = ()

    @property
    def failed(self) -> bool:
        """Whether some device has no measurement at all."""
        return not self.cells or any(status == "FAILED" for status in self.cells.values())

    @property
    def all_valid(self) -> bool:
        return bool(self.cells) and all(status == "VALID" for status in self.cells.values())
